"""Gets the time-stamps of a sealed batch, and keeps them: its version 2 on every store, commit B.

The rules stamping follows
 * A batch is brought to one state on all stores before it is stamped: a token that an interrupted round
   left on one store alone goes to the others first, and is not asked for again.
 * No token becomes evidence that `obtaining` does not accept.
 * Lines are independent: what one authority gave is kept while another is away.
 * Where one gives nothing, those are asked that the settings name in its place, in their order; never one that
   stamps another line of the batch. Who stamped a line stands in the line's file of the version with the token.
 * What came and is on no store yet waits in the catalogue (`waiting_tokens`): an authority is not paid twice because a
   revocation list could not be fetched, or a store was away.
 * An authority that fails is left alone for a while (`outages`).
 * Commit B writes the batch's row and its stamps, never a row per document.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime

from archive_core import canonical
from archive_core.batch import (
    BatchLine,
    FormedBatch,
    line_path,
    qualified_path,
    stamped_files,
    stamped_package,
    token_path,
)
from archive_core.batch_reading import Known, StoredBatch, read_batch, verify_stamped_roots
from archive_core.catalogue.catalogue import Catalogue
from archive_core.catalogue.rows import LineRow, StampRow
from archive_core.digests import Digest
from archive_core.errors import (
    ArchiveError,
    CatalogueUnavailableError,
    ConcurrentChangeError,
    EvidenceBrokenError,
    SettingsError,
    TimestampAuthorityUnavailableError,
    TimestampPendingError,
    TimestampRefusedError,
    UnavailableError,
    UnknownObjectError,
)
from archive_core.findings import Verdict
from archive_core.holding import Holder
from archive_core.identifiers import BATCH, system_object
from archive_core.lifecycle import Actor, BatchView
from archive_core.list_snapshots import ListSnapshots
from archive_core.obtaining import AsksQualified, Obtained, accepted, obtain
from archive_core.outages import Outages
from archive_core.ports import Clock, TimestampAuthority, TimestampValidator
from archive_core.publishing import Published
from archive_core.renewal.facts import facts_of
from archive_core.replication import Copies, DamageListener
from archive_core.sequencer import Sequencer
from archive_core.settling import settle
from archive_core.trail.events import EventType, Outcome
from archive_core.waiting_tokens import WaitingTokens


@dataclass(slots=True)
class Round:
    """One round of preservation. With `patient`, authorities in an outage are left alone until their wait
    is over; `failed` are those that were asked in this round and gave nothing."""

    patient: bool
    failed: set[str] = field(default_factory=set)


class Stamping:
    """Tokens for sealed batches."""

    def __init__(
        self,
        *,
        clock: Clock,
        catalogue: Catalogue,
        copies: Copies,
        authorities: Mapping[str, TimestampAuthority],
        validator: TimestampValidator,
        sequencer: Sequencer,
        holder: Holder,
        published: Published,
        on_damage: DamageListener,
        trust_classes: Mapping[str, str],
        instead: Mapping[str, Sequence[str]],
        lists: ListSnapshots | None = None,
    ) -> None:
        """`instead` are the authorities that are asked in the place of another one, by its name; `lists` are asked
        where a profile demands qualified time-stamps."""
        self._lists = lists
        self._trust_classes = trust_classes
        self._instead = instead
        self._clock = clock
        self._catalogue = catalogue
        self._copies = copies
        self._authorities = authorities
        self._validator = validator
        self._sequencer = sequencer
        self._holder = holder
        self._published = published
        self._on_damage = on_damage
        self._outages = Outages(catalogue)
        self._waiting = WaitingTokens(catalogue)
        self._tried: set[int] = set()

    # -- who may be asked ---------------------------------------------------------------------

    def away(self, authorities: Collection[str], round_: Round) -> list[str]:
        """Those of the authorities that are not to be asked now, and none in their place."""
        return [tsa for tsa in authorities if all(self._rests(one, round_) for one in self._in_order(tsa))]

    def _in_order(self, tsa: str) -> list[str]:
        """An authority and those in its place."""
        return [tsa, *(one for one in self._instead.get(tsa, ()) if one in self._authorities)]

    def _rests(self, tsa: str, round_: Round) -> bool:
        if tsa in round_.failed:
            return True
        outage = self._outages.of(tsa) if round_.patient else None
        return outage is not None and outage.waits(self._clock.now())

    def is_waiting(self, number: int, round_: Round) -> bool:
        """Whether there is nothing to be done for a batch but to wait: this process has asked whom it
        could, and somebody it needs is to be left alone."""
        return number in self._tried and bool(self.away(self._needed(number), round_))

    def _needed(self, number: int) -> set[str]:
        return {line.tsa for line in self._catalogue.lines(number)}

    # -- one batch ----------------------------------------------------------------------------

    def finish(self, number: int, actor: Actor, round_: Round) -> BatchView:
        """Bring a sealed batch to commit B, or say in the view why that is not possible for now."""
        error = None
        try:
            settle(self._copies, system_object(BATCH, number), self._holder.renew)
            known = Known.of(self._catalogue, number)
            stored = read_batch(self._copies, number, self._on_damage, known=known)
            self._complete(self._stamped(stored, actor, round_))
            self._tried.discard(number)
        except ArchiveError as problem:
            self._tried.add(number)
            self._sequencer.record(
                EventType.TIMESTAMP_ACQUISITION,
                Outcome.FAILURE,
                problem.code,
                actor=actor,
                subject=f"batch-{number}",
                detail={"message": str(problem)[:2000]},
            )
            error = str(problem)
        row = self._catalogue.batch(number)
        return BatchView(number, row.profile, row.leaf_count, row.evidenced_at, row.test_trust, error)

    def _stamped(self, stored: StoredBatch, actor: Actor, round_: Round) -> StoredBatch:
        """Ask for every missing token; keep those that came, and raise the first error afterwards."""
        obtained: dict[str, Obtained] = {}
        problem: ArchiveError | None = None
        for line in stored.unstamped:
            self._holder.renew()
            taken = {one.tsa for one in stored.formed.lines if one.line != line.line}
            taken |= {one.stamp.tsa for one in obtained.values()}
            try:
                obtained[line.line] = self._ask(stored.formed, line, round_, taken)
            except ArchiveError as error:
                problem = problem or error
        if obtained:
            self._holder.renew()  # asking may have taken long
            stored = self._keep(stored, obtained)
            for name in obtained:
                self._waiting.forget(_waiting_name(stored.formed.number, name))
            for name, one in obtained.items():
                self._sequencer.record(
                    EventType.TIMESTAMP_ACQUISITION,
                    Outcome.SUCCESS,
                    f"line-{name}",
                    actor=actor,
                    subject=f"batch-{stored.formed.number}",
                    detail={"tsa": one.stamp.tsa},
                )
        if problem:
            raise problem
        verify_stamped_roots(stored, self._copies.names[0])
        return stored

    def _ask(self, batch: FormedBatch, line: BatchLine, round_: Round, taken: Collection[str]) -> Obtained:
        """The first time-stamp that one of the line's authorities gives; what the first of them said otherwise. An
        answer that waits to be judged was paid for: nobody else is asked meanwhile."""
        problem: ArchiveError | None = None
        waits = self._waiting.tsa(_waiting_name(batch.number, line.line))
        for tsa in sorted(self._in_order(line.tsa), key=lambda one: one != waits):
            if tsa != line.tsa and tsa in taken:
                continue
            try:
                return self._ask_one(tsa, batch, line, round_)
            except (CatalogueUnavailableError, TimestampPendingError):
                raise
            except UnavailableError as error:
                problem = problem or error
        assert problem is not None  # the line's own was asked, and did not give one
        raise problem

    def _ask_one(self, tsa: str, batch: FormedBatch, line: BatchLine, round_: Round) -> Obtained:
        if self._rests(tsa, round_):
            outage = self._outages.of(tsa)
            why = f": {outage.message}" if outage else ""
            raise TimestampAuthorityUnavailableError(f"{tsa} is not asked again yet{why}", tsa=tsa)
        try:
            obtained = self._obtain(tsa, batch, line)
        except CatalogueUnavailableError:
            raise  # no fault of the authority
        except UnavailableError as error:
            round_.failed.add(tsa)
            self._outages.failed(tsa, error, self._clock.now())
            raise
        self._outages.answered(tsa)
        return obtained

    def _obtain(self, tsa: str, batch: FormedBatch, line: BatchLine) -> Obtained:
        authority = self._authorities.get(tsa)
        if authority is None:
            raise SettingsError(f"the TSA {tsa} is no longer in the settings")
        name, root = _waiting_name(batch.number, line.line), batch.stamped_root(line)
        accepts_test = self._published.profile(batch.statement.profile.id).accepts_test_trust
        if (waited := self._waiting.token(name, root, authority)) is not None:
            try:
                return accepted(
                    authority,
                    waited,
                    root,
                    asked=None,
                    accepts_test=accepts_test,
                    validator=self._validator,
                    clock=self._clock,
                    qualified=self._demanded(batch, line),
                )
            except TimestampRefusedError:
                self._waiting.forget(name)
        try:
            return obtain(
                authority,
                root,
                accepts_test=accepts_test,
                validator=self._validator,
                clock=self._clock,
                keep=lambda token: self._waiting.keep(name, token),
                qualified=self._demanded(batch, line),
            )
        except TimestampRefusedError:
            self._waiting.forget(name)
            raise

    def _demanded(self, batch: FormedBatch, line: BatchLine) -> AsksQualified | None:
        """Who says whether a time-stamp of this line is a qualified one, where the profile demands that."""
        profile = self._published.profile(batch.statement.profile.id)
        if not any(rule.name == line.line and rule.trust_class_required == "qualified" for rule in profile.lines):
            return None
        if (lists := self._lists) is None:
            raise SettingsError(
                f"the profile {profile.id} demands qualified time-stamps, and no trusted lists are asked"
            )
        return lambda token, data: lists.timestamp(token, at=self._clock.now(), data=data)

    def _keep(self, stored: StoredBatch, obtained: Mapping[str, Obtained]) -> StoredBatch:
        """The batch with the tokens, which every store has read back. What was there before is read once, not
        again for this: trees and members may be hundreds of megabytes."""
        previous = self._copies.inventory(stored.formed.object_id, self._on_damage)
        if previous.head_number != stored.ocfl_version:
            raise ConcurrentChangeError(f"batch {stored.formed.number} was changed while its time-stamp was asked for")
        files = stamped_files({line: (one.stamp, one.data) for line, one in obtained.items()})
        for line in stored.formed.lines:
            if line.line in obtained and (tsa := obtained[line.line].stamp.tsa) != line.tsa:
                given = replace(line, tsa=tsa, trust_class=self._trust_classes[tsa])
                files[line_path(line.line)] = given.to_bytes()
        for name, one in obtained.items():
            if one.qualified is not None:
                files[qualified_path(name)] = canonical.write(dict(one.qualified.facts))
        package = stamped_package(previous, files, at=self._clock.now())
        self._copies.replicate_in_turn(package)
        return stored.with_stamps(files, package.inventory)

    def _complete(self, stored: StoredBatch) -> None:
        at = self._clock.now()
        for line in stored.formed.lines:  # some may come from the stores and not from this round
            data = stored.token_data[line.line]
            assessed = self._validator.assess(stored.tokens[line.line], at=at, data=data)
            if assessed.verdict is not Verdict.PASSED or assessed.imprint != stored.formed.stamped_root(line):
                raise EvidenceBrokenError(
                    f"the time-stamp that is kept for the line {line.line} of batch {stored.formed.number} proves "
                    f"nothing: {assessed.verdict} {assessed.message}"
                )
        stamps = stamp_rows(stored, self._validator, at=at)
        number = stored.formed.number
        formed_for = {row.line: row.tsa for row in self._catalogue.lines(number)}
        given_by = [
            LineRow(batch=number, line=line.line, digest=line.digest, tsa=line.tsa, trust_class=line.trust_class)
            for line in stored.formed.lines
            if formed_for[line.line] != line.tsa
        ]
        self._catalogue.complete_batch(number, min(stamp.gen_time for stamp in stamps), stamps, given_by)


def _waiting_name(batch: int, line: str) -> str:
    return f"batch-token:{batch}:{line}"


def stamp_rows(stored: StoredBatch, validator: TimestampValidator, *, at: datetime) -> list[StampRow]:
    """The rows of a batch's initial stamps; raises `UnknownObjectError` when a line has none and
    `TimestampRefusedError` when a token cannot even be read."""
    if stored.unstamped:
        raise UnknownObjectError(f"batch {stored.formed.number} is not stamped on every line")
    return [_stamp_row(stored, line, validator, at) for line in stored.formed.lines]


def _stamp_row(stored: StoredBatch, line: BatchLine, validator: TimestampValidator, at: datetime) -> StampRow:
    token = stored.tokens[line.line]
    assessed = validator.assess(token, at=at, data=stored.token_data[line.line])
    if assessed.gen_time is None:
        raise TimestampRefusedError(f"the token of batch {stored.formed.number} cannot be read: {assessed.message}")
    # How long it is trusted follows from the token alone, whenever it is asked: as of its own time.
    then = validator.assess(token, at=assessed.gen_time, data=stored.token_data[line.line])
    path = token_path(line.line)
    return StampRow(
        batch=stored.formed.number,
        line=line.line,
        chain=0,
        position=0,
        digest=line.digest,
        gen_time=assessed.gen_time,
        storage_object=stored.formed.object_id,
        ocfl_path=stored.content_paths[path],
        token_digest=Digest.of("sha512", token).hex,
        trusted_until=then.trusted_until,
        facts=facts_of(then),
    )
