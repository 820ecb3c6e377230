"""The door: who gets in, what the framework's own errors look like, what logs hold."""

from __future__ import annotations

import io
import json
import re
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest
from flask import Response
from werkzeug.test import create_environ, run_wsgi_app

from api.app import ROUTES, create_app, verify_guarded
from api.auth import Permission
from api.logs import start_logging
from api.refused import PER_MINUTE
from api.routing import Route
from api.wiring import build_archive
from api.wsgi import application
from archive_core.errors import StoreUnavailableError
from tests.integration.http_world import OPERATOR, HttpWorld, file, http_world
from tests.sampling import quick_first

PUBLIC = {"/v1/health", "/v1/ready", "/v1/openapi.json"}
SOME_POID = "0199b0c27d3e7000800000000000abcd"


@pytest.fixture
def world(tmp_path: Path) -> Iterator[HttpWorld]:
    with http_world(tmp_path) as made:
        yield made


def address_of(route: Route) -> str:
    return filled(
        route,
        {"poid": SOME_POID, "path": "a", "job_id": "0" * 32, "key_id": "key-0", "organisation": "1", "upload_id": "0"}
        | {"hold": "hold-" + "0" * 32},
    )


def filled(route: Route, parts: Mapping[str, str]) -> str:
    """The address of a route; a part that nobody gave raises `KeyError`."""
    return re.sub(r"<(?:\w+:)?(\w+)>", lambda found: parts[found[1]], route.rule)


@pytest.mark.parametrize("route", ROUTES, ids=lambda route: f"{route.method} {route.rule}")
def test_without_a_key_only_three_addresses_answer(world: HttpWorld, route: Route) -> None:
    """Everything else is 401 with WWW-Authenticate, in the form of every error."""
    answer = world.client.open(address_of(route), method=route.method)

    assert (route.permission is Permission.PUBLIC) == (route.rule in PUBLIC)
    if route.rule in PUBLIC:
        assert answer.status_code == 200
    else:
        assert answer.status_code == 401
        assert answer.mimetype == "application/problem+json"
        assert answer.headers["WWW-Authenticate"].startswith("Bearer")


@pytest.mark.parametrize("route", quick_first(ROUTES, 6), ids=lambda route: f"{route.method} {route.rule}")
@pytest.mark.parametrize("role", ["depositor", "auditor", "operator", "administrator"])
def test_each_role_passes_its_own_doors_only(world: HttpWorld, route: Route, role: str) -> None:
    """403 exactly where the table says so; anything else is the view's answer."""
    forbidden = {
        "depositor": {Permission.TRACE, Permission.VERIFY, Permission.OPERATE, Permission.ADMINISTER},
        "auditor": {Permission.DEPOSIT, Permission.OPERATE, Permission.ADMINISTER},
        "operator": set[Permission](),
        "administrator": set(Permission) - {Permission.ADMINISTER, Permission.DESCRIBE, Permission.PUBLIC},
    }
    answer = world.client.open(address_of(route), method=route.method, headers=world.key(role))

    assert (answer.status_code == 403) == (route.permission in forbidden[role])
    assert answer.status_code != 401


@pytest.mark.parametrize(
    "method", quick_first(["GET", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "BREW"], 2)
)
@pytest.mark.parametrize("address", ["/", "/v1", "/v1/nothing", "/static/x", "/v1/preservation-objects/", "/v1/keys/"])
def test_without_a_key_there_is_no_telling_what_exists(world: HttpWorld, method: str, address: str) -> None:
    """Unknown addresses are 401 like known ones."""
    assert world.client.open(address, method=method).status_code == 401


@pytest.mark.parametrize("method", ["PUT", "PATCH", "DELETE", "OPTIONS", "BREW"])
def test_a_method_that_is_not_taken_is_a_problem(world: HttpWorld, method: str) -> None:
    """405 with Allow, also for OPTIONS."""
    answer = world.client.open(f"/v1/preservation-objects/{SOME_POID}", method=method, headers=world.key("operator"))

    assert answer.status_code == 405
    assert answer.json["type"] == "urn:trusted-archive:problem:method-not-allowed"
    assert answer.headers["Allow"] == "GET, HEAD"


def test_an_address_with_nothing_is_a_problem(world: HttpWorld) -> None:
    """404 with its own type, in the asked-for language."""
    answer = world.get("/v1/nothing", Accept_Language="cs")

    assert answer.status_code == 404
    assert answer.json["type"] == "urn:trusted-archive:problem:no-such-address"
    assert answer.json["title"] == "Na této adrese nic není."


@pytest.mark.parametrize(
    "authorization",
    ["", "Bearer", "Bearer ", "Bearer wrong", "Basic dXNlcjpwYXNz", "Bearer " + "a" * 5000, "Bearer a b", "\xff"],
)
def test_a_wrong_key_is_no_key(world: HttpWorld, authorization: str) -> None:
    """Each is 401; none is 500."""
    assert world.get("/v1/profiles", {"Authorization": authorization}).status_code == 401


def test_a_revoked_key_is_no_key(world: HttpWorld) -> None:
    """From the moment of its revocation."""
    row, secret = world.archive.create_key(label="x", role="auditor", originator=None, actor=OPERATOR)
    key = {"Authorization": f"Bearer {secret}"}

    assert world.get("/v1/profiles", key).status_code == 200
    world.archive.revoke_key(row.key_id, actor=OPERATOR)
    assert world.get("/v1/profiles", key).status_code == 401


def test_a_key_in_constant_use_is_looked_up_now_and_then_and_another_process_revokes_it(
    world: HttpWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Between two looks it is remembered; the next look finds that it was revoked elsewhere."""
    row, secret = world.archive.create_key(label="x", role="auditor", originator=None, actor=OPERATOR)
    key = {"Authorization": f"Bearer {secret}"}
    looked: list[str] = []
    real = world.archive.catalogue.key_by_hash
    monkeypatch.setattr(world.archive.catalogue, "key_by_hash", lambda value: looked.append(value) or real(value))
    monkeypatch.setattr("archive_core.keys.REMEMBERED", 3600.0)
    assert [world.get("/v1/profiles", key).status_code for _ in range(5)] == [200] * 5
    assert len(looked) == 1

    other = build_archive(world.settings)
    try:
        other.revoke_key(row.key_id, actor=OPERATOR)
    finally:
        other.close()
    monkeypatch.setattr("archive_core.keys.REMEMBERED", 0.0)
    assert world.get("/v1/profiles", key).status_code == 401


class Untouchable:
    """A body that fails the test when it is looked at."""

    def read(self, size: int = -1) -> bytes:
        raise AssertionError("the body was read")

    readline = read


def test_the_body_is_not_read_before_the_key_was_found(world: HttpWorld) -> None:
    """A stranger's upload costs nothing: not one byte of it is taken."""
    for key, status in (({}, "401"), (world.key("auditor"), "403")):
        environ = create_environ("/v1/preservation-objects", method="POST", headers=key)
        environ |= {
            "CONTENT_TYPE": "multipart/form-data; boundary=a",
            "CONTENT_LENGTH": "1000",
            "wsgi.input": Untouchable(),
        }
        _, given, _ = run_wsgi_app(world.app, environ)

        assert given.startswith(status)


def test_a_route_that_nobody_guards_does_not_start(world: HttpWorld) -> None:
    """Neither one without a permission nor one added behind the table's back."""
    bare = Route("GET", "/v1/bare", lambda: Response(), None)  # type: ignore[arg-type]
    with pytest.raises(RuntimeError):
        create_app(world.archive, settings=world.settings, routes=(*ROUTES, bare))

    app = create_app(world.archive, settings=world.settings)
    app.add_url_rule("/v1/secret-door", "secret", lambda: Response())
    with pytest.raises(RuntimeError):
        verify_guarded(app, {})


def test_strangers_cannot_fill_the_trail(world: HttpWorld) -> None:
    """Many refusals of strangers are few events; a known key's are each one."""
    for _ in range(PER_MINUTE * 3):
        world.client.get("/v1/profiles")

    assert world.refusals() == [("stranger", "unauthenticated")] * PER_MINUTE
    for _ in range(3):
        world.get("/v1/status", world.key("auditor"))
    assert [code for _, code in world.refusals()].count("not-permitted") == 3


def test_what_is_out_of_reach_is_503(world: HttpWorld, monkeypatch: pytest.MonkeyPatch) -> None:
    """Readiness really asks the stores."""
    (world.home / "stores" / "two" / "0=ocfl_1.1").unlink()
    answer = world.get("/v1/ready", {})

    assert answer.status_code == 503
    assert answer.headers["Retry-After"] == "5"
    assert "two" not in answer.text
    assert str(world.home) not in answer.text
    assert world.get("/v1/health", {}).status_code == 200


def test_an_unexpected_error_is_a_problem_and_its_trace_is_only_logged(
    world: HttpWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The caller gets the request id, the operator the rest."""
    entries = io.StringIO()
    start_logging(entries)
    monkeypatch.setattr(type(world.archive), "profiles", lambda self: 1 / 0)
    answer = world.get("/v1/profiles")
    entry = json.loads(entries.getvalue().splitlines()[-1])

    assert answer.status_code == 500
    assert answer.json["type"] == "urn:trusted-archive:problem:internal"
    assert "ZeroDivision" not in answer.text
    assert "ZeroDivisionError" in entry["trace"]
    assert answer.json["instance"] == f"urn:uuid:{entry['request_id']}"
    assert answer.headers["X-Request-Id"] == entry["request_id"]


def test_logs_hold_no_secret_no_name_and_no_address(world: HttpWorld) -> None:
    """Neither keys nor file names nor queries nor clients' addresses are logged."""
    entries = io.StringIO()
    start_logging(entries)
    poid = world.post(file("smlouva-Novák.pdf", b"x"), Idempotency_Key="key-of-novak").json["poid"]
    world.get(f"/v1/preservation-objects/{poid}/files/smlouva-Novák.pdf?version=1")
    world.get("/v1/profiles", {"Authorization": "Bearer wrong-secret"})
    logged = entries.getvalue()

    assert len(logged.splitlines()) == 3
    assert all(json.loads(line)["request_id"] for line in logged.splitlines())
    for secret in ("Nov", "smlouva", "key-of-novak", "wrong-secret", "127.0.0.1", world.keys["depositor/obec-a"]):
        assert secret not in logged


def test_a_trail_that_cannot_be_written_does_not_change_the_answer(
    world: HttpWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A refusal stays the refusal it is; the loss of its event is logged."""
    entries = io.StringIO()
    start_logging(entries)

    def away(self: object, *args: object, **kwargs: object) -> None:
        raise StoreUnavailableError

    monkeypatch.setattr(type(world.archive), "record_refusal", away)

    assert world.get("/v1/status", world.key("auditor")).status_code == 403
    assert "refusal not recorded" in entries.getvalue()


def test_another_wsgi_server_gets_the_same_application(world: HttpWorld, monkeypatch: pytest.MonkeyPatch) -> None:
    """`api.wsgi:application()` serves the home that the environment names, and starts no scheduler."""
    monkeypatch.setenv("TRUSTED_ARCHIVE_HOME", str(world.home))
    app = application()
    try:
        status = app.test_client().get("/v1/status", headers=world.key("operator")).json
    finally:
        app.extensions["trusted_archive"].archive.close()

    assert status["scheduler"] is None
    assert status["name"] == "test"
