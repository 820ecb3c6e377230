"""The preservation protocol of ETSI TS 119 512 in its JSON form, over HTTP: a life of an object, and every refusal."""

from __future__ import annotations

import base64
import io
import json
import threading
import zipfile
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from api.ts119512 import formats
from api.ts119512.values import EVIDENCE_RECORD, Operation, Subject
from archive_core.asic_format import MEDIA_TYPE
from archive_core.errors import TimestampAuthorityUnavailableError
from archive_core.identifiers import named_object
from tests.integration.http_world import OPERATOR, HttpWorld, Part, file, http_world
from tests.sampling import quick_first
from tests.ts119512 import (
    PENDING,
    PROFILE,
    REQUESTER,
    RESPONDER,
    SUCCESS,
    ask,
    complaints,
    content_of,
    po,
    preserved,
    result_of,
    verify,
)

ABSENT = "0199b0c27d3e7000800000000000abcd"
PDF = b"%PDF-1.7\n%%EOF"
OF_EACH: dict[str, dict[str, Any]] = {
    "RetrieveInfo": {},
    "PreservePO": {"pro": PROFILE, "po": [po(b"x")]},
    "RetrievePO": {"poId": ABSENT},
    "DeletePO": {"poId": ABSENT, "reason": "x"},
    "UpdatePOC": {"poId": ABSENT, "deltaPoc": [po(b"x")]},
    "RetrieveTrace": {"poId": ABSENT},
    "ValidateEvidence": {"ev": po(b"x", formatId=EVIDENCE_RECORD, poId=ABSENT)},
    "Search": {"fi": "text=x"},
}
"""A request of each operation that is understood."""
each_operation = pytest.mark.parametrize(
    "operation", quick_first(["PreservePO", *sorted(OF_EACH.keys() - {"PreservePO"})])
)


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[HttpWorld]:
    with http_world(tmp_path_factory.mktemp("ts119512")) as made:
        yield made


@pytest.fixture(scope="module")
def evidenced(world: HttpWorld) -> str:
    """A preservation object of two POs that has its evidence."""
    poid = preserved(
        world,
        po(b"first", id="a/first.txt"),
        po(PDF, formatId="http://uri.etsi.org/ades/PAdES", pronomId="fmt/276", id="b.pdf", relObj=["a/first.txt"]),
    )
    world.preserve()
    return poid


def operator(world: HttpWorld) -> dict[str, str]:
    return world.key("operator", None)


def held(world: HttpWorld) -> int:
    """How many objects are kept by now."""
    return len(world.archive.objects(actor=OPERATOR, limit=10_000))


def retrieved(world: HttpWorld, poid: str, subject: Subject, **asked: Any) -> list[dict[str, Any]]:
    answer = ask(world, "RetrievePO", {"poId": poid, "sor": subject, **asked})
    assert result_of(answer) == (SUCCESS, None), answer.json
    return list(answer.json["po"])


# -- a life ---------------------------------------------------------------------------------------


def test_a_life_of_an_object(tmp_path: Path) -> None:
    """Preserved, pending, evidenced, retrieved as all four subjects, updated, traced, found, judged, deleted."""
    with http_world(tmp_path) as world:
        asked = {"pro": PROFILE, "reqId": "r-1", "po": [po(b"one", id="one.txt"), po(b"two")]}
        answer = ask(world, "PreservePO", asked, Idempotency_Key="k-1")
        assert result_of(answer) == (SUCCESS, None)
        assert answer.json["reqId"] == "r-1"
        poid = answer.json["poId"]
        assert ask(world, "PreservePO", asked, Idempotency_Key="k-1").json["poId"] == poid

        for subject in (Subject.EVIDENCE, Subject.EMBEDDED):
            pending = ask(world, "RetrievePO", {"poId": poid, "sor": subject})
            assert (result_of(pending), pending.status_code) == ((PENDING, None), 200)
            assert "po" not in pending.json
            assert pending.headers["Retry-After"]
        partly = ask(world, "RetrievePO", {"poId": poid, "sor": Subject.DETACHED})
        assert result_of(partly) == (SUCCESS, "requestOnlyPartlySuccessful")
        assert {one["id"] for one in partly.json["po"]} == {"one.txt", "po-1", "/description.json", "/metadata.json"}
        refused = ask(world, "DeletePO", {"poId": poid, "reason": "x"}, operator(world))
        assert result_of(refused) == (REQUESTER, "noPermission")

        world.preserve()
        assert {one["id"]: content_of(one) for one in retrieved(world, poid, Subject.PO)} == {
            "one.txt": b"one",
            "po-1": b"two",
        }
        (record,) = retrieved(world, poid, Subject.EVIDENCE)
        assert (record["formatId"], record["poId"], record["verId"]) == (EVIDENCE_RECORD, poid, "v1")
        detached = retrieved(world, poid, Subject.DETACHED)
        assert detached[-1]["relObj"] == [one["id"] for one in detached[:-1]]
        (container,) = retrieved(world, poid, Subject.EMBEDDED)
        assert (container["formatId"], container["mimeType"]) == (formats.ASIC_E, MEDIA_TYPE)

        updated = ask(world, "UpdatePOC", {"poId": poid, "deltaPoc": [po(b"three")]})
        assert (result_of(updated), updated.json["versionId"]) == ((SUCCESS, None), "v2")
        assert {one["id"]: content_of(one) for one in retrieved(world, poid, Subject.PO)} == {
            "one.txt": b"one",
            "po-1": b"two",
            "po-2": b"three",
        }
        both = ask(world, "RetrievePO", {"poId": poid, "versionId": ["all"], "sor": Subject.EVIDENCE})
        assert result_of(both) == (SUCCESS, "requestOnlyPartlySuccessful")
        world.preserve()
        assert [one["verId"] for one in retrieved(world, poid, Subject.EVIDENCE, versionId=["all"])] == ["v1", "v2"]

        traced = ask(world, "RetrieveTrace", {"poId": poid}, world.key("auditor"))
        operations = [event["op"] for event in traced.json["trace"]["event"]]
        assert operations[0] == "ingestion"
        assert {"update", "dissemination"} <= set(operations)
        world.archive.flush_trail()
        world.archive.searching.catch_up()
        assert ask(world, "Search", {"fi": "text=one&status=evidenced"}).json["poId"] == [poid]
        assert "poId" not in ask(world, "Search", {"fi": "text=nothing-like-it"}).json

        judged = ask(world, "ValidateEvidence", {"ev": _as_evidence(record)}, world.key("auditor"))
        assert result_of(judged) == (SUCCESS, None)
        assert json.loads(content_of(judged.json["valRep"]))["verdict"] == "PASSED"
        assert judged.json["poe"]

        who = operator(world)
        deletion = {"poId": poid, "mod": "OnlySubDOs", "reason": "retention has ended", "crn": "Jana Nováková"}
        assert result_of(ask(world, "DeletePO", deletion, who)) == (SUCCESS, None)
        gone = ask(world, "RetrievePO", {"poId": poid, "sor": Subject.PO})
        assert result_of(gone) == (REQUESTER, "unknownPOID")
        assert [one["verId"] for one in retrieved(world, poid, Subject.EVIDENCE)] == ["v2"]
        assert result_of(ask(world, "DeletePO", {**deletion, "mod": "SubDOsAndEvidence"}, who)) == (
            REQUESTER,
            "notSupported",
        )
        assert result_of(ask(world, "DeletePO", deletion, who)) == (SUCCESS, None)
        events = world.archive.trace(poid, actor=OPERATOR)
        told = [event for event in events if "Nováková" in json.dumps(event["detail"], ensure_ascii=False)]
        assert [event["code"] for event in told][:1] == ["destruction-asked"]
        assert "Nováková" not in ask(world, "RetrieveTrace", {"poId": poid}, world.key("auditor")).get_data(
            as_text=True
        )


def _as_evidence(shown: dict[str, Any], **said: Any) -> dict[str, Any]:
    """Evidence as it was given, to be handed in again."""
    return {**{k: v for k, v in shown.items() if k in ("binaryData", "formatId", "poId", "verId")}, **said}


# -- what is not understood ---------------------------------------------------------------------


@each_operation
def test_a_request_that_is_not_one_is_refused_and_nothing_is_stored(world: HttpWorld, operation: str) -> None:
    """Whatever is wrong with its form: 400 with the right code, its `reqId` where it could be read, nothing kept."""
    good, who, before = {**OF_EACH[operation], "reqId": "r"}, operator(world), held(world)
    broken: list[tuple[Any, str]] = [
        ([], "parameterError"),
        ("x", "parameterError"),
        ({**good, "unknown": 1}, "parameterError"),
        ({**good, "POID": ABSENT}, "parameterError"),
        ({**good, "reqId": 5}, "parameterError"),
        ({**good, "reqId": ""}, "parameterError"),
        ({**good, "reqId": None}, "parameterError"),
        ({**good, "reqId": "a\nb"}, "parameterError"),
        ({**good, "optIn": []}, "parameterError"),
        ({**good, "optIn": {"unknown": 1}}, "parameterError"),
        ({**good, "optIn": {"policy": ["urn:x"]}}, "notSupported"),
        ({**good, "optIn": {"lang": "cs"}}, "notSupported"),
        ({**good, "optIn": {"other": []}}, "notSupported"),
        *((({k: v for k, v in good.items() if k != name}), "parameterError") for name in _needed(operation)),
        *(({**good, name: 5}, "parameterError") for name in OF_EACH[operation]),
        *(({**good, name: None}, "parameterError") for name in OF_EACH[operation]),
    ]
    for body, minor in broken:
        answer = ask(world, operation, body, who)
        assert (answer.status_code, result_of(answer)) == (400, (REQUESTER, minor)), body
        if isinstance(body, dict) and body.get("reqId") == "r":
            assert answer.json["reqId"] == "r"
    assert held(world) == before
    assert result_of(ask(world, operation, {**good, "optIn": {}}, who))[1] != "notSupported"


def _needed(operation: str) -> list[str]:
    return [name for name in OF_EACH[operation] if name not in ("reason", "po") or operation == "Search"]


@each_operation
def test_what_is_not_json_is_refused(world: HttpWorld, operation: str) -> None:
    """Other bytes, other media types, codings, members that come twice, deep nesting: each by its own status."""
    deep = b"[" * 50 + b"]" * 50
    for body, status in (
        (b"", 400),
        (b"{", 400),
        (b"\xff", 400),
        (b'{"reqId": "a", "reqId": "b"}', 400),
        (b'{"reqId": 1.5}', 400),
        (b'{"reqId": ' + deep + b"}", 400),
    ):
        answer = _raw(world, operation, body)
        assert (answer.status_code, result_of(answer)) == (status, (REQUESTER, "parameterError")), body
    for headers in ({"Content-Type": "text/plain"}, {"Content-Encoding": "gzip"}):
        answer = _raw(world, operation, b"{}", **headers)
        assert (answer.status_code, result_of(answer)) == (415, (REQUESTER, "parameterError"))
    assert _raw(world, operation, b"{}", address="?x=1").status_code == 400
    spoilt = _raw(
        world, operation, json.dumps(OF_EACH[operation]).encode(), **{"Content-Digest": f"sha-256=:{'A' * 43}=:"}
    )
    assert result_of(spoilt)[1] == ("transferError" if operation in ("PreservePO", "UpdatePOC") else "parameterError")
    large = _raw(world, operation, b" " * (world.settings.server.max_upload_bytes + 1))
    assert large.status_code == 413


def _raw(world: HttpWorld, operation: str, body: bytes, *, address: str = "", **headers: str) -> Any:
    given = {"Content-Type": "application/json", **operator(world), **headers}
    answer = world.client.post(
        f"/v1/ts119512/{operation}{address}",
        input_stream=io.BytesIO(body),
        headers=given,
        environ_overrides={"CONTENT_LENGTH": str(len(body))},
    )
    verify(operation, answer)
    return answer


MAY_NOT = {
    "depositor": ["DeletePO", "RetrieveTrace", "ValidateEvidence"],
    "auditor": ["DeletePO", "PreservePO", "UpdatePOC"],
    "administrator": [one for one in OF_EACH if one != "RetrieveInfo"],
}


@pytest.mark.parametrize("role", list(MAY_NOT))
def test_a_role_gets_what_the_table_gives_it(world: HttpWorld, role: str) -> None:
    """noPermission exactly there, before the body is looked at."""
    for operation in OF_EACH:
        answer = ask(world, operation, ["not", "looked", "at"], world.key(role))
        if operation in MAY_NOT[role]:
            assert (answer.status_code, result_of(answer)) == (403, (REQUESTER, "noPermission"))
        else:
            assert (answer.status_code, result_of(answer)) == (400, (REQUESTER, "parameterError"))


def test_without_a_key_nobody_learns_that_the_protocol_is_spoken(world: HttpWorld) -> None:
    """401 as everywhere, as a problem document; so is another method, or an operation that there is not."""
    assert world.client.post("/v1/ts119512/Search", json={}).mimetype == "application/problem+json"
    assert world.client.post("/v1/ts119512/Search", json={}).status_code == 401
    assert world.get("/v1/ts119512/Search").status_code == 405
    assert world.client.post("/v1/ts119512/Nothing", json={}, headers=operator(world)).status_code == 404


# -- profiles -----------------------------------------------------------------------------------


def test_profiles_are_shown_with_what_the_protocol_wants_of_them(world: HttpWorld) -> None:
    """Scheme, storage model, goals, validity, formats, and an identifier that names the stored profile."""
    shown = {one["pid"]: one for one in ask(world, "RetrieveInfo", {}).json["pro"]}
    assert set(shown) == {named_object(f"profile-{one.id}") for one in world.archive.profiles()}
    basic = shown[PROFILE]
    assert basic["sid"] == "http://uri.etsi.org/19512/scheme/pds+pgd+aug+wst+ers"
    assert basic["psm"] == "WithStorage"
    assert basic["pvp"] == {"vfrom": "2026-01-01T00:00:00Z"}
    assert [one["fid"] for one in basic["ef"]] == [EVIDENCE_RECORD]
    assert [one["name"] for one in basic["op"]] == list(Operation)
    signed = shown[named_object("profile-signed-recorded-1")]
    assert [one["type"].rpartition("/")[2] for one in signed["pol"]] == [
        "preservation-evidence",
        "signature-validation",
    ]
    assert [one["pid"] for one in ask(world, "RetrieveInfo", {"pro": PROFILE}).json["pro"]] == [PROFILE]


def test_a_retired_profile_stays_readable_and_takes_nothing(
    world: HttpWorld, evidenced: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is inactive from its end on; what came in under it shows it and is given."""
    ended = datetime.now(UTC) - timedelta(days=1)
    profile = next(one for one in world.archive.profiles() if one.id == "basic-1")
    monkeypatch.setitem(world.archive.published._profiles, "basic-1", replace(profile, valid_until=ended))

    def shown(**asked: str) -> list[str]:
        answer = ask(world, "RetrieveInfo", asked)
        assert result_of(answer) == (SUCCESS, None)
        return [one["pid"] for one in answer.json.get("pro", [])]

    assert PROFILE not in shown()
    assert shown(stat="inactive") == [PROFILE]
    assert PROFILE in shown(stat="all")
    assert shown(pro=PROFILE) == shown(pro=PROFILE, stat="active") == []
    (one,) = ask(world, "RetrieveInfo", {"pro": PROFILE, "stat": "inactive"}).json["pro"]
    assert datetime.fromisoformat(one["pvp"]["vuntl"]) == ended
    assert result_of(ask(world, "PreservePO", OF_EACH["PreservePO"])) == (REQUESTER, "parameterError")
    assert retrieved(world, evidenced, Subject.EVIDENCE)


@pytest.mark.parametrize("asked", [{"pro": "basic-1"}, {"pro": "urn:x"}, {"stat": "retired"}, {"stat": "Active"}])
def test_a_profile_that_there_is_not_is_a_wrong_parameter(world: HttpWorld, asked: dict[str, str]) -> None:
    """Whether by name or by a status that nobody knows."""
    assert result_of(ask(world, "RetrieveInfo", asked)) == (REQUESTER, "parameterError")


# -- taking in ----------------------------------------------------------------------------------

CADES = "http://uri.etsi.org/ades/CAdES"
BAD_POS: dict[str, tuple[list[Any], str]] = {
    "none": ([], "notSupported"),
    "a digest list": ([po(b"<x/>", formatId="http://uri.etsi.org/19512/format/DigestList")], "unknownPOFormat"),
    "an unknown format": ([po(b"x", formatId="urn:x")], "unknownPOFormat"),
    "no PAdES": ([po(b"no pdf", formatId="http://uri.etsi.org/ades/PAdES")], "POFormatError"),
    "no CAdES": ([po(b"x", formatId=CADES)], "POFormatError"),
    "no XAdES": ([po(b"{}", formatId="http://uri.etsi.org/ades/XAdES")], "POFormatError"),
    "no ASiC": ([po(b"PK", formatId=formats.ASIC_E)], "POFormatError"),
    "no format at all": ([{"binaryData": {"value": ""}}], "parameterError"),
    "no media type": ([po(b"x", mimeType="text")], "parameterError"),
    "no content": ([{"mimeType": "text/plain"}], "parameterError"),
    "two contents": ([{**po(b"x"), "xmlData": {"b64Content": ""}}], "parameterError"),
    "an unknown member": ([po(b"x", name="x")], "parameterError"),
    "an unknown member inside": ([{"binaryData": {"value": "", "x": 1}, "mimeType": "a/b"}], "parameterError"),
    "no base64": ([{"binaryData": {"value": "a"}, "mimeType": "a/b"}], "parameterError"),
    "base64 of the address alphabet": ([{"binaryData": {"value": "_-_-"}, "mimeType": "a/b"}], "parameterError"),
    "base64 with a line end": ([{"binaryData": {"value": "QUJD\nQUJ"}, "mimeType": "a/b"}], "parameterError"),
    "base64 that goes on after its end": ([{"binaryData": {"value": "QQ==QUJD"}, "mimeType": "a/b"}], "parameterError"),
    "no list": ({"binaryData": {"value": ""}}, "parameterError"),  # type: ignore[dict-item]
    "no object": (["x"], "parameterError"),
    "one id twice": ([po(b"x", id="a"), po(b"y", id="a")], "parameterError"),
    "ids that differ by case": ([po(b"x", id="a"), po(b"y", id="A")], "parameterError"),
    "an id that climbs": ([po(b"x", id="../a")], "parameterError"),
    "an id from the root": ([po(b"x", id="/a")], "parameterError"),
    "metadata that are no object": ([po(b"x"), po(b"[]", formatId=formats.METADATA)], "POFormatError"),
    "metadata that are no JSON": ([po(b"x"), po(b"{", formatId=formats.METADATA)], "POFormatError"),
    "metadata with a fraction": ([po(b"x"), po(b'{"a": 1.5}', formatId=formats.METADATA)], "POFormatError"),
    "metadata with our member": ([po(b"x"), po(b'{"ts119512": 1}', formatId=formats.METADATA)], "parameterError"),
    "metadata with an id": ([po(b"x"), po(b"{}", formatId=formats.METADATA, id="m")], "parameterError"),
    "metadata twice": ([po(b"x"), *[po(b"{}", formatId=formats.METADATA)] * 2], "parameterError"),
    "metadata alone": ([po(b"{}", formatId=formats.METADATA)], "parameterError"),
    "a relation to nothing": ([po(b"x", relObj=["b"])], "parameterError"),
    "a relation twice": ([po(b"x", id="a", relObj=["a", "a"])], "parameterError"),
    "one good and one bad": ([po(b"x", id="a"), po(b"x", formatId="urn:x")], "unknownPOFormat"),
}


@pytest.mark.slow
def test_an_object_that_is_not_as_it_should_be_is_refused_and_nothing_is_stored(world: HttpWorld) -> None:
    """Each by its code, as a preservation object and as a change of one."""
    poid = preserved(world, po(b"x", id="there"))
    before = held(world)
    for name, (pos, minor) in BAD_POS.items():
        answer = ask(world, "PreservePO", {"pro": PROFILE, "po": pos})
        assert result_of(answer) == (REQUESTER, minor), name
        as_change = {"unknownPOFormat": "unknownDeltaPOCType", "POFormatError": "parameterError"}
        answer = ask(world, "UpdatePOC", {"poId": poid, "deltaPoc": pos})
        assert result_of(answer)[0] == REQUESTER, name
        if name != "none" and not name.startswith("metadata"):  # no change is of metadata
            assert result_of(answer)[1] == as_change.get(minor, minor), name
    assert held(world) == before
    assert world.archive.show(poid, actor=OPERATOR).versions == (1,)


@pytest.mark.parametrize(
    "profile", ["basic-1", "urn:trusted-archive:profile-none", "http://uri.etsi.org/19512/goal/pgd"]
)
def test_a_submission_under_no_profile_is_refused(world: HttpWorld, profile: str) -> None:
    """Only identifiers that RetrieveInfo gives are taken."""
    answer = ask(world, "PreservePO", {"pro": profile, "po": [po(b"x")]})
    assert (answer.status_code, result_of(answer)) == (200, (REQUESTER, "parameterError"))


def test_what_is_said_of_an_object_comes_back(world: HttpWorld, evidenced: str) -> None:
    """Format, media type, PRONOM id, relations; and a 0-byte object is one."""
    first, second = retrieved(world, evidenced, Subject.PO)
    assert (first["id"], first["mimeType"], content_of(first)) == ("a/first.txt", "text/plain", b"first")
    assert {name: second[name] for name in second if name != "binaryData"} == {
        "id": "b.pdf",
        "formatId": "http://uri.etsi.org/ades/PAdES",
        "pronomId": "fmt/276",
        "relObj": ["a/first.txt"],
    }
    xml = {"xmlData": {"b64Content": base64.b64encode(b"<a/>").decode()}, "mimeType": "text/xml"}
    empty = preserved(world, po(b""), xml)
    assert [content_of(one) for one in retrieved(world, empty, Subject.PO)] == [b"", b"<a/>"]


def test_of_two_changes_at_once_one_is_refused_and_nothing_of_it_is_stored(
    world: HttpWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Another version that comes at the last instant, while a change is made of the one before: the minor code of a
    change that does not fit."""
    poid = preserved(world, po(b"x", id="x"))
    deposit = world.archive._deposit
    real, came = deposit.update, []

    def late(of: str, *rest: Any, **named: Any) -> Any:
        if not came:
            came.append(True)
            assert ask(world, "UpdatePOC", {"poId": of, "deltaPoc": [po(b"y", id="y")]}).json["versionId"] == "v2"
        return real(of, *rest, **named)

    monkeypatch.setattr(deposit, "update", late)
    refused = ask(world, "UpdatePOC", {"poId": poid, "deltaPoc": [po(b"z", id="z")]})

    assert result_of(refused) == (REQUESTER, "DeltaPOCInternalProblem")
    assert world.archive.show(poid, actor=OPERATOR).versions == (1, 2)
    assert [one["id"] for one in retrieved(world, poid, Subject.PO)] == ["x", "y"]
    again = ask(world, "UpdatePOC", {"poId": poid, "deltaPoc": [po(b"z", id="z")]})
    assert again.json["versionId"] == "v3"


def test_of_many_changes_at_once_each_is_kept_or_refused(world: HttpWorld) -> None:
    """Every one that was answered with success is in the last version, in as many versions."""
    poid, together = preserved(world, po(b"x", id="x")), threading.Barrier(4)

    def change(name: str) -> tuple[str, tuple[str, str | None]]:
        together.wait(20)
        answer = ask(world, "UpdatePOC", {"poId": poid, "deltaPoc": [po(name.encode(), id=name)]})
        return name, result_of(answer)

    with ThreadPoolExecutor(4) as pool:
        told = dict(pool.map(change, "abcd"))
    kept = sorted(name for name, result in told.items() if result == (SUCCESS, None))

    assert kept
    assert set(told.values()) <= {(SUCCESS, None), (REQUESTER, "DeltaPOCInternalProblem")}
    assert [one["id"] for one in retrieved(world, poid, Subject.PO)] == sorted([*kept, "x"])
    assert world.archive.show(poid, actor=OPERATOR).versions == tuple(range(1, len(kept) + 2))


def test_objects_of_either_interface_are_seen_in_the_other(world: HttpWorld) -> None:
    """Kept by the one, read by the other; metadata of the native interface stay, and gain only what is said here."""
    native = world.post(file("x/y.bin", b"bytes"), Part("metadata", b'{"title": "smlouva"}')).json["poid"]
    (one,) = retrieved(world, native, Subject.PO)
    assert (one["id"], one["mimeType"]) == ("x/y.bin", "application/octet-stream")
    assert ask(world, "UpdatePOC", {"poId": native, "deltaPoc": [po(b"z", id="z")]}).json["versionId"] == "v2"
    read = world.get(f"/v1/preservation-objects/{native}/files/metadata.json").get_data()
    assert json.loads(read) == {"title": "smlouva", "ts119512": {"po": {"z": {"mimeType": "text/plain"}}}}
    again = preserved(world, po(b"q", id="q.txt"))
    assert world.get(f"/v1/preservation-objects/{again}/files/q.txt").get_data() == b"q"


def test_metadata_of_the_whole_are_kept_and_found(world: HttpWorld) -> None:
    """Beside what is said of the objects, and under evidence like them."""
    title = po('{"title": "Kupní smlouva č. 7"}'.encode(), formatId=formats.METADATA)
    poid = preserved(world, po(b"x", id="smlouva.txt"), title)
    (document,) = retrieved(world, poid, Subject.PO)
    assert document["id"] == "smlouva.txt"
    partly = ask(world, "RetrievePO", {"poId": poid, "sor": Subject.DETACHED}).json["po"]
    kept = json.loads(next(content_of(one) for one in partly if one.get("formatId") == formats.METADATA))
    assert kept["title"] == "Kupní smlouva č. 7"
    world.archive.flush_trail()
    world.archive.searching.catch_up()
    assert ask(world, "Search", {"fi": "text=kupni+smlouva"}).json["poId"] == [poid]


@pytest.mark.parametrize(
    "said", [5, {"po": 5}, {"po": {"a.txt": 5}}, {"po": {"a.txt": {"formatId": 5, "mimeType": [], "relObj": "x"}}}]
)
def test_metadata_that_only_look_like_ours_do_no_harm(world: HttpWorld, said: Any) -> None:
    """They may be anybody's: what is not of the form is left out of the answer."""
    metadata = Part("metadata", json.dumps({"ts119512": said}).encode())
    poid = world.post(file("a.txt", b"x"), metadata).json["poid"]
    (one,) = retrieved(world, poid, Subject.PO)
    assert (one["mimeType"], "formatId" in one, "relObj" in one) == ("application/octet-stream", False, False)


# -- giving -------------------------------------------------------------------------------------


def test_evidence_is_given_inside_a_container_or_beside_the_objects(world: HttpWorld, evidenced: str) -> None:
    """ASiC-E unless the bundle is asked for; beside them, everything that the record covers comes."""
    (container,) = retrieved(world, evidenced, Subject.EMBEDDED)
    assert (
        container == retrieved(world, evidenced, Subject.EMBEDDED, poFormat=formats.ASIC_E, evFormat=EVIDENCE_RECORD)[0]
    )
    with zipfile.ZipFile(io.BytesIO(content_of(container))) as opened:
        assert any(name.endswith(".ers") for name in opened.namelist())
    (bundle,) = retrieved(world, evidenced, Subject.EMBEDDED, poFormat=formats.BUNDLE)
    with zipfile.ZipFile(io.BytesIO(content_of(bundle))) as opened:
        assert "bundle.json" in opened.namelist()
    beside = retrieved(world, evidenced, Subject.DETACHED, versionId=["v1"])
    assert [one["id"] for one in beside] == [
        "a/first.txt",
        "b.pdf",
        "/description.json",
        "/metadata.json",
        "/evidence/sha512.ers",
    ]


BAD_RETRIEVALS: dict[str, tuple[dict[str, Any], str]] = {
    "an unknown subject": ({"sor": "po"}, "parameterError"),
    "an unknown version": ({"versionId": ["v2"]}, "unknownVersionID"),
    "no version": ({"versionId": ["1"]}, "unknownVersionID"),
    "version zero": ({"versionId": ["v0"]}, "unknownVersionID"),
    "all and one": ({"versionId": ["all", "v1"]}, "parameterError"),
    "a version twice": ({"versionId": ["v1", "v1"]}, "parameterError"),
    "a version as text": ({"versionId": "v1"}, "parameterError"),
    "an unknown format": ({"poFormat": "urn:x"}, "unknownPOFormat"),
    "a container of documents": ({"sor": "PO", "poFormat": formats.ASIC_E}, "notSupported"),
    "another evidence format": ({"evFormat": "urn:ietf:rfc:6283:EvidenceRecord"}, "unknownEvidenceFormat"),
}


def test_what_cannot_be_given_is_refused_by_its_code(world: HttpWorld, evidenced: str) -> None:
    """Objects, versions, subjects and formats that there are not."""
    for name, (asked, minor) in BAD_RETRIEVALS.items():
        assert result_of(ask(world, "RetrievePO", {"poId": evidenced, **asked})) == (REQUESTER, minor), name
    for poid in (ABSENT, "x", evidenced.upper() + "0", "../x"):
        for operation in ("RetrievePO", "RetrieveTrace", "UpdatePOC", "DeletePO"):
            answer = ask(world, operation, {**OF_EACH[operation], "poId": poid}, operator(world))
            assert (answer.status_code, result_of(answer)) == (200, (REQUESTER, "unknownPOID")), (operation, poid)


def test_more_than_an_answer_carries_is_not_given(
    world: HttpWorld, evidenced: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each subject is bounded, and so is a change; the native interface streams it."""
    monkeypatch.setattr("api.ts119512.retrieving.MAX_PAYLOAD", 10)
    monkeypatch.setattr("api.ts119512.views.MAX_PAYLOAD", 10)
    for subject in Subject:
        assert result_of(ask(world, "RetrievePO", {"poId": evidenced, "sor": subject})) == (REQUESTER, "notSupported")
    change = {"poId": evidenced, "deltaPoc": [po(b"x")]}
    assert result_of(ask(world, "UpdatePOC", change)) == (REQUESTER, "notSupported")


@pytest.mark.slow
def test_damaged_copies_are_not_given(tmp_path: Path) -> None:
    """One damaged copy is served from the other; when no copy is good, that is our trouble and no bytes come."""
    with http_world(tmp_path) as world:
        poid = preserved(world, po(b"the very bytes", id="one.txt"))
        world.preserve()
        copies = sorted(world.home.rglob("one.txt"))
        assert len(copies) == 2
        for number, copy in enumerate(copies):
            copy.chmod(0o600)
            copy.write_bytes(b"THE very bytes")
            if number == 0:
                (one,) = retrieved(world, poid, Subject.PO)
                assert content_of(one) == b"the very bytes"
        for subject in (Subject.PO, Subject.DETACHED, Subject.EMBEDDED):
            answer = ask(world, "RetrievePO", {"poId": poid, "sor": subject})
            assert (answer.status_code, result_of(answer)) == (500, (RESPONDER, "internalError"))
            assert "po" not in answer.json
        record = retrieved(world, poid, Subject.EVIDENCE)
        judging = ask(world, "ValidateEvidence", {"ev": _as_evidence(record[0])}, world.key("auditor"))
        assert (judging.status_code, result_of(judging)) == (500, (RESPONDER, "internalError"))


# -- changing -----------------------------------------------------------------------------------


def test_a_change_adds_and_never_replaces(world: HttpWorld) -> None:
    """What is there already changes nothing; other bytes under a known id are refused; an empty change is none."""
    poid = preserved(world, po(b"one", id="one"))
    same = ask(world, "UpdatePOC", {"poId": poid, "deltaPoc": [po(b"one", id="one")]})
    assert (result_of(same), same.json["versionId"]) == ((SUCCESS, None), "v1")
    other = ask(world, "UpdatePOC", {"poId": poid, "deltaPoc": [po(b"ONE", id="one"), po(b"two")]})
    assert result_of(other) == (REQUESTER, "DeltaPOCInternalProblem")
    keyed = ask(world, "UpdatePOC", {"poId": poid, "deltaPoc": [po(b"two")]}, Idempotency_Key="k")
    assert result_of(keyed) == (REQUESTER, "notSupported")
    assert result_of(ask(world, "UpdatePOC", {"poId": poid, "deltaPoc": []})) == (REQUESTER, "parameterError")
    assert world.archive.show(poid, actor=OPERATOR).versions == (1,)
    again = ask(world, "UpdatePOC", {"poId": poid, "deltaPoc": [po(b"two", relObj=["one"])]})
    assert again.json["versionId"] == "v2"


@pytest.mark.slow
def test_a_change_of_what_has_changed_meanwhile_is_refused(world: HttpWorld, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing of the other version is lost: the change is to be sent again."""
    poid = preserved(world, po(b"one", id="one"))
    real = world.archive.contents

    def meanwhile(*args: Any, **said: Any) -> dict[str, bytes]:
        held = real(*args, **said)
        assert world.post(file("other", b"x"), address=f"/v1/preservation-objects/{poid}/versions").status_code == 201
        return held

    monkeypatch.setattr(world.archive, "contents", meanwhile)
    answer = ask(world, "UpdatePOC", {"poId": poid, "deltaPoc": [po(b"two", id="two")]})
    assert result_of(answer) == (REQUESTER, "DeltaPOCInternalProblem")
    assert world.archive.show(poid, actor=OPERATOR).versions == (1, 2)


def test_metadata_that_cannot_be_written_again_are_not_touched(world: HttpWorld) -> None:
    """A number with a fraction has no canonical form: such metadata stay, and the change is refused."""
    poid = world.post(file("a", b"x"), Part("metadata", b'{"a": 1.50}')).json["poid"]
    answer = ask(world, "UpdatePOC", {"poId": poid, "deltaPoc": [po(b"two")]})
    assert result_of(answer) == (REQUESTER, "DeltaPOCInternalProblem")


# -- deleting -----------------------------------------------------------------------------------


@pytest.mark.slow
def test_deleting_takes_evidence_with_it_unless_it_is_to_stay(world: HttpWorld) -> None:
    """The default mode leaves no evidence; a reason is needed; an unknown mode is refused."""
    poid = preserved(world, po(b"one"))
    world.preserve()
    who = operator(world)
    assert result_of(ask(world, "DeletePO", {"poId": poid}, who)) == (REQUESTER, "parameterError")
    assert result_of(ask(world, "DeletePO", {"poId": poid, "reason": "x", "mod": "All"}, who)) == (
        REQUESTER,
        "unknownMode",
    )
    assert world.archive.show(poid, actor=OPERATOR).destroyed is None
    assert result_of(ask(world, "DeletePO", {"poId": poid, "reason": "x"}, who)) == (SUCCESS, None)
    assert result_of(ask(world, "RetrievePO", {"poId": poid, "sor": "Evidence"})) == (REQUESTER, "unknownPOID")
    kept = ask(world, "DeletePO", {"poId": poid, "reason": "x", "mod": "OnlySubDOs"}, who)
    assert result_of(kept) == (REQUESTER, "notSupported")
    assert result_of(ask(world, "UpdatePOC", {"poId": poid, "deltaPoc": [po(b"y")]})) == (REQUESTER, "unknownPOID")
    assert ask(world, "RetrieveTrace", {"poId": poid}, who).json["trace"]["event"][-1]["op"] == "deletion"


# -- searching ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "filter_",
    ["text", "text=", "unknown=x", "text=a&text=b", "status=done", "limit=0", "limit=2000", "sha512=AB", "cursor=x",
     "received_from=yesterday", "text=%ff", "&".join(f"a{n}=1" for n in range(50))],
)  # fmt: skip
def test_a_filter_that_is_none_is_a_wrong_parameter(world: HttpWorld, filter_: str) -> None:
    """The same terms as the native search, and the same bounds."""
    assert result_of(ask(world, "Search", {"fi": filter_})) == (REQUESTER, "parameterError")


@pytest.mark.slow
def test_a_search_goes_on_where_it_ended(world: HttpWorld) -> None:
    """The place to go on stands among the optional outputs."""
    poids = {preserved(world, po(b"x", id=f"stranky-{n}")) for n in range(3)}
    world.archive.flush_trail()
    world.archive.searching.catch_up()
    found: list[str] = []
    place: str | None = ""
    while place is not None:
        asked = "text=stranky&limit=2" + (f"&cursor={place}" if place else "")
        answer = ask(world, "Search", {"fi": asked}).json
        found += answer["poId"]
        other = answer.get("optOut", {}).get("other", [])
        place = base64.b64decode(other[0]["val"]).decode() if other else None
    assert len(found) == 3
    assert set(found) == poids


# -- judging ------------------------------------------------------------------------------------


def judged(world: HttpWorld, ev: dict[str, Any], *pos: dict[str, Any]) -> tuple[Any, str, bool]:
    """Major code, verdict and whether existence is proven."""
    answer = ask(world, "ValidateEvidence", {"ev": ev, **({"po": list(pos)} if pos else {})}, world.key("auditor"))
    if "valRep" not in answer.json:
        return result_of(answer), "", "poe" in answer.json
    report = json.loads(content_of(answer.json["valRep"]))
    return result_of(answer)[0], report["verdict"], "poe" in answer.json


def test_evidence_is_judged_over_what_is_sent_or_held(world: HttpWorld, evidenced: str) -> None:
    """Good evidence passes both ways, over all of the group or one member of it."""
    *documents, record = retrieved(world, evidenced, Subject.DETACHED)
    sent = [{k: v for k, v in one.items() if k not in ("id", "relObj")} for one in documents]
    alone = _as_evidence(record)
    assert judged(world, alone) == (SUCCESS, "PASSED", True)
    assert judged(world, alone, *sent) == (SUCCESS, "PASSED", True)
    assert judged(world, alone, sent[0]) == (SUCCESS, "PASSED", True)
    said = world.archive.trace(evidenced, actor=OPERATOR)
    assert [event["outcome"] for event in said if event["type"] == "validation"] == ["success"] * 3


INSUFFICIENT = "urn:oasis:names:tc:dss:1.0:resultmajor:InsufficientInformation"


def test_evidence_that_does_not_hold_is_told_and_proves_nothing(world: HttpWorld, evidenced: str) -> None:
    """Tampered records and documents, evidence of others, garbage: judged, never proven, never an error."""
    *documents, record = retrieved(world, evidenced, Subject.DETACHED)
    other = preserved(world, po(b"other"))
    world.preserve()
    (foreign,) = retrieved(world, other, Subject.EVIDENCE)
    der = content_of(record)

    def flipped(place: int) -> bytes:
        spoilt = bytearray(der)
        spoilt[place] ^= 1
        return bytes(spoilt)

    def record_of(content: bytes) -> dict[str, Any]:
        return po(content, formatId=EVIDENCE_RECORD, poId=evidenced)

    spoilt = {**documents[0], "binaryData": {"value": base64.b64encode(b"FIRST").decode()}, "relObj": []}
    for name, found in {
        "another digest": judged(world, record_of(flipped(100))),
        "another signature": judged(world, record_of(flipped(-1))),
        "cut": judged(world, record_of(der[:-1])),
        "garbage": judged(world, record_of(b"x")),
        "empty": judged(world, record_of(b"")),
        "a spoilt document": judged(world, _as_evidence(record), spoilt, {**documents[1], "relObj": []}),
    }.items():
        assert found == (SUCCESS, "FAILED", False), name
    for name, found in {
        "of another object": judged(world, _as_evidence(foreign, poId=evidenced)),
        "over another document": judged(world, _as_evidence(record), po(b"else")),
        "over nothing": judged(world, {k: v for k, v in _as_evidence(record).items() if k not in ("poId", "verId")}),
    }.items():
        assert found[0] in (SUCCESS, INSUFFICIENT), name
        assert found[1] in ("FAILED", "INDETERMINATE"), name
        assert not found[2], name


def test_evidence_that_cannot_be_judged_is_refused_or_pending(world: HttpWorld, evidenced: str) -> None:
    """Other formats, versions and objects that there are not; what has no evidence yet is pending."""
    who = world.key("auditor")
    for ev in (
        po(b"x", formatId="urn:ietf:rfc:6283:EvidenceRecord"),
        po(b"x", mimeType="application/octet-stream"),
        po(b"x", formatId=EVIDENCE_RECORD, poId=ABSENT),
        po(b"x", formatId=EVIDENCE_RECORD, poId=evidenced, verId="v9"),
        po(b"x", formatId=EVIDENCE_RECORD, poId=evidenced, verId="1"),
        po(b"x", formatId=EVIDENCE_RECORD, verId="v1"),
    ):
        answer = ask(world, "ValidateEvidence", {"ev": ev}, who)
        assert result_of(answer)[0] == REQUESTER, ev
        assert "poe" not in answer.json
    waiting = preserved(world, po(b"waits"))
    ev = po(b"x", formatId=EVIDENCE_RECORD, poId=waiting)
    assert result_of(ask(world, "ValidateEvidence", {"ev": ev}, who)) == (PENDING, None)
    assert judged(world, ev, po(b"waits")) == (SUCCESS, "FAILED", False)


# -- what is not the client's fault ---------------------------------------------------------------


@pytest.mark.slow
def test_what_stands_in_the_way_is_told_by_its_code(world: HttpWorld, monkeypatch: pytest.MonkeyPatch) -> None:
    """No room, nothing taken in any more, too often, an authority that is away, an error of our own."""
    root = operator(world)
    keys = {}
    for organisation, limits in (("70891508", {"quota_objects": 0}), ("00064581", {"active": False})):
        made = world.client.post("/v1/organisations", json={"id": organisation, "name": "x"}, headers=root)
        assert made.status_code == 201
        keys[organisation] = world.key("depositor", organisation)
        changed = world.client.patch(f"/v1/organisations/{organisation}", json=limits, headers=root)
        assert changed.status_code == 200, changed.json
    full = ask(world, "PreservePO", OF_EACH["PreservePO"], keys["70891508"])
    assert (full.status_code, result_of(full)) == (200, (RESPONDER, "noSpaceError"))
    closed = ask(world, "PreservePO", OF_EACH["PreservePO"], keys["00064581"])
    assert result_of(closed) == (REQUESTER, "noPermission")

    _, secret = world.archive.create_key(label="r", role="auditor", originator=None, actor=OPERATOR, rate_per_minute=1)
    hasty = {"Authorization": f"Bearer {secret}"}
    answers = [ask(world, "RetrieveInfo", {}, hasty) for _ in range(12)]
    assert (answers[-1].status_code, result_of(answers[-1])) == (429, (REQUESTER, "noPermission"))
    assert int(answers[-1].headers["Retry-After"]) > 0

    def fails(error: Exception) -> Any:
        def failing(*args: Any, **said: Any) -> Any:
            raise error

        return failing

    monkeypatch.setattr(world.archive, "deposit", fails(TimestampAuthorityUnavailableError()))
    away = ask(world, "PreservePO", OF_EACH["PreservePO"])
    assert (away.status_code, result_of(away)) == (503, (RESPONDER, "externalServiceUnavailable"))
    assert away.headers["Retry-After"]
    monkeypatch.setattr(world.archive, "trace", fails(RuntimeError("secret detail")))
    ours = ask(world, "RetrieveTrace", {"poId": ABSENT}, world.key("auditor"))
    assert (ours.status_code, result_of(ours)) == (500, (RESPONDER, "internalError"))
    assert b"secret" not in ours.get_data()


def test_refusals_are_events_and_told_in_the_language_asked_for(world: HttpWorld) -> None:
    """One event for each, of the actor; the message in Czech where that is wanted."""
    before = len(world.refusals())
    answer = ask(world, "PreservePO", {"pro": PROFILE, "po": []}, Accept_Language="cs")
    assert answer.json["result"]["msg"]["lang"] == "cs"
    assert "Tohle služba nedělá" in answer.json["result"]["msg"]["value"]
    ask(world, "UpdatePOC", {"poId": ABSENT, "deltaPoc": [po(b"x")]})
    assert [code for _, code in world.refusals()[before:]] == ["not-supported", "unknown-object"]


def test_the_schema_can_refuse(world: HttpWorld) -> None:
    """It is no empty promise that every answer fits it."""
    good = ask(world, "RetrieveInfo", {"pro": PROFILE}).json
    assert complaints("PresRetrieveInfoResponse", good) == []
    profile = good["pro"][0]
    for broken in (
        {**good, "extra": 1},
        {k: v for k, v in good.items() if k != "result"},
        {**good, "result": {"maj": "urn:oasis:names:tc:dss:1.0:resultmajor:Done"}},
        {**good, "result": {**good["result"], "min": "urn:x"}},
        {**good, "pro": [{**profile, "psm": "WithMagic"}]},
        {**good, "pro": [{k: v for k, v in profile.items() if k != "pvp"}]},
        {**good, "pro": [{**profile, "eed": "100"}]},
    ):
        assert complaints("PresRetrieveInfoResponse", broken)
    assert complaints("PresRetrievePOResponse", {"result": good["result"], "po": [{"binaryData": {"value": ""}}]})
    assert complaints("PresRetrieveTraceResponse", {"result": good["result"]})
