"""One command, timed from outside, with the memory of its whole process tree.

Rules kept here
 * What earlier runs left unwritten is written out before the clock starts.
 * Memory is the sum of the resident sets of the process and all its descendants, looked at every 20 ms;
   pages that two processes share count twice, so the sum errs upwards. The kernel's own record of each
   process's peak counts too, so that a peak between two looks is not lost. (Not `ru_maxrss`, which is
   no less than what the process that started the command had resident.)
 * A command that fails ends the benchmark with the end of what it said.
"""

from __future__ import annotations

import os
import subprocess
import tempfile
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from benchmarks.figures import BenchmarkError, Outcome

LOOK = 0.02


class TreeMemory:
    """The peak of the resident memory of a process and its descendants while it is watched."""

    def __init__(self, pid: int) -> None:
        self._pid = pid
        self.peak_bytes = 0
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)

    def __enter__(self) -> TreeMemory:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._thread.join()

    def _watch(self) -> None:
        while not self._over.wait(LOOK):
            self.peak_bytes = max(self.peak_bytes, _tree_bytes(self._pid))


def _tree_bytes(pid: int) -> int:
    """What the tree has resident now, or the peak of its largest process where that is more."""
    total, largest, waiting = 0, 0, [pid]
    while waiting:
        one = waiting.pop()
        try:
            status = Path(f"/proc/{one}/status").read_text("ascii", "replace")
            figures = dict(line.split(":", 1) for line in status.splitlines() if line.startswith(("VmHWM", "VmRSS")))
            total += _kilobytes(figures["VmRSS"])
            largest = max(largest, _kilobytes(figures["VmHWM"]))
            for task in Path(f"/proc/{one}/task").iterdir():
                waiting += [int(child) for child in (task / "children").read_text("ascii").split()]
        except (OSError, KeyError):
            continue  # it has ended meanwhile
    return max(total, largest)


def _kilobytes(said: str) -> int:
    return int(said.split()[0]) * 1024


def settle() -> None:
    """Everything dirty goes to the disk now, on nobody's time."""
    os.sync()


def run(
    command: Sequence[str | Path], *, cwd: Path, environment: Mapping[str, str] | None = None, clock: bool = True
) -> tuple[Outcome, str]:
    """Run a command to its good end; how long it took, and what it said on standard output.

    With `clock` dirty pages are written out first. Raises `BenchmarkError` when it fails."""
    if clock:
        settle()
    with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err:
        began = time.perf_counter()
        process = subprocess.Popen(
            [str(word) for word in command],
            cwd=cwd,
            env={**os.environ, **(environment or {})},
            stdin=subprocess.DEVNULL,
            stdout=out,
            stderr=err,
        )
        with TreeMemory(process.pid) as memory:
            process.wait()
            seconds = time.perf_counter() - began
        if process.returncode:
            err.seek(0)
            said = err.read()[-2000:].decode("utf-8", "replace")
            words = " ".join(str(word) for word in command)[:300]
            raise BenchmarkError(f"exit {process.returncode} of: {words}\n{said}")
        out.seek(0)
        said = out.read().decode("utf-8", "replace")
    return Outcome(seconds, memory.peak_bytes), said


def run_all(commands: Sequence[Sequence[str | Path]], *, cwd: Path, environment: Mapping[str, str]) -> Outcome:
    """Several commands at once; timed until the last one ended."""
    settle()
    outcomes: list[Outcome | BaseException] = []

    def one(command: Sequence[str | Path]) -> None:
        try:
            outcomes.append(run(command, cwd=cwd, environment=environment, clock=False)[0])
        except BaseException as error:  # noqa: BLE001 - raised below, in the caller's thread
            outcomes.append(error)

    began = time.perf_counter()
    threads = [threading.Thread(target=one, args=(command,)) for command in commands]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    seconds = time.perf_counter() - began
    peak = 0
    for outcome in outcomes:
        if isinstance(outcome, BaseException):
            raise outcome
        peak += outcome.peak_bytes
    return Outcome(seconds, peak)


def timed(work: Callable[[], object], times: int) -> list[float]:
    """Seconds that each of `times` calls took."""
    found = []
    for _ in range(times):
        began = time.perf_counter()
        work()
        found.append(time.perf_counter() - began)
    return found
