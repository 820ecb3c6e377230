"""What is published is never edited: statements were sealed over these bytes.

A new edition is a new file with a new id, and a new line in `published.sha512` beside this test.
"""

from __future__ import annotations

import hashlib
from pathlib import Path

import policies

FOLDER = Path(policies.__file__).parent / "published"
RECORDED = {
    name: digest
    for digest, name in (line.split() for line in (Path(__file__).parent / "published.sha512").read_text().splitlines())
}


def test_every_published_file_has_the_bytes_it_was_published_with() -> None:
    """Neither changed, nor removed, nor added without being recorded."""
    found = {file.name: hashlib.sha512(file.read_bytes()).hexdigest() for file in FOLDER.glob("*.toml")}

    assert RECORDED
    assert found == RECORDED
