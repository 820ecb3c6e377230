"""API keys over HTTP: made, replaced, revoked, listed. A secret is in one answer and never again."""

from __future__ import annotations

from datetime import timedelta

from flask import Response, request

from api.auth import Permission
from api.fields import Fields
from api.keys_json import key_json
from api.routing import Route, actor, archive
from api.wire import json_object, json_response, parameters
from archive_core.keys import MAX_OVERLAP, OVERLAP
from policies.access import SCOPES


def list_keys() -> Response:
    parameters(request)
    here = archive()
    return json_response({"keys": [key_json(row, good=here.is_good_key(row)) for row in here.keys(actor=actor())]})


def show_key(key_id: str) -> Response:
    parameters(request)
    return _shown(key_id)


def create_key() -> Response:
    parameters(request)
    given = Fields(json_object(request), "label", "role", "organisation", "expires", "scopes", "rate_per_minute")
    row, secret = archive().create_key(
        label=given.need("label", str),
        role=given.need("role", str),
        originator=given.take("organisation", str) if given.given("organisation") else actor().originator,
        expires=given.instant("expires"),
        scopes=given.texts("scopes", most=len(SCOPES)),
        rate_per_minute=given.take("rate_per_minute", int),
        actor=actor(),
    )
    return json_response({**key_json(row, good=True), "secret": secret}, 201, Location=f"/v1/keys/{row.key_id}")


def rotate_key(key_id: str) -> Response:
    parameters(request)
    given = Fields(json_object(request), "overlap_days")
    days = given.take("overlap_days", int) if given.given("overlap_days") else None
    overlap = OVERLAP if days is None else timedelta(days=min(max(days, -1), MAX_OVERLAP.days + 1))
    old, row, secret = archive().rotate_key(key_id, overlap=overlap, actor=actor())
    told = {**key_json(row, good=True), "secret": secret, "replaced": key_json(old, good=archive().is_good_key(old))}
    return json_response(told, 201, Location=f"/v1/keys/{row.key_id}")


def revoke_key(key_id: str) -> Response:
    parameters(request)
    archive().revoke_key(key_id, actor=actor())
    return _shown(key_id)


def _shown(key_id: str) -> Response:
    row = archive().key(key_id, actor=actor())
    return json_response(key_json(row, good=archive().is_good_key(row)))


ROUTES = (
    Route("GET", "/v1/keys", list_keys, Permission.ADMINISTER),
    Route("POST", "/v1/keys", create_key, Permission.ADMINISTER),
    Route("GET", "/v1/keys/<key_id>", show_key, Permission.ADMINISTER),
    Route("DELETE", "/v1/keys/<key_id>", revoke_key, Permission.ADMINISTER),
    Route("POST", "/v1/keys/<key_id>/replacements", rotate_key, Permission.ADMINISTER),
)
