"""Write the table of errors in docs/reference/exit-codes.md from the classes themselves.

Run it after an error was added or changed: `python tools/error_table.py`. A test holds that it was run.
"""

from __future__ import annotations

import inspect
from pathlib import Path

from archive_core import errors

PAGE = Path(__file__).resolve().parents[1] / "docs" / "reference" / "exit-codes.md"
BEGIN, END = "<!-- errors: made by tools/error_table.py -->\n", "<!-- /errors -->"


def classes() -> list[type[errors.ArchiveError]]:
    """Every error of the core, in the order in which the module defines them."""
    return [
        kind
        for kind in vars(errors).values()
        if inspect.isclass(kind) and issubclass(kind, errors.ArchiveError) and kind.__module__ == errors.__name__
    ]


def table() -> str:
    """The table as Markdown."""
    rows = ["| code | exit | HTTP | meaning |", "| --- | --- | --- | --- |"]
    for kind in classes():
        meaning = " ".join((inspect.getdoc(kind) or "").split()).replace("|", "\\|")
        rows.append(f"| `{kind('').code}` | {kind.exit_code} | {kind.http_status} | {meaning} |")
    return "\n".join(rows) + "\n"


def filled(page: str) -> str:
    """The page with the table in its place; raises ValueError when the page has no such place."""
    before, _, rest = page.partition(BEGIN)
    _, found, after = rest.partition(END)
    if not found:
        raise ValueError(f"{PAGE} lacks the marks between which the table stands")
    return before + BEGIN + "\n" + table() + "\n" + END + after


if __name__ == "__main__":
    PAGE.write_text(filled(PAGE.read_text("utf-8")), "utf-8")
