"""Debts: how often each was noted, so that one that was noted again while it was being paid stays.

Revision: 0009, after 0008
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None

TABLES = ("copy_debts", "lock_debts")


def upgrade() -> None:
    for table in TABLES:
        op.add_column(table, sa.Column("noted", sa.Integer, nullable=False, server_default="1"))


def downgrade() -> None:
    for table in TABLES:
        op.drop_column(table, "noted")
