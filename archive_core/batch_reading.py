"""Reads a batch object back from the first good copy and checks that it holds together.

Rules kept here
 * What is read is the object's newest version in the store that is asked; a store that is behind
   gives an older one, so the caller says which files it needs.
 * Trees are checked in length and by their root against the sealed statement, not node by node: a
   damaged inner node shows when a record is derived, because its root must meet the token.
 * What the catalogue knows of a batch (`Known`) must be what a copy says. A copy that is sound in itself
   and another batch, or has other tokens, is a damaged copy: the next one is read.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from archive_core.batch import (
    MEMBERS,
    SEAL,
    SEAL_VALIDATION,
    STATEMENT,
    BatchLine,
    FormedBatch,
    line_path,
    line_validation,
    parse_members,
    token_path,
    tree_path,
    validation_data,
)
from archive_core.catalogue.catalogue import Catalogue
from archive_core.digests import Digest
from archive_core.errors import EvidenceBrokenError, MalformedDocumentError, MalformedEvidenceError, UnknownObjectError
from archive_core.evidence.hash_tree import HashTree
from archive_core.evidence.token import parse_token
from archive_core.identifiers import BATCH, system_object
from archive_core.ocfl.inventory import Inventory
from archive_core.ocfl.storage_root import StorageRoot
from archive_core.ports import ValidationData
from archive_core.receipts import Statement
from archive_core.replication import Copies, DamageListener

MAX_BATCH_FILE = 4 * 1024**3
"""Bytes of one file of a batch: a tree over 2^24 leaves has about 2 GiB."""


@dataclass(frozen=True, slots=True)
class StoredBatch:
    """A batch as the stores hold it: tokens and their validation data per stamped line."""

    formed: FormedBatch
    tokens: Mapping[str, bytes]
    token_data: Mapping[str, ValidationData]
    ocfl_version: int
    content_paths: Mapping[str, str]
    """Logical path to content path within the OCFL object, for every file."""

    @property
    def unstamped(self) -> tuple[BatchLine, ...]:
        return tuple(line for line in self.formed.lines if line.line not in self.tokens)

    def with_stamps(self, files: Mapping[str, bytes], inventory: Inventory) -> StoredBatch:
        """This batch in the version of which `inventory` is the newest: it brought the `files` (`stamped_files`)
        and changed nothing else."""
        head = inventory.head_number
        brought = {line.line for line in self.formed.lines if token_path(line.line) in files}
        lines = tuple(
            BatchLine.parse(files[line_path(line.line)]) if line_path(line.line) in files else line
            for line in self.formed.lines
        )
        return replace(
            self,
            formed=replace(self.formed, lines=lines),
            tokens={**self.tokens, **{line: files[token_path(line)] for line in brought}},
            token_data={**self.token_data, **{line: validation_data(line_validation(line), files) for line in brought}},
            ocfl_version=head,
            content_paths={path: inventory.content_path(head, path) for path in inventory.state(head)},
        )


@dataclass(frozen=True, slots=True)
class Known:
    """Digests (sha512, hex) of a batch's statement and, by line, of its initial tokens."""

    statement: str
    tokens: Mapping[str, str] = field(default_factory=dict)

    @classmethod
    def of(cls, catalogue: Catalogue, number: int) -> Known:
        """What the catalogue entered; raises `NotFoundError` when it does not know the batch."""
        initial = {
            stamp.line: stamp.token_digest
            for stamp in catalogue.stamps(number)
            if (stamp.chain, stamp.position) == (0, 0)
        }
        return cls(catalogue.batch(number).statement_digest, initial)

    def verify(self, found: StoredBatch, store: str) -> None:
        """Raises `EvidenceBrokenError` when a copy is of another batch or has other tokens."""
        if Digest.of("sha512", found.formed.statement_bytes).hex != self.statement:
            raise EvidenceBrokenError(f"batch {found.formed.number} is another one in the store {store}")
        for line, digest in self.tokens.items():
            if line in found.tokens and Digest.of("sha512", found.tokens[line]).hex != digest:
                raise EvidenceBrokenError(
                    f"the line {line} of batch {found.formed.number} has another time-stamp in the store {store}"
                )


def read_batch(
    copies: Copies, number: int, on_damage: DamageListener, *, known: Known, stamped: bool = False
) -> StoredBatch:
    """The batch from the first good copy; with `stamped` (it was evidenced) only from one that holds
    every token, and a store that lacks one is damaged.

    Raises `UnknownObjectError`, `FixityError` or `UnavailableError` as `Copies.read` does.
    """

    def reader(root: StorageRoot) -> StoredBatch:
        found = read_batch_from(root, number)
        known.verify(found, root.store.name)
        if stamped and found.unstamped:
            raise UnknownObjectError(f"the store {root.store.name} holds batch {number} without its time-stamps")
        if stamped:
            verify_stamped_roots(found, root.store.name)
        return found

    read = copies.read_acknowledged if stamped else copies.read
    return read(f"batch {number}", reader, on_damage)


def read_batch_from(root: StorageRoot, number: int) -> StoredBatch:
    """The batch as one store holds it."""
    object_id = system_object(BATCH, number)
    inventory = root.read_inventory(object_id)
    if inventory is None:
        raise UnknownObjectError(f"batch {number} is not in the store {root.store.name}")
    head = inventory.head_number
    files = {path: root.read_file(object_id, head, path, MAX_BATCH_FILE) for path in sorted(inventory.state(head))}
    try:
        statement = Statement.parse(files[STATEMENT])
        members = parse_members(files[MEMBERS])
        lines = tuple(BatchLine.parse(files[line_path(name)]) for name in statement.roots)
        trees = {
            line.line: HashTree.from_bytes(line.digest, len(members), files[tree_path(line.line)]) for line in lines
        }
        seal = files[SEAL]
    except KeyError as error:
        raise EvidenceBrokenError(f"batch {number} lacks {error} in the store {root.store.name}") from error
    except (MalformedDocumentError, MalformedEvidenceError) as error:
        raise EvidenceBrokenError(f"batch {number} cannot be read in the store {root.store.name}: {error}") from error
    _verify(number, statement, len(members), lines, trees)
    tokens = {line.line: files[token_path(line.line)] for line in lines if token_path(line.line) in files}
    return StoredBatch(
        formed=FormedBatch(
            number=number,
            members=members,
            lines=lines,
            trees=trees,
            statement_bytes=files[STATEMENT],
            statement=statement,
            seal=seal,
            seal_data=validation_data(SEAL_VALIDATION, files),
        ),
        tokens=tokens,
        token_data={line: validation_data(line_validation(line), files) for line in tokens},
        ocfl_version=head,
        content_paths={path: inventory.content_path(head, path) for path in files},
    )


def _verify(
    number: int,
    statement: Statement,
    member_count: int,
    lines: tuple[BatchLine, ...],
    trees: Mapping[str, HashTree],
) -> None:
    if (statement.batch, statement.leaf_count) != (number, member_count):
        raise EvidenceBrokenError(f"the statement of batch {number} is about another batch")
    for line in lines:
        root = statement.roots[line.line]
        if (root.digest, root.value) != (line.digest, trees[line.line].root):
            raise EvidenceBrokenError(f"the tree of line {line.line} is not the one that batch {number} sealed")


def verify_stamped_roots(batch: StoredBatch, store: str) -> None:
    """Each token is over the root that objects, statement and seal lead to."""
    for line in batch.formed.lines:
        info, root = parse_token(batch.tokens[line.line]), batch.formed.stamped_root(line)
        if (info.imprint_algorithm, info.imprint) != (root.algorithm, root.value):
            raise EvidenceBrokenError(
                f"the line {line.line} of batch {batch.formed.number} does not lead to its time-stamp in store {store}"
            )
