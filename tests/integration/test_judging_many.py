"""Many time-stamps judged by several processes: the same verdicts, the same renewal; a process that dies is told."""

from __future__ import annotations

import os
import signal
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

import pytest

from archive_core.errors import UnavailableError
from archive_core.findings import Verdict
from archive_core.ports import JudgesMany
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
