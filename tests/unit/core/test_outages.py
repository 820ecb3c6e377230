"""What is known of an authority that fails can be read again, whatever the authority said."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from archive_core.catalogue.catalogue import Catalogue
from archive_core.errors import MalformedDocumentError, TimestampRefusedError
from archive_core.outages import MAX_MESSAGE, Outage, Outages

AT = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)


@pytest.fixture
def outages(tmp_path: Path) -> Iterator[Outages]:
    """Outages over an empty catalogue."""
    catalogue = Catalogue.create(f"sqlite:///{tmp_path / 'catalogue.sqlite3'}")
    yield Outages(catalogue)
    catalogue.close()


@pytest.mark.parametrize("said", ["", "no", "拒" * 5000, "\U0001f512" * 5000, '\0\n"\\', "\ud800 half a letter"])
def test_any_message_is_kept_and_read_again(outages: Outages, said: str) -> None:
    """Long, in any script, or broken: the next round still learns that the authority is out."""
    noted = outages.failed("tsa", TimestampRefusedError(said), AT)

    assert outages.of("tsa") == noted
    assert len(noted.message) <= MAX_MESSAGE
    assert [outage.tsa for outage in outages.all(["tsa", "other"])] == ["tsa"]


@pytest.mark.parametrize("data", [b"", b"{}", b"null", b'{"tsa":"t"}\n'])
def test_what_is_no_outage_is_refused(data: bytes) -> None:
    """Other bytes are named as such."""
    with pytest.raises(MalformedDocumentError):
        Outage.parse(data)
