"""Makes a home from a backup again, beside the stores that are there.

Rules kept here
 * The whole backup is verified before the first file is placed, and a home that is there is not touched.
 * Settings come last: until then there is no home, and the same command does the rest. Where it was broken off
   stands in `.restoring/state.json`.
 * The catalogue is marked read-only before it has its name (`archive_core.read_only`).
 * Modes are private: 0700 and 0600.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import shutil
import tarfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import BinaryIO

from api.backup.container import PIECE, Key, digest_of, payload
from api.backup.form import CATALOGUE, HOME, MANIFEST, MAX_MANIFEST, Manifest, Member
from api.backup.making import WORK
from api.home import only_user
from api.settings import SETTINGS_FILE, ArchiveSettings, parse_settings
from api.syncing import sync_names
from api.wiring import catalogue_file, catalogue_url
from archive_core import read_only
from archive_core.catalogue.catalogue import Catalogue
from archive_core.catalogue.snapshots import pour, prepare
from archive_core.errors import (
    CatalogueUnavailableError,
    ConflictError,
    MalformedDocumentError,
    SettingsError,
    StoreUnavailableError,
)
from archive_core.findings import utc_text

Take = Callable[[Member, Iterator[bytes]], None]

_STATE = "state.json"
_PLACING, _PLACED = "placing", "placed"


# -- reading ----------------------------------------------------------------------------------


def read(path: Path, key: Key, digest: str | None, take: Take) -> Manifest:
    """Read a whole backup, each file compared with the table of contents when `take` has had its last piece.
    Raises `UsageError`, `NotFoundError`, `MalformedDocumentError`."""
    with payload(path, key, digest) as stream:
        try:
            with tarfile.open(fileobj=stream, mode="r|", bufsize=PIECE) as members:
                return _members(members, take)
        except tarfile.TarError as error:
            raise MalformedDocumentError("the backup is damaged") from error


def _members(members: tarfile.TarFile, take: Take) -> Manifest:
    first = members.next()
    if first is None or first.name != MANIFEST or not first.isreg() or first.size > MAX_MANIFEST:
        raise MalformedDocumentError("the backup does not begin with its table of contents")
    manifest = Manifest.parse(b"".join(_pieces(members, first)))
    for member in (*manifest.files, manifest.catalogue):
        found = members.next()
        if found is None or found.name != member.path or not found.isreg() or found.size != member.size:
            raise MalformedDocumentError(f"the backup lacks {member.path}")
        digest = hashlib.sha512()
        take(member, _hashed(_pieces(members, found), digest.update))
        if digest.hexdigest() != member.sha512:
            raise MalformedDocumentError(f"the backup's {member.path} is damaged")
    if members.next() is not None:
        raise MalformedDocumentError("the backup holds more than its table of contents says")
    return manifest


def _pieces(members: tarfile.TarFile, info: tarfile.TarInfo) -> Iterator[bytes]:
    file = members.extractfile(info)
    while file is not None and (piece := file.read(PIECE)):
        yield piece


def _hashed(pieces: Iterator[bytes], update: Callable[[bytes], None]) -> Iterator[bytes]:
    for piece in pieces:
        update(piece)
        yield piece


def examine(path: Path, key: Key, digest: str | None, home: Path) -> tuple[Manifest, ArchiveSettings, list[str]]:
    """Verify a backup and write nothing: its contents, its settings, and which of its files stand in the way."""
    files: dict[str, bytes] = {}

    def take(member: Member, pieces: Iterator[bytes]) -> None:
        if member.path == CATALOGUE:
            for _ in pieces:
                pass
        else:
            files[member.path.removeprefix(HOME)] = b"".join(pieces)

    manifest = read(path, key, digest, take)
    settings = _settings(files, home)
    return manifest, settings, _in_the_way(files, settings)


def _settings(files: dict[str, bytes], home: Path) -> ArchiveSettings:
    try:
        return parse_settings(files[SETTINGS_FILE].decode("utf-8"), home)
    except (KeyError, UnicodeDecodeError) as error:
        raise MalformedDocumentError("the backup holds no settings") from error


def _in_the_way(files: dict[str, bytes], settings: ArchiveSettings) -> list[str]:
    """What lies in the home with other content than the backup's."""
    home = settings.home
    found = [name for name, data in files.items() if _differs(home / name, data)]
    catalogue = catalogue_file(settings)
    if catalogue is not None and os.path.lexists(catalogue):
        found.append(str(catalogue))
    return found


def _differs(path: Path, data: bytes) -> bool:
    if not os.path.lexists(path):
        return False
    return path.is_symlink() or not path.is_file() or path.read_bytes() != data


# -- placing ----------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class State:
    """How far a restore is, of which backup (SHA-512), made when."""

    state: str
    digest: str
    made: str

    @property
    def placed(self) -> bool:
        return self.state == _PLACED


def state_of(home: Path) -> State | None:
    """How far the restore of a home is; None when none is under way. Raises `SettingsError`."""
    try:
        value = json.loads((home / WORK / _STATE).read_text("utf-8"))
        return State(str(value["state"]), str(value["digest"]), str(value["made"]))
    except FileNotFoundError:
        return None
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise SettingsError(f"{home / WORK / _STATE} cannot be read: remove {home / WORK} and restore again") from error


def finished(home: Path) -> None:
    """Nothing is under way any more."""
    shutil.rmtree(home / WORK, ignore_errors=True)


def place(path: Path, key: Key, digest: str | None, home: Path, *, at: datetime) -> Manifest | None:
    """Make the home from a backup, read-only; may be repeated until it is done, and is None when it was done.

    Raises `ConflictError`, and changes nothing, when something else is there."""
    try:
        home.mkdir(mode=0o700, parents=True, exist_ok=True)
        with only_user(home):
            return _place(path, key, digest, home, at)
    except OSError as error:
        raise StoreUnavailableError(f"the home cannot be written: {error.strerror}") from error


def _place(path: Path, key: Key, digest: str | None, home: Path, at: datetime) -> Manifest | None:
    with path.open("rb") as file:
        found = digest_of(file)
    before = state_of(home)
    if before is not None and before.digest != found:
        raise ConflictError(f"another backup is being restored into {home}: go on with that one")
    if before is not None and before.placed:
        return None
    if before is None and (home / SETTINGS_FILE).exists():
        raise ConflictError(f"{home} is a home already: a backup is restored into an empty one")
    work = home / WORK
    work.mkdir(mode=0o700, exist_ok=True)
    files: dict[str, bytes] = {}
    taking = work / CATALOGUE

    def take(member: Member, pieces: Iterator[bytes]) -> None:
        if member.path != CATALOGUE:
            files[member.path.removeprefix(HOME)] = b"".join(pieces)
            return
        for part in (taking, *_beside(taking)):
            part.unlink(missing_ok=True)
        with _private(taking) as out:
            for piece in pieces:
                out.write(piece)

    try:
        manifest = read(path, key, digest, take)
        settings = _settings(files, home)
        if before is None and (there := _in_the_way(files, settings)):
            raise ConflictError(f"{home} is not empty: {there[0]} is there and differs", found=there[:10])
    except BaseException:
        if before is None:
            finished(home)
        raise
    _write(work / _STATE, _state(_PLACING, found, manifest))
    text = files.pop(SETTINGS_FILE)
    for name, data in files.items():
        _write(home / name, data)
    mark = read_only.Mark(utc_text(at), manifest.made, found)
    prepare(taking, lambda catalogue: read_only.hold(catalogue, mark))
    _place_catalogue(taking, settings)
    _write(home / SETTINGS_FILE, text)
    _write(work / _STATE, _state(_PLACED, found, manifest))
    for part in (taking, *_beside(taking)):
        part.unlink(missing_ok=True)
    return manifest


def _place_catalogue(taking: Path, settings: ArchiveSettings) -> None:
    file = catalogue_file(settings)
    if file is None:
        target = Catalogue.create_for_rebuild(catalogue_url(settings))
        try:
            pour(taking, target)
            target.finish_rebuild()
        finally:
            target.close()
        return
    if any(part.exists() and part.stat().st_size for part in _beside(taking)):
        raise CatalogueUnavailableError("the restored catalogue is in use by another process")
    file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    with taking.open("rb") as whole:
        os.fsync(whole.fileno())
    for part in _beside(file):  # of a restore that was broken off: nobody has written to it
        part.unlink(missing_ok=True)
    os.replace(taking, file)
    sync_names(file.parent)


def _beside(file: Path) -> tuple[Path, ...]:
    return tuple(file.with_name(file.name + ending) for ending in ("-wal", "-shm"))


def _state(state: str, digest: str, manifest: Manifest) -> bytes:
    return json.dumps({"state": state, "digest": digest, "made": manifest.made}).encode()


def _write(path: Path, data: bytes) -> None:
    """A file, whole and durable or not at all."""
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    aside = path.with_name(f".{path.name[:200]}.restoring")
    with _private(aside) as out:
        out.write(data)
    os.replace(aside, path)
    sync_names(path.parent)


@contextlib.contextmanager
def _private(path: Path) -> Iterator[BinaryIO]:
    """A new file that only its owner may read, durable at the end."""
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as out:
        yield out
        out.flush()
        os.fsync(out.fileno())
