"""The settings of stores and copies: `[[store]]` with buckets and locks, `[copies]`.

Rules kept here
 * What no store can be is refused when the settings are read: names of buckets, times, locks of another scheme.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from api.settings_table import SETTINGS_FILE, Secret, Table
from archive_core.errors import SettingsError

_BUCKET = re.compile(r"[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]")
_PREFIX = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}(/[A-Za-z0-9][A-Za-z0-9._-]{0,99}){0,5}")
_ADDRESS = re.compile(r"https?://[^\s/@]+(:[0-9]+)?(/\S*)?")


@dataclass(frozen=True, slots=True)
class BucketSettings:
    """A place in a bucket of an S3-compatible server."""

    bucket: str
    """For `s3`: the bucket, which is there already."""
    prefix: str
    """For `s3`: where in the bucket the storage root begins; letters, digits and `-_.`, with `/` between up to six
    parts. What is not to be seen as part of the root stands beside it."""
    access_key: Secret
    """For `s3`: the access key's id."""
    secret_key: Secret
    """For `s3`: the access key's secret."""
    endpoint: str = ""
    """For `s3`: the server's `http://` or `https://` address; empty for Amazon's own of the region."""
    region: str = "us-east-1"
    """For `s3`: the region that requests are signed for."""
    path_style: bool = True
    """For `s3`: whether the bucket stands in the path of addresses, not in the name of the host."""
    ca_file: str = ""
    """For `s3`: a PEM file with the authorities to trust instead of the system's."""
    proxy: str = ""
    """For `s3`: the `http://` or `https://` address of a proxy; empty for none."""
    connect_timeout: float = 5.0
    """(seconds) For `s3`: for connecting, 0.1 to 600."""
    read_timeout: float = 60.0
    """(seconds) For `s3`: for an answer, 0.1 to 600."""
    attempts: int = 3
    """For `s3`: how often a request is tried, the first one counted; 1 to 10."""
    connections: int = 16
    """For `s3`: how many requests run side by side; 1 to 256."""


LOCK_MODES = {"s3": ("compliance", "governance"), "filesystem": ("immutable",)}
"""The modes of S3 object lock, and the attribute of files."""
LOCK_FAILURES = ("refuse", "warn")


@dataclass(frozen=True, slots=True)
class LockSettings:
    """How what a store keeps is locked."""

    mode: str
    """Whether the store locks what it keeps: `compliance` or `governance` for `s3` (object lock), `immutable` for
    `filesystem` (the attribute of files); empty for no locks."""
    days: int = 180
    """(days) How far ahead locks reach; up to 36500."""
    renew_days: int = 60
    """(days) How long before their end locks are extended; 1 or more, below `lock_days`."""
    failing: str = "refuse"
    """What becomes of a store that does not enforce its locks: `refuse` (it takes nothing) or `warn`."""


@dataclass(frozen=True, slots=True)
class StoreSettings:
    """A store: an OCFL storage root of its own. At least two are needed, on different disks where possible."""

    name: str
    """What the store is called in commands, reports and the trail; no two alike."""
    scheme: str
    """`filesystem` or `s3`."""
    root: str
    """For `filesystem`: the directory that is the OCFL storage root."""
    staging: str
    """For `filesystem`: a directory beside the root, on the same file system, for what is half-written."""
    bucket: BucketSettings | None = None
    required: bool = True
    """Whether deposits are refused while the store is away. One that is not required gets later what it missed."""
    site: str = ""
    """Where it stands: stores of one site are lost together. Empty: a site of its own."""
    lock: LockSettings | None = None

    def place(self, home: Path) -> str:
        """Where the store lies, for people: a path or `s3://bucket/prefix`."""
        return f"s3://{self.bucket.bucket}/{self.bucket.prefix}" if self.bucket else str(home / self.root)


@dataclass(frozen=True, slots=True)
class CopiesSettings:
    """Which copies a deposit must have before it is acknowledged, besides one in every required store."""

    stores: int = 0
    """In how many stores; 2 or more, or 0 for as many as are required."""
    sites: int = 1
    """At how many sites."""
    patience: float = 3.0
    """(seconds) How much longer a store that is not required may take than those that are enough, 0.1 to 600, besides a
    second for each 2 MB: then the deposit is acknowledged without it, and it gets later what it missed."""


def read_store(table: Table) -> StoreSettings:
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


def read_copies(table: Table) -> CopiesSettings:
    settings = CopiesSettings(
        table.take("stores", int, 0), table.take("sites", int, 1), table.take("patience", float, 3.0)
    )
    table.done()
    if not 0.1 <= settings.patience <= 600:
        raise SettingsError(f"{SETTINGS_FILE} [copies]: patience is 0.1 to 600 seconds")
    return settings


def verify_copies(stores: Sequence[StoreSettings], copies: CopiesSettings) -> None:
    """The stores can give the copies that are asked for; raises `SettingsError`."""
    sites = {store.site or store.name for store in stores}
    if not 0 <= copies.stores <= len(stores) or copies.stores == 1:
        raise SettingsError(f"{SETTINGS_FILE} [copies]: stores is 2 to {len(stores)}, or 0 for the required ones")
    if not 1 <= copies.sites <= len(sites):
        raise SettingsError(f"{SETTINGS_FILE} [copies]: sites is 1 to {len(sites)}, as many as the stores name")
    if not any(store.required for store in stores):
        raise SettingsError(f"{SETTINGS_FILE}: at least one [[store]] must be required")
