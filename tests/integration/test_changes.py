"""What has changed since a cursor, and receivers that are told of it until they take it."""

from __future__ import annotations

import base64
import importlib.util
import json
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import ModuleType

import pytest

from api.settings import parse_settings
from api.wiring_webhooks import build_sender
from archive_core.changes import Change, Changes, Cursor
from archive_core.errors import NotFoundError, SettingsError, UsageError, WebhookRefusedError
from archive_core.notifying import AT_ONCE, Message, Notifying, Receiver
from archive_core.renewal.running import RenewalRequest
from signing.webhooks import secret_octets, signature
from tests.fakes.web import Answer, Request, serving
from tests.vectors import REPOSITORY
from tests.world import OPERATOR, World

ORG, OTHER = "70891508", "00064581"
SECRET = "whsec_" + base64.b64encode(bytes(range(32))).decode()
EXAMPLE = REPOSITORY / "examples" / "webhook_receiver.py"


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    made = World(tmp_path)
    yield made
    made.archive.close()


def example() -> ModuleType:
    spec = importlib.util.spec_from_file_location("webhook_receiver", EXAMPLE)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def all_changes(changes: Changes, originator: str | None = None, limit: int = 3) -> list[Change]:
    """Everything, a little at a time."""
    found: list[Change] = []
    cursor = Cursor(0)
    while True:
        page = changes.since(cursor, limit=limit, originator=originator)
        assert page.next > cursor or not page.more
        found += page.changes
        cursor = page.next
        if not page.more:
            return found


def told(changes: list[Change]) -> list[tuple[str, str, int | None]]:
    return [(one.kind, one.poid, one.version) for one in changes]


# -- changes ------------------------------------------------------------------------------------


def test_a_life_is_told_in_order_and_page_by_page(world: World) -> None:
    """Deposited, evidenced, updated, renewed, damaged, destroyed: each once, by whatever steps one goes on."""
    archive = world.archive
    one = world.deposit({"a.txt": b"a"}, originator=ORG).poid
    two = world.deposit({"b.txt": b"b"}, originator=OTHER).poid
    archive.preserve(actor=OPERATOR)
    world.update(one, {"a.txt": b"new"})
    archive.preserve(actor=OPERATOR)
    archive.renew(RenewalRequest(which="all"), actor=OPERATOR)
    victim = next(world.home.glob("stores/two/**/v1/content/data/b.txt"))
    victim.write_bytes(b"x")
    archive.audit(actor=OPERATOR)
    archive.repair(actor=OPERATOR)
    archive.destroy(two, reason="x", actor=OPERATOR)
    archive.flush_trail()

    seen = all_changes(archive.changes)
    ours = [change for change in seen if change.poid == one]
    assert told(ours) == [
        ("replicated", one, 1),
        ("evidenced", one, 1),
        ("replicated", one, 2),
        ("evidenced", one, 2),
        *[("renewed", one, version) for version in (1, 2)],
    ]
    kinds = [change.kind for change in seen if change.poid == two]
    assert kinds[:3] == ["replicated", "evidenced", "renewed"]
    assert set(kinds[3:-1]) == {"damaged", "repaired"}
    assert kinds[-1] == "destroyed"
    for limit in (1, 2, 5, 1000):
        assert all_changes(archive.changes, limit=limit) == seen
    assert all_changes(archive.changes, ORG) == ours
    page = archive.changes.since(Cursor(0), limit=100, originator=None, kinds=("evidenced",))
    assert {change.kind for change in page.changes} == {"evidenced"}


def test_a_cursor_stays_good_over_a_rebuilt_catalogue(world: World) -> None:
    """What was read is not told again, what was not is: also the rest of a batch."""
    for number in range(5):
        world.deposit({"a.txt": b"%d" % number})
    world.archive.preserve(actor=OPERATOR)
    world.archive.flush_trail()
    whole = all_changes(world.archive.changes)
    middle = whole[7].cursor
    assert whole[7].kind == "evidenced"
    rebuilt, _ = world.rebuilt("one")
    try:
        rest = rebuilt.changes.since(middle, limit=100, originator=None)
        assert told(list(rest.changes)) == told(whole[8:])
        assert len(rest.changes) == 2
        world.check()
    finally:
        rebuilt.close()


def test_nothing_is_missed_beside_writers(world: World) -> None:
    """Four depositors and two who put events into the trail, while one follows: at the end it has seen every object
    exactly once, in the trail's order."""
    other = world.open()
    done = threading.Event()
    made: list[str] = []
    submissions = [world.submission({"a.txt": b"%d" % number}) for number in range(40)]

    def deposit(mine: int) -> None:
        for number in range(mine, 40, 4):
            archive = (world.archive, other)[number % 2]
            made.append(archive.deposit(submissions[number], actor=OPERATOR).poid)

    def sequence() -> None:
        while not done.is_set():
            world.archive.flush_trail()
            other.flush_trail()

    writers = [threading.Thread(target=deposit, args=(mine,)) for mine in range(4)]
    sequencer = threading.Thread(target=sequence)
    for thread in (*writers, sequencer):
        thread.start()
    seen: list[Change] = []
    cursor = Cursor(0)
    try:
        deadline = time.monotonic() + 60
        while len(seen) < 40 and time.monotonic() < deadline:
            page = world.archive.changes.since(cursor, limit=7, originator=None)
            seen += page.changes
            cursor = page.next
    finally:
        for thread in writers:
            thread.join()
        done.set()
        sequencer.join()
        other.close()
    assert sorted(change.poid for change in seen) == sorted(made)
    assert [change.cursor for change in seen] == sorted(change.cursor for change in seen)


@pytest.mark.parametrize("text", ["", "c", "1", "c-1", "c1-2", "c1-2-", "c1-2-3-4", "c" + "9" * 19, "C1", "c1 ", "c١"])
def test_what_is_no_cursor_is_refused(text: str) -> None:
    """And what is one comes back as it was."""
    with pytest.raises(UsageError):
        Cursor.parse(text)
    for cursor in (Cursor(0), Cursor(12), Cursor(12, 3, 4)):
        assert Cursor.parse(str(cursor)) == cursor


# -- receivers ----------------------------------------------------------------------------------


class Place:
    """A receiver that can be away, or take something without saying so."""

    def __init__(self) -> None:
        self.away = False
        self.deaf = 0
        self.messages: dict[str, bytes] = {}
        self.tries = 0

    def send(self, name: str, message: Message) -> None:
        self.tries += 1
        if self.away:
            raise WebhookRefusedError("nobody answers")
        assert self.messages.setdefault(message.id, message.body) == message.body
        if self.deaf:
            self.deaf -= 1
            raise WebhookRefusedError("the answer was lost")

    @property
    def taken(self) -> list[tuple[str, str]]:
        return [
            (change["change"], change["poid"])
            for body in self.messages.values()
            for change in json.loads(body)["changes"]
        ]


def notifying(world: World, place: Place, **receiver: object) -> Notifying:
    made = world.archive.notifying
    made.receivers = (Receiver("spisovka", **{"from_start": True, **receiver}),)  # type: ignore[arg-type]
    made.send = place.send
    return made


def test_a_receiver_that_was_down_for_an_hour_loses_nothing(world: World) -> None:
    """Offered again with growing pauses, the same messages; at the end it has everything once, in order."""
    place = Place()
    notify = notifying(world, place)
    poids = [world.deposit({"a.txt": b"%d" % number}).poid for number in range(3)]
    world.archive.flush_trail()
    assert notify.round() == []
    place.away = True
    started = world.clock.now()
    minutes = 0
    while world.clock.now() - started < timedelta(hours=1):
        if minutes % 20 == 0:
            poids.append(world.deposit({"a.txt": b"x%d" % minutes}).poid)
            world.archive.preserve(actor=OPERATOR)
        world.archive.flush_trail()
        assert notify.round() == ["spisovka"]
        world.clock.advance(minutes=1)
        minutes += 1
    assert 5 <= place.tries <= 15  # not once a minute
    assert "spisovka" in notify.warnings()[0]
    place.away, place.deaf = False, 1
    world.clock.advance(hours=2)
    assert notify.round() == ["spisovka"]
    world.clock.advance(hours=2)
    assert notify.round() == []
    assert notify.warnings() == []
    expected = [(change.kind, change.poid) for change in all_changes(world.archive.changes)]
    assert place.taken == expected
    assert [poid for kind, poid in place.taken if kind == "replicated"] == poids


def test_many_changes_come_in_many_messages(world: World) -> None:
    """In order, none twice; another process goes on where this one was."""
    place = Place()
    submissions = [world.submission({"a.txt": b"%d" % number}) for number in range(AT_ONCE + 20)]
    world.archive.deposit_many(submissions, actor=OPERATOR, tell=lambda answer: None)
    world.archive.preserve(actor=OPERATOR)
    world.archive.flush_trail()
    notifying(world, place).round()
    assert len(place.messages) == 3
    world.restart()
    notifying(world, place).round()
    assert place.taken == [(change.kind, change.poid) for change in all_changes(world.archive.changes)]
    assert len(place.messages) == 3


def test_who_never_answers_is_given_up_and_resumed(world: World) -> None:
    """After its days; nothing is lost, and it says so in the warnings until somebody resumes it."""
    place = Place()
    place.away = True
    notify = notifying(world, place, patience=timedelta(days=2))
    world.deposit({"a.txt": b"a"})
    world.archive.flush_trail()
    for _ in range(60):
        notify.round()
        world.clock.advance(hours=1, minutes=10)
    tries = place.tries
    world.clock.advance(days=30)
    assert notify.round() == ["spisovka"]
    assert place.tries == tries
    assert "given up" in notify.warnings()[0]
    with pytest.raises(NotFoundError):
        notify.resume("nobody")
    place.away = False
    notify.resume("spisovka")
    assert notify.round() == []
    assert [kind for kind, _ in place.taken] == ["replicated"]


def test_a_receiver_is_told_of_its_organisation_and_kinds_only(world: World) -> None:
    """And, unless it asked for the beginning, of what happens from now on."""
    places = [Place(), Place(), Place()]
    ours = world.deposit({"a.txt": b"a"}, originator=ORG).poid
    world.deposit({"a.txt": b"b"}, originator=OTHER)
    world.archive.flush_trail()
    made = world.archive.notifying
    made.receivers = (
        Receiver("ours", originator=ORG, from_start=True),
        Receiver("evidence", kinds=("evidenced",), from_start=True),
        Receiver("later"),
    )
    made.send = lambda name, message: places[["ours", "evidence", "later"].index(name)].send(name, message)
    made.round()
    world.archive.preserve(actor=OPERATOR)
    world.archive.flush_trail()
    made.round()
    assert places[0].taken == [("replicated", ours), ("evidenced", ours)]
    assert {kind for kind, _ in places[1].taken} == {"evidenced"}
    assert len(places[1].taken) == len(places[2].taken) == 2


# -- over HTTP ----------------------------------------------------------------------------------


def test_a_message_is_signed_as_the_convention_says() -> None:
    """The example of the Standard Webhooks specification."""
    secret = secret_octets("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", "x")
    at = datetime.fromtimestamp(1614265330, UTC)
    body = b'{"test": 2432232314}'

    assert signature(secret, "msg_p5jXN8AQM9LWM0D4loKWxJek", at, body) == (
        "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="
    )
    for wrong in ("", "whsec_", "whsec_AAAA", "MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", "whsec_!" + "A" * 40):
        with pytest.raises(SettingsError) as refused:
            secret_octets(wrong, "webhook x")
        assert wrong == "" or wrong not in str(refused.value).replace("whsec_ and", "")


def settings_with(world: World, url: str, more: str = "") -> object:
    text = (world.home / "trusted-archive.toml").read_text()
    (world.home / "secret").write_text(SECRET + "\n")
    webhook = f'\n[[webhook]]\nname = "spisovka"\nurl = "{url}"\nsecret = "file:secret"\ntimeout = 2.0\n{more}'
    return parse_settings(text + webhook, world.home)


def message(body: bytes = b'{"changes": []}') -> Message:
    return Message("msg_1", datetime.now(UTC), body)


@pytest.mark.parametrize("status", ["301 Moved", "400 Bad", "410 Gone", "500 No", "302 Found", "304 Same"])
def test_only_2xx_means_taken_and_no_redirect_is_followed(world: World, status: str) -> None:
    """Whatever else is answered, the message is offered again; nobody else is asked."""
    asked: list[Request] = []

    def answer(request: Request) -> Answer:
        asked.append(request)
        return Answer(b"", status=status, headers=(("Location", "/elsewhere"),))

    with serving(answer) as address:
        send = build_sender(settings_with(world, f"{address}/hook"))  # type: ignore[arg-type]
        with pytest.raises(WebhookRefusedError):
            send("spisovka", message())
    assert [request.path for request in asked] == ["/hook"]


def test_who_is_not_there_does_not_take(world: World) -> None:
    """An address where nobody listens is an error like any other."""
    send = build_sender(settings_with(world, "http://127.0.0.1:9/hook"))  # type: ignore[arg-type]
    with pytest.raises(WebhookRefusedError):
        send("spisovka", message())


@pytest.mark.parametrize(
    "more",
    ['changes = ["everything"]', "changes = []", "days = 0.0", 'unknown = "x"', "days = 400.0"],
)
def test_settings_that_cannot_be_are_refused(world: World, more: str) -> None:
    """By the name of what is wrong."""
    with pytest.raises(SettingsError):
        settings_with(world, "https://example.invalid/hook", more)
    for url in ("ftp://x/", "https://user:pw@x/", "x", "https://"):
        with pytest.raises(SettingsError):
            settings_with(world, url)


def test_what_happens_before_the_first_round_is_told_to_a_new_receiver(world: World) -> None:
    """A server that begins enters the receivers before it serves; one that begins later moves nobody on."""
    taken: list[object] = []
    before = world.deposit({"a.txt": b"before"}).poid
    world.archive.flush_trail()
    made = world.archive.notifying
    made.receivers = (Receiver("spisovka"),)
    made.send = lambda _, message: taken.extend(json.loads(message.body)["changes"])

    made.begin()
    after = world.deposit({"a.txt": b"after"}).poid
    world.archive.flush_trail()
    made.begin()

    assert made.round() == []
    told = [change["poid"] for change in taken]  # type: ignore[index]
    assert (before in told, after in told) == (False, True)


def test_a_lost_catalogue_makes_a_receiver_miss_nothing(world: World) -> None:
    """It goes on from what was noted in the trail last: what came since is told, again or for the first time, what was
    taken long ago is not; one that had taken nothing yet goes on from where it was entered."""
    notify, taken = world.archive.notifying, list[tuple[str, str]]()

    def send(name: str, message: Message) -> None:
        if name == "away":
            raise WebhookRefusedError("nobody answers")
        taken.extend((name, change["poid"]) for change in json.loads(message.body)["changes"])

    poids = {"before": world.deposit({"a.txt": b"before"}).poid}
    world.archive.flush_trail()
    notify.receivers, notify.send = (Receiver("there"), Receiver("away")), send
    notify.begin()
    for name in ("long ago", "lately", "since"):
        poids[name] = world.deposit({"a.txt": name.encode()}).poid
        world.archive.flush_trail()
        if name != "since":
            assert notify.round() == ["away"]
        world.clock.advance(hours=2)
    world.archive.flush_trail()
    taken.clear()

    archive, report = world.rebuilt("one")
    assert report.findings == ()
    archive.notifying.receivers = notify.receivers
    archive.notifying.send = lambda name, message: taken.extend(
        (name, change["poid"]) for change in json.loads(message.body)["changes"]
    )
    assert archive.notifying.round() == []
    archive.close()

    assert {poid for name, poid in taken if name == "there"} == {poids["since"]}
    assert {poid for name, poid in taken if name == "away"} == set(poids.values()) - {poids["before"]}


def test_the_example_takes_what_is_genuine_and_fresh_and_nothing_else(world: World, tmp_path: Path) -> None:
    """From a process of its own, over HTTP: each change once, also when offered twice; forged, old and foreign
    messages are refused."""
    (tmp_path / "secret").write_text(SECRET)
    book = tmp_path / "book"
    words = ["--secret-file", str(tmp_path / "secret"), "--port", "0", "--out", str(book)]
    receiver = subprocess.Popen([sys.executable, str(EXAMPLE), *words], stderr=subprocess.PIPE, text=True)
    try:
        assert receiver.stderr is not None
        address = receiver.stderr.readline().split()[-1]
        send = build_sender(settings_with(world, f"{address}/"))  # type: ignore[arg-type]
        made = world.archive.notifying
        made.receivers, made.send = (Receiver("spisovka", from_start=True),), send
        poids = [world.deposit({"a.txt": b"%d" % number}).poid for number in range(3)]
        world.archive.flush_trail()
        assert made.round() == []
        row = world.archive.catalogue.receiver("spisovka")
        assert row is not None
        world.archive.catalogue.put_receiver(replace(row, cursor="c0"))  # a process that died before it noted it
        assert made.round() == []
        lines = [json.loads(line) for line in book.read_text().splitlines()]
        assert [line["poid"] for line in lines] == poids
        now = time.time()
        body = b'{"changes": []}'
        genuine = signature(bytes(range(32)), "m", datetime.fromtimestamp(now, UTC), body)
        old = signature(bytes(range(32)), "m", datetime.fromtimestamp(now - 600, UTC), body)
        for given, at, said, status in (
            (genuine, now, body, 204),
            (genuine, now, body + b" ", 401),
            (genuine, now - 1, body, 401),
            (old, now - 600, body, 401),
            ("v1,AAAA", now, body, 401),
            ("", now, body, 401),
        ):
            assert posted(address, given, at, said) == status
    finally:
        receiver.terminate()
        receiver.wait(20)


def posted(address: str, given: str, at: float, body: bytes) -> int:
    headers = {"Webhook-Id": "m", "Webhook-Timestamp": str(int(at)), "Webhook-Signature": given}
    try:
        with urllib.request.urlopen(urllib.request.Request(address, body, headers)) as answer:
            return int(answer.status)
    except urllib.error.HTTPError as error:
        return error.code


def test_the_example_keeps_its_book_over_a_restart(tmp_path: Path) -> None:
    """What it took before is known after."""
    module = example()
    book = tmp_path / "book"
    body = json.dumps({"changes": [{"poid": "1"}]}).encode()
    module.Book(book).take("m", body)
    module.Book(book).take("m", body)

    assert len(book.read_text().splitlines()) == 1
