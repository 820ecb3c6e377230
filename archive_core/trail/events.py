"""Events of the trail: what was done or attempted, to what, by whom, with which outcome.

Rules kept here
 * An event is chained for ever, so it holds opaque identifiers and codes only. Personal detail goes
   to a sidecar line that can be erased; the event keeps a nonced commitment to it, which tells
   nothing once the detail and its nonce are gone.
 * An event and its canonical line are interchangeable; the line without its line feed is the entry of
   the Merkle log.
 * The event of a deposit follows from the stored description alone, so that a catalogue rebuilt from
   a store finds the same event and not a second one.
 * `object_event` numbers the events of one preservation object from 1 without gaps. It is given when
   the sequencer orders the event, never before.
"""

from __future__ import annotations

import enum
import re
import secrets
from collections.abc import Iterable, Mapping, MutableMapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from json.encoder import encode_basestring as _quoted
from typing import Any, Self

from archive_core import canonical, reading
from archive_core.description import Description, parse_poid_member
from archive_core.digests import hash_bytes
from archive_core.errors import MalformedDocumentError
from archive_core.findings import utc_text
from archive_core.trail.merkle import leaf_hash

COMMITMENT = "sha512"
NONCE_BYTES = 32
MAX_LINE_BYTES = 16 * 1024
MAX_DETAIL_BYTES = 64 * 1024

_FEW, _SHORT = 8, 1024

_EVENT_ID = re.compile(r"[0-9a-f]{32}")
_CODE = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.:-]{0,79}")
_OPAQUE = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.:@/-]{0,127}")


class EventType(enum.StrEnum):
    """PREMIS 3.0 eventType terms (id.loc.gov/vocabulary/preservation/eventType) where there is one."""

    INGESTION = "ingestion"
    REPLICATION = "replication"
    MESSAGE_DIGEST_CALCULATION = "message digest calculation"
    FIXITY_CHECK = "fixity check"
    VALIDATION = "validation"
    DIGITAL_SIGNATURE_VALIDATION = "digital signature validation"
    DISSEMINATION = "dissemination"
    DELETION = "deletion"
    MIGRATION = "migration"
    RECOVERY = "recovery"
    METADATA_MODIFICATION = "metadata modification"
    POLICY_ASSIGNMENT = "policy assignment"
    # local terms, where PREMIS has none
    UPDATE = "update"
    SEALING = "sealing"
    TIMESTAMP_ACQUISITION = "time-stamp acquisition"
    TIMESTAMP_RENEWAL = "time-stamp renewal"
    HASH_TREE_RENEWAL = "hash-tree renewal"
    QUARANTINE = "quarantine"
    LEGAL_HOLD = "legal hold"
    KEY_CREATION = "key creation"
    KEY_REVOCATION = "key revocation"
    REFUSAL = "refusal"
    ACCESS = "access"
    AUDIT = "audit"
    REBUILD = "rebuild"
    STORE_CHANGE = "store change"
    SETTINGS_CHANGE = "settings change"
    BACKUP = "backup"
    ORGANISATION_CHANGE = "organisation change"
    STATE_CHANGE = "state change"


class Outcome(enum.StrEnum):
    SUCCESS = "success"
    FAILURE = "failure"


_MEMBERS = (
    "actor",
    "code",
    "commitment",
    "event_id",
    "object_event",
    "outcome",
    "poid",
    "subject",
    "time",
    "type",
    "version",
)


@dataclass(frozen=True, slots=True)
class Event:
    """One event.

    `poid`/`version` name the preservation object, if it is about one; `subject` another opaque thing
    it is about (a storage object's name such as `ba0000000012`, a key id); `actor` an opaque id;
    `code` says more than the type (`deposit`, `digest-mismatch`); `commitment` is 64 bytes or None;
    `object_event` is None until the event is ordered and for events about no object.
    """

    event_id: str
    time: datetime
    type: EventType
    outcome: Outcome
    code: str
    actor: str | None = None
    poid: str | None = None
    version: int | None = None
    subject: str | None = None
    commitment: bytes | None = None
    object_event: int | None = None

    def to_json(self) -> dict[str, Any]:
        return {
            "event_id": self.event_id,
            "time": utc_text(self.time),
            "type": str(self.type),
            "outcome": str(self.outcome),
            "code": self.code,
            "actor": self.actor,
            "poid": self.poid,
            "version": self.version,
            "subject": self.subject,
            "commitment": self.commitment.hex() if self.commitment is not None else None,
            "object_event": self.object_event,
        }

    def to_line(self) -> bytes:
        """The canonical line, with its line feed: what `canonical.write` makes of `to_json`, put together at once,
        because every deposit needs several."""
        return (
            f'{{"actor":{_text(self.actor)},"code":{_quoted(self.code)},"commitment":{_hex(self.commitment)},'
            f'"event_id":{_quoted(self.event_id)},"object_event":{_number(self.object_event)},'
            f'"outcome":{_quoted(self.outcome)},"poid":{_text(self.poid)},"subject":{_text(self.subject)},'
            f'"time":"{utc_text(self.time)}","type":{_quoted(self.type)},"version":{_number(self.version)}}}\n'
        ).encode()

    @property
    def leaf_hash(self) -> bytes:
        """The hash of this event's log entry: its line without the line feed."""
        return leaf_hash(self.to_line()[:-1])

    @classmethod
    def parse(cls, line: bytes) -> Self:
        """The event that a canonical line (with its line feed) stands for; raises
        `MalformedDocumentError`."""
        value = reading.members(
            canonical.read_canonical(line, max_bytes=MAX_LINE_BYTES, max_depth=2), _MEMBERS, "the event"
        )
        return cls(
            event_id=_matching(_EVENT_ID, value["event_id"], "event_id"),
            time=reading.instant(value["time"], "time"),
            type=EventType(reading.one_of(value["type"], [str(t) for t in EventType], "type")),
            outcome=Outcome(reading.one_of(value["outcome"], [str(o) for o in Outcome], "outcome")),
            code=_matching(_CODE, value["code"], "code"),
            actor=None if value["actor"] is None else _matching(_OPAQUE, value["actor"], "actor"),
            poid=None if value["poid"] is None else parse_poid_member(value["poid"]),
            version=_optional_integer(value["version"], "version"),
            subject=None if value["subject"] is None else _matching(_OPAQUE, value["subject"], "subject"),
            commitment=None
            if value["commitment"] is None
            else reading.digest(value["commitment"], COMMITMENT, "commitment"),
            object_event=_optional_integer(value["object_event"], "object_event"),
        )


@dataclass(frozen=True, slots=True)
class Detail:
    """The erasable part of an event: personal detail (names, addresses, messages) and its nonce."""

    event_id: str
    nonce: bytes
    detail: Mapping[str, Any]

    @classmethod
    def new(cls, event_id: str, detail: Mapping[str, Any]) -> Self:
        """With a fresh random nonce."""
        return cls(event_id, secrets.token_bytes(NONCE_BYTES), detail)

    @property
    def commitment(self) -> bytes:
        """SHA-512(nonce ‖ canonical JSON of the detail), as the event holds it."""
        return hash_bytes(COMMITMENT, self.nonce, canonical.write(dict(self.detail)))

    def to_line(self) -> bytes:
        return canonical.write({"event_id": self.event_id, "nonce": self.nonce.hex(), "detail": dict(self.detail)})

    @classmethod
    def parse(cls, line: bytes) -> Self:
        """The inverse of `to_line`; raises `MalformedDocumentError`."""
        value = canonical.read_canonical(line, max_bytes=MAX_DETAIL_BYTES)
        value = reading.members(value, ("event_id", "nonce", "detail"), "the event detail")
        if not isinstance(value["detail"], dict):
            raise MalformedDocumentError("the event detail is not a JSON object")
        return cls(
            _matching(_EVENT_ID, value["event_id"], "event_id"),
            reading.hex_bytes(value["nonce"], "nonce", NONCE_BYTES),
            value["detail"],
        )


def new_event(
    type_: EventType,
    outcome: Outcome,
    code: str,
    *,
    at: datetime,
    actor: str | None = None,
    poid: str | None = None,
    version: int | None = None,
    subject: str | None = None,
    detail: Mapping[str, Any] | None = None,
) -> tuple[Event, Detail | None]:
    """An event with a random identifier, and the sidecar line of its detail, if any. Raises
    `MalformedDocumentError` when a member is not opaque or could not be read back."""
    event_id = secrets.token_hex(16)
    sidecar = Detail.new(event_id, detail) if detail else None
    event = Event(
        event_id=event_id,
        time=at,
        type=type_,
        outcome=outcome,
        code=code,
        actor=actor,
        poid=poid,
        version=version,
        subject=subject,
        commitment=sidecar.commitment if sidecar else None,
    )
    _verify_readable(event)
    if sidecar and not _is_flat(sidecar.detail) and Detail.parse(sidecar.to_line()) != sidecar:
        raise MalformedDocumentError("the detail of the event would not read back as it was written")
    return event, sidecar


def _verify_readable(event: Event) -> None:
    """What `Event.parse` asks of a line, asked of the event itself."""
    if event.time.utcoffset() != timedelta(0):
        raise MalformedDocumentError("the time of the event is not in UTC")
    _matching(_CODE, event.code, "code")
    for opaque, what in ((event.actor, "actor"), (event.subject, "subject")):
        if opaque is not None:
            _matching(_OPAQUE, opaque, what)
    if event.poid is not None:
        parse_poid_member(event.poid)
    _optional_integer(event.version, "version")


def _is_flat(detail: Mapping[str, Any]) -> bool:
    """Whether the detail is a few short values, of which none can read back otherwise."""
    return len(detail) <= _FEW and all(
        value is None or type(value) is bool or (type(value) is str and len(value) <= _SHORT)
        for value in detail.values()
    )


def deposit_event(description_bytes: bytes) -> Event:
    """The event of a version's deposit or update: a pure function of the stored description.

    Its commitment is the SHA-512 of the description (which holds a nonce of its own), so the trail
    is bound to what was accepted; the originator is named there and not here. Raises
    `MalformedDocumentError` when the bytes are not a description.
    """
    return deposit_event_of(Description.parse(description_bytes), description_bytes)


def deposit_event_of(description: Description, description_bytes: bytes) -> Event:
    """`deposit_event` for a description that was parsed from these bytes, or made them."""
    identity = hash_bytes(COMMITMENT, b"trusted-archive/deposit-event/1\x00", description_bytes)
    return Event(
        event_id=identity[:16].hex(),
        time=description.received,
        type=EventType.INGESTION if description.kind == "deposit" else EventType.UPDATE,
        outcome=Outcome.SUCCESS,
        code=description.kind,
        poid=description.poid,
        version=description.version,
        commitment=hash_bytes(COMMITMENT, description_bytes),
    )


def state_event(code: str, subject: str, digest: str, at: datetime) -> Event:
    """The event that something came to a state that follows from the stores alone: `evidenced` of `batch-N`, by the
    sha512 of its statement (hex), `renewed` of `renewal-N`, by that of its token. A rebuilt catalogue finds the same
    event, and not a second one."""
    identity = hash_bytes(COMMITMENT, f"trusted-archive/state-event/1\x00{code}\x00{digest}".encode())
    return Event(
        event_id=identity[:16].hex(),
        time=at,
        type=EventType.STATE_CHANGE,
        outcome=Outcome.SUCCESS,
        code=code,
        subject=subject,
    )


def number_events(events: Iterable[Event], last: MutableMapping[str, int]) -> list[Event]:
    """The events with their per-object numbers, in the order given.

    `last` maps POIDs to the number of their last ordered event and is brought up to date; a POID
    that is missing there starts at 1.
    """
    numbered = []
    for event in events:
        if event.poid is None:
            numbered.append(replace(event, object_event=None))
            continue
        last[event.poid] = last.get(event.poid, 0) + 1
        numbered.append(replace(event, object_event=last[event.poid]))
    return numbered


def _text(value: str | None) -> str:
    return "null" if value is None else _quoted(value)


def _hex(value: bytes | None) -> str:
    return "null" if value is None else f'"{value.hex()}"'


def _number(value: int | None) -> str:
    return "null" if value is None else str(value)


def _matching(pattern: re.Pattern[str], value: Any, what: str) -> str:
    if not isinstance(value, str) or not pattern.fullmatch(value):
        raise MalformedDocumentError(f"{what} is not of the form that the trail keeps")
    return value


def _optional_integer(value: Any, what: str) -> int | None:
    return None if value is None else reading.integer(value, what, least=1)
