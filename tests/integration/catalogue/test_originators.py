"""Organisations, quotas and rates on both databases; receivers of notifications."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import pytest

from archive_core.catalogue import Catalogue
from archive_core.catalogue.changes import ReceiverRow
from archive_core.catalogue.rows import OrganisationRow
from archive_core.errors import ConcurrentChangeError
from tests.catalogue_rows import ORG, OTHER, START, entry, later
from tests.integration.catalogue.test_leases_and_access import key_row

KRAJ = OrganisationRow(originator=ORG, name="Kraj", active=True, since=START)


def test_an_organisation_is_what_was_said_last(catalogue: Catalogue) -> None:
    """And listed in the order of identifiers."""
    catalogue.put_organisation(KRAJ)
    catalogue.put_organisation(replace(KRAJ, originator=OTHER, name="Město"))
    changed = replace(KRAJ, name="Kraj Vysočina", active=False, quota_objects=5, quota_bytes=2**60, rate_per_minute=7)
    catalogue.put_organisation(changed)

    assert catalogue.organisation(ORG) == changed
    assert [row.originator for row in catalogue.organisations()] == sorted([ORG, OTHER])
    assert catalogue.organisation("nobody") is None


def taken(catalogue: Catalogue, token: str, objects: int = 1, size: int = 1, at: float = 0) -> object:
    return catalogue.take_room(token, ORG, objects, size, until=later(at + 900), at=later(at))


def test_room_is_taken_given_back_and_ends(catalogue: Catalogue) -> None:
    """What was entered, what is under way and what is asked for count together; without a quota nothing is counted."""
    assert taken(catalogue, "free") is None
    catalogue.enter_version(*entry(1))
    catalogue.put_organisation(replace(KRAJ, quota_objects=3, quota_bytes=100))
    catalogue.enter_version(*entry(2))
    assert catalogue.use_of(ORG) == (2, 24)
    assert taken(catalogue, "a", size=50) is None
    assert taken(catalogue, "b", size=1) == ("objects", 3, 3)
    assert taken(catalogue, "b", objects=0, size=27) == ("bytes", 74, 100)
    assert taken(catalogue, "b", objects=0, size=26) is None
    catalogue.give_room_back("a")
    catalogue.give_room_back("unknown")
    assert taken(catalogue, "c", size=50) is None
    assert taken(catalogue, "d", at=899) == ("objects", 3, 3)
    assert taken(catalogue, "d", at=900) is None
    catalogue.recount_use(ORG)
    catalogue.recount_use(OTHER)
    catalogue.put_organisation(KRAJ)
    assert taken(catalogue, "e", objects=1000, size=10**9) is None


def test_askers_at_once_get_no_more_room_than_there_is(catalogue: Catalogue) -> None:
    """Whoever comes first; the others are told."""
    catalogue.put_organisation(replace(KRAJ, quota_objects=5))
    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda number: taken(catalogue, f"t{number}"), range(20)))
    assert answers.count(None) == 5


def test_a_quota_that_is_set_while_versions_are_entered_counts_them_all(catalogue: Catalogue) -> None:
    """Neither twice nor not at all."""
    with ThreadPoolExecutor(4) as pool:
        entering = [pool.submit(catalogue.enter_version, *entry(number)) for number in range(1, 21)]
        catalogue.put_organisation(replace(KRAJ, quota_objects=20))
        assert all(one.result() for one in entering)
    assert taken(catalogue, "t") == ("objects", 20, 20)


def test_a_rate_is_kept_by_all_together(catalogue: Catalogue) -> None:
    """So many at once, then one for each interval; who comes too soon is told how long to wait, and not counted."""
    assert [catalogue.arrive("s", at=1000, every=10, burst=30) for _ in range(5)] == [0, 0, 0, 10, 10]
    assert catalogue.arrive("s", at=1009, every=10, burst=30) == 1
    assert catalogue.arrive("s", at=1010, every=10, burst=30) == 0
    assert catalogue.arrive("other", at=1010, every=10, burst=30) == 0
    assert catalogue.arrive("s", at=10**15, every=10, burst=30) == 0
    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda _: catalogue.arrive("many", at=10**15, every=6, burst=60), range(40)))
    assert answers.count(0) == 10


def test_a_key_is_replaced_once(catalogue: Catalogue) -> None:
    """Its end is noted with the one that follows; neither a revoked nor an unknown one is replaced."""
    catalogue.add_key(key_row(1))
    follower = replace(key_row(2), replaces="key-1", scopes=["read"], rate_per_minute=3, expires=later(99))
    assert catalogue.replace_key(follower, later(50)).expires == later(50)
    assert catalogue.key("key-2") == follower
    with pytest.raises(ConcurrentChangeError):
        catalogue.replace_key(replace(key_row(3), replaces="key-1"), later(60))
    catalogue.revoke_key("key-2", later(10))
    for before in ("key-2", "key-9"):
        with pytest.raises(ConcurrentChangeError):
            catalogue.replace_key(replace(key_row(4), replaces=before), later(60))
    listed = catalogue.keys()
    assert [row.key_id for row in listed] == ["key-1", "key-2"]


def test_a_receiver_is_where_it_was_put(catalogue: Catalogue) -> None:
    """The last state stands."""
    row = ReceiverRow(name="spisovka", cursor="c1", sending="c9", tries=3, since=START, error="ž", stopped=True)
    catalogue.put_receiver(replace(row, cursor="c0", stopped=False))
    catalogue.put_receiver(row)

    assert catalogue.receiver("spisovka") == row
    assert catalogue.receiver("other") is None
