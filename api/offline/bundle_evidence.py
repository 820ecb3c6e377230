"""The bundle's evidence: records of every line, receipt, seal, and the seal's own records.

Rules kept here
 * The data group is exactly the first list of the record (RFC 4998 4.3, proof of a group): no member
   is missing and none is foreign.
 * A record belongs to this statement: its path goes through the sealed root, and statement and seal
   are its last sibling. A record that verifies but leads around the seal is not this batch's.
 * The seal is judged as of the proven time, not as of its own claim; only existence before a
   certificate's end makes it count.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime

from api.offline.bundle_members import Bundle
from api.offline.checking import Judges, LineResult, Log, combine_lines
from archive_core import bundle_format as layout
from archive_core.digests import hash_bytes
from archive_core.errors import (
    EvidenceBrokenError,
    MalformedDocumentError,
    MalformedEvidenceError,
    UnsafeContainerError,
)
from archive_core.evidence.coverage import DataObject
from archive_core.evidence.hash_tree import group_leaf, reduced_root
from archive_core.evidence.record import EvidenceRecord
from archive_core.evidence.verification import assess_record
from archive_core.findings import Report, Step, SubIndication, Verdict
from archive_core.ports import ValidationData
from archive_core.receipts import Receipt, Root


def check_evidence(bundle: Bundle, judges: Judges, log: Log) -> tuple[list[LineResult], datetime | None]:
    """All lines' records over the version's data group; gives the proven time when one passed."""
    objects = [_member_object(bundle, layout.DESCRIPTION)]
    objects += [_member_object(bundle, file.path) for file in bundle.description.files if file.path in bundle.members]
    results = []
    for line, root in sorted(bundle.statement.roots.items()):
        name = layout.evidence_name(line)
        bindings = [group_binding(_group(bundle, root.digest)), _statement_binding(bundle, root)]
        results.append(assess_line(bundle, line, name, objects, bindings, judges))
    verdict = combine_lines("evidence record", results, log)
    return results, proven_time(results) if verdict is Verdict.PASSED else None


def check_receipt(bundle: Bundle, results: Sequence[LineResult], log: Log) -> None:
    """receipt.json says nothing else than what the bundle proves."""
    name = "receipt"
    try:
        receipt = Receipt.parse(bundle.read(layout.RECEIPT))
        for what, same in _receipt_claims(bundle, receipt, results).items():
            if not same:
                raise EvidenceBrokenError(f"the receipt has another {what}")
        group = {line: _group(bundle, root.digest) for line, root in bundle.statement.roots.items()}
        receipt.verify_paths(bundle.statement, group)
    except MalformedDocumentError as error:
        log.failed(name, SubIndication.FORMAT_FAILURE, str(error), layout.RECEIPT)
    except EvidenceBrokenError as error:
        log.failed(name, SubIndication.HASH_FAILURE, str(error), layout.RECEIPT)
    else:
        log.passed(name, "description, path, statement and seal are those of this bundle", layout.RECEIPT)


def check_seal(bundle: Bundle, judges: Judges, proven: datetime | None, log: Log) -> None:
    """The seal over the statement, as of the proven time; without one, as of the time of judgement."""
    assessment = judges.seals.assess_seal(
        bundle.seal, bundle.statement_bytes, at=proven or judges.at, data=bundle.validation
    )
    log.test_trust |= assessment.test_trust
    verdict, why = assessment.verdict, assessment.sub_indication
    message = f"{assessment.signer}: {assessment.message}" if assessment.signer else assessment.message
    if verdict is Verdict.PASSED and proven is None:
        verdict, why = Verdict.INDETERMINATE, SubIndication.NO_POE
        message = f"{message}; but no time is proven at which it existed"
    clause = "EN 319 102-1 5.3, 5.6.2"
    log.steps.append(Step("seal", verdict, why, message, layout.SEAL, clause, proven or judges.at))


def check_seal_evidence(bundle: Bundle, judges: Judges, lines: Sequence[LineResult], log: Log) -> None:
    """The records of the group of statement and seal, stamped by the same tokens."""
    objects = [
        DataObject.of_bytes(layout.STATEMENT, bundle.statement_bytes),
        DataObject.of_bytes(layout.SEAL, bundle.seal),
    ]
    stamped = {result.line: result.record for result in lines}
    results = []
    for line, root in sorted(bundle.statement.roots.items()):
        name = layout.seal_evidence_name(line)
        group = _seal_group(bundle, root.digest)
        bindings = [group_binding(group), _same_token_binding(stamped.get(line), root)]
        results.append(assess_line(bundle, line, name, objects, bindings, judges))
    combine_lines("seal evidence", results, log)


# -- one line ---------------------------------------------------------------------------------

Binding = Callable[[EvidenceRecord], Step]
"""A further step about a record that could be read."""


def assess_line(
    bundle: Bundle, line: str, name: str, objects: Sequence[DataObject], bindings: Sequence[Binding], judges: Judges
) -> LineResult:
    """One record over these objects, with the further steps that bind it to this bundle."""
    if name not in bundle.members:
        step = Step("form", Verdict.FAILED, SubIndication.FORMAT_FAILURE, f"{name} is missing")
        return LineResult(line, name, None, Report.of([step]))
    try:
        record = bundle.record(name)
    except (MalformedEvidenceError, UnsafeContainerError) as error:
        step = Step("form", Verdict.FAILED, SubIndication.FORMAT_FAILURE, str(error), clause="RFC 4998 3.1, 4.1, 5.1")
        return LineResult(line, name, None, Report.of([step]))
    report = assess_record(
        record,
        objects,
        validator=judges.validator,
        algorithms=judges.algorithms,
        at=judges.at,
        validation_data=validation_for(record, bundle.validation),
    )
    bound = Report.of(
        [*report.steps, *(binding(record) for binding in bindings)],
        report.findings,
        proof_of_existence=record.initial.token_info.gen_time,
        test_trust=report.test_trust,
        facts=report.facts,
    )
    return LineResult(line, name, record, bound)


def validation_for(record: EvidenceRecord, data: ValidationData) -> dict[str, ValidationData]:
    """The same validation data for every token of a record."""
    return {hash_bytes("sha512", stamp.token).hex(): data for stamp in record.stamps}


def proven_time(results: Sequence[LineResult]) -> datetime | None:
    """The earliest time that a passed line proves."""
    return min((time for result in results if (time := result.report.proof_of_existence)), default=None)


def group_binding(group: tuple[bytes, ...]) -> Binding:
    """The first list of the record is exactly this data group."""

    def step(record: EvidenceRecord) -> Step:
        listed = record.initial.first_list
        name, clause = "data group", "RFC 4998 4.2, 4.3"
        if listed == group:
            return Step(
                name, Verdict.PASSED, None, f"the first list is exactly the data group ({len(group)})", "", clause
            )
        message = f"the first list ({len(listed)} hashes) is not exactly the data group ({len(group)})"
        return Step(name, Verdict.FAILED, SubIndication.HASH_FAILURE, message, "", clause)

    return step


def _statement_binding(bundle: Bundle, root: Root) -> Binding:
    """The path goes through the sealed root, and its last sibling is the group of statement and seal."""

    def step(record: EvidenceRecord) -> Step:
        name = "sealed root"
        seal_leaf = group_leaf(root.digest, _seal_group(bundle, root.digest))
        for chain in record.chains:
            stamp = chain.stamps[0]
            lists = stamp.reduced_hash_tree or ()
            fits = stamp.digest_algorithm == root.digest and len(lists) > 1 and lists[-1] == (seal_leaf,)
            if fits and _root_over(root.digest, lists[:-1]) == root.value:
                return Step(name, Verdict.PASSED, None, "the path goes through the root that the statement seals")
        message = "the path does not go through the root that the statement seals, with its seal as last sibling"
        return Step(name, Verdict.FAILED, SubIndication.HASH_FAILURE, message)

    return step


def _same_token_binding(other: EvidenceRecord | None, root: Root) -> Binding:
    """The seal group's record hangs below the objects' root and the token that stamps the objects."""

    def step(record: EvidenceRecord) -> Step:
        name = "sealed root"
        later = (record.initial.reduced_hash_tree or ())[1:]
        tokens = {stamp.token for stamp in other.stamps} if other else set()
        if later == ((root.value,),) and record.initial.token in tokens:
            return Step(
                name, Verdict.PASSED, None, "statement and seal lie beside the sealed root, under the same token"
            )
        message = "statement and seal do not lie beside the sealed root under the token that stamps the object"
        return Step(name, Verdict.FAILED, SubIndication.HASH_FAILURE, message)

    return step


def _root_over(digest: str, lists: Sequence[tuple[bytes, ...]]) -> bytes | None:
    try:
        return reduced_root(digest, lists)
    except ValueError:
        return None


def _group(bundle: Bundle, digest: str) -> tuple[bytes, ...]:
    """The data group as its members were measured here; what is missing was reported before."""
    names = {layout.DESCRIPTION, *(file.path for file in bundle.description.files)}
    held = [bundle.members[name].digests for name in names if name in bundle.members]
    return tuple(sorted({digests[digest].value for digests in held if digest in digests}))


def _seal_group(bundle: Bundle, digest: str) -> tuple[bytes, ...]:
    return tuple(sorted((hash_bytes(digest, bundle.statement_bytes), hash_bytes(digest, bundle.seal))))


def _member_object(bundle: Bundle, name: str) -> DataObject:
    digests = bundle.members[name].digests

    def digest(algorithm: str) -> bytes:
        return digests[algorithm].value

    return DataObject(name, digest)


def _receipt_claims(bundle: Bundle, receipt: Receipt, results: Sequence[LineResult]) -> dict[str, bool]:
    """What the receipt says, and whether the bundle says the same."""
    times = [result.record.initial.token_info.gen_time for result in results if result.record is not None]
    description = bundle.description
    return {
        "object or version": (receipt.poid, receipt.version) == (description.poid, description.version),
        "description": receipt.description == bundle.description_bytes,
        "statement": receipt.statement == bundle.statement_bytes,
        "seal": receipt.seal == bundle.seal,
        "test trust flag": receipt.test_trust == bundle.statement.test_trust,
        "time of existence": bool(times) and receipt.proof_of_existence == min(times),
    }
