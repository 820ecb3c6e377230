"""Versions and files: commit A and the questions about objects."""

from __future__ import annotations

from dataclasses import replace

import pytest

from archive_core.catalogue import Catalogue
from archive_core.catalogue.rows import PrefixRecordRow, StateCounts
from archive_core.errors import (
    ConcurrentChangeError,
    UnknownObjectError,
    UsageError,
)
from tests.catalogue_rows import (
    ORG,
    OTHER,
    START,
    batch_row,
    description,
    entry,
    event_row,
    file_rows,
    later,
    line_rows,
    poid,
    stamp_row,
    version_row,
)


def test_a_version_comes_back_as_it_went_in(catalogue: Catalogue) -> None:
    """Every field, with microseconds and in UTC; files in the order of the description."""
    row, files, events = entry(1, idempotency_key="klíč", has_metadata=True, size=2**40)

    assert catalogue.enter_version(row, files, events) is True
    assert catalogue.version(row.poid) == row
    assert catalogue.version(row.poid, 1, originator=ORG) == row
    assert catalogue.files(row.poid, 1) == files
    assert catalogue.file(row.poid, 1, "data/žádost.pdf") == files[0]
    assert catalogue.events_of(row.poid) == [replace(events[0], object_event=1)]


def test_entering_the_identical_version_again_changes_nothing(catalogue: Catalogue) -> None:
    """A crash between commit A and the answer is harmless; a retry's new event is not recorded twice."""
    row, files, events = entry(1)
    catalogue.enter_version(row, files, events)

    assert catalogue.enter_version(row, files, [event_row(99, row)]) is False
    assert len(catalogue.events_of(row.poid)) == 1


def test_the_identical_version_is_known_also_when_it_is_in_a_batch(catalogue: Catalogue) -> None:
    """Batch and leaf came later and do not make it another version."""
    row, files, events = entry(1)
    catalogue.enter_version(row, files, events)
    catalogue.enter_batch(batch_row(1, 1), line_rows(1), [(row.poid, 1)])

    assert catalogue.enter_version(row, files, events) is False
    assert catalogue.version(row.poid).batch == 1


@pytest.mark.parametrize(
    "changes",
    [
        {"received": later(1.000001)},
        {"description_digest": "00" * 64},
        {"originator": OTHER},
        {"idempotency_key": "k"},
        {"size": 13},
        {"has_metadata": True},
        {"storage_object": "urn:trusted-archive:elsewhere"},
    ],
)
def test_another_version_under_the_same_number_is_refused(catalogue: Catalogue, changes: dict[str, object]) -> None:
    """Any differing fact makes it another version."""
    row, files, events = entry(1)
    catalogue.enter_version(row, files, events)

    with pytest.raises(ConcurrentChangeError):
        catalogue.enter_version(replace(row, **changes), files, events)  # type: ignore[arg-type]
    assert catalogue.version(row.poid) == row


def test_the_same_version_with_other_files_is_refused(catalogue: Catalogue) -> None:
    """Files belong to the identity of a version, and so does their order."""
    row, files, events = entry(1)
    catalogue.enter_version(row, files, events)

    for other in ([files[0], replace(files[1], content_digest="11" * 64)], [files[1], files[0]]):
        with pytest.raises(ConcurrentChangeError):
            catalogue.enter_version(row, other, events)
    assert catalogue.files(row.poid, 1) == files


def test_one_refused_version_keeps_a_whole_group_out(catalogue: Catalogue) -> None:
    """A group is one transaction."""
    catalogue.enter_version(*entry(2))
    row, files, events = entry(2)

    with pytest.raises(ConcurrentChangeError):
        catalogue.enter_versions([entry(1), (replace(row, size=99), files, events), entry(3)])
    assert [row.poid for row in catalogue.objects()] == [poid(2)]
    assert catalogue.events_of(poid(1)) == []


def test_a_group_counts_only_what_was_not_there(catalogue: Catalogue) -> None:
    """A rebuild that was interrupted can start again."""
    catalogue.enter_versions([entry(1), entry(2)])

    assert catalogue.enter_versions([entry(1), entry(2), entry(3)]) == 1
    assert catalogue.enter_versions([]) == 0


def test_entries_that_contradict_themselves_are_programming_errors(catalogue: Catalogue) -> None:
    """Twice the same version, files of another version, a wrong count."""
    row, files, events = entry(1)

    for wrong in (
        [(row, files, events), (row, files, events)],
        [(row, file_rows(version_row(2)), events)],
        [(row, files[:1], events)],
        [(row, [], events)],
    ):
        with pytest.raises(ValueError, match="version"):
            catalogue.enter_versions(wrong)
    assert catalogue.objects() == []


def test_a_thousand_versions_go_in_at_once(catalogue: Catalogue) -> None:
    """A group commit and a rebuild are one transaction; the chunks inside it lose nothing."""
    entries = [entry(number, idempotency_key=f"k{number}") for number in range(1, 1001)]
    for row, _, _ in entries[::3]:
        catalogue.claim(
            ORG, row.idempotency_key, row.request_digest, row.poid, 1, description(int(row.poid[:12], 16)), START
        )

    assert catalogue.enter_versions(entries) == 1000
    assert catalogue.count_states() == StateCounts(objects=1000, versions=1000, awaiting=1000, in_batch=0, evidenced=0)
    assert catalogue.open_claims(later(10**6), 1) == []
    assert catalogue.objects(limit=2000) == [row for row, _, _ in entries]
    assert catalogue.enter_versions(entries) == 0


@pytest.mark.parametrize(
    ("wanted", "version", "originator"),
    [
        (poid(2), None, None),
        (poid(1), 2, None),
        (poid(1), 0, None),
        (poid(1), -1, None),
        (poid(1), 2**31, None),
        (poid(1), 10**30, None),
        (poid(1), None, OTHER),
        (poid(1), 1, OTHER),
        (poid(1).upper() + "x", None, None),
        ("", None, None),
        ("%", None, None),
    ],
)
def test_what_is_not_there_and_what_is_not_yours_are_one_answer(
    catalogue: Catalogue, wanted: str, version: int | None, originator: str | None
) -> None:
    """Not even existence is told to another originator."""
    catalogue.enter_version(*entry(1))

    with pytest.raises(UnknownObjectError) as refused:
        catalogue.version(wanted, version, originator)
    assert str(refused.value) == "There is no such preservation object, version or file that you may see."


def test_versions_and_files_of_the_unknown_are_refused(catalogue: Catalogue) -> None:
    """An empty list would look like an empty object."""
    catalogue.enter_version(*entry(1))

    with pytest.raises(UnknownObjectError):
        catalogue.versions(poid(2))
    with pytest.raises(UnknownObjectError):
        catalogue.versions(poid(1), originator=OTHER)
    with pytest.raises(UnknownObjectError):
        catalogue.files(poid(1), 2)
    for path in ("", "data/A.txt", "data/a.txt ", "data/%", "data/a_txt"):
        with pytest.raises(UnknownObjectError):
            catalogue.file(poid(1), 1, path)


def test_a_name_that_no_row_can_hold_is_the_caller_s_mistake_or_unknown(catalogue: Catalogue) -> None:
    """U+0000 is no text on PostgreSQL; neither database crashes over it."""
    catalogue.enter_version(*entry(1))

    with pytest.raises((UsageError, UnknownObjectError)):
        catalogue.file(poid(1), 1, "data/\x00")


def test_an_update_is_a_new_version_and_the_old_one_stays(catalogue: Catalogue) -> None:
    """The newest is the default; all are there, oldest first."""
    catalogue.enter_version(*entry(1))
    catalogue.enter_version(*entry(1, version=2))
    catalogue.enter_version(*entry(2))

    assert catalogue.version(poid(1)).version == 2
    assert catalogue.version(poid(1), 1).version == 1
    assert [row.version for row in catalogue.versions(poid(1))] == [1, 2]
    assert [(row.poid, row.version) for row in catalogue.objects()] == [(poid(1), 2), (poid(2), 1)]


def test_objects_are_paged_in_deposit_order_without_loss_or_repetition(catalogue: Catalogue) -> None:
    """A page begins behind the last POID of the one before."""
    catalogue.enter_versions([entry(n, originator=ORG if n % 2 else OTHER) for n in (5, 3, 1, 4, 2, 11, 10)])
    seen: list[str] = []
    after = None
    while page := catalogue.objects(after=after, limit=3):
        seen += [row.poid for row in page]
        after = page[-1].poid

    assert seen == [poid(n) for n in (1, 2, 3, 4, 5, 10, 11)]
    assert [row.poid for row in catalogue.objects(originator=OTHER)] == [poid(2), poid(4), poid(10)]
    assert [row.poid for row in catalogue.objects(after=poid(2), limit=1, originator=OTHER)] == [poid(4)]
    assert catalogue.objects(after=poid(11)) == []
    assert catalogue.objects(originator="unheard-of") == []


def test_states_are_counted_from_what_is_true_of_the_batch(catalogue: Catalogue) -> None:
    """Received, in a batch, evidenced: joined, not stored per document."""
    catalogue.enter_versions([entry(n, originator=ORG if n < 4 else OTHER) for n in range(1, 6)])
    catalogue.enter_version(*entry(1, version=2))
    catalogue.enter_batch(batch_row(1, 2), line_rows(1), [(poid(1), 1), (poid(2), 1)])
    catalogue.enter_batch(batch_row(2, 1), line_rows(2), [(poid(4), 1)])
    catalogue.complete_batch(1, later(3000), [stamp_row(1)])

    assert catalogue.count_states() == StateCounts(objects=5, versions=6, awaiting=3, in_batch=1, evidenced=2)
    assert catalogue.count_states(ORG) == StateCounts(objects=3, versions=4, awaiting=2, in_batch=0, evidenced=2)
    assert catalogue.count_states("nobody") == StateCounts(objects=0, versions=0, awaiting=0, in_batch=0, evidenced=0)


def test_prefix_records_are_noted_once(catalogue: Catalogue) -> None:
    """A record submitted by others belongs to one version."""
    catalogue.enter_version(*entry(1))
    record = PrefixRecordRow(
        poid=poid(1), version=1, name="old", ocfl_path="prefix/old.ers", size=10, record_digest="ab" * 64
    )
    catalogue.enter_prefix_records([record])
    catalogue.enter_prefix_records([record])

    assert catalogue.prefix_records(poid(1), 1) == [record]
    assert catalogue.prefix_records(poid(1), 2) == []
    with pytest.raises(ConcurrentChangeError):
        catalogue.enter_prefix_records([replace(record, size=11)])
    with pytest.raises(ConcurrentChangeError):
        catalogue.enter_prefix_records([replace(record, poid=poid(7))])
