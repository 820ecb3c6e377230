"""The document of a tombstone: it comes back as it was written, and nothing else is taken for one."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from archive_core.destruction.form import DestroyedVersion, TombstoneDocument
from archive_core.errors import MalformedDocumentError
from archive_core.identifiers import named_object, storage_object_for, tombstone_object, tombstoned_poid
from policies.destruction import HeldVersion, why_not_destroyed
from tests.catalogue_rows import entry, poid

AT = datetime(2026, 7, 1, 9, tzinfo=UTC)


def document() -> TombstoneDocument:
    (row, _, _) = entry(1)
    values = tuple(sorted(bytes([n]) * 64 for n in range(3)))
    return TombstoneDocument(row.poid, "disposal 1", "cli", AT, "tsa-1", (DestroyedVersion(row, {"sha512": values}),))


def test_a_tombstone_comes_back_as_it_was_written() -> None:
    """But for batch and leaf, which the batch says, and the mark, which it is."""
    written = document()
    read = TombstoneDocument.parse(written.to_bytes())
    assert read.to_bytes() == written.to_bytes()
    assert read.rows[0].destroyed
    assert (read.rows[0].batch, read.rows[0].leaf) == (None, None)
    assert read.versions[0].groups == written.versions[0].groups


CHANGES: list[Callable[[dict[str, Any]], Any]] = [
    lambda value: value.update(format="trusted-archive/tombstone/2"),
    lambda value: value.update(poid="no"),
    lambda value: value.update(reason=""),
    lambda value: value.update(reason="x" * 1001),
    lambda value: value.update(more=1),
    lambda value: value.pop("tsa"),
    lambda value: value.update(asked="2026-07-01"),
    lambda value: value.update(versions=[]),
    lambda value: value["versions"].append(value["versions"][0]),
    lambda value: value["versions"][0].update(version=2),
    lambda value: value["versions"][0].update(groups=[]),
    lambda value: value["versions"][0].update(groups={"sha512": []}),
    lambda value: value["versions"][0].update(groups={"md4": ["00"]}),
    lambda value: value["versions"][0]["groups"]["sha512"].reverse(),
    lambda value: value["versions"][0]["groups"]["sha512"].append("00"),
    lambda value: value["versions"][0].update(description_sha512="00"),
    lambda value: value["versions"][0].update(size=-1),
]


@pytest.mark.parametrize("change", CHANGES)
def test_what_is_no_tombstone_is_refused(change: Callable[[dict[str, Any]], Any]) -> None:
    value = json.loads(document().to_bytes())
    change(value)
    data = json.dumps(value, sort_keys=True, separators=(",", ":")).encode() + b"\n"
    with pytest.raises(MalformedDocumentError):
        TombstoneDocument.parse(data)


def test_a_tombstone_is_known_by_its_name() -> None:
    assert tombstoned_poid(tombstone_object(poid(1))) == poid(1)
    for other in (storage_object_for(poid(1)), named_object("ts-something"), named_object("tsunami-000")):
        assert tombstoned_poid(other) is None
    with pytest.raises(ValueError, match="not one of our"):
        tombstoned_poid("urn:other:ts" + poid(1))
    with pytest.raises(ValueError, match="POID"):
        tombstone_object("1")


def test_a_fresh_time_stamp_decides() -> None:
    """After everything that is known to have happened; before it, a clock is wrong. What has no evidence stays."""
    held = HeldVersion(1, AT, AT + timedelta(hours=1))
    assert why_not_destroyed([held], at=AT + timedelta(hours=2)) is None
    assert "clocks" in str(why_not_destroyed([held], at=AT + timedelta(minutes=30)))
    assert "clocks" in str(why_not_destroyed([held], at=AT + timedelta(hours=1)))
    assert "no evidence" in str(why_not_destroyed([held, HeldVersion(2, AT, None)], at=AT + timedelta(hours=2)))
