"""A trail segment as it lies in one store, also where it is damaged: for whoever is to name the damage.

Rules kept here
 * The bytes are handed out as they are, with what the store's own digests say of them. What uses the trail reads it
   through `sequencer`, which hands out nothing that was not compared.
 * A store that does not answer is an error and no finding.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from archive_core.digests import hash_bytes
from archive_core.errors import DamageError, UnknownObjectError
from archive_core.identifiers import TRAIL, TRAIL_DETAIL, system_object
from archive_core.ocfl.inventory import Inventory
from archive_core.ocfl.storage_root import StorageRoot
from archive_core.sequencer import MAX_SEGMENT_BYTES
from archive_core.trail.segments import DETAILS, EVENTS, HEADER, LEAVES, Segment

CONTENT = "sha512"
"""What inventories of ours state digests with."""


@dataclass(frozen=True, slots=True)
class Lying:
    """What lies in a store of a segment. `segment` is None when one of its files is not there; `faults` and
    `detail_faults` say what is wrong with its two objects by their own digests."""

    segment: Segment | None
    faults: tuple[str, ...]
    detail_faults: tuple[str, ...]


def read_lying(root: StorageRoot, number: int) -> Lying:
    """Raises `UnavailableError` when the store cannot be read."""
    files, faults = _files(root, system_object(TRAIL, number), (HEADER, EVENTS, LEAVES))
    sidecar = system_object(TRAIL_DETAIL, number)
    details, detail_faults = _files(root, sidecar, (DETAILS,)) if root.has_object(sidecar) else ([None], [])
    header, events, leaves = files
    segment = None
    if header is not None and events is not None and leaves is not None:
        segment = Segment(header, events, leaves, details[0])
    return Lying(segment, tuple(faults), tuple(detail_faults))


def read_details(root: StorageRoot, number: int) -> bytes | None:
    """The details of a segment as they lie there, None where there are none; raises `UnavailableError`."""
    sidecar = system_object(TRAIL_DETAIL, number)
    return _files(root, sidecar, (DETAILS,))[0][0] if root.has_object(sidecar) else None


def _files(root: StorageRoot, object_id: str, names: Sequence[str]) -> tuple[list[bytes | None], list[str]]:
    faults: list[str] = []
    inventory = _inventory(root, object_id, faults)
    found: list[bytes | None] = []
    for name in names:
        path, digest = f"v1/content/{name}", None
        if inventory is not None:
            try:
                path, digest = inventory.content_path(1, name), inventory.state(1)[name]
            except UnknownObjectError:
                faults.append(f"its inventory names no {name}")
        try:
            data = root.read_optional(f"{root.object_path(object_id)}/{path}", MAX_SEGMENT_BYTES)
        except DamageError as error:
            data = None
            faults.append(str(error))
        else:
            if data is None:
                faults.append(f"{name} is not there")
        if data is not None and digest is not None and hash_bytes(CONTENT, data).hex() != digest:
            faults.append(f"{name} has another digest than its inventory says")
        found.append(data)
    return found, faults


def _inventory(root: StorageRoot, object_id: str, faults: list[str]) -> Inventory | None:
    try:
        inventory = root.read_inventory(object_id)
    except DamageError as error:
        faults.append(str(error))
        return None
    if inventory is None:
        faults.append("its inventory is not there")
    return inventory
