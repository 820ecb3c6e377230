"""A backup is opened without this program: by tar and by age, another implementation of its format."""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path

import pyrage
import pytest

from tests.command_line import CommandLine, run
from tests.vectors import missing

pytestmark = [pytest.mark.interop, pytest.mark.slow]


def shell(words: str, folder: Path) -> subprocess.CompletedProcess[bytes]:
    return subprocess.run(["bash", "-euo", "pipefail", "-c", words], cwd=folder, capture_output=True, check=False)


def test_tar_and_age_open_a_backup(tmp_path: Path) -> None:
    """As its README says; every file has the digest of the table of contents, and another key opens nothing."""
    if shutil.which("age") is None:
        missing("age (tests/interop/install.sh)")
    line = CommandLine(tmp_path / "home")
    assert run("--home", str(line.home), "init").code == 0
    identities = [pyrage.x25519.Identity.generate() for _ in range(2)]
    for name, identity in zip(("identity.txt", "other.txt"), identities, strict=True):
        (tmp_path / name).write_text(f"{identity}\n")
    line.json("backup", "--out", tmp_path / "b", "--recipient", str(identities[0].to_public()))

    opened = shell("mkdir out && tar xf b -C out && age -d -i identity.txt out/payload.age | tar x -C out", tmp_path)
    assert opened.returncode == 0, opened.stderr
    manifest = json.loads((tmp_path / "out" / "backup.json").read_text("utf-8"))
    listed = [*manifest["files"], manifest["catalogue"]]
    sums = "".join(f"{one['sha512']}  {one['path']}\n" for one in listed)
    (tmp_path / "out" / "sums").write_text(sums)
    assert shell("sha512sum --check --strict sums", tmp_path / "out").returncode == 0
    assert shell("age -d -i other.txt out/payload.age > none", tmp_path).returncode != 0
