"""Examination: what became of the signatures in a version, and what is to be examined again.

Revision: 0005, after 0004
"""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("versions", sa.Column("examined", text()))
    op.add_column("versions", sa.Column("examine_later", sa.Boolean, nullable=False, server_default=sa.false()))
    for name, where in _PARTIAL:
        op.create_index(
            name, "versions", ["poid", "version"], sqlite_where=sa.text(where), postgresql_where=sa.text(where)
        )
    op.create_table(
        "claim_files",
        sa.Column("poid", text(32), nullable=False),
        sa.Column("version", sa.Integer, nullable=False),
        sa.Column("path", text(), nullable=False),
        sa.Column("content", sa.LargeBinary, nullable=False),
        sa.PrimaryKeyConstraint("poid", "version", "path", name=op.f("pk_claim_files")),
        sa.ForeignKeyConstraint(
            ["poid", "version"],
            ["claims.poid", "claims.version"],
            name=op.f("fk_claim_files_poid_claims"),
            ondelete="CASCADE",
        ),
    )
    op.create_table(
        "later_examinations",
        sa.Column("poid", text(32), nullable=False),
        sa.Column("tries", sa.Integer, nullable=False),
        sa.Column("next_try", instant(), nullable=False),
        sa.Column("error", sa.Text),
        sa.PrimaryKeyConstraint("poid", name=op.f("pk_later_examinations")),
    )


def downgrade() -> None:
    op.drop_table("later_examinations")
    op.drop_table("claim_files")
    for name, _ in _PARTIAL:
        op.drop_index(name, table_name="versions")
    op.drop_column("versions", "examine_later")
    op.drop_column("versions", "examined")


_PARTIAL = (("ix_versions_quarantined", "examined = 'quarantine'"), ("ix_versions_examine_later", "examine_later"))


def text(length: int | None = None) -> Any:
    """Text in code point order."""
    here = sa.String(length) if length else sa.Text()
    there = postgresql.VARCHAR(length, collation="C") if length else postgresql.TEXT(collation="C")
    return here.with_variant(there, "postgresql")


def instant() -> Any:
    """UTC with microseconds."""
    return sa.DateTime().with_variant(sa.DateTime(timezone=True), "postgresql")
