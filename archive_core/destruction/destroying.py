"""Use case: an object is destroyed, on purpose and for ever.

The rules it follows
 * Durable order: a note in the catalogue that keeps updates off → the tombstone (sealed, time-stamped) on every store →
   the catalogue (versions marked, files forgotten, a debt for each store, the event) → the trail → the purge in each
   store, which ends its debt. An interruption is finished, or taken back where no store holds the tombstone, by
   `settle`, which every round of preservation calls.
 * Whether it may be done is decided by a fresh time-stamp's genTime, never by this machine's clock.
 * Doing it again changes nothing and says what was done.
 * What is under a legal hold is not destroyed, whatever else is true; the note in the catalogue is not made then.
 * The objects that share a batch with it are not touched: their records need the leaf, and the leaf stays.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from archive_core.batch import system_package
from archive_core.catalogue.catalogue import Catalogue
from archive_core.catalogue.holds import refuse_held
from archive_core.catalogue.rows import DeletionDebt, TombstoneRow, VersionRow
from archive_core.destruction.form import (
    MAX_REASON,
    DestroyedVersion,
    Groups,
    Tombstone,
    TombstoneDocument,
    sizes,
    stamped_value,
)
from archive_core.destruction.paying import Paying
from archive_core.destruction.reading import read_tombstone, require_authentic
from archive_core.errors import (
    ArchiveError,
    ConflictError,
    DamageError,
    EvidencePendingError,
    LeaseHeldError,
    MalformedDocumentError,
    SettingsError,
    UnavailableError,
    UsageError,
)
from archive_core.findings import utc_text
from archive_core.holding import Holder
from archive_core.identifiers import tombstone_object
from archive_core.journal import event_row
from archive_core.lifecycle import Actor
from archive_core.obtaining import Obtained, obtain
from archive_core.packaging import read_description
from archive_core.ports import Clock, Sealer, SealValidator, TimestampAuthority, TimestampValidator
from archive_core.publishing import Published
from archive_core.replication import Copies, DamageListener
from archive_core.sequencer import Sequencer
from archive_core.settling import settle
from policies.destruction import HeldVersion, why_not_destroyed

LEASE = "destruction"
PATIENCE = 30.0
"""Seconds that an operator waits for another destruction."""


@dataclass(frozen=True, slots=True)
class DestructionView:
    """What was destroyed, or (`dry_run`) would be. `decided` is the time-stamp's genTime; `purged` are the stores that
    hold nothing of it any more, `owed` those that still may, with the reason. `digests_kept` says whether its evidence
    records can still be derived."""

    poid: str
    reason: str
    versions: int
    size: int
    digests_kept: bool
    decided: datetime | None = None
    tsa: str | None = None
    purged: tuple[str, ...] = ()
    owed: tuple[DeletionDebt, ...] = ()
    replayed: bool = False
    dry_run: bool = False
    test_trust: bool = False

    def to_json(self) -> dict[str, object]:
        return {
            "poid": self.poid,
            "reason": self.reason,
            "versions": self.versions,
            "size": self.size,
            "digests_kept": self.digests_kept,
            "decided": utc_text(self.decided) if self.decided else None,
            "tsa": self.tsa,
            "purged": list(self.purged),
            "owed": [{"store": debt.store, "tries": debt.tries, "error": debt.error} for debt in self.owed],
            "replayed": self.replayed,
            "dry_run": self.dry_run,
            "test_trust": self.test_trust,
        }


class Destruction:
    """Destroys objects, and finishes what was begun."""

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
        seal_validator: SealValidator,
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
        self._seal_validator = seal_validator
        self._sequencer = sequencer
        self._holder = holder
        self._published = published
        self._on_damage = on_damage
        self._paying = Paying(clock=clock, catalogue=catalogue, copies=copies, holder=holder)

    # -- asked for ----------------------------------------------------------------------------

    def plan(self, poid: str, *, reason: str, keep_digests: bool, originator: str | None) -> DestructionView:
        """What would be destroyed; nothing is changed and no time-stamp is asked for. Raises as `destroy` does, but for
        what only the time-stamp decides."""
        rows = self._catalogue.versions(poid, originator)
        if rows[0].destroyed:
            return self._known(poid, rows)
        _checked_reason(reason)
        self._require_free(poid)
        self._require_evidenced(rows)
        return DestructionView(
            poid, reason, len(rows), sizes(rows), keep_digests, dry_run=True, test_trust=self._sealer.test_trust
        )

    def destroy(
        self, poid: str, *, reason: str, keep_digests: bool, actor: Actor, originator: str | None
    ) -> DestructionView:
        """Destroy an object with all its versions.

        Raises `UnknownObjectError`, `UnderLegalHoldError`, `EvidencePendingError` for what has no evidence yet,
        `ConflictError` when it may not be destroyed or is being changed, `TimestampAuthorityUnavailableError` without a
        time-stamp, and `UnavailableError` when a store does not take the tombstone: then nothing is destroyed yet, and
        a later round finishes it or takes it back. A store that cannot purge is told in the view."""
        rows = self._catalogue.versions(poid, originator)
        _checked_reason(reason)
        with self._holder.hold(LEASE, patience=PATIENCE):
            told = self._finish_all()
            if any(row.poid == poid for row in self._catalogue.destructions_under_way()):
                raise UnavailableError(f"a destruction of it was begun and cannot be finished now: {'; '.join(told)}")
            rows = self._catalogue.versions(poid, originator)
            if not rows[0].destroyed:
                self._require_free(poid)
                self._require_evidenced(rows)
                self._decide(rows, reason, keep_digests, actor)
                self._sequencer.flush()
                replayed = False
            else:
                replayed = True
            owed = self._catalogue.deletion_debts(poid)
            left = self._paying.pay(owed, actor)
        known = self._known(poid, rows, replayed=replayed)
        return replace(known, purged=_paid(owed, left), owed=tuple(left))

    def _known(self, poid: str, rows: Sequence[VersionRow], *, replayed: bool = True) -> DestructionView:
        """A destruction that is done, as its tombstone tells of it."""
        found = self.tombstone(poid)
        return DestructionView(
            poid=poid,
            reason=found.document.reason,
            versions=len(rows),
            size=sizes(rows),
            digests_kept=all(version.groups for version in found.document.versions),
            decided=found.gen_time,
            tsa=found.document.tsa,
            owed=tuple(self._catalogue.deletion_debts(poid)),
            replayed=replayed,
            test_trust=self._trust_classes.get(found.document.tsa) == "test",
        )

    def tombstone(self, poid: str) -> Tombstone:
        """The tombstone of a destroyed object, from the first good copy."""
        return self._copies.read_acknowledged(
            f"{tombstone_object(poid)}", lambda root: read_tombstone(root, poid), self._on_damage
        )

    def _require_free(self, poid: str) -> None:
        refuse_held(poid, self._catalogue.legal_holds([poid]))

    def _require_evidenced(self, rows: Sequence[VersionRow]) -> None:
        for row in rows:
            if row.batch is None or self._catalogue.batch(row.batch).evidenced_at is None:
                raise EvidencePendingError(
                    f"{row.poid} v{row.version} has no evidence yet, so that nothing would tell what was destroyed: "
                    "run `trusted-archive preserve` first",
                    poid=row.poid,
                    version=row.version,
                )

    # -- deciding -----------------------------------------------------------------------------

    def _decide(self, rows: Sequence[VersionRow], reason: str, keep_digests: bool, actor: Actor) -> None:
        """Note, seal, stamp, store, enter."""
        poid, asked = rows[0].poid, self._clock.now()
        object_id = tombstone_object(poid)
        self._catalogue.begin_destruction(TombstoneRow(poid=poid, storage_object=object_id, asked_at=asked))
        try:
            versions = tuple(DestroyedVersion(replace(row), self._groups(row, keep_digests)) for row in rows)
            found = self._sealed_and_stamped(versions, reason, actor, asked)
            self._require_eligible(rows, found.gen_time)
        except BaseException:
            self._catalogue.withdraw_destruction(poid)  # no store was touched
            raise
        self._holder.renew()
        package = system_package(object_id, 1, found.stored_files, None, message="Destroyed", at=found.gen_time)
        self._copies.replicate_in_turn(package)
        self._enter(found)

    def _groups(self, row: VersionRow, keep: bool) -> Groups:
        """The data group in the digest of every line; none when no copy of the description is good: then there is
        nothing to keep, and that it was damaged is told to whoever listens for damage."""
        if not keep or row.batch is None:
            return {}
        try:
            description, _ = read_description(self._copies, row, self._on_damage)
            return {line.digest: description.group_digests(line.digest) for line in self._catalogue.lines(row.batch)}
        except (DamageError, MalformedDocumentError):
            return {}

    def _sealed_and_stamped(
        self, versions: tuple[DestroyedVersion, ...], reason: str, actor: Actor, asked: datetime
    ) -> Tombstone:
        row = versions[-1].row
        profile = self._published.profile(row.profile)
        names = [line.tsa for line in profile.lines if line.tsa in self._authorities]
        problem: ArchiveError = SettingsError(f"no time-stamp authority of the profile {profile.id} is in the settings")
        for tsa in names:
            document = TombstoneDocument(row.poid, reason, actor.actor_id, asked, tsa, versions)
            data = document.to_bytes()
            seal = self._sealer.seal(data, at=asked)
            try:
                obtained: Obtained = obtain(
                    self._authorities[tsa],
                    stamped_value(seal),
                    accepts_test=profile.accepts_test_trust,
                    validator=self._validator,
                    clock=self._clock,
                )
            except UnavailableError as error:
                problem = error
                continue
            return Tombstone(
                document, data, seal.der, seal.validation_data, obtained.stamp.der, obtained.data, obtained.gen_time
            )
        raise problem

    def _require_eligible(self, rows: Sequence[VersionRow], at: datetime) -> None:
        held = [
            HeldVersion(
                row.version, row.received, None if row.batch is None else self._catalogue.batch(row.batch).evidenced_at
            )
            for row in rows
        ]
        if why := why_not_destroyed(held, at=at):
            raise ConflictError(f"{rows[0].poid} may not be destroyed: {why}")

    def _enter(self, found: Tombstone) -> None:
        self._catalogue.complete_destruction(
            found.row, found.document.rows, self._copies.names, [event_row(found.event, None)]
        )

    # -- what was begun -----------------------------------------------------------------------

    def settle(self, actor: Actor) -> list[str]:
        """Finish destructions that lost their process, and pay what stores owe; nothing while another process does.
        Returns a sentence for each destruction and each debt that is left."""
        if not self._catalogue.destructions_under_way() and not self._catalogue.deletion_debts():
            return []
        self._copies.guard()
        try:
            with self._holder.hold(LEASE):
                told = self._finish_all()
                left = self._paying.pay(self._catalogue.deletion_debts(), actor)
        except LeaseHeldError:
            return []
        return told + [f"{debt.poid} is still to be purged in the store {debt.store}: {debt.error}" for debt in left]

    def finish(self) -> list[str]:
        """As `settle`, but without paying: what is owed is only told of by whoever asks."""
        if not self._catalogue.destructions_under_way():
            return []
        self._copies.guard()
        with self._holder.hold(LEASE, patience=PATIENCE):
            return self._finish_all()

    def _finish_all(self) -> list[str]:
        told = []
        for row in self._catalogue.destructions_under_way():
            try:
                told.append(f"the destruction of {row.poid} {self._finish(row)}")
            except (UnavailableError, DamageError) as error:
                told.append(f"the destruction of {row.poid} cannot be finished yet: {error}")
        return told

    def _finish(self, row: TombstoneRow) -> str:
        source, _ = settle(self._copies, row.storage_object, self._holder.renew)
        if source is None:
            self._catalogue.withdraw_destruction(row.poid)
            return "had not come to any store: taken back"
        self._enter(read_tombstone(source, row.poid))
        return "was interrupted: finished"

    def warnings(self) -> list[str]:
        """What an operator should look at."""
        said = [
            f"the destruction of {row.poid} was interrupted: it is finished or taken back by the next round"
            for row in self._catalogue.destructions_under_way()
        ]
        by_store: dict[str, list[DeletionDebt]] = {}
        for debt in self._catalogue.deletion_debts():
            by_store.setdefault(debt.store, []).append(debt)
        return said + [
            f"store {store} still holds {len(debts)} destroyed objects, since {utc_text(debts[0].since)}: "
            f"{debts[0].error or 'it will be asked again by the next round'}"
            for store, debts in sorted(by_store.items())
        ]

    def adopt(self, poid: str) -> Tombstone:
        """Obey a tombstone that a store holds and the catalogue does not know, as after a restore of an older
        catalogue: it goes to every store, and every store owes the deletion. Raises
        `EvidenceBrokenError` for a forged one."""
        with self._holder.hold(LEASE, patience=PATIENCE):
            for root in self._copies.roots:
                if root.has_object(tombstone_object(poid)):
                    require_authentic(
                        read_tombstone(root, poid),
                        validator=self._validator,
                        seal_validator=self._seal_validator,
                        catalogue=self._catalogue,
                    )
            source, _ = settle(self._copies, tombstone_object(poid), self._holder.renew)
            if source is None:
                raise MalformedDocumentError(f"no store holds a whole tombstone of {poid}")
            found = read_tombstone(source, poid)
            self._enter(found)
            return found


def _checked_reason(reason: str) -> None:
    if not 1 <= len(reason.strip().encode("utf-8", "replace")) <= MAX_REASON:
        raise UsageError(f"a reason of 1 to {MAX_REASON} bytes is needed; it is kept for ever and must not name people")


def _paid(owed: Sequence[DeletionDebt], left: Sequence[DeletionDebt]) -> tuple[str, ...]:
    still = {debt.store for debt in left}
    return tuple(debt.store for debt in owed if debt.store not in still)


__all__ = ["LEASE", "Destruction", "DestructionView"]
