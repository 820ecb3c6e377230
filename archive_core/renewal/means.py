"""What the renewals work with, and what they say of what they did."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

from archive_core.catalogue.catalogue import Catalogue
from archive_core.errors import RenewalPausedError
from archive_core.findings import utc_text
from archive_core.holding import Holder
from archive_core.list_snapshots import ListSnapshots
from archive_core.ports import Clock, TimestampAuthority, TimestampValidator
from archive_core.publishing import Published
from archive_core.renewal.stored import Shelf
from archive_core.replication import Copies, DamageListener
from archive_core.sequencer import Sequencer
from policies.renewal_values import StatusChange

LEASE = "renewal"
"""Held while a renewal is formed and stamped: no two renewals may cover the same token at once."""

_PAUSED = "renewal-paused"


@dataclass(frozen=True, slots=True)
class Means:
    """The collaborators of every renewal. `workspace` is a folder for what a renewal has to keep on this
    machine meanwhile; losing it costs work and no evidence. `news` is what was reported of authorities, by
    name; `bytes_per_second` is how fast documents may be read for a hash-tree renewal, None for as fast as possible;
    `lists` are asked where a profile demands qualified time-stamps."""

    clock: Clock
    catalogue: Catalogue
    copies: Copies
    authorities: Mapping[str, TimestampAuthority]
    trust_classes: Mapping[str, str]
    validator: TimestampValidator
    sequencer: Sequencer
    holder: Holder
    published: Published
    shelf: Shelf
    on_damage: DamageListener
    workspace: Path
    news: Mapping[str, StatusChange] = field(default_factory=dict)
    bytes_per_second: int | None = None
    lists: ListSnapshots | None = None

    @property
    def offered(self) -> Mapping[str, str]:
        """The trust classes of the authorities that may be asked for new renewals: of those that nothing was
        reported of, or whose name stands for another one since."""
        fallen = {name for name, status in self.news.items() if not status.replaced}
        return {name: given for name, given in self.trust_classes.items() if name not in fallen}


def pause(catalogue: Catalogue, *, paused: bool, at: datetime) -> None:
    """Let renewals stop at their next step, or let them go on."""
    catalogue.meta_set(_PAUSED, utc_text(at) if paused else "")


def paused_since(catalogue: Catalogue) -> str | None:
    """Since when renewals are paused (RFC 3339), or None."""
    return catalogue.meta_get(_PAUSED) or None


def require_not_paused(catalogue: Catalogue) -> None:
    """Raises `RenewalPausedError`."""
    if since := paused_since(catalogue):
        raise RenewalPausedError(f"renewal is paused since {since}: `trusted-archive renewal resume` lets it go on")


@dataclass(frozen=True, slots=True)
class Target:
    """A line of a batch that is to be renewed, and why. `restart_from` is the position, in the newest chain,
    of the time-stamp to go on from where later ones have turned bad; None: the newest."""

    batch: int
    line: str
    reason: str
    restart_from: int | None = None


@dataclass(frozen=True, slots=True)
class Obstacle:
    """A time-stamp that may not be covered now: which object holds it, a stable code, and why."""

    head: str
    code: str
    message: str

    def to_json(self) -> dict[str, str]:
        return {"head": self.head, "code": self.code, "message": self.message}


@dataclass(frozen=True, slots=True)
class Dropped:
    """A version that a hash-tree renewal leaves out, and why."""

    poid: str
    version: int
    batch: int
    message: str

    def to_json(self) -> dict[str, object]:
        return {"poid": self.poid, "version": self.version, "batch": self.batch, "message": self.message}


@dataclass(frozen=True, slots=True)
class RenewalView:
    """What was done, or (`number` 0) could not be done or would be: one renewal.

    `batches` counts the lines of batches that go on with it, `tokens` what it covers, `documents` the
    versions behind them. `gen_time` is None while it is not stamped; `error` says why. `repeated` tells of a call to
    the authority that an interruption made in vain."""

    number: int
    kind: str
    line: str
    digest: str
    tsa: str
    batches: int
    tokens: int
    documents: int
    gen_time: datetime | None = None
    error: str | None = None
    obstacles: tuple[Obstacle, ...] = ()
    dropped: tuple[Dropped, ...] = ()
    repeated: str | None = None

    def to_json(self) -> dict[str, object]:
        return {
            "renewal": self.number or None,
            "kind": self.kind,
            "line": self.line,
            "digest": self.digest,
            "tsa": self.tsa,
            "batches": self.batches,
            "tokens": self.tokens,
            "documents": self.documents,
            "gen_time": utc_text(self.gen_time) if self.gen_time else None,
            "error": self.error,
            "obstacles": [obstacle.to_json() for obstacle in self.obstacles],
            "dropped": [dropped.to_json() for dropped in self.dropped],
            "repeated": self.repeated,
        }
