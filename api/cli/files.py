"""Files that a command writes for people: whole or not at all, and never over another file."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from archive_core.errors import AlreadyExistsError, UsageError
from archive_core.identifiers import new_token


@contextmanager
def new_file(path: Path) -> Iterator[BinaryIO]:
    """A stream whose content takes the name `path` at the end of the block; after an error nothing is
    left. Raises `AlreadyExistsError` when the name is taken, `UsageError` when it cannot be written."""
    if path.exists() or path.is_symlink():
        raise AlreadyExistsError(f"{path} is there already: name another file")
    aside = path.with_name(f".{path.name}.{new_token()[:8]}")
    try:
        stream = aside.open("xb")
    except OSError as error:
        raise UsageError(f"cannot write {path}: {error.strerror}") from error
    try:
        with stream:
            yield stream
            stream.flush()
            os.fsync(stream.fileno())
        os.link(aside, path)  # unlike a rename, this never replaces a file that came in between
    except FileExistsError:
        raise AlreadyExistsError(f"{path} is there already: name another file") from None
    finally:
        aside.unlink(missing_ok=True)


def write_file(path: Path, content: bytes) -> None:
    """Write a small file; see `new_file`."""
    with new_file(path) as stream:
        stream.write(content)
