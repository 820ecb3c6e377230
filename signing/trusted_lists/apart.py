"""Making an index of trusted lists in a process apart (`indexing`), so that whoever asks for it reads no list."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

from archive_core.errors import SettingsError
from signing.examination.sandbox import Limits, run_apart

LIMITS = Limits(memory=4 * 2**30, cpu_seconds=600, wall_seconds=1800.0, answer=256 * 2**20)
"""The lists of the Union take some seconds; what is read is configured, and verified by signatures."""


def index_apart(paths: Sequence[Path], limits: Limits = LIMITS) -> bytes:
    """The index of the lists in these files. Raises `SettingsError` where they cannot be used."""
    words = [str(limits.memory), str(limits.cpu_seconds)]
    asked = json.dumps([str(path) for path in paths]).encode("utf-8", "surrogateescape")
    outcome = run_apart("signing.trusted_lists.indexing", words, asked, limits)
    if outcome.answer is None:
        raise SettingsError(f"the trusted lists cannot be used: {outcome.why}")
    return outcome.answer
