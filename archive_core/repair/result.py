"""What a repair says: what it put right, what it could not, and how much is lost for good.

Rules kept here
 * A finding names store, path and code, as an audit's does. What no copy has is a finding, counted in bytes.
 * Each object and store that was put right gets one event, with digests before and after.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime

from archive_core.audit_result import AuditEntry
from archive_core.catalogue.rows import EventRow
from archive_core.digests import Digest
from archive_core.journal import event_row
from archive_core.lifecycle import Actor
from archive_core.repair.mending import Mended, Unmended
from archive_core.trail.events import EventType, Outcome, new_event

NO_GOOD_COPY = "NO_GOOD_COPY"
_TOLD = 40
"""Files named in one event; the detail of an event has room for them, its code says how many there were."""


@dataclass(slots=True)
class RepairResult:
    """`repaired` is what was put right (with `dry_run`: what would be), each with what it rests on; `findings` what
    is wrong still; `lost` what no copy has."""

    dry_run: bool = False
    repaired: list[tuple[Mended, str]] = field(default_factory=list)
    findings: list[AuditEntry] = field(default_factory=list)
    notes: list[AuditEntry] = field(default_factory=list)
    checked: dict[str, int] = field(default_factory=dict)
    lost_files: dict[str, int] = field(default_factory=dict)
    """Bytes that no copy has, by object and path below it."""

    @property
    def good(self) -> bool:
        """Nothing is wrong (any more)."""
        return not self.findings and not (self.dry_run and self.repaired)

    def to_json(self) -> dict[str, object]:
        return {
            "dry_run": self.dry_run,
            "repaired": [repaired_json(mended, rests) for mended, rests in self.repaired],
            "findings": [entry.to_json() for entry in self.findings],
            "notes": [entry.to_json() for entry in self.notes],
            "lost": {
                "objects": len({path.partition(" ")[0] for path in self.lost_files}),
                "files": len(self.lost_files),
                "bytes": sum(self.lost_files.values()),
            },
            "checked": self.checked,
        }


def repaired_json(mended: Mended, rests: str) -> dict[str, object]:
    return {
        "store": mended.store,
        "path": mended.path,
        "code": str(mended.code),
        "before": _hex(mended.before),
        "after": _hex(mended.after),
        "from": list(mended.sources),
        "rests_on": rests,
    }


def repair_event(
    store: str,
    name: str,
    poid: str | None,
    mended: Sequence[Mended],
    unmended: Sequence[Unmended],
    rests: str,
    *,
    at: datetime,
    actor: Actor,
) -> EventRow:
    """The event of one object in one store; `name` is the object's name."""
    files = [
        {
            "path": one.path[-300:],
            "code": str(one.code),
            "before": _hex(one.before),
            "after": _hex(one.after),
            "from": list(one.sources),
        }
        for one in mended[:_TOLD]
    ]
    left = [{"path": one.path[-300:], "code": one.code, "message": one.message[:300]} for one in unmended[:_TOLD]]
    event, detail = new_event(
        EventType.RECOVERY,
        Outcome.FAILURE if unmended else Outcome.SUCCESS,
        f"repaired-{len(mended)}-left-{len(unmended)}" if unmended else f"repaired-{len(mended)}",
        at=at,
        actor=actor.actor_id,
        poid=poid,
        subject=f"store-{store}",
        detail={**actor.detail, "object": name, "rests_on": rests, "files": files, "left": left},
    )
    return event_row(event, detail)


def _hex(digest: Digest | None) -> str | None:
    return digest.hex if digest is not None else None
