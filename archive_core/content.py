"""The bytes of stored versions: from a catalogue row to a verified stream out of the best copy.

Rules kept here
 * Where a file lies is read from the object's inventory, what it must be from the catalogue's digest
   of commit A; the two must agree before a byte is read.
 * Damage met on the way is told to `on_damage` once, and the reader is served from another copy.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

from archive_core.admission import CHUNKS, CONTENT_DIGEST, DATA
from archive_core.catalogue.catalogue import Catalogue
from archive_core.catalogue.rows import FileRow, VersionRow
from archive_core.digests import Digest
from archive_core.errors import ArchiveError, FixityError, ObjectDestroyedError, UnknownObjectError
from archive_core.measure import CHUNK_SIZE, MAX_CHUNK_LIST_BYTES, ChunkList
from archive_core.ocfl.inventory import Inventory
from archive_core.ocfl.storage_root import StorageRoot
from archive_core.packaging import read_description
from archive_core.replication import Copies, DamageListener
from archive_core.streaming import ReadPlan, plan_pieces, stream


def require_living(row: VersionRow) -> None:
    """Raises `ObjectDestroyedError` for a version of an object that was destroyed."""
    if row.destroyed:
        raise ObjectDestroyedError(f"{row.poid} was destroyed: `trusted-archive show` says when and why", poid=row.poid)


class Content:
    """Reading of deposited files and descriptions."""

    def __init__(self, *, catalogue: Catalogue, copies: Copies, on_damage: DamageListener) -> None:
        self._catalogue = catalogue
        self._copies = copies
        self._on_damage = on_damage

    def find(self, row: VersionRow, path: str) -> FileRow:
        """A file of a version by its logical path or, for a document, by the depositor's path."""
        return self._catalogue.file(row.poid, row.version, path, DATA + path)

    def description(self, row: VersionRow) -> bytes:
        """The verified bytes of a version's description. Raises `ObjectDestroyedError` for one that is gone."""
        require_living(row)
        return read_description(self._copies, row, self._on_damage)[1]

    def stream(self, row: VersionRow, path: str, *, start: int = 0, stop: int | None = None) -> Iterator[bytes]:
        """The verified bytes of a file, or of a range of it, as chunks of at most 4 MiB."""
        return self.stream_file(row, self.find(row, path), start=start, stop=stop)

    def stream_file(
        self,
        row: VersionRow,
        file: FileRow,
        *,
        start: int = 0,
        stop: int | None = None,
        met: Callable[[str], None] | None = None,
    ) -> Iterator[bytes]:
        """As `stream`, for a file that was found already. Raises `ObjectDestroyedError` for one that is gone. `met` is
        told the name of each store whose copy was found damaged on the way, when that is met."""
        return self.of(row).stream(file, start=start, stop=stop, met=met)

    def of(self, row: VersionRow) -> VersionContent:
        """For whoever reads several files of a version."""
        return VersionContent(row, self._catalogue, self._copies, self._on_damage)


class VersionContent:
    """The files of one version, read one after the other. Where they lie does not change while that is done, so that
    each store's inventory is read once for all of them."""

    def __init__(self, row: VersionRow, catalogue: Catalogue, copies: Copies, on_damage: DamageListener) -> None:
        self._row = row
        self._catalogue = catalogue
        self._copies = copies
        self._on_damage = on_damage
        self._inventories: dict[str, Inventory] = {}

    def stream(
        self, file: FileRow, *, start: int = 0, stop: int | None = None, met: Callable[[str], None] | None = None
    ) -> Iterator[bytes]:
        """See `Content.stream_file`."""
        row = self._row
        require_living(row)

        def damaged(store: str, what: str, error: ArchiveError) -> None:
            if met is not None:
                met(store)
            self._on_damage(store, what, error)

        plan = self._copies.read_acknowledged(
            f"{row.poid} v{row.version} {file.path}", lambda root: self._plan(root, file), damaged
        )
        return stream(plan, self._copies, damaged, start=start, stop=stop)

    def _plan(self, root: StorageRoot, file: FileRow) -> ReadPlan:
        row, inventory = self._row, self._inventory(root)
        if inventory.state(row.ocfl_version).get(file.path) != file.stored_digest:
            raise FixityError(f"the store {root.store.name} has another {file.path} in {row.storage_object}")
        digest = Digest.from_hex(CONTENT_DIGEST, file.content_digest)
        chunk_size, chunks = self._chunks(root, inventory, file)
        return ReadPlan(
            object_id=row.storage_object,
            content_path=inventory.content_path(row.ocfl_version, file.path),
            size=file.size,
            digest=digest,
            pieces=plan_pieces(file.size, digest, chunk_size, chunks),
        )

    def _inventory(self, root: StorageRoot) -> Inventory:
        row, name = self._row, root.store.name
        known = self._inventories.get(name)
        if known is not None:
            return known
        inventory = root.read_inventory(row.storage_object)
        if inventory is None:
            raise UnknownObjectError(f"{row.storage_object} is not in the store {name}")
        if inventory.head_number < row.ocfl_version:
            raise FixityError(f"{row.storage_object} v{row.ocfl_version} is missing in the store {name}")
        self._inventories[name] = inventory
        return inventory

    def _chunks(self, root: StorageRoot, inventory: Inventory, file: FileRow) -> tuple[int, tuple[Digest, ...]]:
        """The chunk list of a file, checked against the catalogue; none for a small file."""
        if file.size <= CHUNK_SIZE or not file.path.startswith(DATA):
            return CHUNK_SIZE, ()
        row, listed = self._row, f"{CHUNKS}{file.path.removeprefix(DATA)}.json"
        try:
            expected = self._catalogue.file(row.poid, row.version, listed)
        except UnknownObjectError:
            return CHUNK_SIZE, ()
        if inventory.state(row.ocfl_version).get(listed) != expected.stored_digest:
            raise FixityError(f"the store {root.store.name} has another {listed} in {row.storage_object}")
        data = root.read_file(row.storage_object, row.ocfl_version, listed, MAX_CHUNK_LIST_BYTES, inventory=inventory)
        parsed = ChunkList.parse(data)
        return parsed.chunk_size, parsed.digests
