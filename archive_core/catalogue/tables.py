"""The catalogue's tables: one metadata, the same on SQLite and PostgreSQL.

Rules kept here
 * Column names are the field names of `rows.py`.
 * What must happen once is a unique index, not a check made beforehand.
 * Every query of the catalogue has an index to go by; what is searched for among few (versions
   without a batch, batches without a stamp, events without a number) has a partial one.
 * A change here comes with a migration in `alembic/versions`; a test compares the two.
"""

from __future__ import annotations

from sqlalchemy import (
    BigInteger,
    Boolean,
    CheckConstraint,
    Column,
    ForeignKey,
    ForeignKeyConstraint,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    Table,
    Text,
    UniqueConstraint,
    false,
)

from archive_core.catalogue.columns import UtcDateTime, Utf8Bytes, code_point_text, counter, json_value

metadata = MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "ck": "ck_%(table_name)s_%(constraint_name)s",
        "fk": "fk_%(table_name)s_%(column_0_N_name)s_%(referred_table_name)s",
        "pk": "pk_%(table_name)s",
    }
)

batches = Table(
    "batches",
    metadata,
    Column("number", BigInteger, primary_key=True, autoincrement=False),
    Column("storage_object", code_point_text(), nullable=False),
    Column("profile", code_point_text(), nullable=False),
    Column("originator", code_point_text()),
    Column("formed_at", UtcDateTime, nullable=False),
    Column("leaf_count", BigInteger, nullable=False),
    Column("statement_digest", code_point_text(128), nullable=False),
    Column("previous_batch", BigInteger),
    Column("derivation_version", Integer, nullable=False),
    Column("trail_size", BigInteger, nullable=False),
    Column("test_trust", Boolean, nullable=False),
    Column("evidenced_at", UtcDateTime),
)
Index(
    "ix_batches_unfinished",
    batches.c.number,
    sqlite_where=batches.c.evidenced_at.is_(None),
    postgresql_where=batches.c.evidenced_at.is_(None),
)

versions = Table(
    "versions",
    metadata,
    Column("poid", code_point_text(32), primary_key=True),
    Column("version", Integer, primary_key=True, autoincrement=False),
    Column("kind", code_point_text(), nullable=False),
    Column("originator", code_point_text(), nullable=False),
    Column("profile", code_point_text(), nullable=False),
    Column("received", UtcDateTime, nullable=False),
    Column("storage_object", code_point_text(), nullable=False),
    Column("ocfl_version", Integer, nullable=False),
    Column("description_digest", code_point_text(128), nullable=False),
    Column("idempotency_key", Utf8Bytes),
    Column("request_digest", code_point_text(), nullable=False),
    Column("has_metadata", Boolean, nullable=False),
    Column("size", BigInteger, nullable=False),
    Column("file_count", Integer, nullable=False),
    Column("batch", BigInteger, ForeignKey("batches.number")),
    Column("leaf", BigInteger),
    Column("destroyed", Boolean, nullable=False, server_default=false()),
    Column("examined", code_point_text()),
    Column("examine_later", Boolean, nullable=False, server_default=false()),
    UniqueConstraint("originator", "idempotency_key"),
    CheckConstraint("(batch IS NULL) = (leaf IS NULL)", name="batch_and_leaf"),
    CheckConstraint("version >= 1", name="version_from_one"),
)
Index("ix_versions_originator_poid_version", versions.c.originator, versions.c.poid, versions.c.version)
Index("ix_versions_batch_leaf", versions.c.batch, versions.c.leaf, unique=True)
Index(
    "ix_versions_awaiting",
    versions.c.profile,
    versions.c.originator,
    versions.c.received,
    versions.c.poid,
    versions.c.version,
    sqlite_where=versions.c.batch.is_(None),
    postgresql_where=versions.c.batch.is_(None),
)

Index(
    "ix_versions_quarantined",
    versions.c.poid,
    versions.c.version,
    sqlite_where=versions.c.examined == "quarantine",
    postgresql_where=versions.c.examined == "quarantine",
)
Index(
    "ix_versions_examine_later",
    versions.c.poid,
    versions.c.version,
    sqlite_where=versions.c.examine_later,
    postgresql_where=versions.c.examine_later,
)

files = Table(
    "files",
    metadata,
    Column("poid", code_point_text(32), primary_key=True),
    Column("version", Integer, primary_key=True, autoincrement=False),
    Column("position", Integer, primary_key=True, autoincrement=False),
    Column("path", code_point_text(), nullable=False),
    Column("role", code_point_text(), nullable=False),
    Column("size", BigInteger, nullable=False),
    Column("content_digest", code_point_text(128), nullable=False),
    Column("stored_digest", code_point_text(128), nullable=False),
    Column("key_ref", code_point_text()),
    ForeignKeyConstraint(["poid", "version"], ["versions.poid", "versions.version"]),
    UniqueConstraint("poid", "version", "path"),
)

prefix_records = Table(
    "prefix_records",
    metadata,
    Column("poid", code_point_text(32), primary_key=True),
    Column("version", Integer, primary_key=True, autoincrement=False),
    Column("name", code_point_text(), primary_key=True),
    Column("ocfl_path", code_point_text(), nullable=False),
    Column("size", BigInteger, nullable=False),
    Column("record_digest", code_point_text(128), nullable=False),
    ForeignKeyConstraint(["poid", "version"], ["versions.poid", "versions.version"]),
)

tombstones = Table(
    "tombstones",
    metadata,
    Column("poid", code_point_text(32), primary_key=True),
    Column("storage_object", code_point_text(), nullable=False),
    Column("asked_at", UtcDateTime, nullable=False),
    Column("gen_time", UtcDateTime),
    Column("tsa", code_point_text()),
    Column("document_digest", code_point_text(128)),
    Column("files", json_value()),
    Column("reason", Text),
    Column("actor", code_point_text()),
    CheckConstraint("(gen_time IS NULL) = (document_digest IS NULL)", name="decided"),
)
Index(
    "ix_tombstones_under_way",
    tombstones.c.poid,
    sqlite_where=tombstones.c.gen_time.is_(None),
    postgresql_where=tombstones.c.gen_time.is_(None),
)

deletion_debts = Table(
    "deletion_debts",
    metadata,
    Column("poid", code_point_text(32), primary_key=True),
    Column("store", code_point_text(), primary_key=True),
    Column("since", UtcDateTime, nullable=False),
    Column("tries", Integer, nullable=False),
    Column("error", Text),
)

copy_debts = Table(
    "copy_debts",
    metadata,
    Column("store", code_point_text(), primary_key=True),
    Column("storage_object", code_point_text(), primary_key=True),
    Column("since", UtcDateTime, nullable=False),
    Column("tries", Integer, nullable=False),
    Column("error", Text),
    Column("noted", Integer, nullable=False, server_default="1"),
)

lock_debts = Table(
    "lock_debts",
    metadata,
    Column("store", code_point_text(), primary_key=True),
    Column("storage_object", code_point_text(), primary_key=True),
    Column("since", UtcDateTime, nullable=False),
    Column("noted", Integer, nullable=False, server_default="1"),
)

store_states = Table(
    "store_states",
    metadata,
    Column("store", code_point_text(), primary_key=True),
    Column("state", code_point_text(), nullable=False),
    Column("since", UtcDateTime, nullable=False),
)

claims = Table(
    "claims",
    metadata,
    Column("poid", code_point_text(32), primary_key=True),
    Column("version", Integer, primary_key=True, autoincrement=False),
    Column("originator", code_point_text()),
    Column("idempotency_key", Utf8Bytes),
    Column("request_digest", code_point_text(), nullable=False),
    Column("description", LargeBinary, nullable=False),
    Column("claimed_at", UtcDateTime, nullable=False),
    UniqueConstraint("originator", "idempotency_key"),
)
Index("ix_claims_claimed_at", claims.c.claimed_at)

claim_files = Table(
    "claim_files",
    metadata,
    Column("poid", code_point_text(32), primary_key=True),
    Column("version", Integer, primary_key=True, autoincrement=False),
    Column("path", code_point_text(), primary_key=True),
    Column("content", LargeBinary, nullable=False),
    ForeignKeyConstraint(["poid", "version"], ["claims.poid", "claims.version"], ondelete="CASCADE"),
)

later_examinations = Table(
    "later_examinations",
    metadata,
    Column("poid", code_point_text(32), primary_key=True),
    Column("tries", Integer, nullable=False),
    Column("next_try", UtcDateTime, nullable=False),
    Column("error", Text),
)

lines = Table(
    "lines",
    metadata,
    Column("batch", BigInteger, ForeignKey("batches.number"), primary_key=True, autoincrement=False),
    Column("line", code_point_text(), primary_key=True),
    Column("digest", code_point_text(), nullable=False),
    Column("tsa", code_point_text(), nullable=False),
    Column("trust_class", code_point_text(), nullable=False),
)

stamps = Table(
    "stamps",
    metadata,
    Column("batch", BigInteger, primary_key=True, autoincrement=False),
    Column("line", code_point_text(), primary_key=True),
    Column("chain", Integer, primary_key=True, autoincrement=False),
    Column("position", Integer, primary_key=True, autoincrement=False),
    Column("digest", code_point_text(), nullable=False),
    Column("gen_time", UtcDateTime, nullable=False),
    Column("storage_object", code_point_text(), nullable=False),
    Column("ocfl_path", code_point_text(), nullable=False),
    Column("token_digest", code_point_text(128), nullable=False),
    Column("covers_renewal", code_point_text()),
    Column("trusted_until", UtcDateTime),
    Column("facts", json_value()),
    ForeignKeyConstraint(["batch", "line"], ["lines.batch", "lines.line"]),
)
Index("ix_stamps_trusted_until", stamps.c.trusted_until)
Index("ix_stamps_storage_object_line", stamps.c.storage_object, stamps.c.line)

renewals = Table(
    "renewals",
    metadata,
    Column("number", BigInteger, primary_key=True, autoincrement=False),
    Column("storage_object", code_point_text(), nullable=False),
    Column("kind", code_point_text(), nullable=False),
    Column("line", code_point_text(), nullable=False),
    Column("digest", code_point_text(), nullable=False),
    Column("tsa", code_point_text(), nullable=False),
    Column("formed_at", UtcDateTime, nullable=False),
    Column("covers", BigInteger, nullable=False),
    Column("leaf_count", BigInteger, nullable=False),
    Column("document_digest", code_point_text(128), nullable=False),
    Column("files", json_value(), nullable=False),
    Column("gen_time", UtcDateTime),
    Column("token_digest", code_point_text(128)),
    Column("trusted_until", UtcDateTime),
    Column("abandoned", Text),
    CheckConstraint("(gen_time IS NULL) = (token_digest IS NULL)", name="stamped"),
)
Index(
    "ix_renewals_unfinished",
    renewals.c.number,
    sqlite_where=renewals.c.gen_time.is_(None) & renewals.c.abandoned.is_(None),
    postgresql_where=renewals.c.gen_time.is_(None) & renewals.c.abandoned.is_(None),
)

events = Table(
    "events",
    metadata,
    Column("arrival", counter(), primary_key=True, autoincrement=True),
    Column("event_id", code_point_text(32), nullable=False, unique=True),
    Column("recorded_at", UtcDateTime, nullable=False),
    Column("type", code_point_text(), nullable=False),
    Column("outcome", code_point_text(), nullable=False),
    Column("code", code_point_text(), nullable=False),
    Column("actor", code_point_text()),
    Column("poid", code_point_text(32)),
    Column("version", Integer),
    Column("subject", code_point_text()),
    Column("object_event", BigInteger),
    Column("commitment", code_point_text(128)),
    Column("line", LargeBinary),
    Column("seq", BigInteger, unique=True),
    Column("leaf_hash", LargeBinary),
    Column("detail", json_value()),
    Column("detail_nonce", code_point_text()),
    UniqueConstraint("poid", "object_event"),
    CheckConstraint("(poid IS NULL) = (object_event IS NULL)", name="numbered_per_object"),
    CheckConstraint("(seq IS NULL) = (leaf_hash IS NULL)", name="sequenced_with_leaf"),
)
Index(
    "ix_events_subject",
    events.c.subject,
    sqlite_where=events.c.subject.is_not(None),
    postgresql_where=events.c.subject.is_not(None),
)
Index(
    "ix_events_pending",
    events.c.arrival,
    sqlite_where=events.c.seq.is_(None),
    postgresql_where=events.c.seq.is_(None),
)
_OF_A_HOLD = events.c.type == "legal hold"
Index("ix_events_legal_holds", events.c.poid, events.c.arrival, sqlite_where=_OF_A_HOLD, postgresql_where=_OF_A_HOLD)

event_counters = Table(
    "event_counters",
    metadata,
    Column("poid", code_point_text(32), primary_key=True),
    Column("last", BigInteger, nullable=False),
)

segments = Table(
    "segments",
    metadata,
    Column("number", BigInteger, primary_key=True, autoincrement=False),
    Column("first", BigInteger, nullable=False, unique=True),
    Column("count", BigInteger, nullable=False),
    Column("size", BigInteger, nullable=False),
    Column("head", code_point_text(128), nullable=False),
    Column("frontier", json_value(), nullable=False),
    CheckConstraint("count >= 1", name="not_empty"),
)

leases = Table(
    "leases",
    metadata,
    Column("name", code_point_text(), primary_key=True),
    Column("holder", code_point_text(), nullable=False),
    Column("until", UtcDateTime, nullable=False),
)

keys = Table(
    "keys",
    metadata,
    Column("key_id", code_point_text(), primary_key=True),
    Column("key_hash", code_point_text(128), nullable=False, unique=True),
    Column("label", Text, nullable=False),
    Column("originator", code_point_text()),
    Column("role", code_point_text(), nullable=False),
    Column("created", UtcDateTime, nullable=False),
    Column("revoked_at", UtcDateTime),
    Column("last_used", UtcDateTime),
    Column("expires", UtcDateTime),
    Column("scopes", json_value()),
    Column("replaces", code_point_text()),
    Column("rate_per_minute", Integer),
)

jobs = Table(
    "jobs",
    metadata,
    Column("job_id", code_point_text(), primary_key=True),
    Column("kind", code_point_text(), nullable=False),
    Column("state", code_point_text(), nullable=False),
    Column("created", UtcDateTime, nullable=False),
    Column("progress_done", BigInteger, nullable=False),
    Column("progress_total", BigInteger),
    Column("result", json_value()),
    Column("error", Text),
    Column("originator", code_point_text()),
)
Index("ix_jobs_created", jobs.c.created)

meta = Table(
    "meta",
    metadata,
    Column("name", code_point_text(), primary_key=True),
    Column("value", Text, nullable=False),
)
