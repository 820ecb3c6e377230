"""The first catalogue: objects, evidence, trail, and what lives in the catalogue only.

Rules of a migration
 * It runs in one transaction, on SQLite and on PostgreSQL; on SQLite a table is changed with
   `op.batch_alter_table`.
 * It names types of its own time: nothing is imported from `archive_core`, which goes on changing.
 * It never loses a fact. What can be derived from the stores may be dropped and rebuilt.
 * It only goes forward; the way back is the backup that `trusted-archive upgrade` makes first.
 * A published migration is never edited.

Revision: 0001, the first
"""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    _batches()
    _versions()
    _files()
    _prefix_records()
    _claims()
    _lines()
    _stamps()
    _events()
    _event_counters()
    _segments()
    _leases()
    _keys()
    _jobs()
    _meta()


def text(length: int | None = None) -> Any:
    """Text in code point order."""
    here = sa.String(length) if length else sa.Text()
    there = postgresql.VARCHAR(length, collation="C") if length else postgresql.TEXT(collation="C")
    return here.with_variant(there, "postgresql")


def instant() -> Any:
    """UTC with microseconds."""
    return sa.DateTime().with_variant(sa.DateTime(timezone=True), "postgresql")


def counter() -> Any:
    return sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def _batches() -> None:
    op.create_table(
        "batches",
        sa.Column("number", sa.BigInteger, primary_key=True, autoincrement=False),
        sa.Column("storage_object", text(), nullable=False),
        sa.Column("profile", text(), nullable=False),
        sa.Column("originator", text()),
        sa.Column("formed_at", instant(), nullable=False),
        sa.Column("leaf_count", sa.BigInteger, nullable=False),
        sa.Column("statement_digest", text(128), nullable=False),
        sa.Column("previous_batch", sa.BigInteger),
        sa.Column("derivation_version", sa.Integer, nullable=False),
        sa.Column("trail_size", sa.BigInteger, nullable=False),
        sa.Column("test_trust", sa.Boolean, nullable=False),
        sa.Column("evidenced_at", instant()),
    )
    op.create_index(
        "ix_batches_unfinished",
        "batches",
        ["number"],
        sqlite_where=sa.text("evidenced_at IS NULL"),
        postgresql_where=sa.text("evidenced_at IS NULL"),
    )


def _versions() -> None:
    op.create_table(
        "versions",
        sa.Column("poid", text(32), primary_key=True),
        sa.Column("version", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("kind", text(), nullable=False),
        sa.Column("originator", text(), nullable=False),
        sa.Column("profile", text(), nullable=False),
        sa.Column("received", instant(), nullable=False),
        sa.Column("storage_object", text(), nullable=False),
        sa.Column("ocfl_version", sa.Integer, nullable=False),
        sa.Column("description_digest", text(128), nullable=False),
        sa.Column("idempotency_key", sa.LargeBinary),
        sa.Column("request_digest", text(), nullable=False),
        sa.Column("has_metadata", sa.Boolean, nullable=False),
        sa.Column("size", sa.BigInteger, nullable=False),
        sa.Column("file_count", sa.Integer, nullable=False),
        sa.Column("batch", sa.BigInteger, sa.ForeignKey("batches.number")),
        sa.Column("leaf", sa.BigInteger),
        sa.UniqueConstraint("originator", "idempotency_key"),
        sa.CheckConstraint("(batch IS NULL) = (leaf IS NULL)", name="batch_and_leaf"),
        sa.CheckConstraint("version >= 1", name="version_from_one"),
    )
    op.create_index("ix_versions_originator_poid_version", "versions", ["originator", "poid", "version"])
    op.create_index("ix_versions_batch_leaf", "versions", ["batch", "leaf"], unique=True)
    op.create_index(
        "ix_versions_awaiting",
        "versions",
        ["profile", "originator", "received", "poid", "version"],
        sqlite_where=sa.text("batch IS NULL"),
        postgresql_where=sa.text("batch IS NULL"),
    )


def _files() -> None:
    op.create_table(
        "files",
        sa.Column("poid", text(32), primary_key=True),
        sa.Column("version", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("position", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("path", text(), nullable=False),
        sa.Column("role", text(), nullable=False),
        sa.Column("size", sa.BigInteger, nullable=False),
        sa.Column("content_digest", text(128), nullable=False),
        sa.Column("stored_digest", text(128), nullable=False),
        sa.Column("key_ref", text()),
        sa.ForeignKeyConstraint(["poid", "version"], ["versions.poid", "versions.version"]),
        sa.UniqueConstraint("poid", "version", "path"),
    )


def _prefix_records() -> None:
    op.create_table(
        "prefix_records",
        sa.Column("poid", text(32), primary_key=True),
        sa.Column("version", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("name", text(), primary_key=True),
        sa.Column("ocfl_path", text(), nullable=False),
        sa.Column("size", sa.BigInteger, nullable=False),
        sa.Column("record_digest", text(128), nullable=False),
        sa.ForeignKeyConstraint(["poid", "version"], ["versions.poid", "versions.version"]),
    )


def _claims() -> None:
    op.create_table(
        "claims",
        sa.Column("poid", text(32), primary_key=True),
        sa.Column("version", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("originator", text()),
        sa.Column("idempotency_key", sa.LargeBinary),
        sa.Column("request_digest", text(), nullable=False),
        sa.Column("description", sa.LargeBinary, nullable=False),
        sa.Column("claimed_at", instant(), nullable=False),
        sa.UniqueConstraint("originator", "idempotency_key"),
    )
    op.create_index("ix_claims_claimed_at", "claims", ["claimed_at"])


def _lines() -> None:
    op.create_table(
        "lines",
        sa.Column("batch", sa.BigInteger, sa.ForeignKey("batches.number"), primary_key=True, autoincrement=False),
        sa.Column("line", text(), primary_key=True),
        sa.Column("digest", text(), nullable=False),
        sa.Column("tsa", text(), nullable=False),
        sa.Column("trust_class", text(), nullable=False),
    )


def _stamps() -> None:
    op.create_table(
        "stamps",
        sa.Column("batch", sa.BigInteger, primary_key=True, autoincrement=False),
        sa.Column("line", text(), primary_key=True),
        sa.Column("chain", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("position", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("digest", text(), nullable=False),
        sa.Column("gen_time", instant(), nullable=False),
        sa.Column("storage_object", text(), nullable=False),
        sa.Column("ocfl_path", text(), nullable=False),
        sa.Column("token_digest", text(128), nullable=False),
        sa.Column("covers_renewal", text()),
        sa.Column("trusted_until", instant()),
        sa.ForeignKeyConstraint(["batch", "line"], ["lines.batch", "lines.line"]),
    )
    op.create_index("ix_stamps_trusted_until", "stamps", ["trusted_until"])


def _events() -> None:
    op.create_table(
        "events",
        sa.Column("arrival", counter(), primary_key=True, autoincrement=True),
        sa.Column("event_id", text(32), nullable=False, unique=True),
        sa.Column("recorded_at", instant(), nullable=False),
        sa.Column("type", text(), nullable=False),
        sa.Column("outcome", text(), nullable=False),
        sa.Column("actor", text()),
        sa.Column("code", text(), nullable=False),
        sa.Column("poid", text(32)),
        sa.Column("version", sa.Integer),
        sa.Column("subject", text()),
        sa.Column("object_event", sa.BigInteger),
        sa.Column("commitment", text(128)),
        sa.Column("line", sa.LargeBinary),
        sa.Column("seq", sa.BigInteger, unique=True),
        sa.Column("leaf_hash", sa.LargeBinary),
        sa.Column("detail", sa.JSON()),
        sa.Column("detail_nonce", text()),
        sa.UniqueConstraint("poid", "object_event"),
        sa.CheckConstraint("(poid IS NULL) = (object_event IS NULL)", name="numbered_per_object"),
        sa.CheckConstraint("(seq IS NULL) = (leaf_hash IS NULL)", name="sequenced_with_leaf"),
    )
    op.create_index(
        "ix_events_pending",
        "events",
        ["arrival"],
        sqlite_where=sa.text("seq IS NULL"),
        postgresql_where=sa.text("seq IS NULL"),
    )


def _event_counters() -> None:
    op.create_table(
        "event_counters",
        sa.Column("poid", text(32), primary_key=True),
        sa.Column("last", sa.BigInteger, nullable=False),
    )


def _segments() -> None:
    op.create_table(
        "segments",
        sa.Column("number", sa.BigInteger, primary_key=True, autoincrement=False),
        sa.Column("first", sa.BigInteger, nullable=False, unique=True),
        sa.Column("count", sa.BigInteger, nullable=False),
        sa.Column("size", sa.BigInteger, nullable=False),
        sa.Column("head", text(128), nullable=False),
        sa.Column("frontier", sa.JSON(), nullable=False),
        sa.CheckConstraint("count >= 1", name="not_empty"),
    )


def _leases() -> None:
    op.create_table(
        "leases",
        sa.Column("name", text(), primary_key=True),
        sa.Column("holder", text(), nullable=False),
        sa.Column("until", instant(), nullable=False),
    )


def _keys() -> None:
    op.create_table(
        "keys",
        sa.Column("key_id", text(), primary_key=True),
        sa.Column("key_hash", text(128), nullable=False, unique=True),
        sa.Column("label", sa.Text, nullable=False),
        sa.Column("originator", text()),
        sa.Column("role", text(), nullable=False),
        sa.Column("created", instant(), nullable=False),
        sa.Column("revoked_at", instant()),
        sa.Column("last_used", instant()),
    )


def _jobs() -> None:
    op.create_table(
        "jobs",
        sa.Column("job_id", text(), primary_key=True),
        sa.Column("kind", text(), nullable=False),
        sa.Column("state", text(), nullable=False),
        sa.Column("created", instant(), nullable=False),
        sa.Column("progress_done", sa.BigInteger, nullable=False),
        sa.Column("progress_total", sa.BigInteger),
        sa.Column("result", sa.JSON()),
        sa.Column("error", sa.Text),
        sa.Column("originator", text()),
    )
    op.create_index("ix_jobs_created", "jobs", ["created"])


def _meta() -> None:
    op.create_table(
        "meta",
        sa.Column("name", text(), primary_key=True),
        sa.Column("value", sa.Text, nullable=False),
    )
