"""The store in a directory: the behavioural suite, and what only directories do."""

import errno
import io
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from contextlib import nullcontext
from pathlib import Path

import pytest

from archive_core.digests import Digest
from archive_core.errors import (
    AlreadyExistsError,
    ConcurrentChangeError,
    FixityError,
    SettingsError,
    StoreUnavailableError,
    UnknownObjectError,
)
from archive_core.ports import EntryKind, KnownBytes, NewFile, NewObject, ObjectStore
from storage_backends.durable import DurableFiles
from storage_backends.filesystem import FilesystemStore
from storage_backends.tree import StoredFile
from tests.conformance.store_suite import StoreSuite, content, head, keys, new_file, new_object
from tests.vectors import REPOSITORY, missing


@pytest.fixture
def store(tmp_path: Path) -> FilesystemStore:
    return FilesystemStore.create("disk", tmp_path / "deep" / "root")


class TestFilesystemStore(StoreSuite):
    """The behavioural suite on a directory."""

    @pytest.fixture
    def store(self, tmp_path: Path) -> ObjectStore:
        return FilesystemStore.create("disk", tmp_path / "root")

    def unplug(self, store: ObjectStore) -> None:
        assert isinstance(store, FilesystemStore)
        store.root.rename(store.root.with_name("elsewhere"))


class TestFilesystemStoreFileByFile(TestFilesystemStore):
    """The same where the kernel offers no way to sync a group at once, and no exclusive rename."""

    @pytest.fixture
    def store(self, tmp_path: Path) -> ObjectStore:
        files = DurableFiles()
        files._syncfs = None
        files._renameat2 = None
        return FilesystemStore.create("disk", tmp_path / "root", files=files, cold_read_back=True)


# -- the order of durable steps -------------------------------------------------------------------


class _Recorder(DurableFiles):
    """Writes as always, and remembers what was synced when."""

    def __init__(self) -> None:
        super().__init__()
        self._syncfs = None
        self.steps: list[tuple[str, str]] = []

    def write(self, path: str, source: bytes | Path) -> None:
        super().write(path, source)
        self.steps.append(("write", str(path)))

    def make_directory(self, path: str) -> None:
        super().make_directory(path)
        self.steps.append(("make", str(path)))

    def publish(self, staged: str, final: str) -> None:
        self._require_synced(staged)
        super().publish(staged, final)
        self.steps.append(("name", str(final)))

    def publish_tree(self, staged: str, final: str) -> None:
        for path in [staged, *(str(path) for path in Path(staged).rglob("*"))]:
            self._require_synced(path)
        super().publish_tree(staged, final)
        self.steps.append(("name", str(final)))

    def replace(self, staged: str, final: str) -> None:
        self._require_synced(staged)
        super().replace(staged, final)
        self.steps.append(("name", str(final)))

    def sync_path(self, path: str, *, directory: bool) -> None:
        super().sync_path(path, directory=directory)
        self.steps.append(("sync", str(path)))

    def _require_synced(self, staged: str) -> None:
        assert ("sync", str(staged)) in self.steps, "a name was given to contents that were not synced"

    def named(self) -> list[str]:
        return [path for step, path in self.steps if step == "name"]

    def synced_after(self, path: str) -> set[str]:
        """What was synced after the last step on a path."""
        last = max(n for n, (step, where) in enumerate(self.steps) if where == path and step in {"name", "make"})
        return {where for step, where in self.steps[last:] if step == "sync"}


@pytest.fixture
def recorder() -> _Recorder:
    return _Recorder()


def test_files_show_in_the_order_given(tmp_path: Path, recorder: _Recorder) -> None:
    """Whoever sees a later file of a group sees the earlier ones."""
    store = FilesystemStore.create("disk", tmp_path / "root", files=recorder)
    order = ["z/1", "a/2", "m", "a/1"]
    store.put_new([new_file(key, key.encode()) for key in order])

    assert recorder.named() == [str(store.root / key) for key in order]


def test_every_new_name_is_synced_in_both_directories(tmp_path: Path, recorder: _Recorder) -> None:
    """A file's directory, each new directory's parent and the staging area are synced at the end."""
    store = FilesystemStore.create("disk", tmp_path / "root", files=recorder)
    store.put_new([new_file("a/b/c", b"1"), new_file("d", b"2")])
    synced = recorder.synced_after(str(store.root / "d"))

    assert {str(store.root), str(store.root / "a"), str(store.root / "a" / "b")} <= synced
    assert any(path.startswith(str(tmp_path / "root.staging")) for path in synced)


def test_a_file_that_was_there_is_synced_before_success_is_told(tmp_path: Path, recorder: _Recorder) -> None:
    """The writer of before may have died between naming and syncing."""
    store = FilesystemStore.create("disk", tmp_path / "root", files=recorder)
    store.put_new([new_file("a/b", b"1")])
    recorder.steps.clear()
    store.put_new([new_file("a/b", b"1")])

    assert {("sync", str(store.root / "a" / "b")), ("sync", str(store.root / "a"))} <= set(recorder.steps)


def test_the_inventory_is_durable_before_its_sidecar_shows(tmp_path: Path, recorder: _Recorder) -> None:
    """A crash leaves the new inventory with the old sidecar, never the other way round."""
    store = FilesystemStore.create("disk", tmp_path / "root", files=recorder)
    store.replace_heads([head("o", b"1", b"s1", None)])
    recorder.steps.clear()
    store.replace_heads([head("o", b"2", b"s2", b"1")])
    inventory, sidecar = str(store.root / "o/inventory.json"), str(store.root / "o/inventory.json.sha512")

    assert recorder.named() == [inventory, sidecar]
    between = recorder.steps[recorder.steps.index(("name", inventory)) : recorder.steps.index(("name", sidecar))]
    assert ("sync", str(store.root / "o")) in between
    assert str(store.root / "o") in recorder.synced_after(sidecar)


def test_the_root_is_made_durable(tmp_path: Path, recorder: _Recorder) -> None:
    """A new root's name, and those of its new parents, are synced."""
    FilesystemStore.create("disk", tmp_path / "x" / "root", files=recorder)

    assert {("sync", str(tmp_path)), ("sync", str(tmp_path / "x"))} <= set(recorder.steps)


# -- a disk that fails ----------------------------------------------------------------------------


class _Failing(DurableFiles):
    """Fails at the n-th use of one step, with an error or with wrong bytes."""

    def __init__(self, step: str, at: int = 1, error: int = errno.EIO) -> None:
        super().__init__()
        self._syncfs = None
        self._step, self._left, self._error = step, at, error

    def _perhaps(self, step: str) -> None:
        if step == self._step:
            self._left -= 1
            if self._left == 0:
                raise OSError(self._error, os.strerror(self._error))

    def write(self, path: str, source: bytes | Path) -> None:
        super().write(path, source)
        self._perhaps("write")

    def publish(self, staged: str, final: str) -> None:
        self._perhaps("publish")
        super().publish(staged, final)

    def publish_tree(self, staged: str, final: str) -> None:
        self._perhaps("publish_tree")
        super().publish_tree(staged, final)

    def replace(self, staged: str, final: str) -> None:
        self._perhaps("replace")
        super().replace(staged, final)

    def sync_path(self, path: str, *, directory: bool) -> None:
        self._perhaps("sync directory" if directory else "sync")
        super().sync_path(path, directory=directory)


@pytest.mark.parametrize(
    ("step", "at", "code"),
    [
        ("write", 1, errno.ENOSPC),
        ("write", 3, errno.ENOSPC),
        ("sync", 1, errno.EIO),
        ("sync", 3, errno.EIO),
        ("publish", 1, errno.EROFS),
        ("publish", 2, errno.EIO),
        ("sync directory", 1, errno.EIO),
        ("sync directory", 2, errno.EIO),
    ],
)
def test_a_failing_step_is_an_outage_and_the_retry_succeeds(tmp_path: Path, step: str, at: int, code: int) -> None:
    """No success is told, nothing is left aside, nothing wrong shows, and the same put works later."""
    root = tmp_path / "root"
    FilesystemStore.create("disk", root)
    files = [new_file(f"o/{n}", str(n).encode()) for n in range(3)]
    store = FilesystemStore("disk", root, files=_Failing(step, at, code))
    with pytest.raises(StoreUnavailableError) as caught:
        store.put_new(files)

    assert caught.value.facts["error"] == errno.errorcode[code]
    shown = [entry.key for entry in store.list() if entry.kind is EntryKind.FILE]
    assert all(content(store, key) == key.rpartition("/")[2].encode() for key in shown)
    assert {path.name for path in (tmp_path / "root.staging").rglob("*") if path.is_file()} <= {"lock"}
    again = FilesystemStore("disk", root)
    again.put_new(files)
    assert keys(again) == ["o/0", "o/1", "o/2"]


@pytest.mark.parametrize(
    ("step", "at"), [("write", 2), ("sync", 2), ("replace", 1), ("replace", 2), ("sync directory", 1)]
)
def test_a_failing_head_replacement_can_be_repeated(tmp_path: Path, step: str, at: int) -> None:
    """Whatever the interrupted one had done, the same replacement succeeds afterwards."""
    root = tmp_path / "root"
    FilesystemStore.create("disk", root).replace_heads([head("o", b"1", b"s1", None)])
    with pytest.raises(StoreUnavailableError):
        FilesystemStore("disk", root, files=_Failing(step, at)).replace_heads([head("o", b"2", b"s2", b"1")])
    store = FilesystemStore("disk", root)
    store.replace_heads([head("o", b"2", b"s2", b"1")])

    assert (content(store, "o/inventory.json"), content(store, "o/inventory.json.sha512")) == (b"2", b"s2")


class _Lying(DurableFiles):
    """A disk that keeps other bytes than it was given."""

    def write(self, path: str, source: bytes | Path) -> None:
        data = source if isinstance(source, bytes) else source.read_bytes()
        super().write(path, bytes([data[0] ^ 1]) + data[1:])


def test_a_disk_that_keeps_other_bytes_is_found_out_before_they_show(tmp_path: Path) -> None:
    """Read-back compares what the disk gives with what was meant."""
    store = FilesystemStore.create("disk", tmp_path / "root", files=_Lying())
    with pytest.raises(FixityError):
        store.put_new([new_file("a", b"12345")])
    with pytest.raises(FixityError):
        store.replace_heads([head("o", b"1", b"s", None)])

    assert keys(store) == []


class _Watched(DurableFiles):
    """Counts whole-file-system syncs."""

    def __init__(self) -> None:
        super().__init__()
        self.whole = 0

    def sync_file_system(self, descriptor: int) -> bool:
        self.whole += 1
        return super().sync_file_system(descriptor)


def test_a_group_shares_its_syncs(tmp_path: Path) -> None:
    """Two hundred files cost as many syncs as two do."""
    files = _Watched()
    if files._syncfs is None:
        missing("syncfs that reports errors (Linux 5.8)")
    store = FilesystemStore.create("disk", tmp_path / "root", files=files)
    store.put_new([new_file(f"{n % 9}/{n}", str(n).encode()) for n in range(200)])

    assert files.whole == 2


def test_an_error_of_the_group_sync_is_an_outage(tmp_path: Path) -> None:
    """syncfs returns write-back errors; they are not swallowed."""

    class Broken(DurableFiles):
        def sync_file_system(self, descriptor: int) -> bool:
            raise OSError(errno.EIO, "write-back failed")

    store = FilesystemStore.create("disk", tmp_path / "root", files=Broken())
    with pytest.raises(StoreUnavailableError):
        store.put_new([new_file(f"{n}", b"1") for n in range(20)])

    assert keys(store) == []


# -- whole objects --------------------------------------------------------------------------------


def test_an_object_is_named_once_when_all_of_it_is_durable(tmp_path: Path, recorder: _Recorder) -> None:
    """Every file and directory is synced before the object shows, and its name afterwards."""
    store = FilesystemStore.create("disk", tmp_path / "root", files=recorder)
    recorder.steps.clear()
    store.put_objects([new_object("ab/o")])
    final = str(store.root / "ab" / "o")

    assert recorder.named() == [final]
    assert {str(store.root), str(store.root / "ab"), *map(str, (tmp_path / "root.staging").glob("*[!k]"))} <= (
        recorder.synced_after(final)
    )


def test_a_group_of_objects_costs_two_syncs(tmp_path: Path) -> None:
    """However many objects, files and heads there are."""
    files = _Watched()
    if files._syncfs is None:
        missing("syncfs that reports errors (Linux 5.8)")
    store = FilesystemStore.create("disk", tmp_path / "root", files=files)
    store.put_objects([new_object(f"{n % 9}/o{n}", n) for n in range(50)])

    assert files.whole == 2


@pytest.mark.parametrize(
    ("step", "at"), [("write", 2), ("write", 5), ("sync", 2), ("publish_tree", 1), ("publish_tree", 2)]
)
def test_a_failing_group_of_objects_shows_whole_objects_only(tmp_path: Path, step: str, at: int) -> None:
    """Some of the objects may be there, none of them half, nothing is left aside, and the retry succeeds."""
    root = tmp_path / "root"
    FilesystemStore.create("disk", root)
    objects = [new_object(f"ab/o{n}", n) for n in range(3)]
    with pytest.raises(StoreUnavailableError):
        FilesystemStore("disk", root, files=_Failing(step, at)).put_objects(objects)
    store = FilesystemStore("disk", root)

    assert {len(keys(store, f"ab/{name[:-1]}")) for name in store.children("ab")} <= {4}
    assert {path.name for path in (tmp_path / "root.staging").rglob("*") if path.is_file()} <= {"lock", "heads.lock"}
    store.put_objects(objects)
    assert len(keys(store)) == 12


def test_a_staged_object_that_a_killed_writer_left_is_cleared(store: FilesystemStore) -> None:
    """A leftover may be a directory with files in it."""
    with _writer(store.root, "die in tree") as writer:
        assert writer.wait(timeout=60) == -signal.SIGKILL
    (left,) = store.leftovers()

    assert list(store.clear_leftovers()) == [left]
    assert list(store.leftovers()) == []
    assert [path.name for path in store.root.with_name("root.staging").rglob("*")] == []


# -- links and odd things ---------------------------------------------------------------------------


def test_links_are_named_as_odd_and_never_followed(store: FilesystemStore, tmp_path: Path) -> None:
    """Neither a linked file nor a file below a linked directory can be read or listed."""
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "secret").write_bytes(b"secret")
    store.put_new([new_file("d/a", b"1")])
    (store.root / "d" / "file").symlink_to(outside / "secret")
    (store.root / "directory").symlink_to(outside)
    (store.root / "loop").symlink_to(store.root)
    os.mkfifo(store.root / "pipe")

    assert {entry.key: entry.kind for entry in store.list()} == {
        "d/a": EntryKind.FILE,
        "d/file": EntryKind.OTHER,
        "directory": EntryKind.OTHER,
        "loop": EntryKind.OTHER,
        "pipe": EntryKind.OTHER,
    }
    for key in ("d/file", "directory/secret", "loop/d/a", "pipe", "directory"):
        with pytest.raises(UnknownObjectError):
            store.open(key)
    assert store.stat("directory/secret") is None
    assert list(store.list("directory")) == []
    assert store.children("directory") == []


def test_nothing_is_written_through_a_link(store: FilesystemStore, tmp_path: Path) -> None:
    """A linked directory is no directory of the store."""
    outside = tmp_path / "outside"
    outside.mkdir()
    (store.root / "d").symlink_to(outside)
    (store.root / "o").symlink_to(outside)
    (store.root / "f").symlink_to(outside / "new")
    for key in ("d/a", "f"):
        with pytest.raises(AlreadyExistsError):
            store.put_new([new_file(key, b"1")])
    with pytest.raises(AlreadyExistsError):
        store.replace_heads([head("o", b"1", b"s", None)])

    assert list(outside.iterdir()) == []


def test_empty_directories_are_listed(store: FilesystemStore) -> None:
    """OCFL forbids them (E073), so a check must see them."""
    (store.root / "a" / "empty").mkdir(parents=True)

    assert [(entry.key, entry.kind) for entry in store.list()] == [("a/empty", EntryKind.EMPTY_DIRECTORY)]


def test_a_name_that_is_not_unicode_can_be_looked_at(store: FilesystemStore) -> None:
    """Foreign bytes in a name must not stop a check."""
    (store.root / os.fsdecode(b"bad\xff")).write_bytes(b"1")
    (key,) = keys(store)

    assert content(store, key) == b"1"


# -- staging and outages ----------------------------------------------------------------------------


def test_a_missing_root_is_not_made_by_a_write(tmp_path: Path) -> None:
    """An unmounted disk must not fill its mount point."""
    store = FilesystemStore("disk", tmp_path / "root")
    with pytest.raises(StoreUnavailableError):
        store.put_new([new_file("a", b"1")])

    assert not (tmp_path / "root").exists()


def test_staging_on_another_file_system_is_refused(tmp_path: Path) -> None:
    """A rename between file systems is a copy, and not atomic."""
    places = [Path(name) for name in ("/dev/shm", "/var/tmp", "/tmp")]
    others = [place for place in places if place.is_dir() and place.stat().st_dev != tmp_path.stat().st_dev]
    if not others:
        missing("a second file system at /dev/shm, /var/tmp or /tmp")
    area = others[0] / f"staging-{os.getpid()}"
    store = FilesystemStore.create("disk", tmp_path / "root", staging=area)
    try:
        with pytest.raises(SettingsError):
            store.put_new([new_file("a", b"1")])
    finally:
        for path in sorted(area.rglob("*"), reverse=True):
            path.unlink() if path.is_file() else path.rmdir()
        area.rmdir()


_DYING = """
import os, signal, sys
from pathlib import Path
from archive_core.digests import Digest
from archive_core.ports import NewFile, NewHead, NewObject
from storage_backends.durable import DurableFiles
from storage_backends.filesystem import FilesystemStore

class Dying(DurableFiles):
    def publish_tree(self, staged, final):
        os.kill(os.getpid(), signal.SIGKILL)

    def publish(self, staged, final):
        if sys.argv[2] == "die":
            os.kill(os.getpid(), signal.SIGKILL)
        print("writing", flush=True)
        sys.stdin.read()
        super().publish(staged, final)

store = FilesystemStore("disk", Path(sys.argv[1]), files=Dying())
file = NewFile("a/b", b"1", Digest.of("sha512", b"1"), 1)
if sys.argv[2] == "die in tree":
    store.put_objects([NewObject([file], NewHead("a", b"i", b"s", "inventory.json.sha512", None))])
store.put_new([file])
"""


def _writer(root: Path, how: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", _DYING, str(root), how],
        cwd=REPOSITORY,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )


def test_what_a_killed_writer_left_is_named_and_cleared(store: FilesystemStore) -> None:
    """Leftovers lie beside the root; clearing them never touches it."""
    store.put_new([new_file("kept", b"1")])
    with _writer(store.root, "die") as writer:
        assert writer.wait(timeout=60) == -signal.SIGKILL
    (left,) = store.leftovers()

    assert [entry.key for entry in store.list() if entry.kind is EntryKind.FILE] == ["kept"]
    assert list(store.clear_leftovers()) == [left]
    assert list(store.leftovers()) == []
    store.put_new([new_file("a/b", b"1")])
    assert keys(store) == ["a/b", "kept"]


def test_what_a_living_writer_stages_is_not_a_leftover(store: FilesystemStore) -> None:
    """Another process in the middle of a write is not disturbed."""
    with _writer(store.root, "wait") as writer:
        assert writer.stdout is not None
        assert writer.stdin is not None
        assert writer.stdout.readline() == "writing\n"
        assert list(store.leftovers()) == []
        assert list(store.clear_leftovers()) == []
        writer.stdin.close()
        assert writer.wait(timeout=60) == 0

    assert content(store, "a/b") == b"1"


def test_a_store_that_ends_leaves_no_session_behind(tmp_path: Path) -> None:
    """The staging area of a store nobody uses is empty, but for its lock."""
    store = FilesystemStore.create("disk", tmp_path / "root")
    store.put_new([new_file("a", b"1")])
    del store

    assert [path for path in (tmp_path / "root.staging").iterdir() if path.is_dir()] == []


def test_an_unreadable_file_is_an_outage_of_the_store() -> None:
    """A read error of the device reaches the reader as the store's error, also in mid-stream."""
    unreadable = Path("/proc/self/mem")  # its first page is never mapped: reading it is EIO
    if not unreadable.exists():
        missing("a file that cannot be read (/proc/self/mem)")
    with io.BufferedReader(StoredFile(str(unreadable), "disk")) as stream:
        for read in (lambda: stream.read(10), stream.read):
            with pytest.raises(StoreUnavailableError) as caught:
                read()
            assert caught.value.facts["error"] == "EIO"


def test_an_empty_directory_that_a_crash_left_can_be_removed(store: FilesystemStore) -> None:
    """What `list` shows as an empty directory, `remove` takes."""
    (store.root / "a" / "empty").mkdir(parents=True)
    store.remove([entry.key for entry in store.list()])

    assert list(store.list()) == []
    assert store.root.is_dir()


def test_a_directory_with_files_is_not_removed(store: FilesystemStore) -> None:
    """Only what is named goes."""
    store.put_new([new_file("d/a", b"1")])
    with pytest.raises(StoreUnavailableError):
        store.remove(["d"])

    assert keys(store) == ["d/a"]


def test_a_group_syncs_file_by_file_where_nothing_better_is_offered(tmp_path: Path) -> None:
    """Without syncfs each file and each directory is synced by itself."""
    files = _Recorder()
    target = tmp_path / "f"
    target.write_bytes(b"1")
    with files.group(str(tmp_path)) as group:
        group.sync(files=[str(target)] * 5, directories=[str(tmp_path)])

    assert [step for step, _ in files.steps] == ["sync"] * 6


@pytest.mark.parametrize("found", [b"", b"known byte", b"known bytez", b"known bytes and more"])
def test_known_bytes_that_do_not_read_back_never_show(tmp_path: Path, found: bytes) -> None:
    """A disk that keeps something else is found out by comparison as it is by digest."""

    class Forgetful(DurableFiles):
        def write(self, path: str, source: bytes | Path) -> None:
            super().write(path, found if source == b"known bytes" else source)

    store = FilesystemStore.create("disk", tmp_path / "root", files=Forgetful())
    data = KnownBytes(b"known bytes")
    item = new_object("a/1")
    file = NewFile("a/1/v1/content/data/a", data, Digest.of("sha512", data), len(data))
    with pytest.raises(FixityError):
        store.put_objects([NewObject([*item.files[1:], file], item.head)])

    assert keys(store) == []


@pytest.mark.parametrize("prefix", ["", "a"])
def test_a_disk_that_fails_when_it_is_looked_at_is_an_outage(
    store: FilesystemStore, prefix: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also the very first look of a listing; no error of the system comes through."""
    store.put_new([new_file("a/b", b"1")])

    def dying(path: str) -> None:
        raise OSError(errno.EIO, os.strerror(errno.EIO), path)

    monkeypatch.setattr(os, "lstat", dying)
    with pytest.raises(StoreUnavailableError) as caught:
        list(store.list(prefix))
    assert caught.value.facts["error"] == "EIO"


class _SlowToRemove(DurableFiles):
    """A disk that keeps a removal waiting, while another writer does its work."""

    def __init__(self, meanwhile: Callable[[str], None]) -> None:
        super().__init__()
        self._meanwhile = meanwhile

    def publish(self, staged: str, final: str) -> None:
        if staged.endswith("o/v1/content/a"):
            self._meanwhile(staged)
        super().publish(staged, final)


def test_what_was_put_there_while_a_removal_waited_stays(tmp_path: Path) -> None:
    """The file that was to go is gone, removed by another process, and what it has put in its place is not taken for
    it; the same bytes, even. What is gone already is removed."""
    first = FilesystemStore.create("disk", tmp_path / "root")
    key = "o/v1/content/a"

    def replaced(path: str) -> None:
        first.remove([key])
        first.put_new([new_file(key, b"1")])

    for meanwhile, refused in ((replaced, True), (lambda path: first.remove([key]), False)):
        first.put_new([new_file(key, b"1"), new_file("o/b", b"2")])
        slow = FilesystemStore("disk", tmp_path / "root", files=_SlowToRemove(meanwhile))
        with pytest.raises(ConcurrentChangeError) if refused else nullcontext():
            slow.remove([key, "o/b"])

        assert keys(first) == (["o/b", key] if refused else [])
        assert slow.leftovers() == []
        if refused:
            assert content(first, key) == b"1"
