"""Reads a data object again for a hash-tree renewal (RFC 4998 5.2(2)): the old digest first, then the new.

Rules kept here
 * Every byte is read from a verified copy. What the newest chain says of it is compared with what was read,
   in that chain's own digest: for the first chain the digests of the description, for a later one the values
   h' = H(h || ha) of its renewal. Only then is the new digest worth anything.
 * What does not agree, or has no good copy left, is named and drops out: it is never sealed again.
 * Digests of bytes that others have read (`plain`) are only taken when they are what the newest chain is about;
   nothing drops out because of them.
 * A store that is away is no damage: its error passes, and the batch waits.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Set

from archive_core.admission import CONTENT_DIGEST
from archive_core.batch_reading import StoredBatch
from archive_core.catalogue.rows import VersionRow
from archive_core.content import Content
from archive_core.description import Description
from archive_core.digests import Digest, MultiHasher, hash_bytes
from archive_core.errors import DamageError, EvidenceBrokenError, MalformedDocumentError, UnknownObjectError
from archive_core.evidence.derivation import derive_sequence
from archive_core.evidence.hash_tree import group_leaf, renewed_hash
from archive_core.measure import CHUNK_SIZE
from archive_core.packaging import DESCRIPTION
from archive_core.proofs import version_chains
from archive_core.renewal.chains import Chains, LineEvidence
from archive_core.renewal.journal import Examined, Subject

DESTROYED = "it was destroyed"
"""Why an object that has a tombstone drops out."""


class Examining:
    """The data objects of one line of one batch, read again."""

    def __init__(
        self,
        content: Content,
        batch: StoredBatch,
        line: LineEvidence,
        subject: Subject,
        is_destroyed: Callable[[VersionRow], bool],
    ) -> None:
        """`is_destroyed` says whether a version has been destroyed by now."""
        self._content = content
        self._is_destroyed = is_destroyed
        self._batch = batch
        self._line = line
        self._subject = subject

    def version(self, row: VersionRow, leaf: int) -> Examined:
        """A member of the batch. Raises `UnavailableError` when a store that may hold it is away."""
        if (renewal := self._line.dropped_from(leaf)) is not None:
            return Examined(problem=f"it dropped out of {renewal} already")
        if row.destroyed:
            return Examined(problem=DESTROYED)
        try:
            description = Description.parse(self._content.description(row))
            digests = self._digests(row, description)
            self._verify(description, leaf, digests)
            initial = description.group_digests(self._subject.initial)
        except (DamageError, MalformedDocumentError, UnknownObjectError) as error:
            gone = self._is_destroyed(row)  # while it was read
            return Examined(problem=DESTROYED if gone else str(error)[:1000])
        new = {found[self._subject.new_digest].value for found in digests.values()}
        return Examined(initial, tuple(sorted(new)))

    @property
    def algorithms(self) -> tuple[str, ...]:
        """The digests in which a data object is read."""
        subject = self._subject
        return tuple(sorted({CONTENT_DIGEST, subject.initial, subject.digest, subject.new_digest}))

    def plain(self, leaf: int, files: Mapping[str, Mapping[str, str]]) -> Examined | None:
        """A member whose files were all read, with the digests (hexadecimal) of each; None when they are not
        what the batch and the newest chain are about, or when it has dropped out."""
        if self._line.dropped_from(leaf) is not None:
            return None
        subject, tree = self._subject, self._batch.formed.trees[self._line.line.line]
        initial, now, new = (
            tuple(sorted({bytes.fromhex(digests[name]) for digests in files.values()}))
            for name in (subject.initial, subject.digest, subject.new_digest)
        )
        if group_leaf(subject.initial, initial) != tree.leaf(leaf):
            return None
        if not self._line.later:  # the newest chain is the first, which is about the group as it lies in the tree
            return Examined(initial, new) if now == initial else None
        siblings = (*tree.path(leaf), self._batch.formed.seal_leaf(subject.initial))
        chains = self._line.chains(leaf, initial, siblings)
        return Examined(initial, new) if self._agrees(set(now), chains) else None

    def seal(self) -> Examined:
        """The group of statement and seal, whose bytes were verified when the batch was read."""
        formed = self._batch.formed
        return Examined(formed.seal_group(self._subject.initial), formed.seal_group(self._subject.new_digest))

    def _digests(self, row: VersionRow, description: Description) -> dict[str, Mapping[str, Digest]]:
        """By path, the digests of every file in the newest chain's digest and in the new one."""
        both = {self._subject.digest, self._subject.new_digest}
        whole = self._content.description(row)
        found: dict[str, Mapping[str, Digest]] = {DESCRIPTION: {name: Digest.of(name, whole) for name in both}}
        for file in description.files:
            # The stream has compared a file of one piece with its sha512 as a whole; it is not hashed twice.
            known = self._subject.digest == CONTENT_DIGEST and file.size <= CHUNK_SIZE
            hasher = MultiHasher(sorted(both - {CONTENT_DIGEST} if known else both))
            for piece in self._content.stream(row, file.path):
                hasher.update(piece)
            digests = hasher.digests()
            if known:
                digests[CONTENT_DIGEST] = Digest.from_hex(CONTENT_DIGEST, file.digests[CONTENT_DIGEST])
            found[file.path] = digests
        return found

    def _verify(self, description: Description, leaf: int, digests: Mapping[str, Mapping[str, Digest]]) -> None:
        """Raises `EvidenceBrokenError` unless the newest chain is about these very bytes."""
        digest = self._subject.digest
        held = {found[digest].value for found in digests.values()}
        if not self._agrees(held, version_chains(self._batch, self._line, leaf, description)):
            raise EvidenceBrokenError(
                f"what is stored does not have the {digest} digests that its evidence is about: it is not renewed"
            )

    def _agrees(self, held: Set[bytes], chains: Chains) -> bool:
        """Whether the newest chain is about the documents with these digests."""
        if len(chains) > 1:
            digest = self._subject.digest
            before = _hash_before(digest, chains)
            held = {renewed_hash(digest, value, before) for value in held}
        return held == set(chains[-1][0].first_list)


def _hash_before(digest: str, chains: Chains) -> bytes:
    """`ha` of 5.2(3) for the newest chain."""
    return hash_bytes(digest, derive_sequence(chains[:-1]))
