"""How a service is reached over HTTP: TLS with a private authority or a client certificate, passwords, proxies.

Rules kept here
 * Everything is said by the settings: nothing is taken from the environment.
 * A private bundle of certificates replaces the system's roots and is not added to them.
 * A client's key never touches a disk in the clear: OpenSSL is given it through memory, encrypted under a
   password that lives as long as that call.
 * No secret is in a representation, and none in a message.
"""

from __future__ import annotations

import contextlib
import os
import secrets
import ssl
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass, field

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.serialization import pkcs12

from archive_core.errors import SettingsError

PEM = serialization.Encoding.PEM


@dataclass(frozen=True, slots=True)
class Connection:
    """How to reach one service. `timeout` is seconds for connecting, and again for an exchange; `credentials` are
    (user, password) for HTTP Basic, `proxy` is `http://HOST:PORT`."""

    timeout: float = 20.0
    tls: ssl.SSLContext | None = field(default=None, repr=False)
    credentials: tuple[str, str] | None = field(default=None, repr=False)
    proxy: str | None = None
    proxy_credentials: tuple[str, str] | None = field(default=None, repr=False)


def tls_context(
    *, authorities: bytes | None = None, client: bytes | None = None, password: str | None = None, what: str = "TLS"
) -> ssl.SSLContext:
    """TLS of at least version 1.2 that checks the server. `authorities` (PEM) replace the system's roots; `client` is
    PKCS#12, or PEM with key and certificates. Raises `SettingsError` naming `what` it is for."""
    try:
        context = ssl.create_default_context(cadata=authorities.decode("ascii") if authorities is not None else None)
    except (ssl.SSLError, ValueError) as error:
        raise SettingsError(f"{what}: the bundle of certificates cannot be used: {error}") from error
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    if client is not None:
        _present(context, client, password, what)
    return context


def _present(context: ssl.SSLContext, client: bytes, password: str | None, what: str) -> None:
    try:
        key, certificates = _identity(client, password.encode("utf-8") if password is not None else None)
    except (ValueError, TypeError, UnsupportedAlgorithm) as error:
        raise SettingsError(
            f"{what}: the client's key and certificate cannot be read: wrong password, or neither PKCS#12 nor PEM"
        ) from error
    once = secrets.token_hex(32)
    encrypted = key.private_bytes(  # type: ignore[attr-defined]
        PEM, serialization.PrivateFormat.PKCS8, serialization.BestAvailableEncryption(once.encode("ascii"))
    )
    with _in_memory(encrypted + b"".join(one.public_bytes(PEM) for one in certificates)) as path:
        try:
            context.load_cert_chain(path, password=once)
        except ssl.SSLError as error:
            raise SettingsError(f"{what}: the client's key does not belong to its certificate: {error}") from error


def _identity(octets: bytes, password: bytes | None) -> tuple[object, list[x509.Certificate]]:
    """The key, and its certificate with those above it."""
    if b"-----BEGIN" in octets:
        return serialization.load_pem_private_key(octets, password), x509.load_pem_x509_certificates(octets)
    bag = pkcs12.load_pkcs12(octets, password)
    if bag.key is None or bag.cert is None:
        raise ValueError("no key with its certificate inside")
    return bag.key, [bag.cert.certificate, *(one.certificate for one in bag.additional_certs)]


@contextlib.contextmanager
def _in_memory(octets: bytes) -> Iterator[str]:
    """A path that leads to these bytes for the length of the block; on Linux they are on no disk."""
    if hasattr(os, "memfd_create"):
        descriptor = os.memfd_create("client", os.MFD_CLOEXEC)
        with os.fdopen(descriptor, "wb", buffering=0) as stream:
            stream.write(octets)
            yield f"/proc/self/fd/{descriptor}"
        return
    with tempfile.NamedTemporaryFile() as stream:  # 0600; what is in it is encrypted
        stream.write(octets)
        stream.flush()
        yield stream.name
