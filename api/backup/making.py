"""Makes a backup of a home: settings, software keys, the catalogue.

Rules kept here
 * Everything in the home is taken that is neither a copy of documents nor on its way to one; what is not is told.
 * Keys in a module or a service, and secrets in the environment, are somewhere else: their addresses are named.
 * A server may run meanwhile: the catalogue is taken as it was at one moment.
 * No secret is printed, and none is written outside the encrypted file.
"""

from __future__ import annotations

import hashlib
import io
import os
import stat
import tarfile
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, BinaryIO

from api.backup.container import PIECE, Lock, write
from api.backup.form import CATALOGUE, HOME, MANIFEST, MAX_FILE, MAX_FILES, Manifest, Member
from api.home import LOCK_FILE
from api.settings import SETTINGS_FILE, ArchiveSettings
from archive_core import __version__
from archive_core.catalogue.catalogue import Catalogue
from archive_core.catalogue.snapshots import take
from archive_core.catching_up import Marks, marks_of
from archive_core.errors import SettingsError
from archive_core.findings import utc_text

WORK = ".restoring"
"""Where a restore keeps what it has not placed yet."""


@dataclass(frozen=True, slots=True)
class Gathered:
    """What lies in a home that is not in its stores: files with their content, and what was left out and why."""

    files: dict[str, bytes]
    left_out: list[str]
    named: list[str]


def gather(settings: ArchiveSettings) -> Gathered:
    """Read what is to be kept; raises `SettingsError` when there is too much of it."""
    home = settings.home
    found = Gathered({}, [], [])
    for path in _walk(home, _passed(settings)):
        name = path.relative_to(home).as_posix()
        status = path.lstat()
        if not stat.S_ISREG(status.st_mode):
            found.left_out.append(f"{name}: no regular file")
        elif status.st_size > MAX_FILE:
            found.left_out.append(f"{name}: larger than {MAX_FILE // 2**20} MiB")
        else:
            found.files[name] = path.read_bytes()
        if len(found.files) > MAX_FILES:
            raise SettingsError(f"there are more than {MAX_FILES} files in {home} beside the stores")
    found.named.extend(_addresses(found.files[SETTINGS_FILE], home))
    return found


def _passed(settings: ArchiveSettings) -> set[Path]:
    """Directories of the home that hold copies, what is on its way to one, or an older backup."""
    home = settings.home
    places = {home / "stores", home / "staging", home / WORK, settings.staging}
    for store in settings.stores:
        if store.bucket is None:
            places |= {home / store.root, home / store.staging}
    return {Path(os.path.normpath(place)) for place in places} | set(home.glob("backup-*"))


def _walk(home: Path, passed: set[Path]) -> Iterator[Path]:
    for folder, folders, files in os.walk(home):
        here = Path(folder)
        links = [name for name in folders if (here / name).is_symlink()]
        folders[:] = sorted(name for name in folders if here / name not in passed and name not in links)
        for name in sorted([*files, *links]):
            if here == home and (name == LOCK_FILE or (name.startswith("catalogue") and ".sqlite3" in name)):
                continue
            yield here / name


def _addresses(text: bytes, home: Path) -> Iterator[str]:
    """Addresses in the settings of what is not in the home, without what may be secret in them."""
    for value in sorted(set(_strings(tomllib.loads(text.decode("utf-8"))))):
        scheme, _, rest = value.partition(":")
        if scheme in ("env", "credential", "pkcs11", "csc") and rest:
            yield value.partition("?")[0][:1000]
        elif scheme == "file" and not _is_below(home, home / rest):
            yield value[:1000]


def _strings(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for one in value.values():
            yield from _strings(one)
    elif isinstance(value, list):
        for one in value:
            yield from _strings(one)


def _is_below(home: Path, path: Path) -> bool:
    return Path(os.path.normpath(path)).is_relative_to(os.path.normpath(home))


@dataclass(frozen=True, slots=True)
class Made:
    """A backup that was written: its table of contents, its size in bytes and its SHA-512."""

    manifest: Manifest
    size: int
    digest: str


def back_up(settings: ArchiveSettings, catalogue: Catalogue, out: Path, lock: Lock, *, at: datetime) -> Made:
    """Write a backup to a new file. Raises `UsageError`, `AlreadyExistsError`, `UnavailableError`."""
    lock.verify()
    gathered = gather(settings)
    settings.staging.mkdir(mode=0o700, parents=True, exist_ok=True)
    with TemporaryDirectory(dir=settings.staging, prefix="backup-") as folder:
        snapshot = Path(folder) / CATALOGUE
        marks = marks_of(catalogue)  # the snapshot may be a little further
        take(catalogue.engine, snapshot)
        manifest = _manifest(settings, gathered, snapshot, marks, at)
        digest = write(out, lock, lambda stream: _fill(stream, manifest, gathered, snapshot))
    return Made(manifest, out.stat().st_size, digest)


def _manifest(settings: ArchiveSettings, gathered: Gathered, snapshot: Path, marks: Marks, at: datetime) -> Manifest:
    with snapshot.open("rb") as file:
        digest = hashlib.file_digest(file, "sha512").hexdigest()
    return Manifest(
        made=utc_text(at),
        program=__version__,
        name=settings.name,
        files=tuple(
            Member(HOME + name, len(data), hashlib.sha512(data).hexdigest()) for name, data in gathered.files.items()
        ),
        catalogue=Member(CATALOGUE, snapshot.stat().st_size, digest),
        marks=marks.to_json(),
        named=tuple(gathered.named),
        left_out=tuple(gathered.left_out),
    )


def _fill(stream: BinaryIO, manifest: Manifest, gathered: Gathered, snapshot: Path) -> None:
    with tarfile.open(fileobj=stream, mode="w|", format=tarfile.PAX_FORMAT, bufsize=PIECE) as payload:
        _add(payload, MANIFEST, manifest.to_bytes())
        for name, data in gathered.files.items():
            _add(payload, HOME + name, data)
        info = tarfile.TarInfo(CATALOGUE)
        info.size, info.mode = manifest.catalogue.size, 0o600
        with snapshot.open("rb") as file:
            payload.addfile(info, file)


def _add(payload: tarfile.TarFile, name: str, data: bytes) -> None:
    info = tarfile.TarInfo(name)
    info.size, info.mode = len(data), 0o600
    payload.addfile(info, io.BytesIO(data))
