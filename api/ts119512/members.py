"""A JSON object taken apart member by member, every one of a known type and bound.

Rules kept here
 * What was not asked for at the end is refused by its name.
 * Base64 is the alphabet of RFC 4648 4 with its padding and nothing else; its length is judged before it is decoded.
"""

from __future__ import annotations

import base64
import binascii
from typing import Any, Self

from api.refusals import UnknownFieldError
from archive_core.errors import SizeLimitError, UsageError

MAX_TEXT = 1024
"""Characters of an identifier, a name, a media type."""
MAX_PAYLOAD = 16 * 1024 * 1024
"""Bytes of all objects of one request, or of one answer, before base64. What is larger goes over the native interface,
which streams."""


class Budget:
    """How many bytes the objects of a request may still have."""

    def __init__(self, most: int = MAX_PAYLOAD) -> None:
        self._most = most
        self._left = most

    def decode(self, text: str, what: str) -> bytes:
        """The bytes behind base64; raises `UsageError`, and `SizeLimitError` before anything too large is decoded."""
        if len(text) % 4:
            raise UsageError(f"{what} is not base64: its length is no multiple of four")
        size = len(text) // 4 * 3 - text[-2:].count("=")
        self._left -= size
        if self._left < 0:
            raise SizeLimitError(f"the objects have more than {self._most} bytes together", limit=self._most)
        try:
            return base64.b64decode(text, validate=True)
        except (binascii.Error, ValueError):
            raise UsageError(f"{what} is not base64") from None


class Members:
    """The members of one object while it is being read; `place` says where it stands."""

    def __init__(self, value: object, place: str) -> None:
        if not isinstance(value, dict):
            raise UsageError(f"{place} is not a JSON object")
        self._values: dict[str, Any] = dict(value)
        self._known: list[str] = []
        self.place = place

    def has(self, name: str) -> bool:
        return name in self._values

    def text(self, name: str, *, most: int = MAX_TEXT) -> str | None:
        """A text of 1 to `most` printable characters, or None when it is not there."""
        value = self._take(name)
        if value is None:
            return None
        return self._text(value, name, most)

    def required(self, name: str, *, most: int = MAX_TEXT) -> str:
        value = self.text(name, most=most)
        if value is None:
            raise UsageError(f"{self.place} lacks {name}")
        return value

    def base64(self, name: str, budget: Budget) -> bytes:
        value = self._take(name)
        if not isinstance(value, str):
            raise UsageError(f"{self.place}: {name} is base64 text")
        return budget.decode(value, f"{self.place}: {name}")

    def texts(self, name: str, *, most: int) -> tuple[str, ...]:
        """Different texts, at most so many; none when the member is not there."""
        found = tuple(self._text(value, name, MAX_TEXT) for value in self._list(name, most))
        if len(set(found)) != len(found):
            raise UsageError(f"{self.place}: {name} says something twice")
        return found

    def several(self, name: str, *, most: int) -> list[Self]:
        return [type(self)(value, f"{name}[{number}]") for number, value in enumerate(self._list(name, most))]

    def inner(self, name: str) -> Self | None:
        value = self._take(name)
        return None if value is None else type(self)(value, name)

    def finish(self) -> None:
        """Raises `UnknownFieldError` for what nobody asked for."""
        if self._values:
            name = min(self._values)
            raise UnknownFieldError(f"{self.place}: unknown member {name[:40]!a}", known=sorted(self._known))

    def _take(self, name: str) -> Any:
        self._known.append(name)
        if name in self._values and self._values[name] is None:
            raise UsageError(f"{self.place}: {name} is null; leave it out instead")
        return self._values.pop(name, None)

    def _list(self, name: str, most: int) -> list[Any]:
        value = self._take(name)
        if value is None:
            return []
        if not isinstance(value, list):
            raise UsageError(f"{self.place}: {name} is a list")
        if len(value) > most:
            raise UsageError(f"{self.place}: {name} has {len(value)} members; at most {most} are taken", limit=most)
        return value

    def _text(self, value: object, name: str, most: int) -> str:
        if not isinstance(value, str) or not 0 < len(value) <= most or not value.isprintable():
            raise UsageError(f"{self.place}: {name} is text of 1 to {most} printable characters")
        return value
