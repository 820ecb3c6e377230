"""Packages on their way to every store, and when that is enough.

Rules kept here
 * Enough are the stores that the rule of copies names. What another store lacks then is noted as a debt before anybody
   is told; a debt that cannot be noted is a failure.
 * The first failure is reported after all stores have finished, so that no thread is left writing behind the caller's
   back. Only a dispensable store that is still writing some seconds after enough others have finished is waited for no
   longer: what it was given is owed, whatever becomes of it, and it gets nothing new until it has answered.
 * A store that owes an object gets no later version of it. Its debt is noted again once the others hold that, so that
   whoever is paying it just now does not take it for paid.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from concurrent.futures import FIRST_COMPLETED, Future, wait
from dataclasses import dataclass
from typing import Protocol

from archive_core.away import Away
from archive_core.copy_rule import CopyRule
from archive_core.errors import DamageError, StoreUnavailableError, UnavailableError
from archive_core.late import LateWrites, patience_for
from archive_core.ocfl.inventory import Inventory
from archive_core.ocfl.package import ArchivalPackage

AWAY = "the store was away"


class Owing(Protocol):
    """Who keeps in mind what stores lack."""

    def note(self, store: str, object_ids: Sequence[str], error: str) -> None:
        """Note it durably; raises `ArchiveError` when that cannot be done."""
        ...

    def of(self, object_ids: Sequence[str]) -> AbstractSet[tuple[str, str]]:
        """Which stores lack which of these objects: pairs of store and object."""
        ...

    def expecting(self, store: str) -> Callable[[], None]:
        """Tell everybody that a write goes on which nobody waits for; returns what takes that back. Raises
        `ArchiveError` when that cannot be told."""
        ...

    def landed(self, store: str, object_ids: Sequence[str]) -> None:
        """A write that nobody waited for has ended: the store may hold these objects anew."""
        ...


class Surroundings(Protocol):
    """What is asked and told while packages are written: `replication.Copies`."""

    away: Away
    late: LateWrites
    patience: float
    owing: Owing | None
    after_write: Callable[[Mapping[str, Sequence[str]]], None]

    def owe(self, store: str, object_ids: Sequence[str], error: str) -> None: ...


@dataclass(frozen=True, slots=True, eq=False)
class _Part:
    """What one store is given; `written` is None when it has taken it."""

    store: str
    packages: Sequence[ArchivalPackage]
    written: Future[list[Inventory]] | None

    @property
    def objects(self) -> list[str]:
        return [package.object_id for package in self.packages]

    @property
    def error(self) -> BaseException | None:
        """Why it was not taken; waits until that is known."""
        return self.written.exception() if self.written else None


class Replication:
    """Packages on their way to every store."""

    def __init__(self, copies: Surroundings, rules: Mapping[str, CopyRule]) -> None:
        """`rules` say for each object, in their order, how many copies make it kept."""
        self._copies = copies
        self._rules = rules
        self._parts: list[_Part] = []
        self._skipped: list[tuple[str, list[str]]] = []

    def add(self, store: str, packages: Sequence[ArchivalPackage], written: Future[list[Inventory]] | None) -> None:
        """A store that takes these packages; `written` is None when it has taken them."""
        self._parts.append(_Part(store, packages, written))

    def skip(self, store: str, packages: Sequence[ArchivalPackage]) -> None:
        """A store that gets none of these packages now and will owe them; what it owes already is noted again, when the
        others hold what is new: who pays the debt just now may have begun before that."""
        self._skipped.append((store, [package.object_id for package in packages]))

    def finish(self) -> list[tuple[str, ...]]:
        """For each package the names of the stores that hold it, once those are enough and what the others lack is
        noted. Raises as `Copies.replicate`; then some of the packages may be on some of the stores."""
        left = self._wait()
        for part in left:
            self._leave(part)
        ended = [part for part in self._parts if part not in left]
        held = self._held(ended)
        failed = [(part.store, part.objects, error) for part in ended if (error := part.error) is not None]
        for store, objects, error in failed:
            if any(self._rules[one].tolerates(store) for one in objects) and isinstance(error, UnavailableError):
                self._copies.away.failed(store)
        self._judge(held, failed)
        for store, objects, error in failed:
            self._copies.owe(store, objects, str(error))
        for store, objects in self._skipped:
            if objects:
                self._copies.owe(store, objects, AWAY)
        for part in left:
            self._copies.owe(part.store, part.objects, "it did not answer in time; whether it took it is not known")
        without = {store for store, _, _ in failed}
        anew = {part.store: part.objects for part in ended if part.store not in without}
        for store in anew:
            self._copies.away.answered(store)
        self._copies.after_write(anew)
        return [tuple(held[object_id]) for object_id in self._rules]

    def _held(self, parts: Sequence[_Part]) -> dict[str, list[str]]:
        """The stores that hold each object, by what these parts, which have ended, say."""
        held: dict[str, list[str]] = {object_id: [] for object_id in self._rules}
        for part in parts:
            if part.error is None:
                for object_id in part.objects:
                    held[object_id].append(part.store)
        return held

    def _wait(self) -> list[_Part]:
        """Wait for the stores; returns the parts of those that are still writing and are waited for no longer."""
        waiting = {part.written: part for part in self._parts if part.written is not None}
        until: float | None = None
        while waiting:
            seconds = None if until is None else max(0.0, until - time.monotonic())
            ended, _ = wait(waiting, timeout=seconds, return_when=FIRST_COMPLETED)
            if not ended:
                return list(waiting.values())
            for written in ended:
                del waiting[written]
            left = list(waiting.values())
            if until is None and left and self._are_dispensable(left):
                size = max(sum(f.size for one in part.packages for f in one.new_content.values()) for part in left)
                until = time.monotonic() + patience_for(size, self._copies.patience)
        return []

    def _are_dispensable(self, left: Sequence[_Part]) -> bool:
        """Whether everything is kept well enough without what these parts will say."""
        if self._copies.owing is None:
            return False
        if not all(self._rules[one].tolerates(part.store) for part in left for one in part.objects):
            return False
        held = self._held([part for part in self._parts if part not in left])
        return not any(rule.shortfall(held[one]) for one, rule in self._rules.items())

    def _leave(self, part: _Part) -> None:
        """Wait no more for a store, and leave it alone for a while."""
        assert part.written is not None
        owing = self._copies.owing
        assert owing is not None
        self._copies.away.failed(part.store)
        take_back = owing.expecting(part.store)

        def landed(store: str, object_ids: Sequence[str]) -> None:
            try:
                owing.landed(store, object_ids)
            finally:
                take_back()

        if not self._copies.late.leave(part.store, part.objects, part.written, landed):
            take_back()

    def _judge(self, held: Mapping[str, Sequence[str]], failed: Sequence[tuple[str, list[str], BaseException]]) -> None:
        """Raises unless what is held is enough, and the rest can be paid later."""
        errors = [
            error
            for store, objects, error in failed
            if not all(self._rules[one].tolerates(store) for one in objects)
            or not isinstance(error, UnavailableError | DamageError)
        ]
        short = next((lack for one, names in held.items() if (lack := self._rules[one].shortfall(names))), "")
        if short and not errors:
            errors = [error for _, _, error in failed]
        for error in sorted(errors, key=lambda error: isinstance(error, UnavailableError)):
            raise error
        if short:
            raise StoreUnavailableError(f"too few stores can be written: {short} must hold this")


__all__ = ["AWAY", "Owing", "Replication", "Surroundings"]
