"""The page on connecting a filing service works as it stands there, from nothing, by copying its commands."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.ports import free_ports
from tests.vectors import REPOSITORY
from tests.warm_commands import warm_commands

pytestmark = [pytest.mark.slow, pytest.mark.timeout(280)]

SERVE = f"""PYTHONPATH='{REPOSITORY}' '{sys.executable}' -c 'import sys; from api.cli import main; sys.exit(main())'"""
"""The command as a process that the page's own `kill` ends."""
PAGE = (REPOSITORY / "docs" / "connect-your-filing-service.md").read_text("utf-8")


def test_a_filing_service_is_connected_by_copying_the_page(tmp_path: Path) -> None:
    """Every block in its order; both records are proven, and the receiver was told so in signed messages."""
    blocks = re.findall(r"^```sh\n(.*?)^```", PAGE, re.S | re.M)
    assert len(blocks) > 5
    commands = "\n".join(blocks)
    for written, port in zip(("8080", "8090"), free_ports(2), strict=True):
        commands = commands.replace(written, str(port))
    assert "trusted-archive serve" in commands
    commands = commands.replace("trusted-archive serve", f"{SERVE} serve")
    for name in ("examples", "clients"):
        (tmp_path / name).symlink_to(REPOSITORY / name)
    (tmp_path / ".venv").mkdir()
    with warm_commands(tmp_path / ".venv" / "bin"):
        done = subprocess.run(
            ["bash", "-euo", "pipefail", "-c", f"trap 'kill $(jobs -p) 2>/dev/null || true' EXIT\n{commands}"],
            cwd=tmp_path,
            env={"PATH": "/usr/bin:/bin", "HOME": str(tmp_path), "LANGUAGE": "en"},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=240,
        )
    assert done.returncode == 0, (done.stdout, done.stderr)
    assert done.stdout.count("proven   2026-11-23/000") == 4, (done.stdout, done.stderr)  # two runs, two records
    told = [json.loads(line) for line in (tmp_path / "told.jsonl").read_text("utf-8").splitlines()]
    assert sorted(one["change"] for one in told) == ["evidenced"] * 2 + ["replicated"] * 2
    receipts = {path.stem for path in (tmp_path / "receipts").iterdir()}
    assert receipts == {one["poid"] for one in told}
