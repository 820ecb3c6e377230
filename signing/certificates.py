"""X.509 certificates as this package reads them: eagerly, so that nothing malformed surfaces later.

A thread reads a certificate that it has met lately once: the tokens of one authority hold the same few.
"""

from __future__ import annotations

from asn1crypto import x509

from signing.judgement import PARSER_ERRORS
from signing.lately import Lately

_VERSIONS = ("v1", "v2", "v3")


def load_certificate(der: bytes) -> x509.Certificate:
    """A certificate, parsed eagerly; raises ValueError."""
    return _lately(der)


def is_readable(der: bytes) -> bool:
    """Whether this is a certificate that `load_certificate` takes."""
    try:
        load_certificate(der)
    except ValueError:
        return False
    return True


def _read(der: bytes) -> x509.Certificate:
    try:
        certificate = x509.Certificate.load(der, strict=True)
        body = certificate["tbs_certificate"]
        _keep_octets(certificate)
        _keep_octets(body)
        if body["version"].native not in _VERSIONS:
            raise ValueError("its version is none of X.509's")
        for field in ("serial_number", "issuer", "subject", "validity"):
            _ = body[field].native
        for name in (certificate.issuer, certificate.subject):
            _ = name.hashable  # paths are built by comparing prepared strings, and a value need not be text
        _ = certificate.public_key.native
        _ = certificate.critical_extensions
        _ = certificate["signature_value"].native
    except PARSER_ERRORS as error:
        raise ValueError(f"not a certificate that can be read: {error}") from error
    return certificate


def _keep_octets(value: x509.Certificate | x509.TbsCertificate) -> None:
    """asn1crypto takes a definite length that ends in octet 0x80 for the indefinite form, and would give back newly
    encoded octets instead of those that were signed."""
    header = value._header
    if header is not None and header[-1:] == b"\x80" and header[1:2] != b"\x80":
        octets = header + value.contents
        value.dump = lambda force=False: octets


_lately = Lately(_read, 64)


def name_of(certificate: x509.Certificate) -> str:
    """What to call a certificate in messages: its subject's common name, else the whole name."""
    subject = certificate.subject
    common = subject.native.get("common_name")
    return common if isinstance(common, str) else str(subject.human_friendly)


def same_name(one: x509.Name, other: x509.Name) -> bool:
    """Whether two distinguished names are the same (RFC 5280 7.1). Most are the same octets, which is soon known;
    preparing their strings for comparison takes longer than a signature. One that cannot be read (in a revocation list,
    for example, whose parts are read when they are asked for) is the same as none."""
    try:
        # a dump may begin with a context tag
        return bool(one.chosen.contents == other.chosen.contents or one == other)
    except PARSER_ERRORS:
        return False
