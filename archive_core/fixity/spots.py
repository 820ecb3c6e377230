"""Spot checks: random ranges of random files, answered under a nonce that was never used before.

Rules kept here
 * What a store answers is H(nonce ‖ bytes) over bytes that it hands out now; what it must be is computed over bytes
   that were verified against our digests. No checksum that somebody kept or computed before can answer.
 * Drawn fairly: while the objects of a cycle go by, each is as likely to be in the sample as any other.
"""

from __future__ import annotations

import secrets
from collections.abc import Sequence

from archive_core.audit_comparing import code_of
from archive_core.audit_result import AuditEntry
from archive_core.catalogue.catalogue import Catalogue
from archive_core.catalogue.rows import FileRow, VersionRow
from archive_core.content import Content
from archive_core.digests import hash_bytes
from archive_core.errors import ArchiveError, FixityError, UnavailableError
from archive_core.fixity.state import Cycle
from archive_core.ocfl.storage_root import StorageRoot

SPOTS = 8
"""Spot checks in a cycle of a store."""

RANGE = 64 * 1024
"""Bytes of one, at the most."""


def draw(cycle: Cycle, rows: Sequence[VersionRow]) -> None:
    """Give each of these objects its chance; `cycle.counts.objects` is how many had it before."""
    for number, row in enumerate(rows, cycle.counts.objects + 1):
        if len(cycle.sample) < SPOTS:
            cycle.sample.append(row.poid)
        elif (place := secrets.randbelow(number)) < SPOTS:
            cycle.sample[place] = row.poid


def spot_check(root: StorageRoot, catalogue: Catalogue, content: Content, poid: str) -> AuditEntry | None:
    """One random range of one random file of an object's newest version in this store; what is wrong, if anything is,
    also when it is read a second time."""
    row = catalogue.version(poid)
    file = secrets.choice(catalogue.files(row.poid, row.version))
    size = min(file.size, RANGE)
    start = secrets.randbelow(file.size - size + 1)
    nonce = secrets.token_bytes(32)
    try:
        verified = b"".join(content.stream_file(row, file, start=start, stop=start + size))
        wanted = hash_bytes("sha512", nonce, verified)
        if wanted in (_answer(root, row, file, start, size, nonce), _answer(root, row, file, start, size, nonce)):
            return None
        message = f"{file.path} of {poid} v{row.version} is not what was deposited, at byte {start}"
        code = "SPOT_CHECK_FAILED"
    except ArchiveError as error:
        if isinstance(error, UnavailableError):
            root.require_declaration()
        message, code = str(error), code_of(error)
    return AuditEntry(root.store.name, root.object_path(row.storage_object), code, message)


def _answer(root: StorageRoot, row: VersionRow, file: FileRow, start: int, size: int, nonce: bytes) -> bytes:
    """What this store says."""
    inventory = root.read_inventory(row.storage_object)
    if inventory is None:
        raise FixityError(f"{row.storage_object} is not in the store {root.store.name}")
    with root.store.open(root.content_key(inventory, row.ocfl_version, file.path)) as stream:
        stream.seek(start)
        return hash_bytes("sha512", nonce, stream.read(size))
