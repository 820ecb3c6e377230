"""The chaos soak as tests: three minutes of it, and an hour. Neither is part of `make test`, which names them.

`make soak T=tests/soak` runs both; `make chaos SECONDS=600` runs it for as long as one likes, with a report.
"""

from __future__ import annotations

import json
import os
import secrets
from pathlib import Path
from typing import Any

import pytest

from tests.soak.chaos import soak

pytestmark = [pytest.mark.soak, pytest.mark.postgresql]


def _run(seconds: float, folder: Path, *, rate: float) -> dict[str, Any]:
    seed = int(os.environ.get("SOAK_SEED") or secrets.randbelow(2**31))
    print(f"SOAK_SEED={seed}")
    report = soak(seconds, seed, folder / "run", rate=rate)
    print(json.dumps(report, indent=1, ensure_ascii=False))
    assert report["violations"] == []
    assert report["acknowledged"] == report["verified"] > 0
    assert set(report["present"].values()) == {report["acknowledged"]}
    assert report["damages"]["planted"] == report["damages"]["healed"] == report["damages"]["in the trail"] > 0
    return report


@pytest.mark.timeout(2400)
def test_three_minutes_of_chaos(tmp_path: Path) -> None:
    """Acknowledged = present = verifying; every damage found and healed; every class of fault came."""
    _run(180.0, tmp_path, rate=3.0)


@pytest.mark.timeout(4 * 3600)
def test_an_hour_of_chaos(tmp_path: Path) -> None:
    """The same for an hour, with every kind of damage: 200 kills, 500 damages, 20,000 acknowledgements at least."""
    report = _run(3600.0, tmp_path, rate=5.9)
    assert report["kills"] >= 200
    assert report["damages"]["planted"] >= 500
    assert report["acknowledged"] >= 20_000
