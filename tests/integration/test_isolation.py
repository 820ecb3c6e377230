"""Another organisation's things are answered like things that do not exist: probes made from the route table.

Every route with a part in its address is asked twice, once for what another organisation has and once for what nobody
has, by a key of every role. A new kind of part fails here until somebody says how to fill it.
"""

from __future__ import annotations

import json
import random
import re
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from difflib import unified_diff
from typing import Any, ClassVar

import pytest
from sqlalchemy.event import listen, remove
from werkzeug.test import TestResponse

from api.app import ROUTES
from api.routing import Route
from policies.access import ROLES, SCOPES, Permission, allowed
from tests.integration.http_world import OPERATOR, HttpWorld, Part, file, http_world
from tests.integration.test_http_door import filled

OURS, THEIRS = "70891508", "00064581"
ABSENT: Mapping[str, str] = {
    "poid": "0199b0c27d3e7000800000000000abcd",
    "path": "theirs.txt",
    "job_id": "0" * 32,
    "key_id": "key-0000000000000000",
    "organisation": "25063677",
    "upload_id": "0" * 32,
    "hold": "hold-" + "0" * 32,
}
BODIES: Mapping[str, object] = {
    "POST /v1/preservation-objects/<poid>/sealed-copies": {"path": "theirs.txt"},
    "PATCH /v1/organisations/<organisation>": {"name": "x"},
    "POST /v1/keys/<key_id>/replacements": {},
    "POST /v1/preservation-objects/<poid>/quarantine": {"decision": "release", "reason": "x"},
    "POST /v1/preservation-objects/<poid>/holds": {"name": "12 C 34/2026", "reason": "x"},
    "POST /v1/preservation-objects/<poid>/holds/<hold>/lifting": {"reason": "x"},
}
PIECE = "application/offset+octet-stream"
WITH_PARTS = [route for route in ROUTES if "<" in route.rule]


@dataclass
class Two:
    """Two organisations in one archive; `there` is what the other one has, by part of an address."""

    world: HttpWorld
    there: dict[str, str] = field(default_factory=dict)

    def ask(self, route: Route, parts: Mapping[str, str], who: dict[str, str]) -> TestResponse:
        address = filled(route, parts)
        name = f"{route.method} {route.rule}"
        if route.rule.endswith("/versions"):
            return self.world.post(file("a.txt", b"x"), address=address, who=who)
        if route.rule.startswith("/v1/uploads"):
            headers = {**who, "Tus-Resumable": "1.0.0", "Upload-Offset": "0", "Content-Type": PIECE}
            return self.world.client.open(address, method=route.method, headers=headers, data=b"x")
        if name in BODIES:
            return self.world.client.open(address, method=route.method, json=BODIES[name], headers=who)
        return self.world.client.open(address, method=route.method, headers=who)


@pytest.fixture(scope="module")
def two(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Two]:
    with http_world(tmp_path_factory.mktemp("isolation")) as world:
        for one in (OURS, THEIRS):
            added = world.client.post(
                "/v1/organisations", json={"id": one, "name": one}, headers=world.key("operator", None)
            )
            assert added.status_code == 201
        made = world.post(
            file("theirs.txt", b"secret"),
            Part("metadata", '{"title": "tajné"}'.encode()),
            Part("profile", b"signed-recorded-1"),
            who=world.key("depositor", THEIRS),
            Idempotency_Key="theirs-1",
        )
        world.post(file("ours.txt", b"ours"), who=world.key("depositor", OURS))
        world.preserve()
        job = world.client.post("/v1/verifications", json={"all": True}, headers=world.key("auditor", THEIRS))
        tus = {"Tus-Resumable": "1.0.0", "Upload-Length": "9"}
        upload = world.client.post("/v1/uploads", headers={**world.key("depositor", THEIRS), **tus})
        keys = world.get("/v1/keys", world.key("administrator", THEIRS)).json["keys"]
        held = world.archive.place_hold([made.json["poid"]], reason="theirs", actor=OPERATOR)
        there = {
            "poid": made.json["poid"],
            "path": "theirs.txt",
            "job_id": job.json["id"],
            "key_id": keys[0]["key_id"],
            "organisation": THEIRS,
            "upload_id": upload.headers["Location"].rpartition("/")[2],
            "hold": held.holds[0].hold,
        }
        yield Two(world, there)


def told(answer: TestResponse, parts: Mapping[str, str]) -> tuple[int, str]:
    """What an answer says, without the request's own identity and with the parts of the address put alike."""
    headers = {name: value for name, value in answer.headers.items() if name != "X-Request-Id"}
    said = json.dumps(headers) + "\n" + answer.get_data(as_text=True)
    for name, value in parts.items():
        said = said.replace(value, f"<{name}>")
    return answer.status_code, said


@pytest.mark.parametrize("route", WITH_PARTS, ids=lambda route: f"{route.method} {route.rule}")
@pytest.mark.parametrize("role", ROLES)
def test_what_another_organisation_has_is_answered_like_what_nobody_has(two: Two, route: Route, role: str) -> None:
    """The same status, headers and bytes, to the last one; and it is never an answer that gives something."""
    who = two.world.key(role, OURS)
    foreign = two.ask(route, two.there, who)
    absent = two.ask(route, ABSENT, who)

    assert told(foreign, two.there) == told(absent, ABSENT)
    assert foreign.status_code in (403, 404)


@pytest.mark.parametrize("route", WITH_PARTS, ids=lambda route: f"{route.method} {route.rule}")
def test_the_probes_would_find_something(two: Two, route: Route) -> None:
    """Who may see everything gets another answer for what is there than for what is not: the probes can fail."""
    who = two.world.key("operator", None)
    parts = dict(two.there)
    if route.rule.startswith("/v1/keys"):  # one that nobody needs: it is revoked
        row, _ = two.world.archive.create_key(label="x", role="auditor", originator=THEIRS, actor=OPERATOR)
        parts["key_id"] = row.key_id
    if "<hold>" in route.rule:  # one that is there still, whatever was asked before
        held = two.world.archive.place_hold([parts["poid"]], name="another", reason="x", actor=OPERATOR)
        parts["hold"] = held.holds[0].hold
    there, absent = two.ask(route, parts, who), two.ask(route, ABSENT, who)

    assert absent.status_code == 404
    refused_for_itself = route.rule.endswith(("/quarantine", "/sealed-copies")) and there.status_code == 409
    assert there.status_code in (200, 201, 204) or refused_for_itself


def bodies_of(poid: str) -> Mapping[str, object]:
    """A request of each operation of TS 119 512 that names an object."""
    evidence = {
        "binaryData": {"value": ""},
        "formatId": "urn:ietf:rfc:4998:EvidenceRecord",
        "poId": poid,
        "verId": "v1",
    }
    return {
        "RetrievePO": {"poId": poid, "sor": "PO"},
        "DeletePO": {"poId": poid, "reason": "x"},
        "UpdatePOC": {"poId": poid, "deltaPoc": [{"binaryData": {"value": ""}, "mimeType": "a/b"}]},
        "RetrieveTrace": {"poId": poid},
        "ValidateEvidence": {"ev": evidence},
        "PreservePO": None,
        "RetrieveInfo": None,
        "Search": None,
    }


PROTOCOL = [route for route in ROUTES if route.rule.startswith("/v1/ts119512/")]
NAMING = [route for route in PROTOCOL if bodies_of("")[route.rule.rpartition("/")[2]] is not None]


@pytest.mark.parametrize("route", NAMING, ids=lambda route: route.rule)
def test_an_object_named_in_a_body_is_answered_like_none(two: Two, route: Route) -> None:
    """For every role: the same bytes for another organisation's object as for nobody's, and never a success; who may
    see everything gets another answer, so the probes can fail."""
    operation = route.rule.rpartition("/")[2]

    def ask(poid: str, who: dict[str, str]) -> TestResponse:
        return two.world.client.post(route.rule, json=bodies_of(poid)[operation], headers=who)

    for role in ROLES:
        who = two.world.key(role, OURS)
        foreign, absent = ask(two.there["poid"], who), ask(ABSENT["poid"], who)
        assert told(foreign, two.there) == told(absent, ABSENT)
        assert foreign.json["result"]["maj"].endswith("RequesterError")
    everything = two.world.key("operator", None)
    if operation != "DeletePO":  # others need it still
        assert ask(two.there["poid"], everything).json["result"]["maj"].endswith("Success")
    assert ask(ABSENT["poid"], everything).json["result"]["maj"].endswith("RequesterError")


def test_a_search_by_the_protocol_finds_what_is_ours_only(two: Two) -> None:
    """Nor does a filter that names the other organisation find anything."""
    two.world.archive.flush_trail()
    two.world.archive.searching.catch_up()
    who = two.world.key("auditor", OURS)
    for filter_, found in (("text=ours*", True), ("text=theirs*", False), (f"organisation={THEIRS}", False)):
        answer = two.world.client.post("/v1/ts119512/Search", json={"fi": filter_}, headers=who).json
        assert bool(answer.get("poId")) == found, filter_
        assert two.there["poid"] not in answer.get("poId", [])


def test_lists_hold_what_is_ours_only(two: Two) -> None:
    """Objects, keys, organisations, and what a verification of everything counts."""
    world = two.world
    for role in ("depositor", "auditor", "operator"):
        page = world.get("/v1/preservation-objects", world.key(role, OURS)).json
        assert {one["originator"] for one in page["objects"]} == {OURS}
        assert world.get("/v1/preservation-objects", world.key(role, OURS)).json["next"] is None
    world.archive.flush_trail()
    world.archive.searching.catch_up()
    for address, member, whose in (("search", "objects", "originator"), ("changes", "changes", "organisation")):
        found = world.get(f"/v1/{address}", world.key("auditor", OURS)).json
        assert {one[whose] for one in found[member]} == {OURS}, address
        everything = world.get(f"/v1/{address}", world.key("auditor", None)).json
        assert {one[whose] for one in everything[member]} >= {OURS, THEIRS}, address
    assert world.get(f"/v1/search?organisation={THEIRS}", world.key("auditor", OURS)).json["objects"] == []
    keys = world.get("/v1/keys", world.key("administrator", OURS)).json["keys"]
    assert {one["organisation"] for one in keys} == {OURS}
    found = world.get("/v1/organisations", world.key("administrator", OURS)).json["organisations"]
    assert [one["id"] for one in found] == [OURS]
    job = world.client.post("/v1/verifications", json={"all": True}, headers=world.key("auditor", OURS)).json
    world.archive.run_jobs()
    done = world.get(f"/v1/verifications/{job['id']}", world.key("auditor", OURS)).json
    assert done["result"]["checked"] == 1


def test_a_cursor_or_a_list_of_poids_tells_nothing(two: Two) -> None:
    """A page behind their object is like one behind nobody's; to verify their object is to verify none."""
    world = two.world
    poids = [two.there["poid"], ABSENT["poid"]]
    who = world.key("auditor", OURS)
    answers = [world.client.post("/v1/verifications", json={"poids": [poid]}, headers=who).get_data() for poid in poids]
    assert answers[0] == answers[1]


def test_an_idempotency_key_is_an_organisation_s_own(two: Two) -> None:
    """The key that they used before is as good as new for us, and answers with ours."""
    mine = two.world.post(file("a.txt", b"x"), who=two.world.key("depositor", OURS), Idempotency_Key="theirs-1")

    assert mine.status_code == 201
    assert mine.json["poid"] != two.there["poid"]
    assert mine.json["originator"] == OURS


def test_no_key_deposits_for_another_organisation(two: Two) -> None:
    """Whether there is such a one or not: the same refusal."""
    answers = [
        two.world.post(
            file("a.txt", b"x"), Part("originator", one.encode()), who=two.world.key("depositor", OURS)
        ).get_data()
        for one in (THEIRS, "25063677")
    ]
    assert answers[0] == answers[1]
    assert b"not-permitted" in answers[0]


def test_metrics_name_no_organisation(two: Two) -> None:
    """Neither in labels nor in values."""
    said = two.world.get("/v1/metrics", two.world.key("operator", None)).get_data(as_text=True)

    assert OURS not in said
    assert THEIRS not in said


# -- what answers cost, which whoever asks can time -----------------------------------------------------


@dataclass(frozen=True)
class Probe:
    """One way of asking for what another organisation has, by whoever may use the route at all."""

    name: str
    route: Route
    role: str

    def ask(self, two: Two, parts: Mapping[str, str]) -> TestResponse:
        who = two.world.key(self.role, OURS)
        if self.route in NAMING:
            body = bodies_of(parts["poid"])[self.route.rule.rpartition("/")[2]]
            return two.world.client.post(self.route.rule, json=body, headers=who)
        return two.ask(self.route, parts, who)


def probes() -> list[Probe]:
    """Each route once, with a role that its permission lets in: another one is refused before anything is looked up."""
    found = []
    for route in (*WITH_PARTS, *NAMING):
        role = next(
            one for one in ROLES if route.permission is Permission.PUBLIC or allowed(one, None, route.permission)
        )
        found.append(Probe(f"{route.method} {route.rule}", route, role))
    return found


PROBES = probes()


class Work:
    """What a thread did for an answer: the statements to the database and the files that were opened, in order."""

    _told: ClassVar[Work | None] = None
    _hooked: ClassVar[bool] = False

    def __init__(self, two: Two) -> None:
        self.done: list[str] = []
        self._engine = two.world.archive.catalogue._engine
        if not Work._hooked:
            sys.addaudithook(Work._heard)
            Work._hooked = True

    @staticmethod
    def _heard(event: str, arguments: tuple[object, ...]) -> None:
        if event == "open" and Work._told is not None:
            Work._told.done.append(f"open {str(arguments[0]).rpartition('/')[2]}")

    def _executed(self, _connection: object, _cursor: object, statement: str, *_rest: object) -> None:
        self.done.append(statement)

    def __enter__(self) -> Work:
        listen(self._engine, "before_cursor_execute", self._executed)
        Work._told = self
        return self

    def __exit__(self, *_: object) -> None:
        Work._told = None
        remove(self._engine, "before_cursor_execute", self._executed)


def works_differently(two: Two, probe: Probe) -> str | None:
    """How the work for what is there differs from that for what is not, if it does each time, whichever is asked
    first: what is looked up anew every few seconds makes a difference once."""
    told = None
    for turn in range(6):
        done: dict[str, list[str]] = {}
        for name, parts in (("foreign", two.there), ("absent", ABSENT))[:: 1 if turn % 2 else -1]:
            with Work(two) as work:
                probe.ask(two, parts)
            done[name] = work.done
        assert done["foreign"], "nothing was looked up, so nothing was compared"
        if done["foreign"] == done["absent"]:
            return None
        told = "\n".join(unified_diff(done["absent"], done["foreign"], "absent", "foreign", lineterm="", n=0))
    return told


@pytest.mark.parametrize("probe", PROBES, ids=lambda probe: probe.name)
def test_the_same_work_is_done_for_theirs_as_for_nothing(two: Two, probe: Probe) -> None:
    """The very same statements and files, in the same order: there is nothing that could take another time."""
    assert works_differently(two, probe) is None


TRIPLES, ROUNDS = 15, 16
BOUND = 0.02
"""Of the processor time of an answer: what two alike differ by at most. One more query, or one small file read, is more
than twice that."""

NEITHER = {name: value[:-1] + ("1" if value[-1] != "1" else "2") for name, value in ABSENT.items()}
"""What nobody has either: how much two alike differ on this machine just now."""


def takes_another_time(two: Two, probe: Probe) -> str | None:
    """How the times differ, if they do. What is theirs and twice what is nobody's are asked in random order, and
    compared by the tenth of the fastest answers, in processor time: waits for other processes of a busy machine are not
    in it, and what an answer itself waits for, a database or a file, is compared one by one (`works_differently`).
    Theirs must differ from both, to the same side, by more than these from each other. What differs is asked again and
    again, together with what is known: noise goes, a difference stays."""
    kinds = (two.there, ABSENT, NEITHER)
    taken: tuple[list[float], ...] = ([], [], [])
    chance = random.Random(5)
    for _ in range(ROUNDS):
        for _ in range(TRIPLES):
            for kind in chance.sample(range(3), 3):
                began = time.thread_time()
                probe.ask(two, kinds[kind])
                taken[kind].append(time.thread_time() - began)
        theirs, nothing, neither = (sorted(seconds)[len(seconds) // 10] for seconds in taken)
        noise = max(BOUND * nothing, 2 * abs(nothing - neither))
        nearest = min(theirs - nothing, theirs - neither, key=abs)
        if abs(nearest) <= noise or (theirs - nothing) * (theirs - neither) <= 0:
            return None
    return f"{nearest * 1e6:+.0f} microseconds of {nothing * 1e6:.0f}, over {len(taken[0])} answers"


@pytest.mark.slow
@pytest.mark.timeout(600)
@pytest.mark.parametrize("probe", PROBES, ids=lambda probe: probe.name)
def test_it_takes_as_long_to_find_theirs_as_to_find_nothing(two: Two, probe: Probe) -> None:
    """Whoever listens hears noise."""
    assert takes_another_time(two, probe) is None


def one_more_query(two: Two) -> None:
    two.world.archive.catalogue.versions(two.there["poid"])


def one_more_file(two: Two) -> None:
    root = two.world.archive.copies.roots[0]
    root.read_file(f"urn:trusted-archive:{two.there['poid']}", 1, "description.json", 1 << 20)


@pytest.mark.slow
@pytest.mark.parametrize("leak", [one_more_query, one_more_file])
def test_the_probes_hear_a_leak(two: Two, leak: Callable[[Two], None], monkeypatch: pytest.MonkeyPatch) -> None:
    """One query or one file more before the refusal, and both say so; without it neither does."""
    archive = two.world.archive
    real = archive._row

    def leaking(poid: str, *rest: Any, **named: Any) -> Any:
        if poid == two.there["poid"]:
            leak(two)
        return real(poid, *rest, **named)

    probe = next(one for one in PROBES if one.name == "GET /v1/preservation-objects/<poid>")
    assert works_differently(two, probe) is None
    monkeypatch.setattr(archive, "_row", leaking)
    assert works_differently(two, probe) is not None
    # Where the machine is so busy that two alike differ by more than a query, a leak cannot be heard at once.
    assert any(takes_another_time(two, probe) for _ in range(5))


def test_a_route_without_a_decision_has_no_name_in_the_table() -> None:
    """Every route asks for a permission that the table knows, and every part of an address has a probe."""
    for route in ROUTES:
        assert route.permission is Permission.PUBLIC or str(route.permission) in SCOPES
        assert set(re.findall(r"<(?:\w+:)?(\w+)>", route.rule)) <= set(ABSENT)
