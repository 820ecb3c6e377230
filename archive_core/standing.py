"""How the archive stands: what `status` tells people and machines, and whether it is ready to work.

Rules kept here
 * Whatever waits, fails or is owed has a sentence among the warnings; what is not asked is not said to be well.
 * Nothing here changes anything.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from archive_core.catalogue.catalogue import Catalogue
from archive_core.counting import Counting
from archive_core.errors import UnavailableError
from archive_core.findings import utc_text
from archive_core.lifecycle import Actor
from archive_core.ocfl.storage_root import StorageRoot
from archive_core.outages import Outage, Outages
from archive_core.ports import Clock, TimestampAuthority
from archive_core.publishing import Published
from archive_core.replication import Copies
from archive_core.sealing import Sealing


class Warns(Protocol):
    """A part of the archive that has something to say."""

    def warnings(self) -> Sequence[str]: ...


@dataclass(frozen=True)
class Standing:
    """`parts` are asked for their warnings, in that order; `cautions` are warnings about the settings."""

    name: str
    clock: Clock
    catalogue: Catalogue
    copies: Copies
    published: Published
    authorities: Mapping[str, TimestampAuthority]
    counting: Counting
    sealing: Sealing
    test_trust: bool
    cautions: Sequence[str]
    parts: Sequence[Warns]

    def status(self, *, actor: Actor) -> dict[str, object]:
        """How the archive is, for people and machines."""
        counts = self.catalogue.count_states(actor.originator)
        last, segment = self.catalogue.last_batch(), self.catalogue.last_segment()
        unfinished = self.catalogue.unfinished_batches()
        stores = [self._store_status(root) for root in self.copies.roots]
        warnings = []
        if self.test_trust:
            warnings.append("test trust: time-stamps and seals of this archive prove nothing to anybody else")
        warnings += [
            f"batch {row.number} waits for its time-stamp since {utc_text(row.formed_at)}" for row in unfinished
        ]
        outages = Outages(self.catalogue).all(self.authorities)
        warnings += [
            f"time-stamp authority {outage.tsa} gives no usable time-stamp since {utc_text(outage.since)} "
            f"({outage.failures} tries): {outage.message}"
            for outage in outages
        ]
        warnings += [*self.counting.warnings(), *self.sealing.warnings(), *self.cautions]
        warnings += [f"store {store['name']}: {store['error']}" for store in stores if store["error"]]
        warnings += [warning for part in self.parts for warning in part.warnings()]
        return {
            "name": self.name,
            "objects": {
                "objects": counts.objects,
                "versions": counts.versions,
                "replicated": counts.awaiting + counts.in_batch,
                "evidenced": counts.evidenced,
                "destroyed": counts.destroyed,
            },
            "batches": {"last": last.number if last else 0, "unfinished": [row.number for row in unfinished]},
            "trail": {"size": segment.size if segment else 0, "pending": len(self.catalogue.pending_events(1000))},
            "stores": stores,
            "seal_key": self.sealing.status(),
            "timestamp_authorities": _authority_status(self.authorities, outages, self.counting),
            "default_profile": self.published.for_submission(None, self.clock.now()).id,
            "test_trust": self.test_trust,
            "warnings": warnings,
        }

    def ready(self) -> dict[str, object]:
        """The catalogue answers, and as many stores as deposits need; raises `UnavailableError` naming those that do
        not. A store that deposits can do without makes nobody unready: it is owed what it misses."""
        self.catalogue.last_batch()
        stores = [self._store_status(root) for root in self.copies.roots]
        away = [f"{store['name']}: {store['error']}" for store in stores if store["error"]]
        if away and self.copies.rule.shortfall([str(store["name"]) for store in stores if store["ok"]]):
            raise UnavailableError(f"not ready: {'; '.join(away)}")
        return {"status": "ready", "stores": [store["name"] for store in stores if store["ok"]]}

    def _store_status(self, root: StorageRoot) -> dict[str, object]:
        error = self.copies.trouble(root)
        return {"name": root.store.name, "ok": error is None, "error": error}


def _authority_status(names: Iterable[str], outages: Sequence[Outage], counting: Counting) -> list[dict[str, object]]:
    """Every authority, with its outage if it is in one: since when, how often it was asked in vain, why,
    and from when on it is asked again; and how many time-stamps this month were asked for and obtained."""
    found = {outage.tsa: outage for outage in outages}
    shown: list[dict[str, object]] = []
    for name in names:
        outage = found.get(name)
        shown.append(
            {
                "name": name,
                "ok": outage is None,
                "since": utc_text(outage.since) if outage else None,
                "failures": outage.failures if outage else 0,
                "error": outage.message if outage else None,
                "ask_again": utc_text(outage.ask_again) if outage else None,
                "timestamps": counting.to_json(name),
            }
        )
    return shown
