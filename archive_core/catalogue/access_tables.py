"""Tables of access: organisations, what they use of their quotas, and how often they ask.

The rules of `tables.py` hold here.
"""

from __future__ import annotations

from sqlalchemy import BigInteger, Boolean, CheckConstraint, Column, ForeignKey, Index, Integer, Table, Text

from archive_core.catalogue.columns import UtcDateTime, code_point_text
from archive_core.catalogue.tables import metadata

organisations = Table(
    "organisations",
    metadata,
    Column("originator", code_point_text(), primary_key=True),
    Column("name", Text, nullable=False),
    Column("active", Boolean, nullable=False),
    Column("since", UtcDateTime, nullable=False),
    Column("quota_objects", BigInteger),
    Column("quota_bytes", BigInteger),
    Column("rate_per_minute", Integer),
    CheckConstraint("quota_objects >= 0 AND quota_bytes >= 0 AND rate_per_minute >= 1", name="limits"),
)

usage = Table(
    "usage",
    metadata,
    Column("originator", code_point_text(), ForeignKey("organisations.originator"), primary_key=True),
    Column("objects", BigInteger, nullable=False),
    Column("bytes", BigInteger, nullable=False),
)

reservations = Table(
    "reservations",
    metadata,
    Column("token", code_point_text(), primary_key=True),
    Column("originator", code_point_text(), nullable=False),
    Column("objects", BigInteger, nullable=False),
    Column("bytes", BigInteger, nullable=False),
    Column("until", UtcDateTime, nullable=False),
)
Index("ix_reservations_originator", reservations.c.originator)

rates = Table(
    "rates",
    metadata,
    Column("subject", code_point_text(), primary_key=True),
    Column("arrival", BigInteger, nullable=False),
)
