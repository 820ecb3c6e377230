"""Decades of one archive: authorities come and go, algorithms end, and every proof goes on since its first instant."""

from __future__ import annotations

from pathlib import Path

import pytest

from archive_core.evidence.record import parse_record
from tests.renewal_world import MortalTsa, RenewalWorld, good
from tests.world import OPERATOR

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]


def _year(world: RenewalWorld, number: int) -> None:
    """A year passes; in some, as long as the seal lives, something is deposited."""
    world.clock.advance(days=365)
    if number in (3, 7):
        world.deposit({f"{number}.txt": b"year %d" % number, "same.txt": b"same"})
        world.preserve()


def _new_units(world: RenewalWorld, *, years: float = 5, key: str = "p384") -> None:
    for tsa in world.mortal.values():
        tsa.renew_unit(years=years, key=key)


def test_forty_years_of_renewals_of_both_kinds(tmp_path: Path) -> None:
    """Time-stamp renewals every four years, three hash-tree renewals, a second generation of authorities; after each
    step every version is proven since the instant of its first time-stamp; at the end from each store alone, too."""
    world = RenewalWorld(tmp_path)
    first = world.deposit({"a.txt": b"alpha", "b.txt": b"beta"}, profile="redundant-1")
    world.preserve()
    moves = {10: "sha384", 18: "sha3-384", 30: "sha512"}
    for number in range(1, 41):
        _year(world, number)
        if number == 20:
            for name in list(world.mortal):
                world.found(MortalTsa.born(name, world.clock, key="p521"))
        if number % 4 == 0:
            _new_units(world)
            good(world.renew())
            world.prove(bundles=False, stores=number == 12)
        if number in moves:
            good(world.rehash(moves[number]))
            world.prove(bundles=False, stores=False)

    world.prove()
    assert world.audit().findings == []
    for file in world.archive.evidence(first.poid, actor=OPERATOR):
        record = parse_record(file.der)
        assert len(record.chains) >= 2
        assert len(record.stamps) >= 12
    world.archive.close()


def test_what_is_due_is_done_by_itself_year_after_year(tmp_path: Path) -> None:
    """The scheduler's round once a year: whatever is due by certificates or by the table of algorithms is done in
    time, and nothing is done twice."""
    world = RenewalWorld(tmp_path, years=3, digest="sha384")
    world.deposit({"a.txt": b"alpha"})
    world.preserve()
    world.judge_by(world.table_without("sha512", "2036-01-01"))
    kinds = []
    for number in range(1, 25):
        _new_units(world, years=3)
        world.clock.advance(days=182)
        result = good(world.renew(which="due", patient=True))
        kinds += [view.kind for view in result.views]
        assert good(world.renew(which="due", patient=True)).views == ()
        if number % 6 == 0:
            world.prove(bundles=False, stores=False)

    world.prove()
    assert kinds.count("hash-tree") == 1
    assert 3 <= kinds.count("timestamp") <= 6
    world.archive.close()
