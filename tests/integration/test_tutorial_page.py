"""The tutorial works as it stands there, from nothing, by copying its commands."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest

from tests.vectors import REPOSITORY
from tests.warm_commands import warm_commands

pytestmark = pytest.mark.slow

PAGE = (REPOSITORY / "docs" / "tutorial.md").read_text("utf-8")


def test_the_tutorial_is_walked_from_top_to_bottom(tmp_path: Path) -> None:
    """Every block in its order, in one shell that stops at the first failure; what the text promises is said."""
    blocks = re.findall(r"^```sh\n(.*?)^```", PAGE, re.S | re.M)
    assert len(blocks) > 9
    (tmp_path / ".venv").mkdir()
    (tmp_path / "examples").symlink_to(REPOSITORY / "examples")
    commands = "\n".join(f"echo '== {number}'\n{block}" for number, block in enumerate(blocks))
    with warm_commands(tmp_path / ".venv" / "bin"):
        done = subprocess.run(
            ["bash", "-euo", "pipefail", "-c", commands],
            cwd=tmp_path,
            env={"PATH": "/usr/bin:/bin", "HOME": str(tmp_path), "LANGUAGE": "en"},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=240,
        )
    assert done.returncode == 0, (done.stdout, done.stderr)
    said = re.split(r"^== \d+\n", done.stdout, flags=re.M)[1:]
    assert len(said) == len(blocks)
    promises = {
        "trusted-archive init": "TEST TRUST",
        "trusted-archive deposit": "replicated",
        "trusted-archive preserve": "PASSED",
        "--out bundle.zip": "Verdict: PASSED",
        "forged.zip": "refused, with code 1",
        "trusted-archive audit ||": "findings, code 1",
        "trusted-archive repair": "1 repaired, 0 left",
        "trusted-archive trace verify": "0 findings",
    }
    for command, promised in promises.items():
        (number,) = [number for number, block in enumerate(blocks) if command in block][:1]
        assert promised in said[number], (command, said[number])
    assert "Verdict: FAILED" in done.stdout
