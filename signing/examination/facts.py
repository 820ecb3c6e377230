"""What a certificate says of itself, in the words of a report."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from datetime import datetime

from asn1crypto import x509

from signing.certificates import name_of
from signing.examination.values import CertificateFacts
from signing.judgement import PARSER_ERRORS

_LONGEST = 1_000
"""Characters of a name that a report repeats; what comes from outside is not repeated without end."""


def certificate_facts(certificate: x509.Certificate) -> CertificateFacts:
    """Never raises: what cannot be read is told as "unreadable"."""
    return CertificateFacts(
        name=_text(lambda: name_of(certificate)),
        subject=_text(lambda: certificate.subject.human_friendly),
        issuer=_text(lambda: certificate.issuer.human_friendly),
        serial_number=_text(lambda: str(certificate.serial_number)),
        not_before=_time(lambda: certificate.not_valid_before),
        not_after=_time(lambda: certificate.not_valid_after),
        sha256=hashlib.sha256(certificate.dump()).hexdigest(),
    )


def _text(read: Callable[[], object]) -> str:
    try:
        return str(read())[:_LONGEST]
    except PARSER_ERRORS:
        return "unreadable"


def _time(read: Callable[[], object]) -> datetime | None:
    try:
        found = read()
    except PARSER_ERRORS:
        return None
    return found if isinstance(found, datetime) else None
