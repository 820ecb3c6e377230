"""Where the tests keep their files: in memory, where there is room for them.

The rules this module keeps
 * Most tests wait for syncs rather than compute. What a sync promises is not shown by waiting for it: `fakes.disk`
   models what a disk loses without it.
 * A TMPDIR of the caller counts; `TMPDIR=/var/tmp make test` is the whole suite on a disk.
 * Where memory is short the tests go to the system's usual place, and take longer.
"""

from __future__ import annotations

import os
import shutil
import tempfile
from pathlib import Path

MEMORY = Path("/dev/shm")
ROOM = 6 * 2**30
"""Bytes that must be free there; the suite uses a third of it."""


def settle(memory: Path = MEMORY, room: int = ROOM) -> None:
    """Let this process and those that it starts keep temporary files in memory, if that is as it should be."""
    if "TMPDIR" in os.environ or not os.access(memory, os.W_OK):
        return
    if min(shutil.disk_usage(memory).free, _available()) < room:
        return
    os.environ["TMPDIR"] = str(memory)
    tempfile.tempdir = None


def _available() -> int:
    """Bytes of memory that can be had without swapping (proc(5)); 0 where the system does not say."""
    facts = Path("/proc/meminfo")
    lines = facts.read_text().splitlines() if facts.exists() else []
    return next((int(line.split()[1]) * 1024 for line in lines if line.startswith("MemAvailable:")), 0)
