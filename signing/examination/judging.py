"""From what mathematics and time-stamps found to a verdict (EN 319 102-1 5.3, 5.5, 5.6).

Rules kept here, in this order
 1. What is broken is FAILED, whatever else is missing: format, digests, value.
 2. Without the signed data or the signer's certificate: INDETERMINATE, and which.
 3. A path from the certificate to a trust anchor, revocation, algorithms, as of the instant of judgement with the
    best-signature-time as the time of signing (5.5.4); without a good time-stamp nothing is known about when the
    signature was made, so revoked or expired is INDETERMINATE/…_NO_POE and not FAILED (5.3.4).
 4. Where that fails for reasons of time alone and a good time-stamp proves the signature, the same is judged as of
    the best-signature-time (5.6.2.4, past signature validation).
 * An instant at which somebody trusted is known to have held the document (`ExaminationTrust.existed`) proves that the
   signature existed, like a time-stamp. Neither shows that a signature is younger than a revocation.
 * Only a content time-stamp after expiry or revocation turns these into FAILED (5.3.4 step 3): it shows that.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime

from asn1crypto import x509

from archive_core.findings import Finding, SubIndication, Verdict, utc_text
from archive_core.ports import ValidationData
from signing.certificate_path import TrustedPath
from signing.examination.material import chain_of, missing_material
from signing.examination.stamping import proven_time
from signing.examination.trust import ExaminationTrust
from signing.examination.values import (
    NOT_LOOKED_UP,
    MissingMaterial,
    QualifiedStatus,
    Reference,
    TimestampExamination,
    TimestampKind,
)
from signing.judgement import Judgement, reading
from signing.suitability import UsedSignature, check_algorithms

_SLIDING = frozenset(
    {
        SubIndication.OUT_OF_BOUNDS_NO_POE,
        SubIndication.REVOKED_NO_POE,
        SubIndication.REVOKED_CA_NO_POE,
        SubIndication.REVOCATION_OUT_OF_BOUNDS_NO_POE,
        SubIndication.CRYPTO_CONSTRAINTS_FAILURE_NO_POE,
        SubIndication.TRY_LATER,
    }
)
"""What a proof of existence can mend (EN 319 102-1 5.6.2.4)."""

_BEFORE = ", before it signed"
"""What `signing.revocation` says where the time of signing is known."""


@dataclass(frozen=True)
class Facts:
    """What is known of one signature before trust is asked.

    `failure`: what mathematics and format found wrong, the gravest. `references`: as in `SignatureExamination`.
    `material`: certificates and revocation data in and around the signature. `used` and `digests`: what the
    signature itself rests on. `existence` is the earliest time that a good evidence record proves (5.6.3.4 step 1).
    """

    failure: Judgement | None
    references: tuple[Reference, ...]
    certificate: x509.Certificate | None
    used: UsedSignature | None
    digests: tuple[str, ...]
    material: ValidationData
    timestamps: tuple[TimestampExamination, ...] = ()
    existence: datetime | None = None


@dataclass(frozen=True)
class Conclusion:
    verdict: Verdict
    sub_indication: SubIndication | None
    message: str
    proven_time: datetime | None = None
    test_trust: bool = False
    qualified: QualifiedStatus = NOT_LOOKED_UP
    missing: tuple[MissingMaterial, ...] = ()
    findings: tuple[Finding, ...] = ()


def conclude(facts: Facts, *, trust: ExaminationTrust, at: datetime) -> Conclusion:
    """The verdict of one signature as of `at`."""
    stamped = min(filter(None, (proven_time(facts.timestamps), facts.existence)), default=None)
    proven = min((time for time in (stamped, trust.existed) if time is not None), default=None)
    told = stamped if trust.existed is None or (stamped or at) <= trust.existed else trust.existed
    broken = _broken(facts)
    if broken is not None:
        return Conclusion(broken.verdict, broken.sub_indication, broken.message, told)
    assert facts.certificate is not None
    chain = chain_of(facts.certificate, facts.material, trust)
    missing = missing_material(chain, facts.material, trust)
    qualified = _qualified(chain, trust, proven or at)
    try:
        path, findings = _trusted(facts, trust, at, proven, stamped)
    except Judgement as judgement:
        trust.note(facts.certificate.dump(), facts.material, satisfied=False)
        verdict, sub = judgement.verdict, judgement.sub_indication
        return Conclusion(verdict, sub, judgement.message, told, qualified=qualified, missing=missing)
    trust.note(facts.certificate.dump(), facts.material, satisfied=True)
    return Conclusion(
        Verdict.PASSED,
        None,
        "intact, and trusted",
        told,
        test_trust=path.test_trust,
        qualified=qualified,
        findings=findings,
    )


def _broken(facts: Facts) -> Judgement | None:
    if facts.failure is not None and facts.failure.verdict is Verdict.FAILED:
        return facts.failure
    if facts.failure is not None and facts.failure.sub_indication is SubIndication.UNSUPPORTED:
        return facts.failure  # then no digest was compared
    if any(one.found and not one.intact for one in facts.references):
        return Judgement(Verdict.FAILED, SubIndication.HASH_FAILURE, "signed data were changed")
    if facts.failure is not None:
        return facts.failure
    if not facts.references or any(not one.found for one in facts.references):
        text = "the signed data were not found"
        return Judgement(Verdict.INDETERMINATE, SubIndication.SIGNED_DATA_NOT_FOUND, text)
    if facts.certificate is None:
        text = "the signer's certificate is neither inside nor given"
        return Judgement(Verdict.INDETERMINATE, SubIndication.NO_SIGNING_CERTIFICATE_FOUND, text)
    return None


def _trusted(
    facts: Facts, trust: ExaminationTrust, at: datetime, proven: datetime | None, stamped: datetime | None
) -> tuple[TrustedPath, tuple[Finding, ...]]:
    """Rules 3 and 4; raises `Judgement`. `stamped` is what time-stamps alone prove."""
    _check_purpose(facts.certificate)
    _check_against_proof(facts.certificate, proven)
    try:
        return _path(facts, trust, signed=proven or at, at=at)
    except Judgement as judgement:
        now = _softened(judgement, facts, trust, stamped, at)
        if proven is None or now.sub_indication not in _SLIDING:
            raise now from None
    try:
        path, findings = _path(facts, trust, signed=proven, at=proven)
    except Judgement as then:
        softened = _softened(then, facts, trust, stamped, at)
        raise (softened if softened.verdict is Verdict.FAILED else now) from None
    text = f"judged as of {utc_text(proven)}, which a time-stamp proves: {now.message}"
    return path, (*findings, Finding("PAST_VALIDATION", text, clause="EN 319 102-1 5.6.2.4"))


def _path(
    facts: Facts, trust: ExaminationTrust, *, signed: datetime, at: datetime
) -> tuple[TrustedPath, tuple[Finding, ...]]:
    assert facts.certificate is not None
    path, findings = trust.paths.path(
        facts.certificate,
        inside=facts.material,
        data=None,
        table=trust.algorithms,
        signed=signed,
        at=at,
        strict=trust.strict,
    )
    own = (facts.used,) if facts.used is not None else ()
    with reading("the algorithms"):
        check_algorithms(trust.algorithms, (*own, *path.used), facts.digests, used=signed, at=at)
    return path, findings


def _softened(
    judgement: Judgement, facts: Facts, trust: ExaminationTrust, stamped: datetime | None, at: datetime
) -> Judgement:
    """Revoked or expired is FAILED only where something shows that the signature is younger (5.3.4, 5.5.4): a
    time-stamp over it shows only that it is not younger than that."""
    if judgement.sub_indication is SubIndication.REVOKED:
        after = _content_time(facts.timestamps)
        if after is None or not _was_revoked(facts, trust, after, at):
            text = f"{judgement.message.removesuffix(_BEFORE)}, and nothing shows when the signature was made"
            return Judgement(Verdict.INDETERMINATE, SubIndication.REVOKED_NO_POE, text)
    if judgement.sub_indication is SubIndication.OUT_OF_BOUNDS_NO_POE and facts.certificate is not None:
        after = _content_time(facts.timestamps)
        if after is not None and after > facts.certificate.not_valid_after:
            text = f"{judgement.message}; a content time-stamp shows that the signature is younger"
            return Judgement(Verdict.FAILED, SubIndication.EXPIRED, text)
    if judgement.sub_indication is SubIndication.CRYPTO_CONSTRAINTS_FAILURE and stamped is None:
        return Judgement(Verdict.INDETERMINATE, SubIndication.CRYPTO_CONSTRAINTS_FAILURE_NO_POE, judgement.message)
    return judgement


def _was_revoked(facts: Facts, trust: ExaminationTrust, then: datetime, at: datetime) -> bool:
    """Whether the signer's certificate was revoked at or before an instant."""
    try:
        _path(facts, trust, signed=then, at=at)
    except Judgement as judgement:
        return judgement.sub_indication is SubIndication.REVOKED
    return False


def _content_time(timestamps: Iterable[TimestampExamination]) -> datetime | None:
    """The latest genTime of a good content time-stamp: the signature is not older."""
    good = (one for one in timestamps if one.kind is TimestampKind.CONTENT and one.verdict is Verdict.PASSED)
    return max((one.gen_time for one in good if one.gen_time is not None), default=None)


def _check_against_proof(certificate: x509.Certificate | None, proven: datetime | None) -> None:
    """EN 319 102-1 5.5.4 step 5: a signature older than its certificate is not of it."""
    if certificate is None or proven is None:
        return
    start: datetime = certificate.not_valid_before
    if proven < start:
        text = f"the signature existed at {utc_text(proven)}, before its certificate began at {utc_text(start)}"
        raise Judgement(Verdict.FAILED, SubIndication.NOT_YET_VALID, text)


def _check_purpose(certificate: x509.Certificate | None) -> None:
    assert certificate is not None
    with reading("the signer's key usage"):
        usage = certificate.key_usage_value
        allowed = usage is None or bool({"digital_signature", "non_repudiation"} & usage.native)
    if not allowed:
        text = "the signer's key usage allows no signatures (RFC 5280 4.2.1.3)"
        raise Judgement(Verdict.INDETERMINATE, SubIndication.CHAIN_CONSTRAINTS_FAILURE, text)


def _qualified(chain: Sequence[x509.Certificate], trust: ExaminationTrust, at: datetime) -> QualifiedStatus:
    if trust.lists is None:
        return NOT_LOOKED_UP
    return trust.lists.signature_status([one.dump() for one in chain], at=at)
