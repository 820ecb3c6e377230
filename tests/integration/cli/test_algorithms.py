"""`algorithms`: what is good until when, another list looked at, ours written; SHA-512 left behind by one."""

from __future__ import annotations

from pathlib import Path

import pytest

from policies.tables import load_table
from tests.command_line import CommandLine


def ends(document: dict[str, object], name: str) -> list[str | None]:
    rows = [*document["digests"], *document["signatures"]]  # type: ignore[misc]
    return [row["until"] for row in rows if row["name"] == name]


def test_the_list_in_force_is_shown_with_its_sources(line: CommandLine) -> None:
    """To people and to machines."""
    document = line.json("algorithms")
    said = line.run("algorithms").out

    assert (document["id"], ends(document, "sha512")) == ("algorithms-2026-06", [None])
    assert len(document["signatures"]) > 20
    assert "ETSI TS 119 312 V2.1.1" in said
    assert "ml-dsa" in said


@pytest.mark.parametrize("suffix", ["xml", "json"])
def test_ours_is_written_for_others_and_read_back(line: CommandLine, tmp_path: Path, suffix: str) -> None:
    """With an end that it does not have yet."""
    place = tmp_path / f"list.{suffix}"
    line.json("algorithms", "--end", "sha512=2030-01-01", "--end", "rsa=2029-06-01", "--out", place)
    checked = line.json("algorithms", "--check", place)

    assert ends(checked, "sha512") == ["2030-01-01"]
    assert set(ends(checked, "rsa-pss")) == {"2010-08-01", "2019-10-01", "2027-01-01", "2029-06-01"}
    assert checked["carries_signature"] is False
    assert load_table(place.read_bytes()).id == checked["id"]


def test_a_folder_is_never_replaced_by_a_list(line: CommandLine, tmp_path: Path) -> None:
    """Only a file is."""
    place = tmp_path / "list.xml"
    place.mkdir()

    assert line.json("algorithms", "--out", place, code=12)["error"]["code"] == "already-exists"


def test_a_list_that_was_looked_at_is_not_in_force(line: CommandLine, tmp_path: Path) -> None:
    """Only the settings put one in force."""
    place = tmp_path / "list.xml"
    line.json("algorithms", "--end", "sha512=2030-01-01", "--out", place)
    line.json("algorithms", "--check", place)

    assert line.json("algorithms")["id"] == "algorithms-2026-06"


@pytest.mark.parametrize(
    "words",
    [
        ("--check", "gone.xml"),
        ("--end", "sha512"),
        ("--end", "rot13=2030"),
        ("--end", "tsa:x=2030"),
        ("--end", "sha512=tomorrow"),
        ("--out", "list.txt"),
        ("--out", "list"),
    ],
)
def test_words_that_make_no_list_are_refused(line: CommandLine, words: tuple[str, ...]) -> None:
    """Exit 2, nothing written."""
    assert line.json("algorithms", *words, code=2)["error"]["code"] == "usage"
    assert not Path("list.txt").exists()


def test_a_file_that_is_no_list_is_refused(line: CommandLine, tmp_path: Path) -> None:
    """With its place."""
    place = tmp_path / "bad.xml"
    place.write_text("<!DOCTYPE x><x/>")

    assert "document type" in line.json("algorithms", "--check", place, code=2)["error"]["message"]


@pytest.mark.slow
def test_sha512_is_left_behind_by_the_page_for_operators(line: CommandLine, tmp_path: Path) -> None:
    """A list with its end, published; the holding moved; new deposits under a profile of another family."""
    first, second = tmp_path / "first.txt", tmp_path / "second.txt"
    first.write_text("first")
    second.write_text("second")
    poid = line.deposit(first)
    line.preserve()
    line.json("algorithms", "--end", "sha512=2028-06-01", "--out", line.home / "list.xml")
    settings = line.home / "trusted-archive.toml"
    text = settings.read_text().replace('default_profile = "basic-1"', 'default_profile = "basic-2"')
    settings.write_text(f'{text}\n[algorithms]\ntable = "list.xml"\n')
    assert line.run("doctor").code == 1  # not on every store yet
    line.json("upgrade")
    assert line.run("doctor").code == 0

    planned = line.json("renewal", "plan", "--until", "2040", "--speed", "100")
    assert planned["renewals"][0]["kind"] == "hash-tree"
    moved = line.json("renewal", "run", "--hash-tree", "sha3-512", "--all")["renewals"]
    later = line.deposit(second)
    line.preserve()

    assert [(one["digest"], one["error"]) for one in moved] == [("sha3-512", None)]
    assert line.json("show", later)["profile"] == "basic-2"
    assert line.json("verify", "--all")["verdict"] == "PASSED"
    assert line.json("audit")["findings"] == []
    assert {poid, later} == {one["poid"] for one in line.json("list")["objects"]}
