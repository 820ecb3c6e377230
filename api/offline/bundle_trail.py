"""The bundle's part of the trail: the object's events stand in the log whose head is sealed.

Rules kept here
 * Size and head of the proof are those of the sealed statement, never the file's own.
 * The deposit of this very description is among the events, and the object's events are numbered
   from 1 without a gap: nothing between was left out.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from api.offline.bundle_members import Bundle
from api.offline.checking import Log
from archive_core import bundle_format as layout
from archive_core.errors import EvidenceBrokenError, MalformedDocumentError
from archive_core.findings import SubIndication
from archive_core.trail.events import Event, deposit_event
from archive_core.trail.proofs import TrailProof
from archive_core.trail.segments import split_lines

_CLAUSE = "RFC 9162 2.1.3"


def check_trail(bundle: Bundle, log: Log) -> None:
    """Every event of the bundle, by inclusion proof."""
    lines = split_lines(bundle.read(layout.TRAIL_EVENTS))
    try:
        proof = TrailProof.parse(bundle.read(layout.TRAIL_PROOF))
        events = [Event.parse(line) for line in lines]
    except MalformedDocumentError as error:
        log.failed("trail", SubIndication.FORMAT_FAILURE, str(error), layout.TRAIL_PROOF, _CLAUSE)
        return
    try:
        _verify_proof(bundle, proof, lines)
        _verify_events(bundle, events)
    except EvidenceBrokenError as error:
        log.failed("trail", SubIndication.HASH_FAILURE, str(error), layout.TRAIL_EVENTS, _CLAUSE)
        return
    message = f"{len(events)} events are in the log of {proof.size} events whose head is sealed"
    log.passed("trail", message, layout.TRAIL_EVENTS, _CLAUSE)


def _verify_proof(bundle: Bundle, proof: TrailProof, lines: Sequence[bytes]) -> None:
    statement = bundle.statement
    if (proof.size, proof.head) != (statement.trail_size, statement.trail_head):
        raise EvidenceBrokenError("the trail proof is about another log than the one that is sealed")
    proof.verify(lines)


def _verify_events(bundle: Bundle, events: Sequence[Event]) -> None:
    description = bundle.description
    for number, event in enumerate(events, start=1):
        if event.poid != description.poid:
            raise EvidenceBrokenError("an event is about another object")
        if event.object_event != number:
            raise EvidenceBrokenError(f"the object's event {number} is missing or moved")
    deposit = deposit_event(bundle.description_bytes)
    if deposit not in [replace(event, object_event=None) for event in events]:
        raise EvidenceBrokenError("the deposit of this description is not among the events")
