"""What the pages about copies tell people to type works as it stands there, and what they name exists."""

from __future__ import annotations

import re
import shlex
import shutil
from pathlib import Path

import pytest

from api.cli.parser import _POID_EXAMPLE, build_parser
from api.settings import ArchiveSettings
from tests.command_line import CommandLine, run
from tests.vectors import REPOSITORY

DOCS = REPOSITORY / "docs"
PAGE = (DOCS / "when-a-disk-dies.md").read_text("utf-8")


def commands() -> list[list[str]]:
    blocks = re.findall(r"```sh\n(.*?)```", PAGE, re.S)
    lines = [line.strip() for block in blocks for line in block.splitlines()]
    return [shlex.split(line, comments=True) for line in lines if line]


def test_every_command_of_the_page_exists() -> None:
    """With its options; nothing on the page is invented."""
    assert len(commands()) > 12
    for words in commands():
        assert words[0] == "trusted-archive"
        build_parser().parse_args(words[1:])


def test_every_test_that_is_named_exists() -> None:
    """The page of promises names no test that is not there."""
    page = (DOCS / "what-we-promise.md").read_text("utf-8")
    named = set(re.findall(r"`((?:tests/[a-z/_]+/)?test_[a-z_*]+\.py)`", page))

    assert len(named) > 8
    assert [name for name in named if not list((REPOSITORY / "tests").rglob(name.rpartition("/")[2]))] == []


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_the_page_is_walked_from_top_to_bottom(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A store is damaged before each step that says how to put it right; at the end all is as it was."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("LANGUAGE", "en")
    home = tmp_path / "home"
    line = CommandLine(home)
    assert run("--home", str(home), "init").code == 0
    poid = line.deposit(REPOSITORY / "examples" / "documents" / "smlouva.pdf")
    line.preserve()
    settings = home / "trusted-archive.toml"
    settings.write_text(settings.read_text("utf-8") + "".join(re.findall(r"```toml\n(.*?)```", PAGE, re.S)), "utf-8")
    assert ArchiveSettings.load(home).fixity.stores[0][1].days_per_cycle == 30
    for number, words in enumerate(commands()):
        said = line.run(*(poid if word == _POID_EXAMPLE else word for word in words[1:]))
        wrong = words[1] == "doctor" or (words[1] == "repair" and "--dry-run" in words)
        assert said.code == (1 if wrong else 0), (number, words, said)
        following = commands()[number + 1] if number + 1 < len(commands()) else ["", ""]
        if following[1:] == ["repair", "--dry-run"] or following[-1] == _POID_EXAMPLE:
            [path, *_] = (home / "stores" / "one").rglob("data/*.pdf")
            path.chmod(0o644)
            path.write_bytes(b"damaged")
        if following[1] == "doctor":
            shutil.rmtree(home / "stores" / "two")
            (home / "stores" / "two").mkdir()
    assert line.json("verify", poid)["verdict"] == "PASSED"
