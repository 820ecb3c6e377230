"""The store in memory keeps the promises of a store, and catches those who break its rules."""

import pytest

from archive_core.digests import Digest
from archive_core.ports import NewFile, ObjectStore
from storage_backends.memory import MemoryStore
from tests.conformance.store_suite import StoreSuite, content, new_file


class TestMemoryStore(StoreSuite):
    """The behavioural suite on the store in memory."""

    @pytest.fixture
    def store(self) -> ObjectStore:
        return MemoryStore("memory")

    def unplug(self, store: ObjectStore) -> None:
        assert isinstance(store, MemoryStore)
        store.available = False


def test_a_wrongly_announced_size_is_caught() -> None:
    """Whoever announces a size must mean it."""
    with pytest.raises(AssertionError, match="announced"):
        MemoryStore("m").put_new([NewFile("a", b"123", Digest.of("sha512", b"123"), 4)])


def test_damage_shows_to_readers_and_blocks_a_retry() -> None:
    """Bytes changed behind the store's back are handed out as they are: readers must verify."""
    store = MemoryStore("m")
    store.put_new([new_file("a", b"1")])
    store.damage("a", b"2")

    assert content(store, "a") == b"2"
    store.damage("a", None)
    assert store.stat("a") is None
