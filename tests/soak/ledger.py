"""What everybody was told, what was planted, what broke a rule: the other side of the archive's own books.

The rules this module keeps
 * An acknowledgement is entered after it was received, with digests that were computed here, and is a line of a file.
 * A damage is entered before it is done.
 * A violation is a sentence; one is enough for the run to fail.
"""

from __future__ import annotations

import hashlib
import json
import threading
import time
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

Files = dict[str, str]
"""sha512 (hex) by path."""


def digests(files: dict[str, bytes]) -> Files:
    return {path: hashlib.sha512(content).hexdigest() for path, content in files.items()}


@dataclass
class Damage:
    """One planted damage: `name` is that of the object, `kind` what was done."""

    store: str
    name: str
    kind: str
    at: float
    by_fixity: bool = False
    healed: bool = False
    told: bool = False


@dataclass
class Ledger:
    """Everything that a run counts; safe under threads."""

    file: Path
    began: float = field(default_factory=time.monotonic)
    told: dict[str, dict[int, Files]] = field(default_factory=dict)
    settled: list[tuple[str, float]] = field(default_factory=list)
    """Objects that nobody will update, with the time when they were told of."""
    damages: list[Damage] = field(default_factory=list)
    counts: Counter[str] = field(default_factory=Counter)
    kills: Counter[str] = field(default_factory=Counter)
    faults: Counter[str] = field(default_factory=Counter)
    """Every fault that was done, by class."""
    violations: list[str] = field(default_factory=list)
    slowest_heal: float = 0.0
    refusals: Counter[str] = field(default_factory=Counter)
    """Why commands said that they cannot now."""
    _lock: threading.RLock = field(default_factory=threading.RLock)

    def acknowledge(self, poid: str, version: int, files: Files, way: str, *, settled: bool) -> None:
        with self._lock:
            versions = self.told.setdefault(poid, {})
            if version in versions:
                if versions[version] != files:
                    self.violate(f"{poid} v{version} was acknowledged for two contents")
                self.counts["repeated"] += 1
                return
            versions[version] = files
            self.counts["acknowledged"] += 1
            self.counts[f"acknowledged by {way}"] += 1
            if settled:
                self.settled.append((poid, time.monotonic()))
            with self.file.open("a") as out:
                out.write(json.dumps({"poid": poid, "version": version, "files": files}) + "\n")

    def count(self, what: str, by: int = 1) -> None:
        with self._lock:
            self.counts[what] += by

    def refused(self, who: str, error: object) -> None:
        with self._lock:
            message = error.get("message") if isinstance(error, dict) else None
            self.refusals[f"{who}: {str(message)[:150]}"] += 1

    def fault(self, kind: str, *, kill: bool = False) -> None:
        with self._lock:
            self.faults[kind] += 1
            if kill:
                self.kills[kind] += 1

    def plant(self, damage: Damage) -> None:
        with self._lock:
            self.damages.append(damage)
            self.faults[f"damage: {damage.kind}"] += 1

    def violate(self, what: str) -> None:
        sentence = f"after {time.monotonic() - self.began:.0f} s: {what}"
        with self._lock:
            if len(self.violations) < 200:
                self.violations.append(sentence)
                print(f"VIOLATION {sentence}", flush=True)

    def planted(self) -> set[tuple[str, str]]:
        """Store and object of every planted damage."""
        with self._lock:
            return {(one.store, one.name) for one in self.damages}
