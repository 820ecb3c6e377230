"""Adopting what an interrupted deposit left, by the everyday path.

Rules kept here
 * A version that one store holds whole is written to the others and entered, as its deposit would
   have done: nobody was told of it, but nothing is lost by keeping it.
 * A version that no store holds whole was acknowledged to nobody and is cleared.
 * The catalogue is asked before and after under the rules of commit A, so that a deposit that is still
   going on ends in the same place.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from archive_core.catalogue.catalogue import Catalogue
from archive_core.catalogue.rows import Claim
from archive_core.errors import ConcurrentChangeError, DamageError, UnavailableError, UnknownObjectError
from archive_core.identifiers import storage_object_for
from archive_core.ocfl import leftovers
from archive_core.ocfl.storage_root import StorageRoot
from archive_core.rebuild import read_object
from archive_core.replication import Copies

GRACE = timedelta(minutes=15)
"""How long after it was received an unfinished deposit is left alone: it may still be going on."""


@dataclass(frozen=True, slots=True)
class Adopted:
    poid: str
    versions: tuple[int, ...]
    copied_to: tuple[str, ...]


class Recovery:
    """Completes preservation objects that the catalogue or a store does not know whole."""

    def __init__(self, *, catalogue: Catalogue, copies: Copies) -> None:
        self._catalogue = catalogue
        self._copies = copies

    def adopt(self, poid: str, object_id: str) -> Adopted:
        """Bring an object to every store and into the catalogue, from the copy with most versions.

        Raises `UnknownObjectError` when no store has a readable copy and `ConcurrentChangeError`
        when two stores, or store and catalogue, contradict each other.
        """
        source = self._most_complete(object_id)
        entries = read_object(source, poid)
        copied = self._copies.spread(object_id, source)
        for root in self._copies.present(object_id):
            root.mend(object_id)  # once it is acknowledged, a sidecar that was not replaced is damage
        self._catalogue.enter_versions(entries)
        return Adopted(poid, tuple(row.version for row, _, _ in entries), tuple(copied))

    def _most_complete(self, object_id: str) -> StorageRoot:
        best: tuple[int, StorageRoot] | None = None
        for root in self._copies.roots:
            try:
                inventory = root.read_inventory(object_id)
            except DamageError:
                continue
            if inventory and (best is None or inventory.head_number > best[0]):
                best = (inventory.head_number, root)
        if best is None:
            raise UnknownObjectError(f"no store has a readable copy of {object_id}")
        return best[1]

    def settle_claims(self, *, at: datetime) -> list[str]:
        """End claims whose process is gone: adopt what a store holds, forget what none does.

        Returns a sentence for each; claims younger than `GRACE` are left to their process, and one that
        cannot be settled for now, because a store is away or damaged, stays and stops no other."""
        told = []
        for claim in self._catalogue.open_claims(at - GRACE):
            try:
                told.append(f"{claim.poid} v{claim.version} {self._settle(claim)}")
            except (UnavailableError, DamageError) as error:
                told.append(f"{claim.poid} v{claim.version} cannot be settled yet: {error}")
        return told

    def _settle(self, claim: Claim) -> str:
        object_id = storage_object_for(claim.poid)
        try:
            if self._is_held(object_id, claim.version):
                self.adopt(claim.poid, object_id)
                return "was stored but not entered: adopted"
        except ConcurrentChangeError:
            return "was entered meanwhile"
        if self._catalogue.abandon_claim(claim):
            return "was claimed but never stored: claim dropped"
        return "was entered meanwhile"

    def _is_held(self, object_id: str, version: int) -> bool:
        """Whether a store holds that version whole. A store that does not answer may hold it: its
        `UnavailableError` passes, and the claim stays."""
        for root in self._copies.roots:
            leftovers.adopt(root, object_id)
            inventory = root.read_inventory(object_id)
            if inventory is not None and inventory.head_number >= version:
                return True
        return False
