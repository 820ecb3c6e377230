"""What the page about the restore drill tells people to type works as it stands there."""

from __future__ import annotations

import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from api.cli.parser import build_parser
from tests.command_line import CommandLine, environment, run
from tests.vectors import REPOSITORY

PAGE = (REPOSITORY / "docs" / "restore-drill.md").read_text("utf-8")
BLOCKS = re.findall(r"```sh\n(.*?)```", PAGE, re.S)


def test_every_command_of_the_page_exists() -> None:
    """With its options; nothing on the page is invented."""
    lines = [shlex.split(line, comments=True) for block in BLOCKS for line in block.splitlines()]
    ours = [words for words in lines if words and words[0] == "trusted-archive"]
    assert len(ours) >= 8
    for words in ours:
        build_parser().parse_args(words[1:])


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_the_page_is_walked_from_top_to_bottom(tmp_path: Path) -> None:
    """Block by block in a shell; what was deposited after the backup is there at the end."""
    home = tmp_path / "archive-home"
    line = CommandLine(home)
    assert run("--home", str(home), "init").code == 0
    first = line.deposit(REPOSITORY / "examples" / "documents" / "smlouva.pdf")
    line.preserve()
    given = {**environment(), "LANGUAGE": "en"}
    given.pop("TRUSTED_ARCHIVE_HOME", None)
    given["PATH"] = f"{Path(sys.executable).parent}:{given['PATH']}"
    later = ""
    for block in BLOCKS:
        if "restore home.backup" in block:
            later = line.deposit(REPOSITORY / "examples" / "documents" / "smlouva.pdf")
            line.preserve()
        said = subprocess.run(["bash", "-euc", block], cwd=tmp_path, env=given, capture_output=True, text=True)
        assert said.returncode == 0, (block, said.stdout, said.stderr)
    restored = CommandLine(tmp_path / "restored")
    assert {view["poid"] for view in restored.json("list")["objects"]} == {first, later}
    assert restored.json("verify", later)["verdict"] == "PASSED"
    assert restored.deposit(REPOSITORY / "examples" / "documents" / "smlouva.pdf")
