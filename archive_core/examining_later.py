"""Examining again what could not be decided at the deposit: revocation data that was issued only afterwards.

Rules kept here (Reg. (EU) 2025/1946, TS 119 172-4: revocation data issued after the best-signature-time)
 * What waits follows from descriptions (`examined.later` of the newest version); only how often it was tried in vain
   lives in the catalogue. So it goes on after any crash, and after a rebuild.
 * A document existed when its evidence says so, else when it was received: as of then its signatures are judged.
 * When it is decided, what was found becomes a new version of kind `validation-data`: the same documents, the earlier
   reports, the new ones, and what was collected. It is under evidence with the next batch. It is claimed under a key of
   its own, so that two processes make one version, and an interrupted one is finished with the same bytes.
 * While it is not decided nothing is written. Each further try comes after twice the time, a day at most; after a while
   it is an alarm, and goes on.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory

from archive_core.admission import CONTENT_DIGEST, DATA, digest_names, request_digest
from archive_core.batch import validation_data
from archive_core.catalogue.catalogue import Catalogue
from archive_core.catalogue.rows import FileRow, LaterExamination, VersionRow
from archive_core.content import Content, VersionContent
from archive_core.description import Description
from archive_core.digests import Digest
from archive_core.errors import ArchiveError, LeaseHeldError, SettingsError
from archive_core.examining import MATERIAL, Examining, Findings, found_files
from archive_core.findings import utc_text
from archive_core.holding import Holder
from archive_core.lifecycle import AcceptedFile, AcceptedSubmission, Acknowledgement, Actor, PreparedSubmission
from archive_core.packaging import VALIDATION_DATA, describe, read_description
from archive_core.ports import Clock, ValidationData
from archive_core.publishing import Published
from archive_core.replication import Copies, DamageListener
from policies.examination import Outcome

KEY = "validation-data:"
"""Begins the idempotency key of such a version; POID and version follow."""
LONGEST = timedelta(days=1)
AT_ONCE = 20
"""Objects that are examined in one round."""
_MAX_MATERIAL = 64 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class Patience:
    """How long after a try in vain the next one comes, and after how long it is an alarm."""

    first: timedelta = timedelta(minutes=15)
    alarm: timedelta = timedelta(hours=48)

    def after(self, tries: int) -> timedelta:
        """How long to wait after so many tries in vain."""
        times: int = 2 ** min(tries - 1, 12)
        return min(self.first * times, LONGEST)


@dataclass(frozen=True, slots=True)
class LaterView:
    """What became of one object that was examined again: the new version, or when it is tried again and why."""

    poid: str
    version: int | None
    outcome: str | None
    next_try: datetime | None
    error: str | None

    def to_json(self) -> dict[str, object]:
        return {
            "poid": self.poid,
            "version": self.version,
            "outcome": self.outcome,
            "next_try": utc_text(self.next_try) if self.next_try else None,
            "error": self.error,
        }


class ExaminingLater:
    """One round after the other; one process at a time."""

    def __init__(
        self,
        *,
        clock: Clock,
        catalogue: Catalogue,
        copies: Copies,
        content: Content,
        published: Published,
        holder: Holder,
        examining: Examining,
        commit: Callable[[PreparedSubmission], Acknowledgement],
        on_damage: DamageListener,
        patience: Patience,
    ) -> None:
        self._clock = clock
        self._catalogue = catalogue
        self._copies = copies
        self._content = content
        self._published = published
        self._holder = holder
        self._examining = examining
        self._commit = commit
        self._on_damage = on_damage
        self.patience = patience

    def round(self, *, actor: Actor, due_only: bool = True) -> list[LaterView]:
        """Examine again what waits and whose turn it is (or, unless `due_only`, whatever waits). Each is answered for
        itself. Raises `LeaseHeldError` when another process is at it."""
        at = self._clock.now() if due_only else datetime.max.replace(tzinfo=self._clock.now().tzinfo)
        waiting = self._catalogue.to_examine_again(at, AT_ONCE)
        if not waiting:
            return []
        views = []
        with self._holder.hold("examine later", patience=0):
            for row in waiting:
                self._holder.renew()
                views.append(self._again(row, actor))
        return views

    def _again(self, row: VersionRow, actor: Actor) -> LaterView:
        at = self._clock.now()
        try:
            findings = self._examined(row, at)
        except LeaseHeldError:
            raise
        except ArchiveError as error:
            return self._put_off(row, at, f"{error.code}: {error}")
        if findings.later:
            problems = [problem for one in findings.files for problem in one.problems]
            why = "; ".join(problems) or "what decides was not issued yet"
            return self._put_off(row, at, why)
        try:
            told = self._kept(row, findings, at, actor)
        except ArchiveError as error:
            return self._put_off(row, at, f"{error.code}: {error}")
        self._catalogue.end_later_examination(row.poid)
        return LaterView(row.poid, told.version, str(_kept_outcome(findings)), None, None)

    def _put_off(self, row: VersionRow, at: datetime, why: str) -> LaterView:
        known = self._catalogue.later_examination(row.poid)
        tries = (known.tries if known else 0) + 1
        next_try = at + self.patience.after(tries)
        self._catalogue.put_off_examination(
            LaterExamination(poid=row.poid, tries=tries, next_try=next_try, error=why[:1000])
        )
        return LaterView(row.poid, None, None, next_try, why[:1000])

    # -- examining --------------------------------------------------------------------------------

    def _examined(self, row: VersionRow, at: datetime) -> Findings:
        profile = self._published.profile(row.profile)
        if not profile.examination.asked:
            raise SettingsError(f"the profile {row.profile} asks nothing of signatures any more")
        files = self._catalogue.files(row.poid, row.version)
        content = self._content.of(row)
        with TemporaryDirectory(dir=self._copies.scratch, prefix="examine-") as folder:
            documents = [
                (file.path.removeprefix(DATA), _staged(content, file, Path(folder) / str(number)))
                for number, file in enumerate(files)
                if file.role == "document"
            ]
            return self._examining.find(
                documents,
                profile.examination,
                at=at,
                existed=self._existed(row),
                material=_known(content, files),
            )

    def _existed(self, row: VersionRow) -> datetime:
        """When the documents are known to have existed: by evidence of the version that brought them, else by when it
        was received. (An evidenced time is later; revocation data must then be issued after what others can check.)"""
        brought = [
            one
            for one in self._catalogue.versions(row.poid)
            if one.version <= row.version and one.kind != VALIDATION_DATA
        ][-1]
        batch = self._catalogue.batch(brought.batch) if brought.batch is not None else None
        return batch.evidenced_at if batch is not None and batch.evidenced_at is not None else brought.received

    # -- keeping ----------------------------------------------------------------------------------

    def _kept(self, row: VersionRow, findings: Findings, at: datetime, actor: Actor) -> Acknowledgement:
        """The next version, on every required store and in the catalogue."""
        profile = self._published.profile(row.profile)
        earlier, octets = read_description(self._copies, row, self._on_damage)
        outcome = _kept_outcome(findings)
        decided = Findings(findings.files, replace(findings.decision, outcome=outcome))
        version = row.version + 1
        found = found_files(decided, profile.examination, profile.id, digest_names(profile), version=version, at=at)
        there = {file.path for file in earlier.files}
        files = [*_unchanged(earlier), *(file for file in found if file.logical_path not in there)]
        accepted = AcceptedSubmission(
            profile=profile,
            originator=row.originator,
            key=f"{KEY}{row.poid}:{version}",
            files=tuple(sorted(files, key=lambda file: file.logical_path)),
            request_digest=_request(row, earlier),
            examined=decided.examined,
        )
        description = describe(
            accepted, poid=row.poid, version=version, kind=VALIDATION_DATA, predecessor=octets, at=at
        )
        return self._commit(PreparedSubmission(accepted, description, description.to_bytes(), actor, at))

    def warnings(self) -> list[str]:
        """What waits longer than it should."""
        count, oldest = self._catalogue.count_to_examine_again()
        if not count or oldest is None:
            return []
        if self._clock.now() - oldest < self.patience.alarm:
            return []
        last = next((one.error for one in self._catalogue.later_examinations() if one.error), "it was not tried yet")
        return [
            f"the signatures of {count} objects are undecided, the oldest since {utc_text(oldest)}, because what "
            f"decides cannot be had: {last}"
        ]


def _kept_outcome(findings: Findings) -> Outcome:
    """What was taken in is not refused afterwards: it is set aside."""
    return Outcome.QUARANTINE if findings.decision.outcome is Outcome.REJECT else findings.decision.outcome


def _unchanged(description: Description) -> list[AcceptedFile]:
    """Everything that the version before holds; nobody reads it for this."""
    return [
        AcceptedFile(
            file.path,
            file.role,
            b"",
            file.size,
            {name: Digest.from_hex(name, digits) for name, digits in file.digests.items()},
        )
        for file in description.files
    ]


def _request(row: VersionRow, earlier: Description) -> str:
    return request_digest(
        row.originator,
        row.profile,
        ((file.path, file.size, file.digests[CONTENT_DIGEST]) for file in earlier.files),
        row.poid,
    )


def _staged(content: VersionContent, file: FileRow, place: Path) -> AcceptedFile:
    """A document where it can be looked into, every byte verified on the way."""
    with place.open("xb") as out:
        for piece in content.stream(file):
            out.write(piece)
    digest = Digest.from_hex(CONTENT_DIGEST, file.content_digest)
    return AcceptedFile(file.path, file.role, place, file.size, {CONTENT_DIGEST: digest})


def _known(content: VersionContent, files: list[FileRow]) -> ValidationData:
    """What was collected before."""
    mine = [file for file in files if file.path.startswith(MATERIAL)]
    if sum(file.size for file in mine) > _MAX_MATERIAL:
        mine = []
    return validation_data(MATERIAL, {file.path: b"".join(content.stream(file)) for file in mine})
