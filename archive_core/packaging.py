"""AcceptedSubmission to ArchivalPackage: the description is written and the OCFL version assembled.

Rules kept here
 * The description names everything that evidence is about: identity, order, names, sizes, digests
   (design.md 3). It is the last thing made, and what was made is never changed.
 * Everything in a package follows from the accepted files and the description's bytes, down to the
   inventory's `created`. A retry with the same description writes the same bytes and is a no-op.
"""

from __future__ import annotations

import secrets
from datetime import datetime

from archive_core.admission import CONTENT_DIGEST
from archive_core.catalogue.rows import VersionRow
from archive_core.description import MAX_BYTES as MAX_DESCRIPTION_BYTES
from archive_core.description import DescribedFile, Description
from archive_core.digests import Digest
from archive_core.errors import FixityError
from archive_core.identifiers import storage_object_for
from archive_core.lifecycle import AcceptedSubmission
from archive_core.ocfl.inventory import Inventory
from archive_core.ocfl.package import ArchivalPackage, PackageFile
from archive_core.ocfl.storage_root import StorageRoot
from archive_core.ports import KnownBytes
from archive_core.replication import Copies, DamageListener

DESCRIPTION = "description.json"
DEPOSIT, UPDATE, VALIDATION_DATA = "deposit", "update", "validation-data"

_MESSAGES = {
    DEPOSIT: "Deposit",
    UPDATE: "Update: complete new content",
    VALIDATION_DATA: "Validation data: what decides about signatures appeared later",
}
_USER, _USER_ADDRESS = "trusted-archive", "urn:trusted-archive:software"


def describe(
    accepted: AcceptedSubmission,
    *,
    poid: str,
    version: int,
    kind: str,
    predecessor: bytes | None,
    at: datetime,
) -> Description:
    """The description of a new version; `predecessor` is the description of the version before."""
    return Description(
        poid=poid,
        version=version,
        kind=kind,
        originator=accepted.originator,
        profile=accepted.profile.id,
        idempotency_key=accepted.key,
        received=at,
        files=tuple(
            DescribedFile(
                path=file.logical_path,
                role=file.role,
                size=file.size,
                digests={name: digest.hex for name, digest in sorted(file.digests.items())},
            )
            for file in accepted.files
        ),
        predecessor=None if predecessor is None else (version - 1, Digest.of(CONTENT_DIGEST, predecessor).hex),
        nonce=secrets.token_hex(32),
        examined=accepted.examined,
    )


def read_description(copies: Copies, row: VersionRow, on_damage: DamageListener) -> tuple[Description, bytes]:
    """The description of a version from the first good copy, checked against the catalogue's digest.

    Raises `FixityError` when no copy has the bytes that were entered at commit A."""

    def reader(root: StorageRoot) -> bytes:
        data = root.read_file(row.storage_object, row.ocfl_version, DESCRIPTION, MAX_DESCRIPTION_BYTES)
        if Digest.of(CONTENT_DIGEST, data).hex != row.description_digest:
            raise FixityError(
                f"the description of {row.poid} v{row.version} is another one in the store {root.store.name}"
            )
        return data

    data = copies.read_acknowledged(f"{row.poid} v{row.version} {DESCRIPTION}", reader, on_damage)
    return Description.parse(data), data


def assemble(
    accepted: AcceptedSubmission, description: Description, description_bytes: bytes, previous: Inventory | None
) -> ArchivalPackage:
    """The OCFL version that holds the accepted files and their description."""
    files = {
        file.logical_path: PackageFile(file.source, file.digests[CONTENT_DIGEST], file.size) for file in accepted.files
    }
    return described(description, description_bytes, files, previous)


def described(
    description: Description, description_bytes: bytes, files: dict[str, PackageFile], previous: Inventory | None
) -> ArchivalPackage:
    """The OCFL version of a description and the files that it lists: the same for the same description, also when
    it is asked for again years later, because only the content is missing or damaged."""
    files[DESCRIPTION] = PackageFile(
        KnownBytes(description_bytes), Digest.of(CONTENT_DIGEST, description_bytes), len(description_bytes)
    )
    return ArchivalPackage(
        object_id=storage_object_for(description.poid),
        version=description.version,
        created=description.received,
        message=_MESSAGES[description.kind],
        user_name=_USER,
        user_address=_USER_ADDRESS,
        files=files,
        previous=previous,
    )
