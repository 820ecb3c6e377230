"""The only place where bytes and names are made durable."""

import errno
import os
from pathlib import Path

import pytest

from storage_backends.durable import GROUP, DurableFiles


@pytest.fixture(params=["rename", "link"])
def files(request: pytest.FixtureRequest) -> DurableFiles:
    """With the exclusive rename of Linux, and with the hard link that stands in for it."""
    files = DurableFiles()
    if request.param == "link":
        files._renameat2 = None
    return files


def test_a_published_file_has_its_name_and_no_other(files: DurableFiles, tmp_path: Path) -> None:
    """The staged name is gone, the bytes are there once."""
    staged, final = tmp_path / "staged", tmp_path / "final"
    files.write(str(staged), b"bytes")
    files.publish(str(staged), str(final))

    assert not staged.exists()
    assert final.read_bytes() == b"bytes"
    assert final.stat().st_nlink == 1


@pytest.mark.parametrize("kind", ["file", "directory", "link", "dangling link"])
def test_a_taken_name_is_never_overwritten(files: DurableFiles, tmp_path: Path, kind: str) -> None:
    """Whatever has the name keeps it."""
    staged, final = tmp_path / "staged", tmp_path / "final"
    files.write(str(staged), b"new")
    if kind == "file":
        final.write_bytes(b"old")
    elif kind == "directory":
        final.mkdir()
    else:
        final.symlink_to(tmp_path / ("other" if kind == "link" else "nowhere"))
        (tmp_path / "other").write_bytes(b"old")
    with pytest.raises(FileExistsError):
        files.publish(str(staged), str(final))

    assert staged.read_bytes() == b"new"
    assert not (tmp_path / "nowhere").exists()
    if kind != "directory":
        assert not final.exists() or final.read_bytes() == b"old"


def test_publishing_into_nowhere_fails_as_itself(files: DurableFiles, tmp_path: Path) -> None:
    """An error that is not about exclusiveness is not retried in another way."""
    files.write(str(tmp_path / "staged"), b"1")
    with pytest.raises(FileNotFoundError):
        files.publish(str(tmp_path / "staged"), str(tmp_path / "no" / "final"))


def test_writing_needs_a_new_name_and_follows_no_link(tmp_path: Path) -> None:
    """Neither a file nor a link in the way is written through."""
    (tmp_path / "file").write_bytes(b"old")
    (tmp_path / "link").symlink_to(tmp_path / "target")
    for name in ("file", "link"):
        with pytest.raises(FileExistsError):
            DurableFiles().write(str(tmp_path / name), b"new")

    assert (tmp_path / "file").read_bytes() == b"old"
    assert not (tmp_path / "target").exists()


def test_a_short_write_is_continued(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The system may take less than it was given."""
    whole = os.write
    monkeypatch.setattr(os, "write", lambda descriptor, data: whole(descriptor, bytes(data[:7])))
    DurableFiles().write(str(tmp_path / "f"), bytes(range(256)))

    assert (tmp_path / "f").read_bytes() == bytes(range(256))


def test_a_sync_that_fails_is_an_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A failed fsync or syncfs is never taken for durability."""

    def broken(*arguments: int) -> int:
        raise OSError(errno.EIO, "write-back failed")

    target = tmp_path / "f"
    target.write_bytes(b"1")
    files = DurableFiles()
    with files.group(str(tmp_path)) as group:
        monkeypatch.setattr(os, "fsync", broken)
        with pytest.raises(OSError, match="write-back"):
            group.sync(files=[str(target)])
        files._syncfs = lambda descriptor: -1
        with pytest.raises(OSError):  # noqa: PT011 (whatever errno the last call left)
            group.sync(files=[str(target)] * GROUP)


def test_syncfs_is_not_trusted_where_it_hides_errors(monkeypatch: pytest.MonkeyPatch) -> None:
    """Before Linux 5.8 it returned success whatever happened."""

    class Old:
        release = "4.18.0-553.el8"

    monkeypatch.setattr(os, "uname", lambda: Old)
    assert DurableFiles()._syncfs is None
    Old.release = "5.7.19"
    assert DurableFiles()._syncfs is None


def test_a_lost_file_cannot_be_synced(tmp_path: Path) -> None:
    """What is not there is not durable."""
    with DurableFiles().group(str(tmp_path)) as group, pytest.raises(FileNotFoundError):
        group.sync(files=[str(tmp_path / "nothing")])
