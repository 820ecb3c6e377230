"""Evidence records in and beside signatures, judged by the archive's own verification (RFC 4998 5.3, 4.3, A).

Rules kept here
 * A record is about the data objects that its surroundings name: a manifest's entries in a container, the CMS
   message itself, and its detached content.
 * In a CMS the record covers the message without the attribute that holds it (`record_cutting`). Which of several
   records were there when one was made is not written anywhere (sets are sorted), so every choice is tried and the one
   that fits is taken.
 * A record in XML (RFC 6283), and one inside an XML signature, is named and not judged: INDETERMINATE.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import datetime
from itertools import combinations

from archive_core.digests import hash_bytes, is_available
from archive_core.errors import MalformedEvidenceError, UnsafeContainerError
from archive_core.evidence.coverage import DataObject
from archive_core.evidence.loading import load_record
from archive_core.evidence.record import MAX_RECORD, EvidenceRecord
from archive_core.evidence.verification import assess_record
from archive_core.findings import Finding, Report, SubIndication, Verdict
from archive_core.ports import ValidationData
from signing.examination.cms_reading import SignedData
from signing.examination.cms_values import OID_RECORD_EXTERNAL, OID_RECORD_INTERNAL
from signing.examination.mathematics import Content
from signing.examination.record_cutting import without_records
from signing.examination.trust import ExaminationTrust
from signing.examination.values import EvidenceExamination, Reference
from signing.judgement import Judgement

MAX_RECORDS = 20
"""Records of one document, or of one signer, that are judged."""
MAX_CHOICES = 4
"""Further records in one signer that are tried as there and as not there."""
MAX_AROUND = 64 * 1024 * 1024
"""Bytes of a CMS message out of which records are cut."""
_XML_RECORDS = b"urn:ietf:params:xml:ns:ers"


def examine_record(
    place: str,
    octets: bytes,
    objects: Sequence[DataObject],
    *,
    trust: ExaminationTrust,
    at: datetime,
    data: ValidationData | None = None,
    failure: Judgement | None = None,
    covers: Sequence[str] = (),
) -> EvidenceExamination:
    """One record over these data objects. `failure` is what its surroundings found wrong; `data` is validation data
    beside it. Never raises for bad input."""
    if _XML_RECORDS in octets[:4096]:
        return not_judged(place, "an evidence record in XML (RFC 6283) is not judged")
    try:
        record, wrapping = load_record(octets)
    except MalformedEvidenceError as error:
        return EvidenceExamination(place, Verdict.FAILED, SubIndication.FORMAT_FAILURE, str(error), ())
    known = {hash_bytes("sha512", stamp.token).hex(): data or ValidationData() for stamp in record.stamps}
    report = assess_record(
        record, objects, validator=trust.tokens, algorithms=trust.algorithms, at=at, validation_data=known
    )
    return _told(place, record, report, tuple(_references(record, objects)), failure, wrapping, covers)


def not_judged(place: str, why: str) -> EvidenceExamination:
    return EvidenceExamination(place, Verdict.INDETERMINATE, SubIndication.UNSUPPORTED, why, ())


def _told(
    place: str,
    record: EvidenceRecord,
    report: Report,
    references: tuple[Reference, ...],
    failure: Judgement | None,
    wrapping: Iterable[Finding],
    covers: Sequence[str],
) -> EvidenceExamination:
    verdict, sub = report.verdict, report.sub_indication
    worst = next(step for step in report.steps if step.verdict is verdict)
    message = "every step holds" if verdict is Verdict.PASSED else " ".join(filter(None, (worst.where, worst.message)))
    graver = failure is not None and (verdict is Verdict.PASSED or failure.verdict is Verdict.FAILED)
    if failure is not None and graver and verdict is not Verdict.FAILED:
        verdict, sub, message = failure.verdict, failure.sub_indication, failure.message
    return EvidenceExamination(
        place,
        verdict,
        sub,
        message,
        references,
        proof_of_existence=report.proof_of_existence if verdict is Verdict.PASSED else None,
        time_stamps=len(record.stamps),
        digest_algorithms=record.digest_algorithms,
        covers=tuple(covers) or tuple(one.name for one in objects_intact(references)),
        test_trust=report.test_trust,
        findings=(*wrapping, *report.findings),
    )


def objects_intact(references: Iterable[Reference]) -> list[Reference]:
    return [one for one in references if one.intact]


def _references(record: EvidenceRecord, objects: Iterable[DataObject]) -> Iterator[Reference]:
    """Each data object, and whether the initial time-stamp's first list holds its digest."""
    algorithm, listed = record.initial.digest_algorithm, record.initial.first_list
    for one in objects:
        digest = _digest(one, algorithm)
        yield Reference(one.name, digest is not None, digest in listed, algorithm)


def _digest(one: DataObject, algorithm: str) -> bytes | None:
    try:
        return one.digest(algorithm) if is_available(algorithm) else None
    except LookupError:
        return None


def careful(name: str, digest: Callable[[str], bytes]) -> DataObject:
    """A data object of a container; one that cannot be read whole has no digest."""

    def known(algorithm: str) -> bytes:
        try:
            return digest(algorithm)
        except UnsafeContainerError as error:
            raise LookupError(str(error)) from error

    return DataObject(name, known)


# -- inside a CMS message ---------------------------------------------------------------------------


def embedded_records(
    message: SignedData,
    index: int,
    content: Content | None,
    place: str,
    *,
    trust: ExaminationTrust,
    at: datetime,
    data: ValidationData,
) -> tuple[EvidenceExamination, ...]:
    """The records in the unsigned attributes of the signer with this index (from 0)."""
    found = [
        (attribute.oid, value)
        for attribute in message.signers[index].unsigned
        if attribute.oid in (OID_RECORD_INTERNAL, OID_RECORD_EXTERNAL)
        for value in attribute.values
    ]
    told: list[EvidenceExamination] = []
    for number, (oid, value) in enumerate(found[:MAX_RECORDS], start=1):
        name = f"{place} evidence record {number}"
        if len(message.raw) > MAX_AROUND or len(value) > MAX_RECORD:
            told.append(not_judged(name, f"a message or a record that is larger than {MAX_AROUND} bytes"))
            continue
        objects = [_fitting(message.raw, index, value, [other for _, other in found if other != value])]
        if oid == OID_RECORD_EXTERNAL:
            objects += [_detached(content)]
        told.append(examine_record(name, value, objects, trust=trust, at=at, data=data))
    told += [not_judged(place, f"only {MAX_RECORDS} evidence records are looked at")] * (len(found) > MAX_RECORDS)
    return tuple(told)


def _detached(content: Content | None) -> DataObject:
    def absent(_algorithm: str) -> bytes:
        raise LookupError("the detached content was not given")

    return DataObject("detached content", content.digest if content is not None else absent)


def _fitting(octets: bytes, index: int, record: bytes, others: Sequence[bytes]) -> DataObject:
    """The message as it was when the record was made; where nothing fits, without any record."""
    shapes = list(_shapes(octets, index, record, others[:MAX_CHOICES], others))
    first = DataObject.of_bytes("CMS message", shapes[0])
    try:
        parsed, _ = load_record(record)
    except MalformedEvidenceError:
        return first
    algorithm, listed = parsed.initial.digest_algorithm, parsed.initial.first_list
    if not is_available(algorithm):
        return first
    for shape in shapes:
        if hash_bytes(algorithm, shape) in listed:
            return DataObject.of_bytes("CMS message", shape)
    return first


def _shapes(
    octets: bytes, index: int, record: bytes, optional: Sequence[bytes], others: Sequence[bytes]
) -> Iterator[bytes]:
    """The message without the record and all, or some, of the other records."""
    for count in range(len(optional) + 1):
        for kept in combinations(optional, count):
            dropped = {record, *(other for other in others if other not in kept)}
            yield from without_records(octets, index, dropped)


def existence(records: Iterable[EvidenceExamination]) -> datetime | None:
    """The earliest time that a good record proves."""
    return min((one.proof_of_existence for one in records if one.proof_of_existence is not None), default=None)
