"""A store over another keeps the promises of a store, and never touches the one below."""

from __future__ import annotations

import pytest

from archive_core.digests import Digest
from archive_core.errors import AlreadyExistsError, ConcurrentChangeError, NotPermittedError
from archive_core.ports import NewFile, ObjectStore
from storage_backends.memory import MemoryStore
from storage_backends.overlay import OverlayStore
from tests.conformance.store_suite import StoreSuite, content, new_file


class TestOverlayStore(StoreSuite):
    """The behavioural suite, over an empty store below."""

    @pytest.fixture
    def store(self) -> ObjectStore:
        return OverlayStore(MemoryStore("memory"), MemoryStore("above"))

    def unplug(self, store: ObjectStore) -> None:
        assert isinstance(store, OverlayStore)
        for one in (store._below, store._above):
            assert isinstance(one, MemoryStore)
            one.available = False


def layered() -> tuple[OverlayStore, MemoryStore, dict[str, bytes]]:
    """An overlay over a store with an object, the store, and what it holds."""
    below = MemoryStore("real")
    below.put_new([new_file("o/v1/content/a", b"a"), new_file("o/x", b"x")])
    below.replace_head("o", b"{1}", b"side1", "inventory.json.sha512", expected=None)
    return OverlayStore(below, MemoryStore("above")), below, held(below)


def held(store: ObjectStore) -> dict[str, bytes]:
    return {entry.key: content(store, entry.key) for entry in store.list()}


def test_what_lies_below_is_read_and_what_is_new_is_written_above() -> None:
    """Both show as one; the store below is as it was."""
    store, below, before = layered()
    store.put_new([new_file("o/v2/content/b", b"b"), new_file("p/q", b"q")])

    assert content(store, "o/v1/content/a") == b"a"
    assert content(store, "o/v2/content/b") == b"b"
    assert list(store.children("o")) == ["inventory.json", "inventory.json.sha512", "v1/", "v2/", "x"]
    assert [entry.key for entry in store.list()] == sorted(held(store), key=lambda key: key.split("/"))
    assert held(below) == before


def test_a_head_is_replaced_above_and_compared_with_the_one_below() -> None:
    """Once, and again; the head below stays."""
    store, below, before = layered()
    first, second = Digest.of("sha512", b"{1}"), Digest.of("sha512", b"{2}")
    store.replace_head("o", b"{2}", b"side2", "inventory.json.sha512", expected=first)
    store.replace_head("o", b"{3}", b"side3", "inventory.json.sha512", expected=second)

    assert content(store, "o/inventory.json") == b"{3}"
    assert dict(store.read_below("o", 100))[next(e for e in store.list("o") if e.key == "o/inventory.json")] == b"{3}"
    assert held(below) == before


@pytest.mark.parametrize("expected", [None, Digest.of("sha512", b"{9}")])
def test_a_head_that_is_not_the_expected_one_is_refused(expected: Digest | None) -> None:
    """Somebody else was first, below."""
    store, below, before = layered()
    with pytest.raises(ConcurrentChangeError):
        store.replace_head("o", b"{2}", b"side2", "inventory.json.sha512", expected=expected)
    assert held(below) == before


def test_a_key_that_is_taken_below_is_taken() -> None:
    """The same bytes count as success, others are refused."""
    store, below, before = layered()
    store.put_new([new_file("o/x", b"x")])
    with pytest.raises(AlreadyExistsError):
        store.put_new([NewFile("o/x", b"y", Digest.of("sha512", b"y"), 1)])
    assert held(store) == held(below) == before


def test_nothing_below_is_ever_removed() -> None:
    """What was written above may go; what lies below may not, and the attempt removes nothing."""
    store, below, before = layered()
    store.put_new([new_file("p", b"p")])
    with pytest.raises(NotPermittedError):
        store.remove(["p", "o/x"])
    assert content(store, "p") == b"p"
    store.remove(["p"])

    assert store.stat("p") is None
    assert held(below) == before
