"""The description holds for every role (schemathesis), and whoever looks would be told where it did not."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from dataclasses import replace

import pytest
import schemathesis
from flask import Response
from hypothesis import Phase, strategies
from schemathesis import Case
from schemathesis.core.failures import Failure, FailureGroup
from schemathesis.schemas import BaseSchema
from schemathesis.specs.openapi.checks import negative_data_rejection

from api.app import ROUTES, create_app
from api.wire import json_response
from policies.access import Permission, allowed
from tests.integration.http_world import HttpWorld
from tests.integration.test_http_description import (
    CHECKS,
    NEGATIVE,
    OPERATIONS,
    POSITIVE,
    PUBLIC,
    UPLOAD_REFUSALS,
    cases_of,
    explore,
    poid,
    schema,
    world,
)
from tests.sampling import quick_first

__all__ = ["poid", "schema", "world"]

EXAMPLES = 3
SOAK_EXAMPLES = int(os.environ.get("TRUSTED_ARCHIVE_EXAMPLES", "300"))
WHO = {"depositor": "obec-a", "auditor": "obec-a", "administrator": "obec-a", "operator": None}
PERMISSIONS = {
    (route.rule.replace("<path:", "<").replace("<", "{").replace(">", "}"), route.method.lower()): route.permission
    for route in ROUTES
}


def permission_of(path: str, method: str) -> Permission:
    """What the table of addresses asks for at an operation of the description."""
    for renamed in ("{id}", "{job_id}", "{upload_id}"):
        found = PERMISSIONS.get((path.replace("{id}", renamed), method))
        if found is not None:
            return found
    raise AssertionError(f"{method} {path} is nobody's route")


def look_as_everybody(world: HttpWorld, poid: str, path: str, method: str) -> Callable[[Case], None]:
    """Sends a case with a key of every role and without one: each answer is as described, and gives nothing to those
    whom the table denies."""
    needed = permission_of(path, method)
    denied: set[str] = set()

    def look(case: Case) -> None:
        if "poid" in case.path_parameters and case.meta is not None and case.meta.generation.mode is POSITIVE:
            case.path_parameters = {**case.path_parameters, "poid": poid}
        for role, organisation in WHO.items():
            may = needed is Permission.PUBLIC or allowed(role, None, needed)
            answer = case.call(headers=world.key(role, organisation))
            assert may or answer.status_code >= 400, f"{role} was given something"
            if answer.status_code == 403 and role in denied:
                continue  # it is looked at once
            refused = "/uploads" in path and answer.status_code in UPLOAD_REFUSALS
            case.validate_response(
                answer, checks=[one for one in CHECKS if one is not negative_data_rejection or not refused]
            )
            if answer.status_code == 403:
                denied.add(role)
        answer = case.call(headers={})
        if "nobody" not in denied:
            case.validate_response(answer, checks=CHECKS)
            denied.add("nobody")
        assert (answer.status_code == 401) == (path not in PUBLIC)

    return look


ALL = tuple(Phase)
AT_ONCE = (Phase.generate,)
"""What fails is told as it was found, not made smaller first."""


def explored(
    world: HttpWorld,
    schema: BaseSchema,
    poid: str,
    path: str,
    method: str,
    examples: int,
    phases: Sequence[Phase] = ALL,
) -> None:
    cases = cases_of(schema, path, method, POSITIVE)
    if path not in PUBLIC:  # they take nothing
        cases = strategies.one_of(cases, cases_of(schema, path, method, NEGATIVE))
    explore(cases, look_as_everybody(world, poid, path, method), examples, phases=phases)


@pytest.mark.parametrize("operation", quick_first(OPERATIONS, 3), ids=" ".join)
def test_the_description_holds_for_every_role(
    world: HttpWorld, schema: BaseSchema, poid: str, operation: tuple[str, str]
) -> None:
    """Whoever asks, and whatever: no 5xx, no status and no form that is not described, and nothing for those who may
    not."""
    explored(world, schema, poid, *operation, EXAMPLES)


@pytest.mark.soak
@pytest.mark.parametrize(("path", "method"), OPERATIONS, ids=lambda text: text)
def test_the_description_holds_for_every_role_however_long_one_looks(
    world: HttpWorld, schema: BaseSchema, poid: str, path: str, method: str
) -> None:
    """The same, with hundreds of requests for each operation."""
    explored(world, schema, poid, path, method, SOAK_EXAMPLES)


# -- whether anybody would notice ---------------------------------------------------------------

GOOD_PAGE = {"objects": [], "next": None}


def fails() -> Response:
    raise RuntimeError("broken")


def other_type() -> Response:
    return Response("fine", mimetype="text/plain")


BROKEN: dict[str, tuple[Callable[[], Response], str]] = {
    "an error that nobody expected": (fails, "ServerError"),
    "a status that is not described": (lambda: json_response(GOOD_PAGE, 202), "UndefinedStatusCode"),
    "a member of another type": (lambda: json_response({"objects": 5, "next": None}), "JsonSchemaError"),
    "a member that is missing": (lambda: json_response({"objects": []}), "JsonSchemaError"),
    "a member that is not described": (lambda: json_response({**GOOD_PAGE, "x": 1}), "JsonSchemaError"),
    "another media type": (other_type, "UndefinedContentType"),
    "nonsense that is taken": (lambda: json_response(GOOD_PAGE), "AcceptedNegativeData"),
}


@pytest.mark.parametrize("case", quick_first(BROKEN, 2))
def test_a_broken_operation_is_found(world: HttpWorld, case: str) -> None:
    """One operation answers wrongly, in one of many ways: exploring it says which."""
    view, failure = BROKEN[case]
    path = "/v1/preservation-objects"
    routes = tuple(replace(one, view=view) if (one.rule, one.method) == (path, "GET") else one for one in ROUTES)
    app = create_app(world.archive, settings=world.settings, routes=routes)
    broken = schemathesis.openapi.from_wsgi("/v1/openapi.json", app)
    mode = NEGATIVE if case == "nonsense that is taken" else POSITIVE

    def look(one: Case) -> None:
        one.validate_response(one.call(headers=world.key("operator", None)), checks=CHECKS)

    with pytest.raises((Failure, FailureGroup)) as found:
        explore(cases_of(broken, path, "get", mode), look, 5, phases=AT_ONCE)
    names = {type(one).__name__ for one in getattr(found.value, "exceptions", (found.value,))}
    assert failure in names


def test_a_header_that_is_missing_is_found(world: HttpWorld) -> None:
    """An upload that is begun and does not say where."""
    path = "/v1/uploads"
    headers = {"Tus-Resumable": "1.0.0", "Upload-Offset": "0", "Upload-Expires": "x"}
    begun = next(one for one in ROUTES if (one.rule, one.method) == (path, "POST"))
    silent = replace(begun, view=lambda: Response(status=201, headers=headers))
    routes = tuple(silent if one is begun else one for one in ROUTES)
    app = create_app(world.archive, settings=world.settings, routes=routes)
    broken = schemathesis.openapi.from_wsgi("/v1/openapi.json", app)

    def look(one: Case) -> None:
        one.validate_response(one.call(headers=world.key("operator", None)), checks=CHECKS)

    with pytest.raises((Failure, FailureGroup), match="Location"):
        explore(cases_of(broken, path, "post", POSITIVE), look, 2, phases=AT_ONCE)


def test_a_role_that_is_given_too_much_is_found(
    world: HttpWorld, schema: BaseSchema, poid: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where the door stands open, it is said who came through."""
    monkeypatch.setattr("api.app.require", lambda who, needed: None)
    with pytest.raises(AssertionError, match="was given something"):
        explored(world, schema, poid, "/v1/keys", "get", 2, AT_ONCE)
