"""Tables of the search index. Their words lie beside them, in `search_words`, which each database has in its own way
(FTS5, tsvector) and the migration makes.

The rules of `tables.py` hold here.
"""

from __future__ import annotations

from sqlalchemy import BigInteger, Column, Index, Integer, Table, UniqueConstraint

from archive_core.catalogue.columns import code_point_text, counter
from archive_core.catalogue.tables import metadata

WORDS = "search_words"
"""The table of words. SQLite has more that begin so."""


def is_described(name: str | None, kind: str, _parents: object = None) -> bool:
    """Whether something of a database is described by `metadata`: for Alembic's comparisons."""
    return kind != "table" or name is None or not name.startswith(WORDS)


search_entries = Table(
    "search_entries",
    metadata,
    Column("entry", counter(), primary_key=True, autoincrement=True),
    Column("poid", code_point_text(32), nullable=False),
    Column("version", Integer, nullable=False),
    UniqueConstraint("poid", "version"),
)

search_digests = Table(
    "search_digests",
    metadata,
    Column("entry", BigInteger, primary_key=True, autoincrement=False),
    Column("position", Integer, primary_key=True, autoincrement=False),
    Column("prefix", BigInteger, nullable=False),
)
Index("ix_search_digests_prefix", search_digests.c.prefix)
