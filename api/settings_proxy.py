"""The settings of a proxy that tells who came with which client certificate: `[proxy]`, `[[proxy.client]]`.

Rules kept here
 * Off unless written. What is written must be whole: from where, with which secret, which certificate is which key.
 * A certificate stands for a key that is there already, and may what that key may; nothing more can be said here.
"""

from __future__ import annotations

import ipaddress
import re
from dataclasses import dataclass

from cryptography import x509

from api.settings_table import ADDRESSES, SETTINGS_FILE, Secret, Table
from archive_core.errors import SettingsError

Network = ipaddress.IPv4Network | ipaddress.IPv6Network

_HEADER = re.compile(r"[A-Za-z][A-Za-z0-9]*(-[A-Za-z0-9]+)*", re.ASCII)
_SHA256 = re.compile(r"[0-9a-f]{64}", re.ASCII)
_KEY = re.compile(r"key-[0-9a-f]{1,64}", re.ASCII)
_TAKEN = {"authorization", "host", "origin", "cookie", "content-length", "content-type", "transfer-encoding"}
_WHERE = f"{SETTINGS_FILE} [proxy]"


@dataclass(frozen=True, slots=True)
class ClientSettings:
    """A certificate that stands for an API key: by its fingerprint, or by its subject, whoever of the authorities that
    the proxy trusts issued it."""

    key: str
    """The key's id (`key-…`, as `keys list` says): its role, organisation, scopes, end and revocation hold."""
    sha256: str = ""
    """The SHA-256 of the certificate (DER), hexadecimal, with colons or without."""
    subject: str = ""
    """The subject, as `openssl x509 -noout -subject -nameopt RFC2253` writes it; stays when the certificate is
    renewed. Either this or `sha256`."""

    @property
    def name(self) -> x509.Name:
        return x509.Name.from_rfc4514_string(self.subject)


@dataclass(frozen=True, slots=True)
class ProxySettings:
    """A proxy in front that asks clients for certificates (mutual TLS), whose word on them is taken. Without this table
    nobody's is."""

    addresses: tuple[Network, ...]
    """From where the proxy connects: addresses or networks (`10.0.0.0/29`). Whoever else sends one of the headers
    below is refused."""
    secret: Secret
    """What the proxy shows in `secret_header`, 32 characters or more: an address alone is anybody's on that machine."""
    secret_header: str = "X-Proxy-Secret"  # noqa: S105 - the name of a header
    """The header with the secret."""
    certificate_header: str = "X-Client-Certificate"
    """The header with the certificate, PEM in percent-encoding (nginx: `$ssl_client_escaped_cert`)."""
    verified_header: str = "X-Client-Verify"
    """The header that says `SUCCESS` when the proxy found the certificate good, `NONE` when there was none."""
    clients: tuple[ClientSettings, ...] = ()


def read_proxy(table: Table) -> ProxySettings:
    """The settings of the proxy; raises `SettingsError` naming what to change."""
    settings = ProxySettings(
        addresses=tuple(_network(one) for one in table.take("addresses", list)),
        secret=Secret(table.take("secret", str)),
        secret_header=table.take("secret_header", str, "X-Proxy-Secret"),
        certificate_header=table.take("certificate_header", str, "X-Client-Certificate"),
        verified_header=table.take("verified_header", str, "X-Client-Verify"),
        clients=table.take_tables("client", _client),
    )
    table.done()
    if not settings.addresses:
        raise SettingsError(f"{_WHERE}: addresses says from where the proxy connects")
    if not settings.secret.address.startswith(ADDRESSES):
        raise SettingsError(f"{_WHERE}: `secret` is the address of a secret, env:NAME, file:PATH or credential:NAME")
    headers = [settings.secret_header, settings.certificate_header, settings.verified_header]
    names = {one.lower() for one in headers}
    if len(names) < 3 or names & _TAKEN or not all(_HEADER.fullmatch(one) and len(one) <= 64 for one in headers):
        raise SettingsError(f"{_WHERE}: the headers are three different names of letters, digits and `-`")
    if not settings.clients:
        raise SettingsError(f"{_WHERE}: without a [[proxy.client]] no certificate opens anything: leave [proxy] out")
    for what in ("sha256", "subject"):
        said = [getattr(one, what) for one in settings.clients if getattr(one, what)]
        if len(set(said)) != len(said):
            raise SettingsError(f"{_WHERE}: two [[proxy.client]] have the same {what}")
    return settings


def _network(text: object) -> Network:
    try:
        found = ipaddress.ip_network(str(text))
    except ValueError as error:
        raise SettingsError(f"{_WHERE}: {str(text)[:80]!a} is no address and no network") from error
    if found.prefixlen == 0:
        raise SettingsError(f"{_WHERE}: {found} is everybody")
    return found


def _client(table: Table) -> ClientSettings:
    key = table.take("key", str)
    sha256 = table.take("sha256", str, "").replace(":", "").lower()
    subject = table.take("subject", str, "")
    table.done()
    where = f"{SETTINGS_FILE} [[proxy.client]]"
    if not _KEY.fullmatch(key):
        raise SettingsError(
            f"{where}: key is the id of a key (key-…), as `trusted-archive keys list` says, and no secret"
        )
    if bool(sha256) == bool(subject):
        raise SettingsError(f"{where} {key}: write either sha256 or subject")
    if sha256 and not _SHA256.fullmatch(sha256):
        raise SettingsError(f"{where} {key}: sha256 is 64 hexadecimal digits, with colons or without")
    settings = ClientSettings(key, sha256, subject)
    try:
        empty = bool(subject) and not list(settings.name)
    except ValueError as error:
        raise SettingsError(f"{where} {key}: the subject cannot be read; write it as RFC 4514 has it") from error
    if empty:
        raise SettingsError(f"{where} {key}: the subject names nobody")
    return settings
