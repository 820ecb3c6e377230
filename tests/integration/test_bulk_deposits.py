"""Many objects in one request: each has an outcome of its own, in the order sent, whatever becomes of the others."""

from __future__ import annotations

import hashlib
import http.client
import io
import itertools
import json
import threading
from collections.abc import Iterable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from werkzeug.test import TestResponse

from api import bulk_intake as intake
from api.bulk_manifest import MAX_MANIFEST, MAX_OBJECTS, MAX_UPLOADS
from api.refusals import StagingUnavailableError
from archive_core.errors import CatalogueUnavailableError
from tests.integration.http_server import running_server
from tests.integration.http_world import BOUNDARY, MAX_UPLOAD, HttpWorld, Part, body_of, file, http_world, made_home
from tests.integration.test_http_deposit import digest_field, problem
from tests.integration.test_resumable import uploaded
from tests.sampling import quick_first

ADDRESS = "/v1/bulk-deposits"
NUMBERS = itertools.count(1)


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[HttpWorld]:
    with http_world(tmp_path_factory.mktemp("bulk")) as made:
        yield made


@pytest.fixture
def world(shared: HttpWorld) -> Iterator[HttpWorld]:
    """The archive of all tests, with a depositor of an organisation that has nothing yet."""
    shared.keys.clear()
    shared.key("operator", None)
    number = next(NUMBERS)
    for role in ("depositor", "auditor"):
        shared.key(role, f"org-{number}")
        shared.keys[f"{role}/obec-a"] = shared.keys[f"{role}/org-{number}"]
    yield shared
    assert shared.staged() == []


def described(key: str, content: bytes = b"x", **more: object) -> dict[str, object]:
    """An object with one file, whose part is called like its key."""
    return {"key": key, "files": [{"path": f"{key}.txt", "part": key}], **more}


def manifest(*objects: object) -> Part:
    return Part("manifest", json.dumps({"objects": list(objects)}).encode())


def send(world: HttpWorld, *parts: Part, who: dict[str, str] | None = None, **headers: str) -> TestResponse:
    return world.post(*parts, address=ADDRESS, who=who, **headers)


def outcomes(answer: TestResponse) -> list[str]:
    """One word each: `201`, `200` for one that was answered before, or the name of the problem."""
    assert answer.status_code == 200, answer.get_data(as_text=True)
    return [told(one) for one in answer.get_json()["outcomes"]]


def told(one: dict[str, Any]) -> str:
    assert ("problem" in one) != ("acknowledgement" in one)
    if "acknowledgement" in one:
        assert one["acknowledgement"]["replayed"] == (one["status"] == 200)
        return str(one["status"])
    assert one["problem"]["status"] == one["status"] >= 400
    return str(one["problem"]["type"]).removeprefix("urn:trusted-archive:problem:")


def poids_of(answer: TestResponse) -> list[str]:
    return [one["acknowledgement"]["poid"] for one in answer.get_json()["outcomes"]]


def held(world: HttpWorld) -> list[str | None]:
    """The idempotency key of every object of the organisation, in the order of their deposit."""
    page = world.get("/v1/preservation-objects?limit=1000", world.key("auditor")).get_json()
    return [one["idempotency_key"] for one in page["objects"]]


def test_each_object_is_deposited_for_itself(world: HttpWorld) -> None:
    """Three objects of several files, with metadata and a profile: acknowledged in order, and there bit for bit."""
    objects = [
        {"key": "a", "files": [{"path": "a/1", "part": "a1"}, {"path": "a/2", "part": "a2"}], "metadata": {"ž": [1]}},
        {"key": "b", "files": [{"path": "a/1", "part": "b1", "sha512": hashlib.sha512(b"B").hexdigest()}]},
        {"key": "c", "files": [{"path": "empty", "part": "c1"}], "profile": "signed-recorded-1"},
    ]
    contents = {"a1": b"1" * 300_000, "a2": b"\r\n--not\r\n", "b1": b"B", "c1": b""}
    answer = send(world, manifest(*objects), *(file(name, data) for name, data in contents.items()))
    made = [one["acknowledgement"] for one in answer.get_json()["outcomes"]]

    assert outcomes(answer) == ["201"] * 3
    assert [one["key"] for one in answer.get_json()["outcomes"]] == ["a", "b", "c"]
    assert held(world) == ["a", "b", "c"]
    for one, path, part in ((0, "a/1", "a1"), (0, "a/2", "a2"), (1, "a/1", "b1"), (2, "empty", "c1")):
        assert world.get(f"/v1/preservation-objects/{made[one]['poid']}/files/{path}").data == contents[part]
    shown = world.get(f"/v1/preservation-objects/{made[0]['poid']}/files/metadata.json").get_data(as_text=True)
    assert shown == '{"ž":[1]}\n'
    assert made[2]["profile"] == "signed-recorded-1"


BAD: dict[str, tuple[object, list[Part], str]] = {
    "not an object": ([1], [], "usage"),
    "no key": ({"files": [{"path": "a", "part": "bad"}]}, [file("bad", b"x")], "usage"),
    "key that is no text": ({"key": 1, "files": [{"path": "a", "part": "bad"}]}, [file("bad", b"x")], "usage"),
    "empty key": ({"key": "", "files": [{"path": "a", "part": "bad"}]}, [file("bad", b"x")], "submission"),
    "overlong key": ({"key": "č" * 200, "files": [{"path": "a", "part": "bad"}]}, [file("bad", b"x")], "submission"),
    "no files": ({"key": "bad"}, [], "usage"),
    "an empty list of files": ({"key": "bad", "files": []}, [], "empty-submission"),
    "a file that is no object": ({"key": "bad", "files": ["a"]}, [], "usage"),
    "a file without a path": ({"key": "bad", "files": [{"part": "bad"}]}, [file("bad", b"x")], "usage"),
    "a file without bytes": ({"key": "bad", "files": [{"path": "a"}]}, [], "usage"),
    "a file with part and upload": (
        {"key": "bad", "files": [{"path": "a", "part": "bad", "upload": "0" * 32}]},
        [file("bad", b"x")],
        "usage",
    ),
    "a part without a name": ({"key": "bad", "files": [{"path": "a", "part": ""}]}, [], "usage"),
    "a part that was named before": ({"key": "bad", "files": [{"path": "a", "part": "one"}]}, [], "usage"),
    "unknown member": (described("bad", comment="x"), [file("bad", b"x")], "unknown-field"),
    "unknown member of a file": (
        {"key": "bad", "files": [{"path": "a", "part": "bad", "md5": "x"}]},
        [file("bad", b"x")],
        "unknown-field",
    ),
    "a digest of the wrong form": (
        {"key": "bad", "files": [{"path": "a", "part": "bad", "sha512": "00"}]},
        [file("bad", b"x")],
        "usage",
    ),
    "another digest": (
        {"key": "bad", "files": [{"path": "a", "part": "bad", "sha512": "0" * 128}]},
        [file("bad", b"x" * 200_000)],
        "digest-mismatch",
    ),
    "another digest in the part's header": (
        described("bad"),
        [file("bad", b"x", f"Content-Digest: {digest_field(b'y')}")],
        "digest-mismatch",
    ),
    "two digests that contradict each other": (
        {"key": "bad", "files": [{"path": "a", "part": "bad", "sha512": "0" * 128}]},
        [file("bad", b"x", f"Content-Digest: {digest_field(b'x')}")],
        "usage",
    ),
    "a part that did not come": (described("bad"), [], "truncated-submission"),
    "one of two parts that did not come": (
        {"key": "bad", "files": [{"path": "a", "part": "bad"}, {"path": "b", "part": "bad-2"}]},
        [file("bad-2", b"x")],
        "truncated-submission",
    ),
    "parent folder": (
        {"key": "bad", "files": [{"path": "../a", "part": "bad"}]},
        [file("bad", b"x")],
        "name-not-accepted",
    ),
    "the same path twice": (
        {"key": "bad", "files": [{"path": "a", "part": "bad"}, {"path": "a", "part": "bad-2"}]},
        [file("bad", b"x"), file("bad-2", b"x")],
        "name-not-accepted",
    ),
    "unknown profile": (described("bad", profile="nobody-knows-1"), [file("bad", b"x")], "unknown-profile"),
    "metadata that is no object": (described("bad", metadata=[]), [file("bad", b"x")], "usage"),
    "metadata too big": (
        described("bad", metadata={"a": "x" * 4_200_000}),
        [file("bad", b"x")],
        "metadata-not-accepted",
    ),
    "another organisation": (described("bad", originator="obec-b"), [file("bad", b"x")], "not-permitted"),
    "an upload that is not there": ({"key": "bad", "files": [{"path": "a", "upload": "0" * 32}]}, [], "not-found"),
    "an upload that cannot be": ({"key": "bad", "files": [{"path": "a", "upload": "../x"}]}, [], "not-found"),
    "a key that stands for something else": (
        {"key": "taken", "files": [{"path": "a", "part": "bad"}]},
        [file("bad", b"x")],
        "idempotency-conflict",
    ),
}


def named(number: int, bad: object, parts: list[Part]) -> tuple[object, list[Part]]:
    """The case with names of parts that no other case has."""
    own = json.loads(json.dumps(bad).replace('"part": "bad', f'"part": "{number}-bad'))
    return own, [replace(part, filename=f"{number}-{part.filename}") for part in parts]


def test_those_that_are_refused_keep_nobody_out(world: HttpWorld) -> None:
    """Every bad object between good ones, in one request: each has its own problem, in its place, the others are
    acknowledged, and each refusal is told in the trail once."""
    world.post(file("another", b"content"), Idempotency_Key="taken")
    before = len(world.refusals())
    objects: list[object] = [described("one")]
    files = [file("one", b"1")]
    for number, (bad, parts, _) in enumerate(BAD.values()):
        own, sent = named(number, bad, parts)
        objects += [own, described(f"good-{number}")]
        files += [*sent, file(f"good-{number}", b"%d" % number)]
    said = outcomes(send(world, manifest(*objects), *files))

    assert dict(zip(BAD, said[1::2], strict=True)) == {case: code for case, (_, _, code) in BAD.items()}
    assert said[::2] == ["201"] * (len(BAD) + 1)
    assert set(held(world)) == {"taken", "one", *(f"good-{number}" for number in range(len(BAD)))}
    assert [code for _, code in world.refusals()[before:]] == said[1::2]


WHOLE: dict[str, tuple[list[Part], int, str]] = {
    "no part": ([], 400, "malformed-upload"),
    "a file before the manifest that it does not name": (
        [file("one", b"x"), file("stranger", b"x" * 200_000), manifest(described("one"))],
        400,
        "malformed-upload",
    ),
    "a file twice before the manifest": (
        [file("one", b"x")] * 2 + [manifest(described("one"))],
        400,
        "malformed-upload",
    ),
    "another field before the manifest": ([Part("profile", b"x"), manifest(described("one"))], 400, "malformed-upload"),
    "no manifest": ([file("one", b"x")], 400, "malformed-upload"),
    "not JSON": ([Part("manifest", b"{")], 400, "usage"),
    "no JSON object": ([Part("manifest", b"[]")], 400, "usage"),
    "unknown member": ([Part("manifest", b'{"objects": [], "x": 1}')], 400, "unknown-field"),
    "no list of objects": ([Part("manifest", b'{"objects": {}}')], 400, "usage"),
    "no object": ([Part("manifest", b'{"objects": []}')], 400, "usage"),
    "too many objects": ([manifest(*[1] * (MAX_OBJECTS + 1))], 400, "usage"),
    "nested too deeply": ([Part("manifest", b'{"objects": [' + b"[" * 50 + b"]" * 50 + b"]}")], 400, "usage"),
    "a fraction": ([Part("manifest", b'{"objects": [1.5]}')], 400, "usage"),
    "another digest of the manifest": (
        [Part("manifest", b'{"objects": [1]}', None, (f"Content-Digest: {digest_field(b'x')}",))],
        422,
        "digest-mismatch",
    ),
}


@pytest.mark.parametrize("case", quick_first(WHOLE, 4))
def test_a_manifest_that_cannot_be_read_refuses_the_whole(world: HttpWorld, case: str) -> None:
    """There are no objects to speak of: a problem of the request, and nothing is stored."""
    parts, status, code = WHOLE[case]
    before = len(world.refusals())
    answer = send(world, *parts)

    assert (answer.status_code, problem(answer)) == (status, code)
    assert held(world) == []
    assert [said for _, said in world.refusals()[before:]] == [code]


@pytest.mark.parametrize("header", ["Idempotency-Key", "Content-Digest", "Repr-Digest"])
def test_what_belongs_to_one_object_is_no_header(world: HttpWorld, header: str) -> None:
    """A claim that nobody would look at is refused."""
    answer = send(
        world, manifest(described("one")), file("one", b"x"), **{header.replace("-", "_"): digest_field(b"x")}
    )

    assert (answer.status_code, problem(answer)) == (400, "usage")
    assert held(world) == []


@pytest.mark.slow
def test_files_may_come_before_the_manifest(world: HttpWorld, monkeypatch: pytest.MonkeyPatch) -> None:
    """In any order, because generated clients cannot choose; what is wrong with one is still told of its object alone;
    not more of them than a limit."""
    objects = [*map(described, "ab"), {"key": "c", "files": [{"path": "c", "part": "c", "sha512": "0" * 128}]}]
    sent = [file("c", b"c"), file("b", b"b" * 300_000), file("a", b"a", f"Content-Digest: {digest_field(b'x')}")]
    answer = send(world, *sent, manifest(*objects, described("d")), file("d", b"d"))

    assert outcomes(answer) == ["digest-mismatch", "201", "digest-mismatch", "201"]
    twice = send(world, file("a", b"a"), manifest(*map(described, "ad")), file("a", b"a"), file("d", b"d"))
    assert outcomes(twice) == ["malformed-upload", "malformed-upload"]
    monkeypatch.setattr(intake, "MAX_EARLY", 2)
    answer = send(world, *sent, manifest(*objects))
    assert (answer.status_code, problem(answer)) == (413, "size-limit")


def test_a_manifest_is_bounded_as_it_comes(world: HttpWorld, monkeypatch: pytest.MonkeyPatch) -> None:
    """Not after it has been read whole."""
    assert MAX_MANIFEST <= 16 * 1024 * 1024
    monkeypatch.setattr(intake, "MAX_MANIFEST", 1000)
    answer = send(world, manifest(described("one", metadata={"a": "x" * 1000})))

    assert (answer.status_code, problem(answer)) == (413, "size-limit")
    assert answer.get_json()["facts"] == {"limit": 1000}


def test_a_request_sent_again_does_nothing_again(world: HttpWorld) -> None:
    """The whole of it, and once more with one object more: what is there is acknowledged as before."""
    parts = [file(key, key.encode()) for key in "abc"]
    first = send(world, manifest(*map(described, "ab")), *parts[:2])
    again = send(world, manifest(*map(described, "ab")), *parts[:2])
    more = send(world, manifest(*map(described, "abc")), *parts)

    assert [outcomes(one) for one in (first, again, more)] == [["201", "201"], ["200", "200"], ["200", "200", "201"]]
    poids = [
        [one["acknowledgement"]["poid"] for one in answer.get_json()["outcomes"]] for answer in (first, again, more)
    ]
    assert poids[0] == poids[1] == poids[2][:2]
    assert held(world) == ["a", "b", "c"]


def test_a_key_twice_in_one_request_is_one_object_or_a_conflict(world: HttpWorld) -> None:
    """The same submission twice is one object; another submission under the key is refused."""
    one = {"key": "k", "files": [{"path": "a", "part": "1"}]}
    same = {"key": "k", "files": [{"path": "a", "part": "2"}]}
    other = {"key": "k", "files": [{"path": "a", "part": "3"}]}
    answer = send(world, manifest(one, same, other), file("1", b"x"), file("2", b"x"), file("3", b"y"))

    said = outcomes(answer)
    assert sorted(said[:2]) in (["200", "201"], ["201", "201"])
    assert said[2] == "idempotency-conflict"
    assert held(world) == ["k"]


def test_uploads_become_objects_beside_parts(world: HttpWorld) -> None:
    """A file that was uploaded before stands beside one that comes now; another organisation's upload is none."""
    mine = uploaded(world, b"large")
    mixed = {"key": "a", "files": [{"path": "large", "upload": mine}, {"path": "small", "part": "1"}]}
    wrong = {"key": "b", "files": [{"path": "large", "upload": mine, "sha512": "0" * 128}]}
    answer = send(world, manifest(mixed, wrong), file("1", b"small"))

    assert outcomes(answer) == ["201", "digest-mismatch"]
    poid = answer.get_json()["outcomes"][0]["acknowledgement"]["poid"]
    assert world.get(f"/v1/preservation-objects/{poid}/files/large").data == b"large"
    theirs = send(world, manifest({**mixed, "key": "c"}), file("1", b"x"), who=world.key("depositor", "obec-b"))
    assert outcomes(theirs) == ["not-found"]


@pytest.mark.slow
def test_uploads_are_counted(world: HttpWorld) -> None:
    """Each is held open: the object with one too many is refused, and it alone."""
    files = [{"path": str(number), "upload": "0" * 32} for number in range(MAX_UPLOADS)]
    answer = send(
        world,
        manifest({"key": "a", "files": [*files, {"path": "x", "upload": "0" * 32}]}, described("one")),
        file("one", b"1"),
    )

    assert outcomes(answer) == ["usage", "201"]


@pytest.mark.slow
def test_an_organisation_s_keys_and_quota_are_its_own(world: HttpWorld) -> None:
    """The same keys of another organisation are new; what is over a quota is refused for itself."""
    operator = world.key("operator", None)
    world.client.post("/v1/organisations", json={"id": "70891508", "name": "x", "quota_objects": 2}, headers=operator)
    parts = [manifest(*map(described, "abc")), *(file(key, key.encode()) for key in "abc")]

    assert outcomes(send(world, *parts)) == ["201"] * 3
    limited = send(world, *parts, who=world.key("depositor", "70891508"))
    assert outcomes(limited) == ["201", "201", "quota-exceeded"]
    named = send(world, manifest(described("d", originator="70891508")), file("d", b"d"), who=operator)
    assert outcomes(named) == ["quota-exceeded"]


@pytest.mark.parametrize("role", ["auditor", "administrator"])
def test_who_may_not_deposit_may_not_deposit_many(world: HttpWorld, role: str) -> None:
    """Refused before anything is read."""
    assert send(world, manifest(described("one")), file("one", b"x"), who=world.key(role)).status_code == 403
    assert held(world) == []


CUTS = {
    b"objects": None,
    b"aaa": ["truncated-submission"] * 3,
    b"bbb": ["201", "truncated-submission", "truncated-submission"],
    b"ccc": ["201", "201", "truncated-submission"],
    b"--\r\n": ["201", "201", "truncated-submission"],
}


@pytest.mark.parametrize("where", quick_first(CUTS, 3), ids=lambda where: where.decode().strip())
def test_what_had_come_before_a_body_broke_off_is_deposited(world: HttpWorld, where: bytes) -> None:
    """Cut in the manifest, in an object, before the end of the last delimiter: what is acknowledged is there, the rest
    is refused, and the request may be sent again."""
    parts = [manifest(*map(described, "abc")), *(file(key, key.encode() * 1000) for key in "abc")]
    body = body_of(*parts)
    cut = body[: body.rindex(where)]
    expected = CUTS[where]
    answer = world.post_raw(cut, address=ADDRESS, Content_Length=str(len(body)))

    if expected is None:
        assert (answer.status_code, problem(answer)) == (400, "truncated-submission")
    else:
        assert outcomes(answer) == expected
    assert held(world) == list("abc")[: (expected or []).count("201")]
    assert set(outcomes(send(world, *parts))) <= {"200", "201"}


BROKEN: dict[str, list[Part]] = {
    "a part that nobody named": [file("stranger", b"x")],
    "a part whose turn is over": [file("a", b"x")],
    "another field": [Part("metadata", b"{}")],
    "a file without a name": [Part("file", b"x")],
    "a content coding": [file("b", b"x", "Content-Encoding: gzip")],
    "a header that cannot be read": [file("b", b"x", "No colon here")],
}


@pytest.mark.parametrize("case", quick_first(BROKEN, 2))
def test_a_body_that_is_not_as_announced_stops_there(world: HttpWorld, case: str) -> None:
    """Nobody can say what belongs to what any more: what came before is deposited, nothing after."""
    answer = send(
        world, manifest(*map(described, "abc")), file("a", b"a"), file("b", b"b"), *BROKEN[case], file("c", b"c")
    )
    code = "unsupported-media-type" if case == "a content coding" else "malformed-upload"

    assert outcomes(answer) == ["201", code, code]
    assert held(world) == ["a"]


@pytest.mark.slow
def test_a_body_over_the_limit_stops_there(world: HttpWorld) -> None:
    """Announced: nothing is read. Not announced: what came before is deposited."""
    parts = [manifest(*map(described, "ab")), file("a", b"a"), file("b", b"b" * MAX_UPLOAD)]
    announced = send(world, *parts)
    assert (announced.status_code, problem(announced)) == (413, "size-limit")
    chunked = world.client.post(
        ADDRESS,
        input_stream=io.BytesIO(body_of(*parts)),
        headers={**world.key("depositor"), "Content-Type": f"multipart/form-data; boundary={BOUNDARY}"},
        environ_overrides={"wsgi.input_terminated": True, "CONTENT_LENGTH": ""},
    )
    assert outcomes(chunked) == ["201", "size-limit"]


@pytest.mark.slow
def test_where_there_is_no_room_that_object_is_refused(world: HttpWorld, monkeypatch: pytest.MonkeyPatch) -> None:
    """A full disk while an object is staged: it may be sent again, the others are there."""
    real = intake.PartStaging._file
    failed: list[int] = []

    def full(self: intake.PartStaging, pieces: Iterator[bytes]) -> Path:
        failed.append(1)
        if len(failed) == 1:
            raise StagingUnavailableError("the upload cannot be taken in: no space")
        return real(self, pieces)

    monkeypatch.setattr(intake.PartStaging, "_file", full)
    big = b"x" * 300_000
    answer = send(world, manifest(*map(described, "abc")), file("a", b"a"), file("b", big), file("c", big))

    assert outcomes(answer) == ["201", "staging-unavailable", "201"]
    assert answer.get_json()["outcomes"][1]["retry_after"] == 5


@pytest.mark.slow
def test_when_the_catalogue_goes_away_what_was_acknowledged_stays_so(
    world: HttpWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The rest is refused as unavailable, one outcome for each object; sent again, everything is there once."""
    real = world.archive.organisations.require_active
    asked: list[str] = []

    def failing(originator: str) -> object:
        asked.append(originator)
        if len(asked) == 150:
            raise CatalogueUnavailableError("gone")
        return real(originator)

    monkeypatch.setattr(world.archive.organisations, "require_active", failing)
    keys = [f"k{number:03}" for number in range(200)]
    parts = [manifest(*map(described, keys)), *(file(key, key.encode()) for key in keys)]
    said = outcomes(send(world, *parts))

    assert len(said) == 200
    assert said[0] == "201"
    assert said[-1] == "catalogue-unavailable"
    assert len(held(world)) == said.count("201") < 150
    again = outcomes(send(world, *parts))
    assert again.count("200") == said.count("201")
    assert set(again) == {"200", "201"}
    assert sorted(filter(None, held(world))) == keys


@pytest.mark.slow
def test_memory_is_one_room_however_many_objects(world: HttpWorld, monkeypatch: pytest.MonkeyPatch) -> None:
    """Small files stay in memory while there is room, which is given back when their object is answered."""
    monkeypatch.setattr(intake, "IN_MEMORY", 1000)
    rooms: list[intake.Room] = []
    lowest: list[int] = []
    real = intake.PartStaging.keep

    def watched(self: intake.PartStaging, pieces: Iterator[bytes], claims: Iterable[str]) -> object:
        kept = real(self, pieces, claims)
        rooms.append(self._room)
        lowest.append(self._room.left)
        return kept

    monkeypatch.setattr(intake.PartStaging, "keep", watched)
    keys = [f"k{number:02}" for number in range(40)]
    answer = send(world, manifest(*map(described, keys)), *(file(key, b"x" * 100) for key in keys))

    assert outcomes(answer) == ["201"] * 40
    assert min(lowest) == 0
    assert {id(room) for room in rooms} == {id(rooms[0])}
    assert rooms[0].left == 1000


@pytest.mark.slow
def test_several_at_once_each_get_their_own_outcomes(world: HttpWorld) -> None:
    """Four requests with the same objects at the same moment: every object is there once, and all are told so."""
    keys = [f"k{number:03}" for number in range(40)]
    parts = [manifest(*map(described, keys)), *(file(key, key.encode()) for key in keys)]
    who = world.key("depositor")
    answers: list[TestResponse] = []
    threads = [threading.Thread(target=lambda: answers.append(send(world, *parts, who=who))) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    poids = [poids_of(answer) for answer in answers]
    assert len(answers) == 4
    assert poids[0] == poids[1] == poids[2] == poids[3]
    assert sorted(filter(None, held(world))) == keys


@pytest.mark.slow
def test_a_sender_that_stops_is_told_what_is_there(tmp_path: Path) -> None:
    """A real server, a body that stalls in its second object, some blocks after the first: that one is deposited, the
    answer comes in time, and the same request sent whole afterwards acknowledges it as before."""
    home = made_home(tmp_path / "home")
    body = body_of(manifest(*map(described, "ab")), file("a", b"a"), file("b", b"b" * 300_000))
    with running_server(home, patience=3.0) as server:
        headers = {
            "Authorization": f"Bearer {server.key}",
            "Content-Type": f"multipart/form-data; boundary={BOUNDARY}",
            "Content-Length": str(len(body)),
        }
        said = []
        for sent in (body[: body.index(b"bbb") + 200_000], body):
            connection = http.client.HTTPConnection(server.host, server.port, timeout=30)
            connection.putrequest("POST", ADDRESS)
            for name, value in headers.items():
                connection.putheader(name, value)
            connection.endheaders()
            connection.send(sent)
            answer = connection.getresponse()
            said.append([told(one) for one in json.loads(answer.read())["outcomes"]])
            connection.close()

    assert said == [["201", "stalled-upload"], ["200", "201"]]
