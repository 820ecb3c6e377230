"""`renewal plan` on a real home: what falls due, drawn and written, and nothing changed by it."""

from __future__ import annotations

import hashlib
from pathlib import Path
from xml.etree import ElementTree

import pytest

from policies import current_algorithms
from tests.command_line import CommandLine


@pytest.fixture
def evidenced(line: CommandLine, tmp_path: Path) -> CommandLine:
    """A home with two batches."""
    for number in (1, 2):
        document = tmp_path / f"letter-{number}.txt"
        document.write_text(f"letter {number}\n" * 10)
        line.deposit(document)
        line.preserve()
    return line


def digests(line: CommandLine) -> dict[str, str]:
    """Every file of a store with its digest."""
    return {str(p): hashlib.sha512(p.read_bytes()).hexdigest() for p in line.files("one")}


def test_the_plan_reaches_as_far_as_asked_and_changes_nothing(evidenced: CommandLine) -> None:
    """Both batches, their documents, one time-stamp each time; no store is written."""
    before = digests(evidenced)
    document = evidenced.json("renewal", "plan", "--until", "2060", "--speed", "250")

    assert document["holding"] == {"chains": 2, "documents": 2}
    assert document["until"] == "2061-01-01T00:00:00Z"
    assert len(document["renewals"]) >= 5
    assert {one["documents"] for one in document["renewals"]} == {2}
    assert document["renewals"][0]["batch_numbers"] == [[1, 2]]
    assert document["assumptions"]["bytes_per_second"] == 250_000_000
    assert digests(evidenced) == before


def test_a_shorter_life_of_certificates_means_more_renewals(evidenced: CommandLine) -> None:
    """What is supposed can be said."""
    few = evidenced.json("renewal", "plan", "--until", "2060", "--unit-years", "10")
    many = evidenced.json("renewal", "plan", "--until", "2060", "--unit-years", "1.5")

    assert len(many["renewals"]) > 2 * len(few["renewals"])


def test_the_timeline_is_written_whole_and_only_over_a_file(evidenced: CommandLine, tmp_path: Path) -> None:
    """A drawing; an older one is replaced, a folder is not."""
    place, taken = tmp_path / "plan.svg", tmp_path / "folder"
    place.write_text("older")
    taken.mkdir()

    assert evidenced.json("renewal", "plan", "--svg", place)["svg"] == str(place)
    assert ElementTree.parse(place).getroot().tag.endswith("svg")
    assert evidenced.json("renewal", "plan", "--svg", taken, code=12)["error"]["code"] == "already-exists"


def test_people_get_a_table(evidenced: CommandLine) -> None:
    """With heads, reasons and what is supposed."""
    said = evidenced.run("renewal", "plan", "--until", "2045")

    assert said.code == 0
    assert "basis" in said.out
    assert "certificate (local-tsa-1) ends on" in said.out
    assert "Assumed:" in said.out


def test_nothing_evidenced_is_not_nothing_to_do(line: CommandLine) -> None:
    """An empty home says that it is empty."""
    said = line.run("renewal", "plan")

    assert (said.code, "Nothing is evidenced yet." in said.out) == (0, True)


@pytest.mark.parametrize(
    "words",
    [
        ("--until", "2020"),
        ("--until", "tomorrow"),
        ("--until", "2060-13-01"),
        ("--until", "20600"),
        ("--until", ""),
        ("--speed", "0"),
        ("--speed", "-5"),
        ("--speed", "fast"),
        ("--speed", "nan"),
        ("--unit-years", "0"),
        ("--unit-years", "1e3"),
    ],
)
def test_words_that_make_no_plan_are_refused(line: CommandLine, words: tuple[str, ...]) -> None:
    """Exit 2, and the word that was wrong."""
    assert line.json("renewal", "plan", *words, code=2)["error"]["code"] == "usage"


def test_a_list_of_algorithms_from_the_settings_changes_the_plan(evidenced: CommandLine) -> None:
    """ALG-01: the table is data. SHA-512 ends in 2040 by this one: a hash-tree renewal is planned."""
    source = current_algorithms().source.decode()
    changed = source.replace(
        'name = "sha512"\noids = ["2.16.840.1.101.3.4.2.3"]\nbits = 512\nstatus = "recommended"\n',
        'name = "sha512"\noids = ["2.16.840.1.101.3.4.2.3"]\nbits = 512\nstatus = "legacy"\nuntil = 2040-01-01\n',
    ).replace('id = "algorithms-2026-06"', 'id = "algorithms-2026-11"')
    assert changed != source
    (evidenced.home / "list.toml").write_text(changed)
    settings = evidenced.home / "trusted-archive.toml"
    settings.write_text(settings.read_text() + '\n[algorithms]\ntable = "list.toml"\n')

    document = evidenced.json("renewal", "plan", "--until", "2060", "--speed", "100")
    moved = [one for one in document["renewals"] if one["kind"] == "hash-tree"]

    assert document["algorithms"] == "algorithms-2026-11"
    assert [one["digest"] for one in moved] == ["sha3-512"]
    assert "not suitable from 2040-01-01 on" in moved[0]["because"]
    assert moved[0]["bytes_to_read"] > 0
