"""`renewal drill`: what would be lost, what would save it, and a home that stays as it was."""

from __future__ import annotations

import hashlib
import sqlite3
from pathlib import Path

import pytest

from api.drill_world import copied_catalogue
from api.settings import ArchiveSettings
from tests.command_line import CommandLine, copied_home


@pytest.fixture(scope="session")
def drilled_home(made_home: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A home with one batch of a plain profile and one of a redundant one."""
    folder = tmp_path_factory.mktemp("drilled")
    line = copied_home(made_home, folder)
    for number, profile in enumerate(("basic-1", "redundant-1")):
        document = folder / f"letter-{number}.txt"
        document.write_text(f"letter {number}\n" * 50)
        line.deposit(document, "--profile", profile)
    line.preserve()
    return line.home


@pytest.fixture
def home(drilled_home: Path, tmp_path: Path) -> CommandLine:
    return copied_home(drilled_home, tmp_path)


def fingerprints(line: CommandLine) -> dict[str, str]:
    """Every file below the home, and the rows of the catalogue instead of its pages."""
    found = {
        str(path.relative_to(line.home)): hashlib.sha512(path.read_bytes()).hexdigest()
        for path in line.home.rglob("*")
        if path.is_file() and not path.name.startswith("catalogue.sqlite3")
    }
    with sqlite3.connect(line.home / "catalogue.sqlite3") as connection:
        found["catalogue"] = hashlib.sha512("\n".join(connection.iterdump()).encode()).hexdigest()
    return found


def drill(line: CommandLine, what: str, at: str = "2029-06-01", *, code: int = 0) -> dict[str, object]:
    document: dict[str, object] = line.json("renewal", "drill", "--break", what, "--at", at, code=code)
    return document


@pytest.mark.slow
def test_the_fall_of_sha512_takes_both_records_and_renewal_saves_all(home: CommandLine) -> None:
    """The trees of the redundant record are SHA3-512, but its time-stamps rest on SHA-512 inside: the drill knows.
    Renewal in time saves everything, and bytes agree."""
    before = fingerprints(home)
    found = drill(home, "sha512", "2031-06-01")
    without, saved = found["without_renewal"], found["with_renewal"]

    assert (without["documents_lost"], without["documents_weakened"]) == (2, 0)  # type: ignore[index]
    assert without["samples"]["passed"] == 0  # type: ignore[index]
    assert without["samples"]["checked"] == 2  # type: ignore[index]
    assert (saved["documents_lost"], saved["documents_weakened"]) == (0, 0)  # type: ignore[index]
    assert saved["samples"] == {"passed": 2, "checked": 2, "said": []}  # type: ignore[index]
    assert {one["kind"] for one in saved["renewals"]} == {"hash-tree", "timestamp"}  # type: ignore[index]
    assert found["saved"] is True
    assert found["changed"] == "nothing"
    assert fingerprints(home) == before


def test_the_fall_of_the_signature_scheme_is_outlived_by_a_time_stamp_renewal(home: CommandLine) -> None:
    """No document is read for that."""
    found = drill(home, "ecdsa")

    assert found["without_renewal"]["documents_lost"] == 2  # type: ignore[index]
    assert {one["kind"] for one in found["with_renewal"]["renewals"]} == {"timestamp"}  # type: ignore[index]
    assert (found["saved"], found["estimate"]["bytes_to_read"]) == (True, 0)  # type: ignore[index]


def test_what_nothing_rests_on_may_fall(home: CommandLine) -> None:
    """RSA is not used here: nothing is lost, nothing is renewed."""
    found = drill(home, "rsa")

    assert found["without_renewal"]["chains_lost"] == 0  # type: ignore[index]
    assert found["with_renewal"]["renewals"] == []  # type: ignore[index]


def test_a_compromised_authority_is_survived_by_another_that_covered_in_time(home: CommandLine) -> None:
    """The plain batch is lost without; the redundant one keeps its other record."""
    before = fingerprints(home)
    found = drill(home, "tsa:local-tsa-1")

    assert found["fallen_authorities"] == ["local-tsa-1"]
    assert found["without_renewal"]["documents_lost"] == 1  # type: ignore[index]
    assert found["without_renewal"]["documents_weakened"] == 1  # type: ignore[index]
    assert "REVOKED_NO_POE" in str(found["without_renewal"]["samples"]["said"])  # type: ignore[index]
    assert found["saved"] is True
    assert {one["tsa"] for one in found["with_renewal"]["renewals"]} == {"drill-authority"}  # type: ignore[index]
    assert fingerprints(home) == before


def test_a_fallen_certification_authority_takes_all_below_it(home: CommandLine) -> None:
    """By a part of its name, in any case of letters."""
    found = drill(home, "ca:test ca")

    assert found["fallen_authorities"] == ["local-tsa-1", "local-tsa-2"]
    assert found["without_renewal"]["documents_lost"] == 2  # type: ignore[index]
    assert found["saved"] is True


@pytest.mark.slow
def test_too_much_content_is_estimated_and_not_read(home: CommandLine, tmp_path: Path) -> None:
    """What was not tried is not said to be saved."""
    large = tmp_path / "large.bin"
    large.write_bytes(bytes(range(256)) * 500_000)
    home.deposit(large)
    home.preserve()
    found = home.json("renewal", "drill", "--break", "sha512", "--at", "2031-06-01", "--read-at-most", "0.1", code=1)

    assert found["with_renewal"] is None
    assert found["saved"] is False
    assert "would have to be read" in found["not_tried"]
    assert found["estimate"]["bytes_to_read"] > 128_000_000
    assert found["estimate"]["hours"] > 0


def test_people_are_told_in_words(home: CommandLine) -> None:
    """Both tellings, and that it is a drill."""
    said = home.run("renewal", "drill", "--break", "tsa:local-tsa-1", "--at", "2029-06-01")

    assert said.code == 0, said
    for words in (
        "DRILL:",
        "Without renewal in time:",
        "With renewal in time:",
        "verified from bytes",
        "drill-authority",
    ):
        assert words in said.out


@pytest.mark.parametrize(
    ("words", "code"),
    [
        (("--break", "rot13", "--at", "2030"), 2),
        (("--break", "sha512", "--at", "2020"), 2),
        (("--break", "sha512", "--at", "soon"), 2),
        (("--break", "sha512"), 2),
        (("--at", "2030"), 2),
        (("--break", "tsa:nobody", "--at", "2030"), 11),
        (("--break", "ca:nobody", "--at", "2030"), 11),
        (("--break", "sha512", "--at", "2030", "--read-at-most", "-1"), 2),
    ],
)
def test_a_drill_that_means_nothing_is_refused(home: CommandLine, words: tuple[str, ...], code: int) -> None:
    """A misspelt name would show that all is well."""
    assert "error" in home.json("renewal", "drill", *words, code=code)


def test_the_copied_catalogue_knows_no_keys_and_no_leases(home: CommandLine, tmp_path: Path) -> None:
    """What belongs to people and running processes stays out of a drill."""
    home.json("keys", "create", "--label", "x")
    copy = copied_catalogue(ArchiveSettings.load(home.home), tmp_path / "copy.sqlite3")
    try:
        assert copy.keys() == []
        assert len(copy.batches()) == 2
        assert len(copy.heads()) == 3
    finally:
        copy.close()
