"""A description is strict, canonical and the whole of what its evidence is about."""

import hashlib
import json
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest

from archive_core import canonical
from archive_core.description import DescribedFile, Description
from archive_core.errors import MalformedDocumentError

POID = "0199b0c27d3e7000a000000000000001"


def _file(path: str, content: bytes, role: str = "document") -> DescribedFile:
    digests = {name: hashlib.new(name.replace("-", "_"), content).hexdigest() for name in ("sha512", "sha3-512")}
    return DescribedFile(path, role, len(content), digests)


DESCRIPTION = Description(
    poid=POID,
    version=2,
    kind="update",
    originator="70889546",
    profile="basic-1",
    idempotency_key="č/1",
    received=datetime(2026, 3, 1, 8, 0, 0, 250_000, tzinfo=UTC),
    files=(_file("data/a.pdf", b"a"), _file("data/kopie a.pdf", b"a"), _file("metadata.json", b"{}", "metadata")),
    predecessor=(1, "ab" * 64),
    nonce="01" * 32,
)


def test_a_description_and_its_bytes_are_interchangeable() -> None:
    """Parsing gives the value back, and the value the bytes."""
    assert Description.parse(DESCRIPTION.to_bytes()) == DESCRIPTION
    assert Description.parse(DESCRIPTION.to_bytes()).to_bytes() == DESCRIPTION.to_bytes()


@pytest.mark.parametrize("odd", ["plain", 'a"b', "č/ž \u0301", "a\u2028b\x7f", "\\n \t\x00\x1f", "\U0001f4c4", ""])
def test_a_first_version_is_spelled_as_canonical_json_spells_it(odd: str) -> None:
    """Its bytes are put together at once; they are those of the canonical writer, whatever the texts hold."""
    for key in (None, odd):
        first = replace(
            DESCRIPTION,
            version=1,
            kind="deposit",
            predecessor=None,
            originator=odd,
            idempotency_key=key,
            files=(_file(f"data/{odd}", b"a"), _file("data/b", b"")),
        )
        assert first.to_bytes() == canonical.write(first.to_json())


def test_a_text_that_is_no_unicode_has_no_bytes() -> None:
    """A lone surrogate is refused, as by the canonical writer."""
    with pytest.raises(UnicodeEncodeError):
        replace(DESCRIPTION, version=1, predecessor=None, originator="\ud800").to_bytes()


def test_the_data_group_is_the_sorted_set_of_distinct_digests() -> None:
    """Two identical files count once; the description itself is a member; each line has its own digest."""
    expected = {hashlib.sha512(item).digest() for item in (b"a", b"{}", DESCRIPTION.to_bytes())}
    assert DESCRIPTION.group_digests("sha512") == tuple(sorted(expected))
    other = {hashlib.sha3_512(item).digest() for item in (b"a", b"{}", DESCRIPTION.to_bytes())}
    assert DESCRIPTION.group_digests("sha3-512") == tuple(sorted(other))


def test_a_group_in_a_digest_that_a_file_lacks_is_refused() -> None:
    """No group is computed over a part of the files."""
    with pytest.raises(MalformedDocumentError, match="sha384"):
        DESCRIPTION.group_digests("sha384")


def _changed(change: Callable[[dict[str, Any]], object]) -> bytes:
    value = json.loads(DESCRIPTION.to_bytes())
    change(value)
    return canonical.write(value)


def _set(key: str, value: object) -> Callable[[dict[str, Any]], object]:
    return lambda document: document.__setitem__(key, value)


def _set_file(key: str, value: object) -> Callable[[dict[str, Any]], object]:
    return lambda document: document["files"][0].__setitem__(key, value)


@pytest.mark.parametrize(
    "change",
    [
        _set("format", "trusted-archive/description/2"),
        _set("poid", POID.upper()),
        _set("poid", POID[:-1]),
        _set("version", 0),
        _set("version", True),
        _set("version", "2"),
        _set("kind", "gift"),
        _set("originator", ""),
        _set("received", "2026-03-01T08:00:00+00:00"),
        _set("received", "2026-03-01T08:00:00.5Z"),
        _set("received", "2026-03-01T08:00:00.000000Z"),
        _set("received", "2026-13-01T08:00:00Z"),
        _set("files", []),
        _set("files", None),
        _set("predecessor", None),
        _set("predecessor", {"version": 2, "sha512": "ab" * 64}),
        _set("predecessor", {"version": 1, "sha512": "AB" * 64}),
        _set("nonce", "01" * 31),
        _set("extra", 1),
        lambda document: document.pop("nonce"),
        _set_file("path", "a.pdf"),
        _set_file("path", "data/../a"),
        _set_file("path", "/data/a"),
        _set_file("path", "data//a"),
        _set_file("path", "data/a\x00"),
        _set_file("path", "data/a\\b"),
        _set_file("path", "data/KOPIE A.PDF"),
        _set_file("path", "metadata.json"),
        _set_file("role", "metadata"),
        _set_file("role", "link"),
        _set_file("size", -1),
        _set_file("digests", {}),
        _set_file("digests", {"sha256": "00" * 32}),
        _set_file("digests", {"sha512": "00" * 63}),
        _set_file("digests", {"sha512": "00" * 64, "md5": "00" * 16}),
    ],
)
def test_a_description_that_is_not_exactly_one_is_refused(change: Callable[[dict[str, Any]], object]) -> None:
    """Unknown, missing, misspelt, unsafe or contradicting members are refused, whatever else is good."""
    with pytest.raises(MalformedDocumentError):
        Description.parse(_changed(change))


def test_a_first_version_has_no_predecessor() -> None:
    """Version 1 stands at the beginning of the chain, and only version 1."""
    first = replace(DESCRIPTION, version=1, kind="deposit", predecessor=None)
    assert Description.parse(first.to_bytes()) == first
    with pytest.raises(MalformedDocumentError):
        Description.parse(replace(first, predecessor=(0, "ab" * 64)).to_bytes())


def test_each_changed_bit_changes_the_group() -> None:
    """A description with one other bit is refused or is another member of the group."""
    data = DESCRIPTION.to_bytes()
    group = DESCRIPTION.group_digests("sha512")
    read = 0
    for position in range(0, len(data), 7):
        changed = bytearray(data)
        changed[position] ^= 1
        try:
            other = Description.parse(bytes(changed))
        except MalformedDocumentError:
            continue
        read += 1
        assert other.group_digests("sha512") != group
    assert read > 10
