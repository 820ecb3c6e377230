"""PATHs of the command line as submissions.

Rules kept here
 * A file is an object with one file under its own name; a folder is an object with the files below it,
   under their paths relative to the folder, in the order of those paths.
 * Links and special files are refused, also inside a folder: what they point to is not what was named.
 * A name that is not valid UTF-8 cannot be kept and is refused by admission.
"""

from __future__ import annotations

import argparse
import os
import stat
from collections.abc import Sequence
from pathlib import Path

from archive_core.errors import MetadataNotAcceptedError, NameNotAcceptedError, SubmissionError
from archive_core.lifecycle import SubmissionObject, SubmittedFile

MAX_METADATA = 64 * 1024 * 1024
MAX_FILES = 1_000_000
"""Files below one folder that are even listed; a profile's own limit is lower."""


def submission_of(arguments: argparse.Namespace, paths: Sequence[str], originator: str) -> SubmissionObject:
    """PATHs together as one submission; raises `SubmissionError` saying which cannot be read."""
    files: list[SubmittedFile] = []
    for path in paths:
        files += _files_of(path)
    return SubmissionObject(
        files=tuple(files),
        originator=originator,
        metadata=_metadata(arguments.metadata),
        profile=arguments.profile,
        key=arguments.key,
        once=getattr(arguments, "once", False),
    )


def _files_of(named: str) -> list[SubmittedFile]:
    path = Path(named)
    mode = _mode(path)
    if stat.S_ISREG(mode):
        return [SubmittedFile(path.name, path)]
    if not stat.S_ISDIR(mode):
        raise NameNotAcceptedError(f"{str(path)!a} is neither a file nor a folder (links are not followed)")
    found: list[SubmittedFile] = []
    waiting = [path]
    while waiting:
        folder = waiting.pop()
        for entry in _entries(folder):
            below = Path(entry.path)
            mode = _mode(below)
            if stat.S_ISDIR(mode):
                waiting.append(below)
            elif stat.S_ISREG(mode):
                found.append(SubmittedFile(below.relative_to(path).as_posix(), below))
            else:
                raise NameNotAcceptedError(f"{str(below)!a} is not a regular file (links are not followed)")
            if len(found) > MAX_FILES:
                raise SubmissionError(f"more than {MAX_FILES} files below {str(path)!a}")
    return sorted(found, key=lambda file: os.fsencode(file.path))


def _entries(folder: Path) -> list[os.DirEntry[str]]:
    try:
        with os.scandir(folder) as entries:
            return list(entries)
    except OSError as error:
        raise SubmissionError(f"cannot read {str(folder)!a}: {error.strerror}") from error


def _mode(path: Path) -> int:
    try:
        return path.lstat().st_mode
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or error
        raise SubmissionError(f"cannot read {str(path)!a}: {reason}") from error


def _metadata(path: Path | None) -> bytes | None:
    if path is None:
        return None
    try:
        if not stat.S_ISREG(path.stat().st_mode):
            raise MetadataNotAcceptedError(f"{str(path)!a} is not a file")
        with path.open("rb") as stream:
            data = stream.read(MAX_METADATA + 1)
    except OSError as error:
        raise MetadataNotAcceptedError(f"cannot read {str(path)!a}: {error.strerror}") from error
    if len(data) > MAX_METADATA:
        raise MetadataNotAcceptedError(f"{str(path)!a} has more than {MAX_METADATA} bytes")
    return data
