"""Snapshots of the EU trusted lists: what decisions about qualified status rest on, kept for as long as these.

Rules kept here (Reg. (EU) 2025/1946: OVR-A-02 of TS 119 511)
 * A snapshot is a system object `tl…` on every store, one version, never changed: a document that names every list by
   SHA-256 and where its octets lie, and the octets of those lists that no earlier snapshot holds.
 * It is written before anything is decided by it, and an event of the trail binds its document. A decision names lists
   by SHA-256 and the snapshot by its number, so that the same question gets the same answer ten years later, offline.
 * Lists that did not change make no new snapshot.
 * A list that is stale is no error: whoever asks it gets INDETERMINATE. That it is, and that none can be had, is told.
"""

from __future__ import annotations

import hashlib
import json
import os
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from pathlib import Path

from archive_core import canonical, reading
from archive_core.batch import system_package
from archive_core.catalogue.catalogue import Catalogue
from archive_core.digests import Digest
from archive_core.errors import (
    AlreadyExistsError,
    ArchiveError,
    ConcurrentChangeError,
    FixityError,
    MalformedDocumentError,
    SettingsError,
    UnknownObjectError,
)
from archive_core.findings import Finding, utc_text
from archive_core.holding import Holder
from archive_core.identifiers import LISTS, system_object
from archive_core.lifecycle import Actor
from archive_core.ocfl.storage_root import StorageRoot
from archive_core.ports import AsksLists, Clock, GatheredLists, KeptList, ListSource, QualifiedAnswer, ValidationData
from archive_core.replication import Copies, DamageListener
from archive_core.sequencer import Sequencer
from archive_core.settling import settle
from archive_core.trail.events import EventType, Outcome

FORMAT = "trusted-archive/trusted-lists/1"
DOCUMENT = "lists.json"
MAX_DOCUMENT, MAX_LIST = 1024 * 1024, 32 * 1024 * 1024
_LAST, _EACH, _TRIED = "trusted-lists", "trusted-lists:", "trusted-lists-tried"
_INDEX = "trusted-lists-index"
"""What the catalogue knows of the newest lists' index: of which lists it is, and its SHA-256."""


@dataclass(frozen=True, slots=True)
class Snapshot:
    """One snapshot: its lists, and which snapshot holds the octets of each (by SHA-256)."""

    number: int
    taken: datetime
    lists: tuple[KeptList, ...]
    held_by: Mapping[str, int]

    def to_bytes(self) -> bytes:
        return canonical.write(
            {
                "format": FORMAT,
                "number": self.number,
                "taken": utc_text(self.taken),
                "lists": [
                    {
                        "sha256": one.sha256,
                        "territory": one.territory,
                        "sequence": one.sequence,
                        "issued": utc_text(one.issued),
                        "next_update": utc_text(one.next_update) if one.next_update else None,
                        "list_of_lists": one.list_of_lists,
                        "held_by": self.held_by[one.sha256],
                    }
                    for one in self.lists
                ],
            }
        )

    @classmethod
    def parse(cls, data: bytes) -> Snapshot:
        """Raises `MalformedDocumentError`."""
        value = canonical.read_canonical(data, max_bytes=MAX_DOCUMENT)
        value = reading.members(value, ("format", "number", "taken", "lists"), "the snapshot of trusted lists")
        reading.formatted(value["format"], FORMAT)
        lists, held_by = [], {}
        names = ("sha256", "territory", "sequence", "issued", "next_update", "list_of_lists", "held_by")
        for item in reading.items(value["lists"], "lists", least=1, most=200):
            one = reading.members(item, names, "a trusted list")
            until = one["next_update"]
            kept = KeptList(
                reading.digest(one["sha256"], "sha256", "sha256").hex(),
                reading.text(one["territory"], "territory", least=0),
                reading.integer(one["sequence"], "sequence"),
                reading.instant(one["issued"], "issued"),
                None if until is None else reading.instant(until, "next_update"),
                reading.flag(one["list_of_lists"], "list_of_lists"),
            )
            lists.append(kept)
            held_by[kept.sha256] = reading.integer(one["held_by"], "held_by", least=1)
        number = reading.integer(value["number"], "number", least=1)
        return cls(number, reading.instant(value["taken"], "taken"), tuple(lists), held_by)

    def stale(self, at: datetime) -> list[KeptList]:
        """The lists that are not to be used any more at an instant."""
        return [one for one in self.lists if one.next_update is None or one.next_update < at]

    def to_json(self, at: datetime) -> dict[str, object]:
        document: dict[str, object] = json.loads(self.to_bytes())
        document["stale"] = [one.territory for one in self.stale(at)]
        return document


def list_path(sha256: str) -> str:
    """Where the octets of a list lie in the snapshot that holds them."""
    return f"lists/{sha256}.xml"


@dataclass(frozen=True, slots=True)
class ListMeans:
    """Where lists come from and who reads them; `every` is how often the scheduler looks for new ones."""

    source: ListSource | None = None
    asks: AsksLists | None = None
    every: timedelta = timedelta(days=1)


class ListSnapshots:
    """Takes snapshots, and answers from them."""

    def __init__(
        self,
        *,
        clock: Clock,
        catalogue: Catalogue,
        copies: Copies,
        holder: Holder,
        sequencer: Sequencer,
        on_damage: DamageListener,
        source: ListSource | None,
        asks: AsksLists | None,
        every: timedelta = timedelta(days=1),
    ) -> None:
        """`source` is None where nothing is configured; `every` is how often the scheduler looks for new lists."""
        self.source, self.asks, self.every = source, asks, every
        self._clock = clock
        self._catalogue = catalogue
        self._copies = copies
        self._holder = holder
        self._sequencer = sequencer
        self._on_damage = on_damage

    # -- taking -----------------------------------------------------------------------------------

    def is_due(self) -> bool:
        """Whether the scheduler should look for new lists; after a try in vain sooner than otherwise."""
        if self.source is None:
            return False
        tried = self._tried()
        if tried is None:
            return True
        at, error = tried
        wait = min(self.every, timedelta(minutes=30)) if error else self.every
        return self._clock.now() - at >= wait

    def refresh(self, *, actor: Actor) -> tuple[Snapshot, Sequence[Finding]]:
        """Get the lists that there are now; a new snapshot where one of them changed, on every store when this returns.

        Raises `SettingsError` where none are configured, `UnavailableError` when none can be had, `LeaseHeldError`."""
        if self.source is None:
            raise SettingsError("no trusted lists are configured: say where they are in [trusted_lists]")
        with self._holder.hold("trusted lists"):
            self._adopt()
            at = self._clock.now()
            try:
                gathered = self.source.gather()
                snapshot = self._taken(gathered, at, actor)
            except ArchiveError as error:
                self._note(at, str(error)[:1000])
                raise
            self._note(at, "; ".join(finding.message for finding in gathered.findings)[:1000] or None)
            return snapshot, gathered.findings

    def _taken(self, gathered: GatheredLists, at: datetime, actor: Actor) -> Snapshot:
        last = self.newest()
        wanted = {one.sha256 for one in gathered.lists}
        if last is not None and {one.sha256 for one in last.lists} == wanted:
            return last
        number = (last.number if last else 0) + 1
        known = dict(last.held_by) if last else {}
        held_by = {one.sha256: known.get(one.sha256, number) for one in gathered.lists}
        plain = tuple(replace(one, octets=b"") for one in gathered.lists)
        snapshot = Snapshot(number, at, tuple(sorted(plain, key=lambda one: (one.territory, one.sequence))), held_by)
        files = {list_path(one.sha256): one.octets for one in gathered.lists if held_by[one.sha256] == number}
        object_id = system_object(LISTS, number)
        package = system_package(
            object_id, 1, {DOCUMENT: snapshot.to_bytes(), **files}, None, message="Trusted lists", at=at
        )
        try:
            self._copies.replicate_in_turn(package)
        except (AlreadyExistsError, ConcurrentChangeError):
            if not self._adopt():
                raise
            return self._taken(gathered, at, actor)
        self._enter(snapshot, actor)
        return snapshot

    def _enter(self, snapshot: Snapshot, actor: Actor | None) -> None:
        octets = snapshot.to_bytes()
        self._catalogue.meta_set(f"{_EACH}{snapshot.number:010d}", Digest.of("sha512", octets).hex)
        self._catalogue.meta_set(_LAST, str(snapshot.number))
        if actor is not None:
            self._sequencer.record(
                EventType.POLICY_ASSIGNMENT,
                Outcome.SUCCESS,
                "trusted-lists",
                actor=actor,
                subject=f"{LISTS}{snapshot.number:010d}:{hashlib.sha256(octets).hexdigest()}",
            )

    def _adopt(self) -> bool:
        """Enter snapshots that the stores hold and the catalogue does not know: what an interrupted round left."""
        adopted = False
        while True:
            number = self.last_number() + 1
            source, _ = settle(self._copies, system_object(LISTS, number), self._holder.renew)
            if source is None:
                return adopted
            self._enter(read_snapshot(source, number), None)
            adopted = True

    # -- what there is ----------------------------------------------------------------------------

    def last_number(self) -> int:
        return int(self._catalogue.meta_get(_LAST) or 0)

    def newest(self) -> Snapshot | None:
        """The snapshot that counts now; None where none was taken."""
        number = self.last_number()
        return self.snapshot(number) if number else None

    def snapshot(self, number: int) -> Snapshot:
        """A snapshot by its number, from a copy that has the bytes that were entered. Raises `UnknownObjectError`."""
        expected = self._catalogue.meta_get(f"{_EACH}{number:010d}")
        if expected is None:
            raise UnknownObjectError(f"there is no snapshot {number} of trusted lists")

        def reader(root: StorageRoot) -> Snapshot:
            found = read_snapshot(root, number)
            if Digest.of("sha512", found.to_bytes()).hex != expected:
                raise FixityError(f"snapshot {number} of trusted lists is another one in the store {root.store.name}")
            return found

        return self._copies.read_acknowledged(f"trusted lists {number}", reader, self._on_damage)

    def octets(self, snapshot: Snapshot) -> dict[str, bytes]:
        """The lists of a snapshot by SHA-256, each verified, from whichever copy is good."""
        return {one.sha256: self._octets(one.sha256, snapshot.held_by[one.sha256]) for one in snapshot.lists}

    def _octets(self, sha256: str, number: int) -> bytes:
        def reader(root: StorageRoot) -> bytes:
            data = root.read_file(system_object(LISTS, number), 1, list_path(sha256), MAX_LIST)
            if hashlib.sha256(data).hexdigest() != sha256:
                raise FixityError(f"a trusted list is another one in the store {root.store.name}")
            return data

        return self._copies.read_acknowledged(f"trusted list {sha256}", reader, self._on_damage)

    def files(self, folder: Path) -> list[Path]:
        """The newest lists as files in a folder of ours, for processes that read files; none where there are none."""
        newest = self.newest()
        if newest is None:
            return []
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        paths = []
        for one in newest.lists:
            path = folder / f"{one.sha256}.xml"
            if not path.is_file() or hashlib.sha256(path.read_bytes()).hexdigest() != one.sha256:
                _put(path, self._octets(one.sha256, newest.held_by[one.sha256]))
            paths.append(path)
        return paths

    def index(self, folder: Path, form: str, make: Callable[[Sequence[Path]], bytes]) -> tuple[Path, str] | None:
        """What `make` makes of the newest lists (which takes seconds), as a file in a folder of ours, and its SHA-256;
        None where there are no lists. It is made once for the same lists and the same form, which says how it is made;
        the catalogue knows its digest, and a file that has another one is made anew."""
        newest = self.newest()
        if newest is None:
            return None
        which = hashlib.sha256("\n".join([form, *sorted(one.sha256 for one in newest.lists)]).encode()).hexdigest()
        path = folder / f"{which}.index"
        known = self._catalogue.meta_get(_INDEX)
        if known is not None and known.startswith(f"{which}:"):
            sha256 = known.partition(":")[2]
            if path.is_file() and hashlib.sha256(path.read_bytes()).hexdigest() == sha256:
                return path, sha256
        lists = self.files(folder)
        octets = make(lists)
        _put(path, octets)
        _clear(folder, {path, *lists})
        sha256 = hashlib.sha256(octets).hexdigest()
        self._catalogue.meta_set(_INDEX, f"{which}:{sha256}")
        return path, sha256

    # -- asking -----------------------------------------------------------------------------------

    def timestamp(
        self, token: bytes, *, at: datetime, data: ValidationData | None = None, number: int | None = None
    ) -> QualifiedAnswer:
        """Whether a time-stamp is a qualified one, by the newest snapshot or that of a number, asked as of `at`."""
        snapshot, lists = self._lists(number)
        return self._told(self._asks().timestamp(lists, token, at=at, data=data), snapshot, at)

    def seal(
        self, seal: bytes, *, at: datetime, data: ValidationData | None = None, number: int | None = None
    ) -> QualifiedAnswer:
        """Whether a seal made at `at` is a qualified one."""
        snapshot, lists = self._lists(number)
        return self._told(self._asks().seal(lists, seal, at=at, data=data), snapshot, at)

    def _lists(self, number: int | None) -> tuple[Snapshot, list[bytes]]:
        snapshot = self.newest() if number is None else self.snapshot(number)
        if snapshot is None:
            raise SettingsError("no trusted lists were taken: configure [trusted_lists], then run `lists refresh`")
        return snapshot, list(self.octets(snapshot).values())

    def _asks(self) -> AsksLists:
        if self.asks is None:
            raise SettingsError("nothing here reads trusted lists")
        return self.asks

    @staticmethod
    def _told(answer: QualifiedAnswer, snapshot: Snapshot, at: datetime) -> QualifiedAnswer:
        return replace(answer, facts={**answer.facts, "snapshot": snapshot.number, "asked_at": utc_text(at)})

    # -- how it stands ----------------------------------------------------------------------------

    def _note(self, at: datetime, error: str | None) -> None:
        self._catalogue.meta_set(_TRIED, json.dumps({"at": utc_text(at), "error": error}))

    def _tried(self) -> tuple[datetime, str | None] | None:
        kept = self._catalogue.meta_get(_TRIED)
        if kept is None:
            return None
        value = json.loads(kept)
        return reading.instant(value["at"], "at"), value["error"]

    def warnings(self) -> list[str]:
        """Lists that are stale, and that new ones cannot be had."""
        if self.source is None:
            return []
        tried, at = self._tried(), self._clock.now()
        said = []
        if tried is not None and tried[1]:
            said.append(f"trusted lists cannot all be had since {utc_text(tried[0])}: {tried[1]}")
        newest = self.newest()
        if newest is None:
            said.append("no trusted lists were taken yet: nothing can be told of qualified status")
        for one in newest.stale(at) if newest else ():
            until = utc_text(one.next_update) if one.next_update else "its closing"
            said.append(f"the trusted list of {one.territory} number {one.sequence} is stale since {until}")
        return said


def _put(path: Path, octets: bytes) -> None:
    """In one step, whoever else does the same."""
    aside = path.with_name(f"{path.name}.{os.getpid()}.{threading.get_ident()}.new")
    aside.write_bytes(octets)
    aside.replace(path)


def _clear(folder: Path, wanted: set[Path]) -> None:
    """Take away what was superseded a day ago: nobody is reading it any more."""
    newest = max(one.stat().st_mtime for one in wanted)
    for one in folder.iterdir():
        if one not in wanted and one.stat().st_mtime < newest - 86400:
            one.unlink(missing_ok=True)


def read_snapshot(root: StorageRoot, number: int) -> Snapshot:
    """A snapshot as one store holds it. Raises `UnknownObjectError`, `DamageError`."""
    data = root.read_file(system_object(LISTS, number), 1, DOCUMENT, MAX_DOCUMENT)
    try:
        found = Snapshot.parse(data)
    except MalformedDocumentError as error:
        raise FixityError(f"snapshot {number} of trusted lists cannot be read in {root.store.name}: {error}") from error
    if found.number != number:
        raise FixityError(f"snapshot {number} of trusted lists is another one in the store {root.store.name}")
    return found


def known_snapshots(catalogue: Catalogue) -> dict[int, str]:
    """The sha512 (hex) of every snapshot's document, by number."""
    last = int(catalogue.meta_get(_LAST) or 0)
    found = {number: catalogue.meta_get(f"{_EACH}{number:010d}") for number in range(1, last + 1)}
    return {number: digest for number, digest in found.items() if digest is not None}


def enter_snapshot(catalogue: Catalogue, root: StorageRoot, number: int) -> None:
    """A snapshot that a store holds, into a catalogue that is made again."""
    digest = Digest.of("sha512", read_snapshot(root, number).to_bytes()).hex
    catalogue.meta_set(f"{_EACH}{number:010d}", digest)
    if number > int(catalogue.meta_get(_LAST) or 0):
        catalogue.meta_set(_LAST, str(number))
