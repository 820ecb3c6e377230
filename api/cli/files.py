"""Files that a command writes for people: whole or not at all, and never over another file.

Rules kept here
 * Content is written aside and synced; the name comes last, so that half a file never bears it.
 * A name that is taken is refused, unless it holds the very same bytes already.
 * Only a name that does not exist is ever created: no file system feature beyond that is needed, so
   that a memory stick will do.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from api.cli.console import path_text
from archive_core.errors import AlreadyExistsError, UsageError
from archive_core.identifiers import new_token


@contextmanager
def writing_to(path: Path) -> Iterator[None]:
    """What the system says about a place that a person named, as `UsageError` about that place."""
    try:
        yield
    except OSError as error:
        raise UsageError(f"cannot write {path_text(path)}: {error.strerror or error}") from error


@contextmanager
def new_file(path: Path) -> Iterator[BinaryIO]:
    """A stream whose content takes the name `path` at the end of the block; after an error nothing is
    left. Raises `AlreadyExistsError` when the name is taken, `UsageError` when it cannot be written."""
    with writing_to(path):
        if is_taken(path):
            raise AlreadyExistsError(f"{path} is there already: name another file")
        aside = path.with_name(f".{new_token()}.part")
        try:
            with aside.open("xb") as stream:
                yield stream
                stream.flush()
                os.fsync(stream.fileno())
            _name(aside, path)
        finally:
            aside.unlink(missing_ok=True)


def _name(aside: Path, path: Path) -> None:
    """Give the finished file its name, unless somebody took it meanwhile."""
    try:
        os.close(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600))
    except FileExistsError:
        raise AlreadyExistsError(f"{path} is there already: name another file") from None
    os.replace(aside, path)


def write_file(path: Path, content: bytes) -> None:
    """Write a small file, or find that it is there as it should be; see `new_file`."""
    if holds(path, content):
        return
    with new_file(path) as stream:
        stream.write(content)


def holds(path: Path, content: bytes) -> bool:
    """Whether a regular file of that name has exactly these bytes."""
    with writing_to(path):
        if not is_taken(path):
            return False
        found = path.lstat()
        return stat.S_ISREG(found.st_mode) and found.st_size == len(content) and path.read_bytes() == content


def is_taken(path: Path) -> bool:
    """Whether something has that name."""
    try:
        path.lstat()
    except FileNotFoundError:
        return False
    except OSError as error:
        raise UsageError(f"cannot write {path_text(path)}: {error.strerror or error}") from error
    return True
