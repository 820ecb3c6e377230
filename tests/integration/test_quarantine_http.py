"""Quarantine over HTTP and on the command line: what depositors and operators see, and who decides."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from api.cli import main
from tests.integration.http_world import HttpWorld, Part, file, http_world
from tests.integration.test_examined_deposits import StandIn

SET_ASIDE = Part("profile", b"signed-quarantined-1")


@pytest.fixture
def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[HttpWorld]:
    monkeypatch.setattr("api.wiring.build_examiner", lambda *_: StandIn())
    with http_world(tmp_path) as made:
        yield made


def test_a_depositor_sees_what_became_of_a_deposit(world: HttpWorld) -> None:
    """In the answer, in the list, by its report; and gets the document only when it was released."""
    told = world.post(file("a.p7s", b"broken"), SET_ASIDE)
    poid, who = told.json["poid"], world.key("depositor")
    address = f"/v1/preservation-objects/{poid}"

    assert (told.status_code, told.json["status"]) == (201, "quarantined")
    (listed,) = world.client.get("/v1/preservation-objects", headers=who).json["objects"]
    assert (listed["status"], listed["examined"]) == ("quarantined", {"outcome": "quarantine", "later": False})
    assert [one["poid"] for one in world.client.get("/v1/quarantine", headers=who).json["versions"]] == [poid]
    report = world.client.get(f"{address}/examination", headers=who).json
    assert (report["held"], report["because"]) == (True, ["a.p7s"])
    whole = world.client.get(f"{address}/examination?path=a.p7s&form=xml", headers=who)
    assert (whole.status_code, whole.mimetype, whole.data) == (200, "application/xml", b"<r>1</r>")
    refused = world.client.get(f"{address}/files/a.p7s", headers=who)
    assert (refused.status_code, refused.json["type"]) == (409, "urn:trusted-archive:problem:in-quarantine")
    body = {"decision": "release", "reason": "seen"}
    assert world.client.post(f"{address}/quarantine", headers=who, json=body).status_code == 403
    released = world.client.post(f"{address}/quarantine", headers=world.key("operator", None), json=body)
    assert (released.status_code, released.json["status"]) == (200, "replicated")
    assert world.client.get(f"{address}/files/a.p7s", headers=who).data == b"broken"
    assert world.client.get("/v1/quarantine", headers=who).json == {"versions": []}


def test_what_is_refused_says_which_document_and_why(world: HttpWorld) -> None:
    """422 with the facts for machines; nothing is there afterwards."""
    told = world.post(file("good.p7s", b"good"), file("x/bad.p7s", b"broken"), Part("profile", b"signed-required-1"))

    assert (told.status_code, told.json["type"]) == (422, "urn:trusted-archive:problem:signatures-not-accepted")
    assert [one["path"] for one in told.json["facts"]["documents"]] == ["x/bad.p7s"]
    assert world.client.get("/v1/preservation-objects", headers=world.key("depositor")).json["objects"] == []


@pytest.mark.parametrize(
    ("body", "status"),
    [
        ({"decision": "release"}, 400),
        ({"decision": "forget", "reason": "x"}, 400),
        ({"decision": "release", "reason": " "}, 400),
        ({"decision": "release", "reason": "x", "version": 0}, 400),
        ({"decision": "release", "reason": "x", "version": 7}, 404),
        ({"decision": "release", "reason": "x", "other": 1}, 400),
        ({"decision": "reject", "reason": "x"}, 404),
    ],
)
def test_a_decision_that_is_none_decides_nothing(world: HttpWorld, body: dict[str, object], status: int) -> None:
    """Nor does one about what is not evidenced yet (404 evidence-pending) destroy anything."""
    poid = world.post(file("a", b"broken"), SET_ASIDE).json["poid"]
    address = f"/v1/preservation-objects/{poid}"
    who = world.key("operator", None)

    assert world.client.post(f"{address}/quarantine", headers=who, json=body).status_code == status
    assert world.client.get(address, headers=who).json["status"] == "quarantined"


def test_what_nobody_examined_has_no_report(world: HttpWorld) -> None:
    """404 for a profile that asks nothing, and for a document that nobody looked into; 400 for XML of nothing."""
    plain = world.post(file("a", b"broken")).json["poid"]
    asked = world.post(file("a", b"words"), SET_ASIDE).json["poid"]
    who = world.key("depositor")

    for poid, query in ((plain, ""), (asked, "?path=a"), (asked, "?path=b")):
        answer = world.client.get(f"/v1/preservation-objects/{poid}/examination{query}", headers=who)
        assert answer.status_code == 404, query
    address = f"/v1/preservation-objects/{asked}/examination"
    assert [world.client.get(f"{address}{query}", headers=who).status_code for query in ("?form=xml", "?form=pdf")] == [
        400,
        400,
    ]


def test_the_command_line_lists_and_decides(
    world: HttpWorld, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """In words and as JSON; a rejection needs --yes, and destroys."""
    source = tmp_path / "a.p7s"
    source.write_bytes(b"broken")
    home = ["--home", str(world.home)]

    def run(*words: str) -> tuple[int, dict[str, object]]:
        code = main([*home, "--json", *words])
        return code, json.loads(capsys.readouterr().out)

    code, answer = run("deposit", str(source), "--profile", "signed-quarantined-1")
    (made,) = answer["objects"]  # type: ignore[misc]
    assert (code, made["status"]) == (0, "quarantined")
    poid = made["poid"]
    code, listed = run("quarantine", "list")
    assert [one["poid"] for one in listed["versions"]] == [poid]  # type: ignore[attr-defined]
    out = tmp_path / "report.xml"
    code, found = run("examination", poid, "--document", "a.p7s", "--out", str(out), "--xml")
    assert (code, found["held"], out.read_bytes()) == (0, True, b"<r>1</r>")
    assert run("preserve")[0] == 0
    assert run("quarantine", "reject", poid, "--reason", "forged")[0] == 2
    assert run("hold", poid, "--reason", "evidence of a forgery")[0] == 0
    assert run("quarantine", "reject", poid, "--reason", "forged", "--yes")[0] == 12
    codes = [one["code"] for one in run("trace", poid)[1]["events"]]  # type: ignore[attr-defined]
    assert ("under-legal-hold" in codes, "rejected" in codes) == (True, False)
    assert run("hold", "--release", poid, "--reason", "it is closed")[0] == 0
    code, view = run("quarantine", "reject", poid, "--reason", "forged", "--yes")
    assert (code, view["status"]) == (0, "destroyed")
    assert run("quarantine", "release", poid, "--reason", "late")[0] == 11
    assert main([*home, "examination", poid]) == 11
    assert main([*home, "quarantine", "list"]) == 0
    capsys.readouterr()
