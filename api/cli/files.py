"""Files that a command writes for people: whole or not at all.

Rules kept here
 * Content is written aside and synced; the name comes last, so that half a file never bears it.
 * A file that bears the name is replaced at that moment and not before, as people expect of a place
   that they gave. A folder, link or device is never replaced.
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
    """A stream whose content takes the name `path` at the end of the block; after an error what was
    there is there still. Raises `AlreadyExistsError` when something else than a file bears the name,
    `UsageError` when it cannot be written."""
    require_free(path)
    with writing_to(path):
        aside = path.with_name(f".{new_token()}.part")
        try:
            with aside.open("xb") as stream:
                yield stream
                stream.flush()
                os.fsync(stream.fileno())
            require_free(path)
            os.replace(aside, path)
        finally:
            aside.unlink(missing_ok=True)


def write_file(path: Path, content: bytes) -> None:
    """Write a small file; see `new_file`."""
    with new_file(path) as stream:
        stream.write(content)


def require_free(path: Path) -> None:
    """Raises `AlreadyExistsError` when something bears the name that is not to be replaced."""
    with writing_to(path):
        try:
            mode = path.lstat().st_mode
        except FileNotFoundError:
            return
    if not stat.S_ISREG(mode):
        raise AlreadyExistsError(f"{path} is there already and is no file: name another")
