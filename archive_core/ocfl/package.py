"""An archival package: one new version of one OCFL object, complete before anything is written.

Rules kept here
 * A package is deterministic: the same package gives the same keys and bytes on every store and at
   every retry.
 * Each new file lies unchanged under `vN/content/<its logical path>`; what an earlier version
   already holds is not stored again but referred to by its digest.
 * A package that could not become a valid version cannot be made.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from pathlib import Path

from archive_core.digests import Digest
from archive_core.errors import UsageError
from archive_core.findings import utc_text
from archive_core.ocfl.inventory import Inventory, VersionBlock
from archive_core.ocfl.vocabulary import INVENTORY, OBJECT_DECLARATION, conflicts, shown, unsafe_parts
from archive_core.ports import KnownBytes


@dataclass(frozen=True, slots=True)
class PackageFile:
    """A file of a package: its bytes or where they are staged, its sha512 and its size in bytes.

    A file that the previous version holds already may have any source: it is not read.
    """

    source: bytes | Path
    digest: Digest
    size: int

    def __post_init__(self) -> None:
        if self.digest.algorithm != "sha512":
            raise UsageError("content is addressed by sha512", algorithm=self.digest.algorithm)

    @classmethod
    def of(cls, data: bytes) -> PackageFile:
        """A file of which the bytes are at hand."""
        return cls(data, Digest.of("sha512", data), len(data))

    @classmethod
    def unchanged(cls, sha512: str) -> PackageFile:
        """A file that the previous version holds, by its sha512 (hexadecimal); nobody reads it for this."""
        return cls(b"", Digest.from_hex("sha512", sha512), 0)


_DECLARATION = PackageFile.of(KnownBytes(b"ocfl_object_1.1\n"))


@dataclass(frozen=True)
class ArchivalPackage:
    """Version `version` of the object `object_id`; `files` is the complete new state.

    `created` is aware; `user_address` is a URI. `previous` is the inventory of version
    `version - 1`, None for the first. Raises `UsageError` for what OCFL does not allow.
    """

    object_id: str
    version: int
    created: datetime
    message: str
    user_name: str
    user_address: str
    files: Mapping[str, PackageFile]
    previous: Inventory | None = None

    def __post_init__(self) -> None:
        if self.version != (self.previous.head_number + 1 if self.previous else 1):
            raise UsageError("a package makes the version after the previous one", version=self.version)
        if self.previous and self.previous.object_id != self.object_id:
            raise UsageError("the previous inventory is another object's", object_id=self.object_id)
        if self.previous and self.previous.digest_algorithm != "sha512":
            raise UsageError("only objects with sha512 get new versions", object_id=self.object_id)
        if self.created.tzinfo is None:
            raise UsageError("the creation time of a package has no zone")
        if not self.files:
            raise UsageError("a package without files", object_id=self.object_id)
        if not (self.object_id and self.message and self.user_name and ":" in self.user_address):
            raise UsageError("a package needs an id, a message and a user with a URI")
        for path in self.files:
            if not path or path != path.strip("/") or unsafe_parts(path) or "\0" in path:
                raise UsageError("not a logical path", path=shown(path))
        if clash := conflicts(set(self.files)):
            raise UsageError("a logical path is a file and a directory", path=shown(clash[0]))

    @property
    def version_name(self) -> str:
        """As the earlier versions are named, padded or not (E013)."""
        if self.previous and self.previous.head[1] == "0":
            width = len(self.previous.head) - 1
            if len(str(self.version)) >= width:
                raise UsageError("the object's padded version names end here", object_id=self.object_id)
            return f"v{self.version:0{width}d}"
        return f"v{self.version}"

    @cached_property
    def new_content(self) -> dict[str, PackageFile]:
        """The files that must be stored, under their content paths, in code point order."""
        known = self.previous.digests if self.previous else frozenset()
        directory = self.previous.content_directory if self.previous else "content"
        return {
            f"{self.version_name}/{directory}/{path}": file
            for path, file in sorted(self.files.items())
            if file.digest.hex not in known
        }

    @cached_property
    def new_files(self) -> tuple[tuple[str, PackageFile], ...]:
        """Everything that is stored but for the head, under its path in the object and in the order in which it is
        to show: the version's inventory first. Put together once for all stores."""
        inventory, own = self.inventory, self.version_name
        return (
            (
                f"{own}/{INVENTORY}",
                PackageFile(KnownBytes(inventory.document), inventory.digest, len(inventory.document)),
            ),
            *self.new_content.items(),
            *(() if self.previous else ((OBJECT_DECLARATION, _DECLARATION),)),
            (f"{own}/{inventory.sidecar_name}", PackageFile.of(KnownBytes(inventory.sidecar))),
        )

    @cached_property
    def inventory(self) -> Inventory:
        """The inventory of the object with this version."""
        block = VersionBlock(
            utc_text(self.created),
            {path: file.digest.hex for path, file in self.files.items()},
            self.message,
            self.user_name,
            self.user_address,
        )
        manifest = {path: file.digest.hex for path, file in self.new_content.items()}
        if self.previous is None:
            return Inventory(self.object_id, manifest, {self.version_name: block})
        return Inventory(
            self.object_id,
            {**self.previous.manifest, **manifest},
            {**self.previous.versions, self.version_name: block},
            content_directory=self.previous.content_directory,
        )
