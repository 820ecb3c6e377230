"""X.509 certificates as this package reads them: eagerly, so that nothing malformed surfaces later."""

from __future__ import annotations

from asn1crypto import x509

from signing.judgement import PARSER_ERRORS


def load_certificate(der: bytes) -> x509.Certificate:
    """A certificate, parsed eagerly; raises ValueError."""
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
