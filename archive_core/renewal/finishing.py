"""Gets the time-stamp of a formed renewal, keeps it, and lets the batches go on with it.

The rules finishing follows
 * A renewal is brought to one state on all stores first: a token that an interrupted round left on one
   store goes to the others, and is not asked for again. One that was obtained and not yet stored waits in
   the catalogue, and is used.
 * The new time-stamp is strictly later than every one it covers (RFC 4998 5.3), or it is not used.
 * What waited for its time-stamp is judged again before it is stamped: if a covered token has lapsed
   meanwhile the renewal is abandoned, and another one covers what is still good.
 * The renewal is an event before the catalogue counts it.
"""

from __future__ import annotations

from dataclasses import replace

from archive_core import canonical
from archive_core.batch import BatchLine, system_package, validation_files
from archive_core.catalogue.renewals import Stamped
from archive_core.catalogue.rows import RenewalRow
from archive_core.digests import Digest
from archive_core.errors import (
    ArchiveError,
    EvidenceBrokenError,
    TimestampRefusedError,
)
from archive_core.evidence.material import merged
from archive_core.evidence.token import parse_token
from archive_core.findings import Verdict, utc_text
from archive_core.identifiers import RENEWAL, URN_PREFIX, system_object
from archive_core.lifecycle import Actor
from archive_core.obtaining import Obtained
from archive_core.ocfl.package import PackageFile
from archive_core.ports import TimestampValidator
from archive_core.renewal import form
from archive_core.renewal.asking import Asking
from archive_core.renewal.covering import MAX_TOKEN
from archive_core.renewal.facts import facts_of
from archive_core.renewal.form import Abandoned
from archive_core.renewal.journal import journal_path
from archive_core.renewal.means import Dropped, Means, RenewalView
from archive_core.renewal.stored import StoredRenewal, read_renewal_from, renewal_row
from archive_core.renewal.tracing import EVENT_OF, record_event
from archive_core.settling import settle
from archive_core.trail.events import EventType, Outcome


class Finishing:
    """Time-stamps for formed renewals; whoever calls holds the lease."""

    def __init__(self, means: Means) -> None:
        self._means = means
        self._asking = Asking(means)

    def adopt_claimed(self) -> bool:
        """Enter renewals that the stores hold under numbers that the catalogue does not know yet: what a
        process left that died between the two. True when there was one."""
        adopted = False
        while True:
            number = self._means.catalogue.next_renewal_number()
            source, _ = settle(self._means.copies, system_object(RENEWAL, number), self._means.holder.renew)
            if source is None:
                return adopted
            self._means.catalogue.enter_renewal(renewal_row(read_renewal_from(source, number)))
            adopted = True

    def finish(
        self, number: int, actor: Actor, *, fresh: bool = False, patient: bool = False, tsa: str | None = None
    ) -> RenewalView:
        """Bring a formed renewal to its time-stamp, or say in the view why that is not possible for now.

        `fresh` was formed just now, so that what it covers need not be judged again. With `patient`, an
        authority in an outage is left alone. `tsa` replaces the authority that the renewal was formed for.
        """
        row = self._means.catalogue.renewal(number)
        repeated: str | None = None
        try:
            settle(self._means.copies, row.storage_object, self._means.holder.renew)
            stored = self._means.shelf.read(row)
            if stored.token is None and stored.abandoned is None and not fresh:
                stored = self._judged_again(stored, actor)
            if stored.abandoned is not None:
                self._means.catalogue.abandon_renewal(number, stored.abandoned.reason)
                return self._view(self._means.catalogue.renewal(number), stored.abandoned.reason)
            if stored.token is None:
                obtained = self._asking.waiting(stored, actor, instead=tsa)
                if obtained is None:
                    repeated = self._asking.lost(stored, actor)
                    obtained = self._asking.ask(stored, tsa or stored.line.tsa, patient=patient)
                stored = self._stamped(stored, obtained)
            dropped = self._complete(stored, actor)
        except ArchiveError as problem:
            self._failed(row, problem, actor)
            if row.kind == form.HASH_TREE and problem.facts.get("rule") == "status":
                # The authority will not stamp such a digest: the lines must not wait for it.
                self._abandon(row, f"the authority refused: {problem}", actor)
            return replace(self._view(row, str(problem)), repeated=repeated)
        view = self._view(self._means.catalogue.renewal(number), None)
        return replace(view, dropped=dropped, repeated=repeated)

    # -- judging again ------------------------------------------------------------------------

    def _judged_again(self, stored: StoredRenewal, actor: Actor) -> StoredRenewal:
        """The renewal as it was, or abandoned because what it covers has lapsed or gone another way."""
        problem = self._gone(stored) or self._lapsed(stored)
        if problem is None:
            return stored
        return self._given_up(stored, problem, actor)

    def _given_up(self, stored: StoredRenewal, why: str, actor: Actor) -> StoredRenewal:
        noted = Abandoned(why[:4000], self._means.clock.now())
        self._means.holder.renew()
        self._write(stored, {form.ABANDONED: noted.to_bytes()}, "Abandoned")
        record_event(self._means, stored, Outcome.FAILURE, "abandoned", actor, {"reason": why[:2000]})
        return replace(stored, abandoned=noted)

    def _abandon(self, row: RenewalRow, why: str, actor: Actor) -> None:
        try:
            self._given_up(self._means.shelf.read(row), why, actor)
        except ArchiveError as problem:
            self._failed(row, problem, actor)  # it goes on waiting, and is given up by a later round
            return
        self._means.catalogue.abandon_renewal(row.number, why[:4000])

    def _gone(self, stored: StoredRenewal) -> str | None:
        """Whether a line that was to go on here has gone on elsewhere."""
        if stored.document.abandons:
            return None
        newest = {(head.storage_object, head.batch) for head in self._means.catalogue.heads(stored.document.line)}
        objects = {storage_object for storage_object, _ in newest}
        for covered in stored.covers:
            object_id = f"{URN_PREFIX}{covered.head}"
            there = object_id in objects if covered.batch is None else (object_id, covered.batch) in newest
            if not there:
                return f"{covered.head} was renewed another way meanwhile"
        return None

    def _lapsed(self, stored: StoredRenewal) -> str | None:
        seen: set[str] = set()
        for covered in stored.covers:
            if covered.head in seen:
                continue
            seen.add(covered.head)
            self._means.holder.renew()
            head = self._means.catalogue.stamp_in(f"{URN_PREFIX}{covered.head}", stored.document.line)
            octets = self._means.shelf.octets(stored, covered, self._held(head.storage_object, head.ocfl_path))
            assessed = self._means.validator.assess(octets, at=self._means.clock.now(), data=stored.covered_data)
            if assessed.verdict is not Verdict.PASSED:
                return f"{covered.head}: {assessed.verdict} {assessed.sub_indication or ''} {assessed.message}"
        return None

    def _held(self, object_id: str, ocfl_path: str) -> bytes:
        return self._means.copies.read_acknowledged(
            f"{object_id} {ocfl_path}",
            lambda root: root.read_optional(f"{root.object_path(object_id)}/{ocfl_path}", MAX_TOKEN) or b"",
            self._means.on_damage,
        )

    # -- stamping -----------------------------------------------------------------------------

    def _stamped(self, stored: StoredRenewal, obtained: Obtained) -> StoredRenewal:
        heads = (f"{URN_PREFIX}{covered.head}" for covered in stored.covers)
        newest = self._means.catalogue.newest_time_in(heads, stored.document.line)
        if newest is None or obtained.gen_time <= newest:
            self._asking.forget(stored)
            raise TimestampRefusedError(
                f"the time-stamp of {obtained.stamp.tsa} is not used: it states {utc_text(obtained.gen_time)}, not "
                "later than what it would cover (RFC 4998 5.3); it is asked again at the next try"
            )
        self._means.holder.renew()  # asking may have taken long
        files = {form.TOKEN: obtained.stamp.der, **validation_files(form.TOKEN_DATA, obtained.data)}
        if obtained.qualified is not None:
            files[form.QUALIFIED] = canonical.write(dict(obtained.qualified.facts))
        if obtained.stamp.tsa != stored.line.tsa:
            trust_class = self._means.trust_classes[obtained.stamp.tsa]
            files[form.LINE] = BatchLine(
                stored.line.line, stored.line.digest, obtained.stamp.tsa, trust_class
            ).to_bytes()
        self._write(stored, files, "Time-stamped")
        return self._means.shelf.read(self._means.catalogue.renewal(stored.number))

    def _write(self, stored: StoredRenewal, files: dict[str, bytes], message: str) -> None:
        previous = self._means.copies.inventory(stored.object_id, self._means.on_damage)
        made = system_package(
            stored.object_id,
            previous.head_number + 1,
            files,
            previous,
            message=message,
            at=self._means.clock.now(),
        )
        kept = {
            path: PackageFile(b"", Digest.from_hex("sha512", digest), 0)  # held already, so not read
            for path, digest in previous.state(previous.head_number).items()
        }
        self._means.copies.replicate_in_turn(replace(made, files={**kept, **made.files}))

    # -- the end ------------------------------------------------------------------------------

    def _complete(self, stored: StoredRenewal, actor: Actor) -> tuple[Dropped, ...]:
        at = self._means.clock.now()
        assert stored.token is not None
        assessed = self._means.validator.assess(stored.token, at=at, data=stored.token_data)
        if assessed.verdict is not Verdict.PASSED or assessed.imprint != stored.root:
            raise EvidenceBrokenError(
                f"the time-stamp that is kept for renewal {stored.number} proves nothing: {assessed.verdict} "
                f"{assessed.message}"
            )
        dropped = self._dropped(stored, actor)
        record_event(
            self._means, stored, Outcome.SUCCESS, f"line-{stored.document.line}", actor, {"tsa": stored.line.tsa}
        )
        self._means.catalogue.complete_renewal(stamped_of(stored, self._means.validator))
        self._asking.forget(stored)
        for covered in stored.covers:
            if covered.batch is not None:  # what was read for it is not needed any more
                line, digest = stored.document.line, stored.document.digest
                journal_path(self._means.workspace, covered.batch, line, digest).unlink(missing_ok=True)
        return dropped

    def _dropped(self, stored: StoredRenewal, actor: Actor) -> tuple[Dropped, ...]:
        """The versions that a hash-tree renewal leaves out, each an event of its object."""
        found = []
        known = {(event.poid, event.version) for event in self._means.catalogue.events_about(stored.name)}
        for one in stored.dropped:
            (row,) = self._means.catalogue.members(one.batch, one.leaf - 1, 1)
            found.append(Dropped(row.poid, row.version, one.batch, one.message))
            if (row.poid, row.version) not in known:
                self._means.sequencer.record(
                    EventType.HASH_TREE_RENEWAL,
                    Outcome.FAILURE,
                    "dropped",
                    actor=actor,
                    poid=row.poid,
                    version=row.version,
                    subject=stored.name,
                    detail={"message": one.message[:2000]},
                )
        return tuple(found)

    def _failed(self, row: RenewalRow, problem: ArchiveError, actor: Actor) -> None:
        self._means.sequencer.record(
            EVENT_OF[row.kind],
            Outcome.FAILURE,
            problem.code,
            actor=actor,
            subject=row.storage_object.removeprefix(URN_PREFIX),
            detail={"message": str(problem)[:2000]},
        )

    def _view(self, row: RenewalRow, error: str | None) -> RenewalView:
        batches, documents = self._means.catalogue.reach(row.storage_object, row.line)
        return RenewalView(
            number=row.number,
            kind=row.kind,
            line=row.line,
            digest=row.digest,
            tsa=row.tsa,
            batches=batches,
            tokens=row.covers,
            documents=documents,
            gen_time=row.gen_time,
            error=error,
        )


def stamped_of(stored: StoredRenewal, validator: TimestampValidator) -> Stamped:
    """What the catalogue enters for the time-stamp of a renewal: nothing in it that the stores do not say.

    How long the token is trusted is judged as of its own genTime. Raises `EvidenceBrokenError` when it
    cannot be read."""
    assert stored.token is not None
    gen_time = parse_token(stored.token).gen_time
    data = merged([stored.token_data, stored.covered_data])
    assessed = validator.assess(stored.token, at=gen_time, data=data)
    return Stamped(
        number=stored.number,
        gen_time=gen_time,
        token_digest=Digest.of("sha512", stored.token).hex,
        tsa=stored.line.tsa,
        ocfl_path=stored.content_paths[form.TOKEN],
        trusted_until=assessed.trusted_until,
        facts=facts_of(assessed),
        heads=[f"{URN_PREFIX}{covered.head}" for covered in stored.covers],
        batches=[covered.batch for covered in stored.covers if covered.batch is not None],
        abandons=[f"{URN_PREFIX}{name}" for name in stored.document.abandons],
    )
