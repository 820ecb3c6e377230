"""`hold`: objects that nobody may destroy, until they are released.

Rules kept here
 * Placing and lifting need a reason; looking needs none.
 * Exit 75 when a store has yet to do its part; the hold itself stands, or is lifted, all the same.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Sequence

from api.cli.answers import GOOD, WAITS, table
from api.cli.console import Console, shown
from api.cli.opening import actor, opened
from api.texts import marked, text
from archive_core.catalogue.holds import LegalHold
from archive_core.errors import UsageError
from archive_core.findings import utc_text
from archive_core.legal_holds import HoldsView, hold_json

_HOLDS = ("POID", marked("hold"), marked("name"), marked("since"), marked("by"), marked("reason"))


def hold(arguments: argparse.Namespace, console: Console) -> int:
    """Place a hold, lift it, or show what is held."""
    if arguments.list:
        return _list(arguments, console)
    if not arguments.poids or arguments.reason is None:
        raise UsageError(text("say which objects, and --reason; or --list"))
    with opened(arguments, console) as archive:
        act = archive.lift_hold if arguments.release else archive.place_hold
        view = act(arguments.poids, name=arguments.name, reason=arguments.reason, actor=actor())
    told = {**view.to_json(), "released": arguments.release}
    console.result(told, _lines(view, released=arguments.release))
    return WAITS if view.owed else GOOD


def _list(arguments: argparse.Namespace, console: Console) -> int:
    if arguments.release or arguments.reason is not None:
        raise UsageError(text("--list stands alone, or with POIDs and --name"))
    with opened(arguments, console) as archive:
        found = archive.legal_holds(arguments.poids or None, actor=actor())
    if arguments.name is not None:
        found = [one for one in found if arguments.name in (one.name, one.hold)]
    lines = table(_HOLDS, [_row(one) for one in found]) or [text("Nothing is under a legal hold.")]
    console.result({"holds": [hold_json(one) for one in found]}, lines)
    return GOOD


def _row(one: LegalHold) -> Sequence[str]:
    who = ", ".join(str(value) for value in one.who.values()) or one.by or "-"
    return (one.poid, one.hold, shown(one.name or "-"), utc_text(one.since), shown(who), shown(one.reason or "-"))


def _lines(view: HoldsView, *, released: bool) -> Iterator[str]:
    for one in view.holds:
        facts = {"poid": one.poid, "hold": shown(one.name or one.hold), "time": utc_text(one.since)}
        if released:
            yield text("{poid}: the legal hold {hold} is lifted", **facts)
        elif one.hold in view.replayed:
            yield text("{poid}: under the legal hold {hold} already, since {time}", **facts)
        else:
            yield text("{poid}: under the legal hold {hold}", **facts)
    for store, reason in sorted(view.owed.items()):
        yield "  " + text(
            "store {store} has yet to do it, and is asked again by itself: {reason}", store=store, reason=shown(reason)
        )
