"""Use case: a drill. What would be lost if something broke on a day, and what would save it, tried out.

The rules it follows
 * Everything happens in sandboxes: copies of the catalogue, stores that write beside the real ones, a clock that is
   set, stand-ins for the time-stamp authorities. What makes them answers for that; here they are only used.
 * Told twice: once nothing is done about the break, once it is known in time. The difference is the drill's answer.
 * What the policies say of every chain is checked on samples, by verification from stored bytes.
 * What takes too long to try is estimated, and said to be.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Protocol

from archive_core.archive import Archive
from archive_core.catalogue.rows import VersionRow
from archive_core.catalogue.sizes import batch_sizes
from archive_core.errors import ArchiveError
from archive_core.findings import Verdict
from archive_core.forecasting import Forecasting, Speed
from archive_core.lifecycle import Actor
from archive_core.renewal.facts import chain_facts
from archive_core.renewal.means import RenewalView
from archive_core.renewal.running import ALL, RenewalRequest
from policies.algorithms import AlgorithmTable
from policies.breaking import Break, Broken, Loss, assess_loss, broken_table
from policies.renewal import needs
from policies.renewal_values import ChainFacts, RenewalKind, RenewalPolicy, StatusChange

STAND_IN = "drill-authority"
"""An authority that nothing breaks: it stands for one that an operator would have to turn to."""

MOST_STEPS = 500
_SECOND, _DAY = timedelta(seconds=1), timedelta(days=1)


class Sandbox(Protocol):
    """One copy of the archive to try things on."""

    def set_time(self, at: datetime) -> None: ...

    def archive(self, table: AlgorithmTable) -> Archive:
        """The archive under a table of algorithms, over this sandbox's catalogue and stores."""
        ...

    def stamps(self) -> int:
        """Time-stamps that the stand-ins have given."""
        ...


MakeSandbox = Callable[[Break], AbstractContextManager[Sandbox]]


@dataclass(frozen=True, slots=True)
class Samples:
    """Versions verified from bytes: how many passed, of how many, and what was said of the others."""

    passed: int
    checked: int
    said: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Step:
    """A renewal that was tried: when, by the drill's clock, and what came of it."""

    at: datetime
    view: RenewalView


@dataclass(frozen=True, slots=True)
class Outcome:
    """One telling: what is lost after the break, what samples say, what was renewed on the way and how long it took."""

    loss: Loss
    samples: Samples
    steps: tuple[Step, ...]
    seconds: float
    stamps: int


@dataclass(frozen=True, slots=True)
class DrillResult:
    """`without` is told as if the break came as a surprise, `with_renewal` as if it were known in time (None when that
    was not tried, for `not_tried`). `bytes_to_read` and `speed` are for the estimate."""

    broken: Break
    table: str
    without: Outcome
    with_renewal: Outcome | None
    bytes_to_read: int
    speed: Speed
    not_tried: str = ""
    fallen_authorities: tuple[str, ...] = ()

    @property
    def hours(self) -> float | None:
        """Estimated for reading what has to be read; None where the speed is not known."""
        speed = self.speed.bytes_per_second
        return self.bytes_to_read / speed / 3600 if speed else None

    @property
    def is_saved(self) -> bool:
        """Whether renewal in time leaves nothing lost."""
        return self.with_renewal is not None and not self.with_renewal.loss.lost


@dataclass(frozen=True, slots=True)
class Drill:
    """How to drill. `authorities` are the fallen ones (for `tsa:` and `ca:`). `read_at_most` bytes of content are read
    in the trial of a hash-tree renewal; `samples` versions are verified each time."""

    make: MakeSandbox
    table: AlgorithmTable
    actor: Actor
    started: datetime
    authorities: tuple[str, ...] = ()
    policy: RenewalPolicy = field(default_factory=RenewalPolicy)
    read_at_most: int = 2 * 10**9
    samples: int = 5
    progress: Callable[[str, int, int | None], None] = field(default=lambda _what, _done, _total: None)

    def run(self, broken: Break) -> DrillResult:
        """Tell it twice; raises what the archive raises when it cannot even be copied or read."""
        fallen = broken_table(self.table, broken)
        self.progress("trying without renewal", 0, None)
        with self.make(broken) as sandbox:
            ordinary = self._ready(sandbox.archive(self.table))
            speed = Forecasting(ordinary.renewing.means, ordinary.renewing).measure()
            steps, seconds = self._carry(sandbox, ordinary, until=broken.at)
            without = self._outcome(sandbox, fallen, broken, steps, seconds)
            concerned = {head.batch for head in ordinary.catalogue.heads() if head.digest == broken.name}
            sizes = batch_sizes(ordinary.catalogue)
        size = sum(sizes.get(batch, 0) for batch in concerned) if broken.what is Broken.DIGEST else 0
        if size > self.read_at_most:
            why = f"{size} bytes would have to be read, more than {self.read_at_most}"
            return DrillResult(broken, self.table.id, without, None, size, speed, why, self.authorities)
        self.progress("trying with renewal in time", 0, None)
        with self.make(broken) as sandbox:
            saved = self._saved(sandbox, fallen, broken)
        return DrillResult(broken, self.table.id, without, saved, size, speed, "", self.authorities)

    def _saved(self, sandbox: Sandbox, fallen: AlgorithmTable, broken: Break) -> Outcome:
        warned = self._ready(sandbox.archive(fallen))
        if broken.what in (Broken.DIGEST, Broken.SIGNATURE):
            steps, seconds = self._carry(sandbox, warned, until=broken.at)
            return self._outcome(sandbox, fallen, broken, steps, seconds)
        instant = max(self.started + _SECOND, broken.at - self.policy.timestamp_margin)
        steps, seconds = self._carry(sandbox, warned, until=instant)
        sandbox.set_time(instant)
        began = time.perf_counter()
        request = RenewalRequest(kind=RenewalKind.TIMESTAMP, which=ALL, tsa=STAND_IN)
        result = warned.renew(request, actor=self.actor)
        seconds += time.perf_counter() - began
        return self._outcome(
            sandbox, fallen, broken, [*steps, *(Step(instant, view) for view in result.views)], seconds
        )

    def _carry(self, sandbox: Sandbox, archive: Archive, *, until: datetime) -> tuple[list[Step], float]:
        """Renew what falls due on the way, as the scheduler would; how long that took in all."""
        steps: list[Step] = []
        seconds, clock = 0.0, self.started
        for _ in range(MOST_STEPS):
            chains = archive.renewing.chains()
            found = needs(chains, table=archive.published.algorithms, policy=self.policy, at=clock)
            due = min((max(need.due, clock) for need in found if need.blocked is None), default=None)
            if due is None or due + _SECOND >= until:
                return steps, seconds
            clock = due + _SECOND
            sandbox.set_time(clock)
            began = time.perf_counter()
            result = archive.renew(RenewalRequest(), actor=self.actor)
            seconds += time.perf_counter() - began
            steps += [Step(clock, view) for view in result.views]
            if all(view.error is not None for view in result.views):
                return steps, seconds  # nothing moves any more: the views say why
        return steps, seconds

    # -- what is left -------------------------------------------------------------------------

    def _outcome(
        self, sandbox: Sandbox, fallen: AlgorithmTable, broken: Break, steps: Sequence[Step], seconds: float
    ) -> Outcome:
        sandbox.set_time(broken.at + _DAY)
        archive = sandbox.archive(fallen)
        chains = self._chains(archive, broken)
        return Outcome(
            loss=assess_loss(chains, table=fallen, policy=self.policy, at=broken.at + _DAY),
            samples=self._verified(archive, chains),
            steps=tuple(steps),
            seconds=seconds,
            stamps=sandbox.stamps(),
        )

    def _chains(self, archive: Archive, broken: Break) -> list[ChainFacts]:
        news: Mapping[str, StatusChange] = {
            name: StatusChange(f"the key of {name} is compromised (drill)", broken.at, compromised=True)
            for name in self.authorities
        }
        return chain_facts(archive.catalogue, archive.catalogue.heads(), status=news)

    def _verified(self, archive: Archive, chains: Sequence[ChainFacts]) -> Samples:
        """A few versions, from the oldest batch to the newest, proven anew from bytes."""
        batches = sorted({chain.batch for chain in chains})
        step = max(1, len(batches) // self.samples)
        passed, said = 0, []
        found = (_living(archive, batch) for batch in batches[::step][: self.samples])
        chosen = [row for row in found if row is not None]
        for row in chosen:
            try:
                report = archive.verify(row.poid, row.version, actor=self.actor)
            except ArchiveError as error:
                said.append(str(error))
                continue
            if report.verdict is Verdict.PASSED:
                passed += 1
            else:
                said.append(f"{report.verdict} {report.sub_indication or ''}".strip())
        return Samples(passed, len(chosen), tuple(dict.fromkeys(said)))

    def _ready(self, archive: Archive) -> Archive:
        """In a drill nobody needs to be asked."""
        archive.renewing.policy = replace(self.policy, share=1.0, least=10**9)
        return archive


def _living(archive: Archive, batch: int) -> VersionRow | None:
    """The first version of a batch that was not destroyed, if there is one."""
    after = -1
    while page := archive.catalogue.members(batch, after, 100):
        if (row := next((row for row in page if not row.destroyed), None)) is not None:
            return row
        after += len(page)
    return None
