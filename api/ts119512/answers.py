"""The answers of TS 119 512 5.3 in their JSON form.

Rules kept here
 * Every answer has a result; `reqId` comes back as it came.
 * What is not there is left out: no member is null.
 * Instants are RFC 3339 text in UTC, as in the published schema of V1.1.2.
"""

from __future__ import annotations

import base64
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from api.ts119512.requests import SubmittedObject
from api.ts119512.values import Major, Minor
from archive_core.findings import Report, utc_text


@dataclass(frozen=True, slots=True)
class Result:
    """How it went (`Result`); `message` is for people, in the language `language`."""

    major: Major
    minor: Minor | None = None
    message: str | None = None
    language: str = "en"

    def to_json(self) -> dict[str, Any]:
        return _present(
            maj=str(self.major),
            min=str(self.minor) if self.minor else None,
            msg={"value": self.message, "lang": self.language} if self.message else None,
        )


SUCCESS = Result(Major.SUCCESS)


def answer(result: Result, request_id: str | None, **members: Any) -> dict[str, Any]:
    """A response; `members` that are None or empty are left out."""
    return _present(result=result.to_json(), reqId=request_id, **members)


def po_json(one: SubmittedObject, *, prefix: str = "") -> dict[str, Any]:
    """A PO (5.4.5). `prefix` makes ids of several versions different within one answer."""
    return _present(
        binaryData={"value": base64.b64encode(one.content).decode("ascii")},
        formatId=one.format_id,
        mimeType=one.mime_type,
        pronomId=one.pronom_id,
        id=f"{prefix}{one.id}" if one.id is not None else None,
        relObj=[f"{prefix}{other}" for other in one.related],
    )


def evidence_json(one: SubmittedObject, *, poid: str, version: int, prefix: str = "") -> dict[str, Any]:
    """Evidence (5.4.4): a PO that says what it is evidence of."""
    return {**po_json(one, prefix=prefix), "poId": poid, "verId": version_id(version)}


def version_id(version: int) -> str:
    """A version as V1.2.1 5.3.6.2 recommends to name it."""
    return f"v{version}"


def trace_json(events: Iterable[Mapping[str, Any]]) -> dict[str, Any]:
    """A trace (5.4.10) of the events of an object as the archive tells them."""
    return {"event": [_event_json(event) for event in events]}


def _event_json(event: Mapping[str, Any]) -> dict[str, Any]:
    about = f"{event['poid']} {version_id(event['version'])}" if event["poid"] and event["version"] else None
    return _present(
        time=event["time"],
        sub=event["actor"] or "archive",
        op=event["type"],
        obj=about or event["poid"] or event["subject"],
        det=f"{event['outcome']}: {event['code']}",
    )


def proof_json(report: Report) -> str | None:
    """Since when something is proven to exist (`poe`)."""
    return utc_text(report.proof_of_existence) if report.proof_of_existence else None


def place_json(place: str | None) -> dict[str, Any] | None:
    """Where a search goes on, as an optional output."""
    if place is None:
        return None
    encoded = base64.b64encode(place.encode("ascii")).decode("ascii")
    return {"other": [{"ID": "next", "val": encoded, "mimeType": "text/plain"}]}


def _present(**members: Any) -> dict[str, Any]:
    return {name: value for name, value in members.items() if value is not None and value != []}
