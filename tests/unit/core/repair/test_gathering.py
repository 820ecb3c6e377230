"""Good bytes out of damaged copies: never others than those of the digest, and nothing is called lost that is not."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import BinaryIO

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from archive_core.digests import Digest
from archive_core.errors import StoreUnavailableError
from archive_core.ocfl.package import ArchivalPackage, PackageFile
from archive_core.ocfl.storage_root import StorageRoot
from archive_core.repair.gathering import Gathering, NoGoodCopyError, put_together
from archive_core.repair.looking import FaultCode, compare
from archive_core.repair.wanted import Wanted, wanted_system_object
from storage_backends.memory import MemoryStore

OBJECT = "urn:trusted-archive:something"
KEY = "v1/content/a"


class Unreadable(MemoryStore):
    """A store of which one file cannot be read, or nothing answers."""

    bad: str | None = None

    @contextmanager
    def open(self, key: str) -> Iterator[BinaryIO]:  # type: ignore[override]
        if key == self.bad:
            raise StoreUnavailableError("the disk says EIO", store=self.name)
        with super().open(key) as stream:
            yield stream


def roots_with(content: bytes) -> tuple[list[StorageRoot], Wanted]:
    roots = []
    for name in ("one", "two"):
        root = StorageRoot(Unreadable(name))
        root.initialise()
        files = {"a": PackageFile.of(content), "b": PackageFile.of(b"beside")}
        root.write_version(
            ArchivalPackage(OBJECT, 1, datetime(2026, 1, 1, tzinfo=UTC), "Made", "trusted-archive", "urn:x:y", files)
        )
        roots.append(root)
    return roots, wanted_system_object(roots, OBJECT, {})


def key_of(root: StorageRoot) -> str:
    return f"{root.object_path(OBJECT)}/{KEY}"


def store_of(root: StorageRoot) -> Unreadable:
    assert isinstance(root.store, Unreadable)
    return root.store


def test_a_file_that_the_device_does_not_give_is_damaged_and_the_other_copy_is_taken(tmp_path: Path) -> None:
    """EIO of one file is no outage of the store."""
    roots, wanted = roots_with(b"content")
    store_of(roots[0]).bad = key_of(roots[0])
    (fault,) = compare(roots[0], wanted).faults
    found = Gathering(roots, wanted, tmp_path).file(KEY)

    assert (fault.key, fault.code, fault.before) == (KEY, FaultCode.UNREADABLE, None)
    assert (b"".join(found.pieces()), found.stores) == (b"content", ("two",))


def test_a_store_that_is_away_is_no_loss(tmp_path: Path) -> None:
    """The only good copy may be there: nobody says that anything is lost."""
    roots, wanted = roots_with(b"content")
    store_of(roots[0]).damage(key_of(roots[0]), b"damaged")
    store_of(roots[1]).available = False

    with pytest.raises(StoreUnavailableError):
        Gathering(roots, wanted, tmp_path).file(KEY)


def test_what_no_copy_has_is_lost(tmp_path: Path) -> None:
    """Cut off in one, gone in the other."""
    roots, wanted = roots_with(b"content" * 1000)
    store_of(roots[0]).damage(key_of(roots[0]), b"cont")
    store_of(roots[1]).damage(key_of(roots[1]), None)

    with pytest.raises(NoGoodCopyError) as raised:
        Gathering(roots, wanted, tmp_path).file(KEY)
    assert raised.value.lost == 4
    assert "no copy" in str(raised.value)


def test_an_inventory_that_no_sidecar_confirms_is_not_believed() -> None:
    roots, _ = roots_with(b"content")
    for root in roots:
        path = root.object_path(OBJECT)
        for place in ("", "v1/"):
            document = root.read_optional(f"{path}/{place}inventory.json", 10**6)
            assert document is not None
            store_of(root).damage(f"{path}/{place}inventory.json", document.replace(b"Made", b"Mode"))

    with pytest.raises(Exception, match="no store has a sound inventory"):
        wanted_system_object(roots, OBJECT, {})


@settings(max_examples=60, deadline=None)
@given(
    st.binary(min_size=200, max_size=3000),
    st.lists(st.integers(0, 10**6), max_size=5),
    st.lists(st.integers(0, 10**6), max_size=5),
)
def test_two_damaged_copies_give_the_right_bytes_or_none(content: bytes, first: list[int], second: list[int]) -> None:
    """Whatever was flipped where: the result has the digest, or there is none; and there is one where no place was hit
    in both."""
    one, other = bytearray(content), bytearray(content)
    for copy, places in ((one, first), (other, second)):
        for place in {place % len(content) for place in places}:
            copy[place] ^= 0x20
    made = put_together(bytes(one), bytes(other), Digest.of("sha512", content))

    assert made in (content, None)
    places = [{place % len(content) for place in listed} for listed in (first, second)]
    if all(abs(mine - its) > 20 for mine in places[0] for its in places[1]):
        assert made == content


def test_copies_that_differ_everywhere_are_not_tried(tmp_path: Path) -> None:
    """In bounded time: noise is no few places."""
    content = bytes(range(256)) * 400
    noise = bytes((byte + 1) % 256 for byte in content)
    spread = bytes(byte ^ (1 if place % 64 == 0 else 0) for place, byte in enumerate(content))

    assert put_together(noise, spread, Digest.of("sha512", content)) is None
    assert put_together(content, content[:-1], Digest.of("sha512", content)) is None
