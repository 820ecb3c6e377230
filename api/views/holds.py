"""Legal holds: what an object is under, placing one and lifting it.

Rules kept here
 * Whoever may see an object is told that it is held, under which name and since when; by whom and why only whoever may
   read its trace.
 * A hold is lifted by its id. That is a request with a body, since the reason belongs in no address, and the hold's
   events stay: nothing is deleted.
"""

from __future__ import annotations

import re

from flask import Response, request

from api.auth import Permission
from api.fields import Fields
from api.routing import Route, actor, archive
from api.wire import json_object, json_response, parameters, poid_of
from archive_core.errors import NotUnderLegalHoldError
from archive_core.legal_holds import hold_json
from policies.access import allowed

_HOLD = re.compile(r"hold-[0-9a-f]{32}", re.ASCII)


def list_holds(poid: str) -> Response:
    parameters(request)
    who = actor()
    whole = allowed(who.role, who.scopes, Permission.TRACE)
    found = archive().legal_holds([poid_of(poid)], actor=who)
    return json_response({"holds": [hold_json(one, whole=whole) for one in found]})


def place_hold(poid: str) -> Response:
    """201 for a hold that was placed, 200 for one that stood already."""
    parameters(request)
    given = Fields(json_object(request), "name", "reason")
    view = archive().place_hold(
        [poid_of(poid)], name=given.take("name", str), reason=given.need("reason", str), actor=actor()
    )
    return json_response(view.to_json(), 200 if view.replayed else 201)


def lift_hold(poid: str, hold: str) -> Response:
    parameters(request)
    given = Fields(json_object(request), "reason")
    poid, reason, who = poid_of(poid), given.need("reason", str), actor()
    if not _HOLD.fullmatch(hold):
        archive().legal_holds([poid], actor=who)  # another organisation's object is none
        raise NotUnderLegalHoldError(poid=poid)
    return json_response(archive().lift_hold([poid], name=hold, reason=reason, actor=who).to_json())


_OBJECT = "/v1/preservation-objects/<poid>"

ROUTES = (
    Route("GET", f"{_OBJECT}/holds", list_holds, Permission.READ),
    Route("POST", f"{_OBJECT}/holds", place_hold, Permission.OPERATE),
    Route("POST", f"{_OBJECT}/holds/<hold>/lifting", lift_hold, Permission.OPERATE),
)
