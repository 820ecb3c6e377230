"""Renewals: formed, stamped, given up; which stamp is the newest of each line, and how many stand behind it."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

import pytest
from sqlalchemy import event

from archive_core.catalogue import Catalogue
from archive_core.catalogue.renewals import Stamped
from archive_core.catalogue.rows import HeadRow, StampRow
from archive_core.errors import AlreadyExistsError, NotFoundError
from tests.catalogue_rows import (
    batch_row,
    entry,
    later,
    line_rows,
    poid,
    renewal_row,
    sha512,
    stamp_row,
)

BOTH = ("sha512", "sha3-512")


def evidenced(catalogue: Catalogue, number: int, documents: int = 1, lines: Sequence[str] = ("sha512",)) -> None:
    """A batch with its initial stamps."""
    members = [number * 100 + place for place in range(documents)]
    catalogue.enter_versions([entry(n) for n in members])
    catalogue.enter_batch(batch_row(number, documents), line_rows(number, lines), [(poid(n), 1) for n in members])
    catalogue.complete_batch(number, later(2000 + number), [stamp_row(number, line) for line in lines])


def ba(number: int) -> str:
    return f"urn:trusted-archive:ba{number:010d}"


def rn(number: int) -> str:
    return f"urn:trusted-archive:rn{number:010d}"


def stamped(number: int, heads: Sequence[str], **changes: Any) -> Stamped:
    values: dict[str, Any] = {
        "number": number,
        "gen_time": later(6000 + number),
        "token_digest": sha512(f"token of renewal {number}"),
        "tsa": "tsa-sha512",
        "ocfl_path": "v2/content/token.tst",
        "trusted_until": later(10**8),
        "facts": {"signer_until": "2031-01-01T00:00:00.000000Z", "digests": ["sha512"]},
        "heads": heads,
    }
    return Stamped(**{**values, **changes})


def renewed(catalogue: Catalogue, number: int, heads: Sequence[str], **changes: Any) -> None:
    row = {name: changes.pop(name) for name in ("kind", "line", "digest") if name in changes}
    catalogue.enter_renewal(renewal_row(number, covers=len(heads), **row))
    catalogue.complete_renewal(stamped(number, heads, **changes))


def places(catalogue: Catalogue, batch: int, line: str = "sha512") -> list[tuple[int, int, str]]:
    return [(row.chain, row.position, row.storage_object) for row in catalogue.stamps(batch, line)]


# -- formed, stamped, given up ------------------------------------------------------------------


def test_a_renewal_is_entered_once_and_stays_what_it_was(catalogue: Catalogue) -> None:
    """The same one again is no change; another under its number is refused."""
    row = renewal_row(1)
    catalogue.enter_renewal(row)
    catalogue.enter_renewal(row)
    with pytest.raises(AlreadyExistsError):
        catalogue.enter_renewal(renewal_row(1, document_digest=sha512("another")))

    assert catalogue.renewal(1) == row
    assert catalogue.renewals() == [row]
    assert catalogue.next_renewal_number() == 2


def test_numbers_begin_with_one_and_what_is_unknown_is_not_found(catalogue: Catalogue) -> None:
    """Nothing is made up."""
    assert catalogue.next_renewal_number() == 1
    assert catalogue.renewals() == []
    assert catalogue.unfinished_renewals() == []
    for ask in (
        lambda: catalogue.renewal(1),
        lambda: catalogue.abandon_renewal(1, "why"),
        lambda: catalogue.complete_renewal(stamped(1, [ba(1)])),
    ):
        with pytest.raises(NotFoundError):
            ask()


def test_the_numbers_that_follow_are_by_the_highest(catalogue: Catalogue) -> None:
    """A number that was left out is not used again."""
    catalogue.enter_renewal(renewal_row(7))

    assert catalogue.next_renewal_number() == 8


def test_what_is_neither_stamped_nor_given_up_is_unfinished(catalogue: Catalogue) -> None:
    """Oldest first, also when it was entered later."""
    evidenced(catalogue, 1)
    for number in (4, 2, 3, 1):
        catalogue.enter_renewal(renewal_row(number))
    catalogue.complete_renewal(stamped(1, [ba(1)]))
    catalogue.abandon_renewal(3, "the authority refused")

    assert [row.number for row in catalogue.unfinished_renewals()] == [2, 4]
    assert [row.number for row in catalogue.renewals()] == [1, 2, 3, 4]
    assert catalogue.renewal(3).abandoned == "the authority refused"


def test_a_stamped_renewal_says_when_and_by_whom(catalogue: Catalogue) -> None:
    """Times and facts come back as they went in."""
    evidenced(catalogue, 1)
    catalogue.enter_renewal(renewal_row(1))
    given = stamped(1, [ba(1)], tsa="another", gen_time=later(6001.123456))
    catalogue.complete_renewal(given)
    row = catalogue.renewal(1)
    (head,) = catalogue.heads()

    assert (row.gen_time, row.tsa, row.token_digest) == (given.gen_time, "another", given.token_digest)
    assert row.trusted_until == given.trusted_until
    assert (head.gen_time, head.facts, head.ocfl_path) == (given.gen_time, given.facts, given.ocfl_path)


def test_a_renewal_is_stamped_once(catalogue: Catalogue) -> None:
    """The same time-stamp again changes nothing; another one is refused and changes nothing either."""
    evidenced(catalogue, 1)
    renewed(catalogue, 1, [ba(1)])
    before = places(catalogue, 1)
    catalogue.complete_renewal(stamped(1, [ba(1)]))
    with pytest.raises(AlreadyExistsError):
        catalogue.complete_renewal(stamped(1, [ba(1)], token_digest=sha512("another")))

    assert places(catalogue, 1) == before == [(0, 0, ba(1)), (0, 1, rn(1))]


def test_a_stamped_renewal_cannot_be_given_up(catalogue: Catalogue) -> None:
    """It is there; and one that was given up and is stamped after all is not given up."""
    evidenced(catalogue, 1)
    renewed(catalogue, 1, [ba(1)])
    catalogue.abandon_renewal(1, "too late")
    catalogue.enter_renewal(renewal_row(2))
    catalogue.abandon_renewal(2, "hasty")
    catalogue.complete_renewal(stamped(2, [rn(1)]))

    assert [row.abandoned for row in catalogue.renewals()] == [None, None]


# -- which stamp is the newest --------------------------------------------------------------------


def test_only_evidenced_batches_have_a_newest_stamp(catalogue: Catalogue) -> None:
    """By batch and line; with what the batch says of the line."""
    evidenced(catalogue, 2, documents=3, lines=BOTH)
    evidenced(catalogue, 1)
    catalogue.enter_versions([entry(n) for n in (900, 901)])
    catalogue.enter_batch(batch_row(9, 2), line_rows(9), [(poid(900), 1), (poid(901), 1)])
    heads = catalogue.heads()

    assert [(head.batch, head.line, head.leaf_count) for head in heads] == [
        (1, "sha512", 1),
        (2, "sha3-512", 3),
        (2, "sha512", 3),
    ]
    assert {(head.profile, head.trust_class) for head in heads} == {("basic-1", "test")}
    assert [head.tsa for head in heads] == ["tsa-sha512", "tsa-sha3-512", "tsa-sha512"]
    assert [head.batch for head in catalogue.heads("sha3-512")] == [2]
    assert [(head.batch, head.line) for head in catalogue.heads("sha512", [2, 2, 7])] == [(2, "sha512")]
    assert catalogue.heads(numbers=[]) == []


def test_a_time_stamp_renewal_goes_on_with_every_line_behind_what_it_covers(catalogue: Catalogue) -> None:
    """Two batches, then both by the one token that they share; a line of another name is not touched."""
    evidenced(catalogue, 1, lines=BOTH)
    evidenced(catalogue, 2, documents=4)
    evidenced(catalogue, 3)
    renewed(catalogue, 1, [ba(1), ba(2)])
    renewed(catalogue, 2, [rn(1)])

    assert places(catalogue, 1) == [(0, 0, ba(1)), (0, 1, rn(1)), (0, 2, rn(2))]
    assert places(catalogue, 2) == [(0, 0, ba(2)), (0, 1, rn(1)), (0, 2, rn(2))]
    assert places(catalogue, 1, "sha3-512") == [(0, 0, ba(1))]
    assert places(catalogue, 3) == [(0, 0, ba(3))]
    assert {(head.batch, head.line): head.storage_object for head in catalogue.heads()} == {
        (1, "sha512"): rn(2),
        (1, "sha3-512"): ba(1),
        (2, "sha512"): rn(2),
        (3, "sha512"): ba(3),
    }
    assert (catalogue.reach(rn(2), "sha512"), catalogue.reach(rn(2), "sha3-512")) == ((2, 5), (0, 0))
    assert {row.covers_renewal for row in catalogue.stamps(1, "sha512")} == {None, rn(1), rn(2)}


def test_a_line_that_went_on_another_way_is_left_alone(catalogue: Catalogue) -> None:
    """The renewal covered what was not the newest any more."""
    evidenced(catalogue, 1)
    evidenced(catalogue, 2)
    renewed(catalogue, 1, [ba(1)])
    renewed(catalogue, 2, [ba(1), ba(2)])

    assert places(catalogue, 1) == [(0, 0, ba(1)), (0, 1, rn(1))]
    assert places(catalogue, 2) == [(0, 0, ba(2)), (0, 1, rn(2))]


def test_a_hash_tree_renewal_begins_a_chain_for_the_batches_that_it_names(catalogue: Catalogue) -> None:
    """Not for others behind the same token; the digest is the new one."""
    for number in (1, 2, 3):
        evidenced(catalogue, number)
    renewed(catalogue, 1, [ba(1), ba(2), ba(3)])
    renewed(catalogue, 2, [rn(1), rn(1)], kind="hash-tree", digest="sha3-512", batches=[1, 3])

    assert places(catalogue, 1) == [(0, 0, ba(1)), (0, 1, rn(1)), (1, 0, rn(2))]
    assert places(catalogue, 2) == [(0, 0, ba(2)), (0, 1, rn(1))]
    assert places(catalogue, 3)[-1] == (1, 0, rn(2))
    assert [(head.batch, head.digest, head.chain) for head in catalogue.heads()] == [
        (1, "sha3-512", 1),
        (2, "sha512", 0),
        (3, "sha3-512", 1),
    ]
    begins = catalogue.chain_begins()
    assert begins[1, "sha512", 1] == later(6002)
    assert begins[1, "sha512", 0] == later(2001)
    assert set(begins) == {(1, "sha512", 0), (1, "sha512", 1), (2, "sha512", 0), (3, "sha512", 0), (3, "sha512", 1)}


def test_a_hash_tree_renewal_names_as_many_heads_as_batches(catalogue: Catalogue) -> None:
    """One that does not is refused whole: it is not stamped then."""
    evidenced(catalogue, 1)
    catalogue.enter_renewal(renewal_row(1, kind="hash-tree", digest="sha384"))
    with pytest.raises(ValueError, match=r"shorter|longer"):
        catalogue.complete_renewal(stamped(1, [ba(1)], batches=[1, 2]))

    assert [row.number for row in catalogue.unfinished_renewals()] == [1]
    assert places(catalogue, 1) == [(0, 0, ba(1))]


def test_what_is_abandoned_goes_from_the_lines_that_start_again_and_from_no_others(catalogue: Catalogue) -> None:
    """Batch 2 keeps the stamp that batch 1 abandons; the renewal itself stays known."""
    evidenced(catalogue, 1)
    evidenced(catalogue, 2)
    renewed(catalogue, 1, [ba(1), ba(2)])
    renewed(catalogue, 2, [rn(1)])
    renewed(catalogue, 3, [ba(1)], abandons=[rn(1), rn(2)])

    assert places(catalogue, 1) == [(0, 0, ba(1)), (0, 1, rn(3))]
    assert places(catalogue, 2) == [(0, 0, ba(2)), (0, 1, rn(1)), (0, 2, rn(2))]
    assert [row.number for row in catalogue.renewals() if row.gen_time] == [1, 2, 3]


# -- times and places -----------------------------------------------------------------------------


def test_the_newest_time_is_that_of_what_is_asked_for(catalogue: Catalogue) -> None:
    """Of a line, among objects; none where there is none."""
    for number in (1, 2):
        evidenced(catalogue, number, lines=BOTH)
    renewed(catalogue, 1, [ba(1)])

    assert catalogue.newest_time_in([ba(1), ba(2)], "sha512") == later(2002)
    assert catalogue.newest_time_in(iter([rn(1), ba(1)]), "sha512") == later(6001)
    assert catalogue.newest_time_in([rn(1)], "sha3-512") is None
    assert catalogue.newest_time_in([], "sha512") is None
    assert catalogue.newest_stamp_time() == later(6001)


def test_an_empty_catalogue_has_no_newest_time(catalogue: Catalogue) -> None:
    """None, not the beginning of time."""
    assert catalogue.newest_stamp_time() is None
    assert catalogue.chain_begins() == {}
    assert catalogue.reach(ba(1), "sha512") == (0, 0)


def test_a_stamp_is_found_by_where_it_lies(catalogue: Catalogue) -> None:
    """Object and line; another line of the same object is another stamp."""
    evidenced(catalogue, 1, lines=BOTH)
    found = catalogue.stamp_in(ba(1), "sha3-512")

    assert isinstance(found, StampRow)
    assert found.token_digest == sha512("token 1 sha3-512")
    for place in ((ba(1), "sha384"), (rn(1), "sha512")):
        with pytest.raises(NotFoundError):
            catalogue.stamp_in(*place)


# -- scale ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("count", [1, 40])
def test_a_renewal_costs_no_statement_for_a_document(catalogue: Catalogue, count: int) -> None:
    """However many documents: as many statements as for one, and none for each thing that is covered either."""
    for number in range(1, count + 1):
        evidenced(catalogue, number, documents=3)
    catalogue.enter_renewal(renewal_row(1, covers=count))
    said: list[tuple[str, bool]] = []

    def listen(_: Any, __: Any, statement: str, ___: Any, ____: Any, many: bool) -> None:
        said.append((statement.split()[0], many))

    event.listen(catalogue.engine, "before_cursor_execute", listen)
    catalogue.complete_renewal(stamped(1, [ba(number) for number in range(1, count + 1)]))
    heads = catalogue.heads()

    assert [kind for kind, _ in said if kind in ("UPDATE", "INSERT", "DELETE")] == ["UPDATE", "INSERT", "INSERT"]
    assert len(said) <= 8
    assert len(heads) == count
    assert all(isinstance(head, HeadRow) and isinstance(head.gen_time, datetime) for head in heads)
