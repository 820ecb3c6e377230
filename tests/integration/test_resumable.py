"""Uploads that go on where they were broken off (tus 1.0), and deposits of what was uploaded. Kills on either side are
in test_large_uploads.py."""

from __future__ import annotations

import base64
import hashlib
import io
import os
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from werkzeug.test import TestResponse

from api.multipart import BodyReader
from api.refusals import UploadBusyError
from api.resumable import AFTER_DEPOSIT, LIFE, MOST, Checksum, Uploads
from archive_core.errors import ConflictError, NotFoundError, SizeLimitError, TruncatedSubmissionError
from archive_core.lifecycle import Actor
from tests.integration.http_world import HttpWorld, http_world
from tests.world import SteppingClock

PIECE = "application/offset+octet-stream"
WHO = Actor("key-1", "depositor", "obec-a")


@pytest.fixture
def world(tmp_path: Path) -> Iterator[HttpWorld]:
    with http_world(tmp_path) as made:
        yield made


def tus(world: HttpWorld, method: str, address: str, data: bytes = b"", **headers: str) -> TestResponse:
    """One request of a client that speaks tus; header names with `_` for `-`, empty ones are left out."""
    given = {"Tus-Resumable": "1.0.0", **{name.replace("_", "-"): value for name, value in headers.items()}}
    if method == "PATCH":
        given.setdefault("Content-Type", PIECE)
    given = {name: value for name, value in given.items() if value}
    return world.client.open(address, method=method, data=data, headers={**world.key("depositor"), **given})


def begun(world: HttpWorld, length: int, **headers: str) -> str:
    answer = tus(world, "POST", "/v1/uploads", Upload_Length=str(length), **headers)
    assert answer.status_code == 201
    return str(answer.headers["Location"])


def checksum(algorithm: str, data: bytes) -> str:
    return f"{algorithm} {base64.b64encode(hashlib.new(algorithm, data).digest()).decode()}"


def uploaded(world: HttpWorld, data: bytes) -> str:
    """The id of a complete upload."""
    address = begun(world, len(data))
    assert tus(world, "PATCH", address, data, Upload_Offset="0").status_code == 204
    return address.rpartition("/")[2]


def deposit(world: HttpWorld, *files: dict[str, object], key: str = "", **more: object) -> TestResponse:
    headers = {**world.key("depositor"), **({"Idempotency-Key": key} if key else {})}
    return world.client.post("/v1/deposits", json={"files": list(files), **more}, headers=headers)


def test_what_is_spoken_is_said(world: HttpWorld) -> None:
    """Version, extensions and checksums; and the version in every answer."""
    said = tus(world, "OPTIONS", "/v1/uploads", Tus_Resumable="")

    assert said.status_code == 204
    assert said.headers["Tus-Version"] == said.headers["Tus-Resumable"] == "1.0.0"
    assert set(said.headers["Tus-Extension"].split(",")) == {"creation", "expiration", "checksum", "termination"}
    assert "sha1" in said.headers["Tus-Checksum-Algorithm"].split(",")
    assert tus(world, "HEAD", f"/v1/uploads/{'0' * 32}").headers["Tus-Resumable"] == "1.0.0"


def test_pieces_become_an_object(world: HttpWorld) -> None:
    """Three pieces, with and without checksum; what is deposited is exactly what was sent."""
    data = os.urandom(300_000)
    address = begun(world, len(data), Upload_Metadata="filename YS50eHQ=")
    for start, kind in ((0, "sha1"), (100_000, ""), (200_000, "sha512")):
        piece = data[start : start + 100_000]
        claimed = checksum(kind, piece) if kind else ""
        answer = tus(world, "PATCH", address, piece, Upload_Offset=str(start), Upload_Checksum=claimed)
        assert (answer.status_code, answer.headers["Upload-Offset"]) == (204, str(start + 100_000))
    head = tus(world, "HEAD", address)
    assert head.headers["Upload-Offset"] == head.headers["Upload-Length"] == "300000"
    assert head.headers["Upload-Metadata"] == "filename YS50eHQ="
    assert head.headers["Cache-Control"] == "no-store"
    upload = address.rpartition("/")[2]
    wanted = {"path": "spis/a.bin", "upload": upload, "sha512": hashlib.sha512(data).hexdigest()}
    made = deposit(world, wanted, metadata={"a": "ž"}, key="k")
    assert made.status_code == 201
    poid = made.json["poid"]
    assert world.get(f"/v1/preservation-objects/{poid}/files/spis/a.bin").data == data
    again = deposit(world, wanted, metadata={"a": "ž"}, key="k")
    assert (again.status_code, again.json["poid"], again.json["replayed"]) == (200, poid, True)
    assert deposit(world, {"path": "b.bin", "upload": upload}, key="k").status_code == 409


@pytest.mark.parametrize(
    ("headers", "data", "status"),
    [
        ({"Upload_Offset": "1"}, b"x", 409),
        ({"Upload_Offset": "-1"}, b"x", 400),
        ({"Upload_Offset": ""}, b"x", 400),
        ({"Tus_Resumable": ""}, b"x", 412),
        ({"Tus_Resumable": "0.2.2"}, b"x", 412),
        ({"Content_Type": "application/json"}, b"x", 415),
        ({}, b"x" * 11, 413),
        ({"Upload_Checksum": "md5 AAAA"}, b"x", 400),
        ({"Upload_Checksum": "sha1 not-base64!"}, b"x", 400),
        ({"Upload_Checksum": "sha1"}, b"x", 400),
        ({"Upload_Checksum": checksum("sha256", b"y")}, b"x", 460),
    ],
    ids=str,
)
def test_a_piece_that_is_wrong_is_refused_and_nothing_of_it_is_kept(
    world: HttpWorld, headers: dict[str, str], data: bytes, status: int
) -> None:
    """By the status that tus gives it; the upload goes on where it was."""
    address = begun(world, 10)
    answer = tus(world, "PATCH", address, data, **{"Upload_Offset": "0", **headers})

    assert answer.status_code == status
    assert answer.headers["Tus-Resumable"] == "1.0.0"
    assert tus(world, "HEAD", address).headers["Upload-Offset"] == "0"
    assert tus(world, "PATCH", address, b"0123456789", Upload_Offset="0").status_code == 204


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({}, 400),
        ({"Upload_Length": "x"}, 400),
        ({"Upload_Length": "9" * 18}, 413),
        ({"Upload_Length": "-1"}, 400),
        ({"Upload_Length": "1", "Upload_Metadata": "a " + "b" * 5000}, 400),
    ],
    ids=str,
)
def test_what_cannot_be_begun_is_refused(world: HttpWorld, headers: dict[str, str], status: int) -> None:
    """No length, one that is none, one beyond everything."""
    assert tus(world, "POST", "/v1/uploads", **headers).status_code == status


def test_what_is_not_complete_or_not_there_is_not_deposited(world: HttpWorld) -> None:
    """Nor what is deleted, what has another digest, or no file at all; nothing is stored."""
    part = begun(world, 10).rpartition("/")[2]
    whole = uploaded(world, b"whole")
    gone = uploaded(world, b"gone")
    assert tus(world, "DELETE", f"/v1/uploads/{gone}").status_code == 204
    assert tus(world, "HEAD", f"/v1/uploads/{gone}").status_code == 404
    other = hashlib.sha512(b"other").hexdigest()
    for files, status in (
        ([{"path": "a", "upload": part}], 409),
        ([{"path": "a", "upload": gone}], 404),
        ([{"path": "a", "upload": "../../x"}], 404),
        ([{"path": "a", "upload": whole, "sha512": other}], 422),
        ([{"path": "../a", "upload": whole}], 422),
        ([{"path": "a", "upload": whole, "x": 1}], 400),
        ([{"path": "a"}], 400),
        (["a"], 400),
        ([], 400),
    ):
        answer = world.client.post("/v1/deposits", json={"files": files}, headers=world.key("depositor"))
        assert answer.status_code == status, files
    assert world.get("/v1/preservation-objects").json["objects"] == []
    assert deposit(world, {"path": "a", "upload": whole}).status_code == 201


# -- the files beneath --------------------------------------------------------------------------


class Broken:
    """A body that gives some bytes and then fails."""

    def __init__(self, data: bytes, error: Exception) -> None:
        self._data = io.BytesIO(data)
        self._error = error

    def read(self, size: int = -1) -> bytes:
        found = self._data.read(size)
        if not found:
            raise self._error
        return found


@pytest.fixture
def uploads(tmp_path: Path) -> Uploads:
    clock = SteppingClock(datetime.now(UTC))
    made = Uploads(tmp_path / "uploads", now=clock.now, limit=10**9)
    made.clock = clock  # type: ignore[attr-defined]
    return made


def body(data: Any) -> BodyReader:
    return BodyReader(data if hasattr(data, "read") else io.BytesIO(data), limit=10**9)


def proven(data: bytes) -> Checksum:
    return Checksum("sha256", hashlib.sha256(data).digest())


def test_what_came_of_a_broken_piece_stays_unless_it_has_a_checksum(uploads: Uploads) -> None:
    """Then nothing of it does, also when the process died in the middle of it."""
    one = uploads.create(length=10, metadata="", actor=WHO)
    with pytest.raises(TruncatedSubmissionError):
        uploads.append(one.id, body(Broken(b"0123", ConnectionResetError())), offset=0, checksum=None, actor=WHO)
    assert uploads.get(one.id, actor=WHO).offset == 4
    broken = body(Broken(b"45", ConnectionResetError()))
    with pytest.raises(TruncatedSubmissionError):
        uploads.append(one.id, broken, offset=4, checksum=proven(b"456"), actor=WHO)
    assert uploads.get(one.id, actor=WHO).offset == 4

    class Killed(BaseException):
        """The process ends here."""

    killed = body(Broken(b"45", Killed()))  # type: ignore[arg-type]
    with pytest.raises(Killed):
        uploads.append(one.id, killed, offset=4, checksum=proven(b"456"), actor=WHO)
    again = Uploads(one.data.parent.parent, now=uploads._now, limit=10**9)
    assert again.get(one.id, actor=WHO).offset == 4
    assert again.append(one.id, body(b"456789"), offset=4, checksum=proven(b"456789"), actor=WHO).complete
    assert one.data.read_bytes() == b"0123456789"


def test_one_writes_at_a_time_and_a_depositor_keeps_writers_out(uploads: Uploads) -> None:
    """A second writer is told so, and one who deletes as well; several may deposit."""
    one = uploads.create(length=1, metadata="", actor=WHO)

    class Second:
        def read(self, size: int = -1) -> bytes:
            with pytest.raises(UploadBusyError):
                uploads.append(one.id, body(b"x"), offset=0, checksum=None, actor=WHO)
            with pytest.raises(UploadBusyError):
                uploads.delete(one.id, actor=WHO)
            return b""

    uploads.append(one.id, body(Second()), offset=0, checksum=None, actor=WHO)
    with pytest.raises(ConflictError), uploads.held([one.id], actor=WHO):
        pass
    uploads.append(one.id, body(b"x"), offset=0, checksum=None, actor=WHO)
    with uploads.held([one.id], actor=WHO), uploads.held([one.id], actor=WHO), pytest.raises(UploadBusyError):
        uploads.delete(one.id, actor=WHO)


def test_an_upload_is_its_organisation_s_and_ends(uploads: Uploads) -> None:
    """To others it is not there; its time begins anew with each piece, and is short after a deposit."""
    one = uploads.create(length=2, metadata="", actor=WHO)
    for stranger in (Actor("k", "depositor", "obec-b"), Actor("k", "depositor", "")):
        with pytest.raises(NotFoundError):
            uploads.get(one.id, actor=stranger)
    assert uploads.get(one.id, actor=Actor("k", "operator")).length == 2
    clock: SteppingClock = uploads.clock  # type: ignore[attr-defined]
    clock.advance(seconds=(LIFE - timedelta(hours=1)).total_seconds())
    uploads.append(one.id, body(b"x"), offset=0, checksum=None, actor=WHO)
    clock.advance(hours=2)
    uploads.append(one.id, body(b"x"), offset=1, checksum=None, actor=WHO)
    with uploads.held([one.id], actor=WHO) as held:
        uploads.deposited(held)
    assert uploads.sweep() == 0
    clock.advance(seconds=AFTER_DEPOSIT.total_seconds())
    with pytest.raises(NotFoundError):
        uploads.get(one.id, actor=WHO)
    assert uploads.sweep() == 1
    assert list(one.data.parent.parent.iterdir()) == []


def test_nobody_begins_uploads_without_end(uploads: Uploads, monkeypatch: pytest.MonkeyPatch) -> None:
    """So many of one organisation; another one's are not counted."""
    monkeypatch.setattr("api.resumable.MOST", 3)
    assert MOST == 1000
    for _ in range(3):
        uploads.create(length=1, metadata="", actor=WHO)
    with pytest.raises(ConflictError):
        uploads.create(length=1, metadata="", actor=WHO)
    uploads.create(length=1, metadata="", actor=Actor("k", "depositor", "obec-b"))
    with pytest.raises(SizeLimitError):
        uploads.create(length=10**9 + 1, metadata="", actor=WHO)
