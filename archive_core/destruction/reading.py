"""Reads tombstones back from stores, and says whether one is to be obeyed.

Rules kept here
 * A tombstone makes every copy go away, so a forged one must not be obeyed: seal and time-stamp are PASSED as of the
   time-stamp's own time, or the trail, which later statements have sealed, holds the event that commits to it.
 * Whether there is one is asked without reading it: whoever copies objects must not bring back what has one.
"""

from __future__ import annotations

from collections.abc import Iterable

from archive_core.batch import validation_data
from archive_core.catalogue.catalogue import Catalogue
from archive_core.destruction.form import (
    DOCUMENT,
    MAX_DOCUMENT,
    SEAL,
    SEAL_DATA,
    TOKEN,
    TOKEN_DATA,
    Tombstone,
    TombstoneDocument,
    stamped_value,
)
from archive_core.errors import EvidenceBrokenError, MalformedDocumentError, MalformedEvidenceError, UnknownObjectError
from archive_core.evidence.token import parse_token
from archive_core.findings import Verdict
from archive_core.identifiers import object_name, tombstone_object
from archive_core.ocfl.storage_root import StorageRoot
from archive_core.ports import SealValidator, TimestampValidator

MAX_FILE = 8 * 1024**2
"""Bytes of a seal, a token or a piece of validation data."""


def is_tombstoned(roots: Iterable[StorageRoot], poid: str) -> bool:
    """Whether any of these stores holds a tombstone of the object. Raises `UnavailableError`."""
    object_id = tombstone_object(poid)
    return any(root.has_object(object_id) for root in roots)


def read_tombstone(root: StorageRoot, poid: str) -> Tombstone:
    """The tombstone of an object as one store holds it, its parts fitting each other. Raises `UnknownObjectError`,
    `DamageError` or `UnavailableError`."""
    object_id = tombstone_object(poid)
    inventory = root.read_inventory(object_id)
    if inventory is None:
        raise UnknownObjectError(f"{object_id} is not in the store {root.store.name}")
    head = inventory.head_number
    files = {
        path: root.read_file(object_id, head, path, MAX_DOCUMENT if path == DOCUMENT else MAX_FILE, inventory=inventory)
        for path in inventory.state(head)
    }
    try:
        document = TombstoneDocument.parse(files[DOCUMENT])
        info = parse_token(files[TOKEN])
        value = stamped_value(files[SEAL])
    except KeyError as error:
        raise EvidenceBrokenError(f"the tombstone of {poid} lacks {error} in the store {root.store.name}") from error
    except (MalformedDocumentError, MalformedEvidenceError) as error:
        raise EvidenceBrokenError(
            f"the tombstone of {poid} cannot be read in the store {root.store.name}: {error}"
        ) from error
    if document.poid != poid:
        raise EvidenceBrokenError(f"the tombstone of {poid} in the store {root.store.name} is that of another object")
    if (info.imprint_algorithm, info.imprint) != (value.algorithm, value.value):
        raise EvidenceBrokenError(f"the time-stamp of the tombstone of {poid} is not over its seal")
    return Tombstone(
        document=document,
        document_bytes=files[DOCUMENT],
        seal=files[SEAL],
        seal_data=validation_data(SEAL_DATA, files),
        token=files[TOKEN],
        token_data=validation_data(TOKEN_DATA, files),
        gen_time=info.gen_time,
    )


def require_authentic(
    found: Tombstone, *, validator: TimestampValidator, seal_validator: SealValidator, catalogue: Catalogue
) -> None:
    """Raises `EvidenceBrokenError` for a tombstone that is not to be obeyed."""
    if _in_trail(found, catalogue):
        return
    stamp = validator.assess(found.token, at=found.gen_time, data=found.token_data)
    if stamp.verdict is not Verdict.PASSED:
        raise EvidenceBrokenError(
            f"the tombstone of {found.document.poid} is not obeyed: its time-stamp is {stamp.verdict}: {stamp.message}"
        )
    seal = seal_validator.assess_seal(found.seal, found.document_bytes, at=found.gen_time, data=found.seal_data)
    if seal.verdict is not Verdict.PASSED:
        raise EvidenceBrokenError(
            f"the tombstone of {found.document.poid} is not obeyed: its seal is {seal.verdict}: {seal.message}"
        )


def _in_trail(found: Tombstone, catalogue: Catalogue) -> bool:
    """Whether the trail, as far as it is in segments, holds the event of this very document."""
    wanted = found.event
    commitment = wanted.commitment.hex() if wanted.commitment else None
    events = catalogue.events_about(object_name(found.document.object_id))
    return any(
        row.event_id == wanted.event_id and row.commitment == commitment and row.seq is not None for row in events
    )
