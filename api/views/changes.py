"""What has changed since a cursor."""

from __future__ import annotations

from flask import Response, request

from api.auth import Permission
from api.routing import Route, actor, archive
from api.wire import json_response, number, parameters
from archive_core.changes import KINDS, Cursor
from archive_core.errors import UsageError

MAX_PAGE, DEFAULT_PAGE = 1000, 100


def list_changes() -> Response:
    given = parameters(request, "since", "limit", "change")
    limit = number(given.get("limit"), "limit") or DEFAULT_PAGE
    if limit > MAX_PAGE:
        raise UsageError(f"limit is at most {MAX_PAGE}")
    kind = given.get("change")
    if kind is not None and kind not in KINDS:
        raise UsageError(f"change is one of {', '.join(KINDS)}")
    since = given.get("since")
    page = archive().changes.since(
        Cursor(0) if since is None else Cursor.parse(since),
        limit=limit,
        originator=actor().originator,
        kinds=KINDS if kind is None else (kind,),
    )
    return json_response(page.to_json())


ROUTES = (Route("GET", "/v1/changes", list_changes, Permission.SEARCH),)
