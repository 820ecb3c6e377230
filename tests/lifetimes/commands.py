"""A command of ours in a process of its own, struck at one durable step: killed, Ctrl-C, or an error.

The rules this module keeps
 * The command runs as `main` runs it. What is counted is put below it: every commit of a catalogue, every
   change of a file's name, and every operation of `DurableFiles`.
 * Ctrl-C is the signal itself, at the step; what the command makes of it is its own affair.
"""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from api.cli import main
from archive_core.catalogue.catalogue import Catalogue
from storage_backends.durable import DurableFiles
from tests.fakes.database import lost_connection, watch
from tests.fakes.disk import io_error
from tests.fakes.faults import FaultPlan, Moment, kill_this_process
from tests.lifetimes.crash_world import CHILDREN

_FILES = ("write", "publish", "publish_tree", "replace", "remove", "sync_path", "sync_file_system")
_NAMES = ("replace", "link", "rename")


@dataclass(frozen=True)
class Ended:
    """How a command ended: `code` as its parent sees it, the steps that it came to, and all it said."""

    code: int | None
    steps: tuple[str, ...]
    out: str
    err: str


def command(
    home: Path,
    words: Sequence[str],
    folder: Path,
    *,
    at: int | None = None,
    how: str = "kill",
    moment: Moment = Moment.BEFORE,
) -> Ended:
    """Run a command and strike it at a step (from 1 on); with None only count the steps.

    `how` is `kill`, `interrupt` or `error`. `folder` gets what the command said."""
    places = [folder / f"command.{name}" for name in ("steps", "out", "err")]
    for place in places:
        place.unlink(missing_ok=True)
    child = CHILDREN.Process(target=_child, args=(["--home", str(home), *words], at, how, moment, places))
    child.start()
    child.join(240)
    assert child.exitcode is not None, f"{words} struck at {at} ({how}) does not end"
    steps, out, err = (place.read_text() if place.exists() else "" for place in places)
    return Ended(child.exitcode, tuple(steps.splitlines()), out, err)


def _child(words: list[str], at: int | None, how: str, moment: Moment, places: list[Path]) -> None:
    steps, out, err = places
    for stream, place in ((sys.stdout, out), (sys.stderr, err)):
        target = os.open(place, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
        os.dup2(target, stream.fileno())
    signal.signal(signal.SIGINT, signal.default_int_handler)
    plan = FaultPlan(at, moment, STRIKES[how])
    _count(plan)
    code = main(words)
    steps.write_text("\n".join(plan.steps))
    sys.exit(code)


def _error(step: str) -> None:
    (lost_connection if step.startswith("catalogue") else io_error)(step)


STRIKES: dict[str, Callable[[str], None]] = {
    "kill": lambda step: kill_this_process(),
    "interrupt": lambda step: os.kill(os.getpid(), signal.SIGINT),
    "error": _error,
}


def _count(plan: FaultPlan) -> None:
    """Put the plan below everything that becomes durable in this process."""
    for verb in ("create", "open", "create_for_rebuild"):
        real = getattr(Catalogue, verb)
        setattr(Catalogue, verb, staticmethod(_watched(real, plan)))
    for name in _NAMES:
        setattr(os, name, _stepping(name, getattr(os, name), plan, lambda places: Path(places[1]).name))
    for name in _FILES:
        step = _stepping(f"file {name}", getattr(DurableFiles, name), plan, lambda places: str(places[1]))
        setattr(DurableFiles, name, step)


def _watched(real: Callable[[str], Catalogue], plan: FaultPlan) -> Callable[[str], Catalogue]:
    def watched(url: str) -> Catalogue:
        catalogue = real(url)
        watch(catalogue.engine, plan)
        return catalogue

    return watched


def _stepping(
    name: str, real: Callable[..., Any], plan: FaultPlan, about: Callable[[Sequence[Any]], str]
) -> Callable[..., Any]:
    def step(*places: Any, **rest: Any) -> Any:
        return plan.do(f"{name} {about(places)}", lambda: real(*places, **rest))

    return step
