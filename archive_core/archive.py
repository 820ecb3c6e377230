"""The archive: every use case behind one door, which `api` holds in its hand.

Rules kept here
 * Every verb takes the actor and sees only what the actor's organisation holds; another organisation's
   object is answered exactly like one that does not exist.
 * The clock is asked once per verb.
 * Every action and every refusal is an event. Damage met while serving a reader is one too.
 * Which role may do what is decided at the edge (`api/auth.py`), in one table.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from pathlib import Path
from typing import BinaryIO

from archive_core.admission import DATA
from archive_core.assessment import Assessment
from archive_core.audit import Audit
from archive_core.audit_destroyed import DestroyedObjects
from archive_core.audit_result import AuditResult, brief, damage_events, damaged_objects
from archive_core.catalogue.catalogue import Catalogue
from archive_core.catalogue.holds import LegalHold
from archive_core.catalogue.rows import EventRow, JobRow, KeyRow, VersionRow
from archive_core.changes import Changes
from archive_core.content import Content, require_living
from archive_core.counting import Counting
from archive_core.debts import Debts
from archive_core.deposit import Deposit
from archive_core.destruction.destroying import Destruction, DestructionView
from archive_core.destruction.judging import Gone
from archive_core.errors import ArchiveError, LeaseHeldError, SizeLimitError, UnderLegalHoldError
from archive_core.evidence.verification import DataObject
from archive_core.examining import Examining
from archive_core.examining_later import ExaminingLater, Patience
from archive_core.exporting import Exporting
from archive_core.findings import Report, Verdict
from archive_core.fixity.running import Fixity, Pace
from archive_core.fixity.state import found_damaged
from archive_core.holding import Holder
from archive_core.identifiers import PoidMint
from archive_core.jobs import Jobs
from archive_core.journal import detail_of, event_of
from archive_core.keys import OVERLAP, Keys
from archive_core.legal_holds import Holding, HoldsView
from archive_core.lifecycle import (
    Acknowledgement,
    Actor,
    BatchView,
    EvidenceFile,
    FileView,
    SubmissionObject,
    VersionView,
)
from archive_core.list_snapshots import ListMeans, ListSnapshots
from archive_core.mass import MassProof
from archive_core.mass_verification import MassVerification
from archive_core.notifying import Notifying, Receiver, Send
from archive_core.organisations import Organisations
from archive_core.packaging import DESCRIPTION
from archive_core.people import People, PeopleRules, looks_like_token
from archive_core.ports import (
    Clock,
    ExaminesDeposits,
    JsonSeal,
    SealAssessment,
    Sealer,
    SealsPdf,
    SealValidator,
    TimestampAuthority,
    TimestampValidator,
)
from archive_core.preservation import Preservation
from archive_core.progress import Progress, Told
from archive_core.proofs import Proofs, evidence_files, receipt
from archive_core.publishing import Published
from archive_core.quarantine import require_released
from archive_core.read_only import Guard, release
from archive_core.reconciling import Reconciling
from archive_core.recovery import Recovery
from archive_core.renewal.means import Means
from archive_core.renewal.refreshing import Refreshed
from archive_core.renewal.running import RenewalRequest, RenewalResult, Renewing
from archive_core.renewal.stored import Shelf
from archive_core.renewal.tracing import renewal_events
from archive_core.repair.proving import Proving
from archive_core.repair.result import RepairResult
from archive_core.repair.running import Repair
from archive_core.replication import Copies, about
from archive_core.sealed_copies import SealedCopies, SealedCopy
from archive_core.sealing import Sealing
from archive_core.searching import Searching
from archive_core.sequencer import Sequencer
from archive_core.signatures import Signatures
from archive_core.standing import Standing
from archive_core.stores import Stores
from archive_core.trail.events import EventType, Outcome
from archive_core.trail_verification import TrailVerification
from archive_core.tree_writing import write_tree
from archive_core.viewing import Viewing, file_view
from archive_core.worm import LockPolicy, Locks
from policies.profiles import PreservationProfile
from policies.renewal_values import RenewalPolicy, StatusChange

SYSTEM = Actor("system", "operator")
"""The actor of what nobody asked for: damage met while reading, the scheduler's rounds."""


def silent(what: str, done: int, total: int | None) -> None:
    """Progress that nobody watches."""


class Archive:
    """Wires the use cases over their collaborators; `api/wiring.py` makes one."""

    def __init__(
        self,
        *,
        name: str,
        clock: Clock,
        catalogue: Catalogue,
        copies: Copies,
        authorities: Mapping[str, TimestampAuthority],
        trust_classes: Mapping[str, str],
        validator: TimestampValidator,
        sealer: Sealer,
        seal_validator: SealValidator,
        published: Published,
        news: Mapping[str, StatusChange] | None = None,
        renewal_policy: RenewalPolicy | None = None,
        renewal_bytes_per_second: int | None = None,
        cautions: Sequence[str] = (),
        instead: Mapping[str, Sequence[str]] | None = None,
        budgets: Mapping[str, int] | None = None,
        locks: Mapping[str, LockPolicy] | None = None,
        fixity_paces: Mapping[str, Pace] | None = None,
        examiner: ExaminesDeposits | None = None,
        registered_only: bool = False,
        pdf_sealer: SealsPdf | None = None,
        receivers: Sequence[Receiver] = (),
        send: Send | None = None,
        people: People | None = None,
        examine_later: Patience | None = None,
        lists: ListMeans | None = None,
    ) -> None:
        """`news` is what was reported of time-stamp authorities, by name; `renewal_bytes_per_second` is how fast
        documents may be read for a hash-tree renewal, None for as fast as possible; `cautions` are warnings about the
        settings themselves, which `status` shows. `instead` are the authorities that stand in for another, `budgets`
        how many time-stamps of a month are paid for, both by name."""
        self.name = name
        self.clock = clock
        self.catalogue = catalogue
        self.copies = copies
        self.published = published
        self.validator = validator
        self._instead = dict(instead or {})
        self._counting = Counting(catalogue, clock, budgets or {})
        self.authorities = authorities = {name: self._counting.counted(one) for name, one in authorities.items()}
        self._sealer = sealer
        self._sealing = Sealing(sealer, seal_validator, catalogue, clock)
        self._cautions = tuple(cautions)
        self._seal_validator = seal_validator
        self._trust_classes = trust_classes
        self._news = dict(news or {})
        self._test_trust = sealer.test_trust or any(authority.test_trust for authority in authorities.values())
        holder = Holder(catalogue, clock)
        damage = self._on_damage
        self._sequencer = Sequencer(clock=clock, catalogue=catalogue, copies=copies, holder=holder)
        self._trail_verification = TrailVerification(
            catalogue=catalogue, copies=copies, holder=holder, on_damage=self._on_damage
        )
        self.debts = Debts(clock=clock, catalogue=catalogue, copies=copies, holder=holder)
        self.locks = Locks(
            clock=clock,
            catalogue=catalogue,
            copies=copies,
            holder=holder,
            sequencer=self._sequencer,
            policies=locks or {},
        )
        self.stores = Stores(
            clock=clock,
            catalogue=catalogue,
            copies=copies,
            debts=self.debts,
            locks=self.locks,
            sequencer=self._sequencer,
        )
        guard = copies.guard = Guard(catalogue)
        self.stores.refresh(now=True)
        self._examiner = examiner
        self._patience = examine_later or Patience()
        self._examining = Examining(examiner)
        self._deposit = Deposit(
            clock=clock,
            catalogue=catalogue,
            copies=copies,
            mint=PoidMint(),
            profile_of=published.for_submission,
            on_damage=damage,
            examining=self._examining,
        )
        self._list_means = lists or ListMeans()
        self.lists = ListSnapshots(
            clock=clock,
            catalogue=catalogue,
            copies=copies,
            holder=holder,
            sequencer=self._sequencer,
            on_damage=damage,
            source=self._list_means.source,
            asks=self._list_means.asks,
            every=self._list_means.every,
        )
        self._preservation = Preservation(
            clock=clock,
            catalogue=catalogue,
            copies=copies,
            authorities=authorities,
            trust_classes=trust_classes,
            validator=validator,
            sealer=self._sealing,
            sequencer=self._sequencer,
            holder=holder,
            published=published,
            on_damage=damage,
            instead=self._instead,
            lists=self.lists,
        )
        shelf = Shelf(catalogue=catalogue, copies=copies, on_damage=damage)
        self._proofs = Proofs(catalogue=catalogue, copies=copies, on_damage=damage, shelf=shelf)
        self._content = Content(catalogue=catalogue, copies=copies, on_damage=damage)
        self._assessment = Assessment(
            catalogue=catalogue,
            proofs=self._proofs,
            content=self._content,
            validator=validator,
            seal_validator=seal_validator,
            algorithms=published.algorithms,
        )
        self._exporting = Exporting(catalogue=catalogue, proofs=self._proofs, content=self._content)
        self._pdf_sealer = pdf_sealer
        self._sealed_copies = SealedCopies(
            name=name,
            clock=clock,
            content=self._content,
            sealer=pdf_sealer,
            authorities=authorities,
            validator=validator,
            published=published,
            scratch=copies.scratch / "sealed-copies",
            test_trust=self._test_trust,
        )
        self._recovery = Recovery(catalogue=catalogue, copies=copies)
        self._destruction = Destruction(
            clock=clock,
            catalogue=catalogue,
            copies=copies,
            authorities=authorities,
            trust_classes=trust_classes,
            validator=validator,
            sealer=self._sealing,
            seal_validator=seal_validator,
            sequencer=self._sequencer,
            holder=holder,
            published=published,
            on_damage=damage,
        )
        self._holding = Holding(
            clock=clock,
            catalogue=catalogue,
            copies=copies,
            sequencer=self._sequencer,
            holder=holder,
            locks=self.locks,
            finish_destructions=self._destruction.finish,
        )
        self._gone = Gone(
            catalogue=catalogue,
            proofs=self._proofs,
            destruction=self._destruction,
            validator=validator,
            seal_validator=seal_validator,
            algorithms=published.algorithms,
        )
        assess = self._assess
        mass = MassProof(catalogue=catalogue, proofs=self._proofs, assess=assess)
        self._mass_verification = MassVerification(
            catalogue=catalogue, root=copies.roots[0], mass=mass, assess=assess, sequencer=self._sequencer
        )
        self._audit = Audit(
            mass=mass,
            catalogue=catalogue,
            copies=copies,
            recovery=self._recovery,
            assessment=self._assessment,
            proofs=self._proofs,
            published=published,
            destroyed=DestroyedObjects(catalogue, self._destruction),
        )
        self.fixity = Fixity(
            clock=clock,
            catalogue=catalogue,
            copies=copies,
            content=self._content,
            published=published,
            sequencer=self._sequencer,
            holder=holder,
            paces=fixity_paces,
        )
        self._fixity_paces = fixity_paces
        self._reconciling = Reconciling(
            catalogue=catalogue,
            copies=copies,
            recovery=self._recovery,
            published=published,
            validator=validator,
            seal_validator=seal_validator,
            holder=holder,
        )
        self._repair = Repair(
            catalogue=catalogue,
            copies=copies,
            audit=self._audit,
            proving=Proving(
                catalogue=catalogue, proofs=self._proofs, validator=validator, algorithms=published.algorithms
            ),
            published=published,
            sequencer=self._sequencer,
            holder=holder,
            aside=copies.scratch.parent / "set-aside",
            known=lambda: found_damaged(catalogue, copies.names),
        )
        self.renewing = Renewing(
            Means(
                clock=clock,
                catalogue=catalogue,
                copies=copies,
                authorities=authorities,
                trust_classes=trust_classes,
                validator=validator,
                sequencer=self._sequencer,
                holder=holder,
                published=published,
                shelf=shelf,
                on_damage=damage,
                workspace=copies.scratch / "renewal",
                news=self._news,
                bytes_per_second=renewal_bytes_per_second,
                lists=self.lists,
            ),
            self._proofs,
            self._content,
            renewal_policy,
        )
        self.organisations = Organisations(
            clock=clock,
            catalogue=catalogue,
            sequencer=self._sequencer,
            holder=holder,
            registered_only=registered_only,
            key_of=lambda submission: self._deposit.key_of(submission),
        )
        self._keys = Keys(
            clock=clock,
            catalogue=catalogue,
            sequencer=self._sequencer,
            require_active=self.organisations.require_active,
        )
        self.people = people or People(clock=clock, judge=None, rules=PeopleRules())
        self.changes = Changes(catalogue)
        self.searching = Searching(catalogue=catalogue, content=self._content, holder=holder)
        self.notifying = Notifying(
            clock=clock,
            catalogue=catalogue,
            changes=self.changes,
            sequencer=self._sequencer,
            holder=holder,
            receivers=receivers,
            send=send,
        )
        self._jobs = Jobs(
            clock=clock,
            catalogue=catalogue,
            holder=holder,
            assess=lambda row: self._assess(row, clock.now()),
        )
        self._viewing = Viewing(catalogue, self._gone, test_trust=self._test_trust)
        self.signatures = Signatures(
            catalogue=catalogue,
            content=self._content,
            sequencer=self._sequencer,
            view=self._viewing.version,
            destroy=lambda poid, reason, actor: self.destroy(poid, reason=reason, actor=actor),
            later=ExaminingLater(
                clock=clock,
                catalogue=catalogue,
                copies=copies,
                content=self._content,
                published=published,
                holder=holder,
                examining=self._examining,
                commit=self._deposit.commit,
                on_damage=damage,
                patience=self._patience,
            ),
        )
        self._standing = Standing(
            name=name,
            clock=clock,
            catalogue=catalogue,
            copies=copies,
            published=published,
            authorities=authorities,
            counting=self._counting,
            sealing=self._sealing,
            test_trust=self._test_trust,
            cautions=self._cautions,
            parts=(
                guard,
                self.debts,
                self.locks,
                self._destruction,
                self.fixity,
                self.renewing,
                self.signatures,
                self.lists,
                self.notifying,
            ),
        )

    def over(self, catalogue: Catalogue, copies: Copies) -> Archive:
        """The same archive over another catalogue, such as one that was rebuilt."""
        return Archive(
            name=self.name,
            clock=self.clock,
            catalogue=catalogue,
            copies=copies,
            authorities=self.authorities,
            trust_classes=self._trust_classes,
            validator=self.validator,
            sealer=self._sealer,
            seal_validator=self._seal_validator,
            published=self.published,
            news=self._news,
            renewal_policy=self.renewing.policy,
            renewal_bytes_per_second=self.renewing.means.bytes_per_second,
            cautions=self._cautions,
            instead=self._instead,
            budgets=self._counting.budgets,
            locks=self.locks.policies,
            fixity_paces=self._fixity_paces,
            examiner=self._examiner,
            pdf_sealer=self._pdf_sealer,
            registered_only=self.organisations.registered_only,
            receivers=self.notifying.receivers,
            send=self.notifying.send,
            people=self.people,
            examine_later=self._patience,
            lists=self._list_means,
        )

    # -- taking in ----------------------------------------------------------------------------

    def deposit(self, submission: SubmissionObject, *, actor: Actor) -> Acknowledgement:
        """A new preservation object, on every required store when this returns."""
        with self._refusals(actor, "deposit"), self.organisations.room(submission, submission.originator):
            return self._deposit.deposit(submission, actor=actor)

    def deposit_many(
        self,
        submissions: Iterable[SubmissionObject | ArchiveError],
        *,
        actor: Actor,
        tell: Callable[[Acknowledgement | ArchiveError], None],
    ) -> None:
        """A new preservation object for each submission, in groups that share the durable steps.

        `tell` gets one answer for each, in their order: an acknowledgement, or the error that `deposit`
        would have raised for it; one that was refused before it came here is given as its error. A
        refusal is recorded like any other. An interruption is raised after what was begun is told."""

        def told(answer: Acknowledgement | ArchiveError) -> None:
            if isinstance(answer, ArchiveError):
                self.record_refusal(answer, actor=actor, what="deposit")
            tell(answer)

        with self.organisations.rooms(submissions, told) as (admitted, answered):
            self._deposit.deposit_many(admitted, actor=actor, tell=answered)

    def update(
        self, poid: str, submission: SubmissionObject, *, actor: Actor, follows: int | None = None
    ) -> Acknowledgement:
        """The complete new content of an object as its next version. With `follows` that was made of this version, and
        nothing is stored when another one has come since: `ConcurrentChangeError`."""
        with self._refusals(actor, "update"):
            head = self._row(poid, None, actor)
            with self.organisations.room(submission, head.originator, objects=0):
                return self._deposit.update(poid, submission, actor=actor, follows=follows)

    def preserve(self, *, actor: Actor, only_due: bool = False, progress: Progress = silent) -> list[BatchView]:
        """Close and prove what awaits evidence; see `Preservation.preserve`. What deposits left that lost
        their process is settled first, so that it needs nobody."""
        self.copies.guard()
        self._destruction.settle(actor)
        self._recovery.settle_claims(at=self.clock.now())
        if not only_due:  # the scheduler has a job of its own for this
            with contextlib.suppress(LeaseHeldError):
                self.signatures.examine_again(actor=actor)
        return self._preservation.preserve(actor=actor, only_due=only_due, progress=progress)

    def refresh_validation_data(self) -> Refreshed:
        """Fetch what shows of time-stamps that their certificates were not revoked then, where what came with them
        shows it for a while only; see `Refreshing`. Raises `LeaseHeldError`."""
        self.copies.guard()
        return self.renewing.refreshing.round()

    def destroy(
        self,
        poid: str,
        *,
        reason: str,
        actor: Actor,
        keep_digests: bool = True,
        dry_run: bool = False,
        asked_by: str | None = None,
    ) -> DestructionView:
        """Destroy an object with all its versions, in every store; see `Destruction.destroy`. With `dry_run` nothing
        is changed. `asked_by` is who is said to have asked: personal, so it is kept in the erasable detail of an event
        of its own and nowhere else."""
        if dry_run:
            return self._destruction.plan(poid, reason=reason, keep_digests=keep_digests, originator=actor.originator)
        with self._refusals(actor, "destroy"):
            if asked_by is not None:
                row = self._row(poid, None, actor)
                self._sequencer.record(
                    EventType.ACCESS,
                    Outcome.SUCCESS,
                    "destruction-asked",
                    actor=actor,
                    poid=row.poid,
                    detail={"asked_by": asked_by},
                )
            view = self._destruction.destroy(
                poid, reason=reason, keep_digests=keep_digests, actor=actor, originator=actor.originator
            )
        self.organisations.recount(self._row(poid, None, actor).originator)
        return view

    def place_hold(self, poids: Sequence[str], *, name: str | None = None, reason: str, actor: Actor) -> HoldsView:
        """Put objects under a legal hold: nothing of them is destroyed until it is lifted; see `Holding.place`."""
        with self._refusals(actor, "hold"):
            return self._holding.place(poids, name=name, reason=reason, actor=actor)

    def lift_hold(self, poids: Sequence[str], *, name: str | None = None, reason: str, actor: Actor) -> HoldsView:
        """Lift a legal hold from objects; see `Holding.lift`."""
        with self._refusals(actor, "lift a hold"):
            return self._holding.lift(poids, name=name, reason=reason, actor=actor)

    def legal_holds(self, poids: Sequence[str] | None = None, *, actor: Actor) -> list[LegalHold]:
        """The legal holds that stand, on everything that the actor may see or on some objects."""
        return self._holding.standing(poids, actor=actor)

    def renew(self, request: RenewalRequest, *, actor: Actor, progress: Progress = silent) -> RenewalResult:
        """Renew evidence; see `Renewing.run`."""
        return self.renewing.run(request, actor=actor, progress=progress)

    def flush_trail(self) -> int:
        """Put every recorded event into the trail, unless another process is doing it."""
        return self._sequencer.flush_if_free()

    # -- looking ------------------------------------------------------------------------------

    def objects(self, *, actor: Actor, after: str | None = None, limit: int = 100) -> list[VersionView]:
        """The newest version of each object in deposit order, from behind the POID `after`."""
        return [self._viewing.version(row) for row in self.catalogue.objects(after, limit, actor.originator)]

    def view(self, row: VersionRow) -> VersionView:
        """A version that was found, without its files."""
        return self._viewing.version(row)

    def show(self, poid: str, version: int | None = None, *, actor: Actor) -> VersionView:
        """A version with its files, which versions there are, and the legal holds that the object is under."""
        row = self._row(poid, version, actor)
        listed = [] if row.destroyed else self.catalogue.files(row.poid, row.version)
        files = tuple(map(file_view, listed))
        versions = tuple(other.version for other in self.catalogue.versions(poid))
        return self._viewing.version(row, files, versions, self.catalogue.legal_holds([poid]))

    def file(self, poid: str, version: int | None, path: str, *, actor: Actor) -> FileView:
        """One file of a version, by the depositor's path or its logical path."""
        return file_view(self._content.find(self._living(poid, version, actor), path))

    def trace(self, poid: str, *, actor: Actor) -> list[dict[str, object]]:
        """Every event of an object, in order, with the place in the trail of those that have one; then the
        renewals that its evidence rests on."""
        self._row(poid, None, actor)
        rows = [*self.catalogue.events_of(poid), *renewal_events(self.catalogue, poid)]
        shown = []
        for row in rows:
            detail = detail_of(row)
            shown.append({**event_of(row).to_json(), "seq": row.seq, "detail": dict(detail.detail) if detail else None})
        return shown

    def profiles(self) -> list[PreservationProfile]:
        return self.published.profiles

    # -- giving back --------------------------------------------------------------------------

    def stream_file(
        self,
        poid: str,
        version: int | None,
        path: str,
        *,
        actor: Actor,
        start: int = 0,
        stop: int | None = None,
        met: Callable[[str], None] | None = None,
    ) -> Iterator[bytes]:
        """A file or a range of it, each piece verified before it is handed out. `met` is told each store whose copy
        is found damaged on the way; the bytes then come from another."""
        return self.found_file(poid, version, path, actor=actor)[1](start, stop, met)

    def found_file(
        self, poid: str, version: int | None, path: str, *, actor: Actor
    ) -> tuple[FileView, Callable[[int, int | None, Callable[[str], None] | None], Iterator[bytes]]]:
        """A file, and what streams it as `stream_file` does, of the very version that was found."""
        row = self._living(poid, version, actor)
        file = self._content.find(row, path)

        def streamed(start: int, stop: int | None, met: Callable[[str], None] | None) -> Iterator[bytes]:
            self._disseminated(row, "file", actor)
            return self._content.stream_file(row, file, start=start, stop=stop, met=met)

        return file_view(file), streamed

    def retrieve(
        self,
        poid: str,
        version: int | None,
        out: Path,
        *,
        actor: Actor,
        whole: bool = False,
        progress: Progress = silent,
    ) -> list[Path]:
        """Write a version's documents below `out` under the depositor's paths; with `whole` the
        package as it is stored: `description.json`, `metadata.json`, `data/…`, `chunks/…`.

        Raises `AlreadyExistsError` when a file with other content is in the way. Nothing unverified
        is left there, and nothing at all when something cannot be read."""
        row = self._living(poid, version, actor)
        written = write_tree(out, self._tree(row, whole, progress))
        self._disseminated(row, "whole" if whole else "documents", actor)
        return written

    def contents(self, poid: str, version: int | None, *, actor: Actor, most: int) -> dict[str, bytes]:
        """The package of a version as it is stored, in memory, by logical path (see `retrieve`); raises
        `SizeLimitError` when its files have more than `most` bytes."""
        row = self._living(poid, version, actor)
        if row.size > most:
            raise SizeLimitError(f"{poid} v{row.version} has {row.size} bytes; at most {most} are given", limit=most)
        held = {path: b"".join(pieces) for path, pieces in self._tree(row, True, silent)}
        self._disseminated(row, "whole", actor)
        return held

    def _tree(self, row: VersionRow, whole: bool, progress: Progress) -> Iterator[tuple[str, Iterator[bytes]]]:
        files = self.catalogue.files(row.poid, row.version)
        total = sum(file.size for file in files if whole or file.path.startswith(DATA))
        told = Told(progress, "retrieving", total)
        content = self._content.of(row)
        if whole:
            yield DESCRIPTION, iter([self._content.description(row)])
        for file in files:
            if whole:
                yield file.path, told.passing(file.path, content.stream(file))
            elif file.path.startswith(DATA):
                name = file.path.removeprefix(DATA)
                yield name, told.passing(file.path, content.stream(file))

    def evidence(self, poid: str, version: int | None = None, *, actor: Actor) -> list[EvidenceFile]:
        """The evidence record of every line; `EvidencePendingError` before commit B. Of what was destroyed: the record
        as far as it is covered, while its digests are kept."""
        row = self._row(poid, version, actor)
        files = self._gone.evidence(row) if row.destroyed else evidence_files(self._proofs.proof(row))
        self._disseminated(row, "evidence", actor)
        return files

    def receipt(self, poid: str, version: int | None = None, *, actor: Actor) -> bytes:
        """The sealed receipt as canonical JSON; `EvidencePendingError` before commit B."""
        row = self._living(poid, version, actor)
        made = receipt(self._proofs.proof(row), self.catalogue).to_bytes()
        self._disseminated(row, "receipt", actor)
        return made

    def receipt_as_jws(self, poid: str, version: int | None = None, *, actor: Actor) -> JsonSeal:
        """The receipt sealed once more, now, as a JSON web signature with the receipt inside. Raises as `receipt` and
        `Sealing.seal`."""
        row = self._living(poid, version, actor)
        made = receipt(self._proofs.proof(row), self.catalogue).to_bytes()
        seal = self._sealing.seal_json(made, at=self.clock.now())
        self._disseminated(row, "receipt-jws", actor)
        return seal

    @contextlib.contextmanager
    def sealed_copy(
        self, poid: str, version: int | None, path: str, *, actor: Actor, visible: str | None = None
    ) -> Iterator[SealedCopy]:
        """A sealed copy of a PDF of a version, by the depositor's path; see `SealedCopies.make`."""
        row = self._living(poid, version, actor)
        with contextlib.ExitStack() as until:
            with self._refusals(actor, "sealed-copy"):
                making = self._sealed_copies.make(row, self._content.find(row, path), visible=visible)
                copy = until.enter_context(making)
            self._disseminated(row, "sealed-copy", actor)
            yield copy

    def export(
        self, poid: str, version: int | None, out: BinaryIO, *, actor: Actor, progress: Progress = silent
    ) -> None:
        """Write the bundle of a version to a stream; one that can seek is written in one pass."""
        row = self._living(poid, version, actor)
        self._exporting.export(row, out, progress)
        self._disseminated(row, "bundle", actor)

    def export_asic(
        self, poid: str, version: int | None, out: BinaryIO, *, actor: Actor, progress: Progress = silent
    ) -> None:
        """Write an ASiC-E container of a version with its evidence records, as `export` writes the bundle."""
        row = self._living(poid, version, actor)
        self._exporting.export_asic(row, out, progress)
        self._disseminated(row, "asic-e", actor)

    # -- proving ------------------------------------------------------------------------------

    def verify(self, poid: str, version: int | None = None, *, actor: Actor) -> Report:
        """Prove one version anew from stored bytes."""
        row = self._row(poid, version, actor)
        report = self._assess(row, self.clock.now())
        self._validated(row, report, actor)
        return report

    def judge_evidence(
        self, record: bytes, data: Sequence[DataObject], *, poid: str | None, version: int | None, actor: Actor
    ) -> Report:
        """Judge an evidence record that was handed in; see `Assessment.judge`. With a POID it is said to be of that
        version, which must be there to be seen."""
        row = self._row(poid, version, actor) if poid is not None else None
        report = self._assessment.judge(record, data, row, at=self.clock.now())
        self._validated(row, report, actor)
        return report

    def verify_all(self, *, actor: Actor, progress: Progress = silent) -> Iterator[tuple[str, int, Report | None]]:
        """Prove every evidenced version; None stands for one that is not evidenced yet."""
        return self._mass_verification.run(actor=actor, at=self.clock.now(), progress=progress)

    def verify_trail(self, *, actor: Actor, progress: Progress = silent) -> AuditResult:
        """The whole trail proven anew, in every store and in the catalogue; see `TrailVerification`."""
        result = self._trail_verification.run(progress=progress)
        self._audited(result, "trail-findings", actor)
        return result

    def audit(self, *, actor: Actor, reconcile: bool = False, progress: Progress = silent) -> AuditResult:
        """Every byte of every copy and all evidence. With `reconcile` the catalogue is first put right by what the
        stores say; see `Reconciling`."""
        before = self._reconciling.run(at=self.clock.now(), progress=progress) if reconcile else AuditResult()
        result = self._audit.run(at=self.clock.now(), progress=progress)
        result.notes[:0] = before.notes
        result.findings += [entry for entry in before.findings if entry not in result.findings]
        self._sequencer.record_all(self._damage_found(result, actor))
        self._audited(result, "findings", actor)
        return result

    def _audited(self, result: AuditResult, code: str, actor: Actor) -> None:
        self._sequencer.record(
            EventType.AUDIT,
            Outcome.FAILURE if result.findings else Outcome.SUCCESS,
            f"{code}-{len(result.findings)}",
            actor=actor,
            detail={"checked": result.checked, "findings": brief(result.findings)},
        )

    def _damage_found(self, result: AuditResult, actor: Actor) -> list[EventRow]:
        known = self.catalogue.known_objects(poid for _, poid in damaged_objects(result))
        return damage_events(result, known, at=self.clock.now(), actor=actor)

    def repair(
        self, poids: Sequence[str] = (), *, dry_run: bool = False, actor: Actor, progress: Progress = silent
    ) -> RepairResult:
        """Put right what is damaged or missing in any store, or of these objects alone; see `Repair.run`."""
        return self._repair.run(
            poids,
            dry_run=dry_run,
            at=self.clock.now(),
            actor=actor,
            damage=lambda result: self._damage_found(result, actor),
            progress=progress,
        )

    # -- running ------------------------------------------------------------------------------

    def status(self, *, actor: Actor) -> dict[str, object]:
        """How the archive is, for people and machines."""
        return self._standing.status(actor=actor)

    def health(self) -> dict[str, object]:
        """This process answers; nothing else is asked."""
        return {"status": "ok"}

    def ready(self) -> dict[str, object]:
        """Catalogue and every store answer; raises `UnavailableError` naming what does not."""
        return self._standing.ready()

    def run_jobs(self) -> int:
        """Do waiting jobs; for the scheduler."""
        return self._jobs.run_waiting()

    def backed_up(self, digest: str, *, actor: Actor) -> None:
        """A backup was made whose SHA-512 (hexadecimal) is this: the trail keeps it."""
        self._sequencer.record(EventType.BACKUP, Outcome.SUCCESS, "backup", actor=actor, subject=digest)

    def release(self, *, actor: Actor) -> None:
        """A restored archive may be written to again; that its marks agree is the caller's to know."""
        release(self.catalogue)
        self._sequencer.record(EventType.RECOVERY, Outcome.SUCCESS, "restored", actor=actor)

    def start_verification(self, poids: Sequence[str] | None, *, actor: Actor) -> JobRow:
        return self._jobs.start(poids, actor=actor)

    def job(self, job_id: str, *, actor: Actor) -> JobRow:
        return self._jobs.job(job_id, actor=actor)

    def try_seal(self) -> SealAssessment:
        """Seal something that is kept nowhere, and judge the seal; for `doctor`."""
        at, content = self.clock.now(), b"trusted-archive doctor"
        seal = self._sealer.seal(content, at=at)
        return self._seal_validator.assess_seal(seal.der, content, at=at, data=seal.validation_data)

    # -- keys ---------------------------------------------------------------------------------

    def create_key(
        self,
        *,
        label: str,
        role: str,
        originator: str | None,
        actor: Actor,
        expires: datetime | None = None,
        scopes: Sequence[str] | None = None,
        rate_per_minute: int | None = None,
    ) -> tuple[KeyRow, str]:
        """A new key and its secret, which is never shown again; see `Keys.create`."""
        return self._keys.create(
            label=label,
            role=role,
            originator=originator,
            actor=actor,
            expires=expires,
            scopes=scopes,
            rate_per_minute=rate_per_minute,
        )

    def rotate_key(self, key_id: str, *, overlap: timedelta = OVERLAP, actor: Actor) -> tuple[KeyRow, KeyRow, str]:
        """The key that ends after the overlap, the one that follows it, and the secret of that."""
        return self._keys.rotate(key_id, overlap=overlap, actor=actor)

    def key(self, key_id: str, *, actor: Actor) -> KeyRow:
        return self._keys.get(key_id, actor=actor)

    def keys(self, *, actor: Actor | None = None) -> list[KeyRow]:
        """All keys that the actor may see; without one all there are."""
        return self._keys.list(actor=actor)

    def is_good_key(self, row: KeyRow) -> bool:
        """Whether the key opens anything now."""
        return self._keys.is_good(row)

    def revoke_key(self, key_id: str, *, actor: Actor) -> KeyRow:
        return self._keys.revoke(key_id, actor=actor)

    def authenticate(self, secret: str) -> Actor:
        """Who presents this key, or this token of a person."""
        if self.people.welcome and looks_like_token(secret):
            return self.people.authenticate(secret)
        return self._keys.authenticate(secret)

    def stood_for(self, key_id: str) -> Actor:
        """Who comes with something else that stands for this key: see `Keys.stood_for`."""
        return self._keys.stood_for(key_id)

    # -- events -------------------------------------------------------------------------------

    def record_refusal(self, error: ArchiveError, *, actor: Actor, what: str) -> None:
        """A request that was refused is an event, with the reason in the erasable detail; that a held object was to be
        destroyed is one of the object's own."""
        held = error.facts.get("poid") if isinstance(error, UnderLegalHoldError) else None
        self._sequencer.record(
            EventType.REFUSAL,
            Outcome.FAILURE,
            error.code,
            actor=actor,
            poid=held if isinstance(held, str) else None,
            detail={"what": what, "message": str(error)[:2000]},
        )

    @contextlib.contextmanager
    def _refusals(self, actor: Actor, what: str) -> Iterator[None]:
        try:
            yield
        except ArchiveError as error:
            self.record_refusal(error, actor=actor, what=what)
            raise

    def _on_damage(self, store: str, what: str, error: ArchiveError) -> None:
        poid, version = about(what)
        if poid is not None and self.catalogue.tombstone(poid) is not None:
            return  # whoever was reading it when it was destroyed found it missing: that is no damage
        self._sequencer.record(
            EventType.FIXITY_CHECK,
            Outcome.FAILURE,
            error.code,
            actor=SYSTEM,
            poid=poid,
            version=version,
            subject=f"store-{store}",
            detail={"what": what[:1000], "message": str(error)[:2000]},
        )

    def _disseminated(self, row: VersionRow, code: str, actor: Actor) -> None:
        self._sequencer.record(
            EventType.DISSEMINATION, Outcome.SUCCESS, code, actor=actor, poid=row.poid, version=row.version
        )

    def _validated(self, row: VersionRow | None, report: Report, actor: Actor) -> None:
        self._sequencer.record(
            EventType.VALIDATION,
            Outcome.SUCCESS if report.verdict is Verdict.PASSED else Outcome.FAILURE,
            str(report.sub_indication or report.verdict),
            actor=actor,
            poid=row.poid if row else None,
            version=row.version if row else None,
        )

    # -- views --------------------------------------------------------------------------------

    def _row(self, poid: str, version: int | None, actor: Actor) -> VersionRow:
        return self.catalogue.version(poid, version, actor.originator)

    def _living(self, poid: str, version: int | None, actor: Actor) -> VersionRow:
        """As `_row`; raises `ObjectDestroyedError` for what is gone, `InQuarantineError` for what is set aside."""
        row = self._row(poid, version, actor)
        require_living(row)
        require_released(self.catalogue, row, actor)
        return row

    def _assess(self, row: VersionRow, at: datetime) -> Report:
        return self._gone.assess(row, at=at) if row.destroyed else self._assessment.assess(row, at=at)

    def close(self) -> None:
        """Finish what is being written and give up connections."""
        self.copies.close()
        self.catalogue.close()
