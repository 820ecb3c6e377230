"""The store with a writer process: the behavioural suite, and what only a second process does."""

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from archive_core.errors import FixityError, StoreUnavailableError
from archive_core.ports import NewFile, ObjectStore
from storage_backends import writer
from storage_backends.writer import SideBySideStore
from tests.conformance.store_suite import StoreSuite, content, keys, new_object


@pytest.fixture
def store(tmp_path: Path) -> Iterator[SideBySideStore]:
    made = SideBySideStore.create("disk", tmp_path / "root", tmp_path / "aside")
    yield made
    made.close()


def child(store: SideBySideStore) -> subprocess.Popen[bytes]:
    """The process that writes for the store, which is made to run."""
    store.put_objects([new_object("warm/1"), new_object("warm/2")])
    process = store._writer._process
    assert process is not None
    return process


class TestSideBySideStore(StoreSuite):
    """The behavioural suite; new objects are written by the process, everything else here."""

    @pytest.fixture
    def store(self, tmp_path: Path) -> Iterator[ObjectStore]:
        made = SideBySideStore.create("disk", tmp_path / "root", tmp_path / "aside")
        yield made
        made.close()

    def unplug(self, store: ObjectStore) -> None:
        assert isinstance(store, SideBySideStore)
        store.root.rename(store.root.with_name("elsewhere"))


def test_objects_that_come_together_are_written_by_another_process(store: SideBySideStore) -> None:
    """One process for all groups, and it is not ours."""
    first = child(store)
    store.put_objects([new_object("a/1"), new_object("a/2", 2)])

    assert store._writer._process is first
    assert first.pid != os.getpid()
    assert content(store, "a/2/inventory.json") == b"inventory 2"


def test_large_objects_do_not_pass_through_the_process(store: SideBySideStore, monkeypatch: pytest.MonkeyPatch) -> None:
    """Small groups do not wait behind them."""
    monkeypatch.setattr(writer, "INLINE", 10)
    store.put_objects([new_object("a/1")])
    store.put_objects([new_object("a/2"), new_object("a/3")])

    assert store._writer._process is None
    assert content(store, "a/3/inventory.json") == b"inventory 1"


def test_an_error_of_the_process_is_the_error_of_the_verb_with_its_facts(store: SideBySideStore) -> None:
    """Which key it was is told as by a store in this process, and the process goes on."""
    process = child(store)
    right = new_object("a/1")
    wrong = NewFile("a/2/v1/x", b"1", right.files[0].expected, 1)
    with pytest.raises(FixityError) as found:
        store.put_objects([right, type(right)([wrong], new_object("a/2").head)])
    store.put_objects([new_object("b/1"), new_object("b/2")])

    assert found.value.facts == {"store": "disk", "key": "a/2/v1/x"}
    assert store._writer._process is process
    assert not [key for key in keys(store) if key.startswith("a/")]


def test_a_process_that_vanished_is_an_outage_and_the_next_group_gets_another(store: SideBySideStore) -> None:
    """Whether it had written is not known, so nobody is told that it had."""
    process = child(store)
    process.kill()
    process.wait()
    with pytest.raises(StoreUnavailableError, match="not known"):
        store.put_objects([new_object("a/1"), new_object("a/2")])
    store.put_objects([new_object("a/1"), new_object("a/2")])

    assert store._writer._process is not process
    assert content(store, "a/1/inventory.json") == b"inventory 1"


def test_a_process_that_is_killed_at_work_leaves_whole_objects_or_none(store: SideBySideStore) -> None:
    """It is stopped while a group waits for it, then killed; the repetition finds no half object."""
    process = child(store)
    process.send_signal(signal.SIGSTOP)
    group = [new_object(f"a/{number}", number) for number in range(50)]
    failed: list[BaseException] = []

    def put() -> None:
        try:
            store.put_objects(group)
        except StoreUnavailableError as error:
            failed.append(error)

    thread = threading.Thread(target=put)
    thread.start()
    process.kill()
    thread.join(30)

    assert failed
    for item in group:
        assert len(keys(store, item.head.object_path)) in (0, 4)
    store.put_objects(group)
    assert all(len(keys(store, item.head.object_path)) == 4 for item in group)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_what_stops_a_whole_process_group_does_not_stop_a_group_under_way(
    store: SideBySideStore, number: signal.Signals
) -> None:
    """Ctrl-C reaches the process too; the one that gives it work decides when it ends."""
    process = child(store)
    process.send_signal(number)
    store.put_objects([new_object("a/1"), new_object("a/2")])

    assert store._writer._process is process


def test_the_process_ends_with_the_one_that_gave_it_work(tmp_path: Path) -> None:
    """Also when that one is killed: no writer stays behind."""
    script = (
        "import sys, time\nfrom pathlib import Path\nfrom storage_backends.writer import SideBySideStore\n"
        "from tests.conformance.store_suite import new_object\n"
        "store = SideBySideStore.create('disk', Path(sys.argv[1]) / 'root', Path(sys.argv[1]) / 'aside')\n"
        "store.put_objects([new_object('a/1'), new_object('a/2')])\n"
        "print(store._writer._process.pid, flush=True)\ntime.sleep(60)\n"
    )
    with subprocess.Popen([sys.executable, "-c", script, str(tmp_path)], stdout=subprocess.PIPE) as parent:
        assert parent.stdout is not None
        pid = int(parent.stdout.readline())
        handle = os.pidfd_open(pid)
        parent.kill()
    try:
        import select

        assert select.select([handle], [], [], 30)[0], "the writer outlived the one that gave it work"
    finally:
        os.close(handle)


def test_closing_leaves_nothing_aside_and_a_later_write_begins_anew(store: SideBySideStore, tmp_path: Path) -> None:
    """The session of the process ends with it."""
    process = child(store)
    store.close()

    assert process.returncode == 0
    assert store.leftovers() == []
    store.put_objects([new_object("a/1"), new_object("a/2")])
    assert content(store, "a/1/inventory.json") == b"inventory 1"
