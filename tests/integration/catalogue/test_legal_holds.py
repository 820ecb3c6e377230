"""Legal holds in the catalogue: what their events say, and who comes first, on both databases."""

from __future__ import annotations

import threading
from typing import Any

import pytest

from archive_core.catalogue import Catalogue
from archive_core.catalogue.holds import HoldState
from archive_core.catalogue.rows import EventRow, TombstoneRow
from archive_core.errors import ArchiveError, ConflictError, DestructionBegunError, UnderLegalHoldError
from archive_core.identifiers import tombstone_object
from tests.catalogue_rows import ORG, START, entry, event_row, later, poid, segment_row, sequenced, version_row


def of_hold(number: int, code: str, hold: str = "hold-1", about: int = 1, **changes: Any) -> EventRow:
    """An event that places or lifts a hold of an object."""
    row = version_row(about)
    rest: dict[str, Any] = {"detail": {"hold": hold.upper(), "reason": "court", "user": "jana"}, **changes}
    return event_row(number, row, type="legal hold", code=code, subject=hold, version=None, **rest)


def sequence(catalogue: Catalogue) -> None:
    """Everything that waits comes into the trail."""
    pending, last = catalogue.pending_events(), catalogue.last_segment()
    first, number = (last.size, last.number + 1) if last else (0, 1)
    catalogue.sequence_events(sequenced(pending, first), segment_row(number, first, len(pending)))


def destruction(number: int) -> TombstoneRow:
    return TombstoneRow(poid=poid(number), storage_object=tombstone_object(poid(number)), asked_at=START)


@pytest.fixture(autouse=True)
def objects(catalogue: Catalogue) -> None:
    """Two objects, of one organisation."""
    catalogue.enter_versions([entry(1), entry(2)])


def test_a_hold_is_what_its_events_say(catalogue: Catalogue) -> None:
    """Since when, by whom, and what can be erased; of an object that has none there is nothing."""
    catalogue.enter_hold_events([of_hold(901, "placed")], [], START)
    (hold,) = catalogue.legal_holds()

    assert (hold.poid, hold.hold, hold.since, hold.by) == (poid(1), "hold-1", later(901), "key-1")
    assert (hold.name, hold.reason, hold.who, hold.lifting) == ("HOLD-1", "court", {"user": "jana"}, False)
    assert catalogue.legal_holds([poid(2)]) == []
    assert catalogue.legal_holds(originator=ORG) == [hold]
    assert catalogue.legal_holds(originator="another") == []
    assert (catalogue.hold_state(poid(1)), catalogue.hold_state(poid(2))) == (HoldState.HELD, HoldState.NEVER)


def test_a_hold_whose_detail_was_erased_holds(catalogue: Catalogue) -> None:
    """Only its name and reason are gone; it is lifted by its id."""
    catalogue.enter_hold_events([of_hold(901, "placed", detail=None)], [], START)
    (hold,) = catalogue.legal_holds([poid(1)])

    assert (hold.hold, hold.name, hold.reason) == ("hold-1", None, None)
    with pytest.raises(UnderLegalHoldError) as refused:
        catalogue.begin_destruction(destruction(1))
    assert refused.value.facts["holds"] == ["hold-1"]


def test_a_lift_counts_only_once_it_is_in_the_trail(catalogue: Catalogue) -> None:
    """Until then the object is held and said to be; afterwards it is known to have been."""
    catalogue.enter_hold_events([of_hold(901, "placed"), of_hold(902, "placed", "hold-2")], [], START)
    catalogue.enter_hold_events([of_hold(903, "lifted")], [], START)
    assert [(hold.hold, hold.lifting) for hold in catalogue.legal_holds()] == [("hold-1", True), ("hold-2", False)]
    assert catalogue.hold_state(poid(1)) is HoldState.HELD
    catalogue.enter_hold_events([of_hold(904, "lifted", "hold-2")], [], START)
    assert catalogue.hold_state(poid(1)) is HoldState.LIFTING
    with pytest.raises(UnderLegalHoldError):
        catalogue.begin_destruction(destruction(1))
    sequence(catalogue)

    assert catalogue.hold_state(poid(1)) is HoldState.LIFTED
    assert catalogue.legal_holds([poid(1)]) == []
    catalogue.begin_destruction(destruction(1))
    assert [row.poid for row in catalogue.destructions_under_way()] == [poid(1)]


def test_an_attempt_that_failed_holds_nothing(catalogue: Catalogue) -> None:
    catalogue.record_events([of_hold(901, "placed", outcome="failure")])
    assert catalogue.legal_holds() == []


def test_what_is_about_to_be_destroyed_takes_no_hold(catalogue: Catalogue) -> None:
    """Nor does anything that is named with it; nothing is recorded and nothing owed."""
    catalogue.begin_destruction(destruction(1))
    rows = [of_hold(901, "placed", "hold-1", 2), of_hold(902, "placed", "hold-2", 1)]
    with pytest.raises(DestructionBegunError):
        catalogue.enter_hold_events(rows, ["two"], START)
    assert catalogue.legal_holds() == []
    assert catalogue.lock_debts("two") == []
    catalogue.withdraw_destruction(poid(1))
    catalogue.enter_hold_events(rows, ["two"], START)
    assert [debt.storage_object for debt in catalogue.lock_debts("two")] == sorted(
        version_row(number).storage_object for number in (1, 2)
    )


def test_a_hold_and_a_destruction_at_once(catalogue: Catalogue, database_url: str) -> None:
    """Whoever comes first, the other is refused: never both, never none."""
    for number in range(10, 22):
        catalogue.enter_versions([entry(number)])
        barrier = threading.Barrier(2, timeout=60)
        refused: list[ArchiveError] = []

        def act(what: Any, barrier: threading.Barrier = barrier, refused: list[ArchiveError] = refused) -> None:
            mine = Catalogue.open(database_url)
            barrier.wait()
            try:
                what(mine)
            except ConflictError as error:
                refused.append(error)
            finally:
                mine.close()

        hold = of_hold(2000 + number, "placed", f"hold-{number}", number)
        threads = [
            threading.Thread(target=act, args=(lambda mine, row=hold: mine.enter_hold_events([row], [], START),)),
            threading.Thread(target=act, args=(lambda mine, n=number: mine.begin_destruction(destruction(n)),)),
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        held = bool(catalogue.legal_holds([poid(number)]))
        begun = poid(number) in {row.poid for row in catalogue.destructions_under_way()}
        assert (len(refused), held != begun) == (1, True)
