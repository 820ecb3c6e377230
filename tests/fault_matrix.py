"""Which fault is tried on which operation, by which test: a table that the tests themselves make.

The rules this module keeps
 * A test says with the marks `operation` and `fault`, on itself or on its parameters, which cells of the table it is
   about. `cells_of_modules` reads the marks; nothing is listed by hand.
 * What is marked must have happened: a test of the table tells `met` each fault that it has seen strike, and fails when
   a cell that it names was not met.
 * A cell without a test, or without a sample in the suite, is an error unless `CANNOT_BE` or `ONLY_SOAK` says why there
   is none; so is a reason for a cell that has one.
 * `python -m tests.fault_matrix` writes docs/reference/fault-matrix.md; a test holds that it was done.
"""

from __future__ import annotations

import enum
import importlib
import itertools
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

TESTS = Path(__file__).resolve().parent
PAGE = TESTS.parent / "docs" / "reference" / "fault-matrix.md"


class Operation(enum.StrEnum):
    """What is under way when a fault comes."""

    DEPOSIT = "deposit"
    GROUP = "deposits together"
    UPDATE = "update"
    PRESERVE = "preserve"
    FLUSH = "trail segment"
    RENEW = "time-stamp renewal"
    REHASH = "hash-tree renewal"
    DESTROY = "destruction"
    REPAIR = "repair"
    FILL = "filling a store"
    DRAIN = "draining a store"


class Fault(enum.StrEnum):
    """What comes in between."""

    NOT_PERSISTED = "error, not persisted"
    PERSISTED = "error, but persisted"
    KILL = "kill -9"
    POWER = "power cut"
    DATABASE = "database lost"
    FULL = "disk full"
    EIO = "disk dying (EIO)"
    SLOW = "slow store"
    S3_500 = "S3 500"
    S3_503 = "S3 503"
    S3_TIMEOUT = "S3 time-out"
    S3_TRUNCATED = "S3 body cut off"
    S3_SKEW = "S3 clock skew"
    S3_LOST = "S3 answer lost"


MEANINGS = {
    Fault.NOT_PERSISTED: "a disk operation or a commit fails and has done nothing",
    Fault.PERSISTED: "a disk operation or a commit fails and has done its work all the same",
    Fault.KILL: "the process ends at a durable step, as SIGKILL ends it: nothing is tidied up, no lock is given back",
    Fault.POWER: "the machine ends at a durable step; of what was not synced all, the contents, the names or an "
    "arbitrary part are lost",
    Fault.DATABASE: "PostgreSQL goes away before or after a commit",
    Fault.FULL: "from a step on the disk of a store takes nothing more, and half of the file that was being written is "
    "there; the catalogue lies on the disk of the first store",
    Fault.EIO: "from a step on every operation on a store's disk fails, reading too",
    Fault.SLOW: "a step of a store takes five minutes, longer than a lease; meanwhile another process does the same "
    "work. Or it takes two hours, and meanwhile somebody audits",
    Fault.S3_500: "a request is answered with 500",
    Fault.S3_503: "a request is answered with 503",
    Fault.S3_TIMEOUT: "a request is answered after the time-out",
    Fault.S3_TRUNCATED: "the body of an answer ends half way",
    Fault.S3_SKEW: "a request is refused because the clocks differ too much",
    Fault.S3_LOST: "a request is carried out and never answered",
}

Cell = tuple[Operation, Fault]

S3_FAULTS = tuple(one for one in Fault if one.startswith("S3 "))


def s3_sample(operation: Operation) -> tuple[Fault, ...]:
    """The half of the faults of a bucket that the suite tries on an operation; neighbours have different halves."""
    return S3_FAULTS[list(Operation).index(operation) % 2 :: 2]


CANNOT_BE: Mapping[Cell, str] = {}
"""Cells that no test can fill, with the reason."""

ONLY_SOAK: Mapping[Cell, str] = {
    (
        operation,
        one,
    ): "the suite tries one half of the faults of a bucket on one half of the operations, the soak all on all"
    for operation in Operation
    for one in S3_FAULTS
    if one not in s3_sample(operation)
} | {
    (operation, Fault.DATABASE): "its commits are made as those of its neighbour in the table, which the suite tries"
    for operation in (Operation.REHASH, Operation.DESTROY, Operation.FILL)
}
"""Cells of which the suite has no sample, with the reason."""


def operation(*operations: Operation) -> pytest.MarkDecorator:
    """The test, or the value of a parameter, is about these."""
    return pytest.mark.operation(*operations)


def fault(*faults: Fault) -> pytest.MarkDecorator:
    """The test, or the value of a parameter, lets these come."""
    return pytest.mark.fault(*faults)


def cell(*cells: Cell) -> pytest.MarkDecorator:
    """The test is about these cells, where `operation` and `fault` would be about more."""
    return pytest.mark.cell(*cells)


def cases(marked: Mapping[Any, Operation | Fault | Sequence[Operation] | Sequence[Fault]]) -> list[Any]:
    """The values for `parametrize`, each with its mark."""
    return [pytest.param(value, marks=_mark(meant)) for value, meant in marked.items()]


def _mark(meant: Operation | Fault | Sequence[Operation] | Sequence[Fault]) -> pytest.MarkDecorator:
    listed: Sequence[Operation | Fault] = [meant] if isinstance(meant, (Operation, Fault)) else meant
    name = "operation" if isinstance(listed[0], Operation) else "fault"
    return getattr(pytest.mark, name)(*listed)  # type: ignore[no-any-return]


# -- what happened ----------------------------------------------------------------------------

_MET: set[Cell] = set()


def met(operation: Operation, fault: Fault) -> None:
    """The fault has struck while that was under way."""
    _MET.add((operation, fault))


def marked(item: pytest.Item) -> set[Cell]:
    """The cells that a test is about."""
    return _cells(item.iter_markers())


def forget() -> None:
    """Nothing has struck yet: a test begins."""
    _MET.clear()


def require_met(item: pytest.Item) -> None:
    """Fails a test that has ended well although a fault that it is marked with did not come."""
    if missed := sorted(f"{operation} × {fault}" for operation, fault in marked(item) - _MET):
        pytest.fail("marked and never met: " + ", ".join(missed), pytrace=False)


# -- the table --------------------------------------------------------------------------------


@dataclass(slots=True)
class Filling:
    """The tests of a cell: in every run of the suite, and those that try every step."""

    suite: set[str] = field(default_factory=set)
    soak: set[str] = field(default_factory=set)


def cells_of_modules(modules: Iterable[str] | None = None) -> dict[Cell, Filling]:
    """The table, from the marks in the modules; by default in all that use them."""
    table: dict[Cell, Filling] = {}
    for name in modules or users():
        module = importlib.import_module(name)
        for function in vars(module).values():
            if not getattr(function, "__name__", "").startswith("test_") or function.__module__ != name:
                continue
            where = f"{name.replace('.', '/')}.py::{function.__name__}"
            for marks in _variants([*_listed(module), *_listed(function)]):
                soak = any(mark.name == "soak" for mark in marks)
                for cell in _cells(marks):
                    filling = table.setdefault(cell, Filling())
                    (filling.soak if soak else filling.suite).add(where)
    return table


def users() -> list[str]:
    """The modules of tests that use the marks."""
    found = [
        path.relative_to(TESTS.parent)
        for path in sorted(TESTS.rglob("test_*.py"))
        if "from tests.fault_matrix import" in path.read_text("utf-8") and path.parent.name != "unit"
    ]
    return [".".join(path.with_suffix("").parts) for path in found]


def _listed(marked: Any) -> list[pytest.Mark]:
    given = getattr(marked, "pytestmark", [])
    listed = given if isinstance(given, list) else [given]
    return [mark.mark if isinstance(mark, pytest.MarkDecorator) else mark for mark in listed]


def _variants(marks: Sequence[pytest.Mark]) -> Iterator[list[pytest.Mark]]:
    """The marks of each of the tests that parameters make of a function."""
    plain = [mark for mark in marks if mark.name != "parametrize"]
    choices: list[list[list[pytest.Mark]]] = []
    for mark in marks:
        if mark.name == "parametrize":
            choices.append([_marks_of(value) for value in mark.args[1]])
    for chosen in itertools.product(*choices):
        yield [*plain, *itertools.chain.from_iterable(chosen)]


def _marks_of(value: Any) -> list[pytest.Mark]:
    return [getattr(mark, "mark", mark) for mark in getattr(value, "marks", ())]


def _cells(marks: Iterable[pytest.Mark]) -> set[Cell]:
    listed = list(marks)
    operations = {one for mark in listed if mark.name == "operation" for one in mark.args}
    faults = {one for mark in listed if mark.name == "fault" for one in mark.args}
    single = {one for mark in listed if mark.name == "cell" for one in mark.args}
    return single | set(itertools.product(operations, faults))


def empty(
    table: Mapping[Cell, Filling],
    cannot_be: Mapping[Cell, str] = CANNOT_BE,
    only_soak: Mapping[Cell, str] = ONLY_SOAK,
) -> list[str]:
    """What is wrong with the table, cell by cell."""
    wrong = []
    for cell in itertools.product(Operation, Fault):
        name = f"{cell[0]} × {cell[1]}"
        filling = table.get(cell, Filling())
        if cell in cannot_be:
            if filling.suite or filling.soak:
                wrong.append(f"{name}: it is said that it cannot be, and it is tested")
            continue
        if filling.suite and cell in only_soak:
            wrong.append(f"{name}: it is said that the suite has no sample of it, and it has one")
        if not filling.suite and cell not in only_soak:
            wrong.append(f"{name}: no test of the suite")
        if not filling.soak:
            wrong.append(f"{name}: no test of every step")
    return wrong


# -- the page ---------------------------------------------------------------------------------

HEAD = """\
# What is broken on purpose, and where

<!-- made by `python -m tests.fault_matrix` from the marks of the tests: change them there -->

Every operation that makes something durable is broken by every fault that may come to it. A number in the table leads
to the tests below: before the stroke those that run with every change and try a sample of the steps, behind it those
that try every step (`make soak`, hours; `make soak STRIDE=10` every tenth). A test fails when a fault for which it
stands here did not strike, and another one fails when a cell is empty.

After each fault the same work is asked for again, as people do. Then everything that was acknowledged is there, on
every store alone, and proven; nothing is there half or twice; an audit finds nothing.

"""


def page() -> str:
    """The table for people."""
    table = cells_of_modules()
    numbers = {
        where: number
        for number, where in enumerate(
            sorted({one for filling in table.values() for one in filling.suite | filling.soak}), 1
        )
    }
    columns = list(Operation)
    lines = ["| fault | " + " | ".join(columns) + " |", "| --- |" + " --- |" * len(columns)]
    reasons: list[str] = []
    for one in Fault:
        row = [_entry(table, (other, one), numbers, reasons) for other in columns]
        lines.append(f"| {one} | " + " | ".join(row) + " |")
    said = ["", "Where nothing stands before the stroke:", ""]
    said += [f"- {reason}" for reason in dict.fromkeys(ONLY_SOAK.values())]
    said += ["", "## The faults", "", "| fault | what happens |", "| --- | --- |"]
    said += [f"| {one} | {MEANINGS[one]} |" for one in Fault]
    if reasons:
        said += ["", "## What cannot be", "", *(f"- {letter}: {text}" for letter, text in _lettered(reasons))]
    said += ["", "## The tests", "", *(f"{number}. `{where}`" for where, number in numbers.items()), ""]
    return HEAD + "\n".join([*lines, *said])


def _entry(table: Mapping[Cell, Filling], cell: Cell, numbers: Mapping[str, int], reasons: list[str]) -> str:
    if reason := CANNOT_BE.get(cell):
        if reason not in reasons:
            reasons.append(reason)
        return next(letter for letter, text in _lettered(reasons) if text == reason)
    filling = table.get(cell, Filling())
    return " / ".join(
        " ".join(str(numbers[where]) for where in sorted(part, key=numbers.__getitem__)) or "–"
        for part in (filling.suite, filling.soak)
    )


def _lettered(reasons: Sequence[str]) -> Iterator[tuple[str, str]]:
    return zip("abcdefghijklmnopqrstuvwxyz", reasons, strict=False)


if __name__ == "__main__":
    PAGE.write_text(page(), "utf-8")
    if wrong := empty(cells_of_modules()):
        sys.exit("\n".join(wrong))
