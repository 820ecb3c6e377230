"""Batches: membership, commit B, stamps."""

from __future__ import annotations

from dataclasses import replace

import pytest

from archive_core.catalogue import Catalogue
from archive_core.errors import (
    AlreadyExistsError,
    ConcurrentChangeError,
    NotFoundError,
)
from tests.catalogue_rows import (
    ORG,
    OTHER,
    batch_row,
    entry,
    later,
    line_rows,
    poid,
    stamp_row,
)


def test_versions_await_evidence_in_the_order_of_their_receipt(catalogue: Catalogue) -> None:
    """(received, POID, version); by profile and originator when asked."""
    catalogue.enter_versions(
        [
            entry(1, received=later(50)),
            entry(2, received=later(10)),
            entry(3, received=later(10), profile="redundant-1"),
            entry(4, received=later(5), originator=OTHER),
        ]
    )

    def waiting(**asked: str) -> list[str]:
        return [row.poid for row in catalogue.awaiting_evidence(limit=10, **asked)]

    assert waiting() == [poid(4), poid(2), poid(3), poid(1)]
    assert waiting(profile="basic-1") == [poid(4), poid(2), poid(1)]
    assert waiting(profile="basic-1", originator=ORG) == [poid(2), poid(1)]
    assert waiting(profile="nothing") == []
    assert [row.poid for row in catalogue.awaiting_evidence(limit=1)] == [poid(4)]
    assert [tuple(group) for group in catalogue.awaiting_groups()] == [
        ("basic-1", ORG, 2, later(10)),
        ("basic-1", OTHER, 1, later(5)),
        ("redundant-1", ORG, 1, later(10)),
    ]


def test_digests_of_what_awaits_evidence_come_in_the_same_order(catalogue: Catalogue) -> None:
    """Each version once, with the description's digest and its files'; over one originator and over all."""
    catalogue.enter_versions([entry(1, received=later(50)), entry(2, received=later(10)), entry(6, received=later(60))])

    def waiting(originator: str | None = None, limit: int = 10) -> list[str]:
        found = list(catalogue.awaiting_digests("basic-1", originator, limit))
        for one, version, digests in found:
            row = catalogue.version(one, version)
            held = {file.content_digest for file in catalogue.files(one, version)}
            assert digests == {bytes.fromhex(digest) for digest in held | {row.description_digest}}
        return [one for one, _, _ in found]

    assert waiting() == waiting(ORG) == [poid(2), poid(1), poid(6)]
    assert waiting(limit=2) == waiting(ORG, 2) == [poid(2), poid(1)]
    catalogue.enter_versions(
        [entry(4, received=later(5), originator=OTHER), entry(5, received=later(40), originator=OTHER)]
    )
    assert waiting() == [poid(4), poid(2), poid(5), poid(1), poid(6)]
    assert waiting(limit=3) == [poid(4), poid(2), poid(5)]
    assert waiting(OTHER) == [poid(4), poid(5)]
    catalogue.enter_batch(batch_row(1, 1), line_rows(1), [(poid(2), 1)])
    assert waiting(ORG) == [poid(1), poid(6)]


def test_references_are_looked_up_again_after_a_batch(catalogue: Catalogue) -> None:
    """Entering a batch looks nothing up; whatever is entered next is refused when it refers to nothing."""
    catalogue.enter_versions([entry(1)])
    catalogue.enter_batch(batch_row(1, 1), line_rows(1), [(poid(1), 1)])

    with pytest.raises(ConcurrentChangeError):
        catalogue.enter_stamps([stamp_row(9)])


def test_a_batch_takes_its_members_in_leaf_order(catalogue: Catalogue) -> None:
    """Leaf i is member i; what is in a batch awaits nothing."""
    catalogue.enter_versions([entry(n) for n in range(1, 6)])
    members = [(poid(n), 1) for n in (4, 2, 5)]
    batch = batch_row(1, 3)
    catalogue.enter_batch(batch, line_rows(1, ("sha512", "sha3-512")), members)

    assert catalogue.batch(1) == batch
    assert [(row.poid, row.leaf, row.batch) for row in catalogue.members(1)] == [
        (poid(4), 0, 1),
        (poid(2), 1, 1),
        (poid(5), 2, 1),
    ]
    assert [row.poid for row in catalogue.members(1, after_leaf=0, limit=1)] == [poid(2)]
    assert catalogue.members(1, after_leaf=2) == []
    assert [line.line for line in catalogue.lines(1)] == ["sha3-512", "sha512"]
    assert [row.poid for row in catalogue.awaiting_evidence(limit=10)] == [poid(1), poid(3)]
    assert [(group.waiting, group.oldest) for group in catalogue.awaiting_groups()] == [(2, later(1))]


def test_batch_numbers_go_on_from_the_highest(catalogue: Catalogue) -> None:
    """The stores decide; the catalogue proposes."""
    assert catalogue.next_batch_number() == 1
    assert catalogue.last_batch() is None
    catalogue.enter_versions([entry(1), entry(2)])
    catalogue.enter_batch(batch_row(7, 1), line_rows(7), [(poid(1), 1)])
    catalogue.enter_batch(batch_row(3, 1), line_rows(3), [(poid(2), 1)])

    assert catalogue.next_batch_number() == 8
    assert [batch.number for batch in catalogue.batches()] == [3, 7]
    last = catalogue.last_batch()
    assert last is not None
    assert last.number == 7


def test_entering_the_same_batch_again_changes_nothing(catalogue: Catalogue) -> None:
    """After a crash the batch is entered once more, also when it was evidenced since."""
    catalogue.enter_versions([entry(1), entry(2)])
    members = [(poid(1), 1), (poid(2), 1)]
    catalogue.enter_batch(batch_row(1, 2), line_rows(1), members)
    catalogue.enter_batch(batch_row(1, 2), line_rows(1), members)
    catalogue.complete_batch(1, later(3000), [stamp_row(1)])
    catalogue.enter_batch(batch_row(1, 2), line_rows(1), members)

    assert catalogue.batch(1).evidenced_at == later(3000)
    assert len(catalogue.members(1)) == 2


def test_another_batch_under_a_taken_number_is_refused(catalogue: Catalogue) -> None:
    """Other facts, other members, another order, other lines: each is another batch."""
    catalogue.enter_versions([entry(1), entry(2), entry(3)])
    members = [(poid(1), 1), (poid(2), 1)]
    catalogue.enter_batch(batch_row(1, 2), line_rows(1), members)

    for other in (
        (batch_row(1, 2, statement_digest="00" * 64), line_rows(1), members),
        (batch_row(1, 2), line_rows(1), members[::-1]),
        (batch_row(1, 2), line_rows(1), [(poid(1), 1), (poid(3), 1)]),
        (batch_row(1, 2), line_rows(1, ("sha384",)), members),
        (batch_row(1, 2), line_rows(1, ("sha512", "sha384")), members),
    ):
        with pytest.raises(AlreadyExistsError):
            catalogue.enter_batch(*other)
    assert catalogue.version(poid(3)).batch is None


@pytest.mark.parametrize("stranger", [(poid(1), 1), (poid(9), 1), (poid(2), 2)])
def test_a_batch_with_a_taken_or_unknown_member_is_refused_whole(
    catalogue: Catalogue, stranger: tuple[str, int]
) -> None:
    """A version belongs to one batch for ever; a batch covers only what is stored."""
    catalogue.enter_versions([entry(1), entry(2)])
    catalogue.enter_batch(batch_row(1, 1), line_rows(1), [(poid(1), 1)])

    with pytest.raises(ConcurrentChangeError):
        catalogue.enter_batch(batch_row(2, 2), line_rows(2), [(poid(2), 1), stranger])
    assert catalogue.version(poid(2)).batch is None
    assert catalogue.version(poid(1)).batch == 1
    with pytest.raises(NotFoundError):
        catalogue.batch(2)


def test_a_batch_over_nothing_is_a_programming_error(catalogue: Catalogue) -> None:
    """No members, no lines, a wrong count, a member twice, a line of another batch."""
    catalogue.enter_versions([entry(1), entry(2)])
    one = [(poid(1), 1)]

    for batch, lines, members in (
        (batch_row(1, 0), line_rows(1), []),
        (batch_row(1, 1), [], one),
        (batch_row(1, 2), line_rows(1), one),
        (batch_row(1, 2), line_rows(1), one * 2),
        (batch_row(1, 1), line_rows(2), one),
    ):
        with pytest.raises(ValueError, match="batch 1"):
            catalogue.enter_batch(batch, lines, members)
    assert catalogue.batches() == []


def test_commit_b_touches_the_batch_and_not_its_members(catalogue: Catalogue) -> None:
    """One row updated, one per stamp inserted."""
    catalogue.enter_versions([entry(1), entry(2)])
    catalogue.enter_batch(batch_row(1, 1), line_rows(1), [(poid(1), 1)])
    catalogue.enter_batch(batch_row(2, 1), line_rows(2), [(poid(2), 1)])
    before = catalogue.members(1)
    catalogue.complete_batch(1, later(3000), [stamp_row(1)])

    assert catalogue.members(1) == before
    assert catalogue.stamps(1) == [stamp_row(1)]
    assert [batch.number for batch in catalogue.unfinished_batches()] == [2]
    assert catalogue.evidenced_since([1, 2, 9]) == {1: later(3000), 2: None}


def test_commit_b_again_changes_nothing_and_another_token_is_refused(catalogue: Catalogue) -> None:
    """The token that was entered first is the one that counts."""
    catalogue.enter_version(*entry(1))
    catalogue.enter_batch(batch_row(1, 1), line_rows(1), [(poid(1), 1)])
    catalogue.complete_batch(1, later(3000), [stamp_row(1)])
    catalogue.complete_batch(1, later(3000), [stamp_row(1)])

    with pytest.raises(AlreadyExistsError):
        catalogue.complete_batch(1, later(3001), [stamp_row(1)])
    with pytest.raises(AlreadyExistsError):
        catalogue.complete_batch(1, later(3000), [stamp_row(1, token_digest="00" * 64)])
    assert catalogue.batch(1).evidenced_at == later(3000)
    assert catalogue.stamps(1) == [stamp_row(1)]


def test_a_batch_is_evidenced_only_when_every_line_is_stamped(catalogue: Catalogue) -> None:
    """A redundant batch with one token is not evidenced, and says which line lacks one."""
    catalogue.enter_version(*entry(1))
    catalogue.enter_batch(batch_row(1, 1), line_rows(1, ("sha512", "sha3-512")), [(poid(1), 1)])

    with pytest.raises(ValueError, match="sha3-512"):
        catalogue.complete_batch(1, later(3000), [stamp_row(1)])
    with pytest.raises(ValueError, match="no initial stamp"):
        catalogue.complete_batch(1, later(3000), [stamp_row(1), stamp_row(1, "sha3-512", position=1)])
    assert catalogue.batch(1).evidenced_at is None
    assert catalogue.stamps(1) == []
    catalogue.complete_batch(1, later(3000), [stamp_row(1), stamp_row(1, "sha3-512")])
    assert catalogue.stamps(1, "sha3-512") == [stamp_row(1, "sha3-512")]


def test_a_stamp_without_its_batch_or_line_is_refused(catalogue: Catalogue) -> None:
    """Stamps hang on lines, lines on batches."""
    catalogue.enter_version(*entry(1))
    catalogue.enter_batch(batch_row(1, 1), line_rows(1), [(poid(1), 1)])

    with pytest.raises(ConcurrentChangeError):
        catalogue.enter_stamps([stamp_row(1, "sha384")])
    with pytest.raises(NotFoundError):
        catalogue.complete_batch(2, later(3000), [])
    with pytest.raises(ValueError, match="not of batch 1"):
        catalogue.complete_batch(1, later(3000), [stamp_row(2)])


def test_renewals_add_stamps_behind_the_first(catalogue: Catalogue) -> None:
    """Chains and positions are there from the start; one renewal object may cover many batches."""
    catalogue.enter_version(*entry(1))
    catalogue.enter_batch(batch_row(1, 1), line_rows(1), [(poid(1), 1)])
    catalogue.complete_batch(1, later(3000), [stamp_row(1)])
    renewed = stamp_row(1, position=1, covers_renewal="rn0000000001", gen_time=later(9000), trusted_until=None)
    rehashed = stamp_row(1, chain=1, digest="sha3-512", gen_time=later(10000))
    catalogue.enter_stamps([rehashed, renewed])
    catalogue.enter_stamps([rehashed])

    assert catalogue.stamps(1) == [stamp_row(1), renewed, rehashed]
    with pytest.raises(AlreadyExistsError):
        catalogue.enter_stamps([replace(renewed, ocfl_path="elsewhere")])
