"""The arithmetic of the page of promises is computed, and counts what a simulation of the same rules counts."""

from __future__ import annotations

import math

import pytest

from tools import durability_table
from tools.durability_table import PAGE, damaged_part, losses, page, simulated

DOCUMENTS, YEARS = 20_000, 20.0


def test_the_page_says_what_the_formula_says(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever changes the model runs `python tools/durability_table.py`; a page of another model is found out."""
    assert PAGE.read_text("utf-8") == page()
    monkeypatch.setattr(durability_table, "DAYS", 300.0)
    assert PAGE.read_text("utf-8") != page()


@pytest.mark.slow
@pytest.mark.parametrize(("stores", "rate", "cycle", "wait"), [(2, 0.1, 90, 7), (2, 0.05, 30, 60), (3, 0.3, 90, 7)])
def test_the_formula_counts_what_a_simulation_counts(stores: int, rate: float, cycle: int, wait: int) -> None:
    """Within four standard deviations and the error of a formula of first order. The rates are high, so that there is
    something to count."""
    expected = losses(stores, rate, cycle, wait) * DOCUMENTS * YEARS
    counted = simulated(stores, rate, cycle, wait, documents=DOCUMENTS, years=YEARS, seed=20260701)

    assert expected > 100
    assert abs(counted - expected) < 4 * math.sqrt(expected) + stores * damaged_part(rate, cycle, wait) * expected


def test_a_copy_more_is_worth_more_than_reading_more_often() -> None:
    """What the page says of it; and less is worse."""
    assert losses(2, 1e-5, 90, 0) / losses(2, 1e-5, 30, 0) == pytest.approx(3)
    assert losses(3, 1e-5, 90, 0) / losses(3, 1e-5, 30, 0) == pytest.approx(9)
    assert losses(3, 1e-5, 365, 30) < losses(2, 1e-5, 30, 1)
