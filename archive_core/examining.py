"""What becomes of a deposit by the signatures in it: examined, decided, and told in files of its own.

Rules kept here
 * A profile that asks nothing costs nothing. One that asks is never passed over: what cannot be examined now is not
   taken in now.
 * What was found stands in the data group of the version, so that evidence covers it: `report.json` below
   `examination/<version>/` with a line for each document, a report of each document that was looked into (JSON, and
   ETSI TS 119 102-2 XML), and what was collected for validation (`examination/material/<sha256>.{cer,crl,ocsp}`).
 * A document that nobody looked into stands there by name, with the reason. It is never good.
 * Nothing is stored of what is refused.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from archive_core import canonical
from archive_core.admission import CONTENT_DIGEST, DATA, digest_names
from archive_core.batch import validation_files
from archive_core.description import EXAMINATION, Description, Examined
from archive_core.errors import SettingsError, SignaturesNotAcceptedError
from archive_core.findings import Verdict, utc_text
from archive_core.lifecycle import AcceptedFile, AcceptedSubmission
from archive_core.measure import measure
from archive_core.ports import ExaminesDeposits, FileExamination, KnownBytes, ValidationData
from policies.examination import Decision, ExaminationPolicy, Found, Outcome, decide

FORMAT = "trusted-archive/deposit-examination/1"
REPORT = "report.json"
MATERIAL = f"{EXAMINATION}material/"
MAX_REPORT = 64 * 1024 * 1024
_TOLD = 20
"""Documents that a refusal names."""


@dataclass(frozen=True, slots=True)
class Findings:
    """What was found in the documents of a version, and what follows by the profile."""

    files: tuple[FileExamination, ...]
    decision: Decision

    @property
    def later(self) -> bool:
        return any(one.later for one in self.files)

    @property
    def examined(self) -> Examined:
        """As the description says it; raises ValueError for what was refused, which has none."""
        if self.decision.outcome is Outcome.REJECT:
            raise ValueError("what is refused is not described")
        return Examined(str(self.decision.outcome), self.later)


class Examining:
    """Between admission and description."""

    def __init__(self, examiner: ExaminesDeposits | None) -> None:
        self._examiner = examiner

    def examined(self, accepted: AcceptedSubmission, *, at: datetime, version: int = 1) -> AcceptedSubmission:
        """The submission with what was found; the same one where its profile asks nothing.

        Raises `SignaturesNotAcceptedError`, and `ExaminationUnavailableError` when nothing can be said now."""
        policy = accepted.profile.examination
        if not policy.asked:
            return accepted
        documents = [file for file in accepted.files if file.role == "document"]
        findings = self.find(
            [(file.logical_path.removeprefix(DATA), file) for file in documents], policy, at=at, existed=at
        )
        if findings.decision.outcome is Outcome.REJECT:
            raise _refusal(findings, accepted.profile.id)
        names = digest_names(accepted.profile)
        found = found_files(findings, policy, accepted.profile.id, names, version=version, at=at)
        files = tuple(sorted((*accepted.files, *found), key=lambda file: file.logical_path))
        return replace(accepted, files=files, examined=findings.examined)

    def find(
        self,
        documents: Sequence[tuple[str, AcceptedFile]],
        policy: ExaminationPolicy,
        *,
        at: datetime,
        existed: datetime,
        material: ValidationData | None = None,
    ) -> Findings:
        """Examine the documents, by the depositor's paths, and decide."""
        if self._examiner is None:
            raise SettingsError("a profile asks for the examination of signatures, and nothing here examines any")
        files = tuple(
            self._examiner.examine(
                [(name, file.source) for name, file in documents],
                at=at,
                policy=policy,
                existed=existed,
                material=material,
            )
        )
        if [one.path for one in files] != [name for name, _ in documents]:
            raise AssertionError("the examiner did not answer for each document")
        found = (
            Found(
                one.path, str(one.verdict) if one.verdict is not None else None, bool(one.signatures or one.timestamps)
            )
            for one in files
        )
        return Findings(files, decide(policy.rule, found, required=policy.required))


def found_files(
    findings: Findings,
    policy: ExaminationPolicy,
    profile: str,
    digests: Sequence[str],
    *,
    version: int,
    at: datetime,
) -> list[AcceptedFile]:
    """The files that tell what was found, measured with `digests`."""
    place = f"{EXAMINATION}{version}/"
    reports: dict[str, bytes] = {}
    listed = []
    for number, one in enumerate(findings.files, 1):
        names: dict[str, str | None] = {"report": None, "xml": None}
        for name, octets, ending in (("report", one.report, "json"), ("xml", one.xml, "xml")):
            if octets:
                names[name] = f"{place}{number:05d}.{ending}"
                reports[f"{place}{number:05d}.{ending}"] = octets
        listed.append(_line(one, names))
    document = {
        "format": FORMAT,
        "version": version,
        "at": utc_text(at),
        "profile": profile,
        "rule": str(policy.rule),
        "required": policy.required,
        "freshness": policy.freshness,
        "formats": list(policy.formats),
        "outcome": str(findings.decision.outcome),
        "because": list(findings.decision.because),
        "unsigned": findings.decision.unsigned,
        "later": findings.later,
        "lists": sorted({digest for one in findings.files for digest in one.lists}),
        "files": listed,
    }
    reports[f"{place}{REPORT}"] = canonical.write(document)
    collected = _collected(one.material for one in findings.files)
    return [_file(path, "examination", octets, digests) for path, octets in sorted(reports.items())] + [
        _file(path, "validation-data", octets, digests) for path, octets in sorted(collected.items())
    ]


def _line(one: FileExamination, names: dict[str, str | None]) -> dict[str, object]:
    return {
        "path": one.path,
        "format": one.format,
        "examined": one.examined,
        "reason": one.reason,
        "verdict": str(one.verdict) if one.verdict is not None else None,
        "sub_indications": list(one.sub_indications),
        "signatures": one.signatures,
        "timestamps": one.timestamps,
        "later": one.later,
        "material": sorted(_collected([one.material])),
        "problems": list(one.problems),
        **names,
    }


def _collected(material: Iterable[ValidationData]) -> dict[str, bytes]:
    found: dict[str, bytes] = {}
    for one in material:
        found.update(validation_files(MATERIAL, one))
    return found


def _file(path: str, role: str, octets: bytes, digests: Sequence[str]) -> AcceptedFile:
    source = KnownBytes(octets)
    measured = measure(source, digests)
    return AcceptedFile(path, role, source, measured.size, {name: measured.digests[name] for name in digests})


def from_claim(accepted: AcceptedSubmission, description: Description, kept: dict[str, bytes]) -> AcceptedSubmission:
    """The submission with what an earlier request had found, as its claim keeps it: another examination would not
    find the same octets. `kept` are these by logical path."""
    if description.examined is None:
        return replace(accepted, files=tuple(_deposited(accepted.files)), examined=None)
    names = digest_names(accepted.profile)
    found = [_file(file.path, file.role, kept[file.path], names) for file in description.files if file.path in kept]
    earlier = [file for file in accepted.files if file.logical_path not in kept]
    listed = {file.path for file in description.files}
    files = [*(file for file in earlier if file.logical_path in listed), *found]
    return replace(
        accepted, files=tuple(sorted(files, key=lambda file: file.logical_path)), examined=description.examined
    )


def _deposited(files: Iterable[AcceptedFile]) -> list[AcceptedFile]:
    return [file for file in files if not file.logical_path.startswith(EXAMINATION)]


def _refusal(findings: Findings, profile: str) -> SignaturesNotAcceptedError:
    """Says which documents and why; in the facts for machines, in the message for people."""
    because = set(findings.decision.because)
    bad = [
        {
            "path": one.path,
            "verdict": str(one.verdict),
            "sub_indications": list(one.sub_indications),
            "reason": one.reason or _reason(one),
        }
        for one in findings.files
        if one.path in because
    ]
    if not bad:
        text = f"the profile {profile} asks for a signature or time-stamp, and none was found in the submission"
        return SignaturesNotAcceptedError(text, profile=profile, unsigned=True, documents=[])
    first = bad[0]
    more = f" and {len(bad) - 1} more" if len(bad) > 1 else ""
    why = (
        ", ".join([str(first["verdict"]), *first["sub_indications"]]) if first["sub_indications"] else first["verdict"]
    )
    text = f"the signatures in {str(first['path'])[:80]!a}{more} are not as the profile {profile} asks: {why}"
    return SignaturesNotAcceptedError(
        text, profile=profile, unsigned=findings.decision.unsigned, documents=bad[:_TOLD], count=len(bad)
    )


def _reason(one: FileExamination) -> str:
    return "a signature or time-stamp is broken" if one.verdict is Verdict.FAILED else "it could not be decided"


__all__ = ["CONTENT_DIGEST", "FORMAT", "MATERIAL", "REPORT", "Examining", "Findings", "found_files", "from_claim"]
