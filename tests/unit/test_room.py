"""The tests' own files lie in memory only where there is room, and nobody said otherwise."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

import pytest

from tests import room


@pytest.fixture(autouse=True)
def _as_before(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tempfile, "tempdir", None)
    monkeypatch.setenv("TMPDIR", "/var/tmp")


def test_memory_with_room_is_used(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """By this process and by those that it starts."""
    monkeypatch.delenv("TMPDIR")
    room.settle(tmp_path, room=1)

    assert os.environ["TMPDIR"] == tempfile.gettempdir() == str(tmp_path)


@pytest.mark.parametrize("needed", [1 << 60])
def test_memory_without_room_is_not_used(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, needed: int) -> None:
    """The system's usual place is slower and never full of tests alone."""
    monkeypatch.delenv("TMPDIR")
    room.settle(tmp_path, needed)

    assert "TMPDIR" not in os.environ


def test_what_the_caller_said_counts(tmp_path: Path) -> None:
    """A whole run on a disk must be possible."""
    room.settle(tmp_path, room=1)

    assert os.environ["TMPDIR"] == "/var/tmp"


def test_a_system_without_such_a_place_is_fine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """macOS has none."""
    monkeypatch.delenv("TMPDIR")
    room.settle(tmp_path / "absent", room=1)

    assert "TMPDIR" not in os.environ
