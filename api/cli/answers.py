"""What several commands say alike."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from api.texts import marked, text

GOOD, BAD, UNDECIDED, WAITS = 0, 1, 3, 75
"""Exit codes that are not an error's: good, FAILED or findings, INDETERMINATE, waits for something."""

TEST_TRUST = marked("TEST TRUST: these time-stamps and seals prove nothing to anybody else.")


def table(heads: Sequence[str], rows: Sequence[Sequence[str]], *, right: Iterable[int] = ()) -> list[str]:
    """Rows under their headings, columns aligned; `right` names the columns of numbers. Nothing for no
    rows: whoever shows the table says what that means."""
    if not rows:
        return []
    lines = [[text(head) for head in heads], *rows]
    widths = [max(len(line[column]) for line in lines) for column in range(len(heads))]
    numbers = set(right)
    return [
        "  ".join(
            cell.rjust(width) if column in numbers else cell.ljust(width)
            for column, (cell, width) in enumerate(zip(line, widths, strict=True))
        ).rstrip()
        for line in lines
    ]
