"""Canonical JSON: one way to write a value, one strict and bounded way to read it.

Rules kept here
 * Written form: UTF-8, keys sorted by code point, no spaces, letters as themselves, one line feed at
   the end. Numbers are integers below 2^63: a fraction has no single written form.
 * `write` and `read_canonical` are inverses: bytes that are not exactly what `write` gives for their
   own value are refused, so that a value and its bytes are interchangeable below a digest.
 * Reading decides about size before parsing, and about depth before building anything; it takes time
   and memory proportional to the (limited) size. Duplicate keys, NaN, infinities, lone surrogates
   and a byte order mark are refused.
 * Bad bytes raise `MalformedDocumentError`, never anything else.
"""

from __future__ import annotations

import json
import math
import re
from typing import Any, NoReturn

from archive_core.errors import MalformedDocumentError

JsonValue = None | bool | int | float | str | list[Any] | dict[str, Any]
"""What JSON can say."""

MAX_DEPTH = 32
"""Nested arrays and objects that `read` accepts."""

MAX_BYTES = 16 * 1024 * 1024
"""Bytes that `read` accepts unless told otherwise."""

MAX_INTEGER = 2**63 - 1

_STRING_OR_BRACKET = re.compile(rb'"(?:[^"\\]++|\\.)*+"?|[\[\]{}]', re.DOTALL)


_ENCODER = json.JSONEncoder(ensure_ascii=False, sort_keys=True, separators=(",", ":"), allow_nan=False)


def write(value: object) -> bytes:
    """The canonical bytes of a value; raises ValueError for what has no canonical form (floats,
    integers of 64 bits or more, lone surrogates, keys that are not text, foreign types)."""
    _check_writable(value)
    try:
        return _ENCODER.encode(value).encode("utf-8") + b"\n"
    except UnicodeEncodeError as error:
        raise ValueError("text with a lone surrogate has no canonical form") from error


def read(data: bytes, *, max_bytes: int = MAX_BYTES, max_depth: int = MAX_DEPTH, fractions: bool = False) -> Any:
    """The value that JSON bytes (UTF-8, no byte order mark) stand for.

    `fractions` admits numbers that are not integers; integers have at most 63 bits either way.
    Raises `MalformedDocumentError`.
    """
    if len(data) > max_bytes:
        raise MalformedDocumentError("the JSON document is larger than allowed", size=len(data), limit=max_bytes)
    if data.startswith(b"\xef\xbb\xbf"):
        raise MalformedDocumentError("the JSON document starts with a byte order mark")
    _check_depth(data, max_depth)
    try:
        value = json.loads(
            data.decode("utf-8"),
            object_pairs_hook=_no_duplicates,
            parse_constant=_refuse_constant,
            parse_int=_bounded_integer,
            parse_float=_finite if fractions else _refuse_fraction,
        )
    except (ValueError, RecursionError) as error:
        raise MalformedDocumentError(f"not a JSON document: {_short(error)}") from error
    _check_strings(value)
    return value


def read_canonical(data: bytes, *, max_bytes: int = MAX_BYTES, max_depth: int = MAX_DEPTH) -> Any:
    """As `read`, and the bytes must be exactly what `write` gives for the value."""
    value = read(data, max_bytes=max_bytes, max_depth=max_depth)
    if write(value) != data:
        raise MalformedDocumentError("the JSON document is not in canonical form")
    return value


def _check_depth(data: bytes, limit: int) -> None:
    depth = 0
    for match in _STRING_OR_BRACKET.finditer(data):
        first = data[match.start()]
        if first in b"[{":
            depth += 1
            if depth > limit:
                raise MalformedDocumentError("the JSON document is nested too deeply", limit=limit)
        elif first in b"]}":
            depth -= 1


def _no_duplicates(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    value = dict(pairs)
    if len(value) != len(pairs):
        raise ValueError("a key occurs twice in one object")
    return value


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not a JSON number")


def _refuse_fraction(text: str) -> NoReturn:
    raise ValueError(f"{text[:40]} is not an integer")


def _bounded_integer(text: str) -> int:
    if len(text) > 20 or abs(int(text)) > MAX_INTEGER:
        raise ValueError(f"{text[:40]} is out of range")
    return int(text)


def _finite(text: str) -> float:
    number = float(text)
    if not math.isfinite(number):
        raise ValueError(f"{text[:40]} is out of range")
    return number


def _check_strings(value: Any) -> None:
    """No string of a parsed value holds a lone surrogate."""
    pending = [value]
    try:
        for item in pending:  # which grows on the way
            if isinstance(item, str):
                if not item.isascii():
                    item.encode("utf-8")
            elif isinstance(item, dict):
                pending.extend(item)
                pending.extend(item.values())
            elif isinstance(item, list):
                pending.extend(item)
    except UnicodeEncodeError as error:
        raise MalformedDocumentError("a JSON string holds a lone surrogate") from error


def _check_writable(value: object) -> None:
    """Only what JSON can say and what has one spelling. Strings are judged when they are encoded."""
    pending = [value]
    for item in pending:  # which grows on the way
        if isinstance(item, dict):
            for key, below in item.items():
                if type(key) is not str and not isinstance(key, str):
                    raise ValueError("only text can be a key")
                if type(below) not in _PLAIN:
                    pending.append(below)
        elif isinstance(item, list | tuple):
            pending.extend(below for below in item if type(below) not in _PLAIN)
        elif item is None or isinstance(item, str | bool):
            continue
        elif not isinstance(item, int):
            raise ValueError(f"{type(item).__name__} has no canonical form")
        elif abs(item) > MAX_INTEGER:
            raise ValueError("an integer of more than 63 bits has no canonical form")


_PLAIN = frozenset({str, bool, type(None)})
"""What needs no second look: nearly everything."""


def _short(error: Exception) -> str:
    return str(error)[:200]
