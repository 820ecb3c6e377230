"""Receivers: how far each has come with what it is told.

Revision: 0007, after 0006
"""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "receivers",
        sa.Column("name", text(), nullable=False),
        sa.Column("cursor", text(), nullable=False),
        sa.Column("sending", text()),
        sa.Column("tries", sa.Integer, nullable=False),
        sa.Column("since", instant()),
        sa.Column("not_before", instant()),
        sa.Column("error", sa.Text),
        sa.Column("delivered", instant()),
        sa.Column("stopped", sa.Boolean, nullable=False),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_receivers")),
    )


def downgrade() -> None:
    op.drop_table("receivers")


def text(length: int | None = None) -> Any:
    """Text in code point order."""
    here = sa.String(length) if length else sa.Text()
    there = postgresql.VARCHAR(length, collation="C") if length else postgresql.TEXT(collation="C")
    return here.with_variant(there, "postgresql")


def instant() -> Any:
    """UTC with microseconds."""
    return sa.DateTime().with_variant(sa.DateTime(timezone=True), "postgresql")
