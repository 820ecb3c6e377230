"""Use case: time-stamp renewal (RFC 4998 5.2(1)). One tree over the newest tokens of all lines of batches that
are due, one time-stamp, one object; no document is read.

The rules it follows
 * Lines of batches that stand on one earlier renewal are one leaf together: what is covered is the token.
 * One renewal has one digest algorithm, that of the chains it goes on with (5.2), one line and one authority.
 * A chain whose digest is no longer good is not stamped again: that needs a hash-tree renewal (5.3(2)).
 * A token that may not be covered is left out and told with the reason; the others go on.
 * What is covered already by a renewal that waits for its time-stamp is left to that one.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from tempfile import TemporaryDirectory

from archive_core.catalogue.rows import HeadRow, StampRow
from archive_core.digests import hash_bytes
from archive_core.errors import (
    ArchiveError,
    SettingsError,
)
from archive_core.evidence.hash_tree import HashTree
from archive_core.identifiers import RENEWAL, number_of, object_name
from archive_core.lifecycle import Actor
from archive_core.ocfl.package import PackageFile
from archive_core.preservation import Progress
from archive_core.renewal import form
from archive_core.renewal.authorities import Choosing, others_of
from archive_core.renewal.covering import Covering
from archive_core.renewal.finishing import Finishing
from archive_core.renewal.form import Covered
from archive_core.renewal.forming import FORMING, Formed, Packed, finish_waiting, keep_formed, names_of, waiting_heads
from archive_core.renewal.means import LEASE, Means, Obstacle, RenewalView, Target, require_not_paused

EVERY = 256
"""Leaves between two looks at the lease."""


AHEAD = 1024
"""Tokens that are read and judged together, on every core."""

MANY = 5000
"""Tokens from which on that is worth the processes that it takes."""


@dataclass(frozen=True, slots=True)
class Point:
    """A token to go on from: the object that holds it, the lines of batches behind it, what is abandoned."""

    head: HeadRow
    rows: tuple[HeadRow, ...]
    abandons: tuple[str, ...]
    reasons: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Group:
    """What one renewal covers."""

    line: str
    digest: str
    tsa: str
    points: tuple[Point, ...]
    abandons: tuple[str, ...]

    @property
    def rows(self) -> list[HeadRow]:
        return [row for point in self.points for row in point.rows]


class TimestampRenewal:
    """Time-stamp renewals of the lines of batches that somebody names."""

    def __init__(self, means: Means, finishing: Finishing) -> None:
        self._means = means
        self._finishing = finishing

    def plan(
        self, targets: Iterable[Target], *, tsa: str | None = None, done: Collection[str] = ()
    ) -> tuple[list[Group], list[RenewalView]]:
        """What would be covered by which renewal, and what cannot be, with the reason. What stands on one of
        the renewals `done` (object names) was renewed just now."""
        at = self._means.clock.now()
        wanted = {(target.batch, target.line): target for target in targets}
        heads = [head for head in self._means.catalogue.heads() if object_name(head.storage_object) not in done]
        points, problems = self._points(heads, wanted)
        choosing = Choosing(self._means.published, self._means.offered, at, tsa)
        others = others_of(heads)
        groups: dict[tuple[str, str, str, tuple[str, ...]], list[Point]] = {}
        for point in points:
            try:
                self._require_good(point.head.digest, at)
                chosen = self._authority(point, choosing, others)
            except ArchiveError as error:
                problems.append(_problem(point.rows, form.TIMESTAMP, point.head.digest, str(error)))
                continue
            key = (point.head.line, point.head.digest, chosen, point.abandons)
            groups.setdefault(key, []).append(point)
        return [
            Group(line, digest, authority, tuple(listed), abandons)
            for (line, digest, authority, abandons), listed in sorted(groups.items(), key=lambda item: item[0])
        ], problems

    def run(
        self,
        targets: Iterable[Target],
        *,
        actor: Actor,
        progress: Progress,
        tsa: str | None = None,
        patient: bool = False,
    ) -> list[RenewalView]:
        """Renew what is named. Raises `LeaseHeldError` while another process renews and `RenewalPausedError`;
        everything else is told in the views."""
        with self._means.holder.hold(LEASE):
            views = finish_waiting(self._means, self._finishing, actor, progress, patient=patient, tsa=tsa)
            groups, problems = self.plan(targets, tsa=tsa, done=names_of(views))
            views += problems
            for group in groups:
                require_not_paused(self._means.catalogue)
                views.append(self._renew(group, actor, progress, patient=patient))
        return views

    # -- what goes on from where --------------------------------------------------------------

    def _points(
        self, heads: Sequence[HeadRow], wanted: dict[tuple[int, str], Target]
    ) -> tuple[list[Point], list[RenewalView]]:
        waiting = waiting_heads(self._means)
        by_object: dict[tuple[str, str], list[HeadRow]] = {}
        for head in heads:
            by_object.setdefault((head.storage_object, head.line), []).append(head)
        points: list[Point] = []
        problems: list[RenewalView] = []
        restarts: dict[tuple[str, str, tuple[str, ...]], list[tuple[HeadRow, Target]]] = {}
        for (storage_object, line), rows in by_object.items():
            asked = [wanted[row.batch, line] for row in rows if (row.batch, line) in wanted]
            if not asked:
                continue
            if (storage_object, line) in waiting:
                message = f"{waiting[storage_object, line]} covers it and waits for its time-stamp"
                problems.append(_problem(rows, form.TIMESTAMP, rows[0].digest, message))
                continue
            for row in rows:
                target = wanted.get((row.batch, line))
                if target is not None and target.restart_from is not None:
                    head, abandons = self._restart(row, target.restart_from)
                    restarts.setdefault((head.storage_object, line, abandons), []).append((head, target))
            if all(target.restart_from is None for target in asked):
                reasons = tuple(dict.fromkeys(target.reason for target in asked))
                points.append(Point(rows[0], tuple(rows), (), reasons))
        for (_, _, abandons), found in restarts.items():
            reasons = tuple(dict.fromkeys(target.reason for _, target in found))
            points.append(Point(found[0][0], tuple(head for head, _ in found), abandons, reasons))
        return points, problems

    def _restart(self, head: HeadRow, position: int) -> tuple[HeadRow, tuple[str, ...]]:
        """The stamp of the newest chain at a position, and the objects of the later ones."""
        rows = [row for row in self._means.catalogue.stamps(head.batch, head.line) if row.chain == head.chain]
        point = next((row for row in rows if row.position == position), None)
        if point is None or point is rows[-1]:
            raise SettingsError(f"batch {head.batch}, line {head.line}: there is nothing to start again from")
        later = sorted(object_name(row.storage_object) for row in rows if row.position > position)
        return _as_head(head, point), tuple(later)

    def _require_good(self, digest: str, at: datetime) -> None:
        suitability = self._means.published.algorithms.digest(digest, at=at)
        if not suitability.good:
            raise SettingsError(
                f"{digest}, which the chain is built with, is no longer good ({suitability.reason}): it needs "
                "`trusted-archive renewal run --hash-tree ALGORITHM`"
            )

    def _authority(self, point: Point, choosing: Choosing, others: dict[tuple[int, str], frozenset[str]]) -> str:
        """The one authority that may stamp all lines of batches behind a token."""
        line = point.head.line
        taken = frozenset(name for row in point.rows for name in others.get((row.batch, row.line), ()))
        kinds = sorted({(row.profile, row.tsa) for row in point.rows})
        for name in dict.fromkeys(choosing.authority(profile, line, first, taken) for profile, first in kinds):
            if all(choosing.allows(profile, line, name) for profile, _ in kinds):
                return name
        raise SettingsError(f"no TSA may renew all lines that stand on {object_name(point.head.storage_object)}")

    # -- one renewal --------------------------------------------------------------------------

    def _renew(self, group: Group, actor: Actor, progress: Progress, *, patient: bool) -> RenewalView:
        try:
            self._means.workspace.mkdir(parents=True, exist_ok=True)
            with TemporaryDirectory(dir=self._means.workspace, prefix=FORMING) as folder:
                number, obstacles = self._form(group, Path(folder), progress)
        except ArchiveError as error:
            return _problem(group.rows, form.TIMESTAMP, group.digest, str(error), tsa=group.tsa)
        if number is None:
            problem = _problem(
                group.rows, form.TIMESTAMP, group.digest, "none of them may be covered now", tsa=group.tsa
            )
            return replace(problem, obstacles=tuple(obstacles))
        progress("stamping", number, None)
        view = self._finishing.finish(number, actor, fresh=True, patient=patient)
        return replace(view, obstacles=tuple(obstacles))

    def _form(self, group: Group, folder: Path, progress: Progress) -> tuple[int | None, list[Obstacle]]:
        """A renewal on every store and in the catalogue; None when there is nothing that it may cover."""
        covering = Covering(self._means)
        covers: list[Covered] = []
        leaves: list[bytes] = []
        obstacles: list[Obstacle] = []
        with Packed(folder / form.TOKENS) as packed:
            for done, point in enumerate(group.points):
                if done % AHEAD == 0 and len(group.points) >= MANY:
                    covering.ahead([one.head for one in group.points[done : done + AHEAD]])
                if done % EVERY == 0:
                    progress("covering", done, len(group.points))
                    self._means.holder.renew()
                    require_not_paused(self._means.catalogue)
                final = covering.final(point.head, self._tsa_of(point.head))
                if isinstance(final, Obstacle):
                    obstacles.append(final)
                    continue
                place = packed.add(final.octets) if final.completed else None
                covers.append(Covered(final.head, hash_bytes("sha512", final.octets).hex(), place))
                leaves.append(hash_bytes(group.digest, final.octets))
        if not covers:
            return None, obstacles
        tree = HashTree.build(group.digest, leaves)
        files = {form.COVERS: PackageFile.of(form.covers_text(covers)), form.TREE: PackageFile.of(tree.to_bytes())}
        if packed.size:
            files[form.TOKENS] = packed.file()
        formed = Formed(
            kind=form.TIMESTAMP,
            line=group.line,
            digest=group.digest,
            tsa=group.tsa,
            tree=tree,
            covers=len(covers),
            files=files,
            validation=covering.data,
            abandons=group.abandons,
            reasons=[reason for point in group.points for reason in point.reasons],
        )
        number = keep_formed(self._means, self._finishing, formed)
        return number, obstacles

    def _tsa_of(self, head: HeadRow) -> str:
        number = number_of(head.storage_object, RENEWAL)
        return head.tsa if number is None else self._means.catalogue.renewal(number).tsa


def _as_head(head: HeadRow, row: StampRow) -> HeadRow:
    return replace(
        head,
        chain=row.chain,
        position=row.position,
        digest=row.digest,
        gen_time=row.gen_time,
        storage_object=row.storage_object,
        ocfl_path=row.ocfl_path,
        token_digest=row.token_digest,
        trusted_until=row.trusted_until,
        facts=row.facts,
    )


def _problem(rows: Sequence[HeadRow], kind: str, digest: str, message: str, *, tsa: str = "") -> RenewalView:
    return RenewalView(
        number=0,
        kind=kind,
        line=rows[0].line,
        digest=digest,
        tsa=tsa or rows[0].tsa,
        batches=len(rows),
        tokens=0,
        documents=sum(row.leaf_count for row in rows),
        error=message,
    )
