"""The settings of one home: `trusted-archive.toml`, read once at the edge into frozen values.

Rules kept here
 * Unknown keys are refused by name; a wrong type is refused with the place and what was expected.
 * Paths are relative to the home. Nothing below `api` reads a file of settings or the environment.
 * A secret never stands in the file, only its address (`env:NAME`, `file:PATH`); see `Secret`.
"""

from __future__ import annotations

import re
import tomllib
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path

from api.settings_access import AccessSettings, read_access
from api.settings_examination import ExaminationSettings, read_examination
from api.settings_fixity import FixitySettings, read_fixity
from api.settings_lists import ListSettings, read_lists
from api.settings_oidc import OidcSettings, read_oidc
from api.settings_services import AuthoritySettings as AuthoritySettings
from api.settings_services import SealSettings, read_authority, read_seal, verify_stand_ins
from api.settings_table import SETTINGS_FILE as SETTINGS_FILE
from api.settings_table import Secret, Table
from api.settings_webhooks import WebhookSettings, read_webhook
from archive_core.errors import SettingsError

FORMAT = 1
"""Version of the home's layout and settings; a newer one is refused, an older one upgraded."""

MAX_CHARACTERS = 256 * 1024

_BUCKET = re.compile(r"[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]")
_PREFIX = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}(/[A-Za-z0-9][A-Za-z0-9._-]{0,99}){0,5}")
_ADDRESS = re.compile(r"https?://[^\s/@]+(:[0-9]+)?(/\S*)?")


@dataclass(frozen=True, slots=True)
class CatalogueSettings:
    """`url` is an SQLAlchemy URL without password; a relative SQLite path is below the home.
    `password` is the address of the database password."""

    url: str
    password: Secret | None = None


@dataclass(frozen=True, slots=True)
class BucketSettings:
    """A place in a bucket of an S3-compatible server. `endpoint` empty means Amazon's own for the region. The two keys
    are addresses of secrets. `ca_file` (PEM, below the home) names the authorities to trust, empty for the system's.
    Times are in seconds; `attempts` counts the first one; `connections` is how many requests run side by side."""

    bucket: str
    prefix: str
    access_key: Secret
    secret_key: Secret
    endpoint: str = ""
    region: str = "us-east-1"
    path_style: bool = True
    ca_file: str = ""
    proxy: str = ""
    connect_timeout: float = 5.0
    read_timeout: float = 60.0
    attempts: int = 3
    connections: int = 16


LOCK_MODES = {"s3": ("compliance", "governance"), "filesystem": ("immutable",)}
"""The modes of S3 object lock, and the attribute of files."""
LOCK_FAILURES = ("refuse", "warn")


@dataclass(frozen=True, slots=True)
class LockSettings:
    """How what a store keeps is locked. `days` is how far ahead locks reach, `renew_days` how long before their end
    they are extended; `failing` says what becomes of a store that does not enforce its locks."""

    mode: str
    days: int = 180
    renew_days: int = 60
    failing: str = "refuse"


@dataclass(frozen=True, slots=True)
class StoreSettings:
    """For a `filesystem`, `root` is the OCFL storage root and `staging` a directory on the same file system, beside it;
    for `s3` both are empty and `bucket` says where it is. A store that is not `required` may be away while deposits
    go on, and gets later what it missed. Stores of one `site` are lost together."""

    name: str
    scheme: str
    root: str
    staging: str
    bucket: BucketSettings | None = None
    required: bool = True
    site: str = ""
    lock: LockSettings | None = None

    def place(self, home: Path) -> str:
        """Where the store lies, for people: a path or `s3://bucket/prefix`."""
        return f"s3://{self.bucket.bucket}/{self.bucket.prefix}" if self.bucket else str(home / self.root)


@dataclass(frozen=True, slots=True)
class CopiesSettings:
    """How many stores, at how many sites, must hold a deposit before it is acknowledged, besides every required one.
    0 stores means as many as are required."""

    stores: int = 0
    sites: int = 1


@dataclass(frozen=True, slots=True)
class ServerSettings:
    """`threads` request threads; `interval` seconds between rounds of the embedded scheduler."""

    threads: int = 16
    interval: float = 2.0
    max_upload_bytes: int = 64 * 1024**3


@dataclass(frozen=True, slots=True)
class AlgorithmSettings:
    """Which list of algorithms is in force. `table` is a file (our TOML, DSSC XML or JSON), empty for the newest one
    that comes with the program; `signers` are PEM files with the certificates that may have signed it."""

    table: str = ""
    signers: tuple[str, ...] = ()
    require_signature: bool = False


@dataclass(frozen=True, slots=True)
class ReportedSettings:
    """What became known of a time-stamp authority, on a day: see `policies.renewal_values.StatusChange`."""

    authority: str
    on: date
    what: str
    compromised: bool
    replaced: bool = False


@dataclass(frozen=True, slots=True)
class RenewalSettings:
    """How many days before an end renewals are due, above which share of all evidence they are asked about, and how
    many MiB (2^20 bytes) of documents are read a second for a hash-tree renewal (0: as many as there are)."""

    timestamp_margin_days: int = 90
    hash_tree_margin_days: int = 730
    share: float = 0.5
    read_mib_per_second: float = 0.0


@dataclass(frozen=True, slots=True)
class ArchiveSettings:
    home: Path
    name: str
    default_profile: str
    default_originator: str
    catalogue: CatalogueSettings
    stores: tuple[StoreSettings, ...]
    authorities: tuple[AuthoritySettings, ...]
    seal: SealSettings
    anchors: tuple[str, ...]
    server: ServerSettings
    staging: Path
    algorithms: AlgorithmSettings = AlgorithmSettings()
    renewal: RenewalSettings = RenewalSettings()
    fixity: FixitySettings = field(default_factory=FixitySettings)
    reported: tuple[ReportedSettings, ...] = ()
    copies: CopiesSettings = CopiesSettings()
    access: AccessSettings = field(default_factory=AccessSettings)
    webhooks: tuple[WebhookSettings, ...] = ()
    oidc: OidcSettings | None = None
    examination: ExaminationSettings = field(default_factory=ExaminationSettings)
    profiles: tuple[str, ...] = ()
    """Files of profiles of the home's own, besides those that come with the program."""
    trusted_lists: ListSettings = field(default_factory=ListSettings)

    @classmethod
    def load(cls, home: Path) -> ArchiveSettings:
        """Read the home's settings file; raises `SettingsError` saying what to change."""
        path = home / SETTINGS_FILE
        try:
            text = path.read_text("utf-8")
        except FileNotFoundError:
            raise SettingsError(f"no archive home at {home}: create one with `trusted-archive init`") from None
        except (OSError, UnicodeDecodeError) as error:
            raise SettingsError(f"cannot read {path}: {error}") from error
        return parse_settings(text, home)


def parse_settings(text: str, home: Path) -> ArchiveSettings:
    """Parse the text of a settings file; see `ArchiveSettings`."""
    if len(text) > MAX_CHARACTERS:
        raise SettingsError(f"{SETTINGS_FILE} has more than {MAX_CHARACTERS} characters")
    try:
        top = Table(tomllib.loads(text), SETTINGS_FILE)
    except (ValueError, RecursionError) as error:  # not TOML, a number too long, too deep
        raise SettingsError(f"{SETTINGS_FILE} is not TOML: {error}") from error
    found = top.take("format", int)
    if found != FORMAT:
        how = "use a newer program" if found > FORMAT else "run `trusted-archive upgrade`"
        raise SettingsError(f"{SETTINGS_FILE} has format {found}, this program knows {FORMAT}: {how}")
    settings = ArchiveSettings(
        home=home,
        name=top.take("name", str, "trusted-archive"),
        default_profile=top.take("default_profile", str),
        default_originator=top.take("default_originator", str, "default"),
        catalogue=top.take_table("catalogue", _catalogue),
        stores=top.take_tables("store", _store),
        authorities=top.take_tables("timestamp_authority", read_authority),
        seal=top.take_table("seal", read_seal),
        anchors=top.texts("trust_anchors"),
        profiles=top.texts("profiles"),
        server=top.take_table("server", _server),
        staging=home / top.take("staging", str, "staging/deposits"),
        algorithms=top.take_table("algorithms", _algorithms),
        renewal=top.take_table("renewal", _renewal),
        fixity=top.take_table("fixity", read_fixity),
        reported=top.take_tables("reported", _reported),
        copies=top.take_table("copies", _copies),
        access=top.take_table("access", read_access),
        webhooks=top.take_tables("webhook", read_webhook),
        oidc=top.take_table("oidc", read_oidc) if top.has("oidc") else None,
        examination=top.take_table("examination", read_examination),
        trusted_lists=top.take_table("trusted_lists", read_lists),
    )
    top.done()
    _verify(settings)
    return settings


def _catalogue(table: Table) -> CatalogueSettings:
    password = table.take("password", str, "")
    settings = CatalogueSettings(table.take("url", str), Secret(password) if password else None)
    table.done()
    return settings


def _store(table: Table) -> StoreSettings:
    name, scheme = table.take("name", str), table.take("scheme", str)
    bucket = _bucket(table) if scheme == "s3" else None
    root = table.take("root", str) if bucket is None else ""
    settings = StoreSettings(
        name,
        scheme,
        root,
        table.take("staging", str, f"{root}.staging") if bucket is None else "",
        bucket,
        table.take("required", bool, True),
        table.take("site", str, ""),
        _lock(table, name, scheme),
    )
    table.done()
    return settings


def _bucket(table: Table) -> BucketSettings:
    settings = BucketSettings(
        bucket=table.take("bucket", str),
        prefix=table.take("prefix", str, "trusted-archive"),
        access_key=Secret(table.take("access_key", str)),
        secret_key=Secret(table.take("secret_key", str)),
        endpoint=table.take("endpoint", str, ""),
        region=table.take("region", str, "us-east-1"),
        path_style=table.take("path_style", bool, True),
        ca_file=table.take("ca_file", str, ""),
        proxy=table.take("proxy", str, ""),
        connect_timeout=table.take("connect_timeout", float, 5.0),
        read_timeout=table.take("read_timeout", float, 60.0),
        attempts=table.take("attempts", int, 3),
        connections=table.take("connections", int, 16),
    )
    if not _BUCKET.fullmatch(settings.bucket):
        raise SettingsError(f"{SETTINGS_FILE} [[store]]: {settings.bucket[:80]!a} is not the name of a bucket")
    if not _PREFIX.fullmatch(settings.prefix):
        raise SettingsError(f"{SETTINGS_FILE} [[store]]: a prefix is letters, digits and `-_.`, with `/` between parts")
    if not _ADDRESS.fullmatch(settings.endpoint or "https://aws") or not _ADDRESS.fullmatch(
        settings.proxy or "http://a"
    ):
        raise SettingsError(f"{SETTINGS_FILE} [[store]]: endpoint and proxy are http:// or https:// addresses")
    times = (settings.connect_timeout, settings.read_timeout)
    if not all(0.1 <= one <= 600 for one in times) or not 1 <= settings.attempts <= 10:
        raise SettingsError(f"{SETTINGS_FILE} [[store]]: time-outs are 0.1 to 600 seconds, attempts 1 to 10")
    if not 1 <= settings.connections <= 256:
        raise SettingsError(f"{SETTINGS_FILE} [[store]]: connections are 1 to 256")
    return settings


def _lock(table: Table, name: str, scheme: str) -> LockSettings | None:
    mode = table.take("lock", str, "")
    if not mode:
        return None
    lock = LockSettings(
        mode,
        table.take("lock_days", int, 180),
        table.take("lock_renew_days", int, 60),
        table.take("lock_failing", str, "refuse"),
    )
    if mode not in LOCK_MODES.get(scheme, ()):
        raise SettingsError(
            f"{SETTINGS_FILE} [[store]] {name}: lock is compliance or governance for s3, immutable for filesystem"
        )
    if not 1 <= lock.renew_days < lock.days <= 36500 or lock.failing not in LOCK_FAILURES:
        raise SettingsError(
            f"{SETTINGS_FILE} [[store]] {name}: lock_days is up to 36500 and above lock_renew_days (1 or more);"
            f" lock_failing is one of {', '.join(LOCK_FAILURES)}"
        )
    return lock


def _copies(table: Table) -> CopiesSettings:
    settings = CopiesSettings(table.take("stores", int, 0), table.take("sites", int, 1))
    table.done()
    return settings


def _algorithms(table: Table) -> AlgorithmSettings:
    settings = AlgorithmSettings(
        table=table.take("table", str, ""),
        signers=table.texts("signers"),
        require_signature=table.take("require_signature", bool, False),
    )
    table.done()
    return settings


def _renewal(table: Table) -> RenewalSettings:
    defaults = RenewalSettings()
    settings = RenewalSettings(
        timestamp_margin_days=table.take("timestamp_margin_days", int, defaults.timestamp_margin_days),
        hash_tree_margin_days=table.take("hash_tree_margin_days", int, defaults.hash_tree_margin_days),
        share=table.take("share", float, defaults.share),
        read_mib_per_second=table.take("read_mib_per_second", float, defaults.read_mib_per_second),
    )
    table.done()
    days = (settings.timestamp_margin_days, settings.hash_tree_margin_days)
    if not all(1 <= one <= 36500 for one in days) or not 0 < settings.share <= 1:
        raise SettingsError(f"{SETTINGS_FILE} [renewal]: margins are 1 to 36500 days, the share above 0 and up to 1")
    if settings.read_mib_per_second and not 0.01 <= settings.read_mib_per_second <= 1_000_000:
        raise SettingsError(f"{SETTINGS_FILE} [renewal]: read_mib_per_second is 0.01 to 1,000,000, or 0 for no limit")
    return settings


def _reported(table: Table) -> ReportedSettings:
    settings = ReportedSettings(
        authority=table.take("authority", str),
        on=table.take("on", date),
        what=table.take("what", str),
        compromised=table.take("compromised", bool),
        replaced=table.take("replaced", bool, False),
    )
    table.done()
    return settings


def _server(table: Table) -> ServerSettings:
    defaults = ServerSettings()
    settings = ServerSettings(
        threads=table.take("threads", int, defaults.threads),
        interval=table.take("interval", float, defaults.interval),
        max_upload_bytes=table.take("max_upload_bytes", int, defaults.max_upload_bytes),
    )
    table.done()
    return settings


def _verify(settings: ArchiveSettings) -> None:
    for what, names in (
        ("store", [store.name for store in settings.stores]),
        ("timestamp_authority", [authority.name for authority in settings.authorities]),
        ("reported", [report.authority for report in settings.reported]),
        ("webhook", [webhook.name for webhook in settings.webhooks]),
        ("fixity.store", [name for name, _ in settings.fixity.stores]),
    ):
        if len(set(names)) != len(names):
            raise SettingsError(f"{SETTINGS_FILE}: two [[{what}]] have the same name")
    stores = [store.name for store in settings.stores]
    if unknown := [name for name, _ in settings.fixity.stores if name not in stores]:
        raise SettingsError(f"{SETTINGS_FILE} [[fixity.store]]: there is no store {unknown[0]!r}")
    if len(settings.stores) < 2:
        raise SettingsError(f"{SETTINGS_FILE}: at least two [[store]] are needed, on different disks where possible")
    _verify_copies(settings)
    verify_stand_ins(settings.authorities)
    if not settings.authorities:
        raise SettingsError(f"{SETTINGS_FILE}: at least one [[timestamp_authority]] is needed")


def _verify_copies(settings: ArchiveSettings) -> None:
    sites = {store.site or store.name for store in settings.stores}
    copies = settings.copies
    if not 0 <= copies.stores <= len(settings.stores) or copies.stores == 1:
        raise SettingsError(
            f"{SETTINGS_FILE} [copies]: stores is 2 to {len(settings.stores)}, or 0 for the required ones"
        )
    if not 1 <= copies.sites <= len(sites):
        raise SettingsError(f"{SETTINGS_FILE} [copies]: sites is 1 to {len(sites)}, as many as the stores name")
    if not any(store.required for store in settings.stores):
        raise SettingsError(f"{SETTINGS_FILE}: at least one [[store]] must be required")
