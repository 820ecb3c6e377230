"""A store that deposits may do without does not answer for a long time: nobody waits for it, and nothing is lost."""

import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from archive_core import debts
from archive_core.archive import silent
from archive_core.errors import StoreUnavailableError
from archive_core.late import patience_for
from archive_core.ocfl.storage_root import StorageRoot
from tests.integration.test_copies import THIRD, ids, pay, world_with
from tests.world import OPERATOR, World

LONG = 60.0


class Slow:
    """A store that takes nothing until it is let go; then it does what it was told."""

    def __init__(self, root: StorageRoot) -> None:
        self.go = threading.Event()
        self.calls: list[Sequence[Any]] = []
        self.fails = False
        self._real = root.write_versions
        root.write_versions = self._write  # type: ignore[method-assign]

    def _write(self, packages: Sequence[Any]) -> Any:
        self.calls.append(packages)
        assert self.go.wait(LONG)
        if self.fails:
            raise StoreUnavailableError("it failed in the end")
        return self._real(packages)


def root_of(world: World, name: str) -> StorageRoot:
    (root,) = [root for root in world.archive.copies.known if root.store.name == name]
    return root


def soon(true: Callable[[], bool]) -> None:
    """Waits until something is so."""
    until = time.monotonic() + LONG
    while not true():
        assert time.monotonic() < until
        time.sleep(0.01)


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    """Two required stores and one that may be away, which is waited for a tenth of a second."""
    made = world_with(tmp_path, f"{THIRD}\n[copies]\npatience = 0.1\n")
    made.deposit({"a.txt": b"0"})
    yield made
    made.archive.close()


@pytest.fixture
def slow(world: World) -> Iterator[Slow]:
    """The third store, which answers when the test lets it."""
    made = Slow(root_of(world, "three"))
    yield made
    made.go.set()


def test_a_deposit_does_not_wait_for_it_and_it_owes_nothing_in_the_end(world: World, slow: Slow) -> None:
    """What it was given is a debt at once; while it writes it gets nothing new and its debts are not paid; when it has
    ended, what it took is found there and not written again."""
    began = time.monotonic()
    first = world.deposit({"a.txt": b"1"})
    assert time.monotonic() - began < LONG / 4
    assert first.stores == ("one", "two")
    copies = world.archive.copies
    assert copies.late.under_way("three")
    copies.away.answered("three")
    second = world.deposit({"a.txt": b"2"})
    assert second.stores == ("one", "two")
    (payment,) = world.archive.debts.pay(silent)
    assert (payment.paid, payment.owed > 1) == (0, True)
    assert len(slow.calls) == 1
    warnings = world.archive.status(actor=OPERATOR)["warnings"]
    assert any("yet to answer" in warning for warning in warnings)  # type: ignore[attr-defined]
    assert world.archive.ready() == {"status": "ready", "stores": ["one", "two"]}

    slow.go.set()
    soon(lambda: not copies.late.under_way("three"))
    assert f"urn:trusted-archive:{first.poid}" in ids(world, "three")
    copies.away.answered("three")
    pay(world)
    written = [package.object_id for call in slow.calls for package in call]
    assert written.count(f"urn:trusted-archive:{first.poid}") == 1
    assert ids(world, "three") == ids(world, "one")
    assert world.archive.stores.compare(silent).same
    assert world.audit().findings == []


def test_no_other_process_clears_what_is_still_being_written(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """Content of an update is there and its head is not: who pays the debt would take it for what an interrupted write
    left, and clear it under the head that comes next."""
    told = world.deposit({"a.txt": b"1"})
    go, store = threading.Event(), root_of(world, "three").store
    real = store.replace_heads

    def late(heads: Sequence[Any]) -> None:
        assert go.wait(LONG)
        real(heads)

    monkeypatch.setattr(store, "replace_heads", late)
    world.update(told.poid, {"a.txt": b"2"})
    other_one = world.deposit({"a.txt": b"3"})
    with closing(world.open()) as other:
        (payment,) = other.debts.pay(silent)
        assert (payment.owed, payment.error) == (1, debts.STILL_WRITING)
        assert [path.read_bytes() for path in world.files("three", "v2/content/data/a.txt")] == [b"2"]
        assert f"urn:trusted-archive:{other_one.poid}" in ids(world, "three")
        go.set()
        soon(lambda: not world.archive.copies.late.under_way("three"))
        assert [payment.owed for payment in other.debts.pay(silent)] == [0]
    assert world.audit().findings == []
    assert world.archive.stores.compare(silent).same


def test_what_it_could_not_take_in_the_end_is_still_owed(world: World, slow: Slow) -> None:
    """Whatever becomes of a write that nobody waits for, the debt was there before."""
    told = world.deposit({"a.txt": b"1"})
    slow.fails = True
    slow.go.set()
    soon(lambda: not world.archive.copies.late.under_way("three"))
    assert f"urn:trusted-archive:{told.poid}" not in ids(world, "three")
    slow.fails = False
    world.archive.copies.away.answered("three")
    pay(world)
    assert f"urn:trusted-archive:{told.poid}" in ids(world, "three")


def test_an_update_and_its_first_version_come_in_order(world: World, slow: Slow) -> None:
    """The first version is still being written when the second is acknowledged."""
    told = world.deposit({"a.txt": b"1"})
    world.update(told.poid, {"a.txt": b"2"})
    slow.go.set()
    soon(lambda: not world.archive.copies.late.under_way("three"))
    world.archive.copies.away.answered("three")
    pay(world)
    head = root_of(world, "three").read_inventory(f"urn:trusted-archive:{told.poid}")
    assert head is not None
    assert head.head_number == 2


@pytest.mark.slow
def test_what_is_destroyed_while_it_is_being_written_goes_again(world: World, slow: Slow) -> None:
    """The store owes the deletion while it hangs. Another process, which does not know that, finds nothing there and
    has the deletion paid; when the write lands all the same, the store owes it anew."""
    told = world.deposit({"a.txt": b"1"})
    catalogue = world.archive.catalogue
    world.preserve()
    world.archive.destroy(told.poid, reason="a test", actor=OPERATOR)
    (debt,) = catalogue.deletion_debts(told.poid)
    assert debt.store == "three"
    catalogue.paid_deletion(debt, [])
    slow.go.set()
    soon(lambda: not world.archive.copies.late.under_way("three"))
    assert f"urn:trusted-archive:{told.poid}" in ids(world, "three")
    soon(lambda: bool(catalogue.deletion_debts(told.poid)))

    world.archive.copies.away.answered("three")
    pay(world)
    assert world.archive._destruction.settle(OPERATOR) == []
    assert f"urn:trusted-archive:{told.poid}" not in ids(world, "three")
    assert world.audit().findings == []


def test_a_write_that_had_not_begun_never_begins(world: World, slow: Slow) -> None:
    """Both threads of the store hang: what was to be given to it next is taken back."""
    copies = world.archive.copies
    blocked = [copies._pools["three"].submit(slow.go.wait, LONG) for _ in range(2)]
    told = world.deposit({"a.txt": b"1"})
    assert told.stores == ("one", "two")
    assert not copies.late.under_way("three")
    slow.go.set()
    assert all(one.result(LONG) for one in blocked)
    copies.away.answered("three")
    assert slow.calls == []
    pay(world)
    assert f"urn:trusted-archive:{told.poid}" in ids(world, "three")


def test_threads_do_not_grow_with_the_deposits(world: World, slow: Slow) -> None:
    """However many come while the store hangs."""
    world.deposit({"a.txt": b"1"})
    before = threading.active_count()
    for number in range(6):
        world.archive.copies.away.answered("three")
        world.deposit({"a.txt": b"%d" % number})
    assert threading.active_count() <= before
    assert len(slow.calls) == 1


@pytest.mark.slow
@pytest.mark.parametrize("rule", ["required", "stores"])
def test_a_store_that_is_needed_is_waited_for(tmp_path: Path, rule: str) -> None:
    """A required one, or one without which there would be too few."""
    store = THIRD.replace("required = false\n", "") if rule == "required" else THIRD
    least = "" if rule == "required" else "stores = 3\n"
    world = world_with(tmp_path, f"{store}\n[copies]\npatience = 0.1\n{least}")
    slow = Slow(root_of(world, "three"))
    threading.Timer(1.0, slow.go.set).start()
    assert world.deposit({"a.txt": b"1"}).stores == ("one", "two", "three")
    world.archive.close()


def test_more_bytes_are_given_more_time() -> None:
    """A second for each two million."""
    assert patience_for(0, 3.0) == 3.0
    assert patience_for(20_000_000, 3.0) == 13.0


def test_a_debt_that_is_noted_while_it_is_being_paid_stays(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """An update is acknowledged between the payer's look at the object and the end of its copy: the store gets the
    first version and goes on owing the second."""
    world.archive.copies.away.failed("three")
    told = world.deposit({"a.txt": b"1"})
    world.archive.copies.away.answered("three")
    root, real = root_of(world, "three"), root_of(world, "three").write_versions
    updated = []

    def meanwhile(packages: Sequence[Any]) -> Any:
        if not updated:
            updated.append(True)
            world.update(told.poid, {"a.txt": b"2"})
        return real(packages)

    monkeypatch.setattr(root, "write_versions", meanwhile)
    world.archive.debts.pay(silent)
    assert updated
    object_id = f"urn:trusted-archive:{told.poid}"
    assert ("three", object_id) in world.archive.catalogue.owing_copies([object_id])
    pay(world)
    head = root.read_inventory(object_id)
    assert head is not None
    assert head.head_number == 2
