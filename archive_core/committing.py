"""From accepted submissions to objects in the catalogue: claims, packages, stores, commit A.

Rules kept here
 * One way for one and for many: a single deposit is a group of one.
 * Nothing enters the catalogue (commit A) before enough stores hold it durably (`copy_rule`). What stops
   anywhere leaves orphans, never a wrong entry; the claim keeps the description, so that a retry writes
   the same bytes.
 * Same key and same request: the same answer. Same key and another request: a conflict.
 * Every member of a group is answered for itself. What is wrong with one keeps no other out: when a
   group cannot be written or entered as a whole, its members are tried one by one.
"""

from __future__ import annotations

import threading
from collections.abc import Sequence
from dataclasses import dataclass, replace

from archive_core.catalogue.catalogue import Catalogue
from archive_core.catalogue.rows import Claim, ClaimRequest, EventRow, VersionRow
from archive_core.catalogue.versions import Entry
from archive_core.content import require_living
from archive_core.description import Description
from archive_core.entries import file_rows, version_row
from archive_core.errors import ArchiveError, IdempotencyConflictError, UnavailableError
from archive_core.examining import from_claim
from archive_core.identifiers import storage_object_for
from archive_core.journal import event_row
from archive_core.lifecycle import Acknowledgement, PreparedSubmission, Status
from archive_core.ocfl.package import ArchivalPackage
from archive_core.packaging import assemble
from archive_core.quarantine import is_held
from archive_core.replication import Copies, DamageListener, Replication
from archive_core.trail.events import EventType, Outcome, deposit_event_of, new_event

Answer = Acknowledgement | ArchiveError
"""What became of one submission of a group."""

PATIENCE = 2
"""After so many members in a row that no store took, the others are not tried: it is not their fault."""


@dataclass(frozen=True, slots=True)
class _Member:
    """A member of a group that is to be stored; `place` counts from 0 in the group. The description is
    that of the claim, which an earlier request may have made."""

    place: int
    prepared: PreparedSubmission
    description: Description
    description_bytes: bytes
    package: ArchivalPackage

    @property
    def claimed(self) -> tuple[str, int]:
        return self.description.poid, self.description.version


_Stored = tuple[_Member, tuple[str, ...]]
"""A member and the stores that hold it."""


@dataclass(frozen=True, slots=True)
class StartedGroup:
    """A group on its way to the stores. `answers` are those known so far; `waiting` are the places of
    requests that another one, under way at this moment, is already fulfilling."""

    items: Sequence[PreparedSubmission]
    answers: list[Answer | None]
    members: Sequence[_Member]
    waiting: Sequence[int]
    writing: Replication | None


class Committing:
    """Makes objects of prepared submissions."""

    def __init__(self, *, catalogue: Catalogue, copies: Copies, on_damage: DamageListener) -> None:
        self._catalogue = catalogue
        self._copies = copies
        self._on_damage = on_damage
        self._catalogue_turn = threading.Lock()
        """Groups that are under way at once take turns here: a database that makes one of them wait does so by asking
        again and again."""
        self._lock = threading.Lock()
        self._under_way: set[tuple[str, int]] = set()

    def commit(self, items: Sequence[PreparedSubmission]) -> list[Answer]:
        """Claim, store and enter; one answer for each item, in their order. Raises only what is no
        `ArchiveError`."""
        return self.finish(self.start(items))

    def start(self, items: Sequence[PreparedSubmission], *, patient: bool = True) -> StartedGroup:
        """Claim a group and begin to write it; other work may be done until `finish`.

        A patient request waits for another one that is fulfilling the same claim at this moment; one
        that is not patient writes the same bytes beside it."""
        answers: list[Answer | None] = [None] * len(items)
        members: list[_Member] = []
        waiting: list[int] = []
        if not items:
            return StartedGroup(items, answers, members, waiting, None)
        try:
            requests = [_request(item) for item in items]
            with self._catalogue_turn:
                claims = self._catalogue.claim_all(requests)
        except UnavailableError as error:
            return StartedGroup(items, [error] * len(items), [], [], None)
        for place, (item, claim) in enumerate(zip(items, claims, strict=True)):
            try:
                member = self._member(place, item, claim, patient)
            except ArchiveError as error:
                answers[place] = error
                continue
            if isinstance(member, Acknowledgement):
                answers[place] = member
            elif member is None:
                waiting.append(place)
            else:
                members.append(member)
        writing = self._copies.start(*_packages(members)) if members else None
        return StartedGroup(items, answers, members, waiting, writing)

    def finish(self, group: StartedGroup) -> list[Answer]:
        """Wait for the stores, enter what they hold (commit A), and answer."""
        try:
            stored = self._stored(group)
            self._enter(stored, group.answers)
        finally:
            with self._lock:
                self._under_way.difference_update(member.claimed for member in group.members)
        for place in group.waiting:
            (group.answers[place],) = self.finish(self.start([group.items[place]], patient=False))
        return [_known(answer) for answer in group.answers]

    # -- claims and packages ----------------------------------------------------------------------

    def _member(
        self, place: int, item: PreparedSubmission, claim: Claim | ArchiveError, patient: bool
    ) -> _Member | Acknowledgement | None:
        """What is to be stored for an item, or the answer that it has got before, or None when another
        request is storing it at this moment."""
        if isinstance(claim, ArchiveError):
            raise claim
        if claim.request_digest != item.accepted.request_digest:
            raise IdempotencyConflictError(poid=claim.poid)
        if claim.completed:
            return self._replayed(claim)
        claimed = claim.poid, claim.version
        with self._lock:
            if patient and claimed in self._under_way:
                return None
            self._under_way.add(claimed)
        try:
            return self._packed(place, item, claim)
        except BaseException:
            with self._lock:
                self._under_way.discard(claimed)
            raise

    def _packed(self, place: int, item: PreparedSubmission, claim: Claim) -> _Member:
        description, description_bytes, accepted = item.description, item.description_bytes, item.accepted
        if not claim.fresh:
            description, description_bytes = Description.parse(claim.description), claim.description
            if description.examined is not None or accepted.examined is not None:
                kept = self._catalogue.claim_files(claim.poid, claim.version)
                accepted = from_claim(accepted, description, kept)
        previous = None
        if description.version > 1:
            previous = self._copies.inventory_before(
                storage_object_for(description.poid), description.version, self._on_damage
            )
        package = assemble(accepted, description, description_bytes, previous)
        return _Member(place, item, description, description_bytes, package)

    def _replayed(self, claim: Claim) -> Acknowledgement:
        row = self._catalogue.version(claim.poid, claim.version)
        require_living(row)  # what was destroyed does not come back with a repeated request
        made = _acknowledge(row, self._copies.holders(row.storage_object), replayed=True)
        return made if is_held(self._catalogue, row) else replace(made, status=Status.REPLICATED)

    # -- stores -------------------------------------------------------------------------------------

    def _stored(self, group: StartedGroup) -> Sequence[_Stored]:
        """The members that enough stores hold; the others have got their answers."""
        if group.writing is None:
            return []
        try:
            held = group.writing.finish()
        except ArchiveError as error:
            if len(group.members) == 1:
                group.answers[group.members[0].place] = error
                return []
            return self._stored_one_by_one(group)
        return list(zip(group.members, held, strict=True))

    def _stored_one_by_one(self, group: StartedGroup) -> list[_Stored]:
        """What a joint write could not do: members that are in nobody's way are stored all the same."""
        stored: list[_Stored] = []
        in_a_row = 0
        for number, member in enumerate(group.members):
            try:
                stored.append((member, self._copies.replicate(member.package, profile=member.description.profile)))
                in_a_row = 0
            except ArchiveError as error:
                group.answers[member.place] = error
                in_a_row = in_a_row + 1 if isinstance(error, UnavailableError) else 0
                if in_a_row == PATIENCE:
                    _answer(group.members[number + 1 :], group.answers, error)
                    break
        return stored

    # -- commit A -----------------------------------------------------------------------------------

    def _enter(self, stored: Sequence[_Stored], answers: list[Answer | None]) -> None:
        if not stored:
            return
        entries = [self._entry(member, stores) for member, stores in stored]
        try:
            with self._catalogue_turn:
                self._catalogue.enter_versions(entries)
        except ArchiveError as error:
            if len(stored) == 1 or isinstance(error, UnavailableError):
                _answer([member for member, _ in stored], answers, error)
                return
            for one in stored:
                self._enter([one], answers)
            return
        for (member, stores), (row, _, _) in zip(stored, entries, strict=True):
            answers[member.place] = _acknowledge(row, stores, replayed=False)

    def _entry(self, member: _Member, stores: tuple[str, ...]) -> Entry:
        row = version_row(member.description, member.description_bytes, member.prepared.accepted.request_digest)
        actor = member.prepared.actor
        kept, detail = new_event(
            EventType.REPLICATION,
            Outcome.SUCCESS,
            f"copies-{len(stores)}",
            at=member.prepared.at,
            actor=actor.actor_id,
            poid=row.poid,
            version=row.version,
            detail=dict(actor.detail) or None,
        )
        deposited = deposit_event_of(member.description, member.description_bytes)
        happened = [event_row(deposited, None), event_row(kept, detail)]
        if member.description.examined is not None:
            happened.append(_examined(member))
        return row, file_rows(member.description), happened


def _examined(member: _Member) -> EventRow:
    """That the signatures in a version were examined, and what became of it."""
    examined = member.description.examined
    assert examined is not None
    outcome = Outcome.SUCCESS if examined.outcome == "accept" else Outcome.FAILURE
    event, detail = new_event(
        EventType.DIGITAL_SIGNATURE_VALIDATION,
        outcome,
        f"{examined.outcome}{'-later' if examined.later else ''}",
        at=member.prepared.at,
        actor=member.prepared.actor.actor_id,
        poid=member.description.poid,
        version=member.description.version,
    )
    return event_row(event, detail)


def _request(item: PreparedSubmission) -> ClaimRequest:
    return ClaimRequest(
        originator=item.accepted.originator,
        key=item.accepted.key,
        request_digest=item.accepted.request_digest,
        poid=item.description.poid,
        version=item.description.version,
        description=item.description_bytes,
        at=item.at,
        files=tuple(
            (file.logical_path, bytes(file.source)) for file in item.accepted.found if isinstance(file.source, bytes)
        ),
    )


def _packages(members: Sequence[_Member]) -> tuple[list[ArchivalPackage], list[str | None]]:
    """What is to be written, and under which profile each is deposited."""
    return [member.package for member in members], [member.description.profile for member in members]


def _answer(members: Sequence[_Member], answers: list[Answer | None], error: ArchiveError) -> None:
    for member in members:
        answers[member.place] = error


def _known(answer: Answer | None) -> Answer:
    assert answer is not None, "every member of a group is answered"
    return answer


def _acknowledge(row: VersionRow, stores: tuple[str, ...], *, replayed: bool) -> Acknowledgement:
    return Acknowledgement(
        poid=row.poid,
        version=row.version,
        status=Status.QUARANTINED if row.examined == "quarantine" else Status.REPLICATED,
        originator=row.originator,
        profile=row.profile,
        received=row.received,
        size=row.size,
        file_count=row.file_count,
        description_sha512=row.description_digest,
        stores=stores,
        replayed=replayed,
    )
