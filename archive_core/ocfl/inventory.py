"""The inventory of an OCFL object (OCFL 1.1, 3.5): built, written, read, never changed.

Rules kept here
 * An `Inventory` is good: what breaks a MUST of OCFL cannot become one.
 * It carries the very bytes it was read from or is to be written as; its digest is theirs.
 * Writing is deterministic: the same versions give the same bytes (canonical JSON), so that a
   retried write finds its own work and no difference.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property, lru_cache
from typing import Any

from archive_core.digests import Digest, hash_bytes
from archive_core.errors import InventoryCorruptError, UnknownObjectError
from archive_core.ocfl.inventory_rules import MAX_INVENTORY_BYTES, Reading, read_inventory
from archive_core.ocfl.vocabulary import INVENTORY, version_number

TYPE_1_1 = "https://ocfl.io/1.1/spec/#inventory"
_ENCODER = json.JSONEncoder(sort_keys=True, ensure_ascii=False, separators=(",", ":"))
_SIDECAR = re.compile(rb"([0-9A-Za-z]+)[ \t]+inventory\.json[ \t\r\n]*")


@dataclass(frozen=True)
class VersionBlock:
    """One version: when, why and by whom it was made, and the digest of each logical path."""

    created: str
    state: Mapping[str, str]
    message: str | None = None
    user_name: str | None = None
    user_address: str | None = None

    def to_json(self) -> dict[str, Any]:
        block: dict[str, Any] = {"created": self.created, "state": _by_digest(self.state)}
        if self.message is not None:
            block["message"] = self.message
        if self.user_name is not None:
            address = {} if self.user_address is None else {"address": self.user_address}
            block["user"] = {"name": self.user_name, **address}
        return block


@dataclass(frozen=True)
class Inventory:
    """The history and the present state of one OCFL object.

    `manifest` maps content paths to digests (lower-case hexadecimal, of `digest_algorithm`),
    `versions` maps version directory names, oldest first, to what they hold.
    """

    object_id: str
    manifest: Mapping[str, str]
    versions: Mapping[str, VersionBlock]
    digest_algorithm: str = "sha512"
    content_directory: str = "content"
    document: bytes = field(default=b"", repr=False)

    def __post_init__(self) -> None:
        if not self.document:
            object.__setattr__(self, "document", self._to_bytes())

    @property
    def head(self) -> str:
        """The name of the newest version, such as `v3`."""
        return list(self.versions)[-1]

    @property
    def head_number(self) -> int:
        number = version_number(self.head)
        assert number is not None
        return number

    @cached_property
    def digest(self) -> Digest:
        """The sha512 of the bytes of this inventory, by which a head is compared and replaced."""
        return Digest.of("sha512", self.document)

    @property
    def sidecar_name(self) -> str:
        return f"{INVENTORY}.{self.digest_algorithm}"

    @property
    def sidecar(self) -> bytes:
        """Content of the sidecar file (3.6)."""
        same = self.digest_algorithm == self.digest.algorithm
        digest = self.digest.value if same else hash_bytes(self.digest_algorithm, self.document)
        return f"{digest.hex()} {INVENTORY}\n".encode("ascii")

    def version_name(self, version: int) -> str:
        """The directory name of a version; raises `UnknownObjectError` when there is none."""
        for name in self.versions:
            if version_number(name) == version:
                return name
        raise UnknownObjectError("the object has no such version", object_id=self.object_id, version=version)

    def state(self, version: int) -> Mapping[str, str]:
        """The digest of each logical path in a version."""
        return self.versions[self.version_name(version)].state

    def content_path(self, version: int, logical_path: str) -> str:
        """Where the bytes of a logical path lie, relative to the object root.

        Of several copies with this digest, the one that the version itself brought under this very
        name, else the first. Raises `UnknownObjectError`.
        """
        name = self.version_name(version)
        digest = self.versions[name].state.get(logical_path)
        if digest is None:
            raise UnknownObjectError(
                "the version has no such file", object_id=self.object_id, version=version, path=logical_path
            )
        own = f"{name}/{self.content_directory}/{logical_path}"
        return own if self.manifest.get(own) == digest else self._first_path[digest]

    @cached_property
    def _first_path(self) -> dict[str, str]:
        return {digest: path for path, digest in sorted(self.manifest.items(), reverse=True)}

    @property
    def digests(self) -> frozenset[str]:
        return frozenset(self.manifest.values())

    def _to_bytes(self) -> bytes:
        document: dict[str, Any] = {
            "id": self.object_id,
            "type": TYPE_1_1,
            "digestAlgorithm": self.digest_algorithm,
            "head": self.head,
            "manifest": _by_digest(self.manifest),
            "versions": {name: block.to_json() for name, block in self.versions.items()},
        }
        if self.content_directory != "content":
            document["contentDirectory"] = self.content_directory
        return f"{_ENCODER.encode(document)}\n".encode()

    @classmethod
    def parse(cls, document: bytes, where: str = "") -> Inventory:
        """The inventory in these bytes; raises `InventoryCorruptError` naming the first broken rule.

        Time and memory are bounded: at most 64 MiB are looked at. What holds only together with the
        rest of an object (sidecar, files) is not looked at here. Small ones that were met lately are not
        read again: every file of an object is read by its inventory, and its copies have the same one.
        """
        if len(document) <= _SMALL:
            try:
                return _small(document)
            except InventoryCorruptError:
                pass  # said below, with the place
        return cls._parse(document, where)

    @classmethod
    def _parse(cls, document: bytes, where: str = "") -> Inventory:
        reading = read_inventory(document, where)
        if reading.errors:
            first = reading.errors[0]
            raise InventoryCorruptError(
                f"an inventory is not valid: {first.message} ({first.code})", where=where, code=first.code
            )
        return cls.of_reading(reading, document)

    @classmethod
    def of_reading(cls, reading: Reading, document: bytes) -> Inventory:
        """The inventory that was read without any error."""
        assert not reading.errors
        assert reading.object_id is not None
        assert reading.digest_algorithm is not None
        versions = {name: _block(reading, name) for name in reading.versions}
        return cls(
            reading.object_id,
            reading.manifest,
            versions,
            reading.digest_algorithm,
            reading.content_directory,
            document,
        )


_SMALL = 16 * 1024


@lru_cache(maxsize=512)
def _small(document: bytes) -> Inventory:
    return Inventory._parse(document)


def sidecar_digest(sidecar: bytes) -> str | None:
    """The digest in a sidecar file, in lower case, or None when it has not the form of 3.6.

    Case does not matter, but no program mixes it: mixed case is a changed byte and stays as it is,
    equal to no digest.
    """
    match = _SIDECAR.fullmatch(sidecar) if len(sidecar) <= 4096 else None
    if match is None:
        return None
    text = match[1].decode("ascii")
    return text.lower() if text == text.upper() else text


def _block(reading: Reading, name: str) -> VersionBlock:
    block = reading.blocks[name]
    user = block.get("user") or {}
    return VersionBlock(
        block["created"], reading.states[name], block.get("message"), user.get("name"), user.get("address")
    )


def _by_digest(paths: Mapping[str, str]) -> dict[str, list[str]]:
    grouped: dict[str, list[str]] = {}
    for path in sorted(paths):
        grouped.setdefault(paths[path], []).append(path)
    return grouped


__all__ = ["MAX_INVENTORY_BYTES", "TYPE_1_1", "Inventory", "VersionBlock", "sidecar_digest"]
