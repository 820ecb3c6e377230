"""Where the check of one store is, what it has found, and when what was checked last.

Rules kept here
 * The state lies in the catalogue, as one small fact for each store, written after every window: a killed process costs
   one window, and its findings are kept.
 * Coverage is counted, never assumed: objects, files and bytes that were read in this cycle, and the age of the oldest
   check, which follows from marks of when the walk passed which place.
 * It is lost with the catalogue: then a new cycle begins. What cycles found is in the trail.
"""

from __future__ import annotations

import contextlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from datetime import datetime
from typing import Any, Self

from archive_core.audit_result import AuditEntry
from archive_core.catalogue.catalogue import Catalogue
from archive_core.errors import CatalogueDamagedError
from archive_core.findings import utc_text
from archive_core.identifiers import is_poid

PHASES = ("objects", "system", "rest", "spots", "canaries")
"""What a cycle goes through, in this order."""

KEPT_FINDINGS = 1000
MARKS = 200

BY_HAND, BY_SCHEDULE = "run", "schedule"


@dataclass(slots=True)
class Counts:
    """What was looked at in a cycle."""

    objects: int = 0
    files: int = 0
    bytes: int = 0
    spots: int = 0
    planted: int = 0
    planted_found: int = 0
    read_again: int = 0
    """Objects whose first reading was bad and whose second was good: a sick disk or cable, and no damage."""


@dataclass(slots=True)
class Cycle:
    """A cycle that has begun. `cursor` is the last place that was done within the phase; `seconds` counts the time
    that was spent reading."""

    number: int
    by: str
    started: str
    phase: str = PHASES[0]
    cursor: str | None = None
    counts: Counts = field(default_factory=Counts)
    seconds: float = 0.0
    findings: list[dict[str, str]] = field(default_factory=list)
    finding_count: int = 0
    notes: list[dict[str, str]] = field(default_factory=list)
    sample: list[str] = field(default_factory=list)
    """POIDs drawn for spot checks, each as likely as any other."""
    marks: list[tuple[str, str]] = field(default_factory=list)
    """When which place was passed, thinned out."""
    resumed: int = 0

    @property
    def place(self) -> str:
        return f"{PHASES.index(self.phase)}:{self.cursor or ''}"

    def find(self, entry: AuditEntry) -> None:
        self.finding_count += 1
        if len(self.findings) < KEPT_FINDINGS:
            self.findings.append(entry.to_json())

    def note(self, entry: AuditEntry) -> None:
        if len(self.notes) < KEPT_FINDINGS:
            self.notes.append(entry.to_json())

    def mark(self, at: datetime) -> None:
        self.marks.append((utc_text(at), self.place))
        if len(self.marks) > MARKS:
            self.marks = self.marks[::2]


@dataclass(slots=True)
class StoreState:
    """All that is known of one store's checks. `last` sums up the last whole cycle; `not_before` is when the scheduler
    reads on."""

    cycle: Cycle | None = None
    last: dict[str, Any] | None = None
    previous_marks: list[tuple[str, str]] = field(default_factory=list)
    not_before: str | None = None

    @classmethod
    def load(cls, catalogue: Catalogue, store: str) -> Self:
        """The state of a store; raises `CatalogueDamagedError` when it cannot be read."""
        text = catalogue.meta_get(_name(store))
        if text is None:
            return cls()
        try:
            return cls.parse(text)
        except ValueError as error:
            raise CatalogueDamagedError(f"the state of the fixity checks of {store} cannot be read: {error}") from error

    @classmethod
    def parse(cls, text: str) -> Self:
        """What `to_text` wrote; raises ValueError for anything else."""
        try:
            value = json.loads(text)
            cycle, last, wait = value["cycle"], value["last"], value["not_before"]
            if last is not None:
                _require(_is_summary(last), "last")
            if wait is not None:
                _instant(wait)
            return cls(_cycle(cycle) if cycle is not None else None, last, _marks(value["previous_marks"]), wait)
        except (KeyError, TypeError, RecursionError, OverflowError) as error:
            raise ValueError(f"not the state of a store: {error}") from error

    def to_text(self) -> str:
        return json.dumps(asdict(self), sort_keys=True)

    def save(self, catalogue: Catalogue, store: str) -> None:
        catalogue.meta_set(_name(store), self.to_text())

    def begin(self, by: str, at: datetime) -> Cycle:
        """A new cycle; one that was under way is given up."""
        number = (self.last["cycle"] if self.last else 0) + 1
        self.cycle = Cycle(number, by, utc_text(at))
        return self.cycle

    def finish(self, at: datetime) -> dict[str, Any]:
        """The cycle is whole; what it came to."""
        cycle = self.cycle
        assert cycle is not None
        self.last = {
            "cycle": cycle.number,
            "by": cycle.by,
            "started": cycle.started,
            "ended": utc_text(at),
            "milliseconds": round(cycle.seconds * 1000),
            **asdict(cycle.counts),
            "finding_count": cycle.finding_count,
            "findings": cycle.findings[:100],
        }
        self.previous_marks = cycle.marks
        self.cycle = None
        return self.last

    def oldest_check(self) -> str | None:
        """The time at or after which every byte of the store was read once; None when some never was."""
        if self.cycle is None:
            return str(self.last["started"]) if self.last else None
        if self.last is None:
            return None
        # What lies behind the place of this cycle was read in the one before, when that passed this place.
        passed = [at for at, place in self.previous_marks if place <= self.cycle.place]
        return max(passed, default=str(self.last["started"]))


def found_damaged(catalogue: Catalogue, stores: Sequence[str]) -> list[AuditEntry]:
    """What the cycles under way and the last whole ones have named, as far as they keep it. It may be out of date. A
    state that cannot be read says nothing: `fixity status` refuses it."""
    told: list[dict[str, str]] = []
    for store in stores:
        with contextlib.suppress(CatalogueDamagedError):
            state = StoreState.load(catalogue, store)
            told += [*(state.cycle.findings if state.cycle else ()), *(state.last["findings"] if state.last else ())]
    return [AuditEntry(**entry) for entry in told]


def _name(store: str) -> str:
    return f"fixity:{store}"


def _cycle(value: Mapping[str, Any]) -> Cycle:
    counts = Counts(**value["counts"])
    cycle = Cycle(**{**value, "counts": counts, "marks": _marks(value["marks"])})
    numbers = (cycle.number, cycle.finding_count, cycle.resumed, *asdict(counts).values())
    _require(all(type(number) is int and number >= 0 for number in numbers), "a count")
    _require(type(cycle.seconds) in (int, float) and 0 <= cycle.seconds < 1e12, "seconds")
    _require(cycle.phase in PHASES and cycle.by in (BY_HAND, BY_SCHEDULE), "phase")
    _require(cycle.cursor is None or isinstance(cycle.cursor, str), "cursor")
    _require(isinstance(cycle.sample, list) and all(is_poid(poid) for poid in cycle.sample), "sample")
    for entries in (cycle.findings, cycle.notes):
        _require_entries(entries)
    _instant(cycle.started)
    return cycle


def _require_entries(entries: Any) -> None:
    _require(isinstance(entries, list), "findings")
    for entry in entries:
        _require(all(isinstance(text, str) for text in asdict(AuditEntry(**entry)).values()), "finding")


def _is_summary(last: Any) -> bool:
    numbers = ("cycle", "milliseconds", "finding_count", *asdict(Counts()))
    _instant(last["started"])
    _instant(last["ended"])
    _require_entries(last["findings"])
    return all(type(last[name]) is int and last[name] >= 0 for name in numbers)


def _marks(value: Any) -> list[tuple[str, str]]:
    found = [(at, place) for at, place in value]
    for at, place in found:
        _instant(at)
        _require(isinstance(place, str), "mark")
    return found


def _instant(text: Any) -> None:
    _require(isinstance(text, str) and datetime.fromisoformat(text).tzinfo is not None, "time")


def _require(good: bool, what: str) -> None:
    if not good:
        raise ValueError(f"{what} is not what was written")
