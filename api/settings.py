"""The settings of one home: `trusted-archive.toml`, read once at the edge into frozen values.

Rules kept here
 * Unknown keys are refused by name; a wrong type is refused with the place and what was expected.
 * Paths are relative to the home. Nothing below `api` reads a file of settings or the environment.
 * A secret never stands in the file, only its address (`env:NAME`, …); see `Secret`.
 * What stands under a field is its entry in docs/reference/configuration.md (`tools/configuration_page.py`), with the
   unit first, in brackets.
"""

from __future__ import annotations

import tomllib
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path

from api.settings_access import AccessSettings, read_access
from api.settings_examination import ExaminationSettings, read_examination
from api.settings_fixity import FixitySettings, read_fixity
from api.settings_lists import ListSettings, read_lists
from api.settings_oidc import OidcSettings, read_oidc
from api.settings_proxy import ProxySettings, read_proxy
from api.settings_services import AuthoritySettings as AuthoritySettings
from api.settings_services import SealSettings, read_authority, read_seal, verify_stand_ins
from api.settings_stores import CopiesSettings, read_copies, read_store, verify_copies
from api.settings_stores import StoreSettings as StoreSettings
from api.settings_table import SETTINGS_FILE as SETTINGS_FILE
from api.settings_table import Secret, Table
from api.settings_webhooks import WebhookSettings, read_webhook
from archive_core.errors import SettingsError

FORMAT = 1
"""Version of the home's layout and settings; a newer one is refused, an older one upgraded."""

MAX_CHARACTERS = 256 * 1024


@dataclass(frozen=True, slots=True)
class CatalogueSettings:
    """The database with the catalogue, which can be rebuilt from any complete store."""

    url: str
    """SQLAlchemy URL without a password; a relative SQLite path is below the home."""
    password: Secret | None = None
    """The database's password."""


@dataclass(frozen=True, slots=True)
class ServerSettings:
    """The HTTP server and its scheduler."""

    threads: int = 16
    """How many requests are answered side by side."""
    connections: int = 4096
    """How many connections may be open, most of them idle. When there are as many, one that only waits is closed for
    another that comes. Fewer where the system allows this process fewer open files."""
    interval: float = 2.0
    """(seconds) How long the scheduler rests between its rounds, of a server and of a worker alike."""
    max_upload_bytes: int = 64 * 1024**3
    """(bytes) The largest body of a request."""


@dataclass(frozen=True, slots=True)
class AlgorithmSettings:
    """Which list of algorithms is in force."""

    table: str = ""
    """A file with the list (our TOML, DSSC as XML or JSON); empty for the newest that comes with the program."""
    signers: tuple[str, ...] = ()
    """PEM files with the certificates that may have signed the list."""
    require_signature: bool = False
    """Whether a list that nobody signed is refused."""


@dataclass(frozen=True, slots=True)
class ReportedSettings:
    """What became known of a time-stamp authority, on a day."""

    authority: str
    """The authority, by its name in `[[timestamp_authority]]`."""
    on: date
    """The day (UTC) from which this holds."""
    what: str
    """What became known, in words for people: it stands in plans and reports."""
    compromised: bool
    """Whether its key was stolen: what nothing had covered by then proves nothing any more."""
    replaced: bool = False
    """Whether the name has stood for another authority since that day."""


@dataclass(frozen=True, slots=True)
class RenewalSettings:
    """When evidence is renewed, and how fast documents are read for it."""

    timestamp_margin_days: int = 90
    """(days) How long before a certificate or signature algorithm ends its time-stamps are renewed; 1 to 36500."""
    hash_tree_margin_days: int = 730
    """(days) How long before a digest ends its hash trees are renewed; 1 to 36500."""
    share: float = 0.5
    """Above which share of all evidence, 0 to 1, a person is asked before so much is renewed at once."""
    read_mib_per_second: float = 0.0
    """(MiB a second) How fast documents are read for a hash-tree renewal; 0 for as fast as it goes."""


@dataclass(frozen=True, slots=True)
class ArchiveSettings:
    """The whole file. Keys that stand in no table come first in it."""

    home: Path
    name: str
    """What the archive calls itself."""
    default_profile: str
    """The preservation profile of deposits that name none."""
    default_originator: str
    """The organisation of deposits from keys of no single organisation that name none."""
    catalogue: CatalogueSettings
    stores: tuple[StoreSettings, ...]
    authorities: tuple[AuthoritySettings, ...]
    seal: SealSettings
    anchors: tuple[str, ...]
    """PEM files with the certificates that the archive's own seals and time-stamps must lead to."""
    server: ServerSettings
    staging: Path
    """The directory for uploads that are on their way."""
    algorithms: AlgorithmSettings = AlgorithmSettings()
    renewal: RenewalSettings = RenewalSettings()
    fixity: FixitySettings = field(default_factory=FixitySettings)
    reported: tuple[ReportedSettings, ...] = ()
    copies: CopiesSettings = field(default_factory=CopiesSettings)
    access: AccessSettings = field(default_factory=AccessSettings)
    webhooks: tuple[WebhookSettings, ...] = ()
    oidc: OidcSettings | None = None
    proxy: ProxySettings | None = None
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
        values = tomllib.loads(text)
    except (ValueError, RecursionError) as error:  # not TOML, a number too long, too deep
        raise SettingsError(f"{SETTINGS_FILE} is not TOML: {error}") from error
    return read_settings(Table(values, SETTINGS_FILE), home)


def read_settings(top: Table, home: Path) -> ArchiveSettings:
    """The settings in the outermost table; raises `SettingsError` saying what to change."""
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
        stores=top.take_tables("store", read_store),
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
        copies=top.take_table("copies", read_copies),
        access=top.take_table("access", read_access),
        webhooks=top.take_tables("webhook", read_webhook),
        oidc=top.take_table("oidc", read_oidc) if top.has("oidc") else None,
        proxy=top.take_table("proxy", read_proxy) if top.has("proxy") else None,
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
        connections=table.take("connections", int, defaults.connections),
        interval=table.take("interval", float, defaults.interval),
        max_upload_bytes=table.take("max_upload_bytes", int, defaults.max_upload_bytes),
    )
    table.done()
    if not 0 < settings.threads < settings.connections:
        raise SettingsError(f"{SETTINGS_FILE} [server]: threads are at least one, and connections more than threads")
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
    verify_copies(settings.stores, settings.copies)
    verify_stand_ins(settings.authorities)
    if not settings.authorities:
        raise SettingsError(f"{SETTINGS_FILE}: at least one [[timestamp_authority]] is needed")
