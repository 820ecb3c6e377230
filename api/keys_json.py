"""A key as people and machines are shown it: everything but what opens the door."""

from __future__ import annotations

from datetime import datetime

from archive_core.catalogue.rows import KeyRow
from archive_core.findings import utc_text


def key_json(row: KeyRow, *, good: bool) -> dict[str, object]:
    return {
        "key_id": row.key_id,
        "label": row.label,
        "role": row.role,
        "organisation": row.originator,
        "created": utc_text(row.created),
        "expires": _instant(row.expires),
        "revoked": _instant(row.revoked_at),
        "last_used": _instant(row.last_used),
        "scopes": list(row.scopes) if row.scopes is not None else None,
        "rate_per_minute": row.rate_per_minute,
        "replaces": row.replaces,
        "good": good,
    }


def _instant(at: datetime | None) -> str | None:
    return utc_text(at) if at else None
