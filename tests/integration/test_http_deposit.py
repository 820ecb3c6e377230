"""Deposits over HTTP: what is taken, and what is refused with nothing left behind."""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from archive_core.measure import SMALL
from tests.integration.http_world import BOUNDARY, HttpWorld, Part, body_of, file, http_world
from tests.sampling import quick_first


@pytest.fixture
def world(tmp_path: Path) -> Iterator[HttpWorld]:
    with http_world(tmp_path) as made:
        yield made


def digest_field(content: bytes, name: str = "sha512") -> str:
    value = base64.b64encode(hashlib.new(name, content).digest()).decode()
    return f"sha-{name[3:]}=:{value}:"


def problem(answer: object) -> str:
    assert answer.mimetype == "application/problem+json"  # type: ignore[attr-defined]
    return str(answer.json["type"]).removeprefix("urn:trusted-archive:problem:")  # type: ignore[attr-defined]


def test_a_deposit_is_acknowledged_and_comes_back_bit_exact(world: HttpWorld) -> None:
    """Files of any name and content, a 0-byte one among them, with metadata, come back as they went in."""
    contents = {"a.txt": b"", "složka/č 2.bin": bytes(range(256)) * 700, "c/d/e": b"\r\n--not-a-boundary\r\n"}
    answer = world.post(*[file(path, data) for path, data in contents.items()], Part("metadata", b'{"a": 1.5}'))
    made = answer.json

    assert answer.status_code == 201
    assert answer.headers["Location"] == f"/v1/preservation-objects/{made['poid']}"
    assert (made["version"], made["status"], made["originator"]) == (1, "replicated", "obec-a")
    assert world.staged() == []
    for path, data in contents.items():
        assert data == world.get(f"/v1/preservation-objects/{made['poid']}/files/{path}").data


def test_a_retry_with_the_same_key_is_the_same_object(world: HttpWorld) -> None:
    """201 the first time, 200 the second, one object."""
    first = world.post(file("a", b"x"), Idempotency_Key="retry-1")
    again = world.post(file("a", b"x"), Idempotency_Key="retry-1")

    assert (first.status_code, again.status_code) == (201, 200)
    assert first.json["poid"] == again.json["poid"]
    assert again.json["replayed"] is True
    assert len(world.get("/v1/preservation-objects").json["objects"]) == 1


def test_other_bytes_under_the_same_key_are_a_conflict(world: HttpWorld) -> None:
    """A key means one submission for ever."""
    world.post(file("a", b"x"), Idempotency_Key="retry-1")
    answer = world.post(file("a", b"y"), Idempotency_Key="retry-1")

    assert answer.status_code == 409
    assert problem(answer) == "idempotency-conflict"


def test_an_idempotency_key_is_utf_8(world: HttpWorld) -> None:
    """Any UTF-8 up to 255 bytes, as on the command line."""
    key = "č" * 127
    made = world.post(file("a", b"x"), Idempotency_Key=key.encode().decode("latin-1")).json
    shown = world.get(f"/v1/preservation-objects/{made['poid']}").json

    assert key == shown["idempotency_key"]


@pytest.mark.parametrize("key", ["", "a" * 256, "\xff"])
def test_an_idempotency_key_outside_its_bounds_is_refused(world: HttpWorld, key: str) -> None:
    """Empty, too long, not UTF-8."""
    answer = world.post(file("a", b"x"), Idempotency_Key=key)

    assert answer.status_code == 400
    assert problem(answer) == "usage"


def test_an_update_is_a_new_version_and_the_old_one_stays(world: HttpWorld) -> None:
    """Both versions are there, each with its own files."""
    poid = world.post(file("a", b"one")).json["poid"]
    answer = world.post(file("a", b"two"), address=f"/v1/preservation-objects/{poid}/versions")

    assert answer.status_code == 201
    assert answer.json["version"] == 2
    assert answer.headers["Location"] == f"/v1/preservation-objects/{poid}?version=2"
    assert world.get(f"/v1/preservation-objects/{poid}/files/a").data == b"two"
    assert world.get(f"/v1/preservation-objects/{poid}/files/a?version=1").data == b"one"


def test_claimed_digests_are_checked_wherever_they_stand(world: HttpWorld) -> None:
    """Part header, field and body header, right ones, are taken together."""
    claims = json.dumps({"a": {"sha512": hashlib.sha512(b"x").hexdigest().upper()}}).encode()
    parts = (
        file("a", b"x", f"Content-Digest: {digest_field(b'x')}", f"Repr-Digest: {digest_field(b'x', 'sha256')}"),
        Part("digests", claims),
    )
    answer = world.post(*parts, Content_Digest=digest_field(body_of(*parts), "sha256"))

    assert answer.status_code == 201


WRONG = "0" * 128

REFUSALS: dict[str, tuple[list[Part], int, str]] = {
    "no file": ([Part("metadata", b"{}")], 422, "empty-submission"),
    "no part at all": ([], 422, "empty-submission"),
    "parent folder": ([file("../a", b"x")], 422, "name-not-accepted"),
    "parent folder inside": ([file("a/../../b", b"x")], 422, "name-not-accepted"),
    "absolute path": ([file("/etc/passwd", b"x")], 422, "name-not-accepted"),
    "drive letter and backslash": ([file("C:\\a", b"x")], 422, "name-not-accepted"),
    "NUL in a name": ([file("a\0b", b"x")], 422, "name-not-accepted"),
    "control character": ([file("a\x07b", b"x")], 422, "name-not-accepted"),
    "reserved name": ([file("aux.txt", b"x")], 422, "name-not-accepted"),
    "empty name": ([file("", b"x")], 422, "name-not-accepted"),
    "trailing slash": ([file("a/", b"x")], 422, "name-not-accepted"),
    "name of 256 bytes": ([file("a" * 256, b"x")], 422, "name-not-accepted"),
    "same name twice": ([file("a", b"x"), file("a", b"x")], 422, "name-not-accepted"),
    "names that differ by case": ([file("a", b"x"), file("A", b"x")], 422, "name-not-accepted"),
    "names that differ by Unicode form": ([file("\u00e9", b"x"), file("e\u0301", b"x")], 422, "name-not-accepted"),
    "a file that is also a folder": ([file("a", b"x"), file("a/b", b"x")], 422, "name-not-accepted"),
    "file without a name": ([Part("file", b"x")], 400, "malformed-upload"),
    "unknown field": ([file("a", b"x"), Part("comment", b"x")], 400, "unknown-field"),
    "field twice": ([file("a", b"x"), Part("profile", b"basic-1"), Part("profile", b"basic-1")], 400, "usage"),
    "unknown profile": ([file("a", b"x"), Part("profile", b"nobody-knows-1")], 404, "unknown-profile"),
    "empty profile": ([file("a", b"x"), Part("profile", b"")], 400, "malformed-upload"),
    "profile that is not UTF-8": ([file("a", b"x"), Part("profile", b"\xff")], 400, "malformed-upload"),
    "overlong profile": ([file("a", b"x"), Part("profile", b"a" * 2000)], 413, "size-limit"),
    "metadata not JSON": ([file("a", b"x"), Part("metadata", b"{")], 422, "metadata-not-accepted"),
    "metadata not an object": ([file("a", b"x"), Part("metadata", b"[]")], 422, "metadata-not-accepted"),
    "metadata too deep": (
        [file("a", b"x"), Part("metadata", b'{"a":' * 500 + b"1" + b"}" * 500)],
        422,
        "metadata-not-accepted",
    ),
    "metadata too big": ([Part("metadata", b'{"a":"' + b"x" * 4_200_000 + b'"}')], 422, "metadata-not-accepted"),
    "wrong sha-512 on a part": (
        [file("a", b"x", f"Content-Digest: {digest_field(b'y')}")],
        422,
        "digest-mismatch",
    ),
    "wrong sha-256 on a part": (
        [file("a", b"x", f"Repr-Digest: {digest_field(b'y', 'sha256')}")],
        422,
        "digest-mismatch",
    ),
    "wrong digest on the metadata part": (
        [file("a", b"x"), Part("metadata", b"{}", None, (f"Content-Digest: {digest_field(b'[]')}",))],
        422,
        "digest-mismatch",
    ),
    "wrong digest in the field": (
        [file("a", b"x"), Part("digests", json.dumps({"a": {"sha512": WRONG}}).encode())],
        422,
        "digest-mismatch",
    ),
    "digest of a file that did not arrive": (
        [file("a", b"x"), Part("digests", json.dumps({"b": {"sha512": WRONG}}).encode())],
        422,
        "digest-mismatch",
    ),
    "digests of an unknown algorithm": (
        [file("a", b"x"), Part("digests", b'{"a": {"md5": "00000000000000000000000000000000"}}')],
        400,
        "usage",
    ),
    "digests without digest": ([file("a", b"x"), Part("digests", b'{"a": {}}')], 400, "usage"),
    "digests not JSON": ([file("a", b"x"), Part("digests", b"sha512")], 400, "usage"),
    "digests of the wrong shape": ([file("a", b"x"), Part("digests", b'{"a": "00"}')], 400, "usage"),
    "digest field that nobody can check": ([file("a", b"x", "Content-Digest: md5=:AAAA:")], 400, "usage"),
    "part with a content coding": ([file("a", b"x", "Content-Encoding: gzip")], 415, "unsupported-media-type"),
    "another organisation": ([file("a", b"x"), Part("originator", b"obec-b")], 403, "not-permitted"),
    "body over the limit": ([file("a", b"x" * (8 * 1024 * 1024))], 413, "size-limit"),
}


@pytest.mark.parametrize("case", quick_first(REFUSALS, 15))
def test_a_bad_deposit_is_refused_precisely_and_leaves_nothing(world: HttpWorld, case: str) -> None:
    """Each bad deposit has its own problem; nothing is stored, nothing is staged."""
    parts, status, code = REFUSALS[case]
    answer = (
        world.post(file("good/first", b"first"), *parts)
        if case not in ("no file", "no part at all")
        else world.post(*parts)
    )

    assert (status, code) == (answer.status_code, problem(answer))
    assert world.staged() == []
    assert world.get("/v1/preservation-objects").json["objects"] == []


@pytest.mark.parametrize("case", ["unknown field", "parent folder", "body over the limit", "another organisation"])
def test_a_refusal_at_the_edge_is_an_event(world: HttpWorld, case: str) -> None:
    """An attempt that never reaches the archive is in the trail all the same."""
    parts, _, code = REFUSALS[case]
    world.post(*parts)

    assert code in [found for _, found in world.refusals()]


def test_a_truncated_body_leaves_nothing(world: HttpWorld) -> None:
    """Cut anywhere, also inside the second file, the first is not kept."""
    whole = body_of(file("a", b"x" * 100_000), file("b", b"y" * 100_000))
    for length in (0, 10, 100, 100_050, 150_000, len(whole) - 3):
        answer = world.post_raw(whole[:length])

        assert (answer.status_code, problem(answer)) == (400, "truncated-submission")
        assert world.staged() == []


def test_a_body_shorter_than_announced_leaves_nothing(world: HttpWorld) -> None:
    """Content-Length is a promise."""
    whole = body_of(file("a", b"x"))
    answer = world.post_raw(whole, Content_Length=str(len(whole) + 10))

    assert (answer.status_code, problem(answer)) == (400, "truncated-submission")
    assert world.staged() == []


def test_an_announced_excess_is_refused_unread(world: HttpWorld) -> None:
    """A Content-Length over the limit needs no byte of the body."""
    answer = world.post_raw(b"", Content_Length=str(1 << 40))

    assert (answer.status_code, problem(answer)) == (413, "size-limit")


@pytest.mark.parametrize(
    ("content_type", "code"),
    [
        ("application/json", "unsupported-media-type"),
        ("text/plain", "unsupported-media-type"),
        ("multipart/form-data", "malformed-upload"),
        ("multipart/mixed; boundary=a", "unsupported-media-type"),
    ],
)
def test_another_media_type_is_refused(world: HttpWorld, content_type: str, code: str) -> None:
    """Only multipart/form-data with a boundary."""
    answer = world.post_raw(body_of(file("a", b"x")), Content_Type=content_type)

    assert code == problem(answer)


def test_a_content_coding_of_the_body_is_refused(world: HttpWorld) -> None:
    """A gzipped body would make digests and limits meaningless."""
    answer = world.post(file("a", b"x"), Content_Encoding="gzip")

    assert (answer.status_code, problem(answer)) == (415, "unsupported-media-type")


def test_a_wrong_digest_of_the_whole_body_is_refused(world: HttpWorld) -> None:
    """The request's own Content-Digest is checked."""
    answer = world.post(file("a", b"x"), Content_Digest=digest_field(b"something else"))

    assert (answer.status_code, problem(answer)) == (422, "digest-mismatch")
    assert world.get("/v1/preservation-objects").json["objects"] == []


def test_an_unknown_parameter_is_refused(world: HttpWorld) -> None:
    """A misspelt parameter does not pass silently."""
    answer = world.post(file("a", b"x"), address="/v1/preservation-objects?profil=basic-1")

    assert (answer.status_code, problem(answer)) == (400, "unknown-field")


def test_an_operator_of_no_organisation_may_name_one(world: HttpWorld) -> None:
    """The key's organisation, else the named one, else the default one."""
    operator = world.key("operator", None)

    assert world.post(file("a", b"x"), Part("originator", b"obec-z"), who=operator).json["originator"] == "obec-z"
    assert world.post(file("a", b"x"), who=operator).json["originator"] == "default"


def test_an_update_of_nothing_is_refused_before_its_body_is_read(world: HttpWorld) -> None:
    """Absent, foreign and misspelt objects are the same 404, whatever the body."""
    foreign = world.post(file("a", b"x"), who=world.key("depositor", "obec-b")).json["poid"]
    answers = [
        world.post_raw(b"rubbish", address=f"/v1/preservation-objects/{poid}/versions")
        for poid in (foreign, "0199b0c27d3e7000800000000000abcd", "nonsense")
    ]

    assert [(a.status_code, problem(a)) for a in answers] == [(404, "unknown-object")] * 3
    assert len({a.data for a in answers}) == 1


def test_staging_that_cannot_be_written_is_said_so(world: HttpWorld) -> None:
    """A full or missing staging directory is nobody's fault yet: 503 and try again."""
    world.settings.staging.rmdir()
    answer = world.post(file("a", b"x" * (SMALL + 1)))

    assert (answer.status_code, problem(answer)) == (503, "staging-unavailable")
    assert answer.headers["Retry-After"] == "5"


def test_more_files_than_any_profile_takes_are_refused_on_the_way(world: HttpWorld) -> None:
    """The count is checked file by file, not at the end."""
    limit = world.app.extensions["trusted_archive"].limits.files
    many = b"".join(
        f'--{BOUNDARY}\r\nContent-Disposition: form-data; name="file"; filename="{n}"\r\n\r\n\r\n'.encode()
        for n in range(limit + 1)
    )
    answer = world.post_raw(many)

    assert (answer.status_code, problem(answer)) == (413, "size-limit")
    assert answer.json["facts"] == {"limit": limit}
    assert world.staged() == []


def test_small_files_stay_in_memory_only_as_long_as_there_is_room(
    world: HttpWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of four files two fit; the others are staged; all come back the same."""
    from api import uploads

    staged: list[Path] = []
    real = uploads.PartStaging._file
    monkeypatch.setattr(uploads, "IN_MEMORY", 25)
    monkeypatch.setattr(
        uploads.PartStaging, "_file", lambda self, pieces: staged.append(made := real(self, pieces)) or made
    )
    contents = {name: name.encode() * 10 for name in "abcd"}
    answer = world.post(*(file(name, data) for name, data in contents.items()))
    poid = answer.get_json()["poid"]

    assert answer.status_code == 201
    assert len(staged) == 2
    for name, data in contents.items():
        assert world.get(f"/v1/preservation-objects/{poid}/files/{name}").data == data
    assert list(world.settings.staging.iterdir()) == []
