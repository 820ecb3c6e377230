"""Event lines read at the price of one regular expression.

Rules kept here
 * What matches is an event in its one canonical spelling, and the very event that `Event.parse` gives; the pattern
   is narrower than the rules, never wider.
 * What does not match is left to `Event.parse`, which says what is wrong or that nothing is.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime

from archive_core.findings import utc_text
from archive_core.trail.events import Event, EventType, Outcome

_OPAQUE = r"[A-Za-z0-9][A-Za-z0-9_.:@/-]{0,127}"
_NUMBER = r"[1-9][0-9]{0,8}"


def _optional(name: str, pattern: str, quote: str = '"') -> str:
    return f'"{name}":(?:null|{quote}(?P<{name}>{pattern}){quote})'


_LINE = re.compile(
    ",".join(
        (
            "{" + _optional("actor", _OPAQUE),
            r'"code":"(?P<code>[A-Za-z0-9][A-Za-z0-9_.:-]{0,79})"',
            _optional("commitment", "[0-9a-f]{128}"),
            '"event_id":"(?P<event_id>[0-9a-f]{32})"',
            _optional("object_event", _NUMBER, ""),
            '"outcome":"(?P<outcome>success|failure)"',
            _optional("poid", "[0-9a-f]{12}7[0-9a-f]{3}[89ab][0-9a-f]{15}"),
            _optional("subject", _OPAQUE),
            r'"time":"(?P<time>[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}(?:\.[0-9]{6})?Z)"',
            '"type":"(?P<type>' + "|".join(re.escape(str(kind)) for kind in EventType) + ')"',
            _optional("version", _NUMBER, "") + "}\n",
        )
    )
)


def parse_event(line: bytes) -> Event:
    """`Event.parse`, sooner; raises `MalformedDocumentError` as that does."""
    try:
        found = _LINE.fullmatch(line.decode("ascii"))
    except UnicodeDecodeError:
        found = None
    if found is None:
        return Event.parse(line)
    actor, code, commitment, event_id, object_event, outcome, poid, subject, time, kind, version = found.groups()
    try:
        at = datetime.fromisoformat(time).astimezone(UTC)
    except ValueError:
        return Event.parse(line)
    if utc_text(at) != time:
        return Event.parse(line)
    return Event(
        event_id=event_id,
        time=at,
        type=EventType(kind),
        outcome=Outcome(outcome),
        code=code,
        actor=actor,
        poid=poid,
        version=None if version is None else int(version),
        subject=subject,
        commitment=None if commitment is None else bytes.fromhex(commitment),
        object_event=None if object_event is None else int(object_event),
    )
