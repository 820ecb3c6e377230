"""A storage root: written in order, found again, never believed without a digest."""

import itertools
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

from archive_core.digests import Digest
from archive_core.errors import (
    AlreadyExistsError,
    ConcurrentChangeError,
    FixityError,
    InventoryCorruptError,
    LeaseHeldError,
    SettingsError,
    SizeLimitError,
    StoreUnavailableError,
    UnknownObjectError,
    UsageError,
)
from archive_core.ocfl.layout import CONFIG_KEY, HashAndIdLayout
from archive_core.ocfl.leftovers import adopt, clear_unfinished, empty_directories, unfinished
from archive_core.ocfl.storage_root import StorageRoot
from archive_core.ports import NewFile, NewHead
from archive_core.replication import Copies
from archive_core.settling import discard
from storage_backends.memory import MemoryStore
from tests.unit.ocfl.objects import FIRST, OBJECT, SECOND, new_root, package, root_with_two_versions

OTHER = "urn:trusted-archive:ba0000000001"


def read(root: StorageRoot, version: int, path: str) -> bytes:
    return root.read_file(OBJECT, version, path, 10_000_000)


# -- the root itself --------------------------------------------------------------------------------


def test_a_root_is_made_once_and_found_again() -> None:
    """Initialising is idempotent and changes nothing."""
    _, store = new_root()
    before = [(entry.key, entry.size) for entry in store.list()]
    StorageRoot(store).initialise()

    assert [(entry.key, entry.size) for entry in store.list()] == before
    assert [key for key, _ in before] == ["0=ocfl_1.1", CONFIG_KEY, "ocfl_layout.json"]


def test_an_existing_root_keeps_its_layout() -> None:
    """The configuration in the root decides, not the program's default."""
    store = MemoryStore("old")
    StorageRoot(store, HashAndIdLayout("sha512", 3, 3)).initialise()
    root = StorageRoot(store)
    root.initialise()

    assert root.layout == HashAndIdLayout("sha512", 3, 3)
    assert root.object_path(OBJECT).count("/") == 3


def test_an_interrupted_initialisation_is_finished() -> None:
    """The declaration comes last: without it, what is there is completed."""
    store = MemoryStore("half")
    config = HashAndIdLayout().config_file()
    store.put_new([NewFile(CONFIG_KEY, config, Digest.of("sha512", config), len(config))])
    StorageRoot(store).initialise()

    assert store.stat("0=ocfl_1.1") is not None


@pytest.mark.parametrize(
    "files",
    [
        {"holiday.jpg": b"1"},
        {"0=ocfl_1.0": b"ocfl_1.0\n"},
        {"0=ocfl_1.1": b"something else\n"},
        {"0=ocfl_1.1": b"ocfl_1.1\n"},
        {"0=ocfl_1.1": b"ocfl_1.1\n", CONFIG_KEY: b"{}"},
        {"ocfl_layout.json": b'{"extension":"0002-flat-direct-storage-layout","description":"flat"}'},
        {"019/abc/inventory.json": b"{}"},
    ],
)
def test_a_foreign_place_is_refused(files: dict[str, bytes]) -> None:
    """Nothing is written into what is not ours."""
    store = MemoryStore("foreign")
    store.put_new([NewFile(key, data, Digest.of("sha512", data), len(data)) for key, data in files.items()])
    with pytest.raises(SettingsError):
        StorageRoot(store).initialise()

    assert set(files) <= {entry.key for entry in store.list()}
    assert not {entry.key for entry in store.list()} - set(files) - {CONFIG_KEY, "ocfl_layout.json"}


def test_a_store_without_a_root_is_an_outage() -> None:
    """An unmounted disk looks like an empty directory; nothing is written there."""
    root = StorageRoot(MemoryStore("empty"))
    for action in (
        lambda: root.write_version(package()),
        lambda: root.read_inventory(OBJECT),
        lambda: root.has_object(OBJECT),
    ):
        with pytest.raises(StoreUnavailableError):
            action()

    assert list(root.store.list()) == []


def test_a_root_that_vanished_is_noticed_before_a_write() -> None:
    """The declaration is looked for at every write, not only at the first."""
    root, store = root_with_two_versions()
    store.damage("0=ocfl_1.1", None)
    with pytest.raises(StoreUnavailableError):
        root.write_version(package(object_id=OTHER))


@pytest.mark.parametrize("key", ["0=ocfl_1.1", "ocfl_layout.json", CONFIG_KEY])
def test_a_changed_byte_in_the_roots_own_files_is_found(key: str) -> None:
    """Also in words that OCFL gives no meaning to."""
    root, store = root_with_two_versions()
    assert root.assess_root_files() == []
    with store.open(key) as stream:
        data = stream.read()
    at = data.find(b"OCFL") if b"OCFL" in data else len(data) // 2
    store.damage(key, data[:at] + bytes([data[at] ^ 1]) + data[at + 1 :])

    assert [(finding.code, finding.where) for finding in root.assess_root_files()] == [
        ("ROOT_FILE_CHANGED", f"store:{key}")
    ]


def test_a_strange_file_in_the_root_is_found() -> None:
    """OCFL allows it; we did not put it there."""
    root, store = root_with_two_versions()
    store.put_new([NewFile("holiday.jpg", b"1", Digest.of("sha512", b"1"), 1)])

    assert [finding.code for finding in root.assess_root_files()] == ["STRANGE_FILE"]


# -- writing and reading ----------------------------------------------------------------------------


def test_versions_are_written_and_read_back() -> None:
    """Old versions stay as they were."""
    root, _ = root_with_two_versions()
    inventory = root.read_inventory(OBJECT)

    assert inventory is not None
    assert inventory.head == "v2"
    assert {path: read(root, 1, path) for path in FIRST} == FIRST
    assert {path: read(root, 2, path) for path in SECOND} == SECOND
    assert root.has_object(OBJECT)
    assert not root.has_object(OTHER)
    assert root.read_inventory(OTHER) is None


def test_each_deposited_file_is_one_plain_file_in_the_store() -> None:
    """The store can be read without us."""
    root, store = root_with_two_versions()
    path = root.object_path(OBJECT)
    keys = [entry.key.removeprefix(f"{path}/") for entry in store.list(path)]

    assert keys == [
        "0=ocfl_object_1.1",
        "inventory.json",
        "inventory.json.sha512",
        "v1/content/data/a.txt",
        "v1/content/data/b.txt",
        "v1/content/description.json",
        "v1/inventory.json",
        "v1/inventory.json.sha512",
        "v2/content/data/c.txt",
        "v2/content/description.json",
        "v2/inventory.json",
        "v2/inventory.json.sha512",
    ]


class _Watching(MemoryStore):
    """Remembers in which order things were asked for."""

    def __init__(self) -> None:
        super().__init__("watching")
        self.order: list[str] = []

    def put_new(self, files: Sequence[NewFile]) -> None:
        self.order += [file.key for file in files]
        super().put_new(files)

    def replace_heads(self, heads: Sequence[NewHead]) -> None:
        self.order += [f"head {head.object_path}" for head in heads]
        super().replace_heads(heads)


def test_the_head_comes_last_and_the_claim_first() -> None:
    """A version counts only when all of it is durable; only one writer can take its name."""
    store = _Watching()
    root = StorageRoot(store)
    root.initialise()
    store.order.clear()
    root.write_version(package())
    path = root.object_path(OBJECT)

    assert store.order[0] == f"{path}/v1/inventory.json"
    assert store.order[-1] == f"head {path}"
    assert f"{path}/0=ocfl_object_1.1" in store.order


def test_writing_the_same_package_again_is_success() -> None:
    """A retry of either version finds everything in place."""
    root, store = new_root()
    first = root.write_version(package())
    assert root.write_version(package()) == first
    second = package(SECOND, version=2, previous=first)
    root.write_version(second)
    before = [(entry.key, entry.size) for entry in store.list()]
    root.write_version(second)

    assert [(entry.key, entry.size) for entry in store.list()] == before


def test_a_retry_after_every_possible_interruption_succeeds() -> None:
    """Cut the write after each file and before and after the head: the same write then completes."""

    class Cut(MemoryStore):
        left = 10_000

        def _keep(self, key: str, data: bytes, *, head: bool = False) -> None:
            if self.left == 0:
                raise StoreUnavailableError("cut")
            self.left -= 1
            super()._keep(key, data, head=head)

    whole = None
    for cut in itertools.count():
        store = Cut("cut")
        root = StorageRoot(store)
        root.initialise()
        first = root.write_version(package())
        second = package(SECOND, version=2, previous=first)
        store.left = cut
        try:
            root.write_version(second)
        except StoreUnavailableError:
            present = root.read_inventory(OBJECT)
            assert present is not None
            assert {path: read(root, 1, path) for path in FIRST} == FIRST
            store.left = 10_000
            root.write_version(second)
        else:
            whole = cut
        store.left = 10_000
        assert {path: read(root, 2, path) for path in SECOND} == SECOND
        assert root.mend(OBJECT) is False
        assert unfinished(root, OBJECT) == []
        if whole is not None:
            break

    assert whole is not None
    assert whole >= 6


def test_the_loser_of_a_version_has_stored_nothing() -> None:
    """Another package for the same version is refused before any of its content is kept."""
    root, store = new_root()
    root.write_version(package())
    before = [entry.key for entry in store.list()]
    with pytest.raises(AlreadyExistsError):
        root.write_version(package({"data/other": b"1"}))

    assert [entry.key for entry in store.list()] == before


def test_a_version_on_an_old_head_is_refused() -> None:
    """Who did not see the newest version cannot write the next."""
    root, _ = root_with_two_versions()
    first = package().inventory
    with pytest.raises(AlreadyExistsError):
        root.write_version(package({"data/other": b"1"}, version=2, previous=first))
    other = package({"data/other": b"1"}).inventory
    with pytest.raises(ConcurrentChangeError):
        root.write_version(
            package({"x": b"1"}, version=3, previous=package({"y": b"1"}, version=2, previous=other).inventory)
        )


def test_many_packages_are_written_together() -> None:
    """One put and one replacement of heads for the whole group."""
    store = _Watching()
    root = StorageRoot(store)
    root.initialise()
    ids = [f"urn:trusted-archive:ba{number:010d}" for number in range(50)]
    store.order.clear()
    root.write_versions([package(object_id=object_id) for object_id in ids])

    assert [word.startswith("head") for word in store.order] == [False] * (50 * 6) + [True] * 50
    assert sorted(root.object_ids()) == ids


def test_one_object_cannot_be_twice_in_a_group() -> None:
    """Its versions come one after the other."""
    root, _ = new_root()
    with pytest.raises(UsageError):
        root.write_versions([package(), package()])


def test_objects_are_named_in_order_of_their_paths() -> None:
    """Also an id that is too long to be read from its path, and one whose inventory is damaged."""
    root, store = new_root()
    long = "urn:trusted-archive:" + "ž" * 100
    ids = [f"urn:trusted-archive:ba{number:010d}" for number in range(20)] + [long]
    root.write_versions([package(object_id=object_id) for object_id in ids])
    store.damage(f"{root.object_path(ids[3])}/inventory.json", b"damaged")

    assert list(root.object_ids()) == sorted(ids, key=root.object_path)
    assert list(root.object_paths()) == sorted(root.object_path(object_id) for object_id in ids)


def test_an_object_without_a_head_is_no_object() -> None:
    """What an interrupted first version left is not named, but is found by its path."""
    root, store = root_with_two_versions()
    path = root.object_path(OBJECT)
    for name in ("inventory.json", "inventory.json.sha512", "0=ocfl_object_1.1"):
        store.damage(f"{path}/{name}", None)

    assert list(root.object_ids()) == []
    assert list(root.object_paths()) == [path]
    assert root.read_inventory(OBJECT) is None


# -- damage ---------------------------------------------------------------------------------------


def _pieces(root: StorageRoot, size: int) -> Iterator[bytes]:
    with root.open_file(OBJECT, 1, "data/big") as stream:
        while piece := stream.read(size):
            yield piece


@pytest.mark.parametrize("where", [0, 1_500_000, 2_999_999])
@pytest.mark.parametrize("size", [1000, 65_536, 4_000_000])
def test_wrong_bytes_are_never_all_handed_out(where: int, size: int) -> None:
    """A flipped bit raises before the last piece; intact bytes come out whole."""
    root, store = new_root()
    data = bytes(range(250)) * 12_000
    root.write_version(package({"data/big": data}))
    assert b"".join(_pieces(root, size)) == data
    key = f"{root.object_path(OBJECT)}/v1/content/data/big"
    store.damage(key, data[:where] + bytes([data[where] ^ 1]) + data[where + 1 :])
    got = []
    with pytest.raises(FixityError):
        got.extend(_pieces(root, size))

    assert sum(map(len, got)) < len(data)


@pytest.mark.parametrize("data", [b"", b"alph", b"alphaa", b"Alpha"])
def test_a_changed_file_is_damage(data: bytes) -> None:
    """Shortened, lengthened, emptied, replaced."""
    root, store = root_with_two_versions()
    store.damage(f"{root.object_path(OBJECT)}/v1/content/data/a.txt", data)
    with pytest.raises(FixityError):
        read(root, 2, "data/a.txt")


def test_a_lost_file_is_unknown_and_not_empty() -> None:
    """A missing content file is an error for its reader."""
    root, store = root_with_two_versions()
    store.damage(f"{root.object_path(OBJECT)}/v1/content/data/a.txt", None)
    with pytest.raises(UnknownObjectError):
        read(root, 2, "data/a.txt")


def test_a_limit_is_kept_while_reading() -> None:
    """No more than was asked for is taken into memory."""
    root, _ = root_with_two_versions()
    with pytest.raises(SizeLimitError):
        root.read_file(OBJECT, 1, "data/a.txt", 4)

    assert root.read_file(OBJECT, 1, "data/a.txt", 5) == b"alpha"


@pytest.mark.parametrize("name", ["inventory.json", "inventory.json.sha512"])
@pytest.mark.parametrize("change", ["flip", "empty", "old"])
def test_a_damaged_inventory_or_sidecar_is_never_believed(name: str, change: str) -> None:
    """Unless the newest version directory confirms the inventory, its damage is raised."""
    root, store = root_with_two_versions()
    path = root.object_path(OBJECT)
    with store.open(f"{path}/{name}") as stream:
        data = stream.read()
    with store.open(f"{path}/v1/{name}") as stream:
        old = stream.read()
    changed = {"flip": bytes([data[0] ^ 1]) + data[1:], "empty": b"", "old": old}[change]
    store.damage(f"{path}/{name}", changed)
    if name == "inventory.json":
        with pytest.raises(InventoryCorruptError):
            root.read_inventory(OBJECT)
        return
    inventory = root.read_inventory(OBJECT)  # the twin in v2 confirms it
    assert inventory is not None
    assert inventory.head == "v2"
    store.damage(f"{path}/v2/inventory.json.sha512", b"damaged too")
    with pytest.raises(InventoryCorruptError):
        root.read_inventory(OBJECT)


def test_another_objects_inventory_is_never_believed() -> None:
    """Two objects swapped as a whole are both damage."""
    root, store = root_with_two_versions()
    root.write_version(package(object_id=OTHER))
    ours, theirs = root.object_path(OBJECT), root.object_path(OTHER)
    for name in ("inventory.json", "inventory.json.sha512"):
        with store.open(f"{theirs}/{name}") as stream:
            store.damage(f"{ours}/{name}", stream.read())
    with pytest.raises(InventoryCorruptError):
        root.read_inventory(OBJECT)


# -- crash leftovers --------------------------------------------------------------------------------


@pytest.mark.parametrize("left", ["old", "missing"])
def test_a_head_whose_sidecar_is_behind_is_mended(left: str) -> None:
    """The new inventory beside the old or no sidecar is a crash, not damage."""
    root, store = root_with_two_versions()
    path = root.object_path(OBJECT)
    with store.open(f"{path}/v1/inventory.json.sha512") as stream:
        store.damage(f"{path}/inventory.json.sha512", stream.read() if left == "old" else None)

    assert root.mend(OBJECT) is True
    assert root.mend(OBJECT) is False
    inventory = root.read_inventory(OBJECT)
    assert inventory is not None
    with store.open(f"{path}/inventory.json.sha512") as stream:
        assert stream.read() == inventory.sidecar


def test_a_whole_version_without_its_head_is_adopted() -> None:
    """All of it was durable, only the last step was not taken."""
    for cut in ("second", "first"):
        root, store = root_with_two_versions()
        path = root.object_path(OBJECT)
        names = ["inventory.json", "inventory.json.sha512"]
        if cut == "second":
            first = package().inventory
            store.damage(f"{path}/{names[0]}", first.document)
            store.damage(f"{path}/{names[1]}", first.sidecar)
            lost = ["v2/inventory.json.sha512"]
        else:
            lost = [*names, "0=ocfl_object_1.1", "v2/inventory.json", "v2/inventory.json.sha512"]
            lost += ["v2/content/data/c.txt", "v2/content/description.json"]
        for name in lost:
            store.damage(f"{path}/{name}", None)
        assert unfinished(root, OBJECT) != []
        adopted = adopt(root, OBJECT)

        assert adopted is not None
        assert adopted.head == ("v2" if cut == "second" else "v1")
        assert unfinished(root, OBJECT) == []
        assert root.read_inventory(OBJECT) == adopted
        assert adopt(root, OBJECT) is None


@pytest.mark.parametrize(
    "missing", ["v2/inventory.json", "v2/content/data/c.txt", "v2/content/description.json", "damage"]
)
def test_a_version_that_is_not_whole_can_only_be_cleared(missing: str) -> None:
    """Cleared, it leaves the object as before, and the version can be written anew."""
    root, store = root_with_two_versions()
    path = root.object_path(OBJECT)
    first = package().inventory
    store.damage(f"{path}/inventory.json", first.document)
    store.damage(f"{path}/inventory.json.sha512", first.sidecar)
    if missing == "damage":
        store.damage(f"{path}/v2/content/data/c.txt", b"wrong")
    else:
        store.damage(f"{path}/{missing}", None)
    assert adopt(root, OBJECT) is None
    left = unfinished(root, OBJECT)
    assert left != []
    assert all(key.startswith(f"{path}/v2/") for key in left)
    assert clear_unfinished(root, OBJECT) == left
    assert clear_unfinished(root, OBJECT) == []
    root.write_version(package({"data/quite-other": b"1"}, version=2, previous=first))

    assert read(root, 2, "data/quite-other") == b"1"


def test_a_leftover_that_contradicts_the_present_history_is_not_adopted() -> None:
    """A version that does not continue the head never becomes the head."""
    root, store = new_root()
    root.write_version(package())
    path = root.object_path(OBJECT)
    stranger = package({"s": b"1"}, version=2, previous=package({"t": b"2"}).inventory)
    data = stranger.inventory.document
    store.put_new([NewFile(f"{path}/v2/inventory.json", data, Digest.of("sha512", data), len(data))])
    store.put_new([NewFile(f"{path}/v2/content/s", b"1", Digest.of("sha512", b"1"), 1)])

    assert adopt(root, OBJECT) is None
    assert len(clear_unfinished(root, OBJECT)) == 2


def test_an_object_that_never_got_a_head_is_cleared_whole() -> None:
    """Nothing of it remains."""
    root, store = new_root()
    path = root.object_path(OBJECT)
    store.put_new([NewFile(f"{path}/v1/content/data/a.txt", b"alpha", Digest.of("sha512", b"alpha"), 5)])
    assert adopt(root, OBJECT) is None
    assert clear_unfinished(root, OBJECT) == [f"{path}/v1/content/data/a.txt"]

    assert list(root.object_paths()) == []
    assert empty_directories(root) == []


def test_who_has_lost_the_lease_clears_nothing() -> None:
    """Asked after the look and before the removal; where there is nothing to clear nobody is asked."""
    root, store = new_root()
    key = f"{root.object_path(OBJECT)}/v1/content/data/a.txt"
    store.put_new([NewFile(key, b"alpha", Digest.of("sha512", b"alpha"), 5)])

    def lost() -> None:
        raise LeaseHeldError("another process goes on")

    with pytest.raises(LeaseHeldError):
        clear_unfinished(root, OBJECT, lost)
    with pytest.raises(LeaseHeldError):
        discard(Copies([root], Path()), OBJECT, lost)
    assert unfinished(root, OBJECT) == [key]
    assert clear_unfinished(root, OBJECT) == [key]
    assert clear_unfinished(root, OBJECT, lost) == []
    assert not discard(Copies([root], Path()), OBJECT, lost)
