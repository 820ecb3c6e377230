"""Archives that are broken at one step and then judged: homes, stories, trials.

The rules this module keeps
 * A home is prepared once and copied for every trial; nothing a trial does is seen by another.
 * What breaks a trial is put between the archive and its disk, stores and database; the product has no
   hook for it. A kill is a real SIGKILL of a real process.
 * The judge restarts, lets the everyday path mend, and then trusts only bytes: the rebuilt catalogue of
   each store alone must say what the archive says, and everything that was told must be proven.
"""

from __future__ import annotations

import multiprocessing
import os
import pickle
import shutil
import signal
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy.engine import make_url

from api.settings import SETTINGS_FILE, ArchiveSettings
from archive_core.archive import Archive
from archive_core.errors import ArchiveError, ConcurrentChangeError, IdempotencyConflictError
from archive_core.identifiers import BATCH, RENEWAL, TRAIL, TRAIL_DETAIL, PoidMint, storage_object_for, system_object
from archive_core.lifecycle import Acknowledgement, Status
from archive_core.ocfl.layout import HashAndIdLayout
from archive_core.renewal.running import ALL, RenewalRequest
from policies.renewal_values import RenewalKind
from tests.fakes.database import watch
from tests.fakes.disk import FaultyFiles, Loss
from tests.fakes.faults import FaultPlan, Moment, PowerCutError, kill_this_process
from tests.fault_matrix import Operation
from tests.postgres import PostgreSQL
from tests.world import OPERATOR, SQLITE, SteppingClock, World

Told = dict[str, list[tuple[Acknowledgement, dict[str, bytes]]]]

NEW = {"letter.txt": b"Dear archive", "enclosures/map.bin": bytes(range(256)) * 20}
CHANGED = {"a.txt": b"alpha", "c.txt": b"gamma"}


Databases = tuple[str, str]
"""The database that a home was made on, and the one that a copy of the home is to use."""

SAME: Databases = (SQLITE, SQLITE)
"""A file in the home, which is copied with it."""


def use_database(home: Path, databases: Databases) -> str:
    """Let a copied home use the other database; returns which that is."""
    before, after = databases
    if before != after:
        settings = home / SETTINGS_FILE
        text = settings.read_text()
        assert before in text
        settings.write_text(text.replace(before, after))
    return after


@dataclass(frozen=True)
class Prepared:
    """A closed home to copy, what people were told of it, and the time when it was closed."""

    home: Path
    url: str
    told: Told
    at: datetime
    server: PostgreSQL | None = None

    @contextmanager
    def trial(self, folder: Path) -> Iterator[Trial]:
        """A copy of the home, opened; with a database of its own."""
        shutil.copytree(self.home, folder / "home", symlinks=True)
        if self.server is None:
            yield from _used(Trial(folder, self.told, self.at))
            return
        name = str(make_url(self.url).database)
        with self.server.database(template=name) as url:
            use_database(folder / "home", (self.url, url))
            yield from _used(Trial(folder, self.told, self.at))


def _used(trial: Trial) -> Iterator[Trial]:
    try:
        yield trial
    finally:
        trial.archive.close()


def prepare(folder: Path, url: str = "sqlite:///catalogue.sqlite3", server: PostgreSQL | None = None) -> Prepared:
    """A home with evidenced objects of both profiles, and one of each that still waits."""
    world = World(folder, url)
    world.deposit({"a.txt": b"alpha", "b.txt": b"beta"}, key="first")
    world.deposit({"r.txt": b"redundant"}, profile="redundant-1")
    world.preserve()
    world.deposit({"w.txt": b"waits"}, key="waiting")
    world.deposit({"wr.txt": b"waits twice"}, profile="redundant-1")
    world.archive.close()
    return Prepared(world.home, url, world.told, world.clock.now(), server)


class ApartMint(PoidMint):
    """Mints POIDs whose objects each need a new directory in the stores, so that a story has the same number of
    steps each time that it is told."""

    def __init__(self, store: Path) -> None:
        super().__init__()
        self._taken = {path.name for path in store.iterdir()}
        numbered = (
            system_object(kind, number) for kind in (BATCH, RENEWAL, TRAIL, TRAIL_DETAIL) for number in range(1, 9)
        )
        self._taken.update(map(self._directory, numbered))

    @staticmethod
    def _directory(object_id: str) -> str:
        return HashAndIdLayout().object_path(object_id).split("/")[0]

    def mint(self, at: datetime) -> str:
        while (directory := self._directory(storage_object_for(poid := super().mint(at)))) in self._taken:
            continue
        self._taken.add(directory)
        return poid


class Trial(World):
    """A world over a home that is there already."""

    def __init__(self, folder: Path, told: Told, at: datetime) -> None:
        self.folder = folder
        self.clock = SteppingClock(at)
        self.settings = ArchiveSettings.load(folder / "home")
        self.told = {poid: list(versions) for poid, versions in told.items()}
        self.gone: set[str] = set()
        self.tries = 3
        """How often a story may have been begun in the end: broken off, again, and when it is judged."""
        self.archive = self.open()

    def open(self, *, create: bool = False) -> Archive:
        archive = super().open(create=create)
        archive._deposit._mint = ApartMint(self.store("one"))
        return archive

    @property
    def first(self) -> str:
        """The object that was deposited first and is evidenced."""
        return min(self.told)

    def check(self, *stores: str) -> None:
        """Each store alone says what the archive says, and proves everything that was told. Two stores that hold
        the same bytes under the same names say the same, so that one of them is asked."""
        expected = [view.to_json() for view in self.archive.objects(actor=OPERATOR)]
        asked = stores or (("one",) if self.held("one") == self.held("two") else ("one", "two"))
        for store in asked:
            archive, report = self.rebuilt(store)
            try:
                assert report.findings == ()
                assert expected == [view.to_json() for view in archive.objects(actor=OPERATOR)]
                for poid, versions in self.told.items():
                    for told, files in versions:
                        self._check_version(archive, poid, told, files)
            finally:
                archive.close()

    def held(self, store: str) -> dict[str, bytes]:
        """Every file of a store."""
        root = self.store(store)
        return {str(path.relative_to(root)): path.read_bytes() for path in root.rglob("*") if path.is_file()}


# -- what is done and how it must end ---------------------------------------------------------


@dataclass(frozen=True)
class Story:
    """Something that is interrupted: what is done, what a client does after the restart, and what must be
    true when all has settled. `prelude` is done before the faults are put in."""

    name: str
    act: Callable[[Trial], Any]
    again: Callable[[Trial], Any] = lambda trial: None
    settled: Callable[[Trial], Any] = lambda trial: None
    files: dict[str, bytes] = field(default_factory=dict)
    prelude: Callable[[Trial], Any] = lambda trial: None


def _keyed(trial: Trial) -> Acknowledgement:
    return trial.deposit(NEW, key="new")


def _keyed_again(trial: Trial) -> None:
    """The client repeats its request: the object that was claimed first, once and for all."""
    held = trial.archive.catalogue.find_key("default", "new")
    told = _keyed(trial)

    assert held is None or held.poid == told.poid
    assert _keyed(trial).replayed
    with pytest.raises(IdempotencyConflictError):
        trial.deposit({"other": b"bytes"}, key="new")
    trial.told.setdefault(told.poid, [(told, NEW)])
    if not trial.told[told.poid]:
        trial.told[told.poid] = [(told, NEW)]


def _one_more_or_none(trial: Trial) -> None:
    """Not acknowledged: absent, or adopted whole."""
    poids = {view.poid for view in trial.archive.objects(actor=OPERATOR)}
    strangers = poids - set(trial.told)

    assert set(trial.told) <= poids
    assert len(strangers) <= 1
    for poid in strangers:
        shown = trial.archive.show(poid, actor=OPERATOR)
        assert {file.path for file in shown.files if file.role == "document"} == set(NEW)
        assert {path: trial.read(poid, path) for path in NEW} == NEW


GROUP = {f"g{number}": {"a.txt": b"%d" % number, "sub/b.bin": bytes([number]) * 900} for number in range(4)}
"""Deposits that share the durable steps, by their keys."""


def _group(trial: Trial) -> list[Acknowledgement]:
    """Several deposits in one group; what is told of each counts, also when another one fails."""
    answers: list[Acknowledgement | ArchiveError] = []
    submissions = [trial.submission(files, key=key) for key, files in GROUP.items()]
    trial.archive.deposit_many(submissions, actor=OPERATOR, tell=answers.append)
    for answer, files in zip(answers, GROUP.values(), strict=True):
        if isinstance(answer, Acknowledgement) and not trial.told.get(answer.poid):
            trial.told[answer.poid] = [(answer, files)]
    for answer in answers:
        if isinstance(answer, ArchiveError):
            raise answer
    return [answer for answer in answers if isinstance(answer, Acknowledgement)]


def _group_again(trial: Trial) -> None:
    """The client repeats all of it: what was claimed first, each once and for all."""
    held = {key: trial.archive.catalogue.find_key("default", key) for key in GROUP}
    told = dict(zip(GROUP, _group(trial), strict=True))

    for key, claim in held.items():
        assert claim is None or claim.poid == told[key].poid
    assert all(one.replayed for one in _group(trial))
    with pytest.raises(IdempotencyConflictError):
        trial.deposit({"other": b"bytes"}, key="g1")


def _each_or_none(trial: Trial) -> None:
    """Each of the group is absent, or there whole, and once."""
    poids = {view.poid for view in trial.archive.objects(actor=OPERATOR)}
    strangers = poids - set(trial.told)
    found = [{file.path for file in trial.archive.show(poid, actor=OPERATOR).files} for poid in strangers]
    kept = [{path: trial.read(poid, path) for path in ("a.txt", "sub/b.bin")} for poid in strangers]

    assert set(trial.told) <= poids
    assert all({"a.txt", "sub/b.bin"} <= paths for paths in found)
    assert all(one in GROUP.values() and kept.count(one) == 1 for one in kept)


def _update(trial: Trial) -> Acknowledgement:
    return trial.update(trial.first, CHANGED)


def _keyed_update(trial: Trial) -> Acknowledgement:
    return trial.update(trial.first, CHANGED, key="update")


def _keyed_update_again(trial: Trial) -> None:
    told = _keyed_update(trial)

    assert told.version == 2
    assert _keyed_update(trial).replayed


def _no_half_version(trial: Trial) -> None:
    """One version or two, and the second one whole; and the next update is not in anybody's way."""
    shown = trial.archive.show(trial.first, actor=OPERATOR)
    told = len(trial.told[trial.first])

    assert shown.versions in ((1,), (1, 2))
    assert max(shown.versions) >= told
    if shown.version == 2:
        assert {path: trial.read(trial.first, path, 2) for path in CHANGED} == CHANGED
    trial.preserve()
    trial.update(trial.first, {"d.txt": b"delta"})


def _preserve(trial: Trial) -> None:
    views = trial.archive.preserve(actor=OPERATOR)
    if errors := [view.error for view in views if view.error]:
        raise ConcurrentChangeError(errors[0])


def _all_in_order(trial: Trial) -> None:
    """No object lies in two batches, no batch number is skipped."""
    numbers = [row.number for row in trial.archive.catalogue.batches()]

    assert numbers == list(range(1, len(numbers) + 1))


EVERYDAY = ("keyed-deposit", "group", "keyed-update", "preserve", "flush")
"""The stories that are told on both databases and under every kind of fault; the others where steps differ."""


def _renew(trial: Trial) -> None:
    _renewed(trial, RenewalRequest(which=ALL))


def _rehash(trial: Trial) -> None:
    _renewed(trial, RenewalRequest(kind=RenewalKind.HASH_TREE, which=ALL, algorithm="sha384"))


def _renewed(trial: Trial, request: RenewalRequest) -> None:
    result = trial.archive.renew(request, actor=OPERATOR)
    if errors := [view.error for view in result.views if view.error]:
        raise ConcurrentChangeError(errors[0])


def _destroy(trial: Trial) -> None:
    trial.archive.destroy(trial.first, reason="disposal 1", actor=OPERATOR)


def _destroyed(trial: Trial) -> None:
    """Untouched, or destroyed; the same order once more ends it, and then nothing of it is left anywhere."""
    poid = trial.first
    before = trial.archive.show(poid, actor=OPERATOR).status
    assert before in (Status.EVIDENCED, Status.DESTROYED)
    if before is Status.EVIDENCED:
        trial._check_version(trial.archive, poid, *trial.told[poid][0])
    view = trial.archive.destroy(poid, reason="disposal 1", actor=OPERATOR)
    assert view.owed == ()
    assert view.replayed == (before is Status.DESTROYED)
    trial.gone.add(poid)
    del trial.told[poid]
    codes = [event["code"] for event in trial.archive.trace(poid, actor=OPERATOR)]
    assert (codes.count("destroyed"), codes.count("purged")) == (1, 2)
    for root in trial.archive.copies.roots:
        assert not list(root.store.list(root.object_path(storage_object_for(poid))))
    for place in ("stores", "staging"):
        for path in (trial.home / place).rglob("*"):
            assert not path.is_file() or b"beta" not in path.read_bytes(), path


def _all_renewed(again: Callable[[Trial], None]) -> Callable[[Trial], None]:
    """The same work once more finishes what was left; then nothing waits, no number was used twice, and every
    chain of every document holds (the judge proves them from each store alone)."""

    def settled(trial: Trial) -> None:
        again(trial)
        rows = trial.archive.catalogue.renewals()
        assert [row.number for row in rows] == list(range(1, len(rows) + 1))
        assert trial.archive.catalogue.unfinished_renewals() == []
        assert not any(row.abandoned for row in rows)
        assert len(rows) <= trial.tries * 2  # two lines
        assert all(head.position or head.chain for head in trial.archive.catalogue.heads())

    return settled


STORIES = {
    story.name: story
    for story in (
        Story("deposit", lambda trial: trial.deposit(NEW), settled=_one_more_or_none),
        Story("keyed-deposit", _keyed, _keyed_again, _one_more_or_none),
        Story("group", _group, _group_again, _each_or_none),
        Story("update", _update, settled=_no_half_version),
        Story("keyed-update", _keyed_update, _keyed_update_again, _no_half_version),
        Story("preserve", _preserve, lambda trial: trial.preserve(), _all_in_order),
        Story("flush", lambda trial: trial.archive.flush_trail(), lambda trial: trial.archive.flush_trail()),
        Story("destroy", _destroy, _destroy, _destroyed),
        Story("renew", _renew, _renew, _all_renewed(_renew)),
        Story("rehash", _rehash, _rehash, _all_renewed(_renew)),
    )
}


OPERATIONS = {
    "deposit": Operation.DEPOSIT,
    "keyed-deposit": Operation.DEPOSIT,
    "group": Operation.GROUP,
    "update": Operation.UPDATE,
    "keyed-update": Operation.UPDATE,
    "preserve": Operation.PRESERVE,
    "flush": Operation.FLUSH,
    "destroy": Operation.DESTROY,
    "renew": Operation.RENEW,
    "rehash": Operation.REHASH,
}
"""What each story is about."""


# -- breaking ---------------------------------------------------------------------------------


def break_files(archive: Archive, plan: FaultPlan, *, one_at_a_time: bool = True) -> list[FaultyFiles]:
    """Put the plan between an archive and everything that it makes durable.

    The stores are written one after the other, so that a step is the same in every run."""
    disks = []
    for root in archive.copies.roots:
        files = FaultyFiles(root.store.name, plan)
        root.store._files = files  # type: ignore[attr-defined]
        disks.append(files)
    if one_at_a_time:
        archive.copies._pools = dict.fromkeys(archive.copies._pools, ThreadPoolExecutor(1))
    watch(archive.catalogue.engine, plan)
    return disks


def count_steps(trial: Trial, story: Story) -> list[str]:
    """The names of the durable steps of a story that nothing interrupts."""
    plan = FaultPlan()
    break_files(trial.archive, plan)
    story.act(trial)
    return plan.steps


def fail(trial: Trial, story: Story, plan: FaultPlan) -> bool:
    """Do what the story does under the plan; whether it was acknowledged."""
    try:
        story.act(trial)
    except (ArchiveError, PowerCutError):
        return False
    return True


def cut_power(trial: Trial, story: Story, at: int, loss: Loss | None) -> bool:
    """Cut the power before a step, and settle the disks accordingly; whether it was acknowledged. Without a loss it is
    what SIGKILL leaves: everything that was written stays, and nothing is tidied up."""
    plan = FaultPlan.power_cut(at)
    disks = break_files(trial.archive, plan)
    done = fail(trial, story, plan)
    trial.archive.copies.close()
    trial.archive.catalogue.close()
    if plan.dead and loss is not None:
        for disk in disks:
            disk.journal.settle(loss, seed=at)
    for staging in (trial.home / "staging").iterdir():  # the locks of the dead: on other inodes from now on
        moved = staging.with_name(f"{staging.name}.before")
        staging.rename(moved)
        shutil.copytree(moved, staging, symlinks=True)
        shutil.rmtree(moved)
    return done


CHILDREN = multiprocessing.get_context("forkserver")
PRELOADED = ["api.cli.commands", "api.cli.rebuilding", "api.doctor", "alembic.command", "signing.local_trust"]
CHILDREN.set_forkserver_preload([__name__, *PRELOADED, "signing.seals", "signing.timestamp_validation"])


def kill_child(trial: Trial, story: Story, at: int) -> bool:
    """Let another process do what the story does and kill it before a step; whether it had acknowledged."""
    out = trial.folder / "told.pickle"
    trial.archive.close()
    arguments = (trial.folder, trial.told, trial.clock.now(), story.name, at, out)
    child = CHILDREN.Process(target=_child, args=arguments)
    child.start()
    child.join(120)
    assert child.exitcode in (0, -signal.SIGKILL), child.exitcode
    if child.exitcode == 0:
        trial.told = pickle.loads(out.read_bytes())
    return child.exitcode == 0


def _child(folder: Path, told: Told, at: datetime, story: str, step: int, out: Path) -> None:
    trial = Trial(folder, told, at)
    break_files(trial.archive, FaultPlan(step, Moment.BEFORE, lambda _: kill_this_process()))
    STORIES[story].act(trial)
    out.write_bytes(pickle.dumps(trial.told))
    trial.archive.close()


def all_at_once(trial: Trial, story: Story, number: int) -> list[str]:
    """Let several processes do what the story does at the same moment; what each of them came to: the POID
    and version that it was told, `done`, or the error's code."""
    trial.archive.close()
    start, outs = CHILDREN.Barrier(number), [trial.folder / f"outcome-{index}" for index in range(number)]
    arguments = (trial.folder, trial.told, trial.clock.now(), story.name, start)
    children = [CHILDREN.Process(target=_beside_others, args=(*arguments, out)) for out in outs]
    for child in children:
        child.start()
    for child in children:
        child.join(120)
    assert [child.exitcode for child in children] == [0] * number
    return [out.read_text() for out in outs]


def _beside_others(folder: Path, told: Told, at: datetime, story: str, start: Any, out: Path) -> None:
    trial = Trial(folder, told, at)
    start.wait(60)
    try:
        came = STORIES[story].act(trial)
        outcome = f"{came.poid} {came.version}" if isinstance(came, Acknowledgement) else "done"
    except ArchiveError as error:
        outcome = error.code
    out.write_text(outcome)
    trial.archive.close()


# -- judging ----------------------------------------------------------------------------------


def judge(trial: Trial, story: Story, *, retry: bool, restart: bool = True) -> None:
    """Afterwards nothing told is lost, nothing is half, and everyday work goes on.

    With `retry` the client comes back at once; without, an audit comes first, an hour later. Without
    `restart` the process that met the error goes on."""
    if restart:
        trial.restart()
    trial.clock.advance(minutes=3)  # the leases of the dead have ended; its claims are still young
    if retry:
        story.again(trial)
    trial.clock.advance(hours=1)
    first = trial.audit()
    assert first.findings == [], [entry.to_json() for entry in first.findings]
    story.settled(trial)
    trial.preserve()
    views = trial.archive.objects(actor=OPERATOR)
    assert {Status.EVIDENCED} == {view.status for view in views if view.poid not in trial.gone}
    assert {view.poid for view in views if view.status is Status.DESTROYED} == trial.gone
    second = trial.audit()
    assert second.findings == [], [entry.to_json() for entry in second.findings]
    assert second.notes == []
    trial.check()


def judge_once(trial: Trial, story: Story) -> None:
    """As `judge`, for sweeps over every step: the same work again ends it, one audit finds nothing, and every proof
    holds from each store alone."""
    trial.restart()
    trial.clock.advance(minutes=3)
    story.again(trial)
    trial.clock.advance(hours=1)
    story.settled(trial)
    audit = trial.audit()
    assert audit.findings == []
    assert audit.checked["objects"] > 0
    trial.check()


STRIDE = int(os.environ.get("SOAK_STRIDE") or 1)
"""Of the cases of a sweep every so manieth is tried: `make soak STRIDE=10` is done in a tenth of the time."""

MANY = 12
"""Sweeps of fewer cases are never thinned out."""


def sweep(one: Callable[[Any], None], cases: Sequence[Any], steps: Sequence[str]) -> None:
    """Try every case and fail with all that went wrong; a case begins with its step's number or is it."""
    assert cases
    if STRIDE > 1 and len(cases) >= MANY:
        print(f"every {STRIDE}th of {len(cases)} cases, as SOAK_STRIDE asks")
        cases = cases[:: min(STRIDE, len(cases))]
    wrong = []
    for case in cases:
        number = case[0] if isinstance(case, tuple) else case
        try:
            one(case)
        except (AssertionError, ArchiveError) as error:
            step = steps[number - 1] if number <= len(steps) else "after the last step"
            wrong.append(f"{case} {step}: {type(error).__name__}: {str(error)[:600]}")

    assert not wrong, f"{len(wrong)} of {len(cases)} went wrong:\n" + "\n".join(wrong)


def sample(steps: list[str], most: int) -> list[int]:
    """Numbers of steps to break when not all are: the first and the last, the first of each kind of
    step on each store, and some in between, up to `most`."""
    kinds: dict[tuple[str, ...], int] = {}
    for number, step in enumerate(steps, 1):
        kinds.setdefault(tuple(step.split(" ")[:2]), number)
    chosen = {1, len(steps), len(steps) + 1, *kinds.values()}
    spread = [1 + round(index * (len(steps) - 1) / most) for index in range(most)]
    for number in spread:
        if len(chosen) < most:
            chosen.add(number)
    ordered = sorted(chosen)
    stride = len(ordered) / most
    return ordered if len(ordered) <= most else [ordered[int(index * stride)] for index in range(most)]
