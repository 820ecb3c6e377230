"""A time-stamp authority that is down, slow or lying, over real HTTP: nothing is lost, nothing wrong is proven."""

from __future__ import annotations

import itertools
import socket
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from api.metrics import RequestMetrics, exposition
from api.settings import SETTINGS_FILE, ArchiveSettings
from archive_core.batch import stamped_files, stamped_package
from archive_core.batch_reading import read_batch_from
from archive_core.digests import Digest
from archive_core.errors import EvidencePendingError, MalformedDocumentError, TimestampAuthorityUnavailableError
from archive_core.findings import Verdict
from archive_core.lifecycle import Status
from archive_core.outages import FIRST_WAIT, LONGEST_WAIT, Outage, Outages
from archive_core.ports import ValidationData
from tests.fakes.tsa import ANSWER, POLICY, Behaviour, HttpTsa, other_imprint, rejection
from tests.sampling import quick_first
from tests.world import OPERATOR, World

pytestmark = pytest.mark.timeout(120)  # an authority that says nothing keeps nobody waiting

TIMEOUT = 0.5


class Remote(World):
    """An archive that asks an HTTP authority, alone for `basic-1` and with a local one for `redundant-1`."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self.tsa = HttpTsa(self.clock.now)

    def connect(self) -> None:
        """Put the authority's address and root into the settings, and open the archive anew."""
        (self.home / "root.pem").write_bytes(self.tsa.anchor)
        text = (self.home / SETTINGS_FILE).read_text()
        local = 'name = "local-tsa-1"\nscheme = "local"\n'
        assert local in text
        remote = f'name = "local-tsa-1"\nscheme = "http"\nurl = "{self.tsa.address}"\n'
        remote += f'policy = "{POLICY}"\ntimeout = {TIMEOUT}\n'
        text = text.replace(local, remote).replace("trust_anchors = [", 'trust_anchors = ["root.pem", ')
        (self.home / SETTINGS_FILE).write_text(text)
        self.settings = ArchiveSettings.load(self.home)
        self.restart()

    def round(self, *, only_due: bool = True) -> list[Any]:
        """What the scheduler does, a minute later (when a batch is due)."""
        return self.archive.preserve(actor=OPERATOR, only_due=only_due)

    def warnings(self) -> str:
        status = self.archive.status(actor=OPERATOR)
        assert isinstance(status["warnings"], list)
        return "\n".join(status["warnings"])

    def failures_in_metrics(self) -> str:
        """What the metrics say of the authority: how many tries in a row have failed."""
        told = exposition(RequestMetrics(), self.archive.status(actor=OPERATOR), None).decode()
        name = 'trusted_archive_tsa_consecutive_failures{tsa="local-tsa-1"} '
        return next(line.removeprefix(name) for line in told.splitlines() if line.startswith(name))


@pytest.fixture
def remote(tmp_path: Path) -> Iterator[Remote]:
    """The archive and its authority, which is honest to begin with."""
    world = Remote(tmp_path)
    with world.tsa.listening():
        world.connect()
        yield world
        world.archive.close()


def _day_off(days: int) -> Callable[[HttpTsa], Behaviour]:
    return lambda tsa: tsa.lying(lambda recipe: recipe.but(gen_time=recipe.gen_time + timedelta(days=days)))


def _hang_up(connection: socket.socket, request: bytes) -> None:
    connection.close()


def _drip(connection: socket.socket, request: bytes) -> None:
    connection.sendall(b"HTTP/1.1 200 OK\r\n" + ANSWER + b"\r\n")
    for _ in range(100):
        connection.sendall(b"0")
        time.sleep(0.05)


LIES: dict[str, Callable[[HttpTsa], Behaviour]] = {
    "silent": lambda tsa: tsa.silent,
    "hangs up": lambda tsa: _hang_up,
    "drips": lambda tsa: _drip,
    "503": lambda tsa: tsa.raw(b"HTTP/1.1 503 Later\r\nContent-Length: 0\r\n\r\n"),
    "404": lambda tsa: tsa.raw(b"HTTP/1.1 404 Gone\r\nContent-Length: 0\r\n\r\n"),
    "redirect": lambda tsa: tsa.raw(
        b"HTTP/1.1 302 Found\r\nLocation: http://127.0.0.1:9/\r\nContent-Length: 0\r\n\r\n"
    ),
    "200 with HTML": lambda tsa: tsa.body(b"<html>log in</html>", b"Content-Type: text/html\r\n"),
    "HTML as an answer": lambda tsa: tsa.body(b"<html>log in</html>"),
    "garbage": lambda tsa: tsa.body(bytes(range(256)) * 8),
    "nothing": lambda tsa: tsa.body(b""),
    "too much": lambda tsa: tsa.body(b"\x30" * (1024 * 1024 + 1)),
    "rejection": lambda tsa: tsa.body(rejection()),
    "wrong status": lambda tsa: tsa.with_status(3),
    "wrong nonce": lambda tsa: tsa.lying(lambda recipe: recipe.but(nonce=(recipe.nonce or 0) ^ 1)),
    "no nonce": lambda tsa: tsa.lying(lambda recipe: recipe.but(nonce=None)),
    "wrong imprint": lambda tsa: tsa.lying(other_imprint),
    "wrong policy": lambda tsa: tsa.lying(lambda recipe: recipe.but(policy="2.999.8")),
    "no certificate": lambda tsa: tsa.lying(lambda recipe: recipe.but(certificates=())),
    "another's token": lambda tsa: tsa.repeating,
    "expired certificate": lambda tsa: tsa.expired,
    "unknown root": lambda tsa: tsa.stranger,
    "a day ahead": _day_off(1),
    "a day behind": _day_off(-1),
    "wrong signature": lambda tsa: tsa.lying(lambda recipe: recipe.but(edit_signature=lambda value: value[::-1])),
}


def _tokens(world: World) -> list[Path]:
    return [path for store in ("one", "two") for path in world.files(store, ".tst")]


@pytest.mark.parametrize("lie", quick_first(LIES, 3))
def test_no_lie_becomes_evidence_and_recovery_needs_nobody(remote: Remote, lie: str) -> None:
    """Deposits go on as *replicated*, the alarm says why, and the first honest answer is enough."""
    remote.tsa.behaviour = LIES[lie](remote.tsa)
    if lie == "another's token":
        remote.archive.authorities["local-tsa-1"].timestamp(_some_imprint())
    first = remote.deposit({"a.txt": b"during the lie"})
    remote.clock.advance(minutes=1)
    (view,) = remote.round()
    second = remote.deposit({"b.txt": b"deposits go on"})

    assert view.error
    assert _tokens(remote) == []
    for told in (first, second):
        assert Status.REPLICATED is remote.archive.show(told.poid, actor=OPERATOR).status
        with pytest.raises(EvidencePendingError):
            remote.archive.evidence(told.poid, actor=OPERATOR)
    assert "local-tsa-1 gives no usable time-stamp since" in remote.warnings()
    assert remote.failures_in_metrics() == "1.0"

    remote.tsa.behaviour = remote.tsa.honest
    remote.clock.advance(minutes=10)
    views = remote.round()

    assert [view.error for view in views] == [None, None]
    assert "no usable time-stamp" not in remote.warnings()
    assert remote.failures_in_metrics() == "0.0"
    for told in (first, second):
        assert Verdict.PASSED is remote.archive.verify(told.poid, actor=OPERATOR).verdict
    assert remote.audit().findings == []
    remote.check()


def test_an_authority_that_is_down_is_asked_again_when_it_is_back(tmp_path: Path) -> None:
    """Nobody listens at its address: the alarm stands in status and metrics until somebody does."""
    remote = Remote(tmp_path)
    with remote.tsa.listening():
        remote.connect()
    told = remote.deposit({"a": b"1"})
    remote.clock.advance(minutes=1)
    (view,) = remote.round()
    alarm, counted = remote.warnings(), remote.failures_in_metrics()
    remote.clock.advance(minutes=10)
    with remote.tsa.listening(int(remote.tsa.address.rsplit(":")[2].partition("/")[0])):
        (again,) = remote.round()

    assert view.error
    assert "local-tsa-1 gives no usable time-stamp since" in alarm
    assert counted == "1.0"
    assert again.error is None
    assert remote.failures_in_metrics() == "0.0"
    assert Verdict.PASSED is remote.archive.verify(told.poid, actor=OPERATOR).verdict
    remote.archive.close()


def _some_imprint() -> Any:
    return Digest.of("sha512", b"what somebody else stamped")


@pytest.mark.slow
def test_a_dead_authority_is_asked_less_and_less_often(remote: Remote) -> None:
    """A round every three seconds for half an hour; the waits double up to the limit, and one batch waits."""
    remote.tsa.behaviour = LIES["503"](remote.tsa)
    remote.deposit({"a": b"1"})
    remote.clock.advance(minutes=1)
    asked = []
    begun = remote.clock.now()
    while (now := remote.clock.now()) - begun < timedelta(minutes=30):
        before = remote.tsa.asked
        remote.round()
        if remote.tsa.asked > before:
            asked.append(now)
        if len(asked) == 3 and remote.tsa.asked == 3 and before == 2:
            remote.deposit({"b": b"in the meantime"})
        remote.clock.advance(seconds=3)
    waits = [(later - earlier) for earlier, later in itertools.pairwise(asked)]

    assert remote.tsa.asked == len(asked)
    assert FIRST_WAIT <= waits[0] <= FIRST_WAIT + timedelta(seconds=4)
    assert waits == sorted(waits[:7]) + waits[7:]
    assert all(LONGEST_WAIT <= wait <= LONGEST_WAIT + timedelta(seconds=4) for wait in waits[7:])
    assert 10 <= len(asked) <= 14
    assert [row.number for row in remote.archive.catalogue.unfinished_batches()] == [1]


def test_another_process_keeps_to_the_same_wait(remote: Remote) -> None:
    """What one process found out is known to all, and told by the status of each."""
    remote.tsa.behaviour = LIES["503"](remote.tsa)
    remote.deposit({"a": b"1"})
    remote.clock.advance(minutes=1)
    for _ in range(6):
        remote.round()
        remote.clock.advance(minutes=6)
    remote.round()
    asked = remote.tsa.asked
    other = remote.open()
    remote.clock.advance(seconds=30)
    (view,) = other.preserve(actor=OPERATOR, only_due=True)
    status = other.status(actor=OPERATOR)
    other.close()

    assert asked == remote.tsa.asked
    assert view.error
    assert isinstance(status["timestamp_authorities"], list)
    shown = {one["name"]: one for one in status["timestamp_authorities"]}
    assert (shown["local-tsa-1"]["ok"], shown["local-tsa-1"]["failures"]) == (False, 7)
    assert shown["local-tsa-2"]["ok"] is True


def test_an_operator_need_not_wait(remote: Remote) -> None:
    """`preserve` asks at once, whatever the back-off says; but nobody is asked twice in one round."""
    remote.tsa.behaviour = LIES["503"](remote.tsa)
    remote.deposit({"a": b"1"})
    remote.deposit({"r": b"1"}, profile="redundant-1")
    remote.round(only_due=False)
    remote.round(only_due=False)

    assert remote.tsa.asked == 2
    remote.tsa.behaviour = remote.tsa.honest
    assert {view.error for view in remote.round(only_due=False)} == {None}
    assert remote.archive.catalogue.unfinished_batches() == []


def test_while_one_authority_is_away_the_other_line_is_stamped_and_kept(remote: Remote) -> None:
    """The local line of `redundant-1` gets its token once; only the missing one is asked for later."""
    remote.tsa.behaviour = LIES["silent"](remote.tsa)
    told = remote.deposit({"r": b"1"}, profile="redundant-1")
    (view,) = remote.round(only_due=False)
    kept = {path: path.read_bytes() for path in _tokens(remote)}
    remote.restart()
    remote.clock.advance(minutes=10)
    (again,) = remote.round()
    remote.tsa.behaviour = remote.tsa.honest
    remote.clock.advance(minutes=10)
    (last,) = remote.round()

    assert view.error
    assert again.error
    assert last.error is None
    assert len(kept) == 2
    assert kept == {path: path.read_bytes() for path in kept}
    assert len(_tokens(remote)) == 4
    assert remote.archive.verify(told.poid, actor=OPERATOR).to_json()["lines"] == {
        "sha3-512": "PASSED",
        "sha512": "PASSED",
    }
    remote.check()


def test_a_round_during_the_wait_asks_nobody_and_reads_no_batch(
    remote: Remote, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A scheduler that comes round every two seconds costs next to nothing while it waits."""
    remote.tsa.behaviour = LIES["503"](remote.tsa)
    remote.deposit({"a": b"1"})
    remote.clock.advance(minutes=1)
    remote.round()
    number = remote.archive.catalogue.unfinished_batches()[0].number
    remote.clock.advance(seconds=1)
    monkeypatch.setattr("archive_core.stamping.read_batch", None)

    assert remote.round() == []
    assert remote.tsa.asked == 1
    assert remote.archive.catalogue.unfinished_batches()[0].number == number


@pytest.mark.parametrize(
    ("whose", "said"), [("another root's", "does not lead to"), ("a stranger's", "proves nothing")]
)
def test_a_token_that_somebody_put_into_a_store_is_not_believed(remote: Remote, whose: str, said: str) -> None:
    """Tokens that come from the stores are judged like those that come from the authority."""
    remote.tsa.behaviour = LIES["503"](remote.tsa)
    told = remote.deposit({"a": b"1"})
    remote.round(only_due=False)
    root = remote.archive.copies.roots[0]
    stored = read_batch_from(root, 1)
    remote.tsa.behaviour = remote.tsa.honest if whose == "another root's" else remote.tsa.stranger
    imprint = _some_imprint() if whose == "another root's" else stored.formed.stamped_root(stored.formed.lines[0])
    foreign = remote.archive.authorities["local-tsa-1"].timestamp(imprint)
    object_id = stored.formed.object_id
    inventory = root.read_inventory(object_id)
    assert inventory is not None
    files = stamped_files({"sha512": (foreign, ValidationData())})
    root.write_version(stamped_package(inventory, files, at=remote.clock.now()))
    remote.tsa.behaviour = remote.tsa.honest
    (view,) = remote.round(only_due=False)

    assert said in view.error
    assert Status.REPLICATED is remote.archive.show(told.poid, actor=OPERATOR).status


def test_the_wait_is_a_pure_decision() -> None:
    """Doubling from the first wait to the longest; never longer; none when the clock went back."""
    at = datetime(2026, 6, 1, tzinfo=UTC)
    waits = [Outage("t", at, at, failures, "c", "m").ask_again - at for failures in range(1, 40)]

    assert waits[0] == FIRST_WAIT
    assert waits == sorted(waits)
    assert waits[-1] == LONGEST_WAIT
    assert all(later in (earlier * 2, LONGEST_WAIT) for earlier, later in itertools.pairwise(waits))
    outage = Outage("t", at, at, 20, "c", "m")
    assert outage.waits(at)
    assert not outage.waits(at - timedelta(seconds=1))
    assert not outage.waits(at + LONGEST_WAIT)


def test_outages_are_kept_for_all_and_forgotten_after_one_good_answer(tmp_path: Path) -> None:
    """Counted from the first failure on; the last error is the one that is told."""
    world = World(tmp_path)
    outages, other = Outages(world.archive.catalogue), Outages(world.archive.catalogue)
    start = world.clock.now()
    outages.failed("a", TimestampAuthorityUnavailableError("first"), start)
    other.failed("a", TimestampAuthorityUnavailableError("žluťoučký"), start + timedelta(seconds=9))
    (found,) = outages.all(["a", "b"])

    assert (found.since, found.failures, found.message) == (start, 2, "žluťoučký")
    outages.answered("a")
    assert other.all(["a", "b"]) == []
    world.archive.catalogue.meta_set("outage:a", "{}")
    with pytest.raises(MalformedDocumentError):
        outages.of("a")
    world.archive.close()
