"""The examination of what is deposited: each file apart, detached signatures with the files they are over.

Rules kept here
 * Files are examined as they lie, never changed; each in a process of its own with limits.
 * A detached signature is tried over the files of the same deposit that it may be named after: `a.pdf` for
   `a.pdf.p7s` and `a.p7s`. Of several, the one whose digest fits counts.
 * What cannot be examined is told as such; only a file that cannot be read raises.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from datetime import datetime
from pathlib import Path

from archive_core.findings import Verdict
from archive_core.ports import FileExamination
from signing.examination.report_json import to_json
from signing.examination.request import NamedPath, Request, TrustGiven
from signing.examination.sandbox import Limits, examine_apart
from signing.examination.values import DocumentFormat, Examination


class DepositExaminer:
    """An `ExaminesDeposits`."""

    def __init__(self, trust: TrustGiven, *, limits: Limits | None = None) -> None:
        self._trust = trust
        self._limits = limits or Limits()

    def examine(self, files: Sequence[tuple[str, Path]], *, at: datetime) -> Sequence[FileExamination]:
        """Raises OSError when a file cannot be read and ValueError when what is to be trusted cannot be."""
        return [self._examined(name, path, files, at) for name, path in files]

    def _examined(self, name: str, path: Path, files: Sequence[tuple[str, Path]], at: datetime) -> FileExamination:
        detached = tuple(NamedPath(other, called) for called, other in _named_after(name, files))
        found = examine_apart(Request(NamedPath(path, name), at, detached, self._trust), self._limits)
        report = json.dumps(to_json(found), ensure_ascii=False, sort_keys=True, separators=(",", ":")) + "\n"
        return FileExamination(
            name, _verdict(found), found.examined, len(found.signatures), report.encode("utf-8", "backslashreplace")
        )


def _verdict(found: Examination) -> Verdict | None:
    """A format that is not known here (a picture, a text) is not examined, and that is no doubt about a signature."""
    foreign = not found.examined and found.complete and found.format is DocumentFormat.UNKNOWN
    return None if foreign else found.verdict


def _named_after(name: str, files: Sequence[tuple[str, Path]]) -> Iterator[tuple[str, Path]]:
    """The other files whose name, with or without its ending, is this one's without its ending."""
    stem = name.rpartition(".")[0]
    for called, path in files:
        if stem and called != name and stem in (called, called.rpartition(".")[0]):
            yield called, path
