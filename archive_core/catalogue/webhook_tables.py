"""Tables of what others are told.

The rules of `tables.py` hold here.
"""

from __future__ import annotations

from sqlalchemy import Boolean, Column, Integer, Table, Text

from archive_core.catalogue.columns import UtcDateTime, code_point_text
from archive_core.catalogue.tables import metadata

receivers = Table(
    "receivers",
    metadata,
    Column("name", code_point_text(), primary_key=True),
    Column("cursor", code_point_text(), nullable=False),
    Column("sending", code_point_text()),
    Column("tries", Integer, nullable=False),
    Column("since", UtcDateTime),
    Column("not_before", UtcDateTime),
    Column("error", Text),
    Column("delivered", UtcDateTime),
    Column("stopped", Boolean, nullable=False),
)
