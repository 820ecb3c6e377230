"""PDF signature encodings of before PAdES that are no CMS over the file (ISO 32000-2 12.8.3, deprecated)."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from archive_core.findings import SubIndication, Verdict
from signing.certificates import load_certificate
from signing.examination.facts import certificate_facts
from signing.examination.values import Reference, SignatureExamination, SignatureFormat

PKCS7_SHA1 = "adbe.pkcs7.sha1"
RSA_SHA1 = "adbe.x509.rsa_sha1"


def not_judged(place: str, certificates: Sequence[bytes], claimed: datetime | None) -> SignatureExamination:
    """A signature in the encoding `adbe.x509.rsa_sha1`, named and not judged: SHA-1 alone proves nothing today."""
    signer = None
    for der in certificates[:1]:
        try:
            signer = certificate_facts(load_certificate(der))
        except ValueError:
            continue
    return SignatureExamination(
        place,
        SignatureFormat.PKCS7_PDF,
        Verdict.INDETERMINATE,
        SubIndication.UNSUPPORTED,
        f"not examined: the encoding {RSA_SHA1}",
        None,
        (Reference("ByteRange", found=True, intact=False, algorithm="sha1"),),
        signer=signer,
        claimed_time=claimed,
        signature_algorithm="rsa-pkcs1v15",
        digest_algorithm="sha1",
    )
