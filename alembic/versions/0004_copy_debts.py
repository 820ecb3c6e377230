"""Copies: what stores lack of what was acknowledged, what they have yet to lock, and which stores take part.

Revision: 0004, after 0003
"""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "copy_debts",
        sa.Column("store", text(), nullable=False),
        sa.Column("storage_object", text(), nullable=False),
        sa.Column("since", instant(), nullable=False),
        sa.Column("tries", sa.Integer, nullable=False),
        sa.Column("error", sa.Text),
        sa.PrimaryKeyConstraint("store", "storage_object", name=op.f("pk_copy_debts")),
    )
    op.create_table(
        "lock_debts",
        sa.Column("store", text(), nullable=False),
        sa.Column("storage_object", text(), nullable=False),
        sa.Column("since", instant(), nullable=False),
        sa.PrimaryKeyConstraint("store", "storage_object", name=op.f("pk_lock_debts")),
    )
    op.create_table(
        "store_states",
        sa.Column("store", text(), nullable=False),
        sa.Column("state", text(), nullable=False),
        sa.Column("since", instant(), nullable=False),
        sa.PrimaryKeyConstraint("store", name=op.f("pk_store_states")),
    )


def downgrade() -> None:
    op.drop_table("store_states")
    op.drop_table("lock_debts")
    op.drop_table("copy_debts")


def text(length: int | None = None) -> Any:
    """Text in code point order."""
    here = sa.String(length) if length else sa.Text()
    there = postgresql.VARCHAR(length, collation="C") if length else postgresql.TEXT(collation="C")
    return here.with_variant(there, "postgresql")


def instant() -> Any:
    """UTC with microseconds."""
    return sa.DateTime().with_variant(sa.DateTime(timezone=True), "postgresql")
