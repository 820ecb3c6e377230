"""Random histories of a whole archive beside a model that only remembers.

Deposits, retries, conflicts, updates, batches with the authority there or away, damage and its end,
restarts, other processes, rebuilt catalogues. After every step: everything that was acknowledged is
listed and nothing else, no version is ever gone, evidence that was handed out once stays the same bytes,
and an audit names what was damaged and nothing else.

What is drawn never hangs on the POIDs, which are others in each run: objects are numbered as they were deposited.
"""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from archive_core.archive import Archive
from archive_core.errors import (
    EvidencePendingError,
    IdempotencyConflictError,
    SubmissionError,
    UnknownObjectError,
)
from archive_core.findings import Verdict
from archive_core.lifecycle import Actor, Status
from tests.lifetimes.history import Files, HistoryWorld, Object, Request, Version, Wound
from tests.world import OPERATOR, SwitchedAuthority

ORIGINATORS = ("00111111", "00222222")
ACTORS = {name: Actor(f"key-{name}", "depositor", name) for name in ORIGINATORS}
CONTENTS = (b"", b"alpha", b"beta\n", b"\x00" * 100, b"line\r\n" * 30, bytes(range(256)) * 20)
LARGE = b"more than one chunk " * 220_000

FILES = st.dictionaries(
    st.sampled_from(["a.txt", "b", "folder/č š.pdf", "folder/deep/c", "z.bin"]),
    st.one_of(st.sampled_from(CONTENTS), st.binary(max_size=40)),
    min_size=1,
    max_size=4,
)
KEYS = st.one_of(st.none(), st.sampled_from(["key-1", "key-2", "žluťoučký", "key-4"]))
METADATA = st.sampled_from([None, None, b'{"title": "\xc5\xbd\xc3\xa1dost"}', b"{}"])
STORES = st.sampled_from(["one", "two"])
HARMS = st.sampled_from(["flip", "truncate", "extend", "empty", "delete", "stranger"])


class History(RuleBasedStateMachine):
    """One archive and one model."""

    def __init__(self) -> None:
        super().__init__()
        self.world = HistoryWorld()
        self.other: Archive | None = None
        self.objects: dict[str, Object] = {}
        self.keys: dict[tuple[str, str], Request] = {}
        self.away = False
        self.hurt: str | None = None
        self.wounds: list[Wound] = []

    def teardown(self) -> None:
        try:
            self._heal()
            self._switch(False)
            for one in list(self.objects.values()):
                for version in one.versions:
                    self._read(one, version)
            if self.objects:
                self.world.preserve()
                self.world.archive.flush_trail()
                self.world.told = {
                    one.poid: [(version.told, version.files) for version in one.versions]
                    for one in self.objects.values()
                }
                self.world.check("one", "two")
                self._audit_is_clean()
        finally:
            if self.other is not None:
                self.other.close()
            self.world.remove()

    @initialize(files=FILES)
    def first(self, files: Files) -> None:
        """There is always something to look at."""
        self._deposit(files, ORIGINATORS[0], None, None, None)

    # -- taking in ------------------------------------------------------------------------------

    @rule(
        files=FILES,
        originator=st.sampled_from(ORIGINATORS),
        key=KEYS,
        metadata=METADATA,
        profile=st.sampled_from([None, None, "redundant-1"]),
    )
    def deposit(self, files: Files, originator: str, key: str | None, metadata: bytes | None, profile: Any) -> None:
        """A new object, the same answer again, or a conflict: as the key says."""
        self._deposit(files, originator, key, metadata, profile)

    @rule()
    def deposit_large(self) -> None:
        """A file with a chunk list."""
        if not any("large" in version.files for one in self.objects.values() for version in one.versions):
            self._deposit({"large": LARGE, "small": b"x"}, ORIGINATORS[0], None, None, None)

    @rule(group=st.lists(FILES, min_size=2, max_size=5), originator=st.sampled_from(ORIGINATORS), bad=st.booleans())
    def deposit_group(self, group: list[Files], originator: str, bad: bool) -> None:
        """Many at once: each is answered in its place, and a bad one among them keeps no other out."""
        names = [*group, {"nul": b"a name that is not kept"}] if bad else group
        submissions = [self.world.submission(files, originator=originator) for files in names]
        answers: list[Any] = []
        self._archive().deposit_many(submissions, actor=ACTORS[originator], tell=answers.append)
        assert len(answers) == len(names)
        if bad:
            assert isinstance(answers.pop(), SubmissionError)
        for told, files in zip(answers, group, strict=True):
            assert (told.version, told.replayed, told.poid in self.objects) == (1, False, False)
            self.objects[told.poid] = Object(told.poid, originator, None, [Version(told, files, None)])

    @rule(data=st.data())
    @precondition(lambda self: self.keys)
    def retry(self, data: st.DataObject) -> None:
        """What was asked under a key is asked again, whatever happened since."""
        (originator, key), request = data.draw(st.sampled_from(sorted(self.keys.items(), key=lambda item: item[0])))
        one = self.objects[request.poid]
        submission = self._submission(dict(request.files), one, key, one.versions[request.version - 1])
        if request.updates:
            told = self._archive().update(request.poid, submission, actor=ACTORS[originator])
        else:
            told = self._archive().deposit(submission, actor=ACTORS[originator])
        assert (told.poid, told.version, told.replayed) == (request.poid, request.version, True)
        assert told.description_sha512 == one.versions[request.version - 1].told.description_sha512

    @rule(name=st.sampled_from(["", "../x", "a\0b", "nul", "x" * 300, "/a"]))
    def deposit_badly(self, name: str) -> None:
        """A name that cannot be kept: nothing happens."""
        with pytest.raises(SubmissionError):
            self.world.archive.deposit(self.world.submission({name: b"1"}), actor=OPERATOR)

    @rule(data=st.data(), files=FILES, key=KEYS, metadata=METADATA)
    @precondition(lambda self: self._updatable())
    def update(self, data: st.DataObject, files: Files, key: str | None, metadata: bytes | None) -> None:
        """The next version of an object; a key that was used for something else is a conflict."""
        one = self.objects[data.draw(st.sampled_from(self._updatable()))]
        known = self.keys.get((one.originator, key)) if key else None
        submission = self.world.submission(files, originator=one.originator, key=key, metadata=metadata)
        if known is not None and not self._same(known, one, files, metadata):
            with pytest.raises(IdempotencyConflictError):
                self._archive().update(one.poid, submission, actor=ACTORS[one.originator])
            return
        told = self._archive().update(one.poid, submission, actor=ACTORS[one.originator])
        if known is not None:
            assert (told.version, told.replayed) == (known.version, True)
            return
        assert (told.poid, told.version, told.replayed) == (one.poid, len(one.versions) + 1, False)
        one.versions.append(Version(told, files, metadata))
        if key:
            self.keys[one.originator, key] = Request(one.poid, told.version, True, tuple(files.items()))

    # -- evidence -------------------------------------------------------------------------------

    @rule(away=st.booleans())
    def switch_authority(self, away: bool) -> None:
        """The time-stamp authorities go away, or come back."""
        self._switch(away)

    @rule()
    @precondition(lambda self: self.hurt is None)
    def preserve(self) -> None:
        """With the authorities there everything becomes evidenced; else nothing does."""
        before = self._evidenced()
        views = self.world.archive.preserve(actor=OPERATOR)
        after = self._evidenced()
        if self.away:
            assert after == before
            assert all(view.error for view in views)
            return
        assert [view.error for view in views if view.error] == []
        assert after == {(one.poid, version.told.version) for one in self.objects.values() for version in one.versions}

    @rule(data=st.data())
    def evidence(self, data: st.DataObject) -> None:
        """A record and a receipt are the same bytes each time, or not there yet."""
        one, version = self._any_version(data)
        number = version.told.version
        if (one.poid, number) not in self._evidenced():
            for ask in (self.world.archive.evidence, self.world.archive.receipt):
                with pytest.raises(EvidencePendingError):
                    ask(one.poid, number, actor=OPERATOR)
            return
        records = self.world.archive.evidence(one.poid, number, actor=OPERATOR)
        receipt = self.world.archive.receipt(one.poid, number, actor=OPERATOR)
        assert version.evidence in (None, records)
        assert version.receipt in (None, receipt)
        version.evidence, version.receipt = records, receipt

    @rule(data=st.data())
    def verify(self, data: st.DataObject) -> None:
        """What is evidenced is proven, in the archive and in a bundle, as long as one copy is good."""
        one, version = self._any_version(data)
        if (one.poid, version.told.version) not in self._evidenced():
            with pytest.raises(EvidencePendingError):
                self.world.archive.verify(one.poid, version.told.version, actor=OPERATOR)
            return
        report = self.world.archive.verify(one.poid, version.told.version, actor=OPERATOR)
        assert report.verdict is Verdict.PASSED, report.to_json()
        judged = self.world.judge_bundle(one.poid, version.told.version, OPERATOR)
        assert judged.verdict is Verdict.PASSED, judged.to_json()
        assert judged.proof_of_existence == report.proof_of_existence

    # -- giving back ----------------------------------------------------------------------------

    @rule(data=st.data(), start=st.integers(0, 5000), length=st.integers(1, 5000))
    def retrieve(self, data: st.DataObject, start: int, length: int) -> None:
        """Everything that was acknowledged comes back, whole and in part."""
        one, version = self._any_version(data)
        self._read(one, version)
        path = data.draw(st.sampled_from(sorted(version.files)))
        content = version.files[path]
        if start < len(content):
            stop = min(len(content), start + length)
            found = self.world.read(one.poid, path, version.told.version, start=start, stop=stop)
            assert found == content[start:stop]

    @rule(data=st.data())
    def trace(self, data: st.DataObject) -> None:
        """The events of an object only grow, and those in the trail are numbered without a gap."""
        one = self._any_object(data)
        self.world.archive.flush_trail()
        events = self.world.archive.trace(one.poid, actor=OPERATOR)
        assert [event["object_event"] for event in events] == list(range(1, len(events) + 1))
        made = [event["version"] for event in events if event["type"] in ("ingestion", "update")]
        assert sorted(made) == list(range(1, len(one.versions) + 1))
        ids = [str(event["event_id"]) for event in events]
        assert ids[: len(one.events)] == one.events
        one.events = ids

    @rule(data=st.data())
    def look_from_elsewhere(self, data: st.DataObject) -> None:
        """Another organisation gets the answer that is given for what never was."""
        one = self._any_object(data)
        stranger = ACTORS[next(name for name in ORIGINATORS if name != one.originator)]
        for ask in (self.world.archive.show, self.world.archive.evidence, self.world.archive.verify):
            with pytest.raises(UnknownObjectError):
                ask(one.poid, actor=stranger)

    # -- damage ---------------------------------------------------------------------------------

    @rule(data=st.data(), store=STORES, harm=HARMS, system=st.booleans())
    @precondition(lambda self: len(self.wounds) < 3)
    def damage(self, data: st.DataObject, store: str, harm: str, system: bool) -> None:
        """A file of one store is changed, lost, or joined by a stranger."""
        store = self.hurt or store
        wounded = {wound.path for wound in self.wounds}
        files = [path for path in self.world.files(store, "") if path not in wounded and _in_object(path)]
        chosen = [path for path in files if _is_system(path) == system] or files
        path = data.draw(st.sampled_from(sorted(chosen, key=self._order)))
        if harm == "stranger":
            path = path.with_name("stranger")
            if path.exists():
                return
        was = path.read_bytes() if path.exists() else None
        harmed = _harmed(was, harm)
        if was == harmed:
            return
        path.unlink(missing_ok=True)
        if harmed is not None:
            path.write_bytes(harmed)
        self.hurt = store
        self.wounds.append(Wound(path, was))

    @rule()
    @precondition(lambda self: self.wounds)
    def heal(self) -> None:
        """The damaged files are put back."""
        self._heal()

    @rule()
    def audit(self) -> None:
        """An audit names every damaged object in its store, and nothing else."""
        if not self.wounds:
            self._audit_is_clean()
            return
        result = self.world.audit()
        assert {entry.store for entry in result.findings} == {self.hurt}, result.findings
        root = self.world.store(str(self.hurt))
        hurt = {_object_root(wound.path.relative_to(root).as_posix()) for wound in self.wounds}
        named = [entry.path for entry in result.findings]
        for place in hurt:
            assert any(path == place or path.startswith(f"{place}/") for path in named), (place, result.findings)
        for path in named:
            about_trail = path.startswith(("segment ", "event ")) and any("%3atr" in place for place in hurt)
            assert about_trail or any(path == place or path.startswith(f"{place}/") for place in hurt), (path, hurt)

    # -- time and processes ---------------------------------------------------------------------

    @rule(hours=st.sampled_from([0.01, 1, 30, 24 * 20]))
    def wait(self, hours: float) -> None:
        self.world.clock.advance(hours=hours)

    @rule()
    def restart(self) -> None:
        self.world.restart()
        self._switch(self.away)

    @rule()
    def another_process(self) -> None:
        """From now on some requests go to another process on the same home, or no longer."""
        if self.other is None:
            self.other = self.world.open()
        else:
            self.other.close()
            self.other = None

    @rule(store=STORES)
    def rebuild(self, store: str) -> None:
        """The catalogue is lost and made again from a whole store: it says what it said."""
        if self.hurt == store:
            return
        self.world.archive.flush_trail()
        before = self._said()
        if self.other is not None:
            self.other.close()
            self.other = None
        self.world.become_rebuilt(store)
        self._switch(self.away)
        assert self._said() == before

    # -- always ---------------------------------------------------------------------------------

    @invariant()
    def the_listing_is_the_model(self) -> None:
        """Every acknowledged object and version, of each organisation, and nothing else."""
        archive = self.world.archive
        views = archive.objects(actor=OPERATOR, limit=1000)
        assert [view.poid for view in views] == sorted(self.objects)
        for view in views:
            one = self.objects[view.poid]
            last = one.versions[-1]
            assert (view.version, view.originator) == (len(one.versions), one.originator)
            assert view.description_sha512 == last.told.description_sha512
        for name, actor in ACTORS.items():
            mine = [view.poid for view in archive.objects(actor=actor, limit=1000)]
            assert mine == sorted(poid for poid, one in self.objects.items() if one.originator == name)

    # -- helpers --------------------------------------------------------------------------------

    def _archive(self) -> Archive:
        """Whoever answers: this process, or the other one every second time."""
        return self.other if self.other is not None and len(self.objects) % 2 else self.world.archive

    def _deposit(
        self, files: Files, originator: str, key: str | None, metadata: bytes | None, profile: str | None
    ) -> None:
        known = self.keys.get((originator, key)) if key else None
        submission = self.world.submission(files, originator=originator, key=key, metadata=metadata, profile=profile)
        if known is not None and not self._same(known, None, files, metadata, profile):
            with pytest.raises(IdempotencyConflictError):
                self._archive().deposit(submission, actor=ACTORS[originator])
            return
        told = self._archive().deposit(submission, actor=ACTORS[originator])
        assert told.replayed == (known is not None)
        if known is not None:
            assert (told.poid, told.version) == (known.poid, known.version)
            return
        assert told.poid not in self.objects
        assert told.status is Status.REPLICATED
        one = Object(told.poid, originator, key)
        one.versions.append(Version(told, files, metadata))
        self.objects[told.poid] = one
        if key:
            self.keys[originator, key] = Request(told.poid, 1, False, tuple(files.items()))

    def _same(
        self, known: Request, one: Object | None, files: Files, metadata: bytes | None, profile: str | None = None
    ) -> bool:
        """Whether a request is the one that a key was used for."""
        if known.updates != (one is not None) or (one is not None and one.poid != known.poid):
            return False
        before = self.objects[known.poid].versions[known.version - 1]
        asked = profile or ("basic-1" if one is None else one.versions[-1].told.profile)
        return (dict(known.files), before.metadata, before.told.profile) == (files, metadata, asked)

    def _submission(self, files: Files, one: Object, key: str, version: Version) -> Any:
        return self.world.submission(
            files,
            originator=one.originator,
            key=key,
            metadata=version.metadata,
            profile=version.told.profile,
        )

    def _updatable(self) -> list[str]:
        """Objects whose storage object is whole in every store."""
        hurt = {_name(wound.path) for wound in self.wounds}
        return [poid for poid in self.objects if not any(poid in name for name in hurt)]

    def _order(self, path: Any) -> tuple[int, str]:
        """A file's place among all of a store: those of system objects first, then those of each object in turn."""
        name = _name(path)
        inside = str(path).partition(name)[2]
        rank = next((number for number, poid in enumerate(self.objects, 1) if name.endswith(poid)), 0)
        return rank, inside if rank else name + inside

    def _any_object(self, data: st.DataObject) -> Object:
        return list(self.objects.values())[data.draw(st.integers(0, len(self.objects) - 1))]

    def _any_version(self, data: st.DataObject) -> tuple[Object, Version]:
        one = self._any_object(data)
        return one, one.versions[data.draw(st.integers(0, len(one.versions) - 1))]

    def _read(self, one: Object, version: Version) -> None:
        number = version.told.version
        shown = self.world.archive.show(one.poid, number, actor=ACTORS[one.originator])
        assert {view.path for view in shown.files if view.role == "document"} == set(version.files)
        assert shown.versions == tuple(range(1, len(one.versions) + 1))
        for path, content in version.files.items():
            assert self.world.read(one.poid, path, number) == content
        if version.metadata is not None:
            assert self.world.read(one.poid, "metadata.json", number) == version.metadata

    def _evidenced(self) -> set[tuple[str, int]]:
        show = self.world.archive.show
        return {
            (one.poid, version.told.version)
            for one in self.objects.values()
            for version in one.versions
            if show(one.poid, version.told.version, actor=OPERATOR).status is Status.EVIDENCED
        }

    def _said(self) -> object:
        """All that the archive says to people, but for what it only knows of itself."""
        archive = self.world.archive
        return (
            [view.to_json() for view in archive.objects(actor=OPERATOR, limit=1000)],
            {poid: archive.trace(poid, actor=OPERATOR) for poid in self.objects},
            self._evidenced(),
        )

    def _audit_is_clean(self) -> None:
        result = self.world.audit()
        assert result.findings == []
        assert result.checked["stores"] == 2

    def _switch(self, away: bool) -> None:
        self.away = away
        authorities = self.world.archive.authorities
        for name in list(authorities):
            known = authorities[name]
            switched = known if isinstance(known, SwitchedAuthority) else self.world.switch(name)
            switched.away = away

    def _heal(self) -> None:
        for wound in self.wounds:
            wound.heal()
        self.wounds, self.hurt = [], None


def _in_object(path: Any) -> bool:
    return "%3a" in str(path)


def _is_system(path: Any) -> bool:
    return not _name(path).removeprefix("urn%3atrusted-archive%3a").startswith("0")


def _name(path: Any) -> str:
    """The directory name of the object that a file belongs to."""
    return next(part for part in path.parts if "%3a" in part)


def _object_root(key: str) -> str:
    parts = key.split("/")
    return "/".join(parts[: next(n for n, part in enumerate(parts) if "%3a" in part) + 1])


def _harmed(was: bytes | None, harm: str) -> bytes | None:
    if was is None:
        return b"nobody knows me"
    return {
        "flip": was[:-1] + bytes([was[-1] ^ 1]) if was else b"x",
        "truncate": was[: len(was) // 2],
        "extend": was + b"\n",
        "empty": b"",
        "delete": None,
    }[harm]


def _run(examples: int, steps: int, phases: tuple[Phase, ...]) -> None:
    run_state_machine_as_test(
        History,
        settings=settings(
            max_examples=examples,
            stateful_step_count=steps,
            deadline=None,
            print_blob=True,
            suppress_health_check=list(HealthCheck),
            phases=phases,
        ),
    )


def test_a_short_history_of_anything_leaves_the_archive_as_the_model_remembers() -> None:
    """A taste of it in the quick suite; a failure is printed as it was found, with what repeats it."""
    _run(2, 12, (Phase.explicit, Phase.reuse, Phase.generate))


@pytest.mark.slow
def test_histories_of_anything_leave_the_archive_as_the_model_remembers() -> None:
    """Several histories of moderate length."""
    _run(10, 30, (Phase.explicit, Phase.reuse, Phase.generate))


@pytest.mark.soak
@pytest.mark.timeout(3600)
def test_long_histories_of_anything_leave_the_archive_as_the_model_remembers() -> None:
    """Many and longer histories."""
    _run(60, 60, (Phase.explicit, Phase.reuse, Phase.generate, Phase.shrink))
