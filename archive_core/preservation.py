"""Use case: gives evidence to what awaits it; batch, tree, statement, seal, and then a stamp (`stamping`).

The rules preservation follows
 * The trail is sequenced first, so that its head in the statement covers the deposits of the batch.
 * A batch is on every store, sealed, before a TSA is asked; a batch that lost its process there is
   found again (in the catalogue, or in the stores under the number it claimed) and stamped.
 * A batch number is claimed by writing the batch object: put-if-absent decides between two processes.
   While one waits for an authority that is away, no further batch is formed that needs it.
 * While the seal key gives no seal, what awaits evidence waits, and the key is asked again after a while.
 * One process at a time forms and stamps (a lease); a lost lease stops it before the next durable step.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime

from archive_core.admission import CONTENT_DIGEST
from archive_core.batch import BatchLine, FormedBatch, formed_package
from archive_core.batch_reading import read_batch_from
from archive_core.catalogue.catalogue import Catalogue
from archive_core.catalogue.rows import BatchRow, LineRow
from archive_core.digests import Digest
from archive_core.errors import (
    AlreadyExistsError,
    ArchiveError,
    ConcurrentChangeError,
    SealKeyUnavailableError,
    SettingsError,
)
from archive_core.evidence.derivation import DERIVATION_VERSION
from archive_core.evidence.hash_tree import HashTree
from archive_core.holding import Holder
from archive_core.identifiers import BATCH, system_object
from archive_core.leaves import READ_BACK, Leaves, from_catalogue, from_stores, may_come_from_catalogue
from archive_core.lifecycle import Actor, BatchView
from archive_core.list_snapshots import ListSnapshots
from archive_core.ports import Clock, Seal, TimestampAuthority, TimestampValidator
from archive_core.publishing import Published
from archive_core.receipts import Named, Root, Statement
from archive_core.replication import Copies, DamageListener
from archive_core.sealing import Sealing
from archive_core.sequencer import Sequencer
from archive_core.settling import settle
from archive_core.stamping import Round, Stamping
from archive_core.trail.events import EventType, Outcome
from policies.profiles import PreservationProfile, is_batch_due

Progress = Callable[[str, int, int | None], None]
"""Told what is being done, how far it is, and how far it goes if that is known."""

PATIENCE = 60.0
"""Seconds that `preserve` waits for another process that does the same."""

MAX_MEMBERS = 1_000_000
"""Objects in one batch: its tree is held in memory (about 130 MB at SHA-512)."""


class Preservation:
    """The evidence of what was deposited, batch by batch."""

    def __init__(
        self,
        *,
        clock: Clock,
        catalogue: Catalogue,
        copies: Copies,
        authorities: Mapping[str, TimestampAuthority],
        trust_classes: Mapping[str, str],
        validator: TimestampValidator,
        sealer: Sealing,
        sequencer: Sequencer,
        holder: Holder,
        published: Published,
        on_damage: DamageListener,
        instead: Mapping[str, Sequence[str]] | None = None,
        lists: ListSnapshots | None = None,
    ) -> None:
        self._lists = lists
        self._clock = clock
        self._catalogue = catalogue
        self._copies = copies
        self._authorities = authorities
        self._trust_classes = trust_classes
        self._sealer = sealer
        self._sequencer = sequencer
        self._holder = holder
        self._published = published
        self._on_damage = on_damage
        self._stamping = Stamping(
            clock=clock,
            catalogue=catalogue,
            copies=copies,
            authorities=authorities,
            validator=validator,
            sequencer=sequencer,
            holder=holder,
            published=published,
            on_damage=on_damage,
            trust_classes=trust_classes,
            instead=instead or {},
            lists=lists,
        )

    def preserve(self, *, actor: Actor, only_due: bool, progress: Progress) -> list[BatchView]:
        """Stamp what is sealed, then close and stamp every open batch (with `only_due`, those that
        their profile says are due). Another process that does the same is waited for, unless only
        what is due was asked for; raises `LeaseHeldError` when it takes too long.

        A batch that cannot be formed or stamped for now is reported with its error; the others go on.
        With `only_due`, an authority that failed lately is left alone for a while, and so is what waits
        for it.
        """
        with self._holder.hold("evidence", patience=0 if only_due else PATIENCE):
            round_ = Round(patient=only_due)
            self._adopt_claimed()
            views = [self._finish(number, actor, round_, progress) for number in self._to_finish(round_)]
            done: set[tuple[str, str | None]] = set()
            while waiting := [one for one in self._open_batches(only_due) if (one[0].id, one[1]) not in done]:
                profile, originator = waiting[0]
                if self._is_held_back(profile, round_) or (only_due and self._sealer.waits(self._clock.now())):
                    done.add((profile.id, originator))
                    continue
                try:
                    number = self._form(profile, originator, progress)
                except ArchiveError as problem:
                    done.add((profile.id, originator))
                    self._failed(problem, actor, profile)
                    views.append(BatchView(0, profile.id, 0, None, False, str(problem)))
                    continue
                if number is not None:
                    views.append(self._finish(number, actor, round_, progress))
        return views

    def _to_finish(self, round_: Round) -> list[int]:
        numbers = [row.number for row in self._catalogue.unfinished_batches()]
        return [number for number in numbers if not (round_.patient and self._stamping.is_waiting(number, round_))]

    def _finish(self, number: int, actor: Actor, round_: Round, progress: Progress) -> BatchView:
        progress("stamping", number, None)
        return self._stamping.finish(number, actor, round_)

    def _is_held_back(self, profile: PreservationProfile, round_: Round) -> bool:
        """Whether a sealed batch waits already for an authority that this profile needs and that is away:
        then what is deposited meanwhile goes into one batch later, and costs one time-stamp."""
        away = set(self._stamping.away({line.tsa for line in profile.lines}, round_))
        needed = (
            line.tsa for row in self._catalogue.unfinished_batches() for line in self._catalogue.lines(row.number)
        )
        return bool(away) and not away.isdisjoint(needed)

    def _failed(self, problem: ArchiveError, actor: Actor, profile: PreservationProfile) -> None:
        self._sequencer.record(
            EventType.SEALING,
            Outcome.FAILURE,
            problem.code,
            actor=actor,
            subject=f"profile-{profile.id}",
            detail={"message": str(problem)[:2000]},
        )

    # -- forming ------------------------------------------------------------------------------

    def _open_batches(self, only_due: bool) -> list[tuple[PreservationProfile, str | None]]:
        """Open batches are keyed by profile, and by originator where the profile does not share."""
        at = self._clock.now()
        waiting: dict[tuple[str, str | None], tuple[int, datetime]] = {}
        for profile_id, originator, number, received in self._catalogue.awaiting_groups():
            profile = self._published.profile(profile_id)
            key = (profile.id, None if profile.batch.shared else originator)
            count, oldest = waiting.get(key, (0, received))
            waiting[key] = (count + number, min(oldest, received))
        return [
            (self._published.profile(profile_id), originator)
            for (profile_id, originator), (number, oldest) in sorted(waiting.items(), key=lambda item: item[1][1])
            if not only_due or is_batch_due(self._published.profile(profile_id), number, oldest, at)
        ]

    def _form(self, profile: PreservationProfile, originator: str | None, progress: Progress) -> int | None:
        """A sealed batch on every store and in the catalogue; its number. None when another process
        had taken that number: its batch was adopted, and who awaits evidence is another question now.
        """
        at = self._clock.now()
        lines = self._lines(profile, at)
        # Before the members are chosen: whoever enters a batch in between takes this number, and is met there. With
        # a number of afterwards the same members could lie in two batches on the stores.
        last = self._catalogue.last_batch()
        leaves = self._leaves(profile, originator, lines, progress)
        # After the members are chosen, so that the trail's head covers the deposit of each of them.
        self._sequencer.flush()
        batch = self._seal(profile, lines, leaves, last, at)
        self._holder.renew()
        try:
            self._copies.replicate_in_turn(formed_package(batch, batch.statement.time))
        except (AlreadyExistsError, ConcurrentChangeError):
            if not self._adopt_claimed():
                raise
            return None
        self._enter(batch, originator)
        return batch.number

    def _leaves(
        self,
        profile: PreservationProfile,
        originator: str | None,
        lines: Sequence[BatchLine],
        progress: Progress,
    ) -> Leaves:
        limit = min(MAX_MEMBERS, profile.batch.close_at_count)
        if limit > READ_BACK and may_come_from_catalogue(lines):
            rows = self._catalogue.awaiting_evidence(profile.id, originator, READ_BACK + 1)
            if len(rows) > READ_BACK:
                return from_catalogue(self._catalogue, profile.id, originator, limit, lines, progress)
        else:
            rows = self._catalogue.awaiting_evidence(profile.id, originator, limit)
        return from_stores(rows, lines, self._copies, self._on_damage, progress)

    def _seal(
        self,
        profile: PreservationProfile,
        lines: tuple[BatchLine, ...],
        leaves: Leaves,
        last: BatchRow | None,
        at: datetime,
    ) -> FormedBatch:
        trees = {line.line: HashTree.build(line.digest, leaves.by_line[line.line]) for line in lines}
        statement = self._statement(profile, lines, trees, len(leaves.members), last, at)
        data = statement.to_bytes()
        seal = self._sealer.seal(data, at=at)
        if profile.qualified_seal:
            self._require_qualified(profile, seal, statement.batch, at)
        return FormedBatch(
            number=statement.batch,
            members=leaves.members,
            lines=lines,
            trees=trees,
            statement_bytes=data,
            statement=statement,
            seal=seal.der,
            seal_data=seal.validation_data,
        )

    def _require_qualified(self, profile: PreservationProfile, seal: Seal, batch: int, at: datetime) -> None:
        """Raises `SettingsError` when the profile demands qualified seals and this is none, `SealKeyUnavailableError`
        when a stale list cannot say; what the lists said is an event."""
        if self._lists is None:
            raise SettingsError(f"the profile {profile.id} demands qualified seals, and no trusted lists are asked")
        answer = self._lists.seal(seal.der, at=at, data=seal.validation_data)
        if answer.qualified is None:
            raise SealKeyUnavailableError(f"whether the seal is a qualified one cannot be said: {answer.reason}")
        if not answer.qualified:
            raise SettingsError(
                f"the profile {profile.id} demands qualified seals, and the seal key makes none: {answer.reason}"
            )
        self._sequencer.record(
            EventType.SEALING,
            Outcome.SUCCESS,
            "qualified",
            actor=Actor("preservation", "operator"),
            subject=f"batch-{batch}",
            detail=dict(answer.facts),
        )

    def _lines(self, profile: PreservationProfile, at: datetime) -> tuple[BatchLine, ...]:
        """The profile's lines; raises `SettingsError` when one cannot give what the profile promises."""
        if weak := profile.weak_lines(self._published.algorithms, at=at):
            raise SettingsError(f"the profile {profile.id} may not be used for new evidence: {weak[0]}")
        lines = []
        for rule in profile.lines:
            trust_class = self._trust_classes.get(rule.tsa)
            if trust_class is None or rule.tsa not in self._authorities:
                raise SettingsError(f"the profile {profile.id} asks for the TSA {rule.tsa}: add it to the settings")
            if not rule.accepts_trust(trust_class):
                raise SettingsError(
                    f"the profile {profile.id} asks for {rule.trust_class_required} time-stamps; "
                    f"the TSA {rule.tsa} gives {trust_class} ones"
                )
            lines.append(BatchLine(rule.name, rule.digest, rule.tsa, trust_class))
        return tuple(lines)

    def _statement(
        self,
        profile: PreservationProfile,
        lines: Sequence[BatchLine],
        trees: Mapping[str, HashTree],
        count: int,
        last: BatchRow | None,
        at: datetime,
    ) -> Statement:
        trail = self._catalogue.last_segment()
        if trail is None:
            raise ArchiveError("there are objects to evidence but no trail of their deposit")
        return Statement(
            batch=last.number + 1 if last else 1,
            previous=(last.number, last.statement_digest) if last else None,
            leaf_count=count,
            roots={line.line: Root(line.digest, trees[line.line].root) for line in lines},
            trail_size=trail.size,
            trail_head=bytes.fromhex(trail.head),
            profile=Named(profile.id, Digest.of(CONTENT_DIGEST, profile.source).hex),
            algorithms=Named(
                self._published.algorithms.id, Digest.of(CONTENT_DIGEST, self._published.algorithms.source).hex
            ),
            derivation_version=DERIVATION_VERSION,
            time=at,
            test_trust=self._sealer.in_force(at).test_trust
            or any(self._authorities[line.tsa].test_trust for line in lines),
        )

    def _enter(self, batch: FormedBatch, originator: str | None) -> None:
        row, lines = batch_rows(batch, originator)
        self._catalogue.enter_batch(row, lines, batch.members)

    def _adopt_claimed(self) -> bool:
        """Enter batches that the stores hold under numbers that the catalogue does not know yet: what
        a process left that died between the two. True when there was one."""
        adopted = False
        while True:
            number = self._catalogue.next_batch_number()
            source, _ = settle(self._copies, system_object(BATCH, number), self._holder.renew)
            if source is None:
                return adopted
            stored = read_batch_from(source, number)
            self._enter(stored.formed, self._originator_of(stored.formed))
            adopted = True

    def _originator_of(self, batch: FormedBatch) -> str | None:
        if self._published.profile(batch.statement.profile.id).batch.shared:
            return None
        poid, version = batch.members[0]
        return self._catalogue.version(poid, version).originator


def batch_rows(batch: FormedBatch, originator: str | None) -> tuple[BatchRow, list[LineRow]]:
    """The catalogue's rows of a formed batch: nothing in them that the stores do not say."""
    statement = batch.statement
    row = BatchRow(
        number=batch.number,
        storage_object=batch.object_id,
        profile=statement.profile.id,
        originator=originator,
        formed_at=statement.time,
        leaf_count=statement.leaf_count,
        statement_digest=Digest.of(CONTENT_DIGEST, batch.statement_bytes).hex,
        previous_batch=statement.previous[0] if statement.previous else None,
        derivation_version=statement.derivation_version,
        trail_size=statement.trail_size,
        test_trust=statement.test_trust,
    )
    return row, [
        LineRow(batch=batch.number, line=line.line, digest=line.digest, tsa=line.tsa, trust_class=line.trust_class)
        for line in batch.lines
    ]
