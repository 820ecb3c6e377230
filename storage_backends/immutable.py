"""A directory whose documents carry the file system's immutable attribute (`chattr +i`) until an instant.

Rules kept here
 * What is locked are the versions of an object: their directories and everything in them. The object's own directory
   stays open, because a new version brings a new head; what the head says stands in the locked version too.
 * Until when stands in an extended attribute of each version's directory. A lock is only ever made longer. What an
   interruption leaves half locked counts as not locked and is locked again.
 * Locks are believed only after a canary beside the root was attacked in every way that would let bytes go.
 * Who may set the attribute (`CAP_LINUX_IMMUTABLE`, as root has it) may take it off: it stops mistakes and everybody
   else, not root. That is what the mode's name says and is not counted as held against it.
"""

from __future__ import annotations

import errno
import fcntl
import os
import struct
import uuid
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path

from archive_core.errors import SettingsError, StoreUnavailableError
from archive_core.findings import utc_text
from archive_core.ports import LockAttack, LockProbe, PutBack
from storage_backends.writer import SideBySideStore

MODE = "immutable"

_GET, _SET = 0x80086601, 0x40086602
"""FS_IOC_GETFLAGS and FS_IOC_SETFLAGS of Linux with 64-bit `long`."""
_IMMUTABLE = 0x10
_UNTIL = "user.trusted-archive.locked-until"
_BYTES = b"whoever can change or delete this could do so with any document\n"
_CANNOT = {errno.EPERM, errno.EACCES, errno.ENOTTY, errno.EOPNOTSUPP, errno.EINVAL, errno.ENOSYS}


class ImmutableStore(SideBySideStore):
    """A `FilesystemStore` that locks what it is told to (`LocksObjects`)."""

    @property
    def lock_mode(self) -> str:
        return MODE

    def lock_object(self, object_path: str, until: datetime) -> int:
        """Lock every version of an object at least until an instant; returns how many files that are."""
        count = 0
        with self._telling("lock", object_path):
            for version in self._versions(object_path):
                known = _until_of(version)
                if known is None or known < until:
                    _mark(version, False)
                    os.setxattr(version, _UNTIL, utc_text(until).encode())
                for path in _below(version):
                    _mark(path, True)
                    count += not path.is_dir()
        return count

    def locked_until(self, object_path: str) -> datetime | None:
        """Until when all versions of an object are locked; None when anything of them is not."""
        ends: list[datetime | None] = []
        with self._telling("look at", object_path):
            for version in self._versions(object_path):
                whole = all(_is_marked(path) for path in _below(version))
                ends.append(_until_of(version) if whole else None)
        known = [end for end in ends if end is not None]
        return min(known) if known and len(known) == len(ends) else None

    def purge_object(self, object_path: str) -> None:
        versions = self._versions(object_path)
        with self._telling("purge", object_path):
            ends = [end for version in versions if (end := _until_of(version)) is not None]
            if ends and max(ends) > datetime.now(UTC):
                raise StoreUnavailableError(
                    "the store may not delete this yet: it is locked",
                    store=self.name,
                    object_path=ascii(object_path),
                    until=utc_text(max(ends)),
                )
            for version in versions:
                _open(version)
        super().purge_object(object_path)

    def put_back(self, files: Sequence[PutBack]) -> None:
        """Repair takes the attribute off the versions that it puts right, and leaves them as they were."""
        found = {version for item in files if (version := self._version_of(item.file.key)) is not None}
        locked = [version for version in found if any(_is_marked(path) for path in _below(version))]
        try:
            with self._telling("put_back", ""):
                for version in locked:
                    _open(version)
            super().put_back(files)
        finally:
            with self._telling("lock", ""):
                for version in locked:
                    for path in _below(version):
                        _mark(path, True)

    def probe_locks(self) -> LockProbe:
        """Lock a canary beside the root and attack it. Raises `SettingsError` when the attribute cannot be set here."""
        area = self.root.parent / f".{self.root.name}.canary-{uuid.uuid4().hex}"
        with self._telling("probe", ""):
            area.mkdir()
            try:
                return LockProbe(MODE, tuple(_attacked(area)))
            except OSError as error:
                if error.errno in _CANNOT:
                    raise SettingsError(
                        "the immutable attribute cannot be set: it takes root (CAP_LINUX_IMMUTABLE) and a file system "
                        f"that has it, such as ext4, XFS or Btrfs ({error.strerror})",
                        store=self.name,
                    ) from error
                raise
            finally:
                _remove(area)

    def _versions(self, object_path: str) -> list[Path]:
        folder = self.root / object_path
        if not folder.is_dir():
            return []
        return sorted(path for path in folder.iterdir() if path.is_dir() and path.name[:1] == "v")

    def _version_of(self, key: str) -> Path | None:
        """The version's directory in which a key lies."""
        parts = key.split("/")
        for number, part in enumerate(parts[:-1]):
            if part[:1] == "v" and part[1:].isdecimal() and (self.root.joinpath(*parts[: number + 1])).is_dir():
                return self.root.joinpath(*parts[: number + 1])
        return None

    @contextmanager
    def _telling(self, verb: str, what: str) -> Iterator[None]:
        try:
            yield
        except (StoreUnavailableError, SettingsError):
            raise
        except OSError as error:
            raise StoreUnavailableError(
                f"store {self.name} failed to {verb}: {error.strerror}", store=self.name, object_path=ascii(what)[:300]
            ) from error


# -- the attribute ------------------------------------------------------------------------------


def _below(version: Path) -> list[Path]:
    """Everything in a version, what lies deepest first, and its directory last."""
    return [*sorted(version.rglob("*"), reverse=True), version]


def _mark(path: Path, on: bool) -> None:
    """Set the attribute or take it off; durable when this returns."""
    descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
    try:
        flags = _flags(descriptor)
        wanted = flags | _IMMUTABLE if on else flags & ~_IMMUTABLE
        if wanted != flags:
            fcntl.ioctl(descriptor, _SET, struct.pack("l", wanted))
            os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _is_marked(path: Path) -> bool:
    descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
    try:
        return bool(_flags(descriptor) & _IMMUTABLE)
    finally:
        os.close(descriptor)


def _flags(descriptor: int) -> int:
    (flags,) = struct.unpack("l", fcntl.ioctl(descriptor, _GET, struct.pack("l", 0)))
    return int(flags)


def _until_of(version: Path) -> datetime | None:
    try:
        return datetime.fromisoformat(os.getxattr(version, _UNTIL).decode("ascii"))
    except ValueError:
        return None
    except OSError as error:
        if error.errno in (errno.ENODATA, errno.EOPNOTSUPP):
            return None
        raise


def _open(version: Path) -> None:
    """Take the attribute off a version and everything in it."""
    for path in reversed(_below(version)):
        _mark(path, False)


# -- the canary -----------------------------------------------------------------------------------


def _attacked(area: Path) -> Iterator[LockAttack]:
    """Plant, attack, look."""
    version = area / "v1"
    (version / "content").mkdir(parents=True)
    canary = version / "content" / "canary"
    canary.write_bytes(_BYTES)
    other = area / "other"
    other.write_bytes(b"other")
    for path in _below(version):
        _mark(path, True)
    yield LockAttack("forget the lock", all(_is_marked(path) for path in _below(version)), "")
    attacks: list[tuple[str, Callable[[], object]]] = [  # what destroys the canary is last
        ("write to a file", lambda: canary.open("r+b").close()),
        ("append to a file", lambda: canary.open("ab").close()),
        ("change its rights", lambda: canary.chmod(0o666)),
        ("change its attributes", lambda: os.setxattr(canary, _UNTIL, b"1970-01-01T00:00:00Z")),
        ("make a second name", lambda: os.link(canary, area / "link")),
        ("add a file", lambda: (version / "content" / "new").touch(exist_ok=False)),
        ("put another file in its place", lambda: os.replace(other, canary)),
        ("cut a file off", lambda: os.truncate(canary, 0)),
        ("rename a file", lambda: canary.rename(area / "away")),
        ("delete a file", canary.unlink),
        ("move a directory's content away", lambda: (version / "content").rename(area / "content")),
        ("rename a directory", lambda: version.rename(area / "v2")),
    ]
    for name, attack in attacks:
        try:
            attack()
        except OSError as error:
            yield LockAttack(name, True, error.strerror or "")
        else:
            yield LockAttack(name, False, "it was carried out")
    there = canary.exists() and canary.read_bytes() == _BYTES
    yield LockAttack("survive", there, "" if there else "the canary is not what it was")


def _remove(area: Path) -> None:
    """Remove a canary, also one on which attacks succeeded."""
    for folder, _, files in os.walk(area):
        for path in [Path(folder), *(Path(folder) / name for name in files)]:
            with suppress(OSError):
                _mark(path, False)
    for folder, _, files in os.walk(area, topdown=False):
        for name in files:
            (Path(folder) / name).unlink(missing_ok=True)
        os.rmdir(folder)
