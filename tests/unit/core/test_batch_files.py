"""The small files of a batch and of a package: read as they are written, or refused."""

from __future__ import annotations

import pytest

from archive_core import canonical
from archive_core.batch import members_text, parse_members
from archive_core.errors import MalformedDocumentError
from archive_core.measure import ChunkList

POID = "0199b0c27d3e7aaabbbbccccddddeeee"
DIGITS = "ab" * 64


def test_members_are_read_as_written() -> None:
    """Objects and versions in the order of the leaves."""
    members = ((POID, 1), (POID, 2**63 - 1))
    assert parse_members(members_text(members)) == members


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\n",
        POID.encode() + b" 1",
        POID.encode() + b" 01\n",
        POID.encode() + b" 1\r\n",
        POID.encode() + b" -1\n",
        POID.encode() + b"\n",
        POID.encode() + b" " + b"9" * 5000 + b"\n",
        POID.encode() + " \u0661\n".encode(),
    ],
)
def test_members_in_any_other_form_are_refused(data: bytes) -> None:
    """No line, no end, other numbers: also one with more digits than Python converts."""
    with pytest.raises(MalformedDocumentError):
        parse_members(data)


def test_a_chunk_list_is_read() -> None:
    """Size of a chunk and digest of each."""
    parsed = ChunkList.parse(canonical.write({"algorithm": "sha512", "chunk_size": 4, "digests": [DIGITS]}))
    assert (parsed.chunk_size, [digest.hex for digest in parsed.digests]) == (4, [DIGITS])


@pytest.mark.parametrize(
    "value",
    [
        [],
        {"algorithm": "sha512", "chunk_size": 4},
        {"algorithm": "md5", "chunk_size": 4, "digests": []},
        {"algorithm": None, "chunk_size": 4, "digests": []},
        {"algorithm": "sha512", "chunk_size": 0, "digests": []},
        {"algorithm": "sha512", "chunk_size": True, "digests": []},
        {"algorithm": "sha512", "chunk_size": 4, "digests": {}},
        {"algorithm": "sha512", "chunk_size": 4, "digests": [None]},
        {"algorithm": "sha512", "chunk_size": 4, "digests": [5]},
        {"algorithm": "sha512", "chunk_size": 4, "digests": ["ab"]},
        {"algorithm": "sha512", "chunk_size": 4, "digests": [DIGITS.upper()]},
        {"algorithm": "sha512", "chunk_size": 4, "digests": [], "more": 1},
    ],
)
def test_a_chunk_list_of_any_other_form_is_refused(value: object) -> None:
    """One error of ours, whatever stands where a digest should."""
    with pytest.raises(MalformedDocumentError):
        ChunkList.parse(canonical.write(value))
