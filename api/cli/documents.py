"""The one JSON document of a command, as text.

Rules kept here
 * A document is indented for whoever reads it; a long list has one member a line, which is found with `grep` and is
   written some ten times as fast.
 * What stands in a document as `Written` is JSON already: of very many members only their text is kept.
"""

from __future__ import annotations

import json
from collections.abc import Iterator

LONG = 50
"""Members from which on a list is long."""

_LINE = json.JSONEncoder(ensure_ascii=False, default=str)
_INDENTED = json.JSONEncoder(ensure_ascii=False, default=str, indent=2)


class Written(str):
    """The JSON text of a value, on one line."""

    __slots__ = ()

    @classmethod
    def of(cls, value: object) -> Written:
        return cls(_LINE.encode(value))


def pieces(document: object) -> Iterator[str]:
    """The text of a document, without an end of line; long lists are looked for in its members."""
    if not isinstance(document, dict) or not any(_is_long(value) for value in document.values()):
        yield _indented(document, "")
        return
    start = "{"
    for key, value in document.items():
        yield f"{start}\n  {_LINE.encode(str(key))}: "
        start = ","
        if _is_long(value):
            yield from _lines(value)
        else:
            yield _indented(value, "  ")
    yield "\n}"


def _is_long(value: object) -> bool:
    return isinstance(value, list) and (len(value) >= LONG or any(isinstance(member, Written) for member in value))


def _lines(members: list[object]) -> Iterator[str]:
    start = "["
    for member in members:
        yield f"{start}\n    {member if isinstance(member, Written) else _LINE.encode(member)}"
        start = ","
    yield "\n  ]"


def _indented(value: object, margin: str) -> str:
    return _INDENTED.encode(value).replace("\n", f"\n{margin}")
