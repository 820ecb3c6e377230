"""Legal holds in a bucket of a real server: nobody deletes what is held, and everybody may what is not any more."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from archive_core.errors import UnderLegalHoldError
from archive_core.identifiers import storage_object_for
from storage_backends.s3_client import RefusedError
from storage_backends.s3_locks import LockingS3Store
from tests.s3.ceph import S3Server
from tests.s3.homes import home_with_bucket
from tests.s3.proxy import Fault, running_proxy
from tests.world import OPERATOR, World

pytestmark = pytest.mark.slow

LOCKS = 'lock = "governance"\nlock_days = 30\nlock_renew_days = 10'


def opened(tmp_path: Path, server: S3Server, bucket: str, endpoint: str = "") -> World:
    """One object, evidenced and locked, in a directory and in a bucket."""
    home_with_bucket(tmp_path, server.new_bucket(bucket, locks=True), more=LOCKS, endpoint=endpoint)
    world = World(tmp_path)
    world.deposit({"a.txt": b"alpha"})
    world.preserve()
    world.archive.locks.roll()
    return world


@pytest.fixture
def world(tmp_path: Path, s3_server: S3Server) -> Iterator[World]:
    made = opened(tmp_path, s3_server, "held")
    yield made
    made.archive.close()


def poid_of(world: World) -> str:
    return next(iter(world.told))


def place(world: World) -> tuple[LockingS3Store, str]:
    """The bucket's store, and where in it the object lies."""
    root = world.archive.copies.roots[1]
    assert isinstance(root.store, LockingS3Store)
    return root.store, root.object_path(storage_object_for(poid_of(world)))


def held(world: World) -> bool | None:
    store, path = place(world)
    return store.is_on_hold(path)


def owners_deletes(world: World) -> tuple[int, int]:
    """The bucket's owner deletes every version of the object, with the right to bypass governance locks: how many
    went, how many did not."""
    store, path = place(world)
    went = stayed = 0
    for kept in list(store.bucket.versions(f"{store.start}{path}/")):
        try:
            store.bucket.delete(kept.key, kept.version, BypassGovernanceRetention=True)
            went += 1
        except RefusedError:
            stayed += 1
    return went, stayed


def test_the_owner_of_the_bucket_cannot_delete_what_is_held(world: World) -> None:
    """Not one version, also of an update that came later; when the last hold is lifted, all of them."""
    poid = poid_of(world)
    view = world.archive.place_hold([poid], name="12 C 34/2026", reason="court", actor=OPERATOR)
    assert view.owed == {}
    assert held(world) is True
    world.update(poid, {"a.txt": b"alpha", "b.txt": b"later"})
    world.archive.locks.roll()
    assert held(world) is True
    went, stayed = owners_deletes(world)
    assert (went, stayed > 8) == (0, True)
    with pytest.raises(UnderLegalHoldError):
        world.archive.destroy(poid, reason="x", actor=OPERATOR)
    assert world.archive.lift_hold([poid], reason="closed", actor=OPERATOR).owed == {}
    assert held(world) is False
    assert owners_deletes(world) == (stayed, 0)


def test_a_hold_that_somebody_took_off_is_put_back(world: World) -> None:
    """By the round that extends locks, and so is one that stayed where it was lifted; what was never held is left
    as others put it."""
    poid = poid_of(world)
    store, path = place(world)
    other = world.deposit({"b.txt": b"beta"})
    world.archive.locks.roll()
    elsewhere = world.archive.copies.roots[1].object_path(storage_object_for(other.poid))
    store.hold_object(elsewhere, True)
    world.archive.place_hold([poid], reason="court", actor=OPERATOR)
    first = next(kept for kept in store.bucket.versions(f"{store.start}{path}/"))
    store.bucket.hold(first.key, first.version, False)
    assert held(world) is None
    world.clock.advance(days=5)
    assert world.archive.locks.roll() > 0
    assert held(world) is True
    world.archive.lift_hold([poid], reason="closed", actor=OPERATOR)
    store.hold_object(path, True)
    world.clock.advance(days=5)
    world.archive.locks.roll()
    assert held(world) is False
    assert store.is_on_hold(elsewhere) is True


def test_a_bucket_that_is_away_owes_the_hold(tmp_path: Path, s3_server: S3Server) -> None:
    """The hold stands, whoever asked is told which store owes it, and the next round pays; a lift is owed the same
    way, and until it is paid the debt is there after a kill as well."""
    with running_proxy(s3_server.endpoint) as proxy:
        world = opened(tmp_path, s3_server, "owes", proxy.endpoint)
        poid = poid_of(world)
        broken = Fault("500", lambda request: "legal-hold" in request.target)
        proxy.faults.append(broken)
        view = world.archive.place_hold([poid], reason="court", actor=OPERATOR)
        assert list(view.owed) == ["two"]
        assert [hold.poid for hold in world.archive.legal_holds(actor=OPERATOR)] == [poid]
        assert any("two" in one and "not locked yet" in one for one in world.archive.locks.warnings())
        proxy.faults.remove(broken)
        world.restart()
        assert held(world) is False
        world.archive.locks.roll()
        assert held(world) is True
        proxy.faults.append(broken)
        assert list(world.archive.lift_hold([poid], reason="closed", actor=OPERATOR).owed) == ["two"]
        proxy.faults.remove(broken)
        assert held(world) is True
        world.archive.locks.roll()
        assert held(world) is False
        assert world.archive.catalogue.count_lock_debts("two") == 0
        world.archive.close()


def test_a_crash_between_the_event_and_the_bucket_is_made_good(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """Killed right after the trail was written: the debt was noted with the event, the next process pays it. While a
    lift is not in the trail, the versions stay held."""
    poid = poid_of(world)

    def dies(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(world.archive.locks, "settle", dies)
    with pytest.raises(KeyboardInterrupt):
        world.archive.place_hold([poid], reason="court", actor=OPERATOR)
    monkeypatch.undo()
    world.restart()
    assert held(world) is False
    world.archive.locks.roll()
    assert held(world) is True
    monkeypatch.setattr(world.archive._sequencer, "flush", dies)
    with pytest.raises(KeyboardInterrupt):
        world.archive.lift_hold([poid], reason="closed", actor=OPERATOR)
    monkeypatch.undo()
    world.archive.locks.roll()
    assert held(world) is True
    world.restart()
    world.archive.flush_trail()
    world.archive.locks.roll()
    assert held(world) is False


def test_what_a_rebuilt_catalogue_holds_is_held_in_the_bucket(world: World) -> None:
    """A hold that never came to the bucket is set by the first round after the rebuild."""
    poid = poid_of(world)
    world.archive.place_hold([poid], reason="court", actor=OPERATOR)
    store, path = place(world)
    store.hold_object(path, False)
    archive, report = world.rebuilt("one")
    assert report.findings == ()
    archive.locks.probe(actor=OPERATOR)
    assert archive.locks.roll() > 0
    assert held(world) is True
    archive.close()


@pytest.mark.parametrize("method", ["PUT", "DELETE"])
def test_a_server_that_keeps_no_legal_holds_is_found_out(tmp_path: Path, s3_server: S3Server, method: str) -> None:
    """It takes them and forgets them, or lets held versions go: locks go on, and whoever places a hold is told; once it
    keeps them, the hold is set."""
    with running_proxy(s3_server.endpoint) as proxy:
        world = opened(tmp_path, s3_server, f"keeps-none-{method.lower()}", proxy.endpoint)
        poid, locks = poid_of(world), world.archive.locks
        assert locks.probe(actor=OPERATOR)["two"].keeps_holds is True
        broken = Fault(
            "forged", lambda one: one.method == method and ("legal-hold" in one.target or "held-" in one.target)
        )
        proxy.faults.append(broken)
        judged = locks.probe(actor=OPERATOR)["two"]
        assert (judged.holds, judged.keeps_holds) == (True, False)
        view = world.archive.place_hold([poid], reason="court", actor=OPERATOR)
        assert view.owed == {"two": "it does not keep legal holds"}
        assert any("only locked there" in one for one in locks.warnings())
        proxy.faults.remove(broken)
        world.deposit({"b.txt": b"beta"})
        locks.roll()
        assert (held(world), world.archive.catalogue.count_lock_debts("two")) == (False, 0)
        assert locks.probe(actor=OPERATOR)["two"].keeps_holds is True
        world.clock.advance(days=5)
        locks.roll()
        assert held(world) is True
        assert not any("only locked there" in one for one in locks.warnings())
        world.archive.close()
