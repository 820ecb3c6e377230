"""Use case: renewals, asked for by an operator or due by themselves; and how they are.

The rules it follows
 * What is due is decided by `policies` from what the catalogue knows; here it is only carried out.
 * Before anything is renewed, the clock is judged by the newest time-stamp held, and where that is long ago
   by a fresh one.
 * What is due by mistake is due all at once: above a share of the holding, only what cannot wait runs unasked
   (`policies.renewal_guard`). An operator's `--all` is the confirmation: it renews every time-stamp, and does the
   hash-tree renewals that are due.
 * A round that was missed is made up for by the next one: needs do not go away by themselves.
"""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from archive_core.catalogue.rows import HeadRow, RenewalRow
from archive_core.content import Content
from archive_core.digests import Digest
from archive_core.errors import ArchiveError, ClockNotTrustedError, UnavailableError, UsageError
from archive_core.evidence.token import parse_token
from archive_core.findings import utc_text
from archive_core.identifiers import object_name
from archive_core.lifecycle import Actor
from archive_core.preservation import Progress
from archive_core.proofs import Proofs
from archive_core.renewal import form
from archive_core.renewal.asking import Asking
from archive_core.renewal.facts import chain_facts
from archive_core.renewal.finishing import Finishing
from archive_core.renewal.hash_trees import HashTreeRenewal, planned_moves
from archive_core.renewal.means import Means, Obstacle, RenewalView, Target, pause, paused_since, require_not_paused
from archive_core.renewal.refreshing import Refreshing
from archive_core.renewal.timestamps import Group, TimestampRenewal
from archive_core.trail.events import EventType, Outcome
from policies.clock_sanity import ClockState, judge_clock
from policies.renewal import due_needs, needs
from policies.renewal_guard import guarded
from policies.renewal_values import ChainFacts, Reason, RenewalKind, RenewalNeed, RenewalPolicy

DUE, ALL = "due", "all"
NOT_COVERED = "not-covered"
"""The alarm for time-stamps that may not be covered, such as for want of revocation data."""

_CLOCK = "clock"
"""The alarm for a clock that is not to be believed; what is kept of it begins with the state that was found."""

SHOWN = 20
"""Needs that are shown one by one; more are counted."""


@dataclass(frozen=True, slots=True)
class RenewalRequest:
    """What to renew. `kind` None means whatever is due; `which` is `due` or `all` (the confirmation of an
    operator). `algorithm` is the digest to move to in a hash-tree renewal; `tsa` an authority to take."""

    kind: RenewalKind | None = None
    which: str = DUE
    algorithm: str | None = None
    tsa: str | None = None
    dry_run: bool = False
    patient: bool = False


@dataclass(frozen=True, slots=True)
class RenewalResult:
    """What came of it: renewals made (or that would be), needs that are blocked, and the question that waits
    for an operator, if so much is due that it is not done unasked."""

    views: tuple[RenewalView, ...] = ()
    blocked: tuple[RenewalNeed, ...] = ()
    question: Reason | None = None
    waiting: int = 0
    dry_run: bool = False

    @property
    def is_complete(self) -> bool:
        """Whether nothing that was asked for is left."""
        return not self.blocked and self.question is None and all(view.error is None for view in self.views)

    def to_json(self) -> dict[str, object]:
        return {
            "dry_run": self.dry_run,
            "renewals": [view.to_json() for view in self.views],
            "blocked": [need_json(need) for need in self.blocked],
            "question": str(self.question) if self.question else None,
            "waiting": self.waiting,
        }


def need_json(need: RenewalNeed) -> dict[str, object]:
    """A need as documents show it."""
    return {
        "batch": need.batch,
        "line": need.line,
        "kind": str(need.kind),
        "documents": need.documents,
        "due": utc_text(need.due),
        "ends": utc_text(need.ends) if need.ends else None,
        "reason": need.reason.code,
        "because": str(need.reason),
        "digest": need.digest,
        "blocked": str(need.blocked) if need.blocked else None,
        "blocked_because": str(need.blocked_because) if need.blocked_because else None,
    }


class Renewing:
    """Renewals of the whole holding."""

    def __init__(self, means: Means, proofs: Proofs, content: Content, policy: RenewalPolicy | None = None) -> None:
        self.means = means
        self.policy = policy or RenewalPolicy()
        finishing = Finishing(means)
        self._asking = Asking(means)
        self._timestamps = TimestampRenewal(means, finishing)
        self._hash_trees = HashTreeRenewal(means, finishing, proofs, content)
        self.refreshing = Refreshing(means, proofs.forget)

    # -- doing --------------------------------------------------------------------------------

    def run(self, request: RenewalRequest, *, actor: Actor, progress: Progress) -> RenewalResult:
        """Renew what is asked for. Raises `RenewalPausedError`, `ClockNotTrustedError`, `LeaseHeldError` and
        `SettingsError`; what could not be renewed is told in the result."""
        if not request.dry_run:
            require_not_paused(self.means.catalogue)
        run = self._run_all if request.which == ALL else self._run_due
        result = run(request, actor, progress)
        if result.views and not request.dry_run:
            self._told_obstacles([obstacle for view in result.views for obstacle in view.obstacles], actor)
        return result

    def _told_obstacles(self, obstacles: Sequence[Obstacle], actor: Actor) -> None:
        """An alarm while there are time-stamps that may not be covered; each round tries them again."""
        if not obstacles:
            self._end_alarm(NOT_COVERED)
            return
        first = "; ".join(f"{one.head}: {one.message}" for one in obstacles[:3])
        more = f" and {len(obstacles) - 3} more" if len(obstacles) > 3 else ""
        message = f"{len(obstacles)} time-stamps cannot be renewed now and are tried again: {first}{more}"
        self._alarm(NOT_COVERED, message[:1500], actor)

    def _standing(self, code: str) -> str | None:
        """An alarm that stands."""
        return self.means.catalogue.meta_get(f"alarm:{code}") or None

    def _end_alarm(self, code: str) -> None:
        if self._standing(code):
            self.means.catalogue.meta_set(f"alarm:{code}", "")

    def _run_all(self, request: RenewalRequest, actor: Actor, progress: Progress) -> RenewalResult:
        self._require_clock(request, actor)
        at = self.means.clock.now()
        heads = self.means.catalogue.heads()
        reason = f"ordered by an operator on {at:%Y-%m-%d}"
        targets = [Target(head.batch, head.line, reason) for head in heads]
        if request.kind is RenewalKind.HASH_TREE:
            if request.algorithm is None:
                raise UsageError("a hash-tree renewal of everything needs the digest to move to")
            views = self._rehash(request, targets, request.algorithm, actor, progress)
            return RenewalResult(tuple(views), dry_run=request.dry_run)
        due = self._due(heads, at) if request.kind is None else []
        views = self._renew(request, targets, actor, progress)
        views += self._move(request, [need for need in due if need.blocked is None], actor, progress)
        blocked = tuple(need for need in due if need.blocked is not None and need.kind is RenewalKind.HASH_TREE)
        return RenewalResult(tuple(views), blocked=blocked, dry_run=request.dry_run)

    def _run_due(self, request: RenewalRequest, actor: Actor, progress: Progress) -> RenewalResult:
        at = self.means.clock.now()
        heads = self.means.catalogue.heads()
        due = [need for need in self._due(heads, at) if request.kind in (None, need.kind)]
        if due:
            self._require_clock(request, actor)
        allowed = guarded(due, holding=len(heads), policy=self.policy, at=at)
        stamped = [need for need in allowed.run if need.kind is RenewalKind.TIMESTAMP]
        targets = [Target(need.batch, need.line, str(need.reason), need.restart_from) for need in stamped]
        views = self._renew(request, targets, actor, progress) if request.kind is not RenewalKind.HASH_TREE else []
        views += self._move(request, allowed.run, actor, progress)
        if allowed.question is not None and not request.dry_run:
            self._alarm("mass-renewal", str(allowed.question), actor)
        return RenewalResult(
            views=tuple(views),
            blocked=tuple(need for need in due if need.blocked is not None),
            question=allowed.question,
            waiting=len(allowed.ask),
            dry_run=request.dry_run,
        )

    def _move(
        self, request: RenewalRequest, needs: Sequence[RenewalNeed], actor: Actor, progress: Progress
    ) -> list[RenewalView]:
        """The hash-tree renewals among the needs, each to the digest that it asks for."""
        moving: dict[str, list[Target]] = {}
        for need in needs:
            digest = request.algorithm or need.digest
            if need.kind is RenewalKind.HASH_TREE and digest is not None:
                moving.setdefault(digest, []).append(Target(need.batch, need.line, str(need.reason)))
        return [
            view
            for digest, listed in sorted(moving.items())
            for view in self._rehash(request, listed, digest, actor, progress)
        ]

    def _renew(
        self, request: RenewalRequest, targets: Sequence[Target], actor: Actor, progress: Progress
    ) -> list[RenewalView]:
        if request.dry_run:
            groups, problems = self._timestamps.plan(targets, tsa=request.tsa)
            return [*problems, *(planned(group) for group in groups)]
        return self._timestamps.run(targets, actor=actor, progress=progress, tsa=request.tsa, patient=request.patient)

    def _rehash(
        self, request: RenewalRequest, targets: Sequence[Target], digest: str, actor: Actor, progress: Progress
    ) -> list[RenewalView]:
        if request.dry_run:
            moves, problems = self._hash_trees.plan(targets, digest, tsa=request.tsa)
            return [*problems, *planned_moves(moves)]
        return self._hash_trees.run(
            targets, digest, actor=actor, progress=progress, tsa=request.tsa, patient=request.patient
        )

    def _alarm(self, code: str, message: str, actor: Actor) -> None:
        """An alarm is an event, once for as long as it stands."""
        if self._standing(code) == message:
            return
        self.means.sequencer.record(
            EventType.TIMESTAMP_RENEWAL, Outcome.FAILURE, code, actor=actor, detail={"message": message[:2000]}
        )
        self.means.catalogue.meta_set(f"alarm:{code}", message)

    # -- what is due --------------------------------------------------------------------------

    def chains(self, heads: Sequence[HeadRow] | None = None) -> list[ChainFacts]:
        """The newest chain of every line of every batch, as policies see it."""
        known = self.means.catalogue.heads() if heads is None else heads
        return chain_facts(self.means.catalogue, known, status=self.means.news)

    def _due(self, heads: Sequence[HeadRow], at: datetime) -> list[RenewalNeed]:
        return due_needs(self.chains(heads), table=self.means.published.algorithms, policy=self.policy, at=at)

    # -- the clock ----------------------------------------------------------------------------

    def _require_clock(self, request: RenewalRequest, actor: Actor) -> None:
        """Raises `ClockNotTrustedError`; a wrong clock is an alarm for as long as it is wrong the same way."""
        now, last = self.means.clock.now(), self.means.catalogue.newest_stamp_time()
        judged = judge_clock(now, last_known=last)
        if judged.state is ClockState.AHEAD:
            judged = judge_clock(now, last_known=last, fresh=self._fresh_time(request.tsa))
        if judged.good:
            self._end_alarm(_CLOCK)
            return
        if not (self._standing(_CLOCK) or "").startswith(f"{judged.state} "):
            self.means.catalogue.meta_set(f"alarm:{_CLOCK}", f"{judged.state} {judged.message}")
            self.means.sequencer.record(
                EventType.TIMESTAMP_RENEWAL,
                Outcome.FAILURE,
                "clock-not-trusted",
                actor=actor,
                detail={"message": judged.message[:2000]},
            )
        raise ClockNotTrustedError(judged.message, state=str(judged.state))

    def _fresh_time(self, tsa: str | None) -> datetime:
        """The genTime of a time-stamp over nothing, of the first authority that answers."""
        names = [tsa] if tsa else sorted(self.means.authorities)
        problem: UnavailableError | None = None
        for name in names:
            authority = self.means.authorities.get(name)
            if authority is None:
                continue
            try:
                token = authority.timestamp(Digest.of("sha512", secrets.token_bytes(32)))
            except UnavailableError as error:
                problem = error
                continue
            return parse_token(token.der).gen_time
        raise problem or ClockNotTrustedError("no time-stamp authority is there to confirm the clock")

    # -- how it is ----------------------------------------------------------------------------

    def pause(self, *, paused: bool, actor: Actor) -> None:
        """Let renewals stop at their next step, or go on."""
        pause(self.means.catalogue, paused=paused, at=self.means.clock.now())
        self.means.sequencer.record(
            EventType.SETTINGS_CHANGE, Outcome.SUCCESS, f"renewal-{'paused' if paused else 'resumed'}", actor=actor
        )

    def status(self) -> dict[str, object]:
        """How renewals are, for people and machines."""
        at = self.means.clock.now()
        heads = self.means.catalogue.heads()
        found = list(needs(self.chains(heads), table=self.means.published.algorithms, policy=self.policy, at=at))
        due = [need for need in found if need.is_due(at)]
        later = min((need for need in found if not need.is_due(at)), key=lambda need: need.due, default=None)
        rows = self.means.catalogue.renewals()
        return {
            "paused_since": paused_since(self.means.catalogue),
            "chains": len(heads),
            "renewals": len([row for row in rows if row.gen_time is not None]),
            "unfinished": [_row_json(row) for row in rows if row.gen_time is None and row.abandoned is None],
            "lost_answers": self._lost_answers(rows),
            "alarms": self._alarms(),
            "last": _row_json(rows[-1]) if rows else None,
            "due": {
                str(kind): len([need for need in due if need.kind is kind and need.blocked is None])
                for kind in RenewalKind
            },
            "blocked": [need_json(need) for need in due if need.blocked is not None][:SHOWN],
            "next": need_json(later) if later else None,
        }

    def _lost_answers(self, rows: Sequence[RenewalRow]) -> list[dict[str, object]]:
        """Calls to an authority whose answer nobody lived to keep, of the newest renewals: those that were told of,
        and those that may be under way or lost just now."""
        found: list[dict[str, object]] = []
        for row in rows[-SHOWN:]:
            for event in self.means.catalogue.events_about(object_name(row.storage_object)):
                if event.code == "answer-lost":
                    told = str((event.detail or {}).get("message", ""))
                    found.append({"renewal": row.number, "time": utc_text(event.recorded_at), "message": told})
            if row.gen_time is None and row.abandoned is None and (asked := self._asking.may_be_lost(row.number)):
                message = f"{asked['tsa']} was asked, and no answer has been kept yet"
                found.append({"renewal": row.number, "time": asked["time"], "message": message})
        return found

    def _alarms(self) -> list[str]:
        """What stops renewals: a clock that is still not to be believed, time-stamps that may not be covered."""
        said = []
        alarm = self._standing(_CLOCK)
        if alarm and not judge_clock(self.means.clock.now(), last_known=self.means.catalogue.newest_stamp_time()).good:
            said.append(alarm.partition(" ")[2])
        return said + ([alarm] if (alarm := self._standing(NOT_COVERED)) else [])

    def warnings(self) -> list[str]:
        """What an operator should look at."""
        try:
            found = self.status()
        except ArchiveError as error:
            return [f"renewal: {error}"]
        said = [f"renewal is paused since {found['paused_since']}"] if found["paused_since"] else []
        unfinished, blocked, alarms = found["unfinished"], found["blocked"], found["alarms"]
        assert isinstance(unfinished, list)
        assert isinstance(blocked, list)
        assert isinstance(alarms, list)
        said += [f"renewal {row['renewal']} waits for its time-stamp since {row['formed_at']}" for row in unfinished]
        said += [f"renewal: {alarm}" for alarm in alarms]
        said += [
            f"batch {need['batch']}, line {need['line']} cannot be renewed: {need['blocked_because']}"
            for need in blocked
        ]
        return said


def planned(group: Group) -> RenewalView:
    """What would be renewed."""
    rows = group.rows
    return RenewalView(
        number=0,
        kind=form.TIMESTAMP,
        line=group.line,
        digest=group.digest,
        tsa=group.tsa,
        batches=len(rows),
        tokens=len(group.points),
        documents=sum(row.leaf_count for row in rows),
    )


def _row_json(row: RenewalRow) -> dict[str, object]:
    return {
        "renewal": row.number,
        "kind": row.kind,
        "line": row.line,
        "digest": row.digest,
        "tsa": row.tsa,
        "covers": row.covers,
        "formed_at": utc_text(row.formed_at),
        "gen_time": utc_text(row.gen_time) if row.gen_time else None,
    }
