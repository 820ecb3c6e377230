"""The form of a backup: what lies in the file, and what its table of contents says.

    README.txt      how to open it without this program
    identity.age    the key of the payload, under the passphrase (only where there is one)
    payload.age     age-encrypted TAR: backup.json, home/…, catalogue.sqlite3

Rules kept here
 * The file is a plain TAR of age files: `tar` and `age` open it, in fifty years as well.
 * `backup.json` is the first member and names every other one with its size and SHA-512; nothing else is in there.
 * Names are relative, without `..`, and go below the home.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any, Self

from archive_core import canonical, reading
from archive_core.errors import MalformedDocumentError

FORMAT = "trusted-archive/backup/1"
MANIFEST = "backup.json"
CATALOGUE = "catalogue.sqlite3"
HOME = "home/"
README, IDENTITY, PAYLOAD = "README.txt", "identity.age", "payload.age"

MAX_MANIFEST = 4 * 1024**2
MAX_FILE = 16 * 1024**2
"""Bytes of a file of the home: keys, certificates, settings, lists."""
MAX_FILES = 10_000

README_TEXT = """\
A backup of a trusted-archive home: settings, keys, catalogue. Documents are not in it: they are in the stores.
Restore it with the program that wrote it or a later one:

    trusted-archive --home NEW-HOME restore THIS-FILE --passphrase file:PATH

Without the program, with tar and age (https://age-encryption.org):

    tar xf THIS-FILE
    age -d -o identity.txt identity.age          (asks for the passphrase; only if there is an identity.age)
    age -d -i identity.txt payload.age | tar x
"""

_MEMBERS = ("format", "made", "program", "name", "files", "catalogue", "marks", "named", "left_out")
_PART = re.compile(r"[^/\x00-\x1f\x7f]{1,255}")


@dataclass(frozen=True, slots=True)
class Member:
    """A file of the payload: its path there, its size in bytes, its SHA-512 (hexadecimal)."""

    path: str
    size: int
    sha512: str

    def to_json(self) -> dict[str, object]:
        return {"path": self.path, "size": self.size, "sha512": self.sha512}

    @classmethod
    def of(cls, value: Any) -> Self:
        fields = reading.members(value, ("path", "size", "sha512"), "a file of the backup")
        path = reading.text(fields["path"], "path", most=4096)
        parts = path.split("/")
        if not all(_PART.fullmatch(part) and part not in (".", "..") for part in parts):
            raise MalformedDocumentError(f"the backup names a file {path[:80]!a}")
        return cls(
            path, reading.integer(fields["size"], "size"), reading.hex_bytes(fields["sha512"], "sha512", 64).hex()
        )


@dataclass(frozen=True, slots=True)
class Manifest:
    """The table of contents. `made` is when, in UTC; `marks` where the catalogue ended; `named` are addresses of
    secrets that are somewhere else, `left_out` what lay in the home and was not taken, with the reason."""

    made: str
    program: str
    name: str
    files: tuple[Member, ...]
    catalogue: Member
    marks: dict[str, Any]
    named: tuple[str, ...]
    left_out: tuple[str, ...]

    def to_bytes(self) -> bytes:
        return canonical.write(
            {
                "format": FORMAT,
                "made": self.made,
                "program": self.program,
                "name": self.name,
                "files": [one.to_json() for one in self.files],
                "catalogue": self.catalogue.to_json(),
                "marks": self.marks,
                "named": list(self.named),
                "left_out": list(self.left_out),
            }
        )

    @classmethod
    def parse(cls, data: bytes) -> Self:
        """Raises `MalformedDocumentError`."""
        value = reading.members(canonical.read_canonical(data, max_bytes=MAX_MANIFEST), _MEMBERS, "the backup")
        reading.formatted(value["format"], FORMAT)
        files = tuple(Member.of(one) for one in reading.items(value["files"], "files", most=MAX_FILES))
        catalogue = Member.of(value["catalogue"])
        if catalogue.path != CATALOGUE or not all(one.path.startswith(HOME) for one in files):
            raise MalformedDocumentError("the backup's files do not lie where they belong")
        if len({one.path for one in files}) != len(files):
            raise MalformedDocumentError("the backup names a file twice")
        marks = value["marks"]
        if not isinstance(marks, dict):
            raise MalformedDocumentError("the backup's marks are no object")
        return cls(
            made=reading.text(value["made"], "made", most=64),
            program=reading.text(value["program"], "program", most=64),
            name=reading.text(value["name"], "name", most=1024),
            files=files,
            catalogue=catalogue,
            marks=marks,
            named=tuple(
                reading.text(one, "named", most=1024) for one in reading.items(value["named"], "named", most=1000)
            ),
            left_out=tuple(
                reading.text(one, "left_out", most=8192)
                for one in reading.items(value["left_out"], "left_out", most=MAX_FILES)
            ),
        )
