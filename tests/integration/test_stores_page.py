"""What the page about stores tells people to write and to type works as it stands there."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import pytest

from api.cli.parser import build_parser
from api.settings import parse_settings
from tests.command_line import CommandLine, run
from tests.vectors import REPOSITORY

PAGE = (REPOSITORY / "docs" / "stores.md").read_text("utf-8")
TABLES = re.findall(r"```toml\n(.*?)```", PAGE, re.S)


def commands() -> list[list[str]]:
    blocks = re.findall(r"```sh\n(.*?)```", PAGE, re.S)
    return [shlex.split(line, comments=True) for block in blocks for line in block.splitlines() if line.strip()]


def test_every_command_of_the_page_exists() -> None:
    """With its options; nothing on the page is invented."""
    assert len(commands()) >= 6
    for words in commands():
        assert words[0] == "trusted-archive"
        build_parser().parse_args(words[1:])


def test_every_table_of_the_page_is_one_that_settings_may_hold(tmp_path: Path) -> None:
    """Stores, copies and locks as they stand there, those of locks in the bucket's table."""
    assert run("--home", str(tmp_path / "home"), "init").code == 0
    settings = (tmp_path / "home" / "trusted-archive.toml").read_text("utf-8")
    directory = TABLES[0]
    bucket = next(table for table in TABLES if 'scheme = "s3"' in table)
    copies = next(table for table in TABLES if table.startswith("[copies]"))
    locks = next(table for table in TABLES if "lock_days" in table)
    lines = "".join(line for line in locks.splitlines(keepends=True) if not line.startswith(("[[", "#")))
    found = parse_settings(f"{settings}\n{directory}\n{bucket}{lines}\n{copies}", tmp_path)
    assert {store.name: store.scheme for store in found.stores} == {
        "one": "filesystem",
        "two": "filesystem",
        "three": "filesystem",
        "far": "s3",
    }
    assert found.stores[-1].lock is not None
    assert found.copies.sites == 2


@pytest.mark.slow
def test_the_commands_of_the_page_are_carried_out_in_turn(tmp_path: Path) -> None:
    """A store joins, an old one leaves, and everything is where it should be."""
    home = tmp_path / "home"
    line = CommandLine(home)
    assert run("--home", str(home), "init").code == 0
    poid = line.deposit(REPOSITORY / "examples" / "documents" / "smlouva.pdf")
    line.preserve()
    settings = home / "trusted-archive.toml"
    settings.write_text(settings.read_text("utf-8") + TABLES[0], "utf-8")
    for words in commands():
        said = line.run(*words[1:])
        assert said.code == 0, (words, said)
    states = {one["name"]: one["state"] for one in line.json("stores", "list")["stores"]}
    assert states == {"one": "retired", "two": "member", "three": "member"}
    assert line.json("verify", poid)["verdict"] == "PASSED"
    assert list((home / "stores" / "three").rglob("*.pdf"))
