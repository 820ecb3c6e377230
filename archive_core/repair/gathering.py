"""Good bytes of one file, from whichever copies have them.

Rules kept here
 * A digest that the caller knows decides, and nothing else: bytes that do not have it are never handed out.
 * First a copy that is whole; then, for a file with a chunk list, each chunk from a copy that has it; else two
   copies of one length that differ in few places, put together in every way until the digest is right.
 * What no copy has is said exactly: how many bytes, at which offsets. A store that does not answer is no loss: then
   nobody knows yet, and `UnavailableError` says so.
 * Memory is bounded by one chunk for files with a chunk list, by `MERGED` for those without.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from archive_core.digests import CHUNK, Digest, MultiHasher, hash_bytes
from archive_core.errors import FixityError, MalformedDocumentError, UnavailableError, UnknownObjectError
from archive_core.measure import MAX_CHUNK_LIST_BYTES, ChunkList
from archive_core.ocfl.storage_root import StorageRoot
from archive_core.ports import KnownBytes
from archive_core.repair.wanted import Wanted

SMALL = 1024 * 1024
"""A file of at most so many bytes is held in memory; a larger one lies in scratch."""

MERGED = 64 * 1024 * 1024
"""The largest file without a chunk list of which two damaged copies are put together."""

_PLACES = 12
"""Places in which two copies may differ to be put together: 2^12 digests are tried at the most."""
_NEAR = 8
"""Differing bytes that lie this near to each other are one place."""


class NoGoodCopyError(FixityError):
    """Of some bytes no copy is good. `lost` counts them, `size` is the file's where it is known, and `places` says
    where they are (first byte and length)."""

    code = "fixity"

    def __init__(self, message: str = "", *, lost: int = 0, places: tuple[tuple[int, int], ...] = ()) -> None:
        super().__init__(message)
        self.lost = lost
        self.places = places


@dataclass(frozen=True, slots=True)
class Gathered:
    """A file's good bytes, or where they lie, and from which stores they came."""

    source: bytes | Path
    digest: Digest
    size: int
    stores: tuple[str, ...]

    def pieces(self) -> Iterator[bytes]:
        if isinstance(self.source, bytes):
            yield self.source
            return
        with self.source.open("rb") as stream:
            while piece := stream.read(CHUNK):
                yield piece


class Gathering:
    """Good bytes of the files of one object; `scratch` is a folder of the caller's."""

    def __init__(self, roots: Sequence[StorageRoot], wanted: Wanted, scratch: Path) -> None:
        self._roots = roots
        self._wanted = wanted
        self._scratch = scratch
        self._numbers = itertools.count(1)
        self._held: dict[str, Gathered] = {}

    def file(self, key: str) -> Gathered:
        """A file by its key below the object's root. Raises `NoGoodCopyError`, and `UnavailableError` when a copy
        that may be good could not be asked."""
        if key not in self._held:
            file = self._wanted.files[key]
            if file.data is not None:
                self._held[key] = Gathered(KnownBytes(file.data), file.digest, len(file.data), ())
            else:
                self._held[key] = self._gathered(key, file.digest, file.chunk_list)
        return self._held[key]

    def _gathered(self, key: str, digest: Digest, chunk_list: str | None) -> Gathered:
        away: list[UnavailableError] = []
        copies: list[tuple[StorageRoot, int]] = []
        for root in self._roots:
            try:
                found, size = self._whole(root, key, digest)
                if found is not None:
                    return found
                copies.append((root, size))
            except UnknownObjectError:
                continue
            except UnavailableError as error:
                if _answers(root):  # this file is unreadable there, wholly or in part
                    copies.append((root, -1))
                else:
                    away.append(error)
        if away:
            raise away[0]
        if chunk_list is not None:
            return self._by_chunks(key, digest, chunk_list)
        return self._merged(key, digest, copies)

    # -- one copy -----------------------------------------------------------------------------

    def _whole(self, root: StorageRoot, key: str, digest: Digest) -> tuple[Gathered | None, int]:
        """The copy, if it is good; and its length."""
        with root.store.open(f"{root.object_path(self._wanted.object_id)}/{key}") as stream:
            first = stream.read(SMALL + 1)
            if len(first) <= SMALL:
                good = hash_bytes(digest.algorithm, first) == digest.value
                return (Gathered(KnownBytes(first), digest, len(first), (root.store.name,)) if good else None), len(
                    first
                )
            place = self._place()
            hasher = MultiHasher([digest.algorithm])
            with place.open("wb") as target:
                while first:
                    hasher.update(first)
                    target.write(first)
                    first = stream.read(CHUNK)
        if hasher.digests()[digest.algorithm] == digest:
            return Gathered(place, digest, hasher.size, (root.store.name,)), hasher.size
        place.unlink()
        return None, hasher.size

    def _place(self) -> Path:
        return self._scratch / str(next(self._numbers))

    # -- chunk by chunk -----------------------------------------------------------------------

    def _by_chunks(self, key: str, digest: Digest, chunk_list: str) -> Gathered:
        listed = self._chunks(key, chunk_list)
        place, stores = self._place(), []
        lost: list[tuple[int, int]] = []
        hasher = MultiHasher([digest.algorithm])
        with place.open("wb") as target:
            for number, chunk in enumerate(listed.digests):
                start = number * listed.chunk_size
                found = self._chunk(key, start, listed.chunk_size, chunk)
                if found is None:
                    size = self._wanted.files[key].size
                    lost.append((start, listed.chunk_size if size is None else min(listed.chunk_size, size - start)))
                    continue
                store, data = found
                stores.append(store)
                hasher.update(data)
                target.write(data)
        if lost:
            place.unlink()
            raise self._no_good_copy(key, sum(size for _, size in lost), tuple(lost))
        if hasher.digests()[digest.algorithm] != digest:
            place.unlink()
            raise NoGoodCopyError(f"the chunk list of {key} is another file's", lost=hasher.size)
        return Gathered(place, digest, hasher.size, tuple(dict.fromkeys(stores)))

    def _chunks(self, key: str, chunk_list: str) -> ChunkList:
        try:
            data = b"".join(self.file(chunk_list).pieces())
            if len(data) > MAX_CHUNK_LIST_BYTES:
                raise NoGoodCopyError(f"the chunk list of {key} is too long", lost=0)
            return ChunkList.parse(data)
        except MalformedDocumentError as error:
            raise NoGoodCopyError(f"the chunk list of {key} cannot be read: {error}", lost=0) from error

    def _chunk(self, key: str, start: int, size: int, digest: Digest) -> tuple[str, bytes] | None:
        for root in self._roots:
            try:
                with root.store.open(f"{root.object_path(self._wanted.object_id)}/{key}") as stream:
                    stream.seek(start)
                    data = stream.read(size)
            except UnknownObjectError:
                continue
            except UnavailableError:
                if not _answers(root):
                    raise
                continue  # a sector that cannot be read
            if hash_bytes(digest.algorithm, data) == digest.value:
                return root.store.name, data
        return None

    # -- two copies put together --------------------------------------------------------------

    def _merged(self, key: str, digest: Digest, copies: Sequence[tuple[StorageRoot, int]]) -> Gathered:
        known = [(root, size) for root, size in copies if 0 <= size <= MERGED]
        for (one, size), (other, length) in itertools.combinations(known, 2):
            if size != length:
                continue
            first, second = self._read(one, key, size), self._read(other, key, size)
            good = put_together(first, second, digest)
            if good is not None:
                return Gathered(KnownBytes(good), digest, size, (one.store.name, other.store.name))
        stated = self._wanted.files[key].size
        lost = stated if stated is not None else max((found for _, found in copies), default=0)
        raise self._no_good_copy(key, max(lost, 0), ())

    def _read(self, root: StorageRoot, key: str, size: int) -> bytes:
        with root.store.open(f"{root.object_path(self._wanted.object_id)}/{key}") as stream:
            return stream.read(size + 1)

    def _no_good_copy(self, key: str, lost: int, places: tuple[tuple[int, int], ...]) -> NoGoodCopyError:
        where = "".join(f"; bytes {start} to {start + size - 1}" for start, size in places[:5])
        more = f" and {len(places) - 5} more places" if len(places) > 5 else ""
        return NoGoodCopyError(
            f"no copy of {key} is good in {', '.join(root.store.name for root in self._roots)}: "
            f"{lost} bytes are lost{where}{more}",
            lost=lost,
            places=places,
        )


def put_together(one: bytes, other: bytes, digest: Digest) -> bytes | None:
    """The bytes with this digest out of two damaged copies of one length, if they differ in few places and each place
    is right in one of them; None when there is no such way."""
    if len(one) != len(other):
        return None
    places = _differences(one, other)
    if places is None:
        return None
    for choice in itertools.product((False, True), repeat=len(places)):
        made = bytearray(one)
        for taken, (start, end) in zip(choice, places, strict=True):
            if taken:
                made[start:end] = other[start:end]
        if hash_bytes(digest.algorithm, bytes(made)) == digest.value:
            return bytes(made)
    return None


def _differences(one: bytes, other: bytes) -> list[tuple[int, int]] | None:
    """Where two byte strings of one length differ; None for too many places, or too many for a large file."""
    places: list[tuple[int, int]] = []
    for start in range(0, len(one), 4096):
        if one[start : start + 4096] == other[start : start + 4096]:
            continue
        for at in range(start, min(start + 4096, len(one))):
            if one[at] == other[at]:
                continue
            if places and at - places[-1][1] <= _NEAR:
                places[-1] = places[-1][0], at + 1
            else:
                places.append((at, at + 1))
        if len(places) > _PLACES or (1 << len(places)) * len(one) > 8 * MERGED:
            return None
    return places


def _answers(root: StorageRoot) -> bool:
    """Whether the store as a whole is there."""
    try:
        root.require_declaration()
    except UnavailableError:
        return False
    return True
