"""Everything that writes, over a bucket, with one request that goes wrong: every kind of fault at a sample of requests
here, at each of them as soak.

The rules this module keeps
 * A request is tried once, so that every fault reaches what asked for it and none is made good by the client library.
 * One archive meets fault after fault: what one leaves behind is there when the next one comes.
 * Whoever met a fault asks again. Then what was told is there, once; at the end every copy is the same and proven.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from api.settings import SETTINGS_FILE, ArchiveSettings
from archive_core.archive import silent
from archive_core.errors import ArchiveError
from archive_core.lifecycle import Acknowledgement, Status
from archive_core.renewal.running import ALL, RenewalRequest
from policies.renewal_values import RenewalKind
from storage_backends.s3 import S3Store
from storage_backends.s3_client import S3Place
from tests.fault_matrix import Fault as Cell
from tests.fault_matrix import Operation, cases, cell, fault, met, s3_sample
from tests.integration.test_copies import THIRD
from tests.lifetimes.crash_world import STRIDE
from tests.s3.ceph import S3Server
from tests.s3.homes import home_with_bucket
from tests.s3.proxy import Fault, Proxy, Request, running_proxy
from tests.world import OPERATOR, World

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]

KINDS: Mapping[str, Cell] = {
    "500": Cell.S3_500,
    "503": Cell.S3_503,
    "403-skew": Cell.S3_SKEW,
    "lost": Cell.S3_LOST,
    "cut": Cell.S3_TRUNCATED,
    "slow": Cell.S3_TIMEOUT,
}
"""`lost`: carried out, and nobody is told; `cut`: the answer ends half way; `slow`: answered after the time-out."""

EVERY_KIND = fault(*KINDS.values())

NEEDED: Mapping[str, Operation] = {
    "deposit": Operation.DEPOSIT,
    "group": Operation.GROUP,
    "update": Operation.UPDATE,
    "preserve": Operation.PRESERVE,
    "flush": Operation.FLUSH,
    "renew": Operation.RENEW,
    "rehash": Operation.REHASH,
    "destroy": Operation.DESTROY,
    "repair": Operation.REPAIR,
}
"""What is done where the bucket is required: it is done there, or not at all."""

OWED: Mapping[str, Operation] = {"fill": Operation.FILL, "drain": Operation.DRAIN}
"""What brings the bucket what it lacks, where it may be away; whatever else is done then leaves a debt."""

TIMEOUT, TOO_LATE, PATIENT = 1.2, 1.6, 60.0
"""Seconds after which an answer is not waited for any more while faults are tried, after which a slow one comes, and
after which an answer is not waited for otherwise."""


@dataclass
class Faulty:
    """An archive whose second store is reached through a proxy, and what people do with it."""

    world: World
    proxy: Proxy
    place: S3Place
    server: S3Server
    number: int = 0
    poid: str = ""
    doomed: str = ""
    wanted: dict[str, bytes] = field(default_factory=dict)

    def prepare(self, act: str) -> None:
        """What must be there before a fault makes sense."""
        self.number += 1
        for tried in range(3):
            try:
                self._prepare(act)
                break
            except ArchiveError:  # a machine that is busy may take longer than is waited for here
                if tried == 2:
                    raise

    def _prepare(self, act: str) -> None:
        if act in ("preserve", "flush"):
            self._deposit(f"for {act}")
        elif act == "destroy":
            self.doomed = self._deposit("doomed").poid
            self.world.preserve()
        elif act in OWED:
            with self.away():
                self._deposit("while away")
                self.world.update(self.poid, {"a.txt": b"while away %d" % self.number})
        elif act == "repair":
            self.harm()

    def _deposit(self, name: str) -> Acknowledgement:
        files = {"a.txt": b"%d" % self.number, "b/c.txt": b"c"}
        told = self.world.deposit(files, key=f"{name} {self.number}")
        if not self.world.told[told.poid]:  # it was kept the first time, and nobody was told
            self.world.told[told.poid].append((told, files))
        return told

    @contextmanager
    def away(self) -> Iterator[None]:
        """The bucket does not answer for the length of the block."""
        self.proxy.faults.append(Fault("503"))
        try:
            yield
        finally:
            self.proxy.faults.clear()
        self.world.archive.copies.away.answered("two")

    def harm(self) -> None:
        """Other bytes under a key of the object, put there past the product."""
        store = self.world.archive.copies.known[1].store
        assert isinstance(store, S3Store)
        keys = sorted(entry.key for entry in store.list() if self.poid in entry.key)
        key = keys[self.number % len(keys)]
        self.server.client().put_object(Bucket=self.place.bucket, Key=f"{self.place.prefix}/{key}", Body=b"harm")

    def act(self, act: str) -> None:
        """Do it; raises `ArchiveError` when it is to be asked for again."""
        world, archive = self.world, self.world.archive
        if act == "deposit":
            self._deposit("deposit")
        elif act == "group":
            self._group()
        elif act == "update":
            world.update(self.poid, {"a.txt": b"%d" % self.number}, key=f"update {self.number}")
        elif act == "preserve":
            _require([view.error for view in archive.preserve(actor=OPERATOR)])
        elif act == "flush":
            archive.flush_trail()
        elif act == "renew":
            _require([view.error for view in archive.renew(RenewalRequest(which=ALL), actor=OPERATOR).views])
        elif act == "rehash":
            request = RenewalRequest(kind=RenewalKind.HASH_TREE, which=ALL, algorithm="sha384")
            _require([view.error for view in archive.renew(request, actor=OPERATOR).views])
        elif act == "destroy":
            _require([str(debt) for debt in archive.destroy(self.doomed, reason="disposal", actor=OPERATOR).owed])
            self.world.told.pop(self.doomed, None)
        elif act == "repair":
            _require([str(one) for one in archive.repair([self.poid], actor=OPERATOR).findings])
        elif act == "fill":
            _require([archive.stores.add("two", actor=OPERATOR, progress=silent).error])
        else:
            _require([one.error for one in archive.stores.drain("three", actor=OPERATOR, progress=silent)])

    def _group(self) -> None:
        """Three deposits that share their durable steps."""
        files = {f"group {self.number} {place}": {"a.txt": b"%d %d" % (self.number, place)} for place in range(3)}
        answers: list[Acknowledgement | ArchiveError] = []
        submissions = [self.world.submission(content, key=key) for key, content in files.items()]
        self.world.archive.deposit_many(submissions, actor=OPERATOR, tell=answers.append)
        for answer, content in zip(answers, files.values(), strict=True):
            if isinstance(answer, ArchiveError):
                raise answer
            if not self.world.told.get(answer.poid):
                self.world.told[answer.poid] = [(answer, content)]

    def settle(self, act: str) -> None:
        """The fault is over, and whoever met it asks again; then what was meant is true."""
        self.well()
        for _ in range(4):
            try:
                self.act(act)
                break
            except ArchiveError as error:
                last = error
                self.well()
        else:
            raise AssertionError(f"{act} does not succeed any more: {last}")
        if act == "update":
            assert self.world.read(self.poid, "a.txt") == b"%d" % self.number
        elif act == "preserve":
            heads = self.world.archive.objects(actor=OPERATOR, limit=1000)
            assert {head.status for head in heads} <= {Status.EVIDENCED, Status.DESTROYED}
        elif act == "destroy":
            assert self.world.archive.show(self.doomed, actor=OPERATOR).status is Status.DESTROYED
        assert self.world.archive.catalogue.owed_copies() == []

    def wait(self, seconds: float) -> None:
        """How long an answer is waited for from now on."""
        settings = self.world.home / SETTINGS_FILE
        settings.write_text(re.sub(r"read_timeout = .*", f"read_timeout = {seconds}", settings.read_text()))
        self.world.settings = ArchiveSettings.load(self.world.home)
        self.world.restart()
        self.world.archive.stores.refresh(now=True)

    def well(self) -> None:
        """Nothing goes wrong from now on; whoever held a lease when it did has lost it."""
        self.proxy.faults.clear()
        self.world.archive.copies.away.answered("two")
        self.world.clock.advance(minutes=3)


def _require(errors: list[str | None]) -> None:
    for error in errors:
        if error:
            raise ArchiveError(error)


@contextmanager
def standing(folder: Path, server: S3Server, *, required: bool) -> Iterator[Faulty]:
    """A new archive over a new bucket."""
    place = server.new_bucket("matrix")
    more = f"required = {str(required).lower()}\nread_timeout = {PATIENT}"
    with running_proxy(server.endpoint) as proxy:
        home_with_bucket(
            folder, place, more=more, copies="" if required else THIRD, endpoint=proxy.endpoint, attempts=1
        )
        made = Faulty(World(folder), proxy, place, server)
        made.poid = made.world.deposit({"a.txt": b"0"}).poid
        made.world.preserve()
        made.wait(TIMEOUT)
        yield made
        made.world.archive.close()


@pytest.fixture
def needed(tmp_path: Path, s3_server: S3Server) -> Iterator[Faulty]:
    """The bucket is required."""
    with standing(tmp_path, s3_server, required=True) as made:
        yield made


@pytest.fixture
def owed(tmp_path: Path, s3_server: S3Server) -> Iterator[Faulty]:
    """The bucket may be away."""
    with standing(tmp_path, s3_server, required=False) as made:
        yield made


def nth(number: int, kind: str) -> Callable[[Request], bool]:
    """The request of that number from now on, counted from 1; only what is read has a body that may be cut off."""
    seen = [0]

    def concerns(request: Request) -> bool:
        seen[0] += kind != "cut" or request.method == "GET"
        return seen[0] == number and (kind != "cut" or request.method == "GET")

    return concerns


def requests_of(faulty: Faulty, act: str) -> int:
    """How many requests it takes when nothing goes wrong."""
    faulty.prepare(act)
    before = len(faulty.proxy.seen)
    faulty.act(act)
    return len(faulty.proxy.seen) - before


def struck(faulty: Faulty, act: str, operation: Operation, kind: str, number: int) -> bool:
    """Do it with that request going wrong; whether it came to that request."""
    put = Fault(kind, nth(number, kind), times=1, seconds=TOO_LATE)
    faulty.proxy.faults.append(put)
    with suppress(ArchiveError):
        faulty.act(act)
    faulty.well()
    if put.times == 0:
        met(operation, KINDS[kind])
    return put.times == 0


def judge(faulty: Faulty) -> None:
    """Both stores hold the same, nothing is wrong, and everything is proven from each alone."""
    world = faulty.world
    faulty.wait(PATIENT)
    world.preserve()
    world.clock.advance(hours=1)
    world.audit()  # clears what was left by the way
    audited = world.audit()
    assert audited.findings == []
    assert audited.checked["stores"] > 1
    assert world.archive.stores.compare(silent, ["one", "two"]).same
    numbers = [row.number for row in world.archive.catalogue.batches()]
    assert numbers == list(range(1, len(numbers) + 1))
    world.check("one", "two")


def at_a_few(faulty: Faulty, acts: Mapping[str, Operation]) -> None:
    """Half of the kinds of faults while each of these is done: one after the other at requests here and there, on what
    the one before has left, and then to the end."""
    for place, (act, operation) in enumerate(acts.items()):
        faulty.prepare(act)
        for turn, kind in enumerate(one for one, what in KINDS.items() if what in s3_sample(operation)):
            number = 1 + (turn * 5 + place * 3) % 8
            if not struck(faulty, act, operation, kind, number):
                faulty.settle(act)
                faulty.prepare(act)
                assert struck(faulty, act, operation, kind, 1), f"{act} asks for nothing"
        faulty.settle(act)
    judge(faulty)


@cell(*((one, kind) for one in NEEDED.values() for kind in s3_sample(one)))
def test_one_request_that_goes_wrong_is_made_good(needed: Faulty) -> None:
    """Nobody was told that it is kept, or it is; asked again it is done, once."""
    at_a_few(needed, NEEDED)


@cell(*((one, kind) for one in OWED.values() for kind in s3_sample(one)))
def test_a_bucket_that_lacks_something_gets_it_whatever_request_goes_wrong(owed: Faulty) -> None:
    """A store that joins or leaves: the bucket has in the end what the others have."""
    at_a_few(owed, OWED)


def at_any(faulty: Faulty, act: str, operation: Operation) -> None:
    """Each request, each kind of fault."""
    for number in range(1, requests_of(faulty, act) + 1, STRIDE):
        for kind in KINDS:
            faulty.prepare(act)
            struck(faulty, act, operation, kind, number)
            faulty.settle(act)
    judge(faulty)


@pytest.mark.soak
@pytest.mark.timeout(14_400)
@EVERY_KIND
@pytest.mark.parametrize("act", cases(NEEDED))
def test_any_request_that_goes_wrong_is_made_good(act: str, needed: Faulty) -> None:
    """The whole matrix: `make soak STRIDE=5` tries each fifth request."""
    at_any(needed, act, NEEDED[act])


@pytest.mark.soak
@pytest.mark.timeout(14_400)
@EVERY_KIND
@pytest.mark.parametrize("act", cases(OWED))
def test_a_bucket_gets_what_it_lacks_whatever_request_goes_wrong(act: str, owed: Faulty) -> None:
    """The whole matrix, of what is owed."""
    at_any(owed, act, OWED[act])


@pytest.mark.soak
@pytest.mark.timeout(14_400)
@pytest.mark.parametrize("act", ["deposit", "update", "preserve", "renew", "repair"])
def test_any_request_that_goes_wrong_leaves_a_debt_at_most(act: str, owed: Faulty) -> None:
    """Where the bucket may be away: what is done without it is owed to it, and it gets it."""
    for number in range(1, requests_of(owed, act) + 1, STRIDE):
        for kind in KINDS:
            owed.prepare(act)
            struck(owed, act, NEEDED[act], kind, number)
            for payment in owed.world.archive.debts.pay(silent):
                assert payment.owed == 0, payment
            owed.settle(act)
    judge(owed)
