"""Legal holds over HTTP: who places, who lifts, who is told what; and what a deletion by the protocol says."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.integration.http_world import HttpWorld, file, http_world

pytestmark = pytest.mark.slow

COURT = "12 C 34/2026"
PROBLEM = "urn:trusted-archive:problem:"


@pytest.fixture
def world(tmp_path: Path) -> Iterator[HttpWorld]:
    with http_world(tmp_path) as made:
        yield made


def test_operators_hold_and_lift_and_depositors_see_it(world: HttpWorld) -> None:
    """Who and why is for those who may read the trace; nothing of what others may see says more."""
    poid = world.post(file("a.txt", b"a")).json["poid"]
    world.preserve()
    address = f"/v1/preservation-objects/{poid}"
    operator, depositor = world.key("operator", None), world.key("depositor")
    body = {"name": COURT, "reason": "seized by the court"}
    for role in ("depositor", "auditor", "administrator"):
        assert world.client.post(f"{address}/holds", json=body, headers=world.key(role)).status_code == 403
    placed = world.client.post(f"{address}/holds", json=body, headers=operator)
    assert (placed.status_code, placed.json["owed"]) == (201, [])
    assert world.client.post(f"{address}/holds", json=body, headers=operator).status_code == 200
    (hold,) = placed.json["holds"]

    seen = world.get(f"{address}/holds", depositor)
    assert seen.json == {"holds": [{name: hold[name] for name in ("poid", "hold", "name", "since")}]}
    (audited,) = world.get(f"{address}/holds", world.key("auditor")).json["holds"]
    assert (audited["reason"], audited["by"]) == ("seized by the court", hold["by"])
    shown = world.get(address, depositor)
    assert [one["name"] for one in shown.json["holds"]] == [COURT]
    assert "seized" not in seen.get_data(as_text=True) + shown.get_data(as_text=True)

    refused = world.client.post("/v1/ts119512/DeletePO", json={"poId": poid, "reason": "x"}, headers=operator)
    assert refused.json["result"]["min"].endswith("noPermission")
    assert ("under-legal-hold" in [code for _, code in world.refusals()]) is True
    lifting = f"{address}/holds/{hold['hold']}/lifting"
    assert world.client.post(lifting, json={"reason": "closed"}, headers=depositor).status_code == 403
    assert world.client.post(lifting, json={"reason": "closed"}, headers=operator).status_code == 200
    again = world.client.post(lifting, json={"reason": "closed"}, headers=operator)
    assert (again.status_code, again.json["type"]) == (409, f"{PROBLEM}not-under-legal-hold")
    assert world.get(f"{address}/holds", depositor).json == {"holds": []}
    deleted = world.client.post("/v1/ts119512/DeletePO", json={"poId": poid, "reason": "x"}, headers=operator)
    assert deleted.json["result"]["maj"].endswith("Success")
    gone = world.client.post(f"{address}/holds", json=body, headers=operator)
    assert (gone.status_code, gone.json["type"]) == (410, f"{PROBLEM}object-destroyed")


def test_a_hold_that_is_none_holds_nothing(world: HttpWorld) -> None:
    """400 for each body that does not say why, or says a name that is none, or anything else."""
    poid = world.post(file("a.txt", b"a")).json["poid"]
    address = f"/v1/preservation-objects/{poid}/holds"
    who = world.key("operator", None)

    bodies: list[dict[str, object]] = [{}, {"reason": ""}, {"reason": 1}]
    bodies += [{"reason": "x", **more} for more in ({"name": " x"}, {"name": ""}, {"other": 1})]
    for body in bodies:
        assert world.client.post(address, json=body, headers=who).status_code == 400, body
    assert world.get(address, who).json == {"holds": []}


def test_a_hold_is_lifted_over_http_by_its_id_alone(world: HttpWorld) -> None:
    """A name in its place is no hold, even where one has it."""
    poid = world.post(file("a.txt", b"a")).json["poid"]
    address, who = f"/v1/preservation-objects/{poid}/holds", world.key("operator", None)
    world.client.post(address, json={"name": "seven", "reason": "x"}, headers=who)

    assert world.client.post(f"{address}/seven/lifting", json={"reason": "x"}, headers=who).status_code == 409
    assert len(world.get(address, who).json["holds"]) == 1
