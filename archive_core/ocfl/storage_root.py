"""An OCFL 1.1 storage root on a store: objects written, found and read back.

Rules kept here
 * Order of a version: its inventory is put first, under a name that only one writer can take (the
   claim); then content, declaration and sidecar; all of it durable before the head is replaced. A
   version counts only when the root inventory names it. A loser of the claim has stored nothing.
 * Everything written follows from the package alone, so a retry finds its own work and succeeds.
 * Nothing is handed out that was not compared with its digest, and no digest is believed that does
   not come from an inventory which its sidecar (or its twin in the newest version) confirms.
 * Only the verbs of `ObjectStore` are used; no directory is assumed to exist.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import BinaryIO, cast

from archive_core.digests import CHUNK, Digest, hash_bytes
from archive_core.errors import (
    AlreadyExistsError,
    FixityError,
    InventoryCorruptError,
    SettingsError,
    SizeLimitError,
    StoreUnavailableError,
    UnknownObjectError,
    UsageError,
)
from archive_core.findings import Finding
from archive_core.ocfl.inventory import MAX_INVENTORY_BYTES, Inventory, sidecar_digest
from archive_core.ocfl.layout import CONFIG_KEY, LAYOUT_KEY, HashAndIdLayout
from archive_core.ocfl.package import ArchivalPackage
from archive_core.ocfl.reading import VerifyingStream
from archive_core.ocfl.vocabulary import (
    CONTENT_ALGORITHMS,
    INVENTORY,
    OBJECT_DECLARATION,
    is_object_root,
    shown,
    version_number,
)
from archive_core.ports import KnownBytes, NewFile, NewHead, NewObject, ObjectStore

ROOT_DECLARATION = "0=ocfl_1.1"
_SMALL = 64 * 1024
MAX_DEPTH = 40


def none_passed(path: str) -> bool:
    """No path is passed over."""
    return False


class StorageRoot:
    """The OCFL storage root that a store holds."""

    def __init__(self, store: ObjectStore, layout: HashAndIdLayout | None = None) -> None:
        """`layout` is for a root that is yet to be made; an existing one says its own."""
        self.store = store
        self._wanted = layout or HashAndIdLayout()
        self._found: HashAndIdLayout | None = None

    # -- the root itself ------------------------------------------------------------------------

    def initialise(self) -> None:
        """Make the store an OCFL 1.1 storage root, or find that it is ours already.

        Raises `SettingsError` when something else lies there: another layout or version of OCFL,
        or files that are no storage root.
        """
        if self.store.stat(ROOT_DECLARATION) is not None:
            self._found = self._read_layout()
            return
        ours = {LAYOUT_KEY, "extensions/", ROOT_DECLARATION}
        if foreign := [name for name in self.store.children() if name not in ours]:
            raise SettingsError(
                "the place of a new store is not empty", store=self.store.name, found=", ".join(foreign[:5])
            )
        # The declaration is last: a root that has it has everything.
        contents = [
            (CONFIG_KEY, self._wanted.config_file()),
            (LAYOUT_KEY, self._wanted.layout_file()),
            (ROOT_DECLARATION, b"ocfl_1.1\n"),
        ]
        try:
            self.store.put_new([new_file(key, data) for key, data in contents])
        except AlreadyExistsError as error:
            raise SettingsError("the place of a new store holds another layout", store=self.store.name) from error
        self._found = self._read_layout()

    @property
    def layout(self) -> HashAndIdLayout:
        """The layout that the root declares; raises `StoreUnavailableError` when the store holds no
        storage root (an unmounted disk looks like that) and `SettingsError` for a foreign one."""
        if self._found is None:
            self.require_declaration()
            self._found = self._read_layout()
        return self._found

    @property
    def known_layout(self) -> HashAndIdLayout | None:
        """The layout, if it was asked for before."""
        return self._found

    def require_declaration(self) -> None:
        if self.store.stat(ROOT_DECLARATION) is None:
            raise StoreUnavailableError(
                "the store holds no OCFL 1.1 storage root; is the right disk there?", store=self.store.name
            )

    def _read_layout(self) -> HashAndIdLayout:
        if self._read_small(ROOT_DECLARATION) != b"ocfl_1.1\n":
            raise SettingsError("the store's root declaration is not that of OCFL 1.1", store=self.store.name)
        return HashAndIdLayout.of_config(self._read_small(CONFIG_KEY))

    def assess_root_files(self) -> list[Finding]:
        """Differences between the root's own files and what this program writes there.

        OCFL lets a root describe itself in any words and ignores unknown files (E087); in a root of
        ours a changed word is a changed byte and a strange file is somebody's mistake.
        """
        ours = {
            ROOT_DECLARATION: b"ocfl_1.1\n",
            LAYOUT_KEY: self.layout.layout_file(),
            CONFIG_KEY: self.layout.config_file(),
        }
        findings = [
            Finding("ROOT_FILE_CHANGED", "not as this program wrote it", self._where(key))
            for key, data in ours.items()
            if self.read_optional(key, _SMALL) != data
        ]
        strange = [name for name in self.store.children() if not name.endswith("/") and name not in ours]
        strange += [entry.key for entry in self.store.list("extensions") if entry.key not in ours]
        findings += [Finding("STRANGE_FILE", "no file of this storage root", self._where(shown(n))) for n in strange]
        return findings

    def object_path(self, object_id: str) -> str:
        """The object root of an id, whether or not there is such an object."""
        return self.layout.object_path(object_id)

    # -- writing --------------------------------------------------------------------------------

    def write_version(self, package: ArchivalPackage) -> Inventory:
        """Store one version; durable and read back when it returns. See `write_versions`."""
        return self.write_versions([package])[0]

    def write_versions(self, packages: Sequence[ArchivalPackage]) -> list[Inventory]:
        """Store one version each of different objects, sharing the durable steps.

        A package that is there already is left alone and counts as success. Raises
        `AlreadyExistsError` when one of the versions was claimed with other content, and
        `ConcurrentChangeError` when an object's head is no longer the package's previous version;
        then none of the heads that failed, and perhaps some others, were replaced.
        """
        if len({package.object_id for package in packages}) != len(packages):
            raise UsageError("two packages of one object cannot be written together")
        self.require_declaration()
        later = [package for package in packages if package.previous is not None]
        if later:
            self.store.put_new([file for package in later for file in self._files_of(package)])
            self.store.replace_heads([self._head_of(package) for package in later])
        if len(later) < len(packages):
            self.store.put_objects(
                [
                    NewObject(list(self._files_of(package)), self._head_of(package))
                    for package in packages
                    if package.previous is None
                ]
            )
        return [package.inventory for package in packages]

    def _files_of(self, package: ArchivalPackage) -> Iterator[NewFile]:
        """The files of a version in the order in which they are to show."""
        root = self.object_path(package.object_id)
        for path, file in package.new_files:
            yield NewFile(f"{root}/{path}", file.source, file.digest, file.size)

    def _head_of(self, package: ArchivalPackage) -> NewHead:
        inventory = package.inventory
        return NewHead(
            self.object_path(package.object_id),
            inventory.document,
            inventory.sidecar,
            inventory.sidecar_name,
            package.previous.digest if package.previous else None,
        )

    # -- crash leftovers --------------------------------------------------------------------------

    def mend(self, object_id: str) -> bool:
        """Rewrite the sidecar of a head whose replacement was interrupted; True when there was need.

        Raises as `read_inventory` does when it is damage and not a leftover.
        """
        inventory = self.read_inventory(object_id)
        if inventory is None:
            return False
        path = self.object_path(object_id)
        found = self.read_optional(f"{path}/{inventory.sidecar_name}", _SMALL)
        if found is not None and sidecar_digest(found) == sidecar_digest(inventory.sidecar):
            return False
        self.store.replace_head(
            path, inventory.document, inventory.sidecar, inventory.sidecar_name, expected=inventory.digest
        )
        return True

    def is_torn(self, object_id: str) -> bool:
        """Whether a head was replaced and its sidecar not yet: that is missing, or the one of the version before. False
        where there is no object or its inventory is damaged."""
        try:
            inventory = self.read_inventory(object_id)
        except (FixityError, InventoryCorruptError):
            return False
        if inventory is None:
            return False
        path = self.object_path(object_id)
        found = self.read_optional(f"{path}/{inventory.sidecar_name}", _SMALL)
        if found is None:
            return True
        before = [name for name in inventory.versions if version_number(name) == inventory.head_number - 1]
        return any(self.read_optional(f"{path}/{name}/{inventory.sidecar_name}", _SMALL) == found for name in before)

    # -- reading ----------------------------------------------------------------------------------

    def has_object(self, object_id: str) -> bool:
        """Whether the object has a root inventory."""
        return self.store.stat(f"{self.object_path(object_id)}/{INVENTORY}") is not None

    def read_inventory(self, object_id: str) -> Inventory | None:
        """The present root inventory, confirmed by its sidecar, or None when there is no object.

        A sidecar that is old or missing is a crash leftover when the newest version directory holds
        the same inventory and its sidecar: then the inventory is good, and `mend` rewrites the
        sidecar. Anything else raises `InventoryCorruptError`.
        """
        path = self.object_path(object_id)
        inventory = self._read_inventory_at(path)
        if inventory is not None and inventory.object_id != object_id:
            raise InventoryCorruptError(
                "an inventory belongs to another object", where=self._where(path), object_id=object_id
            )
        return inventory

    def _read_inventory_at(self, path: str) -> Inventory | None:
        where = self._where(f"{path}/{INVENTORY}")
        document = self.read_optional(f"{path}/{INVENTORY}", MAX_INVENTORY_BYTES)
        if document is None:
            return None
        if self._confirmed(path, document):
            return Inventory.parse(document, where)
        inventory = Inventory.parse(document, where)
        newest = f"{path}/{inventory.head}"
        if self.read_optional(f"{newest}/{INVENTORY}", len(document)) != document:
            raise InventoryCorruptError("an inventory contradicts its sidecar", where=where)
        if not self._confirmed(newest, document):
            raise InventoryCorruptError("an inventory and its twin contradict their sidecars", where=where)
        if self._went_back(path, inventory):
            raise InventoryCorruptError("an inventory is older than its sidecar", where=where)
        return inventory

    def _went_back(self, path: str, inventory: Inventory) -> bool:
        """Whether the sidecar in the object root is that of a version after the inventory's head: no
        crash leaves that, because the inventory is replaced first."""
        stated = self._stated_in(path)
        later = [name.removesuffix("/") for name in self.store.children(path) if name.endswith("/")]
        return stated is not None and any(
            (version_number(name) or 0) > inventory.head_number and self._stated_in(f"{path}/{name}") == stated
            for name in later
        )

    def _stated_in(self, directory: str) -> str | None:
        for algorithm in CONTENT_ALGORITHMS:
            sidecar = self.read_optional(f"{directory}/{INVENTORY}.{algorithm}", _SMALL)
            if sidecar is not None:
                return sidecar_digest(sidecar)
        return None

    def _confirmed(self, directory: str, document: bytes) -> bool:
        """Whether a sidecar in a directory states the digest of this inventory document."""
        for algorithm in CONTENT_ALGORITHMS:
            sidecar = self.read_optional(f"{directory}/{INVENTORY}.{algorithm}", _SMALL)
            if sidecar is not None:
                return sidecar_digest(sidecar) == hash_bytes(algorithm, document).hex()
        return False

    def object_paths(self, prefix: str = "", passed: Callable[[str], bool] = none_passed) -> Iterator[str]:
        """The object roots below a directory of the root, finished or not, in order of their paths, but for
        those that are `passed`: they are not even looked at."""
        return (path for path, _ in self._object_roots(prefix, passed))

    def _object_roots(self, prefix: str, passed: Callable[[str], bool]) -> Iterator[tuple[str, Sequence[str]]]:
        """Object roots with the names of what lies directly in them."""
        waiting = [prefix]
        while waiting:
            directory = waiting.pop()
            if passed(directory):
                continue
            names = self.store.children(directory)
            below = [name.removesuffix("/") for name in names if name.endswith("/")]
            if directory and is_object_root(names):
                yield directory, names
            elif directory.count("/") < MAX_DEPTH:
                skipped = {"extensions"} if not directory else set()
                waiting += [
                    f"{directory}/{name}" if directory else name for name in reversed(below) if name not in skipped
                ]

    def object_ids(self, passed: Callable[[str], bool] = none_passed) -> Iterator[str]:
        """The ids of all objects that have a root inventory, in order of their storage paths.

        The id is what the path spells out; only for an id too long for that its inventory is read.
        An object with a damaged inventory is named like any other, one whose path is `passed` is not.
        """
        for path, names in self._object_roots("", passed):
            if INVENTORY not in names:
                continue
            object_id = self.layout.object_id(path)
            if object_id is None:
                inventory = self._read_inventory_at(path)
                object_id = inventory.object_id if inventory else None
            if object_id is not None:
                yield object_id

    @contextmanager
    def open_file(
        self, object_id: str, version: int, logical_path: str, *, inventory: Inventory | None = None
    ) -> Iterator[BinaryIO]:
        """A file of a version, verified while it is read: see `VerifyingStream`.

        `inventory` saves reading it again. Raises `UnknownObjectError`, `FixityError` (also while
        reading, before the last piece is handed out).
        """
        inventory = inventory or self._require_inventory(object_id)
        key = self.content_key(inventory, version, logical_path)
        digest = inventory.state(version)[logical_path]
        with self.open_verified(key, inventory.digest_algorithm, digest) as stream:
            yield stream

    def content_key(self, inventory: Inventory, version: int, logical_path: str) -> str:
        """The key under which a file of a version lies, for readers that verify in their own way."""
        return f"{self.object_path(inventory.object_id)}/{inventory.content_path(version, logical_path)}"

    @contextmanager
    def open_verified(self, key: str, algorithm: str, digest: str) -> Iterator[BinaryIO]:
        """The file under a key, verified against a hexadecimal digest while it is read."""
        with self.store.open(key) as source:
            yield cast(BinaryIO, VerifyingStream(source, algorithm, digest, self._where(key)))

    def read_file(
        self, object_id: str, version: int, logical_path: str, limit: int, *, inventory: Inventory | None = None
    ) -> bytes:
        """A whole file, verified; raises `SizeLimitError` when it has more than `limit` bytes."""
        pieces, size = [], 0
        with self.open_file(object_id, version, logical_path, inventory=inventory) as stream:
            while piece := stream.read(CHUNK):
                size += len(piece)
                if size > limit:
                    raise SizeLimitError("a stored file is larger than expected here", path=logical_path, limit=limit)
                pieces.append(piece)
        return b"".join(pieces)

    def _require_inventory(self, object_id: str) -> Inventory:
        inventory = self.read_inventory(object_id)
        if inventory is None:
            raise UnknownObjectError("there is no such object in this store", object_id=object_id)
        return inventory

    def _read_small(self, key: str) -> bytes:
        data = self.read_optional(key, _SMALL)
        if data is None:
            raise SettingsError("a storage root lacks one of its files", store=self.store.name, key=key)
        return data

    def read_optional(self, key: str, limit: int) -> bytes | None:
        """The bytes under a key, or None when there is no file; at most one byte over the limit, so
        that what is too long can be told from what is not. Raises `FixityError` for a file of which the device says
        that it cannot be read."""
        try:
            with self.store.open(key) as stream:
                pieces, size = [], 0
                while size <= limit and (piece := stream.read(min(CHUNK, limit + 1 - size))):
                    pieces.append(piece)
                    size += len(piece)
                return b"".join(pieces)
        except UnknownObjectError:
            return None
        except StoreUnavailableError as error:
            if error.of_the_medium:
                raise FixityError(f"{self._where(key)} cannot be read: {error}") from error
            raise

    def _where(self, key: str) -> str:
        return f"{self.store.name}:{key}"


def new_file(key: str, data: bytes) -> NewFile:
    """Bytes at hand as a file for a store."""
    return NewFile(key, KnownBytes(data), Digest.of("sha512", data), len(data))


__all__ = ["OBJECT_DECLARATION", "ROOT_DECLARATION", "StorageRoot", "new_file"]
