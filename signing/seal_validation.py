"""Judging a detached CAdES seal over given bytes (EN 319 122-1; EN 319 102-1 5.3).

Part of the offline verifier: no network, no pyHanko, no settings.

Rules kept here
 * The seal is detached, over id-data, with one signer named by ESSCertID(v2).
 * Validity and revocation are judged at the caller's `at`: for a seal under evidence that is the
   proof-of-existence time, when it existed. The claimed signing time decides nothing.
 * Revocation data must not be older than `at`, or be current then.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import replace
from datetime import datetime

from asn1crypto import x509

from archive_core.findings import SubIndication, Verdict
from archive_core.ports import SealAssessment, ValidationData
from signing.certificate_path import Trust, TrustedPath
from signing.certificates import load_certificate, name_of
from signing.cms import OID_DATA, check_signed_message, parse_signed_message
from signing.judgement import PARSER_ERRORS, Judgement, malformed, reading
from signing.suitability import Algorithms, check_algorithms


class AnchoredVerifier:
    """Judges seals against given trust anchors (DER certificates); see `TokenValidator`."""

    def __init__(
        self,
        trust_anchors: Sequence[bytes],
        *,
        algorithms: Algorithms,
        test_anchors: Collection[bytes] = (),
        extra: ValidationData | None = None,
    ) -> None:
        self._trust = Trust(trust_anchors, test_anchors, extra)
        self._algorithms = algorithms


class SealVerifier(AnchoredVerifier):
    """A `SealValidator` for CAdES."""

    def assess_seal(
        self, seal: bytes, content: bytes, *, at: datetime, data: ValidationData | None = None
    ) -> SealAssessment:
        known = SealAssessment(Verdict.FAILED, None, "")
        try:
            message = parse_signed_message(seal)
            if message.content_type != OID_DATA or message.content is not None:
                raise malformed("not a detached signature over id-data")
            more = _certificates(data) + _certificates(self._trust.extra)
            signature = check_signed_message(message, content, more_certificates=more)
            known = replace(known, signer=name_of(signature.certificate))
            with reading("the signer's certificate"):
                check_purpose(signature.certificate)
            inside = ValidationData(tuple(c.dump() for c in message.certificates), message.crls, message.ocsps)
            path, _ = self._trust.path(
                signature.certificate, inside=inside, data=data, table=self._algorithms, signed=at, at=at
            )
            own = (message.signer["signature_algorithm"], signature.certificate.public_key)
            self._check_algorithms(path, own, signature.digest, at)
        except Judgement as judgement:
            return refused(known, judgement)
        return trusted(known, path)

    def _check_algorithms(self, path: TrustedPath, own: tuple[object, object], digest: str, at: datetime) -> None:
        with reading("the algorithms"):
            check_algorithms(self._algorithms, (own, *path.used), (digest,), used=at, at=at)


def refused(known: SealAssessment, judgement: Judgement) -> SealAssessment:
    """What was known of a seal when it was decided against it."""
    return replace(known, verdict=judgement.verdict, sub_indication=judgement.sub_indication, message=judgement.message)


def trusted(known: SealAssessment, path: TrustedPath) -> SealAssessment:
    """What is known of a seal that is intact and whose signer has a path."""
    anchor = name_of(path.certificates[-1])
    return replace(
        known, verdict=Verdict.PASSED, message=f"intact, and trusted through {anchor}", test_trust=path.test_trust
    )


def _certificates(data: ValidationData | None) -> list[x509.Certificate]:
    found: list[x509.Certificate] = []
    for der in data.certificates if data else ():
        try:
            found.append(load_certificate(der))
        except PARSER_ERRORS:
            continue  # reported as a finding where the path is built
    return found


def check_purpose(certificate: x509.Certificate) -> None:
    """Raises `Judgement` unless its key usage, where there is one, allows signatures (RFC 5280 4.2.1.3)."""
    usage = certificate.key_usage_value
    if usage is not None and not {"digital_signature", "non_repudiation"} & usage.native:
        raise Judgement(
            Verdict.FAILED, SubIndication.SIG_CONSTRAINTS_FAILURE, "the signer's key usage allows no signatures"
        )
