"""Legal holds where stores keep versions that nobody can delete: on every version of an object, or on none.

Rules kept here
 * What is to be follows from the catalogue each time that a store is asked; nothing is kept in mind between.
 * Only objects that are, or once were, under a hold of ours are touched: somebody else's holds stay as they are.
 * While a lift is not in the trail yet, versions stay held and the debt stays, too.
"""

from __future__ import annotations

from archive_core.catalogue.catalogue import Catalogue
from archive_core.catalogue.holds import HoldState
from archive_core.identifiers import poid_of
from archive_core.ocfl.storage_root import StorageRoot
from archive_core.ports import HoldsObjects


def put_right(catalogue: Catalogue, root: StorageRoot, object_id: str) -> bool:
    """Hold or release an object's versions in a store, as the catalogue says; False when that is not settled yet.
    Raises `StoreUnavailableError`."""
    store, poid = root.store, poid_of(object_id)
    if poid is None or not isinstance(store, HoldsObjects):
        return True
    state = catalogue.hold_state(poid)
    if state is not HoldState.NEVER:
        store.hold_object(root.object_path(object_id), state is not HoldState.LIFTED)
    return state is not HoldState.LIFTING


def looked_at(catalogue: Catalogue, root: StorageRoot, object_id: str) -> bool:
    """Put right what is not as the catalogue says; True when something was not. Raises `StoreUnavailableError`."""
    store, poid = root.store, poid_of(object_id)
    if poid is None or not isinstance(store, HoldsObjects):
        return False
    state = catalogue.hold_state(poid)
    if state is HoldState.NEVER:
        return False
    path, wanted = root.object_path(object_id), state is not HoldState.LIFTED
    if store.is_on_hold(path) is wanted:
        return False
    return store.hold_object(path, wanted) > 0
