"""Small storage roots and packages for the tests of this folder."""

from collections.abc import Mapping
from datetime import UTC, datetime

from archive_core.ocfl.inventory import Inventory
from archive_core.ocfl.package import ArchivalPackage, PackageFile
from archive_core.ocfl.storage_root import StorageRoot
from storage_backends.memory import MemoryStore

POID = "0199b0c27d3e7aaabbbbccccddddeeee"
OBJECT = f"urn:trusted-archive:{POID}"
WHEN = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
FIRST = {"data/a.txt": b"alpha", "data/b.txt": b"beta", "description.json": b"{}\n"}
SECOND = {"data/a.txt": b"alpha", "data/c.txt": b"gamma", "description.json": b"{2}\n"}


def package(
    files: Mapping[str, bytes] = FIRST,
    *,
    version: int = 1,
    previous: Inventory | None = None,
    object_id: str = OBJECT,
    message: str = "deposit",
) -> ArchivalPackage:
    """A package with these files, made at a fixed time by a fixed user."""
    return ArchivalPackage(
        object_id,
        version,
        WHEN,
        message,
        "trusted-archive",
        "urn:trusted-archive:software",
        {path: PackageFile.of(data) for path, data in files.items()},
        previous,
    )


def new_root(name: str = "store") -> tuple[StorageRoot, MemoryStore]:
    """An initialised storage root in memory."""
    store = MemoryStore(name)
    root = StorageRoot(store)
    root.initialise()
    return root, store


def root_with_two_versions() -> tuple[StorageRoot, MemoryStore]:
    """A storage root with one object of two versions."""
    root, store = new_root()
    first = root.write_version(package())
    root.write_version(package(SECOND, version=2, previous=first, message="update"))
    return root, store
