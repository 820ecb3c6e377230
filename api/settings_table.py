"""Reading a table of the settings, and the addresses of secrets that stand in it.

Rules kept here
 * A table must be used up: what nobody asked for is unknown and refused by name.
 * A wrong type is refused with the place and what was expected.
 * A secret never stands in the settings, only its address (`env:NAME`, `file:PATH`, `credential:NAME`), and what is
   no address is refused without being shown: it may be the secret.
"""

from __future__ import annotations

import math
import os
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from archive_core.errors import SettingsError

SETTINGS_FILE = "trusted-archive.toml"

ADDRESSES = ("env:", "file:", "credential:")
"""How addresses of secrets begin."""
CREDENTIALS_DIRECTORY = "CREDENTIALS_DIRECTORY"
"""Where systemd tells a service the folder with its credentials."""

_CREDENTIAL = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._-]{0,127}", re.ASCII)

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Secret:
    """The address of a secret; the secret itself is fetched when used and never printed."""

    address: str

    def reveal(self, home: Path) -> str:
        """The secret's text; raises `SettingsError` naming the address when it cannot be had."""
        scheme, _, rest = self.address.partition(":")
        if scheme == "env":
            value = os.environ.get(rest)
            if value is None:
                raise SettingsError(f"the environment variable {rest} is not set")
            return value
        if scheme == "file":
            return self._read(home / rest)
        if scheme == "credential":
            folder = os.environ.get(CREDENTIALS_DIRECTORY)
            if not _CREDENTIAL.fullmatch(rest):
                raise SettingsError("a credential's name is letters, digits and `-_.`")
            if folder is None:
                raise SettingsError(f"nobody gives the credential {rest}: {CREDENTIALS_DIRECTORY} is not set")
            return self._read(Path(folder) / rest)
        raise SettingsError("a secret is written env:NAME, file:PATH or credential:NAME")

    def _read(self, path: Path) -> str:
        try:
            return path.read_text("utf-8").rstrip("\n")
        except (OSError, UnicodeDecodeError) as error:
            why = error.strerror if isinstance(error, OSError) else "it is not UTF-8"
            raise SettingsError(f"cannot read the secret at {self.address}: {why}") from None

    def __repr__(self) -> str:
        return f"Secret({self.address.partition(':')[0]}:…)"


class Table:
    """A TOML table that must be used up: what nobody asked for is unknown and refused."""

    def __init__(self, values: Mapping[str, Any], where: str) -> None:
        self._values = dict(values)
        self._where = where

    def take(self, key: str, kind: type[T], default: T | None = None) -> T:
        if key not in self._values:
            if default is None:
                raise SettingsError(f"{self._where}: `{key}` is missing")
            return default
        value = self._values.pop(key)
        if kind is float and isinstance(value, int) and not isinstance(value, bool):
            value = float(value) if abs(value) < 2**53 else math.inf
        if kind is float and isinstance(value, float) and not math.isfinite(value):
            raise SettingsError(f"{self._where}: `{key}` must be a number of ordinary size")
        if not isinstance(value, kind) or (isinstance(value, bool) and kind is not bool):
            raise SettingsError(f"{self._where}: `{key}` must be a {kind.__name__}, not {type(value).__name__}")
        return value

    def has(self, key: str) -> bool:
        """Whether somebody wrote it."""
        return key in self._values

    def texts(self, key: str) -> tuple[str, ...]:
        """A list of words; none where the key is absent."""
        return tuple(str(word) for word in self.take(key, list, []))

    def take_tables(self, key: str, build: Callable[[Table], T]) -> tuple[T, ...]:
        return tuple(
            build(self._below(key, _mapping(item, self._where), f"[[{key}]] number {number}"))
            for number, item in enumerate(self.take(key, list, []), 1)
        )

    def take_table(self, key: str, build: Callable[[Table], T]) -> T:
        return build(self._below(key, self.take(key, dict, {}), f"[{key}]"))

    def _below(self, key: str, values: Mapping[str, Any], place: str) -> Table:
        """The table under a key."""
        return Table(values, f"{self._where} {place}")

    def done(self) -> None:
        if self._values:
            raise SettingsError(f"{self._where}: unknown key `{sorted(self._values)[0]}`")


def _mapping(value: object, where: str) -> Mapping[str, Any]:
    if not isinstance(value, dict):
        raise SettingsError(f"{where}: a table is needed")
    return value
