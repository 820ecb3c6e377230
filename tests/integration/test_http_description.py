"""The OpenAPI description: valid, complete in both directions, and true (schemathesis)."""

from __future__ import annotations

import os
import random
import re
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis.strategies import SearchStrategy
from openapi_spec_validator import OpenAPIV31SpecValidator
from schemathesis import Case, GenerationMode
from schemathesis.checks import not_a_server_error
from schemathesis.schemas import BaseSchema
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    negative_data_rejection,
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from api.app import ROUTES
from api.auth import Permission
from api.description import description
from tests.integration.http_world import HttpWorld, Part, file, http_world
from tests.vectors import in_ci

SEED = int(os.environ.get("TRUSTED_ARCHIVE_SEED") or (1 if in_ci() else random.randrange(2**32)))
EXAMPLES = 30 if in_ci() else 10
CHECKS = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
    negative_data_rejection,
]


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[HttpWorld]:
    with http_world(tmp_path_factory.mktemp("description")) as made:
        yield made


@pytest.fixture(scope="module")
def poid(world: HttpWorld) -> str:
    """An evidenced object, of a profile that asks what is signed in it."""
    profile = Part("profile", b"signed-recorded-1")
    made = world.post(file("a/b.txt", b"0123456789"), Part("metadata", b'{"a": 1}'), profile)
    world.preserve()
    return str(made.json["poid"])


@pytest.fixture(scope="module")
def schema(world: HttpWorld) -> BaseSchema:
    return schemathesis.openapi.from_wsgi("/v1/openapi.json", world.app)


METHODS = ("get", "put", "post", "delete", "options", "head", "patch", "trace")
PATHS = description()["paths"]
OPERATIONS = [(path, method) for path, item in PATHS.items() for method in item if method in METHODS]
each_operation = pytest.mark.parametrize(("path", "method"), OPERATIONS, ids=lambda text: text)
PUBLIC = [path for path, method in OPERATIONS if PATHS[path][method].get("security") == []]
POSITIVE, NEGATIVE = GenerationMode.POSITIVE, GenerationMode.NEGATIVE


UPLOAD_REFUSALS = {412, 413, 423, 460}
"""Statuses by which tus refuses what is wrong; schemathesis does not know them for refusals."""

schemathesis.serializer.alias("application/offset+octet-stream", "application/octet-stream")


def case(operation: tuple[str, str], mode: GenerationMode) -> Any:
    """Requests for an operation; of those of TS 119 512, which one reader reads, the quick suite tries one."""
    path, _ = operation
    marks = [pytest.mark.slow] if path.startswith("/v1/ts119512/") and not path.endswith("/RetrievePO") else []
    return pytest.param(*operation, mode, marks=marks)


def explore(
    cases: SearchStrategy[Case],
    look: Callable[[Case], None],
    examples: int = EXAMPLES,
    *,
    phases: Sequence[Phase] = tuple(Phase),
) -> None:
    """Call `look` with generated cases; the seed is printed with a failure."""
    print(f"TRUSTED_ARCHIVE_SEED={SEED}")

    @seed(SEED)
    @settings(
        max_examples=examples, deadline=None, suppress_health_check=list(HealthCheck), database=None, phases=phases
    )
    @given(cases)
    def run(case: Case) -> None:
        look(case)

    run()


def cases_of(schema: BaseSchema, path: str, method: str, mode: GenerationMode) -> SearchStrategy[Case]:
    """Requests that follow the description, or that break it somewhere."""
    return schema[path][method].as_strategy(generation_mode=mode)


def test_the_description_is_openapi_3_1() -> None:
    """The standard's own schema accepts it."""
    assert description()["openapi"].startswith("3.1.")
    assert [error.message for error in OpenAPIV31SpecValidator(description()).iter_errors()] == []


def test_what_is_served_is_the_description(world: HttpWorld) -> None:
    """/v1/openapi.json is openapi.yaml, for everybody."""
    assert world.client.get("/v1/openapi.json").json == description()


def test_routes_and_description_agree_in_both_directions(world: HttpWorld) -> None:
    """Nothing is served that is not described, and nothing described that is not served."""
    served = {
        (
            method,
            re.sub(r"<(?:path:)?(\w+)>", r"{\1}", rule.rule).replace("{job_id}", "{id}").replace("{upload_id}", "{id}"),
        )
        for rule in world.app.url_map.iter_rules()
        for method in (rule.methods or set()) - ({"HEAD"} if "GET" in (rule.methods or set()) else set())
    }
    told = {(method.upper(), path) for path, method in OPERATIONS}

    assert served == told
    assert len(told) == len(ROUTES)


def test_the_description_says_truly_who_needs_a_key() -> None:
    """Public in the table is public in the description, and only that."""
    assert description()["security"] == [{"key": []}, {"certificate": []}]
    schemes = description()["components"]["securitySchemes"]
    assert {name: scheme["type"] for name, scheme in schemes.items()} == {"key": "http", "certificate": "mutualTLS"}
    assert {route.rule for route in ROUTES if route.permission is Permission.PUBLIC} == set(PUBLIC)


def test_every_operation_tells_its_refusals() -> None:
    """Every guarded operation documents 400, 401 and 403, as problem documents."""
    for path, item in description()["paths"].items():
        for method, operation in item.items():
            if method in METHODS and operation.get("security") != []:
                assert {"400", "401", "403", "429", "503"} <= set(operation["responses"]), (method, path)


@pytest.mark.parametrize(
    ("path", "method", "mode"),
    [case(operation, POSITIVE) for operation in OPERATIONS]
    + [case(operation, NEGATIVE) for operation in OPERATIONS if operation[0] not in PUBLIC],  # they take nothing
    ids=str,
)
def test_every_answer_is_as_described(
    world: HttpWorld, schema: BaseSchema, path: str, method: str, mode: GenerationMode
) -> None:
    """Generated requests, good and bad, get answers that the description knows, and never a 5xx."""

    def look(case: Case) -> None:
        answer = case.call(headers=world.key("operator", None))
        refused = "/uploads" in path and answer.status_code in UPLOAD_REFUSALS
        case.validate_response(
            answer, checks=[one for one in CHECKS if one is not negative_data_rejection or not refused]
        )

    alike = "/ts119512/" in path  # one reader for all of them
    explore(cases_of(schema, path, method, mode), look, examples=min(EXAMPLES, 12) if alike else EXAMPLES)


@pytest.mark.parametrize(
    ("path", "method"),
    [o for o in OPERATIONS if "{poid}" in o[0] and not o[0].endswith(("/quarantine", "/sealed-copies", "/lifting"))],
    ids=str,
)
def test_answers_about_a_real_object_are_as_described(
    world: HttpWorld, schema: BaseSchema, poid: str, path: str, method: str
) -> None:
    """The same for an object that is there, so that good answers are looked at too."""
    statuses: set[int] = set()

    def look(case: Case) -> None:
        case.path_parameters = {**case.path_parameters, "poid": poid}
        if "path" in case.path_parameters:
            case.path_parameters["path"] = "a/b.txt"
        case.query = {name: value for name, value in case.query.items() if name not in ("version", "line", "path")}
        if method == "get" and not path.endswith(("/trace", "/holds")):
            case.query["version"] = 1  # generated updates add others
        answer = case.call(headers=world.key("operator", None))
        case.validate_response(answer, checks=CHECKS)
        statuses.add(answer.status_code)

    explore(cases_of(schema, path, method, POSITIVE), look)
    if method == "post":  # few generated uploads are good ones: here is one that surely is
        good = world.post(file("a/b.txt", b"other"), address=path.format(poid=poid), who=world.key("operator", None))
        schema[path][method].validate_response(good)
        statuses.add(good.status_code)

    assert {200, 201} & statuses


@each_operation
def test_without_a_key_every_answer_is_401(world: HttpWorld, schema: BaseSchema, path: str, method: str) -> None:
    """Whatever is sent, before anything else is looked at; the three public addresses aside."""

    def look(case: Case) -> None:
        answer = case.call(headers={"Authorization": "Bearer wrong"})

        assert (answer.status_code == 401) == (path not in PUBLIC)

    explore(cases_of(schema, path, method, POSITIVE if path in PUBLIC else NEGATIVE), look, examples=5)
