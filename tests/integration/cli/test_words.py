"""The words of the command line: options anywhere, mistakes told in one form, help with examples, two languages."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.command_line import CommandLine, run

UNKNOWN = "01a206fbbf46744db6dc2a5fe0c13254"

READING = ("show", "trace", "receipt", "verify")
WRITING = ("retrieve", "evidence", "export")


# -- options before and after -------------------------------------------------------------------


@pytest.mark.parametrize(
    "words",
    [
        ("--home", "HOME", "--json", "status"),
        ("--home", "HOME", "status", "--json"),
        ("--json", "status", "--home", "HOME"),
        ("status", "--json", "--home", "HOME"),
        ("status", "--home=HOME", "--verbose", "--json"),
        ("--json", "status", "--json", "--home", "HOME"),
        ("--home", "HOME", "keys", "list", "--json"),
        ("--json", "keys", "--home", "HOME", "list"),
        ("keys", "list", "--home", "HOME", "--json"),
        ("keys", "--json", "list", "--home", "HOME"),
    ],
)
def test_global_options_stand_before_or_after_the_command(line: CommandLine, words: tuple[str, ...]) -> None:
    """And between the two words of `keys list`."""
    said = run(*(word.replace("HOME", str(line.home)) for word in words))

    assert said.code == 0, said
    assert set(said.json) & {"objects", "keys"}


def test_options_stand_before_and_after_keys_create(line: CommandLine) -> None:
    """Also with the command's own options in between."""
    home = str(line.home)
    for number, words in enumerate(
        [
            ["--home", home, "--json", "keys", "create", "--label", "a", "--role", "auditor"],
            ["keys", "create", "--label", "b", "--json", "--role", "auditor", "--home", home],
            ["keys", "--home", home, "create", "--role", "auditor", "--label", "c", "--json"],
        ],
        1,
    ):
        said = run(*words)
        assert said.code == 0, said
        assert len(line.json("keys", "list")["keys"]) == number


def test_the_last_home_that_is_named_counts(line: CommandLine, tmp_path: Path) -> None:
    """One after the command wins over one before it."""
    said = run("--home", str(tmp_path / "nowhere"), "status", "--home", str(line.home), "--json")

    assert said.json["name"] == "home"


def test_the_environment_names_the_home(line: CommandLine, monkeypatch: pytest.MonkeyPatch) -> None:
    """An option is stronger; an empty variable is none."""
    monkeypatch.setenv("TRUSTED_ARCHIVE_HOME", str(line.home))
    assert run("status").code == 0
    assert run("--home", "/nonexistent", "status").code == 78

    monkeypatch.setenv("TRUSTED_ARCHIVE_HOME", "")
    monkeypatch.chdir(line.home.parent)
    line.home.rename(line.home.with_name("archive-home"))
    assert run("status").code == 0


# -- mistakes -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "words",
    [
        (),
        ("no-such-command",),
        ("show",),
        ("show", UNKNOWN, "more"),
        ("show", UNKNOWN, "--version", "0"),
        ("show", UNKNOWN, "--version", "-1"),
        ("show", UNKNOWN, "--version", "one"),
        ("show", UNKNOWN, "--version", "99999999999999"),
        ("list", "--nonsense"),
        ("list", "--js"),
        ("deposit",),
        ("deposit", ""),
        ("deposit", "x", "--organisation", ""),
        ("retrieve", UNKNOWN),
        ("evidence", UNKNOWN),
        ("export", UNKNOWN),
        ("verify",),
        ("verify", UNKNOWN, "--all"),
        ("verify", "--all", "--version", "1"),
        ("serve", "--port", "99999"),
        ("serve", "--port", "http"),
        ("keys",),
        ("keys", "create", "--role", "king"),
        ("keys", "revoke"),
        ("--home", "", "list"),
        ("--json=yes", "list"),
    ],
)
def test_a_mistake_in_the_words_is_exit_2_in_either_form(line: CommandLine, words: tuple[str, ...]) -> None:
    """One line for people that points to the help, one document for machines; nothing is touched."""
    for_people, for_machines = line.run(*words), line.run(*words, "--json")

    assert for_people.code == for_machines.code == 2
    assert for_people.out == ""
    assert for_people.err.startswith("Error: ")
    assert for_people.err.count("\n") == 1
    assert for_machines.error["code"] == "usage"
    assert for_machines.err == ""


def test_words_behind_two_dashes_are_no_options(line: CommandLine, tmp_path: Path) -> None:
    """A file may be called `--json`."""
    (tmp_path / "--json").write_bytes(b"1")
    said = line.run("deposit", "--", str(tmp_path / "--json"))

    assert said.code == 0
    assert "replicated" in said.out
    with pytest.raises(json.JSONDecodeError):
        json.loads(said.out)


# -- every error is one document ----------------------------------------------------------------


@pytest.mark.parametrize("command", [*READING, *WRITING])
def test_an_unknown_poid_is_exit_11(line: CommandLine, tmp_path: Path, command: str) -> None:
    """Well formed or not: there is nothing by that name. No file is left."""
    for poid in (UNKNOWN, "0" * 32, "nonsense", "é", "x" * 5000):
        words = [command, poid, *(["--out", str(tmp_path / "out")] if command in WRITING else [])]
        said = line.run("--json", *words)
        assert said.code == 11, said
        assert said.error["code"] == "unknown-object"
        assert line.run(*words).code == 11
    assert not (tmp_path / "out").exists()


def test_a_poid_is_understood_with_hyphens_and_in_capitals(proven: tuple[CommandLine, str]) -> None:
    """As other systems may keep it."""
    line, poid = proven
    spelt = f"{poid[:8]}-{poid[8:12]}-{poid[12:16]}-{poid[16:20]}-{poid[20:]}".upper()

    assert line.json("show", spelt)["poid"] == poid


@pytest.mark.parametrize(
    "words",
    [
        ("status",),
        ("list",),
        ("deposit", __file__),
        ("preserve",),
        ("audit",),
        ("verify", "--all"),
        ("show", UNKNOWN),
        ("rebuild-catalogue", "--from", "one"),
        ("upgrade",),
        ("upgrade", "--dry-run"),
        ("keys", "list"),
        ("serve", "--port", "0"),
    ],
)
def test_a_home_that_is_not_there_is_exit_78(tmp_path: Path, words: tuple[str, ...]) -> None:
    """It says where it looked and what to do, and makes nothing."""
    home = tmp_path / "nowhere"
    said = run("--home", str(home), "--json", *words)

    assert said.code == 78, said
    assert said.error["code"] == "settings"
    assert str(home) in said.error["message"]
    assert "trusted-archive init" in said.error["message"]
    assert not home.exists()


def test_a_fault_of_the_program_is_exit_70_and_one_document(line: CommandLine, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing of it is hidden: `--verbose` shows where it came from."""

    def broken(*_: object, **__: object) -> None:
        raise ZeroDivisionError("nobody foresaw this")

    monkeypatch.setattr("archive_core.archive.Archive.status", broken)
    said, loud, told = line.run("--json", "status"), line.run("--json", "--verbose", "status"), line.run("status")

    assert said.code == loud.code == told.code == 70
    assert said.error == loud.error
    assert said.error["code"] == "internal"
    assert "ZeroDivisionError: nobody foresaw this" in said.error["message"]
    assert "Traceback" in loud.err
    assert "Traceback" not in said.err + told.err


def test_settings_that_are_wrong_name_the_key(line: CommandLine) -> None:
    """And stop every command before it does anything."""
    settings = line.home / "trusted-archive.toml"
    settings.write_text(settings.read_text() + "\n[nonsense]\nkey = 1\n")
    said = line.run("--json", "list")

    assert said.code == 78
    assert "nonsense" in said.error["message"]


# -- people ---------------------------------------------------------------------------------------


def test_help_and_version_are_exit_0(line: CommandLine) -> None:
    """On stdout, whatever else is said."""
    for words in (["--help"], ["deposit", "--help"], ["keys", "create", "-h"], ["--version"]):
        said = line.run(*words)
        assert said.code == 0
        assert said.out.startswith(("usage: trusted-archive", "trusted-archive 0."))
        assert said.err == ""


def test_a_czech_environment_speaks_czech_to_people_only(
    line: CommandLine, monkeypatch: pytest.MonkeyPatch, letter: Path
) -> None:
    """Help, answers and errors; what is for machines stays as it is."""
    monkeypatch.delenv("LANGUAGE")
    monkeypatch.delenv("LC_ALL", raising=False)
    monkeypatch.delenv("LC_MESSAGES", raising=False)
    monkeypatch.setenv("LANG", "cs_CZ.UTF-8")

    assert "použití: trusted-archive deposit" in line.run("deposit", "--help").out
    assert "uloženo" in line.run("deposit", str(letter)).out
    assert line.run("show", UNKNOWN).err.startswith("Chyba: Takový uchovávaný objekt")
    assert line.run("show").err.startswith("Chyba: chybí: POID")
    assert "ZKUŠEBNÍ DŮVĚRA" in line.run("preserve").out
    assert "úložiště kopií one: v pořádku" in line.run("status").out

    assert line.json("list")["objects"][0]["status"] == "evidenced"
    assert "missing: POID" in line.run("--json", "show").error["message"]


def test_control_characters_never_reach_the_terminal(line: CommandLine, tmp_path: Path) -> None:
    """Neither from a key nor from a name on the command line."""
    (tmp_path / "a").write_bytes(b"1")
    line.deposit(tmp_path / "a", "--key", "evil\x1b[2Jkey")
    said = line.run("list"), line.run("deposit", "bad\x1b[2Jname"), line.run("show", "\x1b[2J")

    assert all("\x1b" not in one.out + one.err for one in said)
    assert line.json("list")["objects"][0]["idempotency_key"] == "evil\x1b[2Jkey"
