"""Use case: takes a submission in, as a new object or as the next version of one.

The rules a deposit follows
 * Nothing is stored before the submission is accepted under its profile; what is true from then on is
   said in `committing.py`.
 * Small deposits that come at the same time share the durable steps: only what is wholly received,
   admitted and described enters a group, so a slow upload holds up nobody. One that comes alone waits
   for nobody.
 * Where the profile asks for it, the signatures in the documents are examined before anything is described, and what
   was found is part of what is kept (`examining.py`).
 * In bulk the next group is admitted while the present one is made durable. Each submission gets one
   answer, in its place; nothing is answered before it is durable on every required store.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import replace
from datetime import datetime

from archive_core.admission import admit
from archive_core.bulk import GROUP, deposit_in_groups
from archive_core.catalogue.catalogue import Catalogue
from archive_core.committing import Answer, Committing
from archive_core.content import require_living
from archive_core.errors import ArchiveError, ConcurrentChangeError
from archive_core.examining import Examining
from archive_core.group_commit import GroupCommit
from archive_core.identifiers import PoidMint
from archive_core.lifecycle import Acknowledgement, Actor, PreparedSubmission, SubmissionObject
from archive_core.packaging import DEPOSIT, UPDATE, describe, read_description
from archive_core.ports import Clock
from archive_core.replication import UNDER_WAY, Copies, DamageListener
from policies.profiles import PreservationProfile

LARGE = 4 * 1024 * 1024
"""A submission of more bytes is made durable alone: it would hold up those that share a group with it."""


class Deposit:
    """Submission to preservation object: admitted and described here, stored and entered by `Committing`."""

    def __init__(
        self,
        *,
        clock: Clock,
        catalogue: Catalogue,
        copies: Copies,
        mint: PoidMint,
        profile_of: Callable[[str | None, datetime], PreservationProfile],
        on_damage: DamageListener,
        examining: Examining | None = None,
    ) -> None:
        self._examining = examining or Examining(None)
        self._clock = clock
        self._catalogue = catalogue
        self._copies = copies
        self._mint = mint
        self._profile_of = profile_of
        self._on_damage = on_damage
        self._committing = Committing(catalogue=catalogue, copies=copies, on_damage=on_damage)
        self._group = GroupCommit(self._committing.commit, limit=GROUP, at_once=UNDER_WAY)

    def deposit(self, submission: SubmissionObject, *, actor: Actor) -> Acknowledgement:
        """A new preservation object; raises `SubmissionError`, `ConflictError`, `UnavailableError`."""
        return self._shared(self._prepared(submission, actor))

    def deposit_many(
        self,
        submissions: Iterable[SubmissionObject | ArchiveError],
        *,
        actor: Actor,
        tell: Callable[[Answer], None],
    ) -> None:
        """A new preservation object for each submission; `tell` gets one answer for each, in their order,
        as soon as its group is durable."""

        def prepared(submission: SubmissionObject | ArchiveError) -> PreparedSubmission:
            if isinstance(submission, ArchiveError):
                raise submission
            return self._prepared(submission, actor)

        deposit_in_groups(submissions, prepared, self._committing, tell)

    def update(
        self, poid: str, submission: SubmissionObject, *, actor: Actor, follows: int | None = None
    ) -> Acknowledgement:
        """The complete new content of an object, as its next version; the old ones stay. With `follows` it is the next
        of that one or none: raises `ConcurrentChangeError` when another came, or comes, first."""
        at = self._clock.now()
        head = self._catalogue.version(poid, originator=actor.originator)
        require_living(head)
        if follows not in (None, head.version):
            raise ConcurrentChangeError(f"{poid} has version {head.version} by now", version=head.version)
        owned = replace(submission, originator=head.originator)
        accepted = admit(owned, self._profile_of(submission.profile or head.profile, at), at=at, updates=poid)
        accepted = self._examining.examined(accepted, at=at, version=head.version + 1)
        _, predecessor = read_description(self._copies, head, self._on_damage)
        description = describe(
            accepted, poid=poid, version=head.version + 1, kind=UPDATE, predecessor=predecessor, at=at
        )
        return self._shared(PreparedSubmission(accepted, description, description.to_bytes(), actor, at))

    def key_of(self, submission: SubmissionObject) -> str | None:
        """The idempotency key under which it is deposited, also one that follows from what it holds; every file is read
        for that. Raises `SubmissionError`."""
        at = self._clock.now()
        return admit(submission, self._profile_of(submission.profile, at), at=at).key

    def commit(self, prepared: PreparedSubmission) -> Acknowledgement:
        """A version that was prepared elsewhere becomes durable like any other."""
        return self._shared(prepared)

    def _prepared(self, submission: SubmissionObject, actor: Actor) -> PreparedSubmission:
        at = self._clock.now()
        accepted = admit(submission, self._profile_of(submission.profile, at), at=at)
        accepted = self._examining.examined(accepted, at=at)
        description = describe(accepted, poid=self._mint.mint(at), version=1, kind=DEPOSIT, predecessor=None, at=at)
        return PreparedSubmission(accepted, description, description.to_bytes(), actor, at)

    def _shared(self, prepared: PreparedSubmission) -> Acknowledgement:
        if prepared.accepted.size > LARGE:
            (answer,) = self._committing.commit([prepared])
        else:
            answer = self._group.submit(prepared)
        if isinstance(answer, ArchiveError):
            raise answer
        return answer
