"""Time-stamps in and beside signatures: mathematics, imprint, trust, and what later stamps prove of earlier ones.

Rules kept here
 * A token's own signature, its imprint and its trust are three answers; none hides another.
 * Newest first (EN 319 102-1 5.6.3.4 steps 4 and 5): an archival time-stamp that is PASSED proves that the tokens
   it covers existed at its genTime, so these are judged as of then. One that was added behind it is not covered.
 * A token that does not fit what it should cover proves nothing (FAILED/HASH_FAILURE); one whose data were not
   given is INDETERMINATE/SIGNED_DATA_NOT_FOUND.
"""

from __future__ import annotations

import hmac
from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from asn1crypto import core, tsp

from archive_core.digests import is_known
from archive_core.findings import Finding, SubIndication, Verdict
from archive_core.ports import TokenAssessment, ValidationData
from signing.examination.cms_reading import CmsError, SignedData, parse_signed_data, signed_by
from signing.examination.documents import Document
from signing.examination.facts import certificate_facts
from signing.examination.material import merged
from signing.examination.mathematics import Mathematics, check_signer
from signing.examination.trust import ExaminationTrust
from signing.examination.values import (
    NOT_LOOKED_UP,
    CertificateFacts,
    QualifiedStatus,
    Reference,
    TimestampExamination,
    TimestampKind,
)
from signing.judgement import PARSER_ERRORS
from signing.signature_math import UnsupportedAlgorithmError, digest_name
from signing.tst_info import parse_gen_time

ARCHIVAL = (TimestampKind.ARCHIVE, TimestampKind.DOCUMENT, TimestampKind.CONTAINER)
"""Kinds that cover the tokens before them."""
PROVING = (TimestampKind.SIGNATURE, TimestampKind.REFERENCES, *ARCHIVAL)
"""Kinds that prove that a signature existed; a content time-stamp is older than the signature, and references to
validation data are the same for another signature with the same key."""

Imprints = Callable[[str], Iterable[bytes]]
"""The digests that fit, for a digest algorithm; none when the data were not found."""


@dataclass(frozen=True)
class Stamp:
    """A token in its place. `imprints`: what it should cover. `references` are further ones that belong to it
    (entries of an ats-hash-index). `covers` says in words what it covers, `protects` which time-stamps (by their ids)
    an archival one covers: None for every older one."""

    id: str
    kind: TimestampKind
    token: bytes
    imprints: Imprints
    covers: str = ""
    references: tuple[Reference, ...] = ()
    findings: tuple[Finding, ...] = ()
    protects: frozenset[str] | None = None


@dataclass(frozen=True)
class _Read:
    """A token as far as it could be read without judging it."""

    stamp: Stamp
    intact: bool
    gen_time: datetime | None = None
    reference: Reference = field(default_factory=lambda: Reference("message-imprint", False, False))
    signer: CertificateFacts | None = None
    chain: tuple[bytes, ...] = ()


def examine_stamps(
    stamps: Sequence[Stamp], *, trust: ExaminationTrust, at: datetime, data: ValidationData | None = None
) -> tuple[TimestampExamination, ...]:
    """Every time-stamp, in the order given. `data` is validation material around them."""
    read = [_read(stamp, trust) for stamp in stamps]
    found: dict[str, TimestampExamination] = {}
    good: list[tuple[Stamp, datetime]] = []
    newest_first = sorted(read, key=lambda one: one.gen_time or at, reverse=True)
    for one in newest_first:
        proven = (time for stamp, time in good if stamp.protects is None or one.stamp.id in stamp.protects)
        examined = _judged(one, trust, min(proven, default=at), data)
        found[one.stamp.id] = examined
        if one.stamp.kind in ARCHIVAL and examined.verdict is Verdict.PASSED and one.gen_time is not None:
            good.append((one.stamp, min(at, one.gen_time)))
    return tuple(found[stamp.id] for stamp in stamps)


def proven_time(timestamps: Iterable[TimestampExamination]) -> datetime | None:
    """The best-signature-time: the earliest genTime of a good time-stamp over the signature (EN 319 102-1 5.5.4)."""
    times = (one.gen_time for one in timestamps if one.kind in PROVING and one.verdict is Verdict.PASSED)
    return min((time for time in times if time is not None), default=None)


def read_token(token: bytes) -> SignedData:
    """A TimeStampToken, or the one in a TimeStampResp; raises `CmsError`."""
    try:
        return parse_signed_data(token)
    except CmsError as error:
        try:
            response = tsp.TimeStampResp.load(token, strict=True)
            inner = response["time_stamp_token"]
            if isinstance(inner, core.Void):
                raise CmsError("the response holds no token")
            return parse_signed_data(inner.dump())
        except PARSER_ERRORS:
            raise error from None


def _read(stamp: Stamp, trust: ExaminationTrust) -> _Read:
    try:
        message = parse_signed_data(stamp.token)
    except CmsError:
        return _Read(stamp, intact=False)
    mathematics = _token_mathematics(message, trust)
    intact = mathematics is not None and mathematics.value_intact is True and mathematics.references[0].intact
    intact = intact and (mathematics is None or mathematics.failure is None or _harmless(mathematics))
    gen_time, reference = _imprint(message, stamp)
    certificate = mathematics.certificate if mathematics else None
    signer = certificate_facts(certificate) if certificate is not None else None
    others = [one.dump() for one in message.certificates if one is not certificate]
    chain = (certificate.dump(), *others) if certificate is not None else ()
    return _Read(stamp, intact, gen_time, reference, signer, chain)


def _harmless(mathematics: Mathematics) -> bool:
    """Trust says the rest (a certificate named wrongly); the mathematics holds."""
    return mathematics.failure is not None and mathematics.failure.verdict is not Verdict.FAILED


def _token_mathematics(message: SignedData, trust: ExaminationTrust) -> Mathematics | None:
    if len(message.signers) != 1 or message.content is None:
        return None
    more = trust.candidates(*signed_by(message))
    return check_signer(message.signers[0], message, Document("TSTInfo", message.content), more=more)


def _imprint(message: SignedData, stamp: Stamp) -> tuple[datetime | None, Reference]:
    name = "message-imprint"
    try:
        info = tsp.TSTInfo.load(message.content or b"", strict=True)
        gen_time = parse_gen_time(info["gen_time"].contents)
    except PARSER_ERRORS:
        return None, Reference(name, found=False, intact=False)
    try:
        algorithm = digest_name(info["message_imprint"]["hash_algorithm"])
        stated = info["message_imprint"]["hashed_message"].native
        fitting = list(stamp.imprints(algorithm)) if is_known(algorithm) else []
    except (UnsupportedAlgorithmError, *PARSER_ERRORS) as error:
        return gen_time, Reference(name, found=False, intact=False, algorithm=str(error)[:80])
    intact = any(hmac.compare_digest(stated, one) for one in fitting)
    return gen_time, Reference(name, found=bool(fitting), intact=intact, algorithm=algorithm)


def _judged(read: _Read, trust: ExaminationTrust, at: datetime, data: ValidationData | None) -> TimestampExamination:
    stamp = read.stamp
    assessment = trust.tokens.assess(stamp.token, at=at, data=data)
    references = (read.reference, *stamp.references)
    verdict, sub, message = _verdict(assessment, references)
    if verdict is Verdict.PASSED and not read.intact:  # two readers disagree: never call that good
        verdict, sub, message = Verdict.FAILED, SubIndication.SIG_CRYPTO_FAILURE, "the token is not intact"
    gen_time = assessment.gen_time or read.gen_time
    if read.chain:
        around = ValidationData(read.chain) if data is None else merged(ValidationData(read.chain), data)
        trust.note(read.chain[0], around, satisfied=assessment.verdict is Verdict.PASSED)
    return TimestampExamination(
        stamp.id,
        stamp.kind,
        verdict,
        sub,
        message,
        read.intact,
        references,
        gen_time=gen_time,
        signer=read.signer,
        imprint_algorithm=read.reference.algorithm,
        qualified=_qualified(read, trust, gen_time),
        covers=stamp.covers,
        findings=(*assessment.findings, *stamp.findings),
    )


def _verdict(
    assessment: TokenAssessment, references: Collection[Reference]
) -> tuple[Verdict, SubIndication | None, str]:
    if any(one.found and not one.intact for one in references):
        return Verdict.FAILED, SubIndication.HASH_FAILURE, "the time-stamp does not fit what it should cover"
    if assessment.verdict is Verdict.FAILED:
        return assessment.verdict, assessment.sub_indication, assessment.message
    if any(not one.found for one in references):
        text = "what the time-stamp covers was not found"
        return Verdict.INDETERMINATE, SubIndication.SIGNED_DATA_NOT_FOUND, text
    return assessment.verdict, assessment.sub_indication, assessment.message


def _qualified(read: _Read, trust: ExaminationTrust, gen_time: datetime | None) -> QualifiedStatus:
    if trust.lists is None or not read.chain or gen_time is None:
        return NOT_LOOKED_UP
    return trust.lists.timestamp_status(read.chain, at=gen_time)
