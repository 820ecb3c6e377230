"""X.509 certificates as this package reads them: eagerly, so that nothing malformed surfaces later.

A thread reads a certificate that it has met lately once: the tokens of one authority hold the same few. Threads do not
share them, because asn1crypto goes on parsing what it is asked for.
"""

from __future__ import annotations

from collections import OrderedDict
from threading import local

from asn1crypto import x509

from signing.judgement import PARSER_ERRORS

_REMEMBERED = 64
_REMEMBERED_BYTES = 64 * 1024
"""Larger certificates are read each time, so that what is remembered stays small."""


class _Met(local):
    """The certificates that a thread has met lately, by their DER."""

    def __init__(self) -> None:
        self.certificates: OrderedDict[bytes, x509.Certificate] = OrderedDict()


_met = _Met()


def load_certificate(der: bytes) -> x509.Certificate:
    """A certificate, parsed eagerly; raises ValueError."""
    known = _met.certificates
    if der in known:
        known.move_to_end(der)
        return known[der]
    certificate = _read(der)
    if len(der) <= _REMEMBERED_BYTES:
        known[der] = certificate
        while len(known) > _REMEMBERED:
            known.popitem(last=False)
    return certificate


def _read(der: bytes) -> x509.Certificate:
    try:
        certificate = x509.Certificate.load(der, strict=True)
        body = certificate["tbs_certificate"]
        for name in ("serial_number", "issuer", "subject", "validity"):
            _ = body[name].native
        _ = certificate.public_key.native
        _ = certificate.critical_extensions
        _ = certificate["signature_value"].native
    except PARSER_ERRORS as error:
        raise ValueError(f"not a certificate that can be read: {error}") from error
    return certificate


def name_of(certificate: x509.Certificate) -> str:
    """What to call a certificate in messages: its subject's common name, else the whole name."""
    subject = certificate.subject
    common = subject.native.get("common_name")
    return common if isinstance(common, str) else str(subject.human_friendly)


def same_name(one: x509.Name, other: x509.Name) -> bool:
    """Whether two distinguished names are the same (RFC 5280 7.1). Most are the same octets, which is soon known;
    preparing their strings for comparison takes longer than a signature."""
    return bool(one.dump() == other.dump() or one == other)
