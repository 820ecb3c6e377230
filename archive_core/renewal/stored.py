"""Reads renewal objects back, from the first good copy, and checks that they hold together.

Rules kept here
 * renewal.json names the digests of what it speaks of, and the catalogue that of renewal.json: a copy that
   is sound in itself and another renewal is a damaged copy, and the next one is read.
 * The token of a renewal is over the root of its tree, or the copy is damaged.
 * Completed tokens are read one by one, each compared with the digest under which it is covered, so that a
   renewal over a hundred thousand tokens does not have to be in memory.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from threading import Lock

from archive_core.batch import BatchLine, validation_data
from archive_core.catalogue.catalogue import Catalogue
from archive_core.catalogue.rows import RenewalRow
from archive_core.digests import Digest, hash_bytes
from archive_core.errors import EvidenceBrokenError, MalformedDocumentError, MalformedEvidenceError, UnknownObjectError
from archive_core.evidence.hash_tree import HashTree
from archive_core.evidence.token import parse_token
from archive_core.identifiers import RENEWAL, object_name, system_object
from archive_core.ocfl.inventory import Inventory
from archive_core.ocfl.storage_root import StorageRoot
from archive_core.ports import ValidationData
from archive_core.renewal import form
from archive_core.renewal.form import Abandoned, Covered, DroppedOut, Members, RenewalDocument
from archive_core.replication import Copies, DamageListener

MAX_FILE = 4 * 1024**3
"""Bytes of one file of a renewal."""

SHELF_BYTES = 256 * 1024**2
"""Bytes of renewals kept in memory between two derivations."""


@dataclass(frozen=True)
class StoredRenewal:
    """A renewal as the stores hold it; `token` is None until it is stamped. `covered_data` is validation
    data of what it covers, `token_data` of its own token. `content_paths` maps logical to content paths."""

    document: RenewalDocument
    document_bytes: bytes
    line: BatchLine
    covers: tuple[Covered, ...]
    tree: HashTree
    members: Members | None
    dropped: tuple[DroppedOut, ...]
    covered_data: ValidationData
    token: bytes | None
    token_data: ValidationData
    abandoned: Abandoned | None
    ocfl_version: int
    content_paths: dict[str, str]

    @property
    def number(self) -> int:
        return self.document.number

    @property
    def object_id(self) -> str:
        return system_object(RENEWAL, self.number)

    @property
    def name(self) -> str:
        """The name by which other renewals refer to this one."""
        return object_name(self.object_id)

    @property
    def root(self) -> Digest:
        """What the time-stamp is over."""
        return Digest(self.document.digest, self.tree.root)

    @cached_property
    def _places(self) -> dict[str | int, int]:
        return {
            covered.head if covered.batch is None else covered.batch: place for place, covered in enumerate(self.covers)
        }

    @cached_property
    def _starts(self) -> list[int]:
        starts, total = [], 0
        for covered in self.covers:
            starts.append(total)
            total += covered.leaves or 0
        return starts

    def place_of(self, what: str | int) -> int | None:
        """Which line of covers.txt is about an object (time-stamp renewal) or a batch (hash-tree renewal)."""
        return self._places.get(what)

    def data_object(self, place: int, leaf: int) -> int:
        """The number, among all of a hash-tree renewal, of data object `leaf` of the batch in that line."""
        return self._starts[place] + leaf

    @property
    def weight(self) -> int:
        """About how many bytes this takes in memory."""
        values = len(self.members.values) + 8 * len(self.members.counts) if self.members else 0
        return 400 * len(self.covers) + 2 * self.document.leaf_count * len(self.tree.root) + values


def read_renewal_from(root: StorageRoot, number: int) -> StoredRenewal:
    """The renewal as one store holds it; raises `UnknownObjectError` or `DamageError`."""
    object_id = system_object(RENEWAL, number)
    inventory = root.read_inventory(object_id)
    if inventory is None:
        raise UnknownObjectError(f"renewal {number} is not in the store {root.store.name}")
    return _Reader(root, inventory, number).read()


class _Reader:
    """One object of one store, taken apart."""

    def __init__(self, root: StorageRoot, inventory: Inventory, number: int) -> None:
        self._root = root
        self._inventory = inventory
        self._number = number
        self._head = inventory.head_number
        self._state = inventory.state(self._head)

    def read(self) -> StoredRenewal:
        try:
            return self._read()
        except KeyError as error:
            raise self._broken(f"it lacks {error}") from error
        except (MalformedDocumentError, MalformedEvidenceError) as error:
            raise self._broken(str(error)) from error

    def _read(self) -> StoredRenewal:
        document_bytes = self._file(form.DOCUMENT)
        document = RenewalDocument.parse(document_bytes)
        if document.number != self._number:
            raise self._broken("it is another renewal")
        for name, digest in document.files.items():
            if self._state[name] != digest:
                raise self._broken(f"its {name} is another one")
        covers = form.parse_covers(self._file(form.COVERS), document.kind)
        members: Members | None = None
        dropped: tuple[DroppedOut, ...] = ()
        if document.kind == form.HASH_TREE:
            members = Members.parse(document.digest, self._file(form.COUNTS), self._file(form.MEMBERS))
            dropped = form.parse_dropped(self._file(form.DROPPED))
        tree = HashTree.from_bytes(document.digest, document.leaf_count, self._file(form.TREE))
        self._verify(document, covers, tree, members)
        if members is not None and len(dropped) != members.counts.count(0):
            raise self._broken("its list of what dropped out is another renewal's")
        folders = {path: self._file(path) for path in self._state if "/" in path}
        token = self._file(form.TOKEN) if form.TOKEN in self._state else None
        noted = Abandoned.parse(self._file(form.ABANDONED)) if form.ABANDONED in self._state else None
        found = StoredRenewal(
            document=document,
            document_bytes=document_bytes,
            line=BatchLine.parse(self._file(form.LINE)),
            covers=covers,
            tree=tree,
            members=members,
            dropped=dropped,
            covered_data=validation_data(form.COVERED_DATA, folders),
            token=token,
            token_data=validation_data(form.TOKEN_DATA, folders),
            abandoned=noted,
            ocfl_version=self._head,
            content_paths={path: self._inventory.content_path(self._head, path) for path in self._state},
        )
        if token is not None:
            info = parse_token(token)
            if (info.imprint_algorithm, info.imprint) != (document.digest, document.root):
                raise self._broken("its time-stamp is over something else")
        return found

    def _verify(
        self, document: RenewalDocument, covers: tuple[Covered, ...], tree: HashTree, members: Members | None
    ) -> None:
        if len(covers) != document.covers or tree.root != document.root:
            raise self._broken("its tree or its list is not the one that it names")
        if members is None and document.leaf_count != len(covers):
            raise self._broken("its tree has another number of leaves than it covers tokens")
        if members is not None:
            listed = sum(covered.leaves or 0 for covered in covers)
            if listed != len(members.counts) or members.leaf_count != document.leaf_count:
                raise self._broken("its data objects are not those that it counts")

    def _file(self, path: str) -> bytes:
        if path not in self._state:
            raise KeyError(path)
        return self._root.read_file(self._inventory.object_id, self._head, path, MAX_FILE, inventory=self._inventory)

    def _broken(self, why: str) -> EvidenceBrokenError:
        return EvidenceBrokenError(f"renewal {self._number} in the store {self._root.store.name}: {why}")


class Shelf:
    """Renewals on demand: the last ones stay at hand."""

    def __init__(self, *, catalogue: Catalogue, copies: Copies, on_damage: DamageListener) -> None:
        self._catalogue = catalogue
        self._copies = copies
        self._on_damage = on_damage
        self._lock = Lock()
        self._held: OrderedDict[int, StoredRenewal] = OrderedDict()

    def renewal(self, number: int) -> StoredRenewal:
        """A stamped renewal; raises `DamageError` when no copy is good."""
        with self._lock:
            if number in self._held:
                self._held.move_to_end(number)
                return self._held[number]
        found = self.read(self._catalogue.renewal(number))
        if found.token is None:
            raise EvidenceBrokenError(f"renewal {number} is not stamped")
        with self._lock:
            self._held[number] = found
            while len(self._held) > 1 and sum(one.weight for one in self._held.values()) > SHELF_BYTES:
                self._held.popitem(last=False)
        return found

    def read(self, row: RenewalRow) -> StoredRenewal:
        """A renewal that the catalogue knows, from the first store that holds what the catalogue says."""

        def reader(root: StorageRoot) -> StoredRenewal:
            found = read_renewal_from(root, row.number)
            verify_known(found, row, root.store.name)
            return found

        return self._copies.read_acknowledged(f"renewal {row.number}", reader, self._on_damage)

    def octets(self, renewal: StoredRenewal, covered: Covered, held: bytes) -> bytes:
        """The final octets of a covered token: completed ones from the renewal, else `held` as its object
        has it. Raises `EvidenceBrokenError` when they are not those that are covered."""
        if covered.place is None:
            if hash_bytes("sha512", held).hex() != covered.sha512:
                raise EvidenceBrokenError(f"renewal {renewal.number} covers another token of {covered.head}")
            return held
        offset, length = covered.place

        def reader(root: StorageRoot) -> bytes:
            key = f"{root.object_path(renewal.object_id)}/{renewal.content_paths[form.TOKENS]}"
            with root.store.open(key) as stream:
                stream.seek(offset)
                found = stream.read(length)
            if hash_bytes("sha512", found).hex() != covered.sha512:
                raise EvidenceBrokenError(f"{form.TOKENS} of renewal {renewal.number} is damaged at {offset}")
            return found

        return self._copies.read_acknowledged(f"renewal {renewal.number} {form.TOKENS}", reader, self._on_damage)

    def forget(self) -> None:
        """Read every renewal from the stores again."""
        with self._lock:
            self._held.clear()


def verify_known(found: StoredRenewal, row: RenewalRow, store: str) -> None:
    """Raises `EvidenceBrokenError` when a copy is not the renewal that the catalogue knows."""
    if Digest.of("sha512", found.document_bytes).hex != row.document_digest:
        raise EvidenceBrokenError(f"renewal {row.number} is another one in the store {store}")
    if row.token_digest is not None:
        if found.token is None:
            raise UnknownObjectError(f"the store {store} holds renewal {row.number} without its time-stamp")
        if Digest.of("sha512", found.token).hex != row.token_digest:
            raise EvidenceBrokenError(f"renewal {row.number} has another time-stamp in the store {store}")


def renewal_row(found: StoredRenewal) -> RenewalRow:
    """The catalogue's row of a renewal that is not stamped yet: nothing in it that the stores do not say."""
    document = found.document
    return RenewalRow(
        number=document.number,
        storage_object=found.object_id,
        kind=document.kind,
        line=document.line,
        digest=document.digest,
        tsa=found.line.tsa,
        formed_at=document.time,
        covers=document.covers,
        leaf_count=document.leaf_count,
        document_digest=Digest.of("sha512", found.document_bytes).hex,
        files=dict(document.files),
        abandoned=found.abandoned.reason if found.abandoned else None,
    )


def numbers_of(names: Iterable[str]) -> list[int]:
    """The numbers of objects by their names (`ba0000000012` gives 12)."""
    return [int(name[2:]) for name in names]
