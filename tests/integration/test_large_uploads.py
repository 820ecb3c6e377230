"""Large uploads through kills on either side: bounded memory, the right digest, nothing left over."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests.integration.uploading import GB, Report, upload_in

AT = Path(os.environ.get("UPLOAD_AT", "/var/tmp"))
"""On a disk: it is three times as large as what is uploaded."""
BOUND = 300 * 2**20
"""Bytes that the server may have resident, all its processes together, whatever the size of the upload."""


def judge(report: Report) -> None:
    assert report.looks > 20, "memory was hardly looked at"
    assert report.peak_bytes < BOUND, f"{report.peak_bytes / 2**20:.0f} MiB"
    assert report.kills.keys() == {"client", "one process", "server", "server in the deposit"}
    assert min(report.kills["client"], report.kills["one process"], report.kills["server"]) >= 2


@pytest.mark.slow
def test_a_gigabyte_comes_through_kills_on_either_side() -> None:
    """The client, the process that serves and the whole server die twice each in an upload of 1 GB, the server once
    more in the deposit; the stored bytes are those that were meant."""
    judge(upload_in(AT, GB))


@pytest.mark.soak
@pytest.mark.timeout(6 * 3600)
def test_many_gigabytes_do() -> None:
    """5 GB, or as many as UPLOAD_GB says, with more kills and no more memory."""
    judge(upload_in(AT, int(float(os.environ.get("UPLOAD_GB", "5")) * GB)))
