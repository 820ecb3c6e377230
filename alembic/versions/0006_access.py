"""Access: organisations with quotas and rates; keys that end, are narrowed and are replaced.

Revision: 0006, after 0005
"""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "organisations",
        sa.Column("originator", text(), nullable=False),
        sa.Column("name", sa.Text, nullable=False),
        sa.Column("active", sa.Boolean, nullable=False),
        sa.Column("since", instant(), nullable=False),
        sa.Column("quota_objects", sa.BigInteger),
        sa.Column("quota_bytes", sa.BigInteger),
        sa.Column("rate_per_minute", sa.Integer),
        sa.CheckConstraint(
            "quota_objects >= 0 AND quota_bytes >= 0 AND rate_per_minute >= 1", name=op.f("ck_organisations_limits")
        ),
        sa.PrimaryKeyConstraint("originator", name=op.f("pk_organisations")),
    )
    op.create_table(
        "usage",
        sa.Column("originator", text(), nullable=False),
        sa.Column("objects", sa.BigInteger, nullable=False),
        sa.Column("bytes", sa.BigInteger, nullable=False),
        sa.ForeignKeyConstraint(
            ["originator"], ["organisations.originator"], name=op.f("fk_usage_originator_organisations")
        ),
        sa.PrimaryKeyConstraint("originator", name=op.f("pk_usage")),
    )
    op.create_table(
        "reservations",
        sa.Column("token", text(), nullable=False),
        sa.Column("originator", text(), nullable=False),
        sa.Column("objects", sa.BigInteger, nullable=False),
        sa.Column("bytes", sa.BigInteger, nullable=False),
        sa.Column("until", instant(), nullable=False),
        sa.PrimaryKeyConstraint("token", name=op.f("pk_reservations")),
    )
    op.create_index(op.f("ix_reservations_originator"), "reservations", ["originator"])
    op.create_table(
        "rates",
        sa.Column("subject", text(), nullable=False),
        sa.Column("arrival", sa.BigInteger, nullable=False),
        sa.PrimaryKeyConstraint("subject", name=op.f("pk_rates")),
    )
    op.add_column("keys", sa.Column("expires", instant()))
    op.add_column("keys", sa.Column("scopes", sa.JSON(none_as_null=True)))
    op.add_column("keys", sa.Column("replaces", text()))
    op.add_column("keys", sa.Column("rate_per_minute", sa.Integer))


def downgrade() -> None:
    for column in ("rate_per_minute", "replaces", "scopes", "expires"):
        op.drop_column("keys", column)
    for table in ("rates", "reservations", "usage", "organisations"):
        op.drop_table(table)


def text(length: int | None = None) -> Any:
    """Text in code point order."""
    here = sa.String(length) if length else sa.Text()
    there = postgresql.VARCHAR(length, collation="C") if length else postgresql.TEXT(collation="C")
    return here.with_variant(there, "postgresql")


def instant() -> Any:
    """UTC with microseconds."""
    return sa.DateTime().with_variant(sa.DateTime(timezone=True), "postgresql")
