"""What an interrupted write of a system object left: finished on every store, or cleared from all.

Rules kept here
 * Only for objects that are written under a lease, and only by who holds it: a write that is going on
   looks just like one that was interrupted.
 * A version that one store holds whole is spread to all, because somebody may rely on it; what no store
   holds whole was acknowledged to nobody and is cleared, so that its number can be used again.
 * When nothing was interrupted, nothing is written and no content is read.
 * Before anything is removed from a store the lease is renewed: a process that slept meanwhile does not remove what its
   successor has written.
"""

from __future__ import annotations

from collections.abc import Callable

from archive_core.errors import ConcurrentChangeError
from archive_core.ocfl import leftovers
from archive_core.ocfl.inventory import Inventory
from archive_core.ocfl.storage_root import StorageRoot
from archive_core.ocfl.vocabulary import INVENTORY
from archive_core.replication import Copies


def settle(copies: Copies, object_id: str, renew: Callable[[], None]) -> tuple[StorageRoot | None, list[str]]:
    """Bring every store to the newest version of an object that any of them holds whole. `renew` raises when the lease
    was lost.

    Returns a store that holds it (None when there is no such object now) and the names of the stores
    that were written to. Raises `UnavailableError` when a store does not answer, `DamageError` when one
    holds a broken inventory, and `ConcurrentChangeError` when two hold different objects.
    """
    heads: dict[StorageRoot, Inventory] = {}
    roots = copies.present(object_id)
    for root in roots:
        leftovers.adopt(root, object_id)
        leftovers.clear_unfinished(root, object_id, renew)
        root.mend(object_id)
        if inventory := root.read_inventory(object_id):
            heads[root] = inventory
    if not heads:
        return None, []
    source = max(heads, key=lambda root: heads[root].head_number)
    same = [root for root in heads if heads[root].head_number == heads[source].head_number]
    if any(heads[root].document != heads[source].document for root in same):
        raise ConcurrentChangeError("two stores hold different objects under one id", object_id=object_id)
    return source, copies.spread(object_id, source) if len(same) < len(roots) else []


def discard(copies: Copies, object_id: str, renew: Callable[[], None]) -> bool:
    """Remove an object of which nobody was told, whole or not, from every store; True when there was one.

    Its root inventory goes first, so that what an interruption leaves is a leftover again."""
    found = False
    for root in copies.present(object_id):
        path = root.object_path(object_id)
        keys = sorted((entry.key for entry in root.store.list(path)), key=lambda key: key != f"{path}/{INVENTORY}")
        if keys:
            renew()
            root.store.remove(keys)
            found = True
    return found
