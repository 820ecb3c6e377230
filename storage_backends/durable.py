"""`os`, but durable: the only place where this package makes bytes and names survive a power cut.

Rules kept here
 * Writing is not durable, renaming is not durable; only `sync` is, and it names what it covers.
 * A name is made durable by syncing its directory; a new directory by syncing its parent too.
 * A file is published under a name that must not exist yet, atomically: two writers cannot both win.
 * `syncfs` is used for groups only where it reports write-back errors (Linux 5.8 and later), through
   a descriptor that was open before the first write, so that no error of the group is missed.
 * The class is one seam: a test puts a model of a disk in its place and cuts the power anywhere.
"""

from __future__ import annotations

import ctypes
import errno
import os
import re
import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

GROUP = 4
"""From this number of files or directories on, one `syncfs` is cheaper than many `fsync`s."""

_COPY = 1024 * 1024
_NEW = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
_AT_FDCWD = -100
_RENAME_NOREPLACE = 1


def _reports_syncfs_errors() -> bool:
    """Whether `syncfs` is there and returns write-back errors (Linux commit 735e4ae5ba28, 5.8)."""
    if sys.platform != "linux":
        return False
    version = re.match(r"(\d+)\.(\d+)", os.uname().release)
    return version is not None and (int(version[1]), int(version[2])) >= (5, 8)


class DurableFiles:
    """Files and directories of one file system.

    All paths are absolute or relative to the working directory; nothing here follows or checks
    links: the store does that before it asks.
    """

    def __init__(self) -> None:
        self._libc = ctypes.CDLL(None, use_errno=True)
        self._syncfs = self._libc.syncfs if _reports_syncfs_errors() else None
        self._renameat2 = getattr(self._libc, "renameat2", None) if sys.platform == "linux" else None

    def write(self, path: str, source: bytes | Path) -> None:
        """Create a file that must not exist and write all of the source. Not yet durable."""
        target = os.open(path, _NEW, 0o644)
        try:
            if isinstance(source, bytes):
                _write_all(target, source)
            else:
                _copy(source, target)
        finally:
            os.close(target)

    def make_directory(self, path: str) -> None:
        """Make one directory; raises FileExistsError. Durable only once its parent is synced."""
        os.mkdir(path, 0o755)

    def publish(self, staged: str, final: str) -> None:
        """Give a staged file its final name; raises FileExistsError when the name is taken, by
        whomever. Not yet durable: both directories need a sync."""
        if not self._rename_new(staged, final):
            os.link(staged, final)  # refuses a taken name just as atomically
            os.unlink(staged)

    def publish_tree(self, staged: str, final: str) -> None:
        """Give a staged directory, with all that is in it, its final name; raises FileExistsError when
        anything has that name. Not yet durable: both parents need a sync."""
        if self._rename_new(staged, final):
            return
        try:
            os.rename(staged, final)  # refuses everything but an empty directory just as atomically
        except OSError as error:
            if error.errno in {errno.ENOTEMPTY, errno.EEXIST, errno.ENOTDIR}:
                raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST), final) from error
            raise

    def _rename_new(self, staged: str, final: str) -> bool:
        """Rename unless the name is taken; False where that is not offered (NFS, other kernels)."""
        if self._renameat2 is None:
            return False
        failed = self._renameat2(
            _AT_FDCWD, os.fsencode(staged), _AT_FDCWD, os.fsencode(final), ctypes.c_uint(_RENAME_NOREPLACE)
        )
        if not failed:
            return True
        code = ctypes.get_errno()
        if code in {errno.EINVAL, errno.ENOSYS}:
            return False
        raise OSError(code, os.strerror(code), final)

    def replace(self, staged: str, final: str) -> None:
        """Put a staged file in the place of whatever file has that name. Not yet durable."""
        os.replace(staged, final)

    def remove(self, path: str) -> None:
        """Remove a file. Durable only once its directory is synced."""
        os.unlink(path)

    def remove_directory(self, path: str) -> None:
        """Remove an empty directory. Durable only once its parent is synced."""
        os.rmdir(path)

    @contextmanager
    def group(self, root: str) -> Iterator[SyncGroup]:
        """Writes of one file system that are to be made durable together; enter before writing."""
        descriptor = os.open(root, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
        try:
            yield SyncGroup(self, descriptor)
        finally:
            os.close(descriptor)

    def sync_file_system(self, descriptor: int) -> bool:
        """Everything on the descriptor's file system is durable; False where that is not offered."""
        if self._syncfs is None:
            return False
        if self._syncfs(descriptor):
            code = ctypes.get_errno()
            raise OSError(code, os.strerror(code))
        return True

    def sync_path(self, path: str, *, directory: bool) -> None:
        """The content of a file, or the names in a directory, are durable."""
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | (os.O_DIRECTORY if directory else 0))
        try:
            _fsync(descriptor)
        finally:
            os.close(descriptor)


class SyncGroup:
    """The syncs of one group of writes."""

    def __init__(self, files: DurableFiles, descriptor: int) -> None:
        self._files = files
        self._descriptor = descriptor

    def sync(self, files: Iterable[str] = (), directories: Iterable[str] = ()) -> None:
        """These files' contents and these directories' names are durable when this returns."""
        contents, names = list(files), sorted(set(directories), reverse=True)
        if len(contents) + len(names) >= GROUP and self._files.sync_file_system(self._descriptor):
            return
        for path in contents:
            self._files.sync_path(path, directory=False)
        for path in names:
            self._files.sync_path(path, directory=True)


def _copy(source: Path, target: int) -> None:
    descriptor = os.open(source, os.O_RDONLY | os.O_CLOEXEC)
    try:
        while chunk := os.read(descriptor, _COPY):
            _write_all(target, chunk)
    finally:
        os.close(descriptor)


def _write_all(descriptor: int, data: bytes) -> None:
    written = os.write(descriptor, data)
    while written < len(data):  # a short write is legal
        written += os.write(descriptor, memoryview(data)[written:])


def _fsync(descriptor: int) -> None:
    if sys.platform == "darwin":
        import fcntl

        # fsync on macOS does not reach the medium; F_FULLFSYNC does.
        fcntl.fcntl(descriptor, fcntl.F_FULLFSYNC)
        return
    os.fsync(descriptor)
