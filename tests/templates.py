"""What every test needs anew and Alembic makes the same each time: an empty catalogue, migrated once and copied."""

from __future__ import annotations

import tempfile
from functools import cache
from pathlib import Path

from archive_core.catalogue.catalogue import Catalogue


def lay_catalogue(path: Path) -> None:
    """Put an empty SQLite catalogue of the current schema there."""
    path.write_bytes(_migrated())


@cache
def _migrated() -> bytes:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "catalogue.sqlite3"
        Catalogue.create(f"sqlite:///{path}").close()
        beside = [file.name for file in path.parent.iterdir() if file != path]
        assert beside == [], beside  # all of it is in the one file
        return path.read_bytes()
