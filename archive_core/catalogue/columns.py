"""Column types that mean the same on SQLite and on PostgreSQL.

Rules kept here
 * An instant is stored in UTC with microseconds and comes back aware; a naive one is refused.
 * Identifiers compare by code point on both databases, whatever the server's locale.
 * Text chosen by a client (an idempotency key) is stored as its UTF-8 bytes: PostgreSQL has no
   text with U+0000, and two keys are equal only if their bytes are.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from sqlalchemy import JSON, BigInteger, DateTime, Dialect, Integer, LargeBinary, String, Text
from sqlalchemy.dialects import postgresql
from sqlalchemy.types import TypeDecorator, TypeEngine


class UtcDateTime(TypeDecorator[datetime]):
    """An aware instant: `timestamptz` on PostgreSQL, sortable UTC text on SQLite."""

    impl = DateTime
    cache_ok = True

    def load_dialect_impl(self, dialect: Dialect) -> TypeEngine[Any]:
        return dialect.type_descriptor(DateTime(timezone=dialect.name == "postgresql"))

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        if value is None:
            return None
        if value.tzinfo is None:
            raise ValueError(f"an instant without a time zone: {value!r}")
        if value.tzinfo is not UTC:
            value = value.astimezone(UTC)
        return value if dialect.name == "postgresql" else value.replace(tzinfo=None)

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        if value is None:
            return None
        return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)


class Utf8Bytes(TypeDecorator[str]):
    """Client-chosen text, stored as UTF-8."""

    impl = LargeBinary
    cache_ok = True

    def process_bind_param(self, value: str | None, dialect: Dialect) -> bytes | None:
        return None if value is None else value.encode("utf-8")

    def process_result_value(self, value: bytes | None, dialect: Dialect) -> str | None:
        return None if value is None else bytes(value).decode("utf-8")


def code_point_text(length: int | None = None) -> TypeEngine[str]:
    """Text whose order is that of its code points."""
    here: TypeEngine[str] = String(length) if length else Text()
    there: TypeEngine[str] = postgresql.VARCHAR(length, collation="C") if length else postgresql.TEXT(collation="C")
    return here.with_variant(there, "postgresql")


def counter() -> TypeEngine[int]:
    """A 64-bit integer that SQLite can also count up by itself."""
    return BigInteger().with_variant(Integer(), "sqlite")


def json_value() -> TypeEngine[Any]:
    """A JSON value; None is SQL's NULL."""
    return JSON(none_as_null=True)
