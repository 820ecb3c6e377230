"""Tombstones: objects that were destroyed, what each store still owes, and the mark on their versions.

Revision: 0003, after 0002
"""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "tombstones",
        sa.Column("poid", text(32), nullable=False),
        sa.Column("storage_object", text(), nullable=False),
        sa.Column("asked_at", instant(), nullable=False),
        sa.Column("gen_time", instant()),
        sa.Column("tsa", text()),
        sa.Column("document_digest", text(128)),
        sa.Column("files", sa.JSON(none_as_null=True)),
        sa.Column("reason", sa.Text),
        sa.Column("actor", text()),
        sa.CheckConstraint("(gen_time IS NULL) = (document_digest IS NULL)", name=op.f("ck_tombstones_decided")),
        sa.PrimaryKeyConstraint("poid", name=op.f("pk_tombstones")),
    )
    waiting = sa.text("gen_time IS NULL")
    op.create_index(
        op.f("ix_tombstones_under_way"), "tombstones", ["poid"], sqlite_where=waiting, postgresql_where=waiting
    )
    op.create_table(
        "deletion_debts",
        sa.Column("poid", text(32), nullable=False),
        sa.Column("store", text(), nullable=False),
        sa.Column("since", instant(), nullable=False),
        sa.Column("tries", sa.Integer, nullable=False),
        sa.Column("error", sa.Text),
        sa.PrimaryKeyConstraint("poid", "store", name=op.f("pk_deletion_debts")),
    )
    op.add_column("versions", sa.Column("destroyed", sa.Boolean, nullable=False, server_default=sa.false()))


def downgrade() -> None:
    op.drop_column("versions", "destroyed")
    op.drop_table("deletion_debts")
    op.drop_table("tombstones")


def text(length: int | None = None) -> Any:
    """Text in code point order."""
    here = sa.String(length) if length else sa.Text()
    there = postgresql.VARCHAR(length, collation="C") if length else postgresql.TEXT(collation="C")
    return here.with_variant(there, "postgresql")


def instant() -> Any:
    """UTC with microseconds."""
    return sa.DateTime().with_variant(sa.DateTime(timezone=True), "postgresql")
