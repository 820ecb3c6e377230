"""One fault at one step: what a test breaks, and how, while an archive works.

The rules this module keeps
 * Every durable step of a run passes through one plan and gets the next number, so that a run without
   a fault counts the steps and the runs after it break each of them once.
 * A fault comes in pairs, because an error does not tell whether the work was done: before the step
   (error, not persisted) and after it (error, but persisted).
 * After a power cut nothing happens any more: every further step, of any thread, fails as well.
"""

from __future__ import annotations

import enum
import os
import signal
import threading
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")


class Moment(enum.StrEnum):
    """When the fault comes, as seen from the step that it hits."""

    BEFORE = "not persisted"
    AFTER = "but persisted"


class PowerCutError(BaseException):
    """The machine is off. No handler of the product may catch this."""


def kill_this_process() -> None:
    """What `kill -9` does."""
    os.kill(os.getpid(), signal.SIGKILL)


class FaultPlan:
    """Counts steps and breaks the one with the number `at`, from 1 on; with None only counts.

    `strike` gets the step's name when it is hit: it raises, or ends the process. With `cut` the plan
    is dead from then on.
    """

    def __init__(
        self,
        at: int | None = None,
        moment: Moment = Moment.BEFORE,
        strike: Callable[[str], None] | None = None,
    ) -> None:
        self.at = at
        self.moment = moment
        self.strike = strike
        self.steps: list[str] = []
        self.struck: str | None = None
        self.dead = False
        self._lock = threading.RLock()

    @classmethod
    def power_cut(cls, at: int, moment: Moment = Moment.BEFORE) -> FaultPlan:
        """A plan that ends everything at a step."""
        plan = cls(at, moment)

        def off(step: str) -> None:
            plan.dead = True
            raise PowerCutError(step)

        plan.strike = off
        return plan

    def do(self, step: str, action: Callable[[], T]) -> T:
        """Do the action as the next step, with the fault if this is the one. One step at a time, so
        that what was done when the fault came is known."""
        with self._lock:
            self.alive()
            self.steps.append(step)
            hit = len(self.steps) == self.at
            if hit and self.moment is Moment.BEFORE:
                self._hit(step)
            done = action()
            if hit:
                self._hit(step)
            return done

    def alive(self) -> None:
        """Raise once the power is off."""
        if self.dead:
            raise PowerCutError("after the power cut")

    def _hit(self, step: str) -> None:
        if self.struck is None and self.strike is not None:
            self.struck = step
            self.strike(step)
