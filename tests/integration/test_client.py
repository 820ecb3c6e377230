"""The client for Python: what it sends, what it makes of answers, and when it tries again."""

from __future__ import annotations

import base64
import hashlib
import json
import os
import re
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import trusted_archive_client as tac
from trusted_archive_client import client as client_module
from trusted_archive_client.errors import problem_class
from trusted_archive_client.transport import retry_after
from werkzeug.serving import make_server

from api.problem_texts import error_classes
from archive_core.errors import ArchiveError
from signing.webhooks import signature
from tests.integration.http_world import HttpWorld, http_world
from tests.vectors import REPOSITORY

PACKAGE = REPOSITORY / "clients" / "python"
SECRET = "whsec_" + base64.b64encode(bytes(range(32))).decode()


@dataclass
class Live:
    """The real application behind a socket, and a client of it that waits for nothing."""

    world: HttpWorld
    url: str
    slept: list[float] = field(default_factory=list)

    def client(self, role: str = "depositor", **more: Any) -> tac.Client:
        key = self.world.key(role, None if role == "operator" else "obec-a")["Authorization"].removeprefix("Bearer ")
        return tac.Client(self.url, key, sleep=self.slept.append, **more)


@pytest.fixture(scope="module")
def live(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Live]:
    with http_world(tmp_path_factory.mktemp("client")) as world:
        server = make_server("127.0.0.1", 0, world.app, threaded=True)
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield Live(world, f"http://127.0.0.1:{server.server_port}")
        finally:
            server.shutdown()
            thread.join()
            server.server_close()


@pytest.mark.slow
def test_it_needs_nothing_but_python(tmp_path: Path) -> None:
    """In an interpreter that sees no other package it is imported whole, and says that it is typed."""
    code = (
        f"import sys; sys.path.insert(0, {str(PACKAGE)!r}); import trusted_archive_client;"
        "print(*sorted({name.partition('.')[0] for name in sys.modules} - sys.stdlib_module_names))"
    )
    done = subprocess.run([sys.executable, "-I", "-S", "-c", code], cwd=tmp_path, capture_output=True, text=True)

    assert done.returncode == 0, done.stderr
    assert done.stdout.split() == ["__main__", "trusted_archive_client"] or done.stdout.split() == [
        "trusted_archive_client"
    ]
    assert (PACKAGE / "trusted_archive_client" / "py.typed").is_file()


def test_from_deposit_to_proof(live: Live, tmp_path: Path) -> None:
    """Deposit, the same again, an update, what changed, the evidence, and everything back; each step with its proof."""
    letter = tmp_path / "a.pdf"
    letter.write_bytes(os.urandom(600_000))
    files: dict[str, tac.Source] = {"složka/č 1.pdf": letter, "b.txt": b"", 'q".txt': b"x"}
    with live.client() as archive:
        begun = archive.changes()
        made = archive.deposit(files, key="č/1", metadata={"věc": "Zápůjčka"})
        again = archive.deposit(files, key="č/1", metadata={"věc": "Zápůjčka"})
        assert (made.version, made.status, made.replayed) == (1, "replicated", False)
        assert again.poid == made.poid
        assert again.replayed
        with pytest.raises(tac.IdempotencyConflictError):
            archive.deposit({"b.txt": b"other"}, key="č/1")
        with pytest.raises(tac.EvidencePendingError):
            archive.receipt(made.poid)
        with pytest.raises(tac.EvidencePendingError):
            archive.wait_for_evidence(made.poid, within=3, every=1)
        live.world.preserve()
        live.world.archive.flush_trail()
        shown = archive.wait_for_evidence(made.poid, within=10)
        assert (shown.status, shown.idempotency_key, shown.test_trust) == ("evidenced", "č/1", True)
        assert {one.path for one in shown.files if one.role == "document"} == set(files)
        changed = [one.change for page in archive.follow(begun.next) for one in page.changes if one.poid == made.poid]
        assert changed == ["replicated", "evidenced"]
        receipt = archive.receipt(made.poid)
        checked = tac.check_receipt(receipt, acknowledged=made, files=files)
        tac.verify_seal(checked, live.world.home / "trust" / "test-ca.pem")
        assert checked.proof_of_existence == shown.proof_of_existence
        back = tmp_path / "back"
        assert archive.download(made.poid, "složka/č 1.pdf", back) == hashlib.sha512(back.read_bytes()).hexdigest()
        assert back.read_bytes() == letter.read_bytes()
        archive.bundle(made.poid, tmp_path / "bundle.zip")
        assert archive.evidence(made.poid)[:1] == b"\x30"
        updated = archive.update(made.poid, {"b.txt": b"two"}, key="č/2")
        assert (updated.poid, updated.version) == (made.poid, 2)
        live.world.archive.searching.catch_up()
        assert [one.poid for one in archive.search("zapujcka")] == [made.poid]
    assert sorted(tmp_path.iterdir()) == [letter, back, tmp_path / "bundle.zip"]


def receipt_of(live: Live, tmp_path: Path) -> tuple[bytes, tac.Acknowledgement]:
    with live.client() as archive:
        made = archive.deposit({"a.txt": b"the letter", "b.txt": b"other"}, key=f"receipt {tmp_path.name}")
        live.world.preserve()
        return archive.receipt(made.poid), made


def changed(receipt: bytes, change: Callable[[dict[str, Any]], object]) -> bytes:
    value = json.loads(receipt)
    change(value)
    return json.dumps(value).encode()


def inner(value: dict[str, Any], name: str, change: Callable[[dict[str, Any]], object]) -> None:
    told = json.loads(base64.b64decode(value[name]))
    change(told)
    value[name] = base64.b64encode(json.dumps(told).encode()).decode()


FORGERIES: dict[str, Callable[[dict[str, Any]], object]] = {
    "another format": lambda one: one.update(format="x"),
    "another object": lambda one: one.update(poid="0" * 32),
    "a description that was changed": lambda one: inner(one, "description", lambda it: it.update(nonce="0" * 64)),
    "a file that was exchanged": lambda one: inner(
        one, "description", lambda it: it["files"][0]["digests"].update(sha512="0" * 128)
    ),
    "a root that was not sealed": lambda one: inner(
        one, "statement", lambda it: it["roots"]["sha512"].update(root="0" * 128)
    ),
    "a line that is missing": lambda one: one["path"].clear(),
    "a member more": lambda one: one["path"]["sha512"]["leaf_members"].append("f" * 128),
    "a sibling more": lambda one: one["path"]["sha512"]["siblings"].append("0" * 128),
    "another digest": lambda one: one["path"]["sha512"].update(digest="md5"),
    "no description": lambda one: one.pop("description"),
    "no base64": lambda one: one.update(description="*"),
}


@pytest.mark.slow
def test_a_forged_receipt_is_refused(live: Live, tmp_path: Path) -> None:
    """Whatever is changed in it, and whatever other deposit or files it is held against; and a seal over something else
    is no seal."""
    receipt, made = receipt_of(live, tmp_path)
    good = tac.check_receipt(receipt, acknowledged=made, files={"a.txt": b"the letter", "b.txt": b"other"})
    for case, change in FORGERIES.items():
        with pytest.raises(tac.ReceiptError):
            print(case, tac.check_receipt(changed(receipt, change)))
    for files in ({"a.txt": b"the letter"}, {"a.txt": b"another", "b.txt": b"other"}):
        with pytest.raises(tac.ReceiptError, match="other files"):
            tac.check_receipt(receipt, files=files)
    with pytest.raises(tac.ReceiptError, match="another object"):
        tac.check_receipt(receipt, acknowledged=tac.Acknowledgement.of({**_ack(made), "version": 2}))
    with pytest.raises(tac.ReceiptError, match="acknowledged"):
        tac.check_receipt(receipt, acknowledged=tac.Acknowledgement.of({**_ack(made), "description_sha512": "0" * 128}))
    trust = live.world.home / "trust" / "test-ca.pem"
    tac.verify_seal(good, trust)
    forged = tac.CheckedReceipt(**{**{name: getattr(good, name) for name in good.__slots__}, "statement": b"{}"})
    with pytest.raises(tac.ReceiptError, match="seal is not good"):
        tac.verify_seal(forged, trust)


def _ack(made: tac.Acknowledgement) -> dict[str, Any]:
    return {**{name: getattr(made, name) for name in made.__slots__}, "received": "2026-01-01T00:00:00Z", "stores": []}


@pytest.mark.slow
def test_many_objects_get_their_own_outcomes(live: Live, tmp_path: Path) -> None:
    """In order over several requests: acknowledged, refused for good, and acknowledged as before."""
    big = tmp_path / "big"
    big.write_bytes(b"x" * 400_000)
    with live.client() as archive:
        stored = archive.upload(big, piece=150_000)
        objects = [
            tac.NewObject("many-1", {"a.txt": b"1", "b/big": big}, {"a": 1}),
            tac.NewObject("many-2", {"../a": b"2"}),
            tac.NewObject("many-3", {"up": stored, "c.txt": b"3"}),
            tac.NewObject("many-1", {"a.txt": b"1", "b/big": big}, {"a": 1}),
        ]
        told = list(archive.deposit_many(objects, most=2))

        assert [one.key for one in told] == ["many-1", "many-2", "many-3", "many-1"]
        made = [one.acknowledgement for one in told]
        assert isinstance(told[1].problem, tac.NotAcceptedError)
        assert told[1].problem.code == "name-not-accepted"
        assert made[0] is not None
        assert made[2] is not None
        assert made[3] is not None
        assert made[3].replayed
        assert made[0].poid == made[3].poid
        archive.download(made[2].poid, "up", tmp_path / "back")
    assert (tmp_path / "back").read_bytes() == big.read_bytes()


@pytest.mark.slow
def test_an_upload_goes_on_in_another_process(live: Live, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Broken off after some pieces, it is gone on with by its id, and only what is missing is sent."""
    large = tmp_path / "large"
    large.write_bytes(os.urandom(1_000_000))
    begun: list[str] = []
    sent: list[int] = []
    real = client_module.Client._piece

    def breaks(self: tac.Client, address: str, source: Path, start: int, stop: int) -> int:
        if len(sent) == 3:
            raise KeyboardInterrupt
        sent.append(start)
        return real(self, address, source, start, stop)

    monkeypatch.setattr(client_module.Client, "_piece", breaks)
    with live.client() as archive, pytest.raises(KeyboardInterrupt):
        archive.upload(large, begun=begun.append, piece=200_000)
    sent[:] = [0]
    with live.client() as archive:
        made = archive.deposit_uploads({"a": archive.upload(large, upload=begun[0], piece=200_000)}, key="uploaded")
        assert sent == [0, 600_000, 800_000]
        assert made.size == 1_000_000
        with pytest.raises(tac.NotFoundError):
            archive.upload(large, upload="0" * 32)


def test_refusals_are_told_apart(live: Live) -> None:
    """Each by a class of its own, in the language that was asked for, and none of these is tried again."""
    live.slept.clear()
    with live.client() as archive, live.client("auditor", language="cs") as auditor:
        with pytest.raises(tac.NotFoundError):
            archive.show("0199b0c27d3e7000800000000000abcd")
        with pytest.raises(tac.NotAcceptedError) as refused:
            archive.deposit({}, key="x")
        assert refused.value.code == "empty-submission"
        with pytest.raises(tac.NotPermittedError) as denied:
            auditor.deposit({"a": b"x"}, key="x")
        assert "oprávnění" in denied.value.title
        with pytest.raises(tac.UsageError):
            archive.changes("nonsense")
        with pytest.raises(ValueError, match="cannot be sent"):
            archive.deposit({"a\r\nb": b"x"}, key="x")
    with tac.Client(live.url, "wrong") as stranger, pytest.raises(tac.UnauthenticatedError):
        stranger.changes()
    assert live.slept == []


def test_every_problem_of_the_store_has_its_family() -> None:
    """What the store calls unavailable is worth another try, and what it calls wrong is not."""
    families = {
        400: tac.UsageError,
        401: tac.UnauthenticatedError,
        403: tac.NotPermittedError,
        404: tac.NotFoundError,
        409: tac.ConflictError,
        422: tac.NotAcceptedError,
        500: tac.ServerError,
        503: tac.UnavailableError,
    }
    kinds = [kind for kind in error_classes() if kind is not ArchiveError]
    assert len(kinds) > 50
    for kind in kinds:
        found = problem_class(kind("").code, kind.http_status)
        assert issubclass(found, families.get(kind.http_status, tac.ProblemError)) or found.retriable, kind
        assert found.retriable or kind.http_status not in (408, 423, 429, 460, 503)
    assert problem_class("of-tomorrow", 422) is tac.NotAcceptedError
    assert problem_class("of-tomorrow", 599) is tac.ServerError


# -- trying again -------------------------------------------------------------------------------


@dataclass
class Scripted:
    """Answers bytes as written, one connection after the other; None ends a connection without a word."""

    url: str
    heard: list[bytes] = field(default_factory=list)


@contextmanager
def scripted(*answers: bytes | None) -> Iterator[Scripted]:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        made = Scripted(f"http://127.0.0.1:{listener.getsockname()[1]}")

        def run() -> None:
            for answer in answers:
                connection, _ = listener.accept()
                with connection:
                    made.heard.append(heard(connection))
                    if answer is not None:
                        connection.sendall(answer)

        thread = threading.Thread(target=run, daemon=True)
        thread.start()
        yield made
        thread.join(10)
        assert not thread.is_alive(), "fewer requests came than were expected"


def heard(connection: socket.socket) -> bytes:
    """A whole request."""
    data = b""
    while b"\r\n\r\n" not in data:
        data += connection.recv(65536)
    head, _, body = data.partition(b"\r\n\r\n")
    length = re.search(rb"content-length: (\d+)", head, re.IGNORECASE)
    while length is not None and len(body) < int(length[1]):
        body += connection.recv(65536)
    return head + b"\r\n\r\n" + body


def answer(status: int, body: bytes, *lines: str, kind: str = "application/json", length: int | None = None) -> bytes:
    head = [f"HTTP/1.1 {status} X", f"Content-Type: {kind}", f"Content-Length: {length or len(body)}", *lines]
    return "\r\n".join([*head, "Connection: close", "", ""]).encode() + body


def problem(code: str, status: int, *lines: str) -> bytes:
    body = json.dumps({"type": f"urn:trusted-archive:problem:{code}", "title": code, "status": status}).encode()
    return answer(status, body, *lines, kind="application/problem+json")


PAGE = answer(200, b'{"changes": [], "next": "c1", "more": false}')
QUICK = tac.Retry(give_up_after=100.0, first=1.0, most=8.0)


class Time:
    """Passes when somebody sleeps."""

    def __init__(self) -> None:
        self.at = 0.0
        self.slept: list[float] = []

    def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.at += seconds

    def client(self, url: str, retry: tac.Retry = QUICK) -> tac.Client:
        return tac.Client(url, "key", retry=retry, sleep=self.sleep, now=lambda: self.at)


def test_what_may_pass_is_tried_again_as_the_store_says() -> None:
    """No answer, 503, 429 and a proxy's 502, then the answer; pauses as `Retry-After` says, or growing."""
    time = Time()
    busy = problem("rate-limited", 429, "Retry-After: 7")
    away = problem("store-unavailable", 503, "Retry-After: 5")
    with (
        scripted(None, away, busy, answer(502, b"<html>", kind="text/html"), None, PAGE) as store,
        time.client(store.url) as archive,
    ):
        assert archive.changes().next == "c1"
    assert time.slept[1:3] == [5.0, 7.0]
    grown = [time.slept[0], *time.slept[3:]]
    assert len(time.slept) == 5
    assert all(least / 2 <= pause <= least for pause, least in zip(grown, (1.0, 8.0, 8.0), strict=True))
    assert len(store.heard) == 6


@pytest.mark.parametrize(
    ("said", "kind"),
    [
        (problem("usage", 400), tac.UsageError),
        (problem("unauthenticated", 401), tac.UnauthenticatedError),
        (problem("internal", 500), tac.ServerError),
        (answer(200, b"<html>login</html>", kind="text/html"), tac.UnexpectedAnswerError),
        (answer(404, b"<html>", kind="text/html"), tac.UnexpectedAnswerError),
        (answer(200, b'{"changes": [{}], "next": "c1", "more": false}'), tac.UnexpectedAnswerError),
        (answer(200, b"[]"), tac.UnexpectedAnswerError),
    ],
    ids=["400", "401", "500", "200 of a proxy", "404 of a proxy", "a member missing", "no object"],
)
def test_what_would_not_help_is_not_tried_again(said: bytes, kind: type[Exception]) -> None:
    """One request, and its own error."""
    time = Time()
    with scripted(said) as store, time.client(store.url) as archive, pytest.raises(kind):
        archive.changes()
    assert time.slept == []


def test_patience_has_an_end() -> None:
    """Of the call as a whole: no pause goes beyond it, and the last reason is told."""
    time = Time()
    away = problem("store-unavailable", 503, "Retry-After: 30")
    with scripted(away, away, away, away) as store, time.client(store.url) as archive:
        with pytest.raises(tac.UnavailableError) as last:
            archive.changes()
        assert last.value.retry_after == 30
    assert time.slept == [30.0] * 3
    with (
        time.client("http://127.0.0.1:9", tac.Retry(give_up_after=3.0)) as archive,
        pytest.raises(tac.UnreachableError),
    ):
        archive.changes()
    assert retry_after("Mon, 23 Nov 2026 10:00:00 GMT") is None


def test_a_deposit_is_sent_again_whole_under_its_key(tmp_path: Path) -> None:
    """The same octets each time, but for the boundary; a file that is gone meanwhile is told, not tried again."""
    time = Time()
    made = {**_ack_json(), "replayed": True}
    document = tmp_path / "a"
    document.write_bytes(b"x" * 700_000)
    with scripted(None, answer(200, json.dumps(made).encode())) as store, time.client(store.url) as archive:
        assert archive.deposit({"a": document}, key="č/1").replayed
    heads, bodies = zip(*(one.split(b"\r\n\r\n", 1) for one in store.heard), strict=True)
    assert all("Idempotency-Key: č/1".encode() in head for head in heads)
    assert all(b"x" * 700_000 in body and b"Content-Digest: sha-512=:" in body for body in bodies)
    gone = client_module.Body("x", [(tmp_path / "none", 0, 5)])
    with scripted() as store, time.client(store.url) as archive, pytest.raises(FileNotFoundError):
        archive.deposit({"a": tmp_path / "none"}, key="x")
    with (
        socket.create_server(("127.0.0.1", 0)) as listener,
        time.client(f"http://127.0.0.1:{listener.getsockname()[1]}") as archive,
        pytest.raises(tac.UnreadableSourceError),
    ):
        archive._transport.call("POST", "/x", body=gone)


def _ack_json() -> dict[str, object]:
    return {
        **dict.fromkeys(("poid", "status", "originator", "profile", "description_sha512"), "x"),
        **dict.fromkeys(("version", "size", "file_count"), 1),
        "received": "2026-01-01T00:00:00Z",
        "stores": [],
        "replayed": False,
    }


def test_an_answer_that_comes_before_all_was_sent_counts() -> None:
    """A server that refuses and closes after the head is understood, not asked again and again."""
    time = Time()
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def refuse() -> None:
            connection, _ = listener.accept()
            connection.recv(4096)
            connection.sendall(problem("size-limit", 413))
            connection.shutdown(socket.SHUT_WR)
            with connection:
                while connection.recv(65536):
                    pass

        thread = threading.Thread(target=refuse, daemon=True)
        thread.start()
        with (
            time.client(f"http://127.0.0.1:{listener.getsockname()[1]}") as archive,
            pytest.raises(tac.NotAcceptedError),
        ):
            archive.deposit({"a": b"x" * 3_000_000}, key="x")
        thread.join(10)
    assert time.slept == []


def test_a_download_goes_on_where_it_broke_off(tmp_path: Path) -> None:
    """With `Range` and `If-Range`; where the server begins anew, so does the client; and wrong bytes never get the
    name, nor does anything else stay."""
    content, time = os.urandom(5000), Time()
    digest = hashlib.sha512(content).hexdigest()
    etag = f'ETag: "{digest}"'
    whole = answer(200, content, etag)
    broken = answer(200, content[:2000], etag, length=5000)
    rest = answer(206, content[2000:], etag, "Content-Range: bytes 2000-4999/5000")
    to = tmp_path / "document"
    for second in (rest, whole):
        with scripted(broken, second) as store, time.client(store.url) as archive:
            assert archive.download("0", "a", to) == digest
        assert f'if-range: "{digest}"'.encode() in store.heard[1].lower()
        assert b"range: bytes=2000-" in store.heard[1].lower()
        assert to.read_bytes() == content
        to.unlink()
    to.write_bytes(b"what was there")
    with (
        scripted(answer(200, content[::-1], etag)) as store,
        time.client(store.url) as archive,
        pytest.raises(tac.DamagedOnTheWayError),
    ):
        archive.download("0", "a", to)
    assert to.read_bytes() == b"what was there"
    assert list(tmp_path.iterdir()) == [to]


def test_of_many_those_that_may_be_taken_later_are_sent_again() -> None:
    """Only they, after the longest pause that was told; what was refused for good stays so."""
    time = Time()

    def outcome(key: str, status: int, code: str = "", after: int | None = None) -> dict[str, object]:
        if status < 300:
            return {"key": key, "status": status, "acknowledgement": _ack_json()}
        refused = {"type": f"urn:trusted-archive:problem:{code}", "title": "x", "status": status}
        return {"key": key, "status": status, "problem": refused, **({"retry_after": after} if after else {})}

    first = [outcome("a", 201), outcome("b", 503, "store-unavailable", 5), outcome("c", 422, "submission")]
    first.append(outcome("d", 400, "truncated-submission"))
    second = [outcome("b", 201), outcome("d", 200)]
    answers = [answer(200, json.dumps({"outcomes": one}).encode()) for one in (first, second)]
    with scripted(*answers) as store, time.client(store.url) as archive:
        told = list(archive.deposit_many([tac.NewObject(key, {"a": b"x"}) for key in "abcd"]))
    assert [one.problem.code if one.problem else "" for one in told] == ["", "", "submission", ""]
    assert time.slept == [5.0]
    assert b'"key": "a"' not in store.heard[1]
    swapped = answer(200, json.dumps({"outcomes": [outcome("b", 201), outcome("a", 201)]}).encode())
    with scripted(swapped) as store, time.client(store.url) as archive, pytest.raises(tac.UnexpectedAnswerError):
        list(archive.deposit_many([tac.NewObject(key, {"a": b"x"}) for key in "ab"]))


@pytest.mark.parametrize("url", ["", "archive.example", "ftp://archive.example", "http://", "http://x/?a=b"])
def test_what_is_no_address_is_refused_at_once(url: str) -> None:
    with pytest.raises(ValueError, match="address"):
        tac.Client(url, "key")


# -- webhooks -----------------------------------------------------------------------------------

AT = datetime(2026, 11, 23, 12, tzinfo=UTC)
BODY = json.dumps({"receiver": "spisovka", "changes": [], "next": "c7"}).encode()


def message(body: bytes = BODY, *, at: datetime = AT, secret: bytes = bytes(range(32))) -> dict[str, str]:
    stamp = str(int(at.timestamp()))
    return {
        "Webhook-Id": "msg-1",
        "Webhook-Timestamp": stamp,
        "Webhook-Signature": signature(secret, "msg-1", at, body),
    }


def test_a_webhook_is_taken_when_it_is_genuine_and_fresh() -> None:
    """Signed by the archive's own code; one of several signatures is enough."""
    taken = tac.verify_webhook(SECRET, message(), BODY, now=AT.timestamp() + 299)
    several = {**message(), "Webhook-Signature": "v1,AAAA " + message()["Webhook-Signature"]}

    assert (taken.id, taken.receiver, taken.next) == ("msg-1", "spisovka", "c7")
    assert tac.verify_webhook(SECRET, several, BODY, now=AT.timestamp()) == taken


@pytest.mark.parametrize(
    ("headers", "body", "late"),
    [
        ({}, BODY, 0),
        (message(), BODY + b" ", 0),
        (message(), BODY, 301),
        (message(), BODY, -301),
        ({**message(), "Webhook-Id": "msg-2"}, BODY, 0),
        ({**message(), "Webhook-Timestamp": "9" * 5000}, BODY, 0),
        ({**message(), "Webhook-Timestamp": "²"}, BODY, 0),
        ({**message(), "Webhook-Signature": ""}, BODY, 0),
        (message(secret=b"x" * 32), BODY, 0),
        (message(b"[]"), b"[]", 0),
        (message(b"{"), b"{", 0),
    ],
)
def test_any_other_webhook_is_refused(headers: dict[str, str], body: bytes, late: int) -> None:
    with pytest.raises(tac.WebhookError):
        tac.verify_webhook(SECRET, headers, body, now=AT.timestamp() + late)


@pytest.mark.parametrize("secret", ["", "whsec_", "whsec_AAAA", SECRET.removeprefix("whsec_"), "whsec_*"])
def test_what_is_no_secret_is_told(secret: str) -> None:
    with pytest.raises(ValueError, match="secret"):
        tac.verify_webhook(secret, message(), BODY, now=AT.timestamp())
