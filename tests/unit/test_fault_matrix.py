"""The table of faults has no empty cell, says what the tests say, and would say so if that changed."""

from __future__ import annotations

import itertools
import sys
import types

import pytest

from tests import fault_matrix
from tests.fault_matrix import PAGE, Fault, Filling, Operation, cases, cells_of_modules, empty, fault, met, page


@pytest.mark.slow
def test_every_operation_meets_every_fault() -> None:
    """Each cell has a test of the suite and one that tries every step, or a reason."""
    assert empty(cells_of_modules()) == []


@pytest.mark.slow
def test_the_page_is_what_the_tests_say() -> None:
    """Whoever marks a test anew runs `python -m tests.fault_matrix`."""
    assert PAGE.read_text("utf-8") == page()


def test_an_empty_cell_is_named() -> None:
    """Without its test, without its soak, and with a reason that is none."""
    cells = list(itertools.product(Operation, Fault))
    table = {cell: Filling({"a"}, {"b"}) for cell in cells}
    assert empty(table, {}, {}) == []
    del table[Operation.REPAIR, Fault.FULL]
    table[Operation.DRAIN, Fault.KILL] = Filling({"a"}, set())
    table[Operation.FILL, Fault.KILL] = Filling(set(), {"b"})
    wrong = empty(
        table,
        {(Operation.UPDATE, Fault.SLOW): "why not"},
        {(Operation.FILL, Fault.KILL): "dear", (Operation.DEPOSIT, Fault.EIO): "dear, too"},
    )

    assert wrong == [
        "deposit × disk dying (EIO): it is said that the suite has no sample of it, and it has one",
        "update × slow store: it is said that it cannot be, and it is tested",
        "repair × disk full: no test of the suite",
        "repair × disk full: no test of every step",
        "draining a store × kill -9: no test of every step",
    ]


def test_marks_of_parameters_make_cells(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each value of a parameter stands for its own cell, and what is a soak is none of the suite."""
    module = types.ModuleType("made")
    module.pytestmark = fault(Fault.KILL)  # type: ignore[attr-defined]

    @pytest.mark.parametrize("name", cases({"a": Operation.UPDATE, "b": Operation.RENEW}))
    @pytest.mark.parametrize("moment", [1, pytest.param(2, marks=pytest.mark.soak)])
    def test_made(name: str, moment: int) -> None: ...

    test_made.__module__ = "made"
    module.test_made = test_made  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "made", module)
    table = cells_of_modules(["made"])

    assert set(table) == {(Operation.UPDATE, Fault.KILL), (Operation.RENEW, Fault.KILL)}
    assert all(one.suite == one.soak == {"made.py::test_made"} for one in table.values())


def test_a_fault_that_did_not_come_fails_its_test(request: pytest.FixtureRequest) -> None:
    """Also when another one did."""
    item = request.node
    item.add_marker(fault(Fault.FULL, Fault.EIO))
    item.add_marker(fault_matrix.operation(Operation.REPAIR))
    met(Operation.REPAIR, Fault.FULL)
    with pytest.raises(pytest.fail.Exception, match=r"never met: repair × disk dying \(EIO\)$"):
        fault_matrix.require_met(item)
    met(Operation.REPAIR, Fault.EIO)
    fault_matrix.require_met(item)
