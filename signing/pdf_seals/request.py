"""What the process that prepares a PDF is asked, as one JSON document without any secret."""

from __future__ import annotations

import base64
import json
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from archive_core.findings import utc_text

MAX_ADDED = 64 * 1024 * 1024
"""Bytes that an update may add: validation data, and room for CMS."""


@dataclass(frozen=True, slots=True)
class Step:
    """One update of the document at `source`: a signature dictionary with `reserve` bytes of room for its CMS, or (with
    `is_time_stamp`) validation data and a document time-stamp. `lines` are shown on the first page; without any it
    is invisible."""

    source: str
    reserve: int
    at: datetime
    field: str
    is_time_stamp: bool = False
    name: str = ""
    reason: str = ""
    lines: tuple[str, ...] = ()
    certificates: tuple[bytes, ...] = ()
    crls: tuple[bytes, ...] = ()
    ocsps: tuple[bytes, ...] = ()

    def to_bytes(self) -> bytes:
        return json.dumps(
            {
                "source": self.source,
                "reserve": self.reserve,
                "at": utc_text(self.at),
                "field": self.field,
                "is_time_stamp": self.is_time_stamp,
                "name": self.name,
                "reason": self.reason,
                "lines": list(self.lines),
                "certificates": _texts(self.certificates),
                "crls": _texts(self.crls),
                "ocsps": _texts(self.ocsps),
            }
        ).encode("utf-8", "surrogateescape")

    @classmethod
    def from_bytes(cls, octets: bytes) -> Step:
        found: dict[str, Any] = json.loads(octets)
        return cls(
            source=found["source"],
            reserve=found["reserve"],
            at=datetime.fromisoformat(found["at"]).astimezone(UTC),
            field=found["field"],
            is_time_stamp=found["is_time_stamp"],
            name=found["name"],
            reason=found["reason"],
            lines=tuple(found["lines"]),
            certificates=_ders(found["certificates"]),
            crls=_ders(found["crls"]),
            ocsps=_ders(found["ocsps"]),
        )


def _texts(ders: tuple[bytes, ...]) -> list[str]:
    return [base64.b64encode(der).decode("ascii") for der in ders]


def _ders(texts: list[str]) -> tuple[bytes, ...]:
    return tuple(base64.b64decode(text) for text in texts)
