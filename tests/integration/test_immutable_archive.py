"""An archive one of whose directories locks what it keeps, from deposit to destruction."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from archive_core.errors import SettingsError
from storage_backends.immutable import ImmutableStore, _below, _mark
from tests.command_line import CommandLine, run
from tests.vectors import missing

pytestmark = pytest.mark.slow


@pytest.fixture
def line() -> Iterator[CommandLine]:
    """A home whose store `two` locks, where the file system has the attribute."""
    with tempfile.TemporaryDirectory(dir="/var/tmp", prefix="immutable-home-") as folder:
        home = Path(folder) / "home"
        try:
            assert run("--home", str(home), "init").code == 0
            try:
                ImmutableStore("two", home / "stores" / "two", home / "staging" / "two").probe_locks()
            except SettingsError:
                missing("the immutable attribute: root on ext4, XFS or Btrfs in /var/tmp")
            settings = home / "trusted-archive.toml"
            two = 'staging = "staging/two"\n'
            settings.write_text(settings.read_text().replace(two, f'{two}lock = "immutable"\n'))
            yield CommandLine(home)
        finally:
            for path in _below(home):
                with suppress(OSError):
                    _mark(path, False)


def roll(line: CommandLine) -> int:
    """What the scheduler does with locks."""
    from api.settings import ArchiveSettings
    from api.wiring import build_archive

    archive = build_archive(ArchiveSettings.load(line.home))
    try:
        return archive.locks.roll()
    finally:
        archive.close()


def test_a_life_on_a_directory_that_locks(line: CommandLine, tmp_path: Path) -> None:
    """The probe holds, documents are locked after they were acknowledged, updates and evidence go on, and what is
    damaged all the same is repaired."""
    (tmp_path / "file").write_bytes(b"to be kept")
    poid = line.deposit(tmp_path / "file")
    assert line.json("stores", "probe")["probed"]["two"]["holds"]
    assert roll(line) > 0
    [document] = line.files("two", "data/file")
    with pytest.raises(PermissionError):
        document.write_bytes(b"other")

    line.json("update", poid, tmp_path / "file")
    line.preserve()
    roll(line)
    assert line.json("audit")["findings"] == []
    for path in reversed(_below(document.parents[2])):
        _mark(path, False)
    document.chmod(0o644)
    document.write_bytes(b"damaged")
    _mark(document, True)
    assert line.run("--json", "audit").code == 1
    assert line.json("repair")["findings"] == []
    assert line.json("audit")["findings"] == []


def test_what_is_destroyed_is_owed_until_its_lock_has_ended(line: CommandLine, tmp_path: Path) -> None:
    """The other store has purged it; this one says until when it may not."""
    (tmp_path / "file").write_bytes(b"to be destroyed")
    poid = line.deposit(tmp_path / "file")
    line.preserve()
    line.json("stores", "probe")
    roll(line)
    said = line.run("--json", "destroy", poid, "--reason", "the law says so", "--yes")
    assert said.code == 75, said
    assert line.files("one", "data/file") == []
    assert len(line.files("two", "data/file")) == 1
    assert any("locked" in warning for warning in line.json("status")["warnings"])
