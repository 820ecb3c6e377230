"""Flame graphs of runs that are not timed, by py-spy, as SVG beside the results."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from benchmarks.figures import BenchmarkError
from benchmarks.measuring import run
from benchmarks.workspace import Workspace

PLACE = Path(__file__).resolve().parent


def _recorder(space: Workspace, target: Path) -> tuple[str | Path, ...]:
    spy = space.tools_python().with_name("py-spy")
    return (spy, "record", "--subprocesses", "--nonblocking", "--rate", "200", "--output", target, "--")


def record(space: Workspace, command: Sequence[str | Path], cwd: Path, name: str) -> None:
    """Run a command once more, not timed, and keep its flame graph."""
    with recording(space, Path(name)) as before:
        run([*before, *command], cwd=cwd, clock=False)


@contextmanager
def recording(space: Workspace, name: Path) -> Iterator[tuple[str | Path, ...]]:
    """The words that stand before a command to record it; the graph is there at the end, or it is an error."""
    target = PLACE / name
    made = space.fresh("flames") / name
    yield _recorder(space, made)
    if not made.is_file() or made.stat().st_size < 1000:
        raise BenchmarkError(f"py-spy left no flame graph {name}")
    # The paths of this machine say nothing to anybody else.
    text = made.read_text("utf-8").replace(f"{PLACE.parent}/", "").replace(f"{space.place}/", "")
    target.write_text(text, "utf-8")
    space.said(f"    flame graph: benchmarks/{name}")
