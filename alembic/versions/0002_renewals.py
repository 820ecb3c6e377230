"""Renewals: their table, what is known of every time-stamp, and the way from a stored object to its stamps.

Revision: 0002, after 0001
"""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "renewals",
        sa.Column("number", sa.BigInteger, nullable=False, autoincrement=False),
        sa.Column("storage_object", text(), nullable=False),
        sa.Column("kind", text(), nullable=False),
        sa.Column("line", text(), nullable=False),
        sa.Column("digest", text(), nullable=False),
        sa.Column("tsa", text(), nullable=False),
        sa.Column("formed_at", instant(), nullable=False),
        sa.Column("covers", sa.BigInteger, nullable=False),
        sa.Column("leaf_count", sa.BigInteger, nullable=False),
        sa.Column("document_digest", text(128), nullable=False),
        sa.Column("files", sa.JSON(none_as_null=True), nullable=False),
        sa.Column("gen_time", instant()),
        sa.Column("token_digest", text(128)),
        sa.Column("trusted_until", instant()),
        sa.Column("abandoned", sa.Text),
        sa.CheckConstraint("(gen_time IS NULL) = (token_digest IS NULL)", name=op.f("ck_renewals_stamped")),
        sa.PrimaryKeyConstraint("number", name=op.f("pk_renewals")),
    )
    waiting = sa.text("gen_time IS NULL AND abandoned IS NULL")
    op.create_index(
        op.f("ix_renewals_unfinished"), "renewals", ["number"], sqlite_where=waiting, postgresql_where=waiting
    )
    op.add_column("stamps", sa.Column("facts", sa.JSON(none_as_null=True)))
    op.create_index(op.f("ix_stamps_storage_object_line"), "stamps", ["storage_object", "line"])
    said = sa.text("subject IS NOT NULL")
    op.create_index(op.f("ix_events_subject"), "events", ["subject"], sqlite_where=said, postgresql_where=said)


def downgrade() -> None:
    op.drop_index(op.f("ix_events_subject"), table_name="events")
    op.drop_index(op.f("ix_stamps_storage_object_line"), table_name="stamps")
    op.drop_column("stamps", "facts")
    op.drop_table("renewals")


def text(length: int | None = None) -> Any:
    """Text in code point order."""
    here = sa.String(length) if length else sa.Text()
    there = postgresql.VARCHAR(length, collation="C") if length else postgresql.TEXT(collation="C")
    return here.with_variant(there, "postgresql")


def instant() -> Any:
    """UTC with microseconds."""
    return sa.DateTime().with_variant(sa.DateTime(timezone=True), "postgresql")
