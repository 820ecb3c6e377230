"""Use case: proves one stored version anew, from bytes alone.

The rules an assessment follows
 * Nothing is believed that memory or the catalogue say of the content: description, files, batch and
   tokens are read from the stores and hashed again.
 * Each evidence line is judged on its own. One line that PASSED proves existence; a line that did not
   becomes a finding (`LINE_NOT_PASSED`), because redundant lines exist for that day (RFC 4998 7).
 * Statement and seal are judged as of the proof-of-existence time: a seal may outlive its certificate,
   because the same stamp covers it.
 * After updates, each file exists since the earliest version whose proven group holds it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime

from archive_core.admission import CONTENT_DIGEST
from archive_core.catalogue.catalogue import Catalogue
from archive_core.catalogue.rows import VersionRow
from archive_core.content import Content
from archive_core.digests import Digest, MultiHasher
from archive_core.errors import (
    DamageError,
    EvidenceBrokenError,
    EvidencePendingError,
    MalformedDocumentError,
    ObjectDestroyedError,
)
from archive_core.evidence.verification import DataObject, assess_record
from archive_core.findings import Finding, Report, Step, SubIndication, Verdict, utc_text
from archive_core.lifecycle import EvidenceFile
from archive_core.packaging import DESCRIPTION
from archive_core.ports import SealValidator, TimestampValidator
from archive_core.proofs import Proof, Proofs, evidence_files, receipt, seal_evidence_files, token_data
from archive_core.renewal.coverage import coverage_of, covered_until
from policies.algorithms import AlgorithmTable


class Assessment:
    """Verification of stored versions against their evidence."""

    def __init__(
        self,
        *,
        catalogue: Catalogue,
        proofs: Proofs,
        content: Content,
        validator: TimestampValidator,
        seal_validator: SealValidator,
        algorithms: AlgorithmTable,
    ) -> None:
        self._catalogue = catalogue
        self._proofs = proofs
        self._content = content
        self._validator = validator
        self._seal_validator = seal_validator
        self._algorithms = algorithms
        self._seal_reports: dict[tuple[int, datetime], list[Step]] = {}

    def assess(self, row: VersionRow, *, at: datetime) -> Report:
        """The verdict over one version as of `at`; `EvidencePendingError` before commit B.

        Damage of every copy is a FAILED report, not an exception: the verdict is the answer."""
        try:
            proof = self._proofs.proof(row)
            data = self._data_objects(proof)
            lines = {file.line: self._line(proof, file, data, at) for file in evidence_files(proof)}
        except (DamageError, MalformedDocumentError) as error:
            step = Step("stored bytes", Verdict.FAILED, SubIndication.HASH_FAILURE, str(error))
            return Report.of([step], facts={"poid": row.poid, "version": row.version})
        best = min(lines.values(), key=_badness)
        steps = [self._content_step(data), *_line_steps(lines, best), *self._seal_steps(proof, best, at)]
        steps.append(self._receipt_step(proof))
        findings = [
            *(finding for report in lines.values() for finding in report.findings),
            *self._dropped(proof),
            *(
                Finding("LINE_NOT_PASSED", f"the evidence line {line} is {report.verdict}", line)
                for line, report in lines.items()
                if report.verdict is not Verdict.PASSED
            ),
        ]
        return Report.of(
            steps,
            findings,
            proof_of_existence=best.proof_of_existence,
            test_trust=any(report.test_trust for report in lines.values()) or proof.batch.formed.statement.test_trust,
            facts={
                "poid": row.poid,
                "version": row.version,
                "lines": {line: str(report.verdict) for line, report in sorted(lines.items())},
                "files": self._earliest(row),
            },
        )

    def judge(self, record: bytes, data: Sequence[DataObject], row: VersionRow | None, *, at: datetime) -> Report:
        """The verdict over a record that somebody handed in, as of `at`, over the data handed in with it.

        `row` is the version that it is said to be of, if it is: what is kept for that version's time-stamps helps
        to judge the record, and where no data came, it is judged over what is stored of the version. Raises
        `EvidencePendingError` and `ObjectDestroyedError` then, and `DamageError` when no copy is good."""
        proof = self._proof_beside(row, needed=not data) if row else None
        objects = self._data_objects(proof) if proof and not data else data
        return assess_record(
            record,
            _distinct(objects, CONTENT_DIGEST),
            validator=self._validator,
            algorithms=self._algorithms,
            at=at,
            validation_data=token_data(proof) if proof else None,
        )

    def _proof_beside(self, row: VersionRow, *, needed: bool) -> Proof | None:
        try:
            return self._proofs.proof(row)
        except (EvidencePendingError, ObjectDestroyedError):
            if needed:
                raise
            return None

    def _dropped(self, proof: Proof) -> list[Finding]:
        """Lines in which a hash-tree renewal left this version out: its proof ends with the chain before."""
        ended = [line for _, line in sorted(proof.lines.items()) if line.dropped_from(proof.leaf) is not None]
        stamps = self._catalogue.stamps(proof.batch.formed.number) if ended else []
        return [covered_until(coverage_of(line, proof.leaf, stamps, self._algorithms)) for line in ended]

    # -- data ---------------------------------------------------------------------------------

    def _data_objects(self, proof: Proof) -> list[DataObject]:
        """The group's members, hashed from the stores in every digest that the record asks for."""
        algorithms = sorted({CONTENT_DIGEST}.union(*(line.digests for line in proof.lines.values())))
        members: list[tuple[str, Mapping[str, Digest]]] = [
            (DESCRIPTION, {name: Digest.of(name, proof.description_bytes) for name in algorithms})
        ]
        for file in proof.description.files:
            hasher = MultiHasher(algorithms)
            for piece in self._content.stream(proof.row, file.path):
                hasher.update(piece)
            members.append((file.path, hasher.digests()))
        return [DataObject(name, _lookup(digests)) for name, digests in members]

    def _content_step(self, data: Sequence[DataObject]) -> Step:
        return Step("content", Verdict.PASSED, message=f"{len(data)} files read from the stores and hashed again")

    # -- evidence -----------------------------------------------------------------------------

    def _line(self, proof: Proof, file: EvidenceFile, data: Sequence[DataObject], at: datetime) -> Report:
        distinct = _distinct(data, file.digest)
        return assess_record(
            file.der,
            distinct,
            validator=self._validator,
            algorithms=self._algorithms,
            at=at,
            validation_data=token_data(proof),
        )

    def _seal_steps(self, proof: Proof, best: Report, at: datetime) -> list[Step]:
        """The seal over the statement, and the records of the group of both; once per batch."""
        key = (proof.batch.formed.number, at)
        if key not in self._seal_reports:
            self._seal_reports = {key: self._judge_seal(proof, best.proof_of_existence or at, at)}
        return self._seal_reports[key]

    def _judge_seal(self, proof: Proof, sealed_by: datetime, at: datetime) -> list[Step]:
        formed = proof.batch.formed
        judged = self._seal_validator.assess_seal(
            formed.seal, formed.statement_bytes, at=sealed_by, data=formed.seal_data
        )
        steps = [
            Step(
                "seal of the statement",
                judged.verdict,
                judged.sub_indication,
                judged.message,
                where=f"batch {formed.number}",
                at=sealed_by,
            )
        ]
        group = {"statement.json": formed.statement_bytes, "statement.json.p7s": formed.seal}
        reports = [
            assess_record(
                file.der,
                [DataObject(name, _hash_of(content)) for name, content in group.items()],
                validator=self._validator,
                algorithms=self._algorithms,
                at=at,
                validation_data=token_data(proof),
            )
            for file in seal_evidence_files(proof)
        ]
        best = min(reports, key=_badness)
        steps.append(
            Step(
                "evidence of statement and seal",
                best.verdict,
                best.sub_indication,
                f"{len(reports)} records",
                where=f"batch {formed.number}",
            )
        )
        return steps

    def _receipt_step(self, proof: Proof) -> Step:
        """The path from the description's group to the sealed root."""
        made = receipt(proof, self._catalogue)
        statement = proof.batch.formed.statement
        group = {line: proof.description.group_digests(root.digest) for line, root in statement.roots.items()}
        try:
            made.verify_paths(statement, group)
        except EvidenceBrokenError as error:
            return Step("receipt", Verdict.FAILED, SubIndication.HASH_FAILURE, str(error))
        return Step("receipt", Verdict.PASSED, message="the path leads to the sealed root")

    def _earliest(self, row: VersionRow) -> list[dict[str, object]]:
        """For every file of the version, the earliest version whose group holds it, and since when."""
        wanted = {file.path: file.content_digest for file in self._catalogue.files(row.poid, row.version)}
        earliest: dict[str, tuple[int, datetime | None]] = {}
        for older in self._catalogue.versions(row.poid):
            if older.version > row.version:
                break
            batch = self._catalogue.batch(older.batch) if older.batch is not None else None
            held = {file.content_digest for file in self._catalogue.files(older.poid, older.version)}
            for path, digest in wanted.items():
                if digest in held and path not in earliest and batch and batch.evidenced_at:
                    earliest[path] = (older.version, batch.evidenced_at)
        return [
            {"path": path, "since_version": version, "since": utc_text(since) if since else None}
            for path, (version, since) in sorted(earliest.items())
        ]


def _lookup(digests: Mapping[str, Digest]) -> Callable[[str], bytes]:
    return lambda algorithm: digests[algorithm].value


def _hash_of(content: bytes) -> Callable[[str], bytes]:
    return lambda algorithm: Digest.of(algorithm, content).value


def _distinct(data: Sequence[DataObject], algorithm: str) -> list[DataObject]:
    """A data group is a set: of files with the same content one stands for all (RFC 4998 4.2)."""
    return list({item.digest(algorithm): item for item in reversed(data)}.values())


def _badness(report: Report) -> int:
    return (Verdict.PASSED, Verdict.INDETERMINATE, Verdict.FAILED).index(report.verdict)


def _line_steps(lines: Mapping[str, Report], best: Report) -> list[Step]:
    """Every step of the best line; the others are summed up in findings."""
    name = next(line for line, report in lines.items() if report is best)
    return [
        Step(
            step.name,
            step.verdict,
            step.sub_indication,
            step.message,
            where=f"line {name}{', ' if step.where else ''}{step.where}",
            clause=step.clause,
            at=step.at,
        )
        for step in best.steps
    ]
