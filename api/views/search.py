"""Searching: which versions hold these words, came in this time, or are these bytes."""

from __future__ import annotations

import re

from flask import Response, request

from api.auth import Permission
from api.fields import instant_of
from api.routing import Route, actor, archive
from api.wire import json_response, number, parameters
from archive_core.catalogue.searching import Wanted
from archive_core.errors import UsageError
from archive_core.identifiers import is_poid
from archive_core.searching import Found

MAX_PAGE, DEFAULT_PAGE, MAX_TEXT = 1000, 100, 1000
STATES = {"replicated": False, "evidenced": True}

_SHA512 = re.compile(r"[0-9a-f]{128}", re.ASCII)
_CURSOR = re.compile(r"([0-9a-f]{32})\.([1-9][0-9]{0,8})", re.ASCII)


PARAMETERS = ("text", "organisation", "status", "received_from", "received_until", "sha512", "cursor", "limit")


def search() -> Response:
    found = find(parameters(request, *PARAMETERS))
    return json_response(
        {
            "objects": [archive().view(row).to_json() for row in found.rows],
            "next": next_of(found),
            "complete": found.complete,
        }
    )


def find(given: dict[str, str]) -> Found:
    """What the parameters ask for, as the actor may see it; raises `UsageError`."""
    limit = number(given.get("limit"), "limit") or DEFAULT_PAGE
    if limit > MAX_PAGE:
        raise UsageError(f"limit is at most {MAX_PAGE}")
    text = given.get("text")
    if text is not None and len(text) > MAX_TEXT:
        raise UsageError(f"the text has more than {MAX_TEXT} characters")
    return archive().searching.search(
        text, wanted_of(given), actor=actor(), before=cursor_of(given.get("cursor")), limit=limit
    )


def next_of(found: Found) -> str | None:
    """What to go on before, as `cursor` takes it."""
    return f"{found.next[0]}.{found.next[1]}" if found.next else None


def wanted_of(given: dict[str, str]) -> Wanted:
    """What the parameters ask for; raises `UsageError`."""
    status, sha512 = given.get("status"), given.get("sha512")
    if status is not None and status not in STATES:
        raise UsageError(f"status is one of {', '.join(STATES)}")
    if sha512 is not None and not _SHA512.fullmatch(sha512):
        raise UsageError("sha512 is 128 small hexadecimal digits")
    return Wanted(
        originator=given.get("organisation"),
        evidenced=None if status is None else STATES[status],
        received_from=instant_of(given["received_from"], "received_from") if "received_from" in given else None,
        received_until=instant_of(given["received_until"], "received_until") if "received_until" in given else None,
        sha512=sha512,
    )


def cursor_of(text: str | None) -> tuple[str, int] | None:
    """A place to go on before; raises `UsageError`."""
    if text is None:
        return None
    found = _CURSOR.fullmatch(text)
    if found is None or not is_poid(found[1]):
        raise UsageError("cursor is the `next` of an earlier page")
    return found[1], int(found[2])


ROUTES = (Route("GET", "/v1/search", search, Permission.SEARCH),)
