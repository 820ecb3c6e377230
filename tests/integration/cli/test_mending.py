"""`fixity` and `repair` on the command line: exit codes, answers, and a run that is killed."""

from __future__ import annotations

import signal
import subprocess
import time
import xml.etree.ElementTree as ElementTree
from pathlib import Path

import pytest

from tests.command_line import CommandLine, flip, process

pytestmark = pytest.mark.timeout(180)


@pytest.mark.slow
def test_a_sound_home_needs_nothing(line: CommandLine) -> None:
    """0 from each of them, and each says how much it looked at."""
    checked = line.json("fixity", "run")
    repaired = line.json("repair")
    status = line.json("fixity", "status")

    assert (checked["findings"], checked["notes"]) == ([], [])
    assert checked["checked"]["stores"] == 2
    assert checked["checked"]["bytes"] > 1000
    assert (repaired["repaired"], repaired["findings"], repaired["lost"]["bytes"]) == ([], [], 0)
    assert [one["name"] for one in status["stores"]] == ["one", "two"]
    assert all(one["oldest_check"] and one["last"]["planted_found"] == 9 for one in status["stores"])
    assert len(status["history"]) == 2


def test_damage_is_found_planned_repaired_and_gone(proven: tuple[CommandLine, str]) -> None:
    """1, 1, 0, 0; a finding names store, path and code."""
    line, _ = proven
    path = line.files("one", "data/letter.txt")[0]
    flip(path)
    found = line.json("fixity", "run", "--store", "one", code=1)
    where = str(path.relative_to(line.store("one")))
    assert [(one["store"], one["path"], one["code"]) for one in found["findings"]] == [("one", where, "E092")]
    assert line.json("fixity", "status", code=1)["stores"][0]["last"]["finding_count"] == 1
    planned = line.json("repair", "--dry-run", code=1)
    repaired = line.json("repair")

    assert [one["path"] for one in planned["repaired"]] == [one["path"] for one in repaired["repaired"]] == [where]
    assert (repaired["repaired"][0]["from"], repaired["repaired"][0]["rests_on"]) == (["two"], "evidence")
    assert repaired["findings"] == []
    assert line.json("fixity", "run")["findings"] == []
    assert line.run("audit", "--reconcile").code == 0


@pytest.mark.slow
def test_what_is_lost_is_said_and_is_no_success(proven: tuple[CommandLine, str]) -> None:
    """In both stores: which file, and how many bytes."""
    line, _ = proven
    for store in ("one", "two"):
        line.files(store, "data/letter.txt")[0].unlink()
    said = line.run("repair")
    assert said.code == 1
    assert "NO_GOOD_COPY" in said.out
    assert "LOST: 10 bytes of 1 files" in said.out
    for store in ("one", "two"):
        line.files(store, "description.json")[0].unlink()
    lost = line.json("repair", code=1)["lost"]

    assert (lost["objects"], lost["files"]) == (1, 2)


@pytest.mark.parametrize(
    ("words", "code"),
    [
        (("fixity", "run", "--budget", "0"), 2),
        (("fixity", "run", "--budget", "fast"), 2),
        (("fixity", "run", "--store", "three"), 2),
        (("fixity",), 2),
        (("repair", "nothing-of-that-name"), 11),
        (("repair", "01a206fbbf46744db6dc2a5fe0c13254"), 11),
    ],
)
def test_words_that_mean_nothing_are_refused(line: CommandLine, words: tuple[str, ...], code: int) -> None:
    assert line.run("--json", *words).code == code
    assert line.run("--json", *words).error["code"]


@pytest.mark.slow
def test_the_history_is_drawn_into_a_file(line: CommandLine, tmp_path: Path) -> None:
    line.json("fixity", "run", "--store", "two")
    answer = line.json("fixity", "status", "--svg", tmp_path / "fixity.svg")

    assert answer["svg"] == str(tmp_path / "fixity.svg")
    assert ElementTree.parse(tmp_path / "fixity.svg").getroot().tag.endswith("svg")


@pytest.mark.slow
def test_a_run_that_is_killed_goes_on_where_it_was(line: CommandLine, tmp_path: Path) -> None:
    """`kill -9` of a paced run: the next one says that it resumed, reads the rest, and has counted everything."""
    for number in range(6):
        (tmp_path / "document").write_bytes(bytes([number]) * 1_500_000)
        line.deposit(tmp_path / "document")
    whole = line.json("fixity", "run")["checked"]
    words = ["--home", str(line.home), "--json", "fixity", "run", "--budget", "1M"]
    with process(words, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as running:
        until = time.monotonic() + 60
        while time.monotonic() < until:
            cycle = line.json("fixity", "status")["stores"][0]["cycle"]
            if cycle is not None and cycle["objects"] >= 2:
                break
            time.sleep(0.2)
        running.send_signal(signal.SIGKILL)
    cycle = line.json("fixity", "status")["stores"][0]["cycle"]
    assert cycle is not None
    assert 2 <= cycle["objects"] < 7
    began = time.monotonic()
    found = line.json("fixity", "run")

    assert time.monotonic() - began < 30, "nobody waits for the lease of the dead"
    # The trail has grown by what the first run told.
    assert whole["objects"] <= found["checked"]["objects"] <= whole["objects"] + 8
    assert found["checked"]["bytes"] >= whole["bytes"]
    assert {one["resumed"] for one in found["stores"].values()} == {1}
