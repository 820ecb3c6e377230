"""Examinations without processes of their own, for tests of what becomes of their answers.

Question and answer travel in the form in which they would; the reading is the same. What a process apart is for (its
limits, no way out) is under test elsewhere.
"""

from __future__ import annotations

from types import SimpleNamespace

import pytest

from signing.examination import at_deposit, child, sandbox
from signing.examination.request import Request
from signing.examination.sandbox import Apart, Limits, Runs


def examine_here(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let deposits be examined in this process, for as long as `monkeypatch` lasts."""
    monkeypatch.setattr(child, "sys", SimpleNamespace(addaudithook=lambda hook: None))  # hooks cannot be taken back
    monkeypatch.setattr(at_deposit, "examine_and_ask", examined_here)


def examined_here(request: Request, limits: Limits | None = None, *, run: Runs | None = None) -> Apart:
    """What `examine_and_ask` does."""
    return sandbox._read(request, request.document.path.stat().st_size, child._answered(request.to_bytes()))
