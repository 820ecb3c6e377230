"""What every store does: one behavioural suite, run against each of them.

A store joins by a module with a class `Test… (StoreSuite)` and a fixture `store`; `unplug` says how its
outage is made.
"""

import threading
from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest

from archive_core.digests import Digest
from archive_core.errors import (
    AlreadyExistsError,
    ArchiveError,
    ConcurrentChangeError,
    FixityError,
    StoreUnavailableError,
    UnknownObjectError,
    UsageError,
)
from archive_core.ports import Beside, EntryKind, NewFile, NewHead, NewObject, ObjectStore, PutBack, StoredEntry

BAD_KEYS = ["", "/", "/a", "a/", "a//b", ".", "..", "../a", "a/../b", "a/./b", "a/..", "a\0b"]
UNWRITABLE_KEYS = [*BAD_KEYS, "a/" + "x" * 256, "ž" * 128, "a\ud800"]


def new_file(key: str, data: bytes, algorithm: str = "sha512") -> NewFile:
    return NewFile(key, data, Digest.of(algorithm, data), len(data))


def head(path: str, inventory: bytes, sidecar: bytes, expected: bytes | None) -> NewHead:
    digest = None if expected is None else Digest.of("sha512", expected)
    return NewHead(path, inventory, sidecar, "inventory.json.sha512", digest)


def new_object(path: str, number: int = 1, **files: bytes) -> NewObject:
    """A whole object with two files, or the given ones, and a head that is unlike any other's."""
    listed = files or {"v1/content/data/a": b"a %d" % number, "v1/inventory.json": b"inventory %d" % number}
    return NewObject(
        [new_file(f"{path}/{name}", data) for name, data in listed.items()],
        head(path, b"inventory %d" % number, b"sidecar %d" % number, None),
    )


def content(store: ObjectStore, key: str) -> bytes:
    with store.open(key) as stream:
        return stream.read()


def keys(store: ObjectStore, prefix: str = "") -> list[str]:
    return [entry.key for entry in store.list(prefix)]


def race(*actions: Callable[[], None]) -> list[ArchiveError | None]:
    """What became of the actions, all started at once."""
    start = threading.Barrier(len(actions))
    outcomes: list[ArchiveError | None] = [None] * len(actions)

    def run(number: int, action: Callable[[], None]) -> None:
        start.wait()
        try:
            action()
        except ArchiveError as error:
            outcomes[number] = error

    threads = [threading.Thread(target=run, args=item) for item in enumerate(actions)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=60)
    assert not any(thread.is_alive() for thread in threads)
    return outcomes


class StoreSuite:
    """The promises of `archive_core.ports.ObjectStore`."""

    def unplug(self, store: ObjectStore) -> None:
        """Make the store unreachable."""
        raise NotImplementedError

    # -- put_new ------------------------------------------------------------------------------

    def test_what_was_put_is_read_back_equal(self, store: ObjectStore) -> None:
        """Bytes of every size come back unchanged."""
        data = {f"d/{size}": bytes(range(256)) * (size // 256) + b"\0" * (size % 256) for size in (0, 1, 255, 300_001)}
        store.put_new([new_file(key, value) for key, value in data.items()])

        assert {key: content(store, key) for key in data} == data

    def test_a_staged_file_is_copied_and_stays_the_callers(self, store: ObjectStore, tmp_path: Path) -> None:
        """A source that is a path is read, not moved."""
        staged = tmp_path / "staged"
        staged.write_bytes(b"x" * 3_000_000)
        store.put_new([NewFile("a/b", staged, Digest.of("sha512", staged.read_bytes()), 3_000_000)])

        assert content(store, "a/b") == staged.read_bytes()

    def test_the_expected_digest_may_be_of_any_algorithm(self, store: ObjectStore) -> None:
        """The store compares with the digest it was given."""
        store.put_new([new_file("a", b"1", "sha256"), new_file("b", b"2", "sha3-512")])

        assert keys(store) == ["a", "b"]

    def test_the_same_bytes_again_are_success(self, store: ObjectStore) -> None:
        """A retried put finds its own work, also when it had got half way."""
        store.put_new([new_file("a", b"1")])
        store.put_new([new_file("a", b"1"), new_file("b/c", b"2")])

        assert (content(store, "a"), content(store, "b/c")) == (b"1", b"2")

    def test_other_bytes_under_a_key_are_refused_and_nothing_changes(self, store: ObjectStore) -> None:
        """A key never changes, and no other file of the group shows."""
        store.put_new([new_file("a", b"1")])
        with pytest.raises(AlreadyExistsError):
            store.put_new([new_file("b", b"2"), new_file("a", b"other")])

        assert keys(store) == ["a"]
        assert content(store, "a") == b"1"

    @pytest.mark.parametrize("data", [b"", b"1", b"12", b"123"])
    def test_bytes_without_the_expected_digest_never_show(self, store: ObjectStore, data: bytes) -> None:
        """A source that is not what it was said to be is refused, and with it the group."""
        with pytest.raises(FixityError):
            store.put_new(
                [new_file("a", b"good"), NewFile("b", data, Digest.of("sha512", b"what was meant"), len(data))]
            )

        assert keys(store) == []

    def test_many_files_in_one_group_all_show(self, store: ObjectStore) -> None:
        """A group of some hundred files is kept whole."""
        files = [new_file(f"{n % 7}/{n}", str(n).encode()) for n in range(200)]
        store.put_new(files)

        assert sorted(keys(store)) == sorted(file.key for file in files)

    def test_an_empty_group_is_nothing(self, store: ObjectStore) -> None:
        """No files, no heads, no keys: no error, no change."""
        store.put_new([])
        store.replace_heads([])
        store.put_objects([])
        store.remove([])

        assert keys(store) == []

    def test_a_key_twice_in_one_group_is_refused(self, store: ObjectStore) -> None:
        """Whichever would win, the caller is wrong."""
        with pytest.raises(UsageError):
            store.put_new([new_file("a", b"1"), new_file("a", b"1")])

        assert keys(store) == []

    def test_a_file_and_a_directory_cannot_have_one_key(self, store: ObjectStore) -> None:
        """`a` and `a/b` exclude each other, in either order."""
        store.put_new([new_file("a", b"1"), new_file("d/e", b"2")])
        for key in ("a/b", "d"):
            with pytest.raises(AlreadyExistsError):
                store.put_new([new_file(key, b"3")])

        assert keys(store) == ["a", "d/e"]

    def test_of_two_writers_of_one_key_one_wins(self, store: ObjectStore) -> None:
        """A key is a claim: the loser is told, the winner's bytes stay."""
        for number in range(10):
            key = f"claims/{number}"
            values = [b"one", b"two", b"three"]
            outcomes = race(*(lambda v=v, k=key: store.put_new([new_file(k, v)]) for v in values))  # type: ignore[misc]

            assert sum(outcome is None for outcome in outcomes) == 1
            assert all(isinstance(o, AlreadyExistsError) for o in outcomes if o)
            assert content(store, key) == values[outcomes.index(None)]

    def test_two_writers_of_the_same_bytes_both_succeed(self, store: ObjectStore) -> None:
        """The same package may be written twice at once."""
        files = [new_file(f"same/{n}", str(n).encode()) for n in range(5)]

        assert race(lambda: store.put_new(files), lambda: store.put_new(files)) == [None, None]

    # -- keys -----------------------------------------------------------------------------------

    @pytest.mark.parametrize("key", UNWRITABLE_KEYS)
    def test_a_key_that_could_leave_the_root_is_not_written(self, store: ObjectStore, key: str) -> None:
        """Traversal, empty parts, NUL, over-long names and half characters are refused."""
        with pytest.raises(UsageError):
            store.put_new([new_file("good", b"1"), new_file(key, b"2")])
        with pytest.raises(UsageError):
            store.replace_head(key, b"i", b"s", "inventory.json.sha512", expected=None)

        assert keys(store) == []

    @pytest.mark.parametrize("key", BAD_KEYS)
    def test_a_key_that_could_leave_the_root_is_not_read(self, store: ObjectStore, key: str) -> None:
        """Reading takes no such key either."""
        with pytest.raises(UsageError):
            store.open(key)
        with pytest.raises(UsageError):
            store.stat(key)
        with pytest.raises(UsageError):
            store.remove([key])
        if key:
            with pytest.raises(UsageError):
                list(store.list(key))
            with pytest.raises(UsageError):
                store.children(key)

    def test_a_sidecar_name_cannot_leave_the_object(self, store: ObjectStore) -> None:
        """The sidecar lies beside the inventory and nowhere else."""
        with pytest.raises(UsageError):
            store.replace_head("o", b"i", b"s", "../stolen", expected=None)

        assert keys(store) == []

    def test_names_of_any_language_are_kept_as_they_are(self, store: ObjectStore) -> None:
        """No normalisation: composed and decomposed letters are different names."""
        names = ["žluťoučký kůň.pdf", "z\u030c", "\u017e", "%41", "a b", "a\\b", "-", "名", "e\u0301"]
        store.put_new([new_file(f"n/{name}", name.encode()) for name in names])

        assert sorted(store.children("n")) == sorted(names)

    # -- heads --------------------------------------------------------------------------------

    def test_a_first_head_is_put(self, store: ObjectStore) -> None:
        """Expected None: there was none."""
        store.replace_head("x/o", b"inventory 1", b"sidecar 1", "inventory.json.sha512", expected=None)

        assert content(store, "x/o/inventory.json") == b"inventory 1"
        assert content(store, "x/o/inventory.json.sha512") == b"sidecar 1"

    def test_a_head_is_replaced_by_who_knows_the_present_one(self, store: ObjectStore) -> None:
        """Compare, then replace."""
        store.replace_heads([head("o", b"1", b"s1", None)])
        store.replace_heads([head("o", b"2", b"s2", b"1")])

        assert (content(store, "o/inventory.json"), content(store, "o/inventory.json.sha512")) == (b"2", b"s2")

    @pytest.mark.parametrize("expected", [None, b"0", b"2"])
    def test_a_head_is_not_replaced_by_who_expects_another(self, store: ObjectStore, expected: bytes | None) -> None:
        """Somebody else was first: nothing changes."""
        store.replace_heads([head("o", b"1", b"s1", None)])
        with pytest.raises(ConcurrentChangeError):
            store.replace_heads([head("o", b"2", b"s2", expected)])

        assert (content(store, "o/inventory.json"), content(store, "o/inventory.json.sha512")) == (b"1", b"s1")

    def test_a_head_that_is_gone_is_not_replaced(self, store: ObjectStore) -> None:
        """An expected head that is not there is a change, not a new object."""
        with pytest.raises(ConcurrentChangeError):
            store.replace_heads([head("o", b"2", b"s2", b"1")])

        assert keys(store) == []

    def test_a_head_replaced_again_with_the_same_bytes_is_success(self, store: ObjectStore) -> None:
        """A retry finds its own work, and completes its sidecar."""
        store.replace_heads([head("o", b"1", b"old sidecar", None)])
        store.replace_heads([head("o", b"1", b"s1", None)])
        store.replace_heads([head("o", b"1", b"s1", b"something before")])

        assert content(store, "o/inventory.json.sha512") == b"s1"

    def test_of_a_group_of_heads_none_is_replaced_when_one_is_not_as_expected(self, store: ObjectStore) -> None:
        """All are compared before any is replaced."""
        store.replace_heads([head("a", b"1", b"s", None), head("b", b"1", b"s", None)])
        with pytest.raises(ConcurrentChangeError):
            store.replace_heads([head("a", b"2", b"s", b"1"), head("b", b"2", b"s", b"another")])

        assert (content(store, "a/inventory.json"), content(store, "b/inventory.json")) == (b"1", b"1")

    def test_one_object_twice_in_a_group_of_heads_is_refused(self, store: ObjectStore) -> None:
        """There is no order in which both could be meant."""
        with pytest.raises(UsageError):
            store.replace_heads([head("a", b"1", b"s", None), head("a", b"2", b"s", b"1")])

    def test_of_two_who_replace_a_head_one_wins(self, store: ObjectStore) -> None:
        """Compare and replace is one step, also between threads."""
        store.replace_heads([head("o", b"0", b"s", None)])
        for number in range(10):
            now = content(store, "o/inventory.json")
            new = [b"%d-%d" % (number, rival) for rival in range(3)]
            heads = [head("o", value, b"s", now) for value in new]
            outcomes = race(*(lambda h=h: store.replace_heads([h]) for h in heads))  # type: ignore[misc]

            assert sum(outcome is None for outcome in outcomes) == 1
            assert content(store, "o/inventory.json") == new[outcomes.index(None)]

    # -- whole objects ------------------------------------------------------------------------

    def test_new_objects_are_there_with_their_heads(self, store: ObjectStore) -> None:
        """A group of objects is kept as its files and heads would be one after the other."""
        store.put_objects([new_object(f"{n % 3}/o{n}", n) for n in range(20)])

        assert len(keys(store)) == 80
        for n in range(20):
            assert content(store, f"{n % 3}/o{n}/v1/content/data/a") == b"a %d" % n
            assert content(store, f"{n % 3}/o{n}/inventory.json") == b"inventory %d" % n
            assert content(store, f"{n % 3}/o{n}/inventory.json.sha512") == b"sidecar %d" % n

    def test_the_same_objects_again_are_success(self, store: ObjectStore) -> None:
        """A retried group finds its own work, also when it had got half way."""
        first, second, third = new_object("a/1", 1), new_object("a/2", 2), new_object("b/3", 3)
        store.put_objects([first])
        store.put_new(second.files[:1])
        store.put_objects([first, second, third])
        store.put_objects([third, second])

        assert len(keys(store)) == 12
        assert content(store, "a/2/inventory.json") == b"inventory 2"

    def test_an_object_with_other_bytes_is_refused_and_nothing_shows(self, store: ObjectStore) -> None:
        """The claim decides: what lies there stays, and no other object of the group is written."""
        store.put_new([new_file("a/1/v1/inventory.json", b"another's")])
        with pytest.raises(AlreadyExistsError):
            store.put_objects([new_object("a/2", 2), new_object("a/1", 1)])

        assert keys(store) == ["a/1/v1/inventory.json"]

    def test_an_object_that_has_another_head_is_refused(self, store: ObjectStore) -> None:
        """A head that is there already was not expected."""
        store.replace_heads([head("a/1", b"another", b"s", None)])
        with pytest.raises(ConcurrentChangeError):
            store.put_objects([new_object("a/1")])

        assert content(store, "a/1/inventory.json") == b"another"

    def test_a_new_object_without_the_expected_digests_never_shows(self, store: ObjectStore) -> None:
        """One wrong file keeps out its whole group."""
        wrong = NewFile("a/2/v1/x", b"1", Digest.of("sha512", b"2"), 1)
        with pytest.raises(FixityError):
            store.put_objects([new_object("a/1"), NewObject([wrong], head("a/2", b"i", b"s", None))])

        assert keys(store) == []
        assert list(store.leftovers()) == []

    @pytest.mark.parametrize(
        "key", ["elsewhere/x", "o", "ox/y", "o/../x", "o/a//b", "o/inventory.json", "o/" + "x" * 256]
    )
    def test_the_files_of_a_new_object_lie_in_it(self, store: ObjectStore, key: str) -> None:
        """Nothing is written beside the object, nor twice."""
        with pytest.raises(UsageError):
            store.put_objects([NewObject([new_file(key, b"1")], head("o", b"i", b"s", None))])

        assert keys(store) == []

    @pytest.mark.parametrize(
        "objects",
        [
            [new_object("o", 1), new_object("o", 1)],
            [new_object("o/p", 1), new_object("o", 2)],
            [NewObject([], head("o", b"i", b"s", None))],
            [NewObject([new_file("o/a", b"1")], head("o", b"i", b"s", b"an earlier one"))],
        ],
    )
    def test_what_are_no_new_objects_is_refused(self, store: ObjectStore, objects: list[NewObject]) -> None:
        """Twice the same, one in another, without files, or a later head."""
        with pytest.raises(UsageError):
            store.put_objects(objects)

        assert keys(store) == []

    def test_a_file_in_the_way_of_a_new_object_is_refused(self, store: ObjectStore) -> None:
        """A file stands where the object's directory, or one above it or in it, is needed."""
        store.put_new([new_file("a", b"1")])
        for item in (new_object("a/1"), new_object("a"), new_object("o", 1, **{"v1": b"file", "v1/x": b"1"})):
            with pytest.raises(AlreadyExistsError):
                store.put_objects([item])

        assert keys(store) in (["a"], ["a", "o/v1"])

    def test_of_two_writers_of_one_object_one_wins_whole(self, store: ObjectStore) -> None:
        """The loser is told, and none of its files lies in the winner's object."""
        for number in range(10):
            rivals = [new_object(f"claims/{number}", n) for n in range(3)]
            outcomes = race(*(partial(store.put_objects, [rival]) for rival in rivals))
            won = outcomes.index(None)

            assert sum(outcome is None for outcome in outcomes) == 1
            assert content(store, f"claims/{number}/inventory.json") == b"inventory %d" % won
            assert content(store, f"claims/{number}/v1/content/data/a") == b"a %d" % won

    def test_two_writers_of_the_same_object_both_succeed(self, store: ObjectStore) -> None:
        """The same package may be written twice at once."""
        for number in range(5):
            put = partial(store.put_objects, [new_object(f"same/{number}")])

            assert race(put, put) == [None, None]

    # -- reading ------------------------------------------------------------------------------

    def test_an_unknown_key_is_said_to_be_unknown(self, store: ObjectStore) -> None:
        """Not found is UnknownObjectError for open, None for stat, nothing for list and children."""
        store.put_new([new_file("d/a", b"1")])
        for key in ("nothing", "d", "d/b", "d/a/c"):
            with pytest.raises(UnknownObjectError):
                store.open(key)
            assert store.stat(key) is None
        assert list(store.list("nothing")) == []
        assert store.children("nothing") == []

    def test_stat_says_size_and_kind(self, store: ObjectStore) -> None:
        """The size in bytes of a plain file."""
        store.put_new([new_file("d/a", b"12345")])

        assert store.stat("d/a") == StoredEntry("d/a", 5, EntryKind.FILE)

    def test_an_open_file_can_be_sought(self, store: ObjectStore) -> None:
        """Ranges are read by seeking."""
        store.put_new([new_file("a", b"0123456789")])
        with store.open("a") as stream:
            stream.seek(4)
            assert stream.read(3) == b"456"
            stream.seek(0)
            assert stream.read() == b"0123456789"

    def test_list_is_in_order_of_the_parts_and_ends_at_the_prefix(self, store: ObjectStore) -> None:
        """`a/b` comes before `a-b`, and the prefix `a` does not mean `ab`."""
        names = ["b", "a/c", "a-b", "ab/x", "a/b/z", "a/b/y", "Z"]
        store.put_new([new_file(name, name.encode()) for name in names])

        assert keys(store) == ["Z", "a/b/y", "a/b/z", "a/c", "a-b", "ab/x", "b"]
        assert keys(store, "a") == ["a/b/y", "a/b/z", "a/c"]
        assert keys(store, "a/b") == ["a/b/y", "a/b/z"]
        assert [entry.size for entry in store.list("ab")] == [4]

    def test_children_are_the_names_directly_below(self, store: ObjectStore) -> None:
        """Directories end in a slash."""
        store.put_new([new_file(name, b"") for name in ("b", "a/c", "a/d/e", "a/d/f")])

        assert list(store.children()) == ["a/", "b"]
        assert list(store.children("a")) == ["c", "d/"]

    # -- remove and leftovers -------------------------------------------------------------------

    def test_removed_files_and_their_empty_directories_are_gone(self, store: ObjectStore) -> None:
        """What remains is as if they had never been, and their keys are free again."""
        store.put_new([new_file(name, b"1") for name in ("o/v1/content/x/y", "o/v1/inventory.json", "o/keep")])
        store.remove(["o/v1/content/x/y", "o/v1/inventory.json", "o/never/was"])

        assert list(store.list()) == [StoredEntry("o/keep", 1)]
        assert list(store.children("o")) == ["keep"]
        store.put_new([new_file("o/v1", b"2")])

    # -- destruction --------------------------------------------------------------------------

    def test_an_object_that_is_purged_is_gone_and_no_other(self, store: ObjectStore) -> None:
        """Every file below its path; a path that only begins alike stays; again, it counts as done."""
        store.put_objects([new_object("t/o", 1), new_object("t/o2", 2)])
        store.purge_object("t/o")
        store.purge_object("t/o")

        assert keys(store, "t/o") == []
        assert list(store.children("t")) == ["o2/"]
        assert content(store, "t/o2/v1/content/data/a") == b"a 2"
        assert list(store.leftovers()) == []
        store.put_objects([new_object("t/o", 3)])
        assert content(store, "t/o/v1/content/data/a") == b"a 3"

    def test_the_last_object_of_a_directory_leaves_no_empty_one(self, store: ObjectStore) -> None:
        """OCFL knows no empty directories (E073)."""
        store.put_objects([new_object("t/o")])
        store.purge_object("t/o")
        assert list(store.list()) == []

    @pytest.mark.parametrize("path", ["", "/", "../o", "a/../o", "a//o"])
    def test_nothing_is_purged_by_a_path_that_is_none(self, store: ObjectStore, path: str) -> None:
        """Least of all everything."""
        store.put_objects([new_object("o")])
        with pytest.raises(UsageError):
            store.purge_object(path)
        assert len(keys(store)) == 4

    def test_what_was_never_there_counts_as_purged(self, store: ObjectStore) -> None:
        store.purge_object("t/never")
        assert keys(store) == []

    # -- repair -------------------------------------------------------------------------------

    def test_what_is_put_back_takes_the_place_of_what_lay_there(self, store: ObjectStore) -> None:
        """A damaged file, a missing one, and a head; in one group, and again as often as one likes."""
        store.put_new([new_file("o/v1/content/a", b"damaged")])
        store.replace_head("o", b"old", b"side", "inventory.json.sha512", expected=None)
        group = [
            PutBack(new_file("o/v1/content/a", b"good"), Digest.of("sha512", b"damaged")),
            PutBack(new_file("o/v1/content/sub/b", b"was missing"), None),
            PutBack(new_file("o/inventory.json", b"head"), Digest.of("sha512", b"old")),
        ]
        store.put_back(group)
        store.put_back(group)

        assert content(store, "o/v1/content/a") == b"good"
        assert content(store, "o/v1/content/sub/b") == b"was missing"
        assert content(store, "o/inventory.json") == b"head"
        assert list(store.leftovers()) == []

    def test_what_changed_since_it_was_found_damaged_is_not_replaced(self, store: ObjectStore) -> None:
        """Somebody wrote there meanwhile: that is not ours to undo, unless nobody could read it."""
        store.put_new([new_file("a", b"another's")])
        for before in (None, Digest.of("sha512", b"damaged")):
            with pytest.raises(ConcurrentChangeError):
                store.put_back([PutBack(new_file("a", b"good"), before)])
        assert content(store, "a") == b"another's"
        with pytest.raises(ConcurrentChangeError):
            store.put_back([PutBack(new_file("b", b"good"), Digest.of("sha512", b"gone meanwhile"))])
        assert keys(store) == ["a"]

        store.put_back([PutBack(new_file("a", b"good"), None, unreadable=True)])
        assert content(store, "a") == b"good"

    def test_what_does_not_have_its_digest_is_not_put_back(self, store: ObjectStore) -> None:
        """What stands there is left alone, damaged as it is."""
        store.put_new([new_file("a", b"damaged")])
        with pytest.raises(FixityError):
            store.put_back(
                [PutBack(NewFile("a", b"x", Digest.of("sha512", b"good"), 1), Digest.of("sha512", b"damaged"))]
            )
        with pytest.raises(UsageError):
            store.put_back([PutBack(new_file("../a", b"good"), None)])

        assert content(store, "a") == b"damaged"
        assert list(store.leftovers()) == []

    def test_something_else_in_the_way_is_not_replaced(self, store: ObjectStore) -> None:
        """A directory under the key, or a file where a directory is needed: they are removed first."""
        store.put_new([new_file("a/b", b"1"), new_file("c", b"2")])
        for key in ("a", "c/d"):
            with pytest.raises(AlreadyExistsError):
                store.put_back([PutBack(new_file(key, b"good"), None)])

        assert keys(store) == ["a/b", "c"]

    def test_what_is_kept_beside_the_root_is_not_in_it(self, store: ObjectStore) -> None:
        """A store that has room beside its root keeps it apart from everything else."""
        if not isinstance(store, Beside):
            return
        store.put_new([new_file("a", b"1")])
        store.beside("canary").put_new([new_file("b", b"2")])

        assert keys(store) == ["a"]
        assert keys(store.beside("canary")) == ["b"]
        assert list(store.clear_leftovers()) == []
        assert content(store.beside("canary"), "b") == b"2"
        assert store.beside("canary").name == store.name
        with pytest.raises(UsageError):
            store.beside("../canary")

    def test_nothing_is_left_over_after_success_or_refusal(self, store: ObjectStore) -> None:
        """Writes that ended, well or not, left nothing aside."""
        store.put_new([new_file("a", b"1")])
        with pytest.raises(AlreadyExistsError):
            store.put_new([new_file("b", b"2"), new_file("a", b"2")])
        with pytest.raises(FixityError):
            store.put_new([NewFile("c", b"3", Digest.of("sha512", b"4"), 1)])
        with pytest.raises(ConcurrentChangeError):
            store.replace_heads([head("o", b"2", b"s", b"1")])

        assert list(store.leftovers()) == []
        assert list(store.clear_leftovers()) == []
        assert keys(store) == ["a"]

    # -- outage -------------------------------------------------------------------------------

    def test_every_verb_says_so_when_the_store_does_not_answer(self, store: ObjectStore) -> None:
        """An outage is StoreUnavailableError from every verb, and never an empty store."""
        store.put_new([new_file("a", b"1")])
        self.unplug(store)
        verbs: list[Callable[[], object]] = [
            lambda: store.put_new([new_file("b", b"2")]),
            lambda: store.replace_head("o", b"1", b"s", "inventory.json.sha512", expected=None),
            lambda: store.put_objects([new_object("o")]),
            lambda: store.remove(["a"]),
            lambda: store.put_back([PutBack(new_file("b", b"2"), None)]),
            lambda: store.open("a"),
            lambda: store.stat("a"),
            lambda: list(store.list()),
            lambda: store.children(),
        ]
        for verb in verbs:
            with pytest.raises(StoreUnavailableError):
                verb()
