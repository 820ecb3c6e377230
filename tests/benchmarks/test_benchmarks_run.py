"""Every line of the benchmarks runs at tiny scale and gives figures; what looked at nothing is an error."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from benchmarks import machine, report
from benchmarks.__main__ import LINES, main
from benchmarks.figures import BenchmarkError, Figure, Goal, LineResult, Outcome
from benchmarks.http_client import parsed
from benchmarks.workspace import ROOT, Scale, Workspace

QUICK = ["--quick", "--rounds", "1", "--without", "restic", "--without", "bagit", "--without", "rclone"]


def run(place: Path, *words: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "benchmarks", *words, "--at", str(place / "work"), "--out", str(place / "out")]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False, timeout=280)


LONG = {"k", "l", "n", "q", "r"}
"""Lines that take a quarter of a minute and more, and have their parts in common with others."""


@pytest.mark.slow
@pytest.mark.parametrize(
    "letter", [pytest.param(letter, marks=[pytest.mark.soak] * (letter in LONG)) for letter in sorted(LINES)]
)
def test_a_line_gives_figures(tmp_path: Path, letter: str) -> None:
    """Each figure has a value per round, each goal its limit, and nothing of the run is left lying about."""
    done = run(tmp_path, letter, *QUICK)
    assert done.returncode == 0, done.stderr
    line = json.loads((tmp_path / "out" / "results.json").read_text("utf-8"))[letter]

    assert line["figures"]
    assert all(len(figure["values"]) == 1 and figure["median"] > 0 for figure in line["figures"])
    assert {goal["key"].split("-")[0] for goal in line["goals"]} <= {letter}
    assert line["goals"] or letter in "gjq"
    assert (line["rounds"], line["command"].split()[:4]) == (1, ["python", "-m", "benchmarks", letter])
    assert f"## ({letter}) {line['title']}" in (tmp_path / "out" / "RESULTS.md").read_text("utf-8")
    assert list((tmp_path / "work").iterdir()) == []


def test_a_rival_that_is_absent_is_not_left_out_in_silence(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The run ends with exit code 1 and the way to get it."""
    monkeypatch.setenv("PATH", str(tmp_path))
    done = run(tmp_path, "a", "--quick", "--rounds", "1", "--without", "bagit")

    assert done.returncode == 1
    assert "restic is not installed: apt-get install restic" in done.stderr
    assert not (tmp_path / "out" / "results.json").exists()


def test_a_command_that_fails_ends_the_benchmark(tmp_path: Path) -> None:
    """No figure comes of a run that went wrong."""
    from benchmarks import measuring

    with pytest.raises(BenchmarkError, match=r"exit 3 of: .*\nno disk"):
        measuring.run(["sh", "-c", "echo no disk >&2; exit 3"], cwd=tmp_path)


def test_memory_is_that_of_the_whole_tree(tmp_path: Path) -> None:
    """A child of a child counts; what the process that measures has resident does not."""
    from benchmarks import measuring

    ours = b"x" * 400_000_000

    child = "import time; block = b'x' * 90_000_000; time.sleep(0.5)"
    parent = f"import subprocess, sys; subprocess.run([sys.executable, '-c', {child!r}], check=True)"
    outcome, _ = measuring.run([sys.executable, "-c", parent], cwd=tmp_path)

    assert 90e6 < outcome.peak_bytes < len(ours)
    assert outcome.seconds > 0.5


@pytest.mark.parametrize("values", [(), (0.0,), (1.0, -1.0)])
def test_a_figure_needs_values(values: tuple[float, ...]) -> None:
    """Nothing, zero and less are no measurements."""
    with pytest.raises(BenchmarkError):
        Figure("x", "s", values)


def test_a_line_needs_figures() -> None:
    """A check that looked at nothing is an error."""
    with pytest.raises(BenchmarkError):
        LineResult("a", "nothing", [], [])


def test_rivals_run_once_a_round_in_changing_order(tmp_path: Path) -> None:
    """Every rival in every round; the order is the dice's and differs between rounds."""
    import random

    seen: list[str] = []
    space = Workspace(tmp_path, Scale.quick(), 6, frozenset(), False, random.Random(1), said=lambda _: None)
    found = space.compare({name: lambda name=name: seen.append(name) or Outcome(1.0) for name in "abc"})  # type: ignore[misc]

    assert {name: len(outcomes) for name, outcomes in found.items()} == dict.fromkeys("abc", 6)
    rounds = {"".join(seen[start : start + 3]) for start in range(0, 18, 3)}
    assert {"".join(sorted(order)) for order in rounds} == {"abc"}
    assert len(rounds) > 1


def test_a_fresh_directory_was_never_used(tmp_path: Path) -> None:
    """Not even one that was removed."""
    import random

    space = Workspace(tmp_path, Scale.quick(), 1, frozenset(), False, random.Random(1))
    first = space.fresh("x")
    first.rmdir()

    assert space.fresh("x") != first


def line(**changes: object) -> dict[str, object]:
    made = LineResult(
        "a",
        "title",
        [Figure.rate("ours", "documents", 10, [Outcome(2.0, 2**20), Outcome(1.0, 2**21)])],
        [Goal("a-bare", "≥ 0.6 of bare", 0.45, 0.6), Goal("a-memory", "≤ 200 MiB", 2.0, 200, at_most=True)],
        ("a condition",),
    ).to_json()
    return {**made, "rounds": 2, "seed": 1, "command": "command", "machine": {"date": "today"}, **changes}


def test_a_missed_goal_stays_in_the_table_with_how_much(tmp_path: Path) -> None:
    """And with why, as far as somebody has looked into it."""
    report.write(tmp_path, line())
    text = (tmp_path / "RESULTS.md").read_text("utf-8")

    assert "| ours | 7.50 documents/s | 5.00–10.0 | 2 MiB |" in text
    assert "| ≥ 0.6 of bare | 0.45 | **missed by 25%** |" in text
    assert "| ≤ 200 MiB | 2.00 | met |" in text
    assert "Missed, ≥ 0.6 of bare: " in text


def test_a_line_measured_again_replaces_itself_alone(tmp_path: Path) -> None:
    """The others stay as they were."""
    report.write(tmp_path, line())
    report.write(tmp_path, line(letter="b", title="other"))
    report.write(tmp_path, line(title="again"))
    known = json.loads((tmp_path / "results.json").read_text("utf-8"))

    assert {letter: one["title"] for letter, one in known.items()} == {"a": "again", "b": "other"}


def test_a_remark_is_about_a_goal_that_exists() -> None:
    """A remark under another key would never be shown."""
    import re
    import tomllib

    keys = tomllib.loads(report.REMARKS.read_text("utf-8"))
    sources = "".join(Path(str(module.__file__)).read_text("utf-8") for module in LINES.values())
    known = {match.replace("{", "").split("-")[0] for match in re.findall(r'"([a-z]-[a-z{]*)', sources)}

    assert all(set(remark) == {"why", "design"} for remark in keys.values())
    assert {key.split("-")[0] for key in keys} <= known


def test_the_machine_is_described(tmp_path: Path) -> None:
    """Date, processor, file system with its journal, version and commit."""
    told = machine.facts(tmp_path)

    assert all(told.values())
    assert "journal" in told["file system"]


@pytest.mark.parametrize("received", [b"", b"HTTP/1.1 200 OK\r\n", b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nab"])
def test_an_answer_that_is_not_whole_is_waited_for(received: bytes) -> None:
    """Head and body."""
    assert parsed(received) is None


def test_an_answer_is_read_with_its_status() -> None:
    """Names of fields in any case."""
    assert parsed(b"HTTP/1.1 201 Created\r\ncontent-length: 2\r\n\r\nok") == (201, b"ok")


@pytest.mark.parametrize("words", [["z"], ["--rounds", "0"], ["--without", "sha512sum"], ["--fast"]])
def test_what_is_not_understood_is_refused(words: list[str]) -> None:
    """An unknown line, no rounds, a rival that cannot be left out, an unknown option."""
    with pytest.raises(SystemExit) as stopped:
        main(words)

    assert stopped.value.code == 2
