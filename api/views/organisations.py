"""Organisations over HTTP: which there are, how much they may have, whether anything more is taken in for them."""

from __future__ import annotations

from flask import Response, request

from api.auth import Permission
from api.fields import Fields
from api.routing import Route, actor, archive
from api.wire import json_object, json_response, parameters
from archive_core.organisations import Limits

_LIMITS = {"quota_objects": "objects", "quota_bytes": "bytes", "rate_per_minute": "rate_per_minute"}


def list_organisations() -> Response:
    parameters(request)
    found = archive().organisations.list(actor=actor())
    return json_response({"organisations": [view.to_json() for view in found]})


def show_organisation(organisation: str) -> Response:
    parameters(request)
    return json_response(archive().organisations.get(organisation, actor=actor()).to_json())


def add_organisation() -> Response:
    parameters(request)
    given = Fields(json_object(request), "id", "name", "foreign", *_LIMITS)
    view = archive().organisations.add(
        given.need("id", str),
        name=given.need("name", str),
        limits=Limits(**_limits(given)),
        foreign=given.take("foreign", bool) or False,
        actor=actor(),
    )
    return json_response(view.to_json(), 201, Location=f"/v1/organisations/{view.row.originator}")


def change_organisation(organisation: str) -> Response:
    parameters(request)
    given = Fields(json_object(request), "name", "active", *_LIMITS)
    view = archive().organisations.change(
        organisation,
        name=given.take("name", str),
        active=given.take("active", bool),
        limits=_limits(given),
        actor=actor(),
    )
    return json_response(view.to_json())


def _limits(given: Fields) -> dict[str, int | None]:
    """The limits that the body names; null takes one away."""
    return {name: given.take(field, int) for field, name in _LIMITS.items() if given.given(field)}


ROUTES = (
    Route("GET", "/v1/organisations", list_organisations, Permission.ADMINISTER),
    Route("POST", "/v1/organisations", add_organisation, Permission.ADMINISTER),
    Route("GET", "/v1/organisations/<organisation>", show_organisation, Permission.ADMINISTER),
    Route("PATCH", "/v1/organisations/<organisation>", change_organisation, Permission.ADMINISTER),
)
