"""What EU DSS says of the signatures in every third-party file, beside what we say, case by case.

The rules this module keeps:

* Both judges get the same file with the same detached data, no trust anchors, no network. Compared are facts of
  mathematics: for each signature whether its value is intact and whether its references are found and intact; for
  each time-stamp whether its imprint is found and intact and its signature intact. Trust is not compared.
* A case agrees when both say the same of the same number of signatures; where neither sees a signature (tokens,
  containers with time assertions), when both say the same of the time-stamps. The time-stamps inside signatures are
  counted apart. What DSS refuses to read, and where it lists nothing, agrees when we call nothing in it good.
* Nothing is left out in silence: cases that cannot be put to a judge are counted and named. Two things are arranged
  for DSS: it takes one datum beside a token, and it gets the token out of a TimeStampResp. The stamp inside the XML
  of a data-box message is left out of the comparison, because DSS never looks there.
* Each disagreement has its explanation below, or it is an error. A signature that we call intact and DSS does not
  is never explained away.

Run `python -m tests.interop.signature_agreement [TABLE.md]` to write the table anew (about two minutes).
"""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from asn1crypto import tsp

from policies import current_algorithms
from signing.examination.documents import Document
from signing.examination.registry import examine
from signing.examination.trust import ExaminationTrust
from signing.examination.values import Examination, Reference, SignatureExamination, TimestampExamination
from tests.vectors import REPOSITORY, available, missing

SUITES = ("dss-ades", "dss-er-embedded", "pyhanko-pdf", "eid-asic", "tsa-tokens", "cz-zfo", "trusted-lists")
AT = datetime(2026, 6, 1, tzinfo=UTC)
TABLE = Path(__file__).with_name("signature_agreement.md")
_BUILT = REPOSITORY / "build" / "interop" / "dss-signatures"
_PATIENCE = 280  # seconds for one virtual machine

EXPLAINED: dict[str, str] = {
    "signed-encrypted-pubkey-with-catalog-ref.pdf": "DSS cannot open it without the recipient's key; the signature is "
    "over the file's octets, so we judge it",
    "cades-broken-sig-tst-and-ats-v3.cms": "BouncyCastle refuses a token whose signing-time attribute is two seconds "
    "after the end of its certificate; genTime is before it, the value fits (OpenSSL agrees), and without a proof we "
    "say INDETERMINATE",
    "BadEncodedCMS.pdf": "the signer's certificate is no DER (padded serial number), so DSS lists nothing; we list "
    "signature and time-stamp, not intact",
    "1xTST-no-data-file.asics": "DSS lists no time-stamp where its data are not there; we list it, data not found",
    "timestamptoken-two-data-files.asics": "two data objects in an ASiC-S: DSS lists nothing, we list the time-stamp, "
    "data not found",
    "1xTST-and-XAdES-signature.asics": "DSS looks at the time-stamp alone; we look at the XAdES signature as well",
    "KS-19_IB-3721_bdoc21-TM-2fil-samename-1sig3.bdoc": "two entries of one name: we read no such ZIP file, because "
    "readers do not agree on which of them is meant; upstream expects it to be invalid, too",
    "datafile-name-in-signature-contains-path-separator.asice": "the signature names 00000705/a1b2…txt, the container "
    "holds a1b2…txt; DSS goes by the last part of the name, we by the name; upstream expects it to be invalid, too",
}
"""Why we differ from DSS, by the end of the case's name."""


@dataclass(frozen=True)
class Case:
    suite: str
    id: str
    expected: str
    file: Path
    data: tuple[Path, ...]

    @property
    def name(self) -> str:
        return f"{self.suite}: {self.file.name}"


def cases(suites: Sequence[str] = SUITES) -> tuple[list[Case], list[str]]:
    """Every case with one file, and the names of those without."""
    found: list[Case] = []
    left_out: list[str] = []
    for suite in suites:
        directory = available(suite)
        if directory is None:
            missing(f"vector suite {suite}")
            raise FileNotFoundError(suite)
        for case in json.loads((directory / "MANIFEST.json").read_text())["cases"]:
            if len(case["principal"]) != 1 or not (directory / case["principal"][0]).is_file():
                left_out.append(f"{suite}: {case['id']}")
                continue
            data = tuple(directory / one for one in _signed_data(suite, case))
            found.append(Case(suite, case["id"], case["expected"], directory / case["principal"][0], data))
    return found, left_out


def _signed_data(suite: str, case: dict[str, Any]) -> list[str]:
    """What the case's signatures are about: no evidence records; beside a token the one datum that is stamped."""
    listed = [one for one in case["data"] if not _is_evidence(one)]
    if suite != "tsa-tokens":
        return listed
    listed = [one for one in listed if Path(one).suffix not in (".crt", ".pem", ".cer", ".der", ".tsq")]
    told = case.get("collector_check", "")
    return [one for one in listed if told.endswith(f"matches {Path(one).name}")][:1] or listed[:1]


def _is_evidence(path: str) -> bool:
    """Evidence records beside a signature are no signed data."""
    return path.endswith(".ers") or "evidence-record" in path


# -- what is compared ---------------------------------------------------------------------------


@dataclass(frozen=True, order=True)
class SignatureFacts:
    counter: bool
    intact: bool
    found: bool
    fits: bool

    @property
    def compared(self) -> tuple[bool, bool, bool, bool]:
        """Of a broken signature it does not matter whether its data fit."""
        return (self.counter, self.intact, self.found, self.fits and self.intact)

    def __str__(self) -> str:
        words = "intact" if self.intact else "BROKEN"
        references = "found" if self.fits else ("differ" if self.found else "missing")
        return f"{'counter-' if self.counter else ''}signature {words}, data {references}"


@dataclass(frozen=True, order=True)
class StampFacts:
    found: bool
    fits: bool
    intact: bool

    def __str__(self) -> str:
        imprint = "fits" if self.fits else ("differs" if self.found else "without data")
        return f"stamp {'intact' if self.intact else 'BROKEN'}, {imprint}"


@dataclass(frozen=True)
class Facts:
    """What one judge says of one file. `format` is the judge's word for what it is."""

    signatures: tuple[SignatureFacts, ...]
    stamps: tuple[StampFacts, ...]
    format: str = ""
    note: str = ""

    def same(self, other: Facts) -> bool:
        """`other` is ours."""
        if self.note == "refused" or not (self.signatures or self.stamps):
            return not other.good and not any(one.intact and one.fits for one in other.stamps)
        if self.signatures or other.signatures:
            return sorted(one.compared for one in self.signatures) == sorted(one.compared for one in other.signatures)
        return self.stamps == other.stamps

    @property
    def good(self) -> int:
        """Signatures that are intact over data that are there."""
        return sum(one.intact and one.fits for one in self.signatures)

    def __str__(self) -> str:
        counted = Counter(str(one) for one in (*self.signatures, *self.stamps))
        words = "; ".join(f"{count} × {text}" if count > 1 else text for text, count in counted.items())
        return words or self.note or "no signature"


def dss_facts(wanted: Iterable[Case]) -> dict[str, Facts]:
    """Ask EU DSS about every case, in one virtual machine."""
    wanted = list(wanted)
    with tempfile.TemporaryDirectory(prefix="agreement-") as directory:
        files = {one.id: _for_dss(one, Path(directory) / str(index)) for index, one in enumerate(wanted)}
        lines = "".join("\t".join([one.id, str(files[one.id]), *map(str, one.data)]) + "\n" for one in wanted)
        answers = {answer["job"]: _dss_facts(answer) for answer in _asked(lines)}
    if set(answers) != {one.id for one in wanted}:
        raise RuntimeError(f"EU DSS answered {len(answers)} of {len(wanted)} jobs")
    return answers


def _for_dss(case: Case, place: Path) -> Path:
    """The file itself, or the token out of a TimeStampResp, which DSS does not read."""
    if case.suite != "tsa-tokens":
        return case.file
    try:
        response = tsp.TimeStampResp.load(case.file.read_bytes(), strict=True)
        token = response["time_stamp_token"].dump()
        response["status"]["status"].native  # noqa: B018 - a token alone has no status
    except (ValueError, TypeError):
        return case.file
    place.write_bytes(token)
    return place


def _asked(lines: str) -> list[dict[str, Any]]:
    return java("DssSignatureJudge", lines=lines)


def java(program: str, *arguments: str, lines: str) -> list[dict[str, Any]]:
    """What one of the programs on EU DSS answers to these lines."""
    if shutil.which("java") is None or not (_BUILT / "classes" / f"{program}.class").is_file():
        missing(f"{program} on EU DSS (run tests/interop/install.sh)")
    path = f"{_BUILT / 'classes'}:{_BUILT / 'lib' / '*'}"
    options = ["-XX:TieredStopAtLevel=1", "-XX:+UseSerialGC", "-Xmx1500m", "-cp", path]
    done = subprocess.run(
        ["java", *options, program, *arguments],
        input=lines,
        capture_output=True,
        text=True,
        timeout=_PATIENCE,
        check=False,
    )
    if done.returncode != 0:
        raise RuntimeError(f"EU DSS broke down ({done.returncode}): {done.stderr.strip()[-2000:]}")
    return [json.loads(line) for line in done.stdout.splitlines()]


def _dss_facts(answer: dict[str, Any]) -> Facts:
    signatures = [
        SignatureFacts(
            one["counter"],
            one["intact"],
            all(reference["found"] for reference in one["references"]),
            all(reference["found"] and reference["intact"] for reference in one["references"]),
        )
        for one in answer["signatures"]
    ]
    stamps = [
        StampFacts(one["imprint_found"], one["imprint_intact"], one["intact"])
        for one in answer["timestamps"]
        if not one["type"].startswith("EVIDENCE_RECORD")
    ]
    formats = "/".join(sorted({str(one["format"]) for one in answer["signatures"]}))
    return Facts(tuple(sorted(signatures)), tuple(sorted(stamps)), formats, "refused" if answer["error"] else "")


def our_facts(examination: Examination) -> Facts:
    inside = [stamp for one in examination.signatures for stamp in one.timestamps]
    outside = [one for one in examination.timestamps if one.id != "message time-stamp"]
    stamps = [_stamp(one) for one in (*inside, *outside)]
    faults = [one.message for one in examination.findings if one.code == "EXAMINER_FAULT"]
    note = f"FAULT {faults[0]}" if faults else ("" if examination.examined else "not examined")
    return Facts(
        tuple(sorted(_signature(one) for one in examination.signatures)),
        tuple(sorted(stamps)),
        str(examination.format),
        note,
    )


def _signature(one: SignatureExamination) -> SignatureFacts:
    return SignatureFacts(bool(one.parent), one.signature_intact, one.references_found, one.references_intact)


def _stamp(one: TimestampExamination) -> StampFacts:
    direct = [reference for reference in one.references if not reference.indirect]
    return StampFacts(_all(direct, found=True), _all(direct, found=False), one.signature_intact)


def _all(references: Sequence[Reference], *, found: bool) -> bool:
    return bool(references) and all(one.found if found else one.found and one.intact for one in references)


def ours(case: Case) -> Facts:
    trust = ExaminationTrust((), algorithms=current_algorithms())
    detached = [Document(path.name, path) for path in case.data]
    return our_facts(examine(Document(case.file.name, case.file), detached=detached, trust=trust, at=AT))


# -- the table ----------------------------------------------------------------------------------


@dataclass(frozen=True)
class Row:
    case: Case
    dss: Facts
    ours: Facts

    @property
    def agrees(self) -> bool:
        return self.dss.same(self.ours)

    @property
    def stamps_agree(self) -> bool:
        return self.dss.stamps == self.ours.stamps

    @property
    def called_good(self) -> int:
        """Signatures that we call good and DSS, which lists as many, does not."""
        return max(0, self.ours.good - self.dss.good) if self.dss.signatures else 0

    @property
    def explanation(self) -> str:
        return next((why for end, why in EXPLAINED.items() if self.case.id.endswith(end)), "")


def rows(wanted: Sequence[Case]) -> list[Row]:
    dss = dss_facts(wanted)
    return [Row(case, dss[case.id], ours(case)) for case in wanted]


def denominators(table: Iterable[Row]) -> dict[str, tuple[int, int]]:
    """Cases that agree, of how many, by suite and by our word for the format."""
    counted: dict[str, list[bool]] = {}
    for row in table:
        for key in (f"suite {row.case.suite}", f"format {row.ours.format}", "all"):
            counted.setdefault(key, []).append(row.agrees)
    return {key: (sum(agreed), len(agreed)) for key, agreed in sorted(counted.items())}


def written(table: Sequence[Row], left_out: Sequence[str]) -> str:
    """The table as Markdown."""
    agreed, count = denominators(table)["all"]
    lines = [
        "# Signatures: EU DSS 6.4 and we, case by case",
        "",
        f"Signature intact and signed data found alike: {agreed} of {count} files ({agreed / count:.1%}).",
        "",
        "Written by `python -m tests.interop.signature_agreement`. Compared are facts of mathematics without trust:",
        "signature intact, signed data found, time-stamps intact and over what they should cover. Cases are files of",
        "`../shared/vectors`; *expected* is the manifest's word, which often speaks of more than that.",
        "",
        "| of | agree | cases | share |",
        "| --- | --- | --- | --- |",
    ]
    for key, (same, of) in denominators(table).items():
        lines.append(f"| {key} | {same} | {of} | {same / of:.1%} |")
    wrong = sum(row.called_good for row in table)
    judged = [row for row in table if row.dss.note != "refused"]
    stamped = sum(row.stamps_agree for row in judged)
    lines += ["", f"Signatures called good that DSS does not call good: {wrong}.", ""]
    lines += [f"All time-stamps in a file alike: {stamped} of {len(judged)} files that DSS reads."]
    lines += ["", "## Where we differ", ""]
    for row in table:
        if not row.agrees:
            lines.append(f"- {row.case.name}: {row.explanation or 'NOT EXPLAINED'}")
            lines.append(f"  (DSS: {row.dss}; we: {row.ours}; expected: {row.case.expected})")
    lines += ["", "## Where only time-stamps differ", ""]
    for row in judged:
        if row.agrees and not row.stamps_agree:
            lines.append(f"- {row.case.name}: {row.explanation or 'NOT EXPLAINED'}")
            lines.append(f"  (DSS: {row.dss}; we: {row.ours}; expected: {row.case.expected})")
    lines += ["", "## Left out", ""]
    lines += [f"- {name}: no file to examine" for name in left_out] or ["Nothing."]
    lines += ["", "## All cases", "", "| case | expected | DSS | we | |", "| --- | --- | --- | --- | --- |"]
    for row in table:
        mark = "same" if row.agrees else "differs"
        lines.append(f"| {row.case.name} | {_cell(row.case.expected)} | {row.dss} | {row.ours} | {mark} |")
    return "\n".join(lines) + "\n"


def _cell(text: str) -> str:
    return text.replace("|", "/")[:60]


def main(arguments: Sequence[str]) -> int:
    wanted, left_out = cases()
    table = rows(wanted)
    text = written(table, left_out)
    (Path(arguments[0]) if arguments else TABLE).write_text(text, encoding="utf-8")
    print(text.split("## All cases")[0])
    unexplained = [row for row in table if not row.agrees and not row.explanation]
    return 1 if unexplained or any(row.called_good for row in table) else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
