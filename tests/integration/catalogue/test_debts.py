"""Debts of copies and locks: noted, noted again, paid, on both databases."""

from datetime import UTC, datetime, timedelta

import pytest

from archive_core.catalogue.catalogue import Catalogue
from archive_core.catalogue.rows import CopyDebt

AT = datetime(2026, 5, 1, tzinfo=UTC)
LATER = AT + timedelta(hours=1)


def test_a_debt_keeps_its_beginning_when_it_is_noted_again(catalogue: Catalogue) -> None:
    """Since when and why a store lacks something does not change by its lacking more."""
    catalogue.owe_copies([CopyDebt(store="s", storage_object="a", since=AT, error="away")])
    catalogue.owe_copies([CopyDebt(store="s", storage_object="a", since=LATER, error="other")])
    (debt,) = catalogue.copy_debts("s")
    assert (debt.since, debt.error, debt.noted) == (AT, "away", 2)


@pytest.mark.parametrize("again", [False, True])
def test_only_the_debt_that_was_read_is_forgotten(catalogue: Catalogue, again: bool) -> None:
    """What was noted again since then stays; other debts, and those of other stores, too."""
    debts = [CopyDebt(store=store, storage_object=name, since=AT) for store in ("s", "t") for name in ("a", "b")]
    catalogue.owe_copies(debts)
    read = catalogue.copy_debts("s")
    if again:
        catalogue.owe_copies([CopyDebt(store="s", storage_object="b", since=LATER)])
    catalogue.paid_copies("s", read)

    assert catalogue.owing_copies(["a", "b"]) == {("t", "a"), ("t", "b"), *([("s", "b")] if again else [])}
    catalogue.paid_copies("s", catalogue.copy_debts("s"))
    assert catalogue.owing_copies(["a", "b"]) == {("t", "a"), ("t", "b")}


@pytest.mark.parametrize("again", [False, True])
def test_only_the_lock_that_was_read_is_forgotten(catalogue: Catalogue, again: bool) -> None:
    """A version that came while the one before was being locked is still to be locked."""
    catalogue.owe_locks("s", ["a", "b"], AT)
    read = catalogue.lock_debts("s")
    if again:
        catalogue.owe_locks("s", ["a"], LATER)
    catalogue.paid_locks("s", read)
    assert [(debt.storage_object, debt.since) for debt in catalogue.lock_debts("s")] == ([("a", AT)] if again else [])
