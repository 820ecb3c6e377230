"""What a JSON request body says, member by member, each of the type that is asked for.

Rules kept here
 * A member that nobody asked for is refused by its name.
 * A member that is absent and one that is null are told apart where that matters (`given`).
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, TypeVar

from api.refusals import UnknownFieldError
from archive_core.errors import UsageError

T = TypeVar("T")

MAX_TEXT = 1000

_INSTANT = re.compile(
    r"\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}(?:\.\d{1,6})?(?:Z|[+-]\d{2}:\d{2})", re.ASCII | re.IGNORECASE
)
_SHA512 = re.compile(r"[0-9a-f]{128}", re.ASCII)


class Fields:
    """The members of one JSON object."""

    def __init__(self, value: Mapping[str, Any], *known: str) -> None:
        """Raises `UnknownFieldError` for a member that is not among the known ones."""
        unknown = value.keys() - set(known)
        if unknown:
            raise UnknownFieldError(f"unknown field {min(unknown)[:40]!a}", known=sorted(known))
        self._value = value

    def given(self, name: str) -> bool:
        return name in self._value

    def need(self, name: str, kind: type[T]) -> T:
        """A member that must be there."""
        if self._value.get(name) is None:
            raise UsageError(f"the field {name} is missing")
        found = self.take(name, kind)
        assert found is not None
        return found

    def take(self, name: str, kind: type[T]) -> T | None:
        """A member, or None for none."""
        value = self._value.get(name)
        if value is None:
            return None
        if not isinstance(value, kind) or (isinstance(value, bool) and kind is not bool):
            raise UsageError(f"the field {name} is not of the type {_NAMES.get(kind, kind.__name__)}")
        if isinstance(value, str) and len(value) > MAX_TEXT:
            raise UsageError(f"the field {name} has more than {MAX_TEXT} characters")
        return value

    def instant(self, name: str) -> datetime | None:
        """An instant (RFC 3339), in UTC."""
        text = self.take(name, str)
        return None if text is None else instant_of(text, name)

    def sha512(self, name: str) -> str | None:
        """A SHA-512 in small hexadecimal digits."""
        text = self.take(name, str)
        if text is not None and not _SHA512.fullmatch(text):
            raise UsageError(f"{name} is 128 small hexadecimal digits")
        return text

    def texts(self, name: str, *, most: int) -> list[str] | None:
        """A list of texts."""
        value = self.take(name, list)
        if value is None:
            return None
        if len(value) > most or not all(isinstance(one, str) and len(one) <= MAX_TEXT for one in value):
            raise UsageError(f"the field {name} is a list of at most {most} texts")
        return value


_NAMES: Mapping[type, str] = {str: "string", int: "integer", bool: "boolean", list: "array", dict: "object"}


def instant_of(text: str, what: str) -> datetime:
    """An instant (RFC 3339) in UTC; raises `UsageError`."""
    try:
        if not _INSTANT.fullmatch(text):
            raise ValueError(text)
        return datetime.fromisoformat(text.upper()).astimezone(UTC)
    except (ValueError, OverflowError):
        raise UsageError(f"{what} is an instant such as 2026-11-23T18:00:00Z") from None
