"""The manifest of a bulk deposit: which objects there are, and where the bytes of their files come from.

    {"objects": [{"key": "2026/1", "metadata": {"a": 1}, "files": [
        {"path": "letter.pdf", "part": "1a", "sha512": "HEX"},
        {"path": "scan.tiff", "upload": "ID of a complete upload"}]}]}

Rules kept here
 * What is wrong with one object is said of that object; only what leaves no list of objects refuses the request.
 * The parts that a refused object named are still known, so that they are passed over when they come.
 * A part is named once, and the parts come in the order in which they are named.
"""

from __future__ import annotations

from dataclasses import dataclass

from api.fields import Fields
from archive_core import canonical
from archive_core.errors import ArchiveError, MalformedDocumentError, UsageError

MAX_MANIFEST = 16 * 1024 * 1024
"""Bytes of a manifest; the metadata of all objects are in it."""
MAX_OBJECTS = 1000
MAX_UPLOADS = 100
"""Resumable uploads that one request may name: each is held open until its object is answered."""
MAX_PART_NAME = 255


@dataclass(frozen=True, slots=True)
class ManifestFile:
    """`part` names a part of the request, or `upload` an upload; one of the two is None."""

    path: str
    part: str | None
    upload: str | None
    sha512: str | None

    @property
    def claims(self) -> dict[str, str]:
        """The digest that the manifest states, if it does, by the algorithm's name."""
        return {"sha512": self.sha512} if self.sha512 else {}


@dataclass(frozen=True, slots=True)
class ManifestObject:
    """One object that is to be deposited, or why it cannot be. `parts` are those that belong to it either way."""

    key: str | None
    parts: tuple[str, ...]
    error: ArchiveError | None = None
    files: tuple[ManifestFile, ...] = ()
    metadata: bytes | None = None
    profile: str | None = None
    originator: str | None = None


def read_manifest(data: bytes) -> tuple[ManifestObject, ...]:
    """What the manifest says, in its order; raises `UsageError` or one of its family."""
    try:
        value = canonical.read(data, max_bytes=MAX_MANIFEST)
    except MalformedDocumentError as error:
        raise UsageError(f"the manifest is not acceptable JSON: {error}") from error
    if not isinstance(value, dict):
        raise UsageError("the manifest must be a JSON object")
    listed = Fields(value, "objects").need("objects", list)
    if not 0 < len(listed) <= MAX_OBJECTS:
        raise UsageError(f"a request deposits 1 to {MAX_OBJECTS} objects")
    reading = _Reading()
    return tuple(reading.entry(one) for one in listed)


class _Reading:
    """What was named so far."""

    def __init__(self) -> None:
        self._parts: set[str] = set()
        self._uploads = 0

    def entry(self, value: object) -> ManifestObject:
        parts, repeated = self._named(value)
        key = value.get("key") if isinstance(value, dict) else None
        told_key = key if isinstance(key, str) else None
        try:
            if repeated is not None:
                raise UsageError(f"the part {repeated[:40]!a} is named twice")
            return self._object(value, parts)
        except ArchiveError as error:
            return ManifestObject(told_key, parts, error)

    def _named(self, value: object) -> tuple[tuple[str, ...], str | None]:
        """The parts that an object names first, however wrong it is otherwise, and one that was named before."""
        files = value.get("files") if isinstance(value, dict) else None
        found: list[str] = []
        repeated: str | None = None
        for file in files if isinstance(files, list) else ():
            name = file.get("part") if isinstance(file, dict) else None
            if not isinstance(name, str):
                continue
            if name in self._parts:
                repeated = name
            else:
                self._parts.add(name)
                found.append(name)
        return tuple(found), repeated

    def _object(self, value: object, parts: tuple[str, ...]) -> ManifestObject:
        if not isinstance(value, dict):
            raise UsageError('an object is written {"key": "KEY", "files": […]}')
        given = Fields(value, "key", "files", "metadata", "profile", "originator")
        key = given.need("key", str)
        files = tuple(self._file(one) for one in given.need("files", list))
        metadata = given.take("metadata", dict)
        return ManifestObject(
            key=key,
            parts=parts,
            files=files,
            metadata=None if metadata is None else canonical.write(metadata),
            profile=given.take("profile", str),
            originator=given.take("originator", str),
        )

    def _file(self, value: object) -> ManifestFile:
        if not isinstance(value, dict):
            raise UsageError('a file is written {"path": "PATH", "part": "NAME"} or with "upload"')
        given = Fields(value, "path", "part", "upload", "sha512")
        path, part, upload = given.need("path", str), given.take("part", str), given.take("upload", str)
        if (part is None) == (upload is None):
            raise UsageError("a file has either a part or an upload")
        if part is not None and not 0 < len(part) <= MAX_PART_NAME:
            raise UsageError(f"the name of a part has 1 to {MAX_PART_NAME} characters")
        if upload is not None:
            self._uploads += 1
            if self._uploads > MAX_UPLOADS:
                raise UsageError(f"one request names at most {MAX_UPLOADS} uploads", limit=MAX_UPLOADS)
        return ManifestFile(path, part, upload, given.sha512("sha512"))
