"""A home for each test of the command line, and the language of its texts."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.command_line import CommandLine, copied_home, run


@pytest.fixture(scope="session")
def made_home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What `init` makes, once."""
    home = tmp_path_factory.mktemp("made") / "home"
    said = run("--home", str(home), "init")
    assert said.code == 0, said
    return home


@pytest.fixture(scope="session")
def proven_home(made_home: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    """A home with one evidenced object of two files and metadata, and its POID."""
    folder = tmp_path_factory.mktemp("proven")
    line = copied_home(made_home, folder)
    (folder / "letter").mkdir()
    (folder / "letter" / "letter.txt").write_bytes(b"Dear Sir,\n")
    (folder / "letter" / "annex.bin").write_bytes(bytes(range(256)) * 40)
    (folder / "about.json").write_bytes(b'{"subject": "Letter"}')
    poid = line.deposit(folder / "letter", "--metadata", folder / "about.json", "--key", "letter/1")
    line.preserve()
    return line.home, poid


@pytest.fixture(autouse=True)
def _plain_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """English, and no home but the one that a test names."""
    monkeypatch.setenv("LANGUAGE", "en")
    monkeypatch.delenv("TRUSTED_ARCHIVE_HOME", raising=False)


@pytest.fixture
def line(made_home: Path, tmp_path: Path) -> CommandLine:
    """The command line on a fresh home."""
    return copied_home(made_home, tmp_path)


@pytest.fixture
def proven(proven_home: tuple[Path, str], tmp_path: Path) -> tuple[CommandLine, str]:
    """The command line on a home with one evidenced object, and its POID."""
    home, poid = proven_home
    return copied_home(home, tmp_path), poid


@pytest.fixture
def letter(tmp_path: Path) -> Path:
    """A file to deposit."""
    path = tmp_path / "letter.txt"
    path.write_bytes(b"Dear Sir,\n")
    return path
