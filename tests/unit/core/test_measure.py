"""A file is measured in one pass, whatever its size, and exactly as its bytes are."""

import hashlib
import os
from pathlib import Path

import pytest

from archive_core.errors import NameNotAcceptedError, SubmissionError
from archive_core.measure import CHUNK_SIZE, SMALL, ChunkList, chunk_list, measure
from archive_core.ports import KnownBytes

SIZES = [
    0,
    1,
    SMALL - 1,
    SMALL,
    SMALL + 1,
    CHUNK_SIZE - 1,
    CHUNK_SIZE,
    CHUNK_SIZE + 1,
    3 * CHUNK_SIZE,
    3 * CHUNK_SIZE + 5,
]


@pytest.mark.parametrize("size", SIZES)
def test_a_file_and_its_bytes_have_the_same_measures(tmp_path: Path, size: int) -> None:
    """Size, both digests, and the digest of every chunk, also at the edges."""
    data = os.urandom(size)
    path = tmp_path / "file"
    path.write_bytes(data)
    expected = [hashlib.sha512(data[start : start + CHUNK_SIZE]).digest() for start in range(0, size, CHUNK_SIZE)]
    for found in (measure(path, ["sha512", "sha3-512"]), measure(data, ["sha512", "sha3-512"])):
        assert found.size == size
        assert found.digests["sha512"].value == hashlib.sha512(data).digest()
        assert found.digests["sha3-512"].value == hashlib.sha3_512(data).digest()
        assert list(found.chunks) == (expected if size > CHUNK_SIZE else [])


@pytest.mark.parametrize("size", SIZES)
def test_only_small_files_are_handed_out_with_their_measures(tmp_path: Path, size: int) -> None:
    """What is handed out are the very bytes that were hashed."""
    data = os.urandom(size)
    path = tmp_path / "file"
    path.write_bytes(data)
    found = measure(path, ["sha512"]).content

    assert found == (data if size <= SMALL else None)
    assert found is None or isinstance(found, KnownBytes)


def test_a_chunk_list_says_what_was_measured() -> None:
    """It is read back as it was written."""
    data = os.urandom(CHUNK_SIZE + 7)
    read = ChunkList.parse(chunk_list(measure(data, ["sha512"])))

    assert read.chunk_size == CHUNK_SIZE
    assert [digest.value for digest in read.digests] == [
        hashlib.sha512(data[:CHUNK_SIZE]).digest(),
        hashlib.sha512(data[CHUNK_SIZE:]).digest(),
    ]


def test_what_is_no_file_is_refused(tmp_path: Path) -> None:
    """A folder, a pipe, a link, nothing at all: each says so, and nothing waits."""
    (tmp_path / "folder").mkdir()
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "target").write_bytes(b"x")
    (tmp_path / "link").symlink_to(tmp_path / "target")
    for name in ("folder", "pipe"):
        with pytest.raises(NameNotAcceptedError):
            measure(tmp_path / name, ["sha512"])
    for name in ("link", "missing"):
        with pytest.raises(SubmissionError):
            measure(tmp_path / name, ["sha512"])
