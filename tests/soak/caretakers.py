"""Rounds of damage: planted, looked for by fixity, put right by repair, compared to the byte.

The rules this module keeps
 * What one round plants is healed before the next one plants anything.
 * A fixity run that came to its end has named every damage that lay there from before its beginning. Before
   everything is repaired there is one, as an operator does it: a repair that is killed has then done what was known.
 * Fixity and repair name nothing that was not planted, but stores that are away just now.
 * A command that was killed, or met a store that was away, is begun again; after some kills it is spared.
"""

from __future__ import annotations

import json
import re
import time
from collections.abc import Sequence
from typing import Any

from archive_core.identifiers import BATCH, is_poid, system_object
from tests.soak.damage import Harming, Planted
from tests.soak.people import Stage

_NAME = re.compile(r"urn%3atrusted-archive%3a([a-z0-9-]+)|\b([0-9a-f]{32})\b")
AWAY = {"STORE_UNAVAILABLE", "CATALOGUE_UNAVAILABLE"}
"""What is said of a store that is away, and is no damage."""
MOST_KILLS = 3
"""So often a command is killed at the same work."""


def name_in(path: str) -> str:
    """The object that a path is about; empty for none."""
    match = _NAME.search(path)
    return (match[1] or match[2]) if match else ""


class Caretaker:
    """Plants and heals until the end."""

    def __init__(self, stage: Stage, number: int) -> None:
        self._stage = stage
        self._ledger = stage.ledger
        self._number = number
        self._chance = stage.chance("caretaker")
        self._harming = Harming(stage.place, stage.ledger, stage.chance("damage"))
        self._killed = 0
        self.batches: list[int] = []
        self.left: list[Planted] = []

    def run(self) -> None:
        while not self._stage.stop.wait(1.0):
            planted = self._harming.plant(self._number, [system_object(BATCH, one) for one in self.batches])
            if not planted:
                continue
            self._ledger.count("rounds of damage")
            dice = self._chance.random()
            named = [one.damage.name for one in planted if is_poid(one.damage.name)]
            one_by_one = dice > 0.15 and len(named) == len(planted)
            if not one_by_one or dice < 0.25 or self._ledger.counts["rounds of damage"] == 1:
                self._fixity(planted)
            self._heal(planted, named if one_by_one else [])

    def _fixity(self, planted: Sequence[Planted]) -> None:
        """One cycle over every store, however often it is killed."""
        words = ["fixity", "run", "--anew"]
        for _ in range(12):
            code, found = self._stage.command("fixity", *words)
            if code == -9:
                self._spare("fixity")
                words = ["fixity", "run"]  # goes on where it was
                continue
            if code not in (0, 1):
                if code != 75:
                    self._ledger.violate(f"fixity run ended with {code}: {json.dumps(found)[:600]}")
                continue
            away = self._judge(found["findings"], "fixity")
            if away:
                words = ["fixity", "run", "--anew"]
                continue
            named = {(entry["store"], name_in(entry["path"])) for entry in found["findings"]}
            for one in planted:
                if (one.damage.store, one.damage.name) in named:
                    one.damage.by_fixity = True
                else:
                    self._ledger.violate(f"a whole fixity run did not name {one.damage}")
            self._ledger.count("fixity runs")
            break
        self._again("fixity")

    def _spare(self, name: str) -> None:
        self._killed += 1
        if self._killed >= MOST_KILLS:
            self._stage.spared.add(name)

    def _again(self, name: str) -> None:
        """It did its work; the next time it may be killed again."""
        self._killed = 0
        self._stage.spared.discard(name)

    def _judge(self, findings: Sequence[dict[str, Any]], who: str) -> bool:
        """Whether a store was away; what was never planted is a violation."""
        away = False
        allowed = self._ledger.planted()
        for entry in findings:
            if entry["code"] in AWAY or "unavailable" in entry["message"].lower():
                away = True
            elif not any((store, name_in(entry["path"])) in allowed for store in entry["store"].split(", ")):
                self._ledger.violate(f"{who} named what nobody planted: {entry}")
        return away

    def _heal(self, planted: Sequence[Planted], poids: Sequence[str]) -> None:
        """Repair everything, or these objects, until every copy is what it was."""
        waiting, whole = list(planted), 0
        while waiting and whole < 12 and time.monotonic() < self._stage.given_up:
            code, found = self._stage.command("repair", "repair", *poids)
            if code in (0, 1):
                whole += 1
                self._ledger.count("repairs")
                self._ledger.count("files repaired", len(found["repaired"]))
                self._judge(found["findings"], "repair")
                for entry in found["repaired"]:
                    if (entry["store"], name_in(entry["path"])) not in self._ledger.planted():
                        self._ledger.violate(f"repair changed what nobody harmed: {entry}")
            elif code == -9:
                self._spare("repair")
            elif code != 75:
                self._ledger.violate(f"repair ended with {code}: {json.dumps(found)[:600]}")
            for one in waiting:
                one.damage.healed = one.is_healed()
                if one.damage.healed:
                    self._ledger.slowest_heal = max(self._ledger.slowest_heal, time.monotonic() - one.damage.at)
            waiting = [one for one in waiting if not one.damage.healed]
        if whole >= 12:
            self._ledger.violate(f"{whole} whole repairs did not heal {[one.damage for one in waiting]}")
        self.left += waiting
        self._again("repair")

    def look_again(self) -> None:
        """After everything was settled: what was under way at the end of the chaos is healed as well."""
        for one in self.left:
            one.damage.healed = one.is_healed()
            if not one.damage.healed:
                self._ledger.violate(f"never healed: {one.damage}")
