"""A client of the preservation protocol (ETSI TS 119 512, JSON) for tests: every answer is held against the schema.

The schema is our own transcription in `api/ts119512/interface.yaml`; that an answer fits it claims no conformity.
"""

from __future__ import annotations

import base64
import functools
from datetime import datetime
from typing import Any

from jsonschema import Draft202012Validator
from jsonschema.protocols import Validator
from werkzeug.test import TestResponse

from api.description import description
from api.ts119512.values import STATED, Major, Minor, Operation
from api.ts119512.views import BASE
from tests.integration.http_world import HttpWorld

ROOT = "urn:trusted-archive:test:description"
PROFILE = "urn:trusted-archive:profile-basic-1"
SUCCESS, PENDING = str(Major.SUCCESS), str(Major.PENDING)
REQUESTER, RESPONDER = str(Major.REQUESTER_ERROR), str(Major.RESPONDER_ERROR)


@functools.cache
def validator(name: str) -> Validator:
    """A schema of the description by its name."""
    whole = {**description(), "$ref": f"#/components/schemas/{name}"}
    return Draft202012Validator(whole)


def complaints(name: str, value: object) -> list[str]:
    """What a schema has against a value."""
    return [error.message for error in validator(name).iter_errors(value)]


def schema_of(operation: str, status: int) -> str:
    return f"Pres{operation}Response" if status == 200 else "PresRefusal"


def ask(world: HttpWorld, operation: str, body: Any, who: dict[str, str] | None = None, **headers: str) -> TestResponse:
    """Send a request and hold its answer against the schema and the list of what may be said."""
    given = {**(world.key("depositor") if who is None else who), **{k.replace("_", "-"): v for k, v in headers.items()}}
    answer = world.client.post(f"{BASE}/{operation}", json=body, headers=given)
    verify(operation, answer)
    return answer


def verify(operation: str, answer: TestResponse) -> None:
    """The answer is of the operation's form, and its minor code one that the operation states."""
    assert answer.mimetype == "application/json"
    assert complaints(schema_of(operation, answer.status_code), answer.json) == []
    minor = answer.json["result"].get("min")
    if minor is not None:
        assert Minor(minor) in STATED[Operation(operation)]
    if answer.json["result"]["maj"] in (REQUESTER, RESPONDER):
        assert minor is not None
    for event in answer.json.get("trace", {}).get("event", []):
        assert datetime.fromisoformat(event["time"]).tzinfo is not None


def result_of(answer: TestResponse) -> tuple[str, str | None]:
    """Major code and the last part of the minor one."""
    result = answer.json["result"]
    minor = result.get("min")
    return result["maj"], minor.rpartition("/")[2] if minor else None


def po(content: bytes, **said: Any) -> dict[str, Any]:
    """A PO with a media type, unless it says a format."""
    words = said if "formatId" in said else {"mimeType": "text/plain", **said}
    return {"binaryData": {"value": base64.b64encode(content).decode()}, **words}


def content_of(shown: dict[str, Any]) -> bytes:
    return base64.b64decode(shown["binaryData"]["value"], validate=True)


def preserved(world: HttpWorld, *pos: dict[str, Any], who: dict[str, str] | None = None) -> str:
    """The POID of what was just preserved."""
    answer = ask(world, "PreservePO", {"pro": PROFILE, "po": list(pos)}, who)
    assert result_of(answer) == (SUCCESS, None), answer.json
    return str(answer.json["poId"])
