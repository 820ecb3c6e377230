"""Update, preserve, repair and the payment of debts over a bucket, with one request that goes wrong: every kind of
fault at a sample of requests here, at each of them as soak.

The rules this module keeps
 * One archive meets fault after fault: what one leaves behind is there when the next one comes.
 * Whoever met a fault asks again. Then what was told is there, once; at the end every copy is the same and proven.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from archive_core.archive import silent
from archive_core.errors import ArchiveError
from archive_core.lifecycle import Status
from storage_backends.s3 import S3Store
from storage_backends.s3_client import S3Place
from tests.lifetimes.crash_world import STRIDE
from tests.s3.ceph import S3Server
from tests.s3.homes import home_with_bucket
from tests.s3.proxy import Fault, Proxy, Request, running_proxy
from tests.world import OPERATOR, World

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]

KINDS = ("500", "503", "403-skew", "lost", "cut", "slow")
"""`lost`: carried out, and nobody is told; `cut`: the answer ends half way; `slow`: answered after the time-out."""


@dataclass
class Faulty:
    """An archive whose second store is reached through a proxy, and what people do with it."""

    world: World
    proxy: Proxy
    place: S3Place
    server: S3Server
    number: int = 0
    poid: str = ""
    harmed: str = field(default="")

    def prepare(self, act: str) -> None:
        """What must be there before a fault makes sense."""
        self.number += 1
        if act == "preserve":
            self.world.deposit({"a.txt": b"%d" % self.number})
        elif act == "pay":
            with self.away():
                self.world.deposit({"a.txt": b"%d" % self.number})
                self.world.update(self.poid, {"a.txt": b"while away %d" % self.number})
        elif act == "repair":
            self.harm()

    def away(self) -> _Away:
        return _Away(self)

    def harm(self) -> None:
        """Other bytes under a key of the object, put there past the product."""
        store = self.world.archive.copies.known[1].store
        assert isinstance(store, S3Store)
        keys = sorted(entry.key for entry in store.list() if self.poid in entry.key)
        key = keys[self.number % len(keys)]
        self.server.client().put_object(Bucket=self.place.bucket, Key=f"{self.place.prefix}/{key}", Body=b"harm")
        self.harmed = key

    def act(self, act: str) -> None:
        """Do it; raises `ArchiveError` when it is to be asked for again."""
        world = self.world
        if act == "update":
            world.update(self.poid, {"a.txt": b"%d" % self.number}, key=f"update {self.number}")
        elif act == "preserve":
            for view in world.archive.preserve(actor=OPERATOR):
                if view.error:
                    raise ArchiveError(view.error)
        elif act == "repair":
            found = world.archive.repair([self.poid], actor=OPERATOR)
            if found.findings:
                raise ArchiveError(str(found.findings))
        else:
            for payment in world.archive.debts.pay(silent):
                if payment.owed:
                    raise ArchiveError(str(payment))

    def settle(self, act: str) -> None:
        """The fault is over, and whoever met it asks again; then what was meant is true."""
        self.proxy.faults.clear()
        self.world.archive.copies.away.answered("two")
        for _ in range(4):
            try:
                self.act(act)
                self.act("pay")
                break
            except ArchiveError as error:
                last = error
        else:
            raise AssertionError(f"{act} does not succeed any more: {last}")
        if act == "update":
            assert self.world.read(self.poid, "a.txt") == b"%d" % self.number
        elif act == "preserve":
            heads = self.world.archive.objects(actor=OPERATOR, limit=1000)
            assert {head.status for head in heads} == {Status.EVIDENCED}
        assert self.world.archive.catalogue.owed_copies() == []


class _Away:
    """The bucket does not answer for the length of a block."""

    def __init__(self, faulty: Faulty) -> None:
        self._faulty = faulty

    def __enter__(self) -> None:
        self._faulty.proxy.faults.append(Fault("503"))

    def __exit__(self, *_: object) -> None:
        self._faulty.proxy.faults.clear()
        self._faulty.world.archive.copies.away.answered("two")


ACTS = ("update", "preserve", "repair", "pay")


@pytest.fixture
def faulty(tmp_path: Path, s3_server: S3Server) -> Iterator[Faulty]:
    place = s3_server.new_bucket("matrix")
    with running_proxy(s3_server.endpoint) as proxy:
        home_with_bucket(tmp_path, place, more="required = false\nread_timeout = 2.0", endpoint=proxy.endpoint)
        made = Faulty(World(tmp_path), proxy, place, s3_server)
        made.poid = made.world.deposit({"a.txt": b"0"}).poid
        made.world.preserve()
        yield made
        made.world.archive.close()


def nth(number: int) -> Callable[[Request], bool]:
    """The request of that number from now on, counted from 1."""
    seen = [0]

    def concerns(_: Request) -> bool:
        seen[0] += 1
        return seen[0] == number

    return concerns


def requests_of(faulty: Faulty, act: str) -> int:
    """How many requests it takes when nothing goes wrong."""
    faulty.prepare(act)
    before = len(faulty.proxy.seen)
    faulty.act(act)
    return len(faulty.proxy.seen) - before


def one_fault(faulty: Faulty, act: str, kind: str, number: int) -> None:
    faulty.prepare(act)
    faulty.proxy.faults.append(Fault(kind, nth(number), seconds=2.5))
    with suppress(ArchiveError):
        faulty.act(act)
    faulty.settle(act)


def judge(faulty: Faulty) -> None:
    """Both stores hold the same, nothing is wrong, and everything is proven from each alone."""
    world = faulty.world
    world.preserve()
    world.clock.advance(hours=1)
    world.audit()  # clears what was left by the way
    audited = world.audit()
    assert audited.findings == []
    assert audited.checked["stores"] == 2
    assert world.archive.stores.compare(silent).same
    numbers = [row.number for row in world.archive.catalogue.batches()]
    assert numbers == list(range(1, len(numbers) + 1))
    world.check()


def test_one_request_that_goes_wrong_is_made_good(faulty: Faulty) -> None:
    """Two of the kinds in each of the four, every kind somewhere, at requests that are spread over them."""
    met: list[str] = []
    for place, act in enumerate(ACTS):
        total = requests_of(faulty, act)
        assert total > len(KINDS)
        for turn, kind in enumerate(KINDS[place % 3 :: 3]):
            number = 1 + (3 * turn * total // len(KINDS) + place) % total
            before = len(faulty.proxy.seen)
            one_fault(faulty, act, kind, number)
            met += [kind] * (len(faulty.proxy.seen) > before)
    assert set(met) == set(KINDS)
    assert len(met) == len(ACTS) * 2
    judge(faulty)


@pytest.mark.soak
@pytest.mark.timeout(7200)
def test_any_request_that_goes_wrong_is_made_good(faulty: Faulty) -> None:
    """The whole matrix: `make soak STRIDE=5` tries each fifth request."""
    for act in ACTS:
        for number in range(1, requests_of(faulty, act) + 1, STRIDE):
            for kind in KINDS:
                one_fault(faulty, act, kind, number)
    judge(faulty)
