"""Files written below a folder of somebody's, all or none.

Rules kept here
 * Nothing is written before everything could be read; a file is there whole or not at all.
 * What lies there already with other bytes is never touched.
"""

from __future__ import annotations

import filecmp
import os
import tempfile
from collections.abc import Iterator
from pathlib import Path

from archive_core.errors import AlreadyExistsError


def write_tree(out: Path, files: Iterator[tuple[str, Iterator[bytes]]]) -> list[Path]:
    """Write files below `out`, each whole and only when all could be read: they are gathered in a
    folder beside it first. A file that is there already with the same bytes is left alone; one with
    other bytes raises `AlreadyExistsError` before anything is written."""
    out.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=out.parent, prefix=f".{out.name[:100]}-") as aside:
        gathered: list[str] = []
        for path, pieces in files:
            target = Path(aside) / path
            target.parent.mkdir(parents=True, exist_ok=True)
            with target.open("xb") as stream:
                for piece in pieces:
                    stream.write(piece)
            gathered.append(path)
        new = [path for path in gathered if not _is_there(out / path, Path(aside) / path)]
        out.mkdir(exist_ok=True)
        for path in new:
            (out / path).parent.mkdir(parents=True, exist_ok=True)
            os.replace(Path(aside) / path, out / path)
    return [out / path for path in gathered]


def _is_there(target: Path, source: Path) -> bool:
    """Whether the same bytes lie there already."""
    if not os.path.lexists(target):
        return False
    if target.is_symlink() or not target.is_file() or not filecmp.cmp(target, source, shallow=False):
        raise AlreadyExistsError(f"{target} is there already with other content: name another folder")
    return True
