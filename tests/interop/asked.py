"""EU DSS asked about whole files: signatures, time-stamps and evidence records, given whom to trust."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.interop.signature_agreement import java


@dataclass(frozen=True)
class Question:
    """A file, the data that it is over, certificates to trust and revocation lists (DER or PEM, as files)."""

    file: Path
    detached: Sequence[Path] = ()
    cas: Sequence[Path] = ()
    crls: Sequence[Path] = ()


def dss_says(questions: Mapping[str, Question]) -> dict[str, dict[str, Any]]:
    """The judge's answers by the questions' names; one virtual machine answers all. See DssSignatureJudge.java."""
    lines = []
    for name, question in questions.items():
        trust = [f"--ca={path}" for path in question.cas] + [f"--crl={path}" for path in question.crls]
        lines.append("\t".join([name, str(question.file), *map(str, question.detached), *trust]) + "\n")
    answers = {answer["job"]: answer for answer in java("DssSignatureJudge", lines="".join(lines))}
    if sorted(answers) != sorted(questions):
        raise RuntimeError(f"EU DSS answered {len(answers)} of {len(questions)} questions")
    return answers
