"""Events hold opaque identifiers and a commitment; a deposit's event follows from its description."""

import json
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest

from archive_core import canonical
from archive_core.description import DescribedFile, Description
from archive_core.digests import hash_bytes
from archive_core.errors import MalformedDocumentError
from archive_core.trail.events import (
    Detail,
    Event,
    EventType,
    Outcome,
    deposit_event,
    new_event,
    number_events,
)

NOW = datetime(2026, 3, 1, 8, 0, tzinfo=UTC)
POID = "0199b0c27d3e7000a000000000000001"
DESCRIPTION = Description(
    poid=POID,
    version=1,
    kind="deposit",
    originator="Jan Novák, Lhota",
    profile="basic-1",
    idempotency_key=None,
    received=NOW,
    files=(DescribedFile("data/a", "document", 1, {"sha512": "00" * 64}),),
    predecessor=None,
    nonce="07" * 32,
)


def _access() -> tuple[Event, Detail]:
    event, detail = new_event(
        EventType.DISSEMINATION,
        Outcome.SUCCESS,
        "retrieve",
        at=NOW,
        actor="key-0f3a",
        poid=POID,
        version=1,
        subject="ba0000000012",
        detail={"user": "Jana Nováková", "address": "192.0.2.7"},
    )
    assert detail is not None
    return event, detail


def test_an_event_and_its_line_are_interchangeable() -> None:
    """With and without the optional members."""
    for event in (_access()[0], deposit_event(DESCRIPTION.to_bytes())):
        assert Event.parse(event.to_line()) == event
        assert event.to_line() == canonical.write(event.to_json())


def test_the_deposit_event_follows_from_the_description_alone() -> None:
    """Twice the same event, bound to the description, without the originator's name."""
    event = deposit_event(DESCRIPTION.to_bytes())
    assert event == deposit_event(DESCRIPTION.to_bytes())
    assert (event.type, event.code, event.time) == (EventType.INGESTION, "deposit", NOW)
    assert event.commitment == hash_bytes("sha512", DESCRIPTION.to_bytes())
    assert "Novák" not in event.to_line().decode()


def test_another_description_has_another_deposit_event() -> None:
    """Every version, and every deposit of the same files, has its own event."""
    update = replace(DESCRIPTION, version=2, kind="update", predecessor=(1, "00" * 64))
    again = replace(DESCRIPTION, nonce="08" * 32)
    events = [deposit_event(d.to_bytes()) for d in (DESCRIPTION, update, again)]
    assert len({event.event_id for event in events}) == 3
    assert events[1].type is EventType.UPDATE


def test_a_deposit_event_of_something_else_is_refused() -> None:
    """Only a description has one."""
    with pytest.raises(MalformedDocumentError):
        deposit_event(b"{}\n")


def test_personal_detail_is_committed_to_and_not_held() -> None:
    """The line tells nothing of the detail; the sidecar line opens the commitment."""
    event, detail = _access()
    assert b"192.0.2.7" not in event.to_line()
    assert Detail.parse(detail.to_line()) == detail
    assert detail.commitment == event.commitment


def test_changed_detail_or_nonce_does_not_open_the_commitment() -> None:
    """The commitment binds every byte; equal details have different commitments."""
    event, detail = _access()
    assert replace(detail, detail={"user": "someone else"}).commitment != event.commitment
    assert replace(detail, nonce=bytes(32)).commitment != event.commitment
    assert _access()[0].commitment != event.commitment


def _change(**members: Any) -> bytes:
    value = json.loads(_access()[0].to_line())
    value.update(members)
    return canonical.write({name: item for name, item in value.items() if item != "absent"})


@pytest.mark.parametrize(
    "line",
    [
        _change(event_id="XYZ"),
        _change(time="2026-03-01"),
        _change(type="ingested"),
        _change(outcome="maybe"),
        _change(code=""),
        _change(code="with space"),
        _change(actor="Jana Nováková"),
        _change(actor="jana novakova"),
        _change(subject="a b"),
        _change(poid="x"),
        _change(version=0),
        _change(commitment="00"),
        _change(object_event=0),
        _change(extra=1),
        _change(actor="absent"),
        _access()[0].to_line()[:-1],
        _access()[0].to_line().replace(b",", b", ", 1),
        b"",
        b"[]\n",
        b"\xff\n",
        canonical.write({"a": "x" * 20_000}),
    ],
)
def test_a_line_that_is_not_exactly_an_event_is_refused(line: bytes) -> None:
    """Names of people and free text never get into the chain, nor do unknown members."""
    with pytest.raises(MalformedDocumentError):
        Event.parse(line)


@pytest.mark.parametrize(
    "members", [{"actor": "Jana Nováková"}, {"poid": "x"}, {"subject": ""}, {"detail": {"n": "x" * 70_000}}]
)
def test_an_event_that_would_not_read_back_is_not_made(members: dict[str, Any]) -> None:
    """What is chained can always be read again."""
    with pytest.raises(MalformedDocumentError):
        new_event(EventType.ACCESS, Outcome.SUCCESS, "x", at=NOW, **members)


def test_events_of_one_object_are_numbered_without_gaps() -> None:
    """Each object has its own numbers, going on from the last; other events have none."""
    mine, (other, _) = deposit_event(DESCRIPTION.to_bytes()), _access()
    foreign = replace(other, poid="0199b0c27d3e7000a000000000000002")
    last = {POID: 4}
    numbered = number_events([mine, foreign, replace(other, poid=None, version=None), other], last)
    assert [event.object_event for event in numbered] == [5, 1, None, 6]
    assert last == {POID: 6, "0199b0c27d3e7000a000000000000002": 1}
