"""The settings of trust services: time-stamp authorities, seal keys, and how each is reached.

Rules kept here
 * What cannot be is refused when the settings are read, and not when the first seal is asked for.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime

from api.settings_table import ADDRESSES, SETTINGS_FILE, Secret, Table
from archive_core.errors import SettingsError
from policies.profiles import TRUST_CLASSES


@dataclass(frozen=True, slots=True)
class ConnectionSettings:
    """How a service is reached."""

    timeout: float = 30.0
    """(seconds) For connecting, and again for an exchange; 0.01 to 3600."""
    user: str = ""
    """Who asks (HTTP Basic, or an account)."""
    password: Secret | None = None
    """The password of `user`."""
    client_key: str = ""
    """The file with what TLS presents: PKCS#12, or PEM with key and certificates."""
    client_password: Secret | None = None
    """What opens `client_key`."""
    ca: str = ""
    """A PEM file with the authorities to trust instead of the system's."""
    proxy: str = ""
    """`http://HOST:PORT` of a proxy; empty for none."""
    proxy_user: str = ""
    """Who asks the proxy; together with `proxy_password`."""
    proxy_password: Secret | None = None
    """The password at the proxy."""


@dataclass(frozen=True, slots=True)
class AuthoritySettings:
    """A time-stamp authority; profiles name it. At least one is needed."""

    name: str
    """What profiles, plans and the trail call it; no two alike."""
    scheme: str
    """`local` (the labelled test authority of the home) or `http` (RFC 3161)."""
    url: str = ""
    """For `http`: the address that is asked."""
    policy: str = ""
    """The OID of the policy that is asked for; empty for the authority's own choice."""
    trust_class: str = "test"
    """`test`, `advanced` or `qualified`: what profiles may demand."""
    fetch: tuple[str, ...] = ()
    """Beginnings of addresses from which its chain and revocation data may be fetched, as its certificates name
    them."""
    connection: ConnectionSettings = ConnectionSettings()
    accuracy: float = 0.0
    """(seconds) What its tokens may state at most; 0 for any. One that is `qualified` states one second at most
    (EN 319 421)."""
    budget: int = 0
    """(time-stamps a calendar month) How many are paid for; 0 for no such number."""
    instead: tuple[str, ...] = ()
    """Authorities that are asked in its place, in this order, while it gives nothing; of no lower trust class."""


SEAL_DIGESTS = ("sha256", "sha384", "sha512", "sha3-256", "sha3-384", "sha3-512")


LOGINS = ("none", "basic", "oauth")


@dataclass(frozen=True, slots=True)
class SealSettings:
    """The key that seals statements, receipts and tombstones. Each `[[seal.next]]` is a later key, in the order of
    their dates."""

    key: str = "local:"
    """Its address: `local:` (the labelled software key of the home), `file:PATH`, `pkcs11:…` or `csc:URL`."""
    digest: str = "sha512"
    """What new seals digest with: sha256, sha384, sha512, sha3-256, sha3-384 or sha3-512."""
    certificates: str = ""
    """A PEM file, the signer's certificate first, where the key's place has none."""
    pin: Secret | None = None
    """What opens a token or a credential."""
    login: str = "none"
    """For `csc:`: `none`, `basic` or `oauth`."""
    credential: str = ""
    """For `csc:`: the credential that is the key."""
    fetch: tuple[str, ...] = ()
    """Beginnings of addresses from which its chain and revocation data may be fetched."""
    connection: ConnectionSettings = ConnectionSettings()
    since: datetime | None = None
    """For `[[seal.next]]`: the day, or the time with its offset, from which this key is in force."""
    next: tuple[SealSettings, ...] = ()


def read_authority(table: Table) -> AuthoritySettings:
    settings = AuthoritySettings(
        name=table.take("name", str),
        scheme=table.take("scheme", str),
        url=table.take("url", str, ""),
        policy=table.take("policy", str, ""),
        trust_class=table.take("trust_class", str, "test"),
        fetch=table.texts("fetch"),
        connection=read_connection(table),
        accuracy=table.take("accuracy", float, 0.0),
        budget=table.take("budget", int, 0),
        instead=table.texts("instead"),
    )
    table.done()
    if settings.accuracy < 0 or settings.budget < 0:
        raise SettingsError(f"{SETTINGS_FILE}: accuracy and budget of {settings.name} are 0 or more")
    return settings


def verify_stand_ins(authorities: Sequence[AuthoritySettings]) -> None:
    """Who stands in for an authority is another one, and of no lower trust class; raises `SettingsError`."""
    known = {one.name: one for one in authorities}
    for one in authorities:
        for name in one.instead:
            if name not in known or name == one.name:
                raise SettingsError(f"{SETTINGS_FILE}: instead of {one.name} stands {name!r}, which is no other TSA")
            classes = [known[which].trust_class for which in (name, one.name)]
            if not set(classes) <= set(TRUST_CLASSES):
                raise SettingsError(f"{SETTINGS_FILE}: a trust_class is one of {', '.join(TRUST_CLASSES)}")
            if TRUST_CLASSES.index(classes[0]) < TRUST_CLASSES.index(classes[1]):
                raise SettingsError(
                    f"{SETTINGS_FILE}: {name} ({classes[0]}) is no stand-in for one that is {classes[1]}"
                )


def read_connection(table: Table) -> ConnectionSettings:
    settings = ConnectionSettings(
        timeout=table.take("timeout", float, 30.0),
        user=table.take("user", str, ""),
        password=_secret(table, "password"),
        client_key=table.take("client_key", str, ""),
        client_password=_secret(table, "client_password"),
        ca=table.take("ca", str, ""),
        proxy=table.take("proxy", str, ""),
        proxy_user=table.take("proxy_user", str, ""),
        proxy_password=_secret(table, "proxy_password"),
    )
    if not 0.01 <= settings.timeout <= 3600:
        raise SettingsError(f"{SETTINGS_FILE}: a timeout is 0.01 to 3600 seconds")
    if bool(settings.proxy_user) != bool(settings.proxy_password):
        raise SettingsError(f"{SETTINGS_FILE}: proxy_user and proxy_password are written together")
    return settings


def _secret(table: Table, key: str) -> Secret | None:
    """The address of a secret; what is none is refused without being shown: it may be the secret itself."""
    address = table.take(key, str, "")
    if address and not address.startswith(ADDRESSES):
        raise SettingsError(
            f"{SETTINGS_FILE}: `{key}` is the address of a secret, env:NAME, file:PATH or credential:NAME, never itself"
        )
    return Secret(address) if address else None


def read_seal(table: Table) -> SealSettings:
    return _seal_key(table, table.take_tables("next", _later_seal))


def _later_seal(table: Table) -> SealSettings:
    since: date | datetime = table.take("since", date)
    if not isinstance(since, datetime):
        since = datetime(since.year, since.month, since.day, tzinfo=UTC)
    if since.tzinfo is None:
        raise SettingsError(f"{SETTINGS_FILE}: `since` is a day (UTC), or a time with its offset, such as 07:30:00Z")
    return replace(_seal_key(table, ()), since=since.astimezone(UTC))


def _seal_key(table: Table, later: tuple[SealSettings, ...]) -> SealSettings:
    settings = SealSettings(
        key=table.take("key", str, "local:"),
        digest=table.take("digest", str, "sha512"),
        certificates=table.take("certificates", str, ""),
        pin=_secret(table, "pin"),
        login=table.take("login", str, "none"),
        credential=table.take("credential", str, ""),
        fetch=table.texts("fetch"),
        connection=read_connection(table),
        next=later,
    )
    table.done()
    if settings.digest not in SEAL_DIGESTS:
        raise SettingsError(f"{SETTINGS_FILE} [seal]: digest is one of {', '.join(SEAL_DIGESTS)}")
    if settings.login not in LOGINS:
        raise SettingsError(f"{SETTINGS_FILE} [seal]: login is one of {', '.join(LOGINS)}")
    return settings
