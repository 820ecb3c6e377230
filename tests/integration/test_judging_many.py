"""Many time-stamps judged by several processes: the same verdicts, the same renewal; a process that dies is told."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from concurrent.futures import ProcessPoolExecutor
from datetime import datetime
from pathlib import Path

import pytest

from archive_core.errors import UnavailableError
from archive_core.findings import Verdict
from archive_core.ports import JudgesMany, TokenAssessment
from archive_core.renewal import timestamps
from archive_core.renewal.running import ALL, RenewalRequest
from tests.world import OPERATOR, World

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]


def test_processes_say_what_one_says(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Good, forged and malformed ones; then everything is renewed by it, and every proof holds."""
    world = World(tmp_path)
    for number in range(3):
        world.deposit({"a.txt": b"%d" % number})
        world.preserve()
    validator = world.archive.validator
    assert isinstance(validator, JudgesMany)
    tokens = [path.read_bytes() for path in world.files("one", "token.tst")]
    tokens += [tokens[0][:-1] + bytes([tokens[0][-1] ^ 1]), b"", tokens[0][: len(tokens[0]) // 2]]
    at = world.clock.now()
    found = list(validator.assess_many(tokens, at=at))
    assert found == [validator.assess(token, at=at) for token in tokens]
    assert [one.verdict for one in found].count(Verdict.PASSED) == 3
    assert validator.assess_many([], at=at) == []

    monkeypatch.setattr(timestamps, "MANY", 1)
    monkeypatch.setattr(timestamps, "AHEAD", 2)
    assert world.archive.renew(RenewalRequest(which=ALL), actor=OPERATOR).is_complete
    world.check()

    pool: ProcessPoolExecutor = validator._many.get()._pool  # type: ignore[attr-defined]
    for process in list(pool._processes.values()):
        assert process.pid is not None
        os.kill(process.pid, signal.SIGKILL)
    with pytest.raises(UnavailableError):
        validator.assess_many(tokens, at=at)
    assert list(validator.assess_many(tokens[:1], at=at)) == found[:1]
    world.archive.close()


ASKS = """
import sys
from datetime import UTC, datetime
from functools import partial
from signing.judging_pool import JudgingPool
from tests.integration.test_judging_many import Judge
pool = JudgingPool(partial(Judge))
pool.assess_many([b"token"] * 400, at=datetime.now(UTC))
print(*pool._pool._processes, flush=True)
sys.stdin.read()
"""


class Judge:
    """Decides nothing."""

    def assess(self, token: bytes, *, at: datetime) -> TokenAssessment:
        return TokenAssessment(Verdict.INDETERMINATE, None, "nobody looked")


def test_processes_end_with_the_one_that_started_them() -> None:
    """Killed, it can tell nobody to end."""
    asks = subprocess.Popen([sys.executable, "-c", ASKS], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert asks.stdin is not None
    assert asks.stdout is not None
    with asks, asks.stdin, asks.stdout:
        children = [Path("/proc") / pid for pid in asks.stdout.readline().split()]
        assert len(children) == os.cpu_count()
        assert all(child.exists() for child in children)
        asks.kill()
        asks.wait()
    until = time.monotonic() + 30
    while any(child.exists() and "Z" not in _state(child) for child in children):
        assert time.monotonic() < until, "they do not end"
        time.sleep(0.05)


def _state(process: Path) -> str:
    try:
        return (process / "stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return "Z"
