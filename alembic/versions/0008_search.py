"""Search: which words and which digests versions have.

Revision: 0008, after 0007
"""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "search_entries",
        sa.Column("entry", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False, autoincrement=True),
        sa.Column("poid", text(32), nullable=False),
        sa.Column("version", sa.Integer, nullable=False),
        sa.PrimaryKeyConstraint("entry", name=op.f("pk_search_entries")),
        sa.UniqueConstraint("poid", "version", name=op.f("uq_search_entries_poid_version")),
    )
    op.create_table(
        "search_digests",
        sa.Column("entry", sa.BigInteger, nullable=False, autoincrement=False),
        sa.Column("position", sa.Integer, nullable=False, autoincrement=False),
        sa.Column("prefix", sa.BigInteger, nullable=False),
        sa.PrimaryKeyConstraint("entry", "position", name=op.f("pk_search_digests")),
    )
    op.create_index(op.f("ix_search_digests_prefix"), "search_digests", ["prefix"])
    if op.get_bind().dialect.name == "postgresql":
        op.execute("CREATE TABLE search_words (entry BIGINT PRIMARY KEY, words TSVECTOR NOT NULL)")
        op.execute("CREATE INDEX ix_search_words_words ON search_words USING gin (words)")
    else:
        op.execute("CREATE VIRTUAL TABLE search_words USING fts5(words, tokenize = 'unicode61 remove_diacritics 0')")


def downgrade() -> None:
    op.execute("DROP TABLE search_words")
    op.drop_table("search_digests")
    op.drop_table("search_entries")


def text(length: int | None = None) -> Any:
    """Text in code point order."""
    here = sa.String(length) if length else sa.Text()
    there = postgresql.VARCHAR(length, collation="C") if length else postgresql.TEXT(collation="C")
    return here.with_variant(there, "postgresql")
