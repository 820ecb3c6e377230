"""Reading TOML of a fixed shape: every key is known, every value has its type and range.

Rules kept here
 * An unknown key is refused by its full name, so that a misspelt promise is never silently absent.
 * `true` is not a number and an empty text is not a text.
 * A refusal names file, key and what was expected there.
"""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from datetime import UTC, date, datetime
from typing import Any

from policies.errors import PolicyError

MAX_BYTES = 256 * 1024
"""Bytes of a policy that are read: reading TOML can take time that grows with the square of its length."""


class Section:
    """One TOML table while it is being read: what was not asked for at the end is unknown."""

    def __init__(self, values: object, place: str) -> None:
        if not isinstance(values, dict):
            raise PolicyError(f"{place} must be a table.")
        self._values: dict[str, Any] = dict(values)
        self.place = place

    def finish(self) -> None:
        """Refuse the keys that nobody asked for."""
        if self._values:
            names = ", ".join(f"'{name}'" for name in sorted(self._values))
            raise PolicyError(f"{self.place} has keys that mean nothing here: {names}.")

    def text(self, key: str) -> str:
        value = self._required(key)
        if not isinstance(value, str) or not value.strip():
            raise self._wrong(key, "a text that is not empty")
        return value

    def optional_text(self, key: str) -> str:
        return self.text(key) if key in self._values else ""

    def texts(self, key: str) -> tuple[str, ...]:
        """A list of different texts with at least one member."""
        value = self._required(key)
        if not isinstance(value, list) or not value or not all(isinstance(v, str) and v.strip() for v in value):
            raise self._wrong(key, "a list of texts with at least one member")
        if len(set(value)) != len(value):
            raise self._wrong(key, "a list without repetitions")
        return tuple(value)

    def choice(self, key: str, choices: Mapping[str, str] | tuple[str, ...]) -> str:
        value = self.text(key)
        if value not in choices:
            raise self._wrong(key, f"one of {', '.join(sorted(choices))}")
        return value

    def choices(self, key: str, choices: tuple[str, ...]) -> tuple[str, ...]:
        """A list of some of the choices."""
        found = self.texts(key)
        if not set(found) <= set(choices):
            raise self._wrong(key, f"a list of some of {', '.join(sorted(choices))}")
        return found

    def number(self, key: str, *, least: int = 1, most: int = 2**63 - 1) -> int:
        value = self._required(key)
        if type(value) is not int or not least <= value <= most:
            raise self._wrong(key, f"a whole number from {least} to {most}")
        return value

    def optional_number(self, key: str, *, least: int = 1) -> int | None:
        return self.number(key, least=least) if key in self._values else None

    def flag(self, key: str) -> bool:
        value = self._required(key)
        if not isinstance(value, bool):
            raise self._wrong(key, "true or false")
        return value

    def optional_flag(self, key: str) -> bool:
        return self.flag(key) if key in self._values else False

    def day(self, key: str) -> datetime:
        """A local date, read as that day's beginning in UTC."""
        value = self._required(key)
        if not isinstance(value, date) or isinstance(value, datetime):
            raise self._wrong(key, "a date such as 2026-06-30")
        return datetime(value.year, value.month, value.day, tzinfo=UTC)

    def optional_day(self, key: str) -> datetime | None:
        return self.day(key) if key in self._values else None

    def section(self, key: str) -> Section:
        return Section(self._required(key), f"{self.place}, [{key}]")

    def optional_section(self, key: str) -> Section | None:
        return self.section(key) if key in self._values else None

    def sections(self, key: str) -> list[Section]:
        value = self._required(key)
        if not isinstance(value, list) or not value:
            raise self._wrong(key, "a list of tables with at least one member")
        return [Section(one, f"{self.place}, [[{key}]] number {n}") for n, one in enumerate(value, 1)]

    def _required(self, key: str) -> Any:
        try:
            return self._values.pop(key)
        except KeyError:
            raise PolicyError(f"{self.place} lacks '{key}'.") from None

    def _wrong(self, key: str, expected: str) -> PolicyError:
        return PolicyError(f"{self.place}: '{key}' must be {expected}.")


def read_toml(source: bytes, place: str) -> Section:
    """The top level of a TOML file; raises PolicyError when it is none."""
    if len(source) > MAX_BYTES:
        raise PolicyError(f"{place} has more than {MAX_BYTES} bytes.")
    try:
        return Section(tomllib.loads(source.decode("utf-8")), place)
    except (ValueError, RecursionError) as error:  # not UTF-8, not TOML, a number too long, too deep
        raise PolicyError(f"{place} is not TOML in UTF-8: {error}") from error


def aware(at: datetime) -> datetime:
    """The instant itself; misuse (an instant without a time zone) is a TypeError."""
    if at.tzinfo is None:
        raise TypeError("an instant needs a time zone")
    return at
