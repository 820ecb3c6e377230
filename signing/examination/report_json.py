"""An examination as one JSON document, and back.

Rules kept here
 * The document shows every field of the values, and what follows from them (`signature_intact`, `verdict`, …),
   so that nobody has to know how to conclude. Reading takes the fields and concludes anew.
 * Reading is strict: a child process that was taken over can answer with nothing but such values.
"""

from __future__ import annotations

import dataclasses
import enum
import types
import typing
from datetime import UTC, datetime
from functools import cache
from typing import Any

from archive_core.findings import utc_text
from signing.examination.values import (
    EvidenceExamination,
    Examination,
    QualifiedStatus,
    SignatureExamination,
    TimestampExamination,
)

FORMAT = "trusted-archive/examination/1"

_CONCLUDED: dict[type, tuple[str, ...]] = {
    Examination: ("verdict",),
    SignatureExamination: ("signature_intact", "references_found", "references_intact"),
    TimestampExamination: ("references_found", "references_intact"),
    EvidenceExamination: ("references_found", "references_intact"),
    QualifiedStatus: ("is_qualified",),
}
_LONGEST = 4_000
"""Characters of one text in a report."""
_MOST = 100_000


def to_json(examination: Examination) -> dict[str, Any]:
    """The document of `trusted-archive examine --json`."""
    encoded: dict[str, Any] = _encoded(examination)
    return {"report": FORMAT, **encoded}


def _encoded(value: object) -> Any:
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        found = {field.name: _encoded(getattr(value, field.name)) for field in dataclasses.fields(value)}
        concluded = {name: _encoded(getattr(value, name)) for name in _CONCLUDED.get(type(value), ())}
        return found | concluded
    if isinstance(value, datetime):
        return utc_text(value)
    if isinstance(value, enum.Enum):
        return value.value
    if isinstance(value, tuple):
        return [_encoded(one) for one in value]
    if isinstance(value, str) and len(value) > _LONGEST:
        return f"{value[: _LONGEST - 1]}…"  # names in foreign certificates may be of any length
    return value


def from_json(document: object) -> Examination:
    """Raises ValueError for anything that is not such a document."""
    found = _decoded(Examination, document)
    assert isinstance(found, Examination)
    return found


def _decoded(kind: Any, value: object) -> object:
    origin = typing.get_origin(kind)
    if origin in (typing.Union, types.UnionType):
        (inner,) = (one for one in typing.get_args(kind) if one is not type(None))
        return None if value is None else _decoded(inner, value)
    if origin is tuple:
        inner = typing.get_args(kind)[0]
        if not isinstance(value, list) or len(value) > _MOST:
            raise ValueError("not a list")
        return tuple(_decoded(inner, one) for one in value)
    if dataclasses.is_dataclass(kind) and isinstance(kind, type):
        return _decoded_dataclass(kind, value)
    return _decoded_plain(kind, value)


def _decoded_dataclass(kind: type, value: object) -> object:
    if not isinstance(value, dict):
        raise ValueError(f"not a {kind.__name__}")
    hints = _hints(kind)
    missing = [name for name in hints if name not in value]
    if missing:
        raise ValueError(f"{kind.__name__} without {missing[0]}")
    return kind(**{name: _decoded(hint, value[name]) for name, hint in hints.items()})


@cache
def _hints(kind: type) -> dict[str, Any]:
    hints = typing.get_type_hints(kind)
    return {field.name: hints[field.name] for field in dataclasses.fields(kind)}


def _decoded_plain(kind: Any, value: object) -> object:
    if kind is datetime and isinstance(value, str):
        found = datetime.fromisoformat(value)
        if found.tzinfo is None:
            raise ValueError("a time without its zone")
        return found.astimezone(UTC)
    if isinstance(kind, type) and issubclass(kind, enum.Enum):
        return kind(value)
    if kind in (str, int, bool) and type(value) is kind:
        if isinstance(value, str) and len(value) > _LONGEST:
            raise ValueError("a text that is too long")
        return value
    raise ValueError(f"{type(value).__name__} where {kind} is needed")
