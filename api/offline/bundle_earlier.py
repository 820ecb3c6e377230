"""Earlier versions in a bundle: since when each file can be proven to exist.

Rules kept here
 * Descriptions form a chain: each names its predecessor by digest, from this version down. A version
   that the chain does not reach proves nothing here.
 * An earlier record covers exactly the data group that the earlier description states; the files
   themselves need not be in the bundle, because their digests stand in what is covered. After a hash-tree
   renewal that holds of the files that are in the bundle, and only about those anything is said.
 * Where an earlier record is INDETERMINATE its version is left out, with a finding: this version's
   own proof does not rest on it. Where it FAILED, the bundle failed.
 * The proof of a file is the earliest version whose verified group holds its digest (design.md 3).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime

from api.offline.bundle_evidence import assess_line, group_binding, proven_time
from api.offline.bundle_members import Bundle
from api.offline.checking import Judges, LineResult, Log, combine_lines
from archive_core import bundle_format as layout
from archive_core.description import DescribedFile, Description
from archive_core.digests import hash_bytes
from archive_core.errors import MalformedDocumentError, MalformedEvidenceError
from archive_core.evidence.coverage import DataObject
from archive_core.findings import SubIndication, Verdict, utc_text


@dataclass(frozen=True, slots=True)
class _Past:
    """An earlier version that the chain of descriptions reaches."""

    description: Description
    content: bytes
    lines: tuple[str, ...]


def check_earlier(bundle: Bundle, judges: Judges, proven: datetime | None, log: Log) -> list[dict[str, object]]:
    """Judge the earlier versions and give, for each document, the earliest time that is proven."""
    past = _chain(bundle, log)
    times = {bundle.description.version: proven}
    held = {bundle.description.version: bundle.description}
    for version in past:
        if not version.lines:
            continue
        results = [_assess(bundle, version, line, judges) for line in version.lines]
        apart = Log()
        verdict = combine_lines("earlier version", results, apart)
        if verdict is Verdict.INDETERMINATE:
            why = f"version {version.description.version}: {apart.steps[-1].sub_indication}; this version proves itself"
            log.note("EARLIER_NOT_PROVEN", why, layout.earlier_description_name(version.description.version))
            continue
        log.steps += apart.steps
        log.findings += apart.findings
        log.test_trust |= apart.test_trust
        if verdict is Verdict.PASSED:
            times[version.description.version] = proven_time(results)
            held[version.description.version] = version.description
    proofs = _earliest(held, times)
    return [_shown(file, proofs.get(file.digests["sha512"])) for file in _documents(bundle.description)]


def _documents(description: Description) -> Iterable[DescribedFile]:
    return [file for file in description.files if file.role == "document"]


def _chain(bundle: Bundle, log: Log) -> list[_Past]:
    """Versions from the one before this down to the first that the digests reach."""
    lines: dict[int, list[str]] = {}
    for name in bundle.members:
        if found := layout.parse_earlier_name(name):
            lines.setdefault(found[0], []).extend([found[1]] if found[1] else [])
    chain: list[_Past] = []
    current = bundle.description
    while lines and current.predecessor is not None:
        number, sha512 = current.predecessor
        name = layout.earlier_description_name(number)
        if name not in bundle.members:
            break
        listed = lines.pop(number)
        content = bundle.read(name)
        try:
            description = Description.parse(content)
        except MalformedDocumentError as error:
            log.failed("chain of versions", SubIndication.FORMAT_FAILURE, str(error), name)
            return chain
        same = (description.poid, description.version) == (bundle.description.poid, number)
        if not same or hash_bytes("sha512", content).hex() != sha512:
            message = f"it is not the predecessor that version {current.version} names"
            log.failed("chain of versions", SubIndication.HASH_FAILURE, message, name)
            return chain
        chain.append(_Past(description, content, tuple(sorted(listed))))
        current = description
    if lines:
        shown = ", ".join(f"v{number}" for number in sorted(lines))
        message = f"{shown}: no chain of descriptions leads there, so nothing is concluded from it"
        log.failed("chain of versions", SubIndication.FORMAT_FAILURE, message)
    elif chain:
        log.passed("chain of versions", f"{len(chain)} earlier descriptions, each named by the next with its digest")
    return chain


def _assess(bundle: Bundle, version: _Past, line: str, judges: Judges) -> LineResult:
    name = layout.earlier_evidence_name(version.description.version, line)
    needed: set[str] = set()
    try:
        record = bundle.record(name)
        needed = {stamp.digest_algorithm for stamp in record.stamps}
        group = version.description.group_digests(record.initial.digest_algorithm)
    except (MalformedEvidenceError, MalformedDocumentError):
        group = ()  # the record or its algorithm is reported by the assessment
    objects = [DataObject.of_bytes(layout.earlier_description_name(version.description.version), version.content)]
    objects += _described_objects(bundle, version.description, needed)
    return assess_line(bundle, line, name, objects, [group_binding(group)], judges)


def _described_objects(bundle: Bundle, description: Description, needed: set[str]) -> list[DataObject]:
    """Files by the digests that the description states, or as measured where the bundle holds them.

    A file that the bundle does not hold has no digest of a later chain; it is not of this version, and
    nothing is concluded about it."""
    measured = {member.digests["sha512"].hex: member.digests for member in bundle.members.values()}

    def of(digests: Mapping[str, str], name: str) -> DataObject:
        here = measured.get(digests["sha512"])

        def digest(algorithm: str) -> bytes:
            return here[algorithm].value if here and algorithm in here else bytes.fromhex(digests[algorithm])

        return DataObject(name, digest)

    return [
        of(file.digests, f"v{description.version}: {file.path}")
        for file in description.files
        if file.digests["sha512"] in measured or needed <= set(file.digests)
    ]


def _earliest(held: Mapping[int, Description], times: Mapping[int, datetime | None]) -> dict[str, tuple[datetime, int]]:
    """For each digest of a file, the earliest proven time and the version that proves it."""
    proofs: dict[str, tuple[datetime, int]] = {}
    for version, description in held.items():
        if (time := times[version]) is None:
            continue
        for file in description.files:
            sha512 = file.digests["sha512"]
            proofs[sha512] = min((time, version), proofs.get(sha512, (time, version)))
    return proofs


def _shown(file: DescribedFile, first: tuple[datetime, int] | None) -> dict[str, object]:
    return {
        "path": file.path.removeprefix("data/"),
        "sha512": file.digests["sha512"],
        "proof_of_existence": utc_text(first[0]) if first else None,
        "proven_by_version": first[1] if first else None,
    }
