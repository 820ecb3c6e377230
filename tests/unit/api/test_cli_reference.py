"""The reference of the command line is that of the program."""

from __future__ import annotations

import re

import pytest

from api.cli import CANCELLED
from api.cli.answers import BAD, GOOD, UNDECIDED, WAITS
from api.cli.commands import _PLACES, command
from api.cli.parser import (
    COMMANDS,
    FIXITY_COMMANDS,
    KEY_COMMANDS,
    LIST_COMMANDS,
    ORGANISATION_COMMANDS,
    QUARANTINE_COMMANDS,
    RENEWAL_COMMANDS,
    STORE_COMMANDS,
    WEBHOOK_COMMANDS,
)
from api.cli.run import INTERNAL
from tests.vectors import REPOSITORY
from tools import error_table

REFERENCE = REPOSITORY / "docs" / "reference"
CODES = re.compile(r"^\| (\d+) \| ", re.MULTILINE)


def test_the_table_of_errors_is_that_of_the_classes() -> None:
    """`python tools/error_table.py` writes it anew."""
    page = error_table.PAGE.read_text("utf-8")

    assert error_table.filled(page) == page
    assert len(error_table.classes()) > 25


def test_a_table_that_is_out_of_date_is_found() -> None:
    """One changed number or one missing row differs; a page without the place is refused."""
    page = error_table.PAGE.read_text("utf-8")

    assert error_table.filled(page.replace("| `fixity` | 90 |", "| `fixity` | 91 |")) == page
    with pytest.raises(ValueError, match="marks"):
        error_table.filled("# Exit codes\n")


def test_every_exit_code_is_explained_once() -> None:
    """Those of errors and those of answers, and no other."""
    page = error_table.PAGE.read_text("utf-8").partition("## Errors")[0]
    explained = [int(code) for code in CODES.findall(page)]
    used = {kind.exit_code for kind in error_table.classes()} | {GOOD, BAD, UNDECIDED, WAITS, INTERNAL, CANCELLED}

    assert len(explained) == len(set(explained))
    assert set(explained) == used


def test_every_command_is_in_the_reference() -> None:
    """With its two words where it has two."""
    page = (REFERENCE / "cli.md").read_text("utf-8")
    rows = {line.split("`")[1].split(" [")[0] for line in page.splitlines() if line.startswith("| `")}
    names = [one.name for one in COMMANDS] + [f"keys {one.name}" for one in KEY_COMMANDS]
    names += [f"webhooks {one.name}" for one in WEBHOOK_COMMANDS]
    names += [f"organisations {one.name}" for one in ORGANISATION_COMMANDS]
    names += [f"renewal {one.name}" for one in RENEWAL_COMMANDS]
    names += [f"fixity {one.name}" for one in FIXITY_COMMANDS]
    names += [f"quarantine {one.name}" for one in QUARANTINE_COMMANDS]
    names += [f"lists {one.name}" for one in LIST_COMMANDS]
    names += [f"stores {one.name}" for one in STORE_COMMANDS]

    assert [name for name in names if not any(row == name or row.startswith(f"{name} ") for row in rows)] == []


def test_every_command_has_its_function() -> None:
    """And no function is without command."""
    names = {one.name for one in COMMANDS} | {f"keys-{one.name}" for one in KEY_COMMANDS}
    names |= {f"webhooks-{one.name}" for one in WEBHOOK_COMMANDS}
    names |= {f"organisations-{one.name}" for one in ORGANISATION_COMMANDS}
    names |= {f"renewal-{one.name}" for one in RENEWAL_COMMANDS}
    names |= {f"fixity-{one.name}" for one in FIXITY_COMMANDS}
    names |= {f"quarantine-{one.name}" for one in QUARANTINE_COMMANDS}
    names |= {f"lists-{one.name}" for one in LIST_COMMANDS}
    names |= {f"stores-{one.name}" for one in STORE_COMMANDS}

    assert set(_PLACES) == names
    assert all(callable(command(name)) for name in names)
