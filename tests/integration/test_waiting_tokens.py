"""A time-stamp that came and cannot be judged yet: it is kept, judged again, and nobody is asked twice."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from archive_core.digests import Digest
from archive_core.lifecycle import BatchView
from archive_core.waiting_tokens import WaitingTokens
from tests.renewal_world import MortalTsa, RenewalWorld, good
from tests.world import OPERATOR

pytestmark = pytest.mark.slow


@pytest.fixture
def world(tmp_path: Path) -> Iterator[RenewalWorld]:
    """Its first authority puts no revocation list into its time-stamps."""
    made = RenewalWorld(tmp_path)
    made.mortal["local-tsa-1"].inside = False
    made.deposit({"a.txt": b"alpha"})
    yield made
    made.archive.close()


def preserved(world: RenewalWorld) -> BatchView:
    (view,) = world.archive.preserve(actor=OPERATOR)
    return view


def first(world: RenewalWorld) -> MortalTsa:
    return world.mortal["local-tsa-1"]


def test_a_batch_keeps_the_token_whose_revocation_list_is_out_of_reach(world: RenewalWorld) -> None:
    """Judged again by each round and by another process; stamped when the list can be had, by the one call."""
    first(world).out_of_reach = True
    for _ in range(3):
        error = preserved(world).error
        assert error is not None
        assert "kept and judged again" in error
        world.restart()
        world.clock.advance(minutes=10)
    assert first(world).asked == 1
    first(world).out_of_reach = False
    assert preserved(world).error is None
    assert first(world).asked == 1
    assert not world.archive.catalogue.meta_get("batch-token:1:sha512")
    world.prove()


def test_a_renewal_keeps_it_too(world: RenewalWorld) -> None:
    """It waits for days; the renewal is stamped by the token that was paid for."""
    world.preserve()
    tsa = first(world)
    tsa.inside = True
    good(world.renew())  # what is covered next is complete by itself
    tsa.inside, tsa.out_of_reach = False, True
    asked = tsa.asked
    (view,) = world.renew().views
    assert view.error is not None
    assert "kept and judged again" in view.error
    world.clock.advance(days=2)
    assert not world.renew(which="due").is_complete
    assert tsa.asked == asked + 1
    tsa.out_of_reach = False
    good(world.renew(which="due"))
    assert tsa.asked == asked + 1
    world.prove()


def test_an_operator_need_not_wait_for_it(world: RenewalWorld) -> None:
    """Another authority by name: what was kept is given up, and that is an event."""
    world.preserve()
    tsa = first(world)
    tsa.inside = True
    good(world.renew())
    tsa.inside, tsa.out_of_reach = False, True
    assert not world.renew().is_complete
    good(world.renew(which="due", tsa="local-tsa-2"))
    codes = [event.code for event in world.archive.catalogue.events_about("rn0000000002")]
    assert codes.count("answer-unusable") == 1
    assert not world.archive.catalogue.meta_get("renewal-token:2")


def test_what_is_good_by_itself_needs_no_list(world: RenewalWorld) -> None:
    """The same outage with the list inside the time-stamp keeps nothing waiting."""
    first(world).inside, first(world).out_of_reach = True, True
    assert preserved(world).error is None


def test_what_is_wrong_is_not_kept(world: RenewalWorld) -> None:
    """A clock that goes wrong makes no proof, with or without the list: it is asked for another one."""
    tsa = first(world)
    tsa.frozen = world.clock.now().replace(year=2020)
    tsa.out_of_reach = True
    assert preserved(world).error is not None
    tsa.frozen, tsa.out_of_reach = None, False
    world.clock.advance(hours=1)
    preserved(world)
    world.clock.advance(hours=1)
    if world.archive.catalogue.unfinished_batches():
        assert preserved(world).error is None
    world.prove()


def test_a_note_is_believed_only_for_its_root_and_its_authority(world: RenewalWorld) -> None:
    """Another tree under the same number, another authority, and what is no note at all give nothing."""
    tsa, other = first(world), world.mortal["local-tsa-2"]
    root, waiting = Digest.of("sha512", b"root"), WaitingTokens(world.archive.catalogue)
    waiting.keep("x", tsa.timestamp(root))
    assert waiting.tsa("x") == tsa.name
    found = waiting.token("x", root, tsa)
    assert found is not None
    assert found.imprint == root
    assert waiting.token("x", Digest.of("sha512", b"another"), tsa) is None
    assert waiting.token("x", root, other) is None
    for bad in ("", "{}", '{"token":"AA==","tsa":"local-tsa-1"}\n', '{"token":1,"tsa":"local-tsa-1"}\n'):
        world.archive.catalogue.meta_set("x", bad)
        assert waiting.token("x", root, tsa) is None
    waiting.forget("x")
    assert waiting.tsa("x") is None
