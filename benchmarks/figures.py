"""The values of a benchmark: figures with their rounds, goals, and what a line of the table is made of."""

from __future__ import annotations

import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any


class BenchmarkError(Exception):
    """A measurement that could not be made; the benchmark ends and says why."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """One timed run: wall-clock seconds, and the peak of the resident memory of its process tree."""

    seconds: float
    peak_bytes: int = 0


@dataclass(frozen=True, slots=True)
class Figure:
    """One row: a value per round in `unit`, and the peak memory over all rounds, in bytes (0: not measured)."""

    name: str
    unit: str
    values: tuple[float, ...]
    peak_bytes: int = 0
    note: str = ""

    def __post_init__(self) -> None:
        if not self.values or not all(value > 0 for value in self.values):
            raise BenchmarkError(f"{self.name}: a figure without a value is no figure: {self.values}")

    @property
    def median(self) -> float:
        return statistics.median(self.values)

    @classmethod
    def rate(cls, name: str, unit: str, amount: float, runs: Sequence[Outcome], note: str = "") -> Figure:
        """`amount` of `unit` per second in each of the runs."""
        rates = tuple(amount / run.seconds for run in runs)
        return cls(name, f"{unit}/s", rates, max((run.peak_bytes for run in runs), default=0), note)

    @classmethod
    def time(cls, name: str, runs: Sequence[Outcome], note: str = "") -> Figure:
        """Seconds of each of the runs."""
        seconds = tuple(run.seconds for run in runs)
        return cls(name, "s", seconds, max((run.peak_bytes for run in runs), default=0), note)

    @classmethod
    def milliseconds(cls, name: str, seconds: Sequence[float], note: str = "") -> Figure:
        return cls(name, "ms", tuple(value * 1000 for value in seconds), 0, note)

    def to_json(self) -> dict[str, Any]:
        return {
            "name": self.name,
            "unit": self.unit,
            "median": self.median,
            "values": list(self.values),
            "peak_mib": round(self.peak_bytes / 2**20, 1) if self.peak_bytes else None,
            "note": self.note,
        }


@dataclass(frozen=True, slots=True)
class Goal:
    """A limit and what was reached. `key` finds the remark that says why it was missed."""

    key: str
    text: str
    reached: float
    limit: float
    at_most: bool = False

    @property
    def met(self) -> bool:
        return self.reached <= self.limit if self.at_most else self.reached >= self.limit

    def to_json(self) -> dict[str, Any]:
        return {
            "key": self.key,
            "text": self.text,
            "reached": self.reached,
            "limit": self.limit,
            "at_most": self.at_most,
            "met": self.met,
        }


@dataclass(frozen=True, slots=True)
class LineResult:
    """One line of the issue: its figures, its goals, and under which conditions they came about."""

    letter: str
    title: str
    figures: Sequence[Figure]
    goals: Sequence[Goal]
    conditions: Sequence[str] = ()
    facts: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if not self.figures:
            raise BenchmarkError(f"({self.letter}) has looked at nothing")

    def to_json(self) -> dict[str, Any]:
        return {
            "letter": self.letter,
            "title": self.title,
            "figures": [figure.to_json() for figure in self.figures],
            "goals": [goal.to_json() for goal in self.goals],
            "conditions": list(self.conditions),
            **self.facts,
        }
