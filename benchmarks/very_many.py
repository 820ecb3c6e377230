"""(j) Time-stamp renewal of very many small batches: what each token costs."""

from __future__ import annotations

from benchmarks import renewals
from benchmarks.figures import Figure, LineResult, Outcome
from benchmarks.workspace import Workspace

LETTER, TITLE = "j", "time-stamp renewal of very many batches"


def measure(space: Workspace) -> LineResult:
    count, documents = space.scale.very_many
    home, poids = renewals.filled(space, count, documents)
    name = f"{count} batches, each of {documents} documents"
    timed, _ = renewals.renewed(space, name, home, poids[0], count)
    each = Figure.milliseconds(
        "each token", [Outcome(value / count).seconds for value in timed.values], "read, judged, hashed, entered"
    )
    return LineResult(
        LETTER,
        TITLE,
        [timed, each],
        [],
        (*renewals.conditions(count), "no goal was set; each token is judged by itself, on every core"),
    )
