"""What is sent: files, objects, and bodies that can be sent once more.

Rules kept here
 * A body knows its length before it is sent, and gives the same bytes each time; memory is one block.
 * Every part carries the SHA-512 of its bytes, so that nothing changed on the way is ever deposited. A file that
   changes while it is sent is refused by the store for that reason.
"""

from __future__ import annotations

import base64
import hashlib
import json
import secrets
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

Source = bytes | Path
"""The bytes of a document, or the file that holds them."""

BLOCK = 256 * 1024


@dataclass(frozen=True, slots=True)
class UploadedFile:
    """A file that was uploaded before (`Client.upload`)."""

    upload: str
    sha512: str | None = None


@dataclass(frozen=True, slots=True)
class NewObject:
    """One of many objects that are to be deposited; `key` is its idempotency key, `files` are by their paths."""

    key: str
    files: Mapping[str, Source | UploadedFile]
    metadata: Mapping[str, Any] | None = None
    profile: str | None = None
    originator: str | None = None

    @property
    def size(self) -> int:
        """Bytes that are sent with it."""
        return sum(size_of(one) for one in self.files.values() if not isinstance(one, UploadedFile))


def size_of(source: Source) -> int:
    return len(source) if isinstance(source, bytes) else source.stat().st_size


def blocks_of(source: Source, start: int = 0, stop: int | None = None) -> Iterator[bytes]:
    """The bytes from `start` to before `stop`; a file that has become shorter raises EOFError."""
    stop = size_of(source) if stop is None else stop
    if isinstance(source, bytes):
        for at in range(start, stop, BLOCK):
            yield source[at : min(at + BLOCK, stop)]
        return
    with source.open("rb") as file:
        file.seek(start)
        left = stop - start
        while left:
            block = file.read(min(BLOCK, left))
            if not block:
                raise EOFError(f"{source} became shorter while it was sent")
            left -= len(block)
            yield block


def sha512_of(source: Source, start: int = 0, stop: int | None = None) -> bytes:
    hasher = hashlib.sha512()
    for block in blocks_of(source, start, stop):
        hasher.update(block)
    return hasher.digest()


@dataclass(frozen=True, slots=True)
class Body:
    """Pieces one after the other: bytes, or a source from a place to another."""

    content_type: str
    pieces: Sequence[tuple[Source, int, int]]

    @property
    def size(self) -> int:
        return sum(stop - start for _, start, stop in self.pieces)

    def blocks(self) -> Iterator[bytes]:
        for source, start, stop in self.pieces:
            yield from blocks_of(source, start, stop)

    @classmethod
    def of_json(cls, value: object) -> Body:
        data = json.dumps(value, ensure_ascii=False).encode()
        return cls("application/json", [(data, 0, len(data))])


class Form:
    """A multipart/form-data body (RFC 7578) in the making."""

    def __init__(self) -> None:
        self._boundary = secrets.token_hex(24)
        self._pieces: list[tuple[Source, int, int]] = []

    def add(self, name: str, source: Source, filename: str | None = None) -> None:
        """A part with its digest (RFC 9530)."""
        digest = base64.b64encode(sha512_of(source)).decode()
        head = f'--{self._boundary}\r\nContent-Disposition: form-data; name="{name}"'
        if filename is not None:
            head += f'; filename="{_quoted(filename)}"'
        self._put(f"{head}\r\nContent-Digest: sha-512=:{digest}:\r\n\r\n".encode())
        self._pieces.append((source, 0, size_of(source)))
        self._put(b"\r\n")

    def body(self) -> Body:
        self._put(f"--{self._boundary}--\r\n".encode())
        return Body(f"multipart/form-data; boundary={self._boundary}", self._pieces)

    def _put(self, data: bytes) -> None:
        self._pieces.append((data, 0, len(data)))


def _quoted(text: str) -> str:
    if "\r" in text or "\n" in text or "\0" in text:
        raise ValueError(f"the path {text!a} cannot be sent")
    return text.replace("\\", "\\\\").replace('"', '\\"')


def metadata_bytes(metadata: Mapping[str, Any] | bytes) -> bytes:
    """Bytes as they are; a mapping as JSON."""
    if isinstance(metadata, bytes):
        return metadata
    return json.dumps(metadata, ensure_ascii=False).encode()


def bulk_form(objects: Sequence[NewObject]) -> Body:
    """The manifest, then the files that it names, in its order."""
    listed: list[dict[str, Any]] = []
    parts: list[tuple[str, Source]] = []
    for number, one in enumerate(objects):
        files: list[dict[str, Any]] = []
        for place, (path, source) in enumerate(one.files.items()):
            if isinstance(source, UploadedFile):
                files.append({"path": path, "upload": source.upload, "sha512": source.sha512})
            else:
                files.append({"path": path, "part": f"{number}.{place}"})
                parts.append((f"{number}.{place}", source))
        described = {"key": one.key, "files": files, "metadata": one.metadata}
        listed.append({**described, "profile": one.profile, "originator": one.originator})
    form = Form()
    form.add("manifest", json.dumps({"objects": listed}, ensure_ascii=False).encode())
    for name, source in parts:
        form.add("file", source, name)
    return form.body()
