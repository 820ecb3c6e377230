"""Who comes with a client certificate, on the word of the proxy that the settings name.

Rules kept here
 * Nobody's word is taken unless it comes from an address of the settings *and* with the secret that the settings name.
   A header of the proxy's from anybody else is an attempt, and refused, whatever else the request has.
 * The proxy says that the certificate is good; its bytes say whose it is and that it is within its days.
 * A certificate stands for a key of the archive. It opens nothing that the key would not: one that was revoked or has
   ended opens nothing. With an `Authorization` the key in that counts, and the certificate only opened the door of TLS.
 * A browser sends a certificate without being asked by whom: what another site makes it send is refused.
 * Refusals have names (`facts["reason"]`); none repeats what was presented.
"""

from __future__ import annotations

import hmac
import ipaddress
from datetime import datetime
from pathlib import Path
from typing import Protocol
from urllib.parse import unquote_to_bytes

from cryptography import x509
from cryptography.hazmat.primitives.hashes import SHA256

from api.settings_proxy import ProxySettings
from archive_core.errors import CertificateRefusedError, SettingsError

MAX_HEADER = 16 * 1024
"""Characters of a certificate in percent-encoding that are looked at."""
MIN_SECRET = 32
UNREADABLE = (ValueError, TypeError, x509.InvalidVersion)
"""What the parser says of octets that it does not understand; some of it only when a field is asked for."""

VERIFIED, NO_CERTIFICATE = "SUCCESS", "NONE"


class Headers(Protocol):
    """What a request says, by name."""

    def get(self, name: str, /) -> str | None: ...


class ClientCertificates:
    """Certificates to keys, by what a request says."""

    def __init__(self, settings: ProxySettings, secret: str) -> None:
        self._settings = settings
        self._secret = secret.encode()
        self._by_sha256 = {one.sha256: one.key for one in settings.clients if one.sha256}
        self._by_subject = {one.name: one.key for one in settings.clients if one.subject}

    @classmethod
    def under(cls, settings: ProxySettings | None, home: Path) -> ClientCertificates | None:
        """None when the settings name no proxy; raises `SettingsError` when its secret is none."""
        if settings is None:
            return None
        secret = settings.secret.reveal(home)
        if len(secret) < MIN_SECRET:
            raise SettingsError(f"the secret of [proxy] has fewer than {MIN_SECRET} characters")
        return cls(settings, secret)

    def key_id(self, headers: Headers, peer: str | None, *, at: datetime) -> str | None:
        """The key that the client's certificate stands for: None without a certificate, empty for one that stands for
        none. Raises `CertificateRefusedError` for what is not to be believed."""
        settings = self._settings
        said = {name: headers.get(name) for name in (settings.certificate_header, settings.verified_header)}
        shown = headers.get(settings.secret_header)
        if shown is None and not any(one is not None for one in said.values()):
            return None
        if not self._is_proxy(peer):
            raise _refused("proxy", f"a header of the proxy's came from {peer or 'nowhere'}, which is none")
        if shown is None or not hmac.compare_digest(shown.encode("utf-8", "replace"), self._secret):
            raise _refused("secret", f"who sends the proxy's headers from {peer} does not have its secret")
        verified, text = said[settings.verified_header] or "", said[settings.certificate_header] or ""
        if verified in ("", NO_CERTIFICATE) and not text:
            return None
        if verified != VERIFIED:
            raise _refused("not-verified", "the proxy did not find the certificate good")
        sha256, subject, begins, ends = _read(text)
        if not begins <= at <= ends:
            raise _refused("expired", "the certificate has ended, or has not begun")
        return self._by_sha256.get(sha256) or self._by_subject.get(subject, "")

    def _is_proxy(self, peer: str | None) -> bool:
        try:
            address = ipaddress.ip_address(peer or "")
        except ValueError:
            return False
        if isinstance(address, ipaddress.IPv6Address) and address.ipv4_mapped is not None:
            address = address.ipv4_mapped
        return any(address in network for network in self._settings.addresses)


def verify_own_site(headers: Headers) -> None:
    """Raises `CertificateRefusedError` for a request that a browser makes because another site told it to."""
    if headers.get("Origin") is not None or headers.get("Sec-Fetch-Site") not in (None, "none", "same-origin"):
        raise _refused("browser", "a certificate does not speak for what another site asks for")


def _read(text: str) -> tuple[str, x509.Name, datetime, datetime]:
    """SHA-256, subject, first and last instant of a certificate."""
    if len(text) > MAX_HEADER:
        raise _refused("malformed", "the certificate is too long")
    try:
        read = x509.load_pem_x509_certificate(unquote_to_bytes(text))
        return read.fingerprint(SHA256()).hex(), read.subject, read.not_valid_before_utc, read.not_valid_after_utc
    except UNREADABLE:
        raise _refused("malformed", "the header of the proxy's holds no certificate") from None


def _refused(reason: str, message: str) -> CertificateRefusedError:
    return CertificateRefusedError(message, reason=reason)
