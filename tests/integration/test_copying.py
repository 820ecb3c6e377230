"""Very many objects copied into one store by processes beside the archive's own."""

import os
import signal
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest

from api.settings import SETTINGS_FILE
from archive_core import copying, debts
from archive_core.archive import silent
from archive_core.errors import StoreUnavailableError
from archive_core.ocfl.plain_copy import copy_plain
from archive_core.ports import ObjectToCopy
from storage_backends.copier import Copier
from storage_backends.filesystem import FilesystemStore
from tests.integration.test_copies import THIRD, left_over, pay, plug, unplug, world_with
from tests.world import OPERATOR, World


@pytest.fixture
def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[World]:
    """Two required stores and one that may be away; a few objects are many enough for processes."""
    monkeypatch.setattr(copying, "WORTH_PROCESSES", 1)
    monkeypatch.setattr(debts, "PAGE", 4)
    made = world_with(tmp_path)
    yield made
    made.archive.close()


@pytest.fixture
def copied(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The objects that processes promised to have copied."""
    found: list[str] = []
    real = Copier.copy

    def copy(self: Copier, wanted: Sequence[ObjectToCopy]) -> list[str | None]:
        answers = real(self, wanted)
        found.extend(one for (_, _, one), answer in zip(wanted, answers, strict=True) if answer is not None)
        return answers

    monkeypatch.setattr(Copier, "copy", copy)
    return found


def same_bytes(world: World) -> bool:
    one, three = (
        {path.relative_to(world.store(name)): path.read_bytes() for path in world.files(name, "")}
        for name in ("one", "three")
    )
    return one == three


def test_processes_copy_byte_for_byte_what_a_store_lacks(world: World, copied: list[str]) -> None:
    """Objects of one version by processes, updated ones and those too large for memory in the careful way; what was
    destroyed is copied by nobody."""
    first = world.deposit({"a.txt": b"before"})
    unplug(world, "three")
    many = [world.deposit({"a.txt": b"%d" % number, "b/c.txt": b""}).poid for number in range(9)]
    large = world.deposit({"a.bin": bytes(1024 * 1024 + 1)}).poid
    world.update(first.poid, {"a.txt": b"after"})
    world.preserve()
    world.archive.destroy(many[0], reason="a test", actor=OPERATOR)
    plug(world, "three")
    pay(world)

    objects = {f"urn:trusted-archive:{poid}" for poid in many[1:]}
    assert objects <= set(copied)
    assert {f"urn:trusted-archive:{poid}" for poid in (first.poid, large, many[0])}.isdisjoint(copied)
    assert same_bytes(world)
    assert world.audit().findings == []


@pytest.mark.slow
def test_a_new_store_is_filled_by_processes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, copied: list[str]) -> None:
    """As any other way of filling it."""
    monkeypatch.setattr(copying, "WORTH_PROCESSES", 1)
    world = World(tmp_path)
    for number in range(5):
        world.deposit({"a.txt": b"%d" % number})
    settings = world.home / SETTINGS_FILE
    settings.write_text(settings.read_text() + THIRD)
    world.settings = type(world.settings).load(world.home)
    world.restart()
    assert world.archive.stores.add("three", actor=OPERATOR, progress=silent).owed == 0
    assert len(copied) >= 5
    assert same_bytes(world)
    world.archive.close()


@pytest.mark.parametrize("name", ["data/a.txt", "v1/inventory.json", "inventory.json.sha512"])
def test_no_process_copies_what_is_damaged(world: World, copied: list[str], name: str) -> None:
    """One changed byte in a file, or in one of the object's own; the other store's copy is not asked by processes."""
    unplug(world, "three")
    told, other = (world.deposit({"a.txt": b"as it was"}) for _ in range(2))
    plug(world, "three")
    for path in world.files("one", name):
        if told.poid in str(path) and path.parent.name != ("v1" if name.startswith("inv") else ""):
            data = bytearray(path.read_bytes())
            data[0] ^= 1
            path.write_bytes(data)
    world.archive.debts.pay(silent)

    assert f"urn:trusted-archive:{told.poid}" not in copied
    assert f"urn:trusted-archive:{other.poid}" in copied


def test_a_process_that_dies_leaves_a_debt_that_is_paid_later(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody is told that something was copied which perhaps was not."""
    unplug(world, "three")
    for number in range(3):
        world.deposit({"a.txt": b"%d" % number})
    plug(world, "three")
    real = Copier.copy

    def dying(self: Copier, wanted: Sequence[ObjectToCopy]) -> list[str | None]:
        real(self, [])
        process = self._aside._process
        assert process is not None
        os.kill(process.pid, signal.SIGKILL)
        return real(self, wanted)

    monkeypatch.setattr(Copier, "copy", dying)
    (payment,) = world.archive.debts.pay(silent)
    assert payment.error is not None
    assert payment.owed > 0
    monkeypatch.setattr(Copier, "copy", real)
    pay(world)
    assert same_bytes(world)


def test_what_an_interrupted_write_left_is_in_nobody_s_way(world: World, copied: list[str]) -> None:
    """A group with such an object is copied in the careful way, and nothing of it is lost."""
    unplug(world, "three")
    told = world.deposit({"a.txt": b"1"})
    world.deposit({"a.txt": b"2"})
    plug(world, "three")
    left_over(world, told.poid, "v1/content")
    for path in world.files("three", "data/a.txt"):
        path.write_bytes(b"?")
    pay(world)
    assert f"urn:trusted-archive:{told.poid}" not in copied
    assert same_bytes(world)


def test_what_another_store_holds_in_a_later_version_is_brought_to_that(world: World) -> None:
    """A process copies the first version that its own source holds; the debt is paid only by the newest one."""
    unplug(world, "three")
    told = world.deposit({"a.txt": b"1"})
    plug(world, "three")
    object_id = f"urn:trusted-archive:{told.poid}"
    roots = {root.store.name: root for root in world.archive.copies.roots}
    kept = {path: path.read_bytes() for path in world.files("one", "") if told.poid in str(path)}
    world.archive.copies.away.failed("three")
    world.update(told.poid, {"a.txt": b"2"})
    world.archive.copies.away.answered("three")
    for path in world.files("one", ""):
        if told.poid in str(path):
            path.unlink() if path not in kept else path.write_bytes(kept[path])
    pay(world)

    head = roots["three"].read_inventory(object_id)
    assert head is not None
    assert head.head_number == 2


class _Here:
    """A copier without a process, so that the disk below it can be a model."""

    def __init__(self, source: Any, target: Any) -> None:
        self._source, self._target = source, target

    def copy(self, wanted: Sequence[ObjectToCopy]) -> list[str | None]:
        return copy_plain(self._source, self._target, wanted)

    def close(self) -> None:
        """There is nothing to let go of."""


def test_a_target_that_takes_nothing_keeps_its_debts(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """The error stands beside each of them."""
    unplug(world, "three")
    world.deposit({"a.txt": b"1"})
    plug(world, "three")

    def full(*_: object) -> None:
        raise StoreUnavailableError("No space left on device")

    (root,) = [root for root in world.archive.copies.known if root.store.name == "three"]
    monkeypatch.setattr(root.store, "put_objects", full, raising=True)
    monkeypatch.setattr(FilesystemStore, "lend_copier", lambda self, target: _Here(self, target))
    (payment,) = world.archive.debts.pay(silent)
    assert (payment.paid, payment.error) == (0, "No space left on device")
    assert {debt.error for debt in world.archive.catalogue.copy_debts("three")} == {"No space left on device"}
