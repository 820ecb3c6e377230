"""The file of a backup: a TAR of age files, written and read in bounded memory.

Rules kept here
 * Encryption is age's (https://age-encryption.org), by the `pyrage` library; nothing of it is done here. A passphrase
   opens the key of the payload (scrypt), recipients open the payload itself (X25519).
 * The file shows under its name when it is whole and durable, and replaces nothing.
 * Nothing decrypted is written to a disk here, and nothing unauthenticated is handed out: age's pieces are.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import tarfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from threading import Thread
from typing import Any, BinaryIO

import pyrage

from api.backup.form import IDENTITY, PAYLOAD, README, README_TEXT
from api.syncing import sync_names
from archive_core.errors import (
    AlreadyExistsError,
    MalformedDocumentError,
    NotFoundError,
    StoreUnavailableError,
    UsageError,
)

SHORTEST = 12
"""Characters of a passphrase, at least."""
MAX_IDENTITY = 64 * 1024
PIECE = 1024 * 1024

_BLOCK = 512


@dataclass(frozen=True, slots=True)
class Lock:
    """To whom a backup is encrypted: one passphrase, or the public keys of recipients (`age1…`)."""

    passphrase: str = field(default="", repr=False)
    recipients: tuple[str, ...] = ()

    def verify(self) -> None:
        """Raises `UsageError` for what locks nothing."""
        if bool(self.passphrase) == bool(self.recipients):
            raise UsageError("a backup is encrypted with a passphrase or to recipients: say one of them")
        if self.passphrase and len(self.passphrase) < SHORTEST:
            raise UsageError(f"a passphrase has at least {SHORTEST} characters")
        _recipients(self.recipients)


@dataclass(frozen=True, slots=True)
class Key:
    """What opens a backup: the passphrase, or an identity (`AGE-SECRET-KEY-…`)."""

    passphrase: str = field(default="", repr=False)
    identity: str = field(default="", repr=False)


def _recipients(words: Sequence[str]) -> list[Any]:
    try:
        return [pyrage.x25519.Recipient.from_str(word) for word in words]
    except pyrage.RecipientError as error:
        raise UsageError("a recipient is an age public key: age1…") from error


def write(path: Path, lock: Lock, fill: Callable[[BinaryIO], None]) -> str:
    """Write a new backup whose payload `fill` writes; returns its SHA-512, hexadecimal. Raises `AlreadyExistsError`,
    `StoreUnavailableError` when the disk refuses."""
    lock.verify()
    if path.exists():
        raise AlreadyExistsError(f"{path} is there already: a backup replaces nothing")
    aside = path.with_name(path.name + ".part")
    try:
        with os.fdopen(os.open(aside, os.O_RDWR | os.O_CREAT | os.O_TRUNC, 0o600), "w+b") as out:
            _write_parts(out, lock, fill)
            out.flush()
            os.fsync(out.fileno())
            digest = digest_of(out)
        os.link(aside, path)
        sync_names(path.parent)
    except FileExistsError:
        raise AlreadyExistsError(f"{path} is there already: a backup replaces nothing") from None
    except OSError as error:
        raise StoreUnavailableError(f"the backup cannot be written: {error.strerror}") from error
    finally:
        aside.unlink(missing_ok=True)
    return digest


def _write_parts(out: BinaryIO, lock: Lock, fill: Callable[[BinaryIO], None]) -> None:
    recipients = _recipients(lock.recipients)
    parts = [(README, README_TEXT.encode())]
    if lock.passphrase:
        identity = pyrage.x25519.Identity.generate()
        recipients = [identity.to_public()]
        parts.append((IDENTITY, pyrage.passphrase.encrypt(f"{identity}\n".encode(), lock.passphrase)))
    for name, data in parts:
        out.write(_header(name, len(data)) + data + _padding(len(data)))
    place = out.tell()
    out.write(bytes(_BLOCK))  # the header is written when the size is known
    with _pumped(lambda stream: fill(stream)) as source:
        pyrage.encrypt_io(source, out, recipients)
    size = out.tell() - place - _BLOCK
    out.write(_padding(size) + bytes(2 * _BLOCK))
    out.seek(place)
    out.write(_header(PAYLOAD, size))


def _header(name: str, size: int) -> bytes:
    info = tarfile.TarInfo(name)
    info.size, info.mode = size, 0o600
    return info.tobuf(tarfile.GNU_FORMAT)


def _padding(size: int) -> bytes:
    return bytes(-size % _BLOCK)


def digest_of(file: BinaryIO) -> str:
    """The SHA-512 of a whole file, hexadecimal."""
    file.seek(0)
    digest = hashlib.sha512()
    while piece := file.read(PIECE):
        digest.update(piece)
    return digest.hexdigest()


@contextmanager
def _pumped(fill: Callable[[BinaryIO], None]) -> Iterator[BinaryIO]:
    """What `fill` writes in a thread, to be read; its error is raised when the reader is done."""
    read_end, write_end = os.pipe()
    problem: list[BaseException] = []

    def work() -> None:
        with os.fdopen(write_end, "wb") as stream, contextlib.suppress(BrokenPipeError):
            try:
                fill(stream)
            except BrokenPipeError:
                pass  # the reader has gone, and says why
            except BaseException as error:  # noqa: BLE001 - raised again in the reader's thread
                problem.append(error)

    thread = Thread(target=work, name="backup")
    thread.start()
    source = os.fdopen(read_end, "rb")
    try:
        yield source
    except BaseException as error:
        source.close()
        thread.join()
        if problem:
            raise problem[0] from error
        raise
    source.close()
    thread.join()
    if problem:
        raise problem[0]


def is_under_passphrase(path: Path) -> bool:
    """Whether a backup is opened by a passphrase. Raises `NotFoundError` and `MalformedDocumentError`."""
    with _opened(path) as (_, outer):
        return IDENTITY in outer.getnames()


@contextmanager
def payload(path: Path, key: Key, digest: str | None) -> Iterator[BinaryIO]:
    """The decrypted payload of a backup, to be read to its end.

    `digest` is what the SHA-512 of the file must be. A backup to recipients can be made by anybody who knows their
    public keys, so it is not believed without. Raises `UsageError`, `NotFoundError`, `MalformedDocumentError`."""
    with _opened(path) as (file, outer):
        names = outer.getnames()
        if names not in ([README, PAYLOAD], [README, IDENTITY, PAYLOAD]):
            raise MalformedDocumentError("this is no backup of a home")
        if digest is not None and digest_of(file) != digest.lower():
            raise MalformedDocumentError("the backup is not the one with that digest")
        if IDENTITY not in names and digest is None:
            raise UsageError("a backup to recipients is believed with its digest only: say --digest")
        try:
            identity = _identity(outer, names, key)
        except (pyrage.DecryptError, pyrage.IdentityError, UnicodeDecodeError) as error:
            raise MalformedDocumentError("the backup cannot be opened: another key, or it is damaged") from error
        inner = outer.extractfile(PAYLOAD)
        if inner is None:
            raise MalformedDocumentError("this is no backup of a home")

        def decrypt(stream: BinaryIO) -> None:
            try:
                pyrage.decrypt_io(inner, stream, [identity])
            except (pyrage.DecryptError, OSError) as error:
                if isinstance(error, BrokenPipeError):
                    raise
                raise MalformedDocumentError("the backup cannot be opened: another key, or it is damaged") from error

        with _pumped(decrypt) as source:
            yield source
            while source.read(PIECE):
                pass  # to the end, where age says that nothing was cut off


def _identity(outer: tarfile.TarFile, names: Sequence[str], key: Key) -> Any:
    words = key.identity
    if IDENTITY in names:
        if not key.passphrase:
            raise UsageError("this backup is opened by a passphrase: say --passphrase")
        sealed = outer.extractfile(IDENTITY)
        data = sealed.read(MAX_IDENTITY) if sealed else b""
        words = pyrage.passphrase.decrypt(data, key.passphrase).decode("ascii")
    elif not words:
        raise UsageError("this backup is opened by an identity: say --identity")
    lines = [line.strip() for line in words.splitlines()]
    found = [line for line in lines if line.startswith("AGE-SECRET-KEY-")]
    if len(found) != 1:
        raise UsageError("an identity is one line AGE-SECRET-KEY-…")
    return pyrage.x25519.Identity.from_str(found[0])


@contextmanager
def _opened(path: Path) -> Iterator[tuple[BinaryIO, tarfile.TarFile]]:
    try:
        with path.open("rb") as file:
            if not file.read(_BLOCK).startswith(README.encode()):
                raise MalformedDocumentError("this is no backup of a home")
            file.seek(0)
            with tarfile.open(fileobj=file, mode="r:") as outer:
                yield file, outer
    except FileNotFoundError:
        raise NotFoundError(f"there is no file {path}") from None
    except tarfile.TarError as error:
        raise MalformedDocumentError("the backup is damaged, or no backup of a home") from error
    except OSError as error:
        raise StoreUnavailableError(f"the backup cannot be read: {error.strerror}") from error
