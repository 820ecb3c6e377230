"""X.509 certificates as this package reads them: eagerly, so that nothing malformed surfaces later."""

from __future__ import annotations

from asn1crypto import x509


def load_certificate(der: bytes) -> x509.Certificate:
    """A certificate, parsed eagerly; raises ValueError."""
    certificate = x509.Certificate.load(der, strict=True)
    body = certificate["tbs_certificate"]
    for name in ("serial_number", "issuer", "subject", "validity"):
        _ = body[name].native
    _ = certificate.public_key["algorithm"]["algorithm"].dotted
    _ = certificate.critical_extensions
    _ = certificate["signature_value"].native
    return certificate


def name_of(certificate: x509.Certificate) -> str:
    """What to call a certificate in messages: its subject's common name, else the whole name."""
    subject = certificate.subject
    common = subject.native.get("common_name")
    return common if isinstance(common, str) else str(subject.human_friendly)
