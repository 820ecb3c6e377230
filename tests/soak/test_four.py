"""Two servers, a scheduler and a worker over PostgreSQL, killed at random under load for ten minutes.

What of it runs every time is in integration/test_several_servers.py. `make soak T=tests/soak/test_four.py` runs this;
`python -m tests.soak.four --seconds 60` for as long as one likes, with a report.
"""

from __future__ import annotations

import json
import os
import secrets
from pathlib import Path

import pytest

from tests.soak.four import soak

pytestmark = [pytest.mark.soak, pytest.mark.postgresql]


@pytest.mark.timeout(3600)
def test_ten_minutes_of_kills(tmp_path: Path) -> None:
    """Acknowledged = present = verifying; each of the four was killed again and again, and did its part."""
    seed = int(os.environ.get("SOAK_SEED") or secrets.randbelow(2**31))
    print(f"SOAK_SEED={seed}")
    report = soak(600.0, seed, tmp_path / "run", rate=5.0)
    print(json.dumps(report, indent=1, ensure_ascii=False))
    assert report["violations"] == []
    assert report["acknowledged"] == report["verified"] > 0
    assert set(report["present"].values()) == {report["acknowledged"]}
    assert min(report["kills"].values()) >= 5
