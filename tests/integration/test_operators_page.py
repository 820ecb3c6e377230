"""What the page for operators tells people to type works as it stands there, in the order in which it stands there."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import pytest

from api.cli.parser import _POID_EXAMPLE, build_parser
from tests.command_line import CommandLine, run
from tests.vectors import REPOSITORY

PAGE = (REPOSITORY / "docs" / "operators.md").read_text("utf-8")


def blocks(language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", PAGE, re.S)


def commands() -> list[list[str]]:
    """Every command of the page, as words."""
    lines = [line.strip() for block in blocks("sh") for line in block.splitlines()]
    return [shlex.split(line, comments=True) for line in lines if line and not line.startswith("#")]


def test_every_command_of_the_page_exists() -> None:
    """With its options; nothing on the page is invented."""
    assert len(commands()) > 20
    for words in commands():
        assert words[0] == "trusted-archive"
        build_parser().parse_args(words[1:])


def test_every_command_in_the_text_exists() -> None:
    """Also those between backquotes."""
    inline = re.findall(r"`trusted-archive ([a-z -]+)`", PAGE) + re.findall(r"`(renewal [a-z -]+)`", PAGE)

    assert len(inline) > 5
    for words in inline:
        build_parser().parse_args(words.split())


@pytest.mark.slow
def test_the_page_is_walked_from_top_to_bottom(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A home with documents; each block as it stands there, the settings changed where the page says so."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("LANGUAGE", "en")
    home = tmp_path / "home"
    line = CommandLine(home)
    assert run("--home", str(home), "init").code == 0
    for name in ("smlouva.pdf", "faktura.xml"):
        line.deposit(REPOSITORY / "examples" / "documents" / name)
    (tmp_path / "disposed.txt").write_bytes(b"what is disposed of")
    disposed = line.deposit(tmp_path / "disposed.txt")
    line.preserve()
    (tmp_path / "list.xml").write_bytes(_list(line, tmp_path))
    done = 0
    for words in commands():
        if words[1] == "upgrade":
            _follow_the_settings(home, tmp_path)
        said = line.run(*(disposed if word == _POID_EXAMPLE else word for word in words[1:]))
        assert said.code == 0, (words, said)
        done += 1
    assert done == len(commands())
    assert line.json("show", disposed)["status"] == "destroyed"
    shown = line.json("renewal", "status")
    assert (shown["renewals"], shown["blocked"], shown["unfinished"]) == (2, [], [])


def _list(line: CommandLine, folder: Path) -> bytes:
    """A publisher's list that somebody has at hand."""
    line.json("algorithms", "--out", folder / "ours.xml")
    return (folder / "ours.xml").read_bytes()


def _follow_the_settings(home: Path, folder: Path) -> None:
    """The list into the home, and the page's own settings into the file."""
    (home / "algorithms-2026-11.xml").write_bytes((folder / "algorithms-2026-11.xml").read_bytes())
    wanted = blocks("toml")[0]
    settings = home / "trusted-archive.toml"
    first, rest = re.sub(r"(?m)^   ", "", wanted).split("\n\n", 1)
    text, count = re.subn(r"(?m)^default_profile = .*$", first.strip(), settings.read_text("utf-8"))
    assert count == 1
    settings.write_text(f"{text}\n{rest}", "utf-8")
