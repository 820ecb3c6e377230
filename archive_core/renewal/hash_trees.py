"""Use case: hash-tree renewal to another digest (RFC 4998 5.2(2)).

The rules it follows
 * Phase 1 reads every data object of a batch again and journals its new digests (`examining`, `journal`); it
   can be broken off anywhere and goes on there. Nothing waits for it: deposits and time-stamp renewals go on.
 * Phase 2 holds the lease of renewals: for every data object `ha` over the DER of its whole
   ArchiveTimeStampSequence so far, h' = H(h || ha) in that order, a new tree over these, one time-stamp, a
   new chain. The newest token is made final first. The values h' are kept.
 * The old digest must still be good (5.3(2)) and the new one good for new evidence; two lines of a batch never
   end on one digest.
 * Several batches share a renewal, up to `MOST_LEAVES`.
 * An object that dropped out is named; its earlier chains stay, and it is proven as long as they hold.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from tempfile import TemporaryDirectory

from archive_core.admission import CONTENT_DIGEST
from archive_core.batch_reading import StoredBatch
from archive_core.catalogue.rows import HeadRow, VersionRow
from archive_core.content import Content
from archive_core.digests import Digest, hash_bytes, is_available
from archive_core.errors import ArchiveError, MalformedDocumentError, SettingsError
from archive_core.evidence.hash_tree import HashTree
from archive_core.identifiers import RENEWAL, number_of, object_name
from archive_core.lifecycle import Actor
from archive_core.ocfl.package import PackageFile
from archive_core.preservation import Progress
from archive_core.proofs import Proofs
from archive_core.renewal import form
from archive_core.renewal.authorities import Choosing, others_of
from archive_core.renewal.chains import LineEvidence
from archive_core.renewal.covering import Covering, Final
from archive_core.renewal.examining import DESTROYED, Examining
from archive_core.renewal.finishing import Finishing
from archive_core.renewal.form import Covered
from archive_core.renewal.forming import FORMING, Formed, Packed, finish_waiting, keep_formed, names_of, waiting_heads
from archive_core.renewal.gathering import Gathering, covered_chains
from archive_core.renewal.journal import DigestJournal, Examined, Subject, read_journal
from archive_core.renewal.means import LEASE, Means, Obstacle, RenewalView, Target, require_not_paused
from archive_core.renewal.rereading import Budget, Rereading

READING = "hash-tree-renewal"
"""The lease of phase 1: reading a holding once is enough."""

MOST_LEAVES = 500_000
"""Data objects under one time-stamp: what is held of them in memory is about 400 bytes each."""


@dataclass(frozen=True, slots=True)
class Move:
    """A line of a batch on its way to another digest."""

    head: HeadRow
    new_digest: str
    tsa: str
    reason: str


class HashTreeRenewal:
    """Hash-tree renewals of the lines of batches that somebody names."""

    def __init__(self, means: Means, finishing: Finishing, proofs: Proofs, content: Content) -> None:
        self._means = means
        self._finishing = finishing
        self._proofs = proofs
        self._content = content

    def plan(
        self, targets: Iterable[Target], digest: str, *, tsa: str | None = None, done: Iterable[str] = ()
    ) -> tuple[list[Move], list[RenewalView]]:
        """Which lines of batches would move to a digest, and which cannot, with the reason.

        Of the redundant lines of a batch one moves, none where one is there already: two lines never end on
        one digest. It is the one of the same family (SHA-2, SHA-3), so that the families stay apart."""
        if not is_available(digest):
            raise SettingsError(f"{digest} cannot be computed on this machine; name another digest")
        at, ended = self._means.clock.now(), set(done)
        wanted = {(target.batch, target.line): target for target in targets}
        heads = self._means.catalogue.heads()
        others, digests = others_of(heads), _digests_beside(heads)
        choosing = Choosing(self._means.published, self._means.offered, at, tsa)
        waiting = waiting_heads(self._means)
        moves: list[Move] = []
        problems: list[RenewalView] = []
        moving: set[int] = set()
        for head in sorted(heads, key=lambda head: (head.batch, _family(head.digest) != _family(digest), head.line)):
            target = wanted.get((head.batch, head.line))
            beside = digest in digests[head.batch, head.line] or head.batch in moving
            if target is None or head.digest == digest or beside or object_name(head.storage_object) in ended:
                continue
            try:
                if waiter := waiting.get((head.storage_object, head.line)):
                    raise SettingsError(f"{waiter} covers it and waits for its time-stamp")
                self._require_digests(head, digest, at)
                chosen = choosing.authority(head.profile, head.line, head.tsa, others[head.batch, head.line])
            except ArchiveError as error:
                problems.append(_problem([head], digest, str(error)))
                continue
            moving.add(head.batch)
            moves.append(Move(head, digest, chosen, target.reason))
        return moves, problems

    def run(
        self,
        targets: Iterable[Target],
        digest: str,
        *,
        actor: Actor,
        progress: Progress,
        tsa: str | None = None,
        patient: bool = False,
    ) -> list[RenewalView]:
        """Renew what is named. Raises `LeaseHeldError` while another process does so and
        `RenewalPausedError`; everything else is told in the views."""
        with self._means.holder.hold(READING):
            with self._means.holder.hold(LEASE):
                views = finish_waiting(self._means, self._finishing, actor, progress, patient=patient, tsa=tsa)
            moves, problems = self.plan(targets, digest, tsa=tsa, done=names_of(views))
            views += problems
            total = sum(move.head.leaf_count for move in moves)
            read = 0
            for group in _groups(moves):
                ready: list[Move] = []
                for move in group:
                    try:
                        self._read(move, progress, read, total)
                        ready.append(move)
                    except ArchiveError as error:
                        require_not_paused(self._means.catalogue)
                        views.append(_problem([move.head], digest, str(error), tsa=move.tsa))
                    read += move.head.leaf_count
                if ready:
                    views.append(self._renew(ready, actor, progress, patient=patient))
        return views

    def _require_digests(self, head: HeadRow, digest: str, at: datetime) -> None:
        table, profile = self._means.published.algorithms, self._means.published.profile(head.profile)
        old = table.digest(head.digest, at=at)
        if not old.good:
            raise SettingsError(
                f"{head.digest} is no longer good ({old.reason}): a renewal now would leave a gap (RFC 4998 5.3(2))"
            )
        new = table.digest_for_new_evidence(digest, profile.expected_evidence_years, at=at)
        if not new.good:
            raise SettingsError(f"{digest} may not be used for new evidence: {new.reason}")

    # -- phase 1 ------------------------------------------------------------------------------

    def _read(self, move: Move, progress: Progress, before: int, total: int) -> None:
        """Journal the new digests of every data object of a batch, from where the journal ends."""
        batch, line = self._evidence(move)
        subject = _subject(move, batch, line)
        examining = Examining(self._content, batch, line, subject, self._is_destroyed)
        journal = DigestJournal(subject, self._means.workspace)
        count = len(batch.formed.members)
        try:
            rows = self._members(move.head.batch, journal.count)
            with closing(self._rereading(examining, count - journal.count)) as reading:
                for window in reading.windows(rows, journal.count):
                    progress("hashing", before + journal.count, total)
                    require_not_paused(self._means.catalogue)
                    _journalled(journal, window)
            if journal.count == count:
                journal.append([examining.seal()])
        finally:
            journal.close()

    def _rereading(self, examining: Examining, expected: int) -> Rereading:
        def keep() -> None:
            require_not_paused(self._means.catalogue)
            self._means.holder.renew()

        return Rereading(
            catalogue=self._means.catalogue,
            root=self._means.copies.roots[0],
            examining=examining,
            keep=keep,
            expected=expected,
            budget=Budget(self._means.bytes_per_second),
        )

    def _members(self, batch: int, start: int) -> Iterator[VersionRow]:
        """The versions of a batch in leaf order, from a leaf on."""
        after = start - 1
        while page := self._means.catalogue.members(batch, after, 1000):
            yield from page
            after += len(page)

    def _is_destroyed(self, row: VersionRow) -> bool:
        return self._means.catalogue.tombstone(row.poid) is not None

    def _evidence(self, move: Move) -> tuple[StoredBatch, LineEvidence]:
        batch = self._proofs.batch(move.head.batch)
        return batch, self._proofs.lines(batch)[move.head.line]

    # -- phase 2 ------------------------------------------------------------------------------

    def _renew(self, moves: Sequence[Move], actor: Actor, progress: Progress, *, patient: bool) -> RenewalView:
        first = moves[0]
        heads = [move.head for move in moves]
        try:
            with self._means.holder.hold(LEASE, patience=60):
                self._means.workspace.mkdir(parents=True, exist_ok=True)
                with TemporaryDirectory(dir=self._means.workspace, prefix=FORMING) as folder:
                    number, obstacles = self._form(moves, Path(folder), progress)
                if number is None:
                    problem = _problem(heads, first.new_digest, "none of them may be covered now", tsa=first.tsa)
                    return replace(problem, obstacles=tuple(obstacles))
                progress("stamping", number, None)
                view = self._finishing.finish(number, actor, fresh=True, patient=patient)
        except ArchiveError as error:
            require_not_paused(self._means.catalogue)
            return _problem(heads, first.new_digest, str(error), tsa=first.tsa)
        return replace(view, obstacles=tuple(obstacles))

    def _form(self, moves: Sequence[Move], folder: Path, progress: Progress) -> tuple[int | None, list[Obstacle]]:
        """A renewal on every store and in the catalogue; None when there is nothing that it may cover."""
        first = moves[0]
        gathering = Gathering(first.new_digest)
        covering = Covering(self._means)
        finals: dict[str, Final | Obstacle] = {}
        covers: list[Covered] = []
        with Packed(folder / form.TOKENS) as packed:
            for done, move in enumerate(moves):
                progress("covering", done, len(moves))
                head = self._still(move)
                if head.storage_object not in finals:
                    finals[head.storage_object] = covering.final(head, self._tsa_of(head))
                final = finals[head.storage_object]
                if isinstance(final, Obstacle):
                    continue
                leaves = self._gather(move, final, gathering)
                place = packed.add(final.octets) if final.completed else None
                digest = hash_bytes("sha512", final.octets).hex()
                covers.append(Covered(final.head, digest, place, head.batch, leaves))
        obstacles = [final for final in finals.values() if isinstance(final, Obstacle)]
        if not covers:
            return None, obstacles
        formed = Formed(
            kind=form.HASH_TREE,
            line=first.head.line,
            digest=first.new_digest,
            tsa=first.tsa,
            tree=HashTree.build(first.new_digest, gathering.leaves),
            covers=len(covers),
            files={},
            validation=covering.data,
            reasons=[move.reason for move in moves],
        )
        members = gathering.members.members()
        files = {
            form.COVERS: PackageFile.of(form.covers_text(covers)),
            form.TREE: PackageFile.of(formed.tree.to_bytes()),
            form.COUNTS: PackageFile.of(members.counts_bytes),
            form.MEMBERS: PackageFile.of(members.values),
            form.DROPPED: PackageFile.of(form.dropped_text(gathering.dropped)),
        }
        if packed.size:
            files[form.TOKENS] = packed.file()
        return keep_formed(self._means, self._finishing, replace(formed, files=files)), obstacles

    def _still(self, move: Move) -> HeadRow:
        """The newest stamp of a line now: a time-stamp renewal may have come in between, another chain not."""
        (head,) = [
            head
            for head in self._means.catalogue.heads(move.head.line, [move.head.batch])
            if head.line == move.head.line
        ]
        if (head.chain, head.digest) != (move.head.chain, move.head.digest):
            raise SettingsError(f"batch {head.batch}, line {head.line} was renewed another way meanwhile")
        return head

    def _gather(self, move: Move, final: Final, gathering: Gathering) -> int:
        """The h' of every data object of a batch (5.2(3), 5.2(4)); how many data objects it has."""
        batch, line = self._evidence(move)
        subject = _subject(move, batch, line)
        count = 0
        gone = self._means.catalogue.destroyed_leaves(move.head.batch)
        try:
            for leaf, examined in enumerate(read_journal(subject, self._means.workspace)):
                if leaf % 256 == 0:
                    self._means.holder.renew()
                    require_not_paused(self._means.catalogue)
                if leaf in gone:  # also what was destroyed after it was read
                    gathering.drop(move.head.batch, leaf, DESTROYED)
                elif examined.problem is None:
                    gathering.add(examined.new, covered_chains(batch, line, leaf, examined.initial, final.octets))
                else:
                    gathering.drop(move.head.batch, leaf, examined.problem)
                count += 1
        except MalformedDocumentError:
            subject.path(self._means.workspace).unlink()  # it is read anew by the next try
            raise
        if count != len(batch.formed.members) + 1:
            raise SettingsError(f"the digests of batch {move.head.batch} were not read to the end: run it again")
        return count

    def _tsa_of(self, head: HeadRow) -> str:
        number = number_of(head.storage_object, RENEWAL)
        return head.tsa if number is None else self._means.catalogue.renewal(number).tsa


def _journalled(journal: DigestJournal, results: Iterator[Examined]) -> None:
    """Journal what was read; also what came before an error, which passes."""
    found: list[Examined] = []
    try:
        found.extend(results)
    finally:
        if found:
            journal.append(found)


def _subject(move: Move, batch: StoredBatch, line: LineEvidence) -> Subject:
    return Subject(
        batch=move.head.batch,
        line=move.head.line,
        statement=Digest.of(CONTENT_DIGEST, batch.formed.statement_bytes).hex,
        chain=move.head.chain,
        initial=line.line.digest,
        digest=move.head.digest,
        new_digest=move.new_digest,
    )


def _groups(moves: Sequence[Move]) -> Iterator[list[Move]]:
    """Moves that share a renewal: of one line and authority, within `MOST_LEAVES`."""
    by_key: dict[tuple[str, str], list[Move]] = {}
    for move in moves:
        by_key.setdefault((move.head.line, move.tsa), []).append(move)
    for _, listed in sorted(by_key.items()):
        group: list[Move] = []
        leaves = 0
        for move in listed:
            if group and leaves + move.head.leaf_count + 1 > MOST_LEAVES:
                yield group
                group, leaves = [], 0
            group.append(move)
            leaves += move.head.leaf_count + 1
        yield group


def _digests_beside(heads: Sequence[HeadRow]) -> dict[tuple[int, str], set[str]]:
    """For every line of every batch, the digests of the batch's other lines."""
    by_batch: dict[int, list[HeadRow]] = {}
    for head in heads:
        by_batch.setdefault(head.batch, []).append(head)
    return {
        (head.batch, head.line): {other.digest for other in rows if other.line != head.line}
        for rows in by_batch.values()
        for head in rows
    }


def _family(digest: str) -> str:
    return "sha3" if digest.startswith("sha3-") else "sha2"


def planned_moves(moves: Sequence[Move]) -> list[RenewalView]:
    """What would be renewed, as renewals."""
    return [
        _problem([move.head for move in group], group[0].new_digest, None, tsa=group[0].tsa) for group in _groups(moves)
    ]


def _problem(rows: Sequence[HeadRow], digest: str, message: str | None, *, tsa: str = "") -> RenewalView:
    return RenewalView(
        number=0,
        kind=form.HASH_TREE,
        line=rows[0].line,
        digest=digest,
        tsa=tsa or rows[0].tsa,
        batches=len(rows),
        tokens=len(rows),
        documents=sum(row.leaf_count for row in rows),
        error=message,
    )
