"""What goes wrong on the way to a bucket, and what a bucket may pretend: never a wrong success."""

import contextlib
import time
import uuid
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from api.scheduler import keep_locks
from api.settings import ArchiveSettings
from api.wiring import build_archive
from archive_core import stores
from archive_core.archive import silent
from archive_core.digests import Digest
from archive_core.errors import (
    AlreadyExistsError,
    ArchiveError,
    NameNotAcceptedError,
    StoreUnavailableError,
    UnavailableError,
)
from archive_core.ports import NewFile, NewHead
from storage_backends.s3 import S3Store
from storage_backends.s3_client import RefusedError
from storage_backends.s3_locks import LockingS3Store
from tests.conformance.store_suite import content, head, new_file, new_object
from tests.s3.ceph import S3Server
from tests.s3.homes import home_with_bucket
from tests.s3.proxy import Fault, Proxy, Request, running_proxy
from tests.world import OPERATOR, World

pytestmark = pytest.mark.slow


@pytest.fixture
def proxy(s3_server: S3Server) -> Iterator[Proxy]:
    """A way to the real server on which a test puts its faults."""
    with running_proxy(s3_server.endpoint) as made:
        yield made


@pytest.fixture(scope="module")
def bucket(s3_server: S3Server) -> str:
    """One bucket for this module; each store has a prefix of its own."""
    return s3_server.new_bucket("faults").bucket


@pytest.fixture
def store(s3_server: S3Server, proxy: Proxy, bucket: str) -> Iterator[S3Store]:
    """A store behind the proxy that tries twice and waits a second."""
    place = replace(
        s3_server.place(bucket, f"root-{uuid.uuid4().hex[:12]}"), endpoint=proxy.endpoint, attempts=2, read_timeout=1.5
    )
    store = S3Store("far", place)
    store.put_new([new_file("there", b"1")])
    yield store
    store.close()


def of_the_root(request: Request) -> bool:
    """Requests for what is in the root; probes and lease lie beside it."""
    return ".beside" not in request.target


@pytest.mark.parametrize("kind", ["500", "503", "403-skew"])
def test_an_answer_that_is_an_error_is_an_outage(store: S3Store, proxy: Proxy, kind: str) -> None:
    """From every verb, and nothing shows that was refused."""
    proxy.faults.append(Fault(kind, of_the_root))
    for verb in (
        lambda: store.put_new([new_file("a", b"1")]),
        lambda: store.put_objects([new_object("o")]),
        lambda: store.replace_heads([head("o", b"1", b"s", None)]),
        lambda: store.remove(["there"]),
        lambda: store.open("there"),
        lambda: store.stat("there"),
        lambda: list(store.list()),
    ):
        with pytest.raises(StoreUnavailableError) as caught:
            verb()
        assert kind != "403-skew" or "clocks" in str(caught.value)
    proxy.faults.clear()
    assert [entry.key for entry in store.list()] == ["there"]


def test_one_error_in_between_is_tried_again(store: S3Store, proxy: Proxy) -> None:
    """A server that is busy for a moment costs a moment."""
    for method in ("PUT", "GET"):
        proxy.faults.append(Fault("503", lambda r, m=method: r.method == m and of_the_root(r), times=1))  # type: ignore[misc]
    store.put_new([new_file("a", b"1")])
    assert content(store, "a") == b"1"


@pytest.mark.parametrize("lost", [1, 2])
def test_a_write_whose_answer_is_lost_is_not_told_as_failed_for_good(store: S3Store, proxy: Proxy, lost: int) -> None:
    """Carried out or not: success, or an outage after which the same write succeeds."""
    proxy.faults.append(Fault("lost", lambda r: r.method == "PUT" and of_the_root(r), times=lost))
    with contextlib.suppress(StoreUnavailableError):
        store.put_new([new_file("a", b"1")])
    store.put_new([new_file("a", b"1")])
    assert content(store, "a") == b"1"
    with pytest.raises(AlreadyExistsError):
        store.put_new([new_file("a", b"2")])


def test_a_body_that_ends_early_is_asked_for_again_or_an_outage(store: S3Store, proxy: Proxy) -> None:
    """Short bytes are never the end of a file, small or large."""
    large = bytes(range(256)) * 12_000
    store.put_new([new_file("large", large), new_file("small", b"0123456789")])
    gets = lambda r: r.method == "GET" and "list-type" not in r.target and of_the_root(r)  # noqa: E731
    proxy.faults.append(Fault("cut", gets, times=2))
    assert content(store, "large") == large
    assert content(store, "small") == b"0123456789"
    proxy.faults[:] = [Fault("cut", gets)]
    for key in ("large", "small"):
        with pytest.raises(StoreUnavailableError):
            content(store, key)
    with pytest.raises(StoreUnavailableError):
        store.put_new([new_file("b", b"read back in vain")])


def test_a_server_that_is_too_slow_is_an_outage(store: S3Store, proxy: Proxy) -> None:
    """Nobody waits for ever."""
    proxy.faults.append(Fault("slow", of_the_root, seconds=4.0))
    with pytest.raises(StoreUnavailableError):
        store.stat("there")


def test_an_upload_in_parts_that_breaks_off_leaves_nothing(store: S3Store, proxy: Proxy, tmp_path: Path) -> None:
    """Neither under the key nor as parts; and one part is what is held in memory."""
    staged = tmp_path / "staged"
    staged.write_bytes(b"x" * 20_000_000)
    file = NewFile("big", staged, Digest.of("sha512", staged.read_bytes()), 20_000_000)
    proxy.faults.append(Fault("500", lambda r: "partNumber=2" in r.target))
    with pytest.raises(StoreUnavailableError):
        store.put_new([file])
    proxy.faults.clear()
    assert store.stat("big") is None
    assert store.bucket.uploads(store.start) == []
    store.put_new([file])
    assert store.stat("big") is not None


@pytest.mark.parametrize("method", ["DELETE", "PUT"])
def test_a_lease_that_could_not_be_given_back_keeps_its_own_process_waiting_no_longer(
    store: S3Store, proxy: Proxy, method: str
) -> None:
    """The server went away when the lease was let go, or when it had been taken and nobody was told."""

    def of_the_lease(request: Request) -> bool:
        return request.method == method and request.target.split("?")[0].endswith("lease")

    proxy.faults.append(Fault("503" if method == "DELETE" else "lost", of_the_lease, times=2))
    with contextlib.suppress(StoreUnavailableError):
        store.put_new([new_file("during", b"2")])
    assert proxy.faults[0].times == 0
    started = time.monotonic()
    store.put_new([new_file("after", b"3")])

    assert time.monotonic() - started < 10  # another process would wait for half a minute


def test_a_holder_of_the_lease_that_died_here_keeps_nobody_waiting(store: S3Store) -> None:
    """Its process is gone: the next writer takes over at once."""
    beside = f"{store.aside}lease"
    owner = b'{"machine": "%s", "process": 4194303, "started": "1"}'
    from storage_backends import s3_lease

    store.bucket.put(beside, owner % s3_lease._machine().encode())
    begun = datetime.now(UTC)
    store.put_new([new_file("a", b"1")])
    assert datetime.now(UTC) - begun < timedelta(seconds=5)


def test_a_holder_that_may_live_is_waited_for(store: S3Store, monkeypatch: pytest.MonkeyPatch) -> None:
    """One of another machine is taken for dead only when its time is over."""
    from storage_backends import s3_lease

    monkeypatch.setattr(s3_lease, "LIFE", 2.0)
    monkeypatch.setattr(s3_lease, "MARGIN", 0.5)
    store.bucket.put(f"{store.aside}lease", b'{"machine": "another", "process": 1, "started": "1"}')
    begun = datetime.now(UTC)
    store.replace_heads([NewHead("o", b"i", b"s", "inventory.json.sha512", None)])
    assert datetime.now(UTC) - begun > timedelta(seconds=1.9)


# -- an archive over it -----------------------------------------------------------------------------


def test_a_dispensable_bucket_may_be_away_and_gets_what_it_missed(
    tmp_path: Path, s3_server: S3Server, proxy: Proxy
) -> None:
    """Deposits go on, evidence too; afterwards the bucket lacks nothing and the audit finds nothing."""
    home_with_bucket(tmp_path, s3_server.new_bucket("debts"), more="required = false", endpoint=proxy.endpoint)
    world = World(tmp_path)
    first = world.deposit({"a.txt": b"1"})
    proxy.faults.append(Fault("503"))
    second = world.deposit({"b.txt": b"2"})
    world.preserve()
    assert (first.stores, second.stores) == (("one", "two"), ("one",))
    proxy.faults.clear()
    world.archive.copies.away.answered("two")
    assert [payment.owed for payment in world.archive.debts.pay(silent)] == [0]
    assert world.archive.stores.compare(silent).same
    assert world.audit().findings == []
    world.archive.close()


def test_a_process_that_begins_while_a_dispensable_bucket_is_away_works_all_the_same(
    tmp_path: Path, s3_server: S3Server, proxy: Proxy
) -> None:
    """It is ready and takes deposits, though it never asked the bucket anything; that is owed what it misses. Found by
    the chaos soak: a command that was begun during an outage refused every deposit. A required one is waited for."""
    home = home_with_bucket(tmp_path, s3_server.new_bucket("begun"), more="required = false", endpoint=proxy.endpoint)
    world = World(tmp_path)
    world.deposit({"a.txt": b"1"})
    proxy.faults.append(Fault("503"))
    world.restart()
    assert world.archive.ready() == {"status": "ready", "stores": ["one"]}
    assert world.deposit({"b.txt": b"2"}).stores == ("one",)
    proxy.faults.clear()
    world.archive.copies.away.answered("two")
    assert [payment.owed for payment in world.archive.debts.pay(silent)] == [0]
    assert world.audit().findings == []

    settings = home / "trusted-archive.toml"
    settings.write_text(settings.read_text().replace("required = false\n", ""))
    world.settings = ArchiveSettings.load(home)
    proxy.faults.append(Fault("503"))
    world.restart()
    with pytest.raises(UnavailableError, match="two"):
        world.archive.ready()
    with pytest.raises(StoreUnavailableError):
        world.deposit({"c.txt": b"3"})
    proxy.faults.clear()
    world.archive.close()


def test_a_dispensable_bucket_that_hangs_keeps_no_deposit_waiting(
    tmp_path: Path, s3_server: S3Server, proxy: Proxy
) -> None:
    """Each answer takes seconds: deposits are acknowledged without it, also by a process that never asked it; what
    it was given lands some time, and in the end it lacks nothing and holds nothing twice."""
    place = s3_server.new_bucket("hangs")
    patience = "[copies]\npatience = 0.5\n"
    home_with_bucket(tmp_path, place, more="required = false", copies=patience, endpoint=proxy.endpoint)
    world = World(tmp_path)
    world.deposit({"a.txt": b"1"})
    all_answered(world)  # a machine that is busy may have taken longer than half a second
    slow = Fault("slow", seconds=4.0)
    proxy.faults.append(slow)
    told = []
    for restarted in (False, True):
        if restarted:
            slow.times = 0
            world.restart()
            slow.times = 1_000_000
        began = time.monotonic()
        told.append(world.deposit({"b.txt": b"%d" % restarted}))
        assert time.monotonic() - began < 4.0
        assert world.archive.copies.late.under_way("two")
        assert world.archive.ready() == {"status": "ready", "stores": ["one"]}
    assert {one.stores for one in told} == {("one",)}
    proxy.faults.clear()
    all_answered(world)
    assert [payment.owed for payment in world.archive.debts.pay(silent)] == [0]
    assert world.archive.stores.compare(silent).same
    assert world.audit().findings == []
    world.archive.close()


def all_answered(world: World) -> None:
    """Waits until the bucket has answered everything that it was given."""
    until = time.monotonic() + 60
    while world.archive.copies.late.under_way("two"):
        assert time.monotonic() < until
        time.sleep(0.05)
    world.archive.copies.away.answered("two")


def test_a_name_that_the_bucket_cannot_take_is_refused_before_anything_is_written(
    tmp_path: Path, s3_server: S3Server
) -> None:
    """Keys of S3 end at 1,024 bytes; no orphan is left in the store that could have taken it."""
    home_with_bucket(tmp_path, s3_server.new_bucket("long"))
    world = World(tmp_path)
    with pytest.raises(NameNotAcceptedError, match="too long for the store two"):
        world.deposit({"/".join(["x" * 240] * 4): b"1"})
    assert not any(len(name.rpartition(":")[2]) == 32 for name in world.archive.copies.roots[0].object_ids())
    world.deposit({"/".join(["x" * 240] * 3): b"1"})
    world.archive.close()


# -- locks -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("mode", ["COMPLIANCE", "GOVERNANCE"])
def test_the_locks_of_a_real_server_hold(s3_server: S3Server, mode: str) -> None:
    """Every attack is tried and none gets through, and what was locked stays for its time."""
    store = LockingS3Store("far", s3_server.new_bucket("worm", locks=True), mode)
    probe = store.probe_locks()

    assert (probe.holds, probe.broken) == (True, ())
    assert len(probe.attacks) >= 10
    assert (probe.keeps_holds, len(probe.holding)) == (True, 5)
    assert list(store.list()) == []
    store.put_objects([new_object("o")])
    until = datetime.now(UTC) + timedelta(minutes=5)
    assert store.locked_until("o") is None
    assert store.lock_object("o", until) == 4
    assert store.lock_object("o", until - timedelta(minutes=4)) == 4  # not shortened
    found = store.locked_until("o")
    assert found is not None
    assert found >= until
    with pytest.raises(StoreUnavailableError, match="locked"):
        store.purge_object("o")
    for kept in list(store.bucket.versions(store.start)):
        with pytest.raises(RefusedError):
            store.bucket.delete(kept.key, kept.version)
    store.close()


def test_a_server_that_takes_locks_and_does_not_keep_them_is_found_out(s3_server: S3Server, proxy: Proxy) -> None:
    """It says that it locked, it shows the lock, and everything that matters gets through."""
    proxy.faults.append(Fault("forged", lambda r: "retention" in r.target))
    place = replace(s3_server.new_bucket("lies", locks=True), endpoint=proxy.endpoint)
    probe = LockingS3Store("far", place, "COMPLIANCE").probe_locks()

    assert not probe.holds
    assert {"delete a version", "delete a version that came in parts in a batch"} <= set(probe.broken)


def test_a_legal_hold_keeps_what_no_lock_keeps(s3_server: S3Server) -> None:
    """Nothing of the object can be deleted while it is on hold, by nobody; afterwards everything."""
    store = LockingS3Store("far", s3_server.new_bucket("hold", locks=True), "GOVERNANCE")
    store.put_objects([new_object("o")])
    before = {entry.key: content(store, entry.key) for entry in store.list()}
    assert store.hold_object("o", True) == len(before) == 4
    with pytest.raises(StoreUnavailableError):
        store.purge_object("o")
    for kept in list(store.bucket.versions(store.start)):
        with pytest.raises(RefusedError):
            store.bucket.delete(kept.key, kept.version)
    assert store.hold_object("o", False) >= 4
    store.purge_object("o")

    assert list(store.list()) == []
    store.close()


def test_a_store_that_ceases_to_enforce_its_locks_is_found_out_by_schedule(
    tmp_path: Path, s3_server: S3Server, proxy: Proxy, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The probe is repeated once a day: from then on nothing more is written to the store, until it holds again. A
    dispensable one owes what it did not get."""
    monkeypatch.setattr(stores, "REFRESH", 0.0)
    place = s3_server.new_bucket("later", locks=True)
    home_with_bucket(tmp_path, place, more='lock = "governance"', endpoint=proxy.endpoint)
    world = World(tmp_path)
    world.deposit({"a.txt": b"1"})
    first = world.archive.locks.judged("two")
    proxy.faults.append(Fault("forged", lambda r: "retention" in r.target))
    world.clock.advance(hours=23)
    assert world.archive.locks.probe(actor=OPERATOR, only_due=True) == {}
    assert first == world.archive.locks.judged("two")
    world.clock.advance(hours=2)
    keep_locks(world.archive)
    found = world.archive.locks.judged("two")
    assert (first and first.holds, found and found.holds) == (True, False)
    with pytest.raises(StoreUnavailableError):
        world.deposit({"b.txt": b"2"})

    settings = world.home / "trusted-archive.toml"
    settings.write_text(settings.read_text().replace('lock = "gov', 'required = false\nlock = "gov'))
    world.settings = ArchiveSettings.load(world.home)
    world.restart()
    assert world.deposit({"c.txt": b"3"}).stores == ("one",)
    (unpaid,) = world.archive.debts.pay(silent)
    assert (unpaid.paid, unpaid.owed) == (0, 1)
    assert not any("c.txt" in entry.key for entry in world.archive.copies.known[1].store.list())

    proxy.faults.clear()
    world.clock.advance(days=1)
    keep_locks(world.archive)
    world.archive.stores.refresh(now=True)
    assert [payment.owed for payment in world.archive.debts.pay(silent)] == [0]
    assert world.deposit({"d.txt": b"4"}).stores == ("one", "two")
    assert any("c.txt" in entry.key for entry in world.archive.copies.known[1].store.list())
    codes = [event.code for event in world.archive.catalogue.events_about("store-two")]
    assert [code for code in codes if code.startswith("locks-")] == ["locks-hold", "locks-do-not-hold", "locks-hold"]
    world.archive.close()


def test_a_store_without_the_locks_that_it_is_to_have_gets_nothing(tmp_path: Path, s3_server: S3Server) -> None:
    """Refused at deposit with the reason; where the settings only warn, it is used with a warning."""
    place = s3_server.new_bucket("nolock")
    home = home_with_bucket(tmp_path, place, more='lock = "compliance"')
    world = World(tmp_path)
    with pytest.raises(StoreUnavailableError, match="required store two"):
        world.deposit({"a.txt": b"1"})
    world.archive.close()
    settings = home / "trusted-archive.toml"
    settings.write_text(settings.read_text().replace('lock = "comp', 'lock_failing = "warn"\nlock = "comp'))
    archive = build_archive(ArchiveSettings.load(home))
    warnings = archive.status(actor=OPERATOR)["warnings"]
    archive.close()
    assert any("does not enforce its locks" in warning for warning in warnings)  # type: ignore[attr-defined]


def test_what_is_acknowledged_is_locked_and_the_lock_rolls(tmp_path: Path, s3_server: S3Server) -> None:
    """A lock debt for each new object, paid after commit A; looked at again later, and extended before its end."""
    home_with_bucket(
        tmp_path,
        s3_server.new_bucket("roll", locks=True),
        more='lock = "governance"\nlock_days = 30\nlock_renew_days = 10',
    )
    world = World(tmp_path)
    told = world.deposit({"a.txt": b"1"})
    world.preserve()
    assert world.archive.catalogue.count_lock_debts("two") > 2
    assert world.archive.locks.roll() > 2
    assert world.archive.catalogue.count_lock_debts("two") == 0
    root = world.archive.copies.roots[1]
    store = root.store
    assert isinstance(store, LockingS3Store)
    path = root.object_path(f"urn:trusted-archive:{told.poid}")
    first = store.locked_until(path)
    assert first is not None
    assert world.archive.locks.roll() == 0
    world.clock.advance(days=25)
    assert world.archive.locks.roll() > 2
    later = store.locked_until(path)
    assert later is not None
    assert timedelta(days=24) < later - first < timedelta(days=26)
    assert world.archive.status(actor=OPERATOR)["warnings"]
    world.archive.close()


def test_an_orphan_is_not_locked(tmp_path: Path, s3_server: S3Server) -> None:
    """What was acknowledged to nobody can be cleared."""
    home_with_bucket(tmp_path, s3_server.new_bucket("orphan", locks=True), more='lock = "governance"')
    world = World(tmp_path)
    entered = world.archive.catalogue.enter_versions

    def dies(entries: object) -> None:
        raise StoreUnavailableError("the process ends here")

    world.archive.catalogue.enter_versions = dies  # type: ignore[method-assign,assignment]
    with pytest.raises(ArchiveError):
        world.deposit({"a.txt": b"1"})
    world.archive.catalogue.enter_versions = entered  # type: ignore[method-assign]
    world.archive.locks.roll()
    root = world.archive.copies.roots[1]
    (orphan,) = [name for name in root.object_ids() if len(name.rpartition(":")[2]) == 32]
    assert isinstance(root.store, LockingS3Store)
    assert root.store.locked_until(root.object_path(orphan)) is None
    world.archive.close()
