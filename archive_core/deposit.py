"""Use case: takes a submission in, as a new object or as the next version of one.

The rules a deposit follows
 * Nothing is stored before the submission is accepted under its profile.
 * Nothing enters the catalogue (commit A) before every required store holds it durably.
 * A deposit that stops anywhere leaves orphans, never a wrong entry. What was claimed under a key is
   written again byte for byte by the retry, because the claim keeps the description.
 * Same key and same request: the same answer. Same key and another request: a conflict.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime

from archive_core.admission import CONTENT_DIGEST, METADATA, admit, request_digest_of
from archive_core.catalogue.catalogue import Catalogue
from archive_core.catalogue.rows import FileRow, VersionRow
from archive_core.description import Description
from archive_core.digests import Digest
from archive_core.errors import IdempotencyConflictError
from archive_core.identifiers import PoidMint, storage_object_for
from archive_core.journal import event_row
from archive_core.lifecycle import (
    AcceptedSubmission,
    Acknowledgement,
    Actor,
    Status,
    StoredPackage,
    SubmissionObject,
)
from archive_core.packaging import DEPOSIT, UPDATE, assemble, describe, read_description
from archive_core.ports import Clock
from archive_core.replication import Copies, DamageListener
from archive_core.trail.events import EventType, Outcome, deposit_event, new_event
from policies.profiles import PreservationProfile


class Deposit:
    """Submission to preservation object, in the steps of `_take`."""

    def __init__(
        self,
        *,
        clock: Clock,
        catalogue: Catalogue,
        copies: Copies,
        mint: PoidMint,
        profile_of: Callable[[str | None, datetime], PreservationProfile],
        on_damage: DamageListener,
    ) -> None:
        self._clock = clock
        self._catalogue = catalogue
        self._copies = copies
        self._mint = mint
        self._profile_of = profile_of
        self._on_damage = on_damage

    def deposit(self, submission: SubmissionObject, *, actor: Actor) -> Acknowledgement:
        """A new preservation object; raises `SubmissionError`, `ConflictError`, `UnavailableError`."""
        at = self._clock.now()
        accepted = admit(submission, self._profile_of(submission.profile, at), at=at)
        description = describe(accepted, poid=self._mint.mint(at), version=1, kind=DEPOSIT, predecessor=None, at=at)
        return self._take(accepted, description, actor, at)

    def update(self, poid: str, submission: SubmissionObject, *, actor: Actor) -> Acknowledgement:
        """The complete new content of an object, as its next version; the old ones stay."""
        at = self._clock.now()
        head = self._catalogue.version(poid, originator=actor.originator)
        owned = replace(submission, originator=head.originator)
        accepted = admit(owned, self._profile_of(submission.profile or head.profile, at), at=at, updates=poid)
        _, predecessor = read_description(self._copies, head, self._on_damage)
        description = describe(
            accepted, poid=poid, version=head.version + 1, kind=UPDATE, predecessor=predecessor, at=at
        )
        return self._take(accepted, description, actor, at)

    def _take(
        self, accepted: AcceptedSubmission, description: Description, actor: Actor, at: datetime
    ) -> Acknowledgement:
        claim = self._catalogue.claim(
            accepted.originator,
            accepted.key,
            accepted.request_digest,
            description.poid,
            description.version,
            description.to_bytes(),
            at,
        )
        if claim.request_digest != accepted.request_digest:
            raise IdempotencyConflictError(poid=claim.poid)
        if claim.completed:
            return self._replayed(claim.poid, claim.version)
        stored = self._store(accepted, claim.description)
        row = version_row(stored.description, claim.description)
        event = event_row(deposit_event(claim.description), None)
        kept, detail = new_event(
            EventType.REPLICATION,
            Outcome.SUCCESS,
            f"copies-{len(stored.stores)}",
            at=at,
            actor=actor.actor_id,
            poid=row.poid,
            version=row.version,
            detail=dict(actor.detail) or None,
        )
        self._catalogue.enter_version(row, file_rows(stored.description), [event, event_row(kept, detail)])
        return _acknowledge(row, stored.stores, replayed=False)

    def _store(self, accepted: AcceptedSubmission, description_bytes: bytes) -> StoredPackage:
        description = Description.parse(description_bytes)
        previous = None
        if description.version > 1:
            previous = self._copies.inventory_before(
                storage_object_for(description.poid), description.version, self._on_damage
            )
        package = assemble(accepted, description, description_bytes, previous)
        return StoredPackage(package, description, self._copies.replicate(package))

    def _replayed(self, poid: str, version: int) -> Acknowledgement:
        return _acknowledge(self._catalogue.version(poid, version), self._copies.names, replayed=True)


def version_row(description: Description, description_bytes: bytes) -> VersionRow:
    """The catalogue's row of a stored version: nothing in it that the stores do not say."""
    return VersionRow(
        poid=description.poid,
        version=description.version,
        kind=description.kind,
        originator=description.originator,
        profile=description.profile,
        received=description.received,
        storage_object=storage_object_for(description.poid),
        ocfl_version=description.version,
        description_digest=Digest.of(CONTENT_DIGEST, description_bytes).hex,
        idempotency_key=description.idempotency_key,
        request_digest=request_digest_of(description),
        has_metadata=description.file(METADATA) is not None,
        size=sum(file.size for file in description.files if file.role == "document"),
        file_count=sum(1 for file in description.files if file.role == "document"),
    )


def file_rows(description: Description) -> list[FileRow]:
    return [
        FileRow(
            poid=description.poid,
            version=description.version,
            path=file.path,
            role=file.role,
            size=file.size,
            content_digest=file.digests[CONTENT_DIGEST],
            stored_digest=file.digests[CONTENT_DIGEST],
        )
        for file in description.files
    ]


def _acknowledge(row: VersionRow, stores: tuple[str, ...], *, replayed: bool) -> Acknowledgement:
    return Acknowledgement(
        poid=row.poid,
        version=row.version,
        status=Status.REPLICATED,
        originator=row.originator,
        profile=row.profile,
        received=row.received,
        size=row.size,
        file_count=row.file_count,
        description_sha512=row.description_digest,
        stores=stores,
        replayed=replayed,
    )
