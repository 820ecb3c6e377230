"""An exported ASiC-E container: description, files, and the evidence records inside (EN 319 162-1, RFC 4998).

Rules kept here
 * Judged are containers that this archive exported: they hold the description, so that names and order are proven
   too. Of others `trusted-archive examine` tells what their signatures and records are worth.
 * Every entry is one that the description lists, or stands below META-INF/; every file that it lists is there, under
   its own name and with its own digest.
 * The manifest of a line is, octet for octet, what follows from the description: other programs are told nothing else.
"""

from __future__ import annotations

import dataclasses
from datetime import datetime

from api.offline.bundle_evidence import group_binding, proven_time, validation_for
from api.offline.checking import Judges, LineResult, Log, combine_lines, lines_as_json
from archive_core import asic_format as layout
from archive_core.bundle_format import DESCRIPTION, MANIFEST, is_validation_name
from archive_core.description import MAX_BYTES as MAX_DESCRIPTION
from archive_core.description import DescribedFile, Description
from archive_core.digests import new_hasher
from archive_core.errors import MalformedDocumentError, MalformedEvidenceError
from archive_core.evidence.coverage import DataObject
from archive_core.evidence.record import MAX_RECORD, EvidenceRecord, parse_record
from archive_core.evidence.verification import assess_record
from archive_core.findings import Report, Step, SubIndication, Verdict
from archive_core.ports import ValidationData
from archive_core.zip_reading import ZipContainer

MAX_MANIFEST = 64 * 1024 * 1024
MAX_VALUE = 64 * 1024 * 1024
_RECORD_PREFIX, _RECORD_SUFFIX = layout.record_name("|").split("|")


def is_asic(container: ZipContainer) -> bool:
    """Whether it makes itself out to be such a container, and is not our bundle."""
    return layout.MIMETYPE in container.entries and MANIFEST not in container.entries


def check_asic(container: ZipContainer, judging: Judges, log: Log, facts: dict[str, object]) -> datetime | None:
    """The proven time, when everything holds. Raises `UnsafeContainerError`."""
    facts["kind"] = "asic-e"
    description = _description(container, log)
    if description is None or not _layout_holds(container, description, log):
        return None
    facts["poid"], facts["version"] = description.poid, description.version
    octets = container.read(DESCRIPTION, max_bytes=MAX_DESCRIPTION)
    data = _validation(container)
    digests = _Digests(container)
    results = [_line(container, line, description, octets, data, digests, judging) for line in _lines(container)]
    if not results:
        log.failed("evidence record", SubIndication.FORMAT_FAILURE, "there is no evidence record inside")
        return None
    verdict = combine_lines("evidence record", results, log)
    facts["lines"] = lines_as_json(results)
    return proven_time(results) if verdict is Verdict.PASSED else None


class _Digests:
    """Digests of entries, each read once for an algorithm."""

    def __init__(self, container: ZipContainer) -> None:
        self._container = container
        self._known: dict[tuple[str, str], bytes] = {}

    def of(self, name: str, algorithm: str) -> bytes:
        if (name, algorithm) not in self._known:
            hasher = new_hasher(algorithm)
            for chunk in self._container.chunks(name):
                hasher.update(chunk)
            self._known[name, algorithm] = hasher.digest()
        return self._known[name, algorithm]

    def object(self, name: str) -> DataObject:
        return DataObject(name, lambda algorithm: self.of(name, algorithm))


def _description(container: ZipContainer, log: Log) -> Description | None:
    said = container.read(layout.MIMETYPE, max_bytes=200)
    if next(iter(container.entries)) != layout.MIMETYPE or said != layout.MEDIA_TYPE.encode("ascii"):
        log.failed(
            "container", SubIndication.FORMAT_FAILURE, "its mimetype is not that of ASiC-E", clause="EN 319 162-1 A.1"
        )
        return None
    if DESCRIPTION not in container.entries:
        text = "a container from elsewhere, without description.json: `trusted-archive examine` judges such"
        log.unclear("container", SubIndication.UNSUPPORTED, text)
        return None
    try:
        return Description.parse(container.read(DESCRIPTION, max_bytes=MAX_DESCRIPTION))
    except MalformedDocumentError as error:
        log.failed("description", SubIndication.FORMAT_FAILURE, str(error), DESCRIPTION)
        return None


def _layout_holds(container: ZipContainer, description: Description, log: Log) -> bool:
    listed = {DESCRIPTION, layout.MIMETYPE, *(file.path for file in description.files)}
    there = {name for name in container.entries if not name.startswith(layout.META)}
    if strangers := sorted(there - listed):
        log.failed("container", SubIndication.FORMAT_FAILURE, f"{strangers[0][:200]!a} is not described")
    if gone := sorted(listed - there):
        text = f"{gone[0][:200]!a} is described and not there"
        log.unclear("container", SubIndication.SIGNED_DATA_NOT_FOUND, text)
    if strangers or gone:
        return False
    log.passed("container", f"{len(there)} entries, all described")
    return True


def _lines(container: ZipContainer) -> list[str]:
    return sorted(
        name.removeprefix(_RECORD_PREFIX).removesuffix(_RECORD_SUFFIX)
        for name in container.entries
        if name.startswith(_RECORD_PREFIX) and name.endswith(_RECORD_SUFFIX)
    )


def _validation(container: ZipContainer) -> ValidationData:
    found: dict[str, list[bytes]] = {"cer": [], "crl": [], "ocsp": []}
    for name in container.entries:
        if is_validation_name(name.removeprefix(layout.META)):
            found[name.rpartition(".")[2]].append(container.read(name, max_bytes=MAX_VALUE))
    return ValidationData(tuple(found["cer"]), tuple(found["crl"]), tuple(found["ocsp"]))


def _line(
    container: ZipContainer,
    line: str,
    description: Description,
    octets: bytes,
    data: ValidationData,
    digests: _Digests,
    judging: Judges,
) -> LineResult:
    name = layout.record_name(line)
    try:
        record = parse_record(container.read(name, max_bytes=MAX_RECORD))
        algorithm = record.initial.digest_algorithm
        group = description.group_digests(algorithm)
        manifest = layout.evidence_manifest(line, algorithm, description, octets)
    except (MalformedEvidenceError, MalformedDocumentError, KeyError) as error:
        step = Step("form", Verdict.FAILED, SubIndication.FORMAT_FAILURE, str(error), clause="RFC 4998 3.1, 4.1, 5.1")
        return LineResult(line, name, None, Report.of([step]))
    objects = [digests.object(one) for one in (DESCRIPTION, *(file.path for file in description.files))]
    report = assess_record(
        record,
        objects,
        validator=judging.validator,
        algorithms=judging.algorithms,
        at=judging.at,
        validation_data=validation_for(record, data),
    )
    steps = [
        *report.steps,
        group_binding(group)(record),
        _files(description, digests, algorithm),
        _manifest(container, line, manifest),
    ]
    return LineResult(line, name, record, _bound(report, record, steps))


def _bound(report: Report, record: EvidenceRecord, steps: list[Step]) -> Report:
    made = Report.of(
        steps,
        report.findings,
        proof_of_existence=record.initial.token_info.gen_time,
        test_trust=report.test_trust,
    )
    return dataclasses.replace(made, facts=report.facts)


def _files(description: Description, digests: _Digests, algorithm: str) -> Step:
    """Each file under its own name: two that changed places are both in the group."""

    def fits(file: DescribedFile) -> bool:
        return digests.of(file.path, algorithm).hex() == file.digests[algorithm]

    wrong = [file.path for file in description.files if not fits(file)]
    if wrong:
        text = f"{wrong[0][:200]!a} is not as described"
        return Step("files", Verdict.FAILED, SubIndication.HASH_FAILURE, text)
    return Step("files", Verdict.PASSED, None, f"{len(description.files)} files as described")


def _manifest(container: ZipContainer, line: str, expected: bytes) -> Step:
    name, clause = layout.manifest_name(line), "EN 319 162-1 A.4, A.5"
    if name not in container.entries or container.read(name, max_bytes=MAX_MANIFEST) != expected:
        text = f"{name} is not what follows from the description"
        return Step("manifest", Verdict.FAILED, SubIndication.FORMAT_FAILURE, text, "", clause)
    return Step("manifest", Verdict.PASSED, None, "lists the data group as the description has it", "", clause)
