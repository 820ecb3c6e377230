"""Use case: gives evidence to what awaits it; batch, tree, statement, seal, stamp, commit B.

The rules preservation follows
 * The trail is sequenced first, so that its head in the statement covers the deposits of the batch.
 * A batch is on every store, sealed, before a TSA is asked; a batch that lost its process there is
   found again (in the catalogue, or in the stores under the number it claimed) and stamped.
 * A batch number is claimed by writing the batch object: put-if-absent decides between two processes.
 * No token becomes evidence that the validator does not call PASSED over exactly the root asked for.
 * Commit B writes the batch's row and its stamps, never a row per document.
 * One process at a time forms and stamps (a lease); a lost lease stops it before the next durable step.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime

from archive_core.admission import CONTENT_DIGEST
from archive_core.batch import BatchLine, FormedBatch, formed_package, stamped_package, token_path
from archive_core.batch_reading import StoredBatch, read_batch, read_batch_from
from archive_core.catalogue.catalogue import Catalogue
from archive_core.catalogue.rows import BatchRow, LineRow, StampRow, VersionRow
from archive_core.digests import Digest
from archive_core.errors import (
    AlreadyExistsError,
    ArchiveError,
    ConcurrentChangeError,
    SettingsError,
    TimestampRefusedError,
    UnknownObjectError,
)
from archive_core.evidence.derivation import DERIVATION_VERSION
from archive_core.evidence.hash_tree import HashTree, group_leaf
from archive_core.findings import Verdict
from archive_core.holding import Holder
from archive_core.identifiers import BATCH, system_object
from archive_core.lifecycle import Actor, BatchView
from archive_core.ocfl.package import PackageFile
from archive_core.packaging import read_description
from archive_core.ports import Clock, Sealer, TimestampAuthority, TimestampToken, TimestampValidator, ValidationData
from archive_core.publishing import Published
from archive_core.receipts import Named, Root, Statement
from archive_core.replication import Copies, DamageListener
from archive_core.sequencer import Sequencer
from archive_core.settling import settle
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
        sealer: Sealer,
        sequencer: Sequencer,
        holder: Holder,
        published: Published,
        on_damage: DamageListener,
    ) -> None:
        self._clock = clock
        self._catalogue = catalogue
        self._copies = copies
        self._authorities = authorities
        self._trust_classes = trust_classes
        self._validator = validator
        self._sealer = sealer
        self._sequencer = sequencer
        self._holder = holder
        self._published = published
        self._on_damage = on_damage

    def preserve(self, *, actor: Actor, only_due: bool, progress: Progress) -> list[BatchView]:
        """Stamp what is sealed, then close and stamp every open batch (with `only_due`, those that
        their profile says are due). Another process that does the same is waited for, unless only
        what is due was asked for; raises `LeaseHeldError` when it takes too long.

        A batch that cannot be formed or stamped for now is reported with its error; the others go on.
        """
        with self._holder.hold("evidence", patience=0 if only_due else PATIENCE):
            self._adopt_claimed()
            views = [self._finish(row.number, actor, progress) for row in self._catalogue.unfinished_batches()]
            failed: set[tuple[str, str | None]] = set()
            while waiting := [one for one in self._open_batches(only_due) if (one[0].id, one[1]) not in failed]:
                profile, originator = waiting[0]
                try:
                    number = self._form(profile, originator, progress)
                except ArchiveError as problem:
                    failed.add((profile.id, originator))
                    self._failed(EventType.SEALING, problem, actor, subject=f"profile-{profile.id}")
                    views.append(BatchView(0, profile.id, 0, None, False, str(problem)))
                    continue
                views.append(self._finish(number, actor, progress))
        return views

    def _failed(self, type_: EventType, problem: ArchiveError, actor: Actor, *, subject: str) -> None:
        self._sequencer.record(
            type_, Outcome.FAILURE, problem.code, actor=actor, subject=subject, detail={"message": str(problem)}
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

    def _form(self, profile: PreservationProfile, originator: str | None, progress: Progress) -> int:
        """A sealed batch on every store and in the catalogue; its number."""
        rows = self._catalogue.awaiting_evidence(profile.id, originator, min(MAX_MEMBERS, profile.batch.close_at_count))
        # After the members are chosen, so that the trail's head covers the deposit of each of them.
        self._sequencer.flush()
        while True:
            batch = self._seal(profile, rows, progress)
            self._holder.renew()
            try:
                self._copies.replicate(formed_package(batch, batch.statement.time))
            except (AlreadyExistsError, ConcurrentChangeError):
                if not self._adopt_claimed():
                    raise
                continue
            break
        self._enter(batch, originator)
        return batch.number

    def _seal(self, profile: PreservationProfile, rows: Sequence[VersionRow], progress: Progress) -> FormedBatch:
        at = self._clock.now()
        lines = self._lines(profile, at)
        leaves: dict[str, list[bytes]] = {line.line: [] for line in lines}
        for done, row in enumerate(rows):
            description, _ = read_description(self._copies, row, self._on_damage)
            for line in lines:
                leaves[line.line].append(group_leaf(line.digest, description.group_digests(line.digest)))
            if done % 100 == 0:
                progress("collecting", done, len(rows))
        trees = {line.line: HashTree.build(line.digest, leaves[line.line]) for line in lines}
        statement = self._statement(profile, lines, trees, len(rows), at)
        data = statement.to_bytes()
        seal = self._sealer.seal(data, at=at)
        return FormedBatch(
            number=statement.batch,
            members=tuple((row.poid, row.version) for row in rows),
            lines=lines,
            trees=trees,
            statement_bytes=data,
            statement=statement,
            seal=seal.der,
            seal_data=seal.validation_data,
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
        at: datetime,
    ) -> Statement:
        last = self._catalogue.last_batch()
        trail = self._catalogue.last_segment()
        if trail is None:
            raise ArchiveError("there are objects to evidence but no trail of their deposit")
        return Statement(
            batch=self._catalogue.next_batch_number(),
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
            test_trust=self._sealer.test_trust or any(self._authorities[line.tsa].test_trust for line in lines),
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
            source, _ = settle(self._copies, system_object(BATCH, number))
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

    # -- stamping -----------------------------------------------------------------------------

    def _finish(self, number: int, actor: Actor, progress: Progress) -> BatchView:
        progress("stamping", number, None)
        error = None
        try:
            settle(self._copies, system_object(BATCH, number))  # a token must not stay on one store alone
            stored = read_batch(self._copies, number, self._on_damage)
            stored = self._stamp(stored, actor)
            self._complete(stored)
        except ArchiveError as problem:
            self._failed(EventType.TIMESTAMP_ACQUISITION, problem, actor, subject=f"batch-{number}")
            error = str(problem)
        row = self._catalogue.batch(number)
        return BatchView(number, row.profile, row.leaf_count, row.evidenced_at, row.test_trust, error)

    def _stamp(self, stored: StoredBatch, actor: Actor) -> StoredBatch:
        """Ask for every missing token; keep those that came, and raise the first error afterwards."""
        obtained: dict[str, tuple[TimestampToken, ValidationData]] = {}
        problem: ArchiveError | None = None
        for line in stored.unstamped:
            self._holder.renew()
            try:
                obtained[line.line] = self._obtain(stored.formed, line)
            except ArchiveError as error:
                problem = problem or error
        if obtained:
            self._keep(stored, obtained)
            for name, (token, _) in obtained.items():
                self._sequencer.record(
                    EventType.TIMESTAMP_ACQUISITION,
                    Outcome.SUCCESS,
                    f"line-{name}",
                    actor=actor,
                    subject=f"batch-{stored.formed.number}",
                    detail={"tsa": token.tsa},
                )
        if problem:
            raise problem
        return read_batch(self._copies, stored.formed.number, self._on_damage, stamped=True)

    def _obtain(self, batch: FormedBatch, line: BatchLine) -> tuple[TimestampToken, ValidationData]:
        root = batch.stamped_root(line)
        accepts_test = self._published.profile(batch.statement.profile.id).accepts_test_trust
        authority = self._authorities.get(line.tsa)
        if authority is None:
            raise SettingsError(f"the TSA {line.tsa} is no longer in the settings")
        token = authority.timestamp(root)
        data = authority.validation_data(token.der)
        assessed = self._validator.assess(token.der, at=self._clock.now(), data=data)
        if assessed.test_trust and not accepts_test:
            raise TimestampRefusedError(f"{line.tsa} gives test time-stamps, which the profile does not accept")
        if assessed.verdict is not Verdict.PASSED or assessed.imprint != root:
            raise TimestampRefusedError(
                f"the time-stamp of {line.tsa} is not used: {assessed.verdict} {assessed.sub_indication or ''} "
                f"{assessed.message}".strip()
            )
        return token, data

    def _keep(self, stored: StoredBatch, obtained: Mapping[str, tuple[TimestampToken, ValidationData]]) -> None:
        object_id = stored.formed.object_id
        previous = self._copies.inventory(object_id, self._on_damage)
        kept: dict[str, PackageFile] = {
            path: PackageFile.of(
                self._copies.read_file(object_id, previous.head_number, path, limit=2**32, on_damage=self._on_damage)
            )
            for path in previous.state(previous.head_number)
        }
        self._copies.replicate(stamped_package(previous, kept, obtained, at=self._clock.now()))

    def _complete(self, stored: StoredBatch) -> None:
        stamps = stamp_rows(stored, self._validator, at=self._clock.now())
        self._catalogue.complete_batch(stored.formed.number, min(stamp.gen_time for stamp in stamps), stamps)


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
        trusted_until=assessed.trusted_until,
    )
