"""`stores list | add | drain | retire | compare | pay | probe`: which stores hold copies, and what they lack.

Rules kept here
 * Nothing is ever asked: `retire` parts with a store for good and takes `--yes` as the confirmation.
 * What was broken off goes on with the same command. Exit 75 while a store still lacks copies.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterable, Sequence

from api.cli.answers import BAD, GOOD, WAITS, table
from api.cli.console import Console, shown
from api.cli.opening import actor, opened, settings_of
from api.texts import marked, text
from archive_core.debts import Payment
from archive_core.errors import UsageError

_COLUMNS = (
    marked("store"),
    marked("state"),
    marked("required"),
    marked("site"),
    marked("lacks"),
    marked("place"),
    marked("fault"),
)


_STATES = {
    "member": marked("member"),
    "filling": marked("filling"),
    "draining": marked("draining"),
    "retired": marked("retired"),
    "new": marked("new"),
}


def list_stores(arguments: argparse.Namespace, console: Console) -> int:
    """Every store, what it lacks and how its locks are."""
    settings = settings_of(arguments)
    places = {store.name: store.place(settings.home) for store in settings.stores}
    with opened(arguments, console) as archive:
        views = archive.stores.views()
        judged = {name: archive.locks.judged(name) for name in archive.locks.policies}
        to_lock = {name: archive.catalogue.count_lock_debts(name) for name in archive.locks.policies}
    documents = [
        {
            **view.to_json(),
            "place": places.get(view.name),
            "locks": found.to_json() if (found := judged.get(view.name)) else None,
            "to_lock": to_lock.get(view.name),
        }
        for view in views
    ]
    rows = [
        (
            shown(view.name),
            text(_STATES[view.state]),
            text("yes") if view.required else text("no"),
            shown(view.site),
            str(view.owed),
            shown(places.get(view.name) or "-"),
            shown(view.error or "-"),
        )
        for view in views
    ]
    console.result({"stores": documents}, table(_COLUMNS, rows))
    return WAITS if any(view.owed for view in views) else GOOD


def add(arguments: argparse.Namespace, console: Console) -> int:
    """Let a store of the settings take part, and fill it."""
    with opened(arguments, console, busy=True) as archive:
        payment = archive.stores.add(arguments.store, actor=actor(), progress=console.progress)
    return _told([payment], console, {"store": arguments.store, "state": "filling" if payment.owed else "member"})


def drain(arguments: argparse.Namespace, console: Console) -> int:
    """Write nothing more to a store; copy what only it holds to the others."""
    with opened(arguments, console, busy=True) as archive:
        payments = archive.stores.drain(arguments.store, actor=actor(), progress=console.progress)
    return _told(payments, console, {"store": arguments.store, "state": "draining"})


def retire(arguments: argparse.Namespace, console: Console) -> int:
    """Part with a store for good."""
    if not arguments.yes:
        raise UsageError(
            text("the store {store} would be parted with for good: say --yes to do it", store=arguments.store)
        )
    with opened(arguments, console) as archive:
        archive.stores.retire(arguments.store, lost=arguments.lost, actor=actor(), progress=console.progress)
    line = text("{store} takes no part any more: remove it from the settings", store=shown(arguments.store))
    console.result({"store": arguments.store, "state": "retired"}, [line])
    return GOOD


def compare(arguments: argparse.Namespace, console: Console) -> int:
    """Which objects stores lack, or hold in another form."""
    with opened(arguments, console) as archive:
        found = archive.stores.compare(console.progress, arguments.stores)
    lines = [text("{count} objects compared", count=found.compared)]
    for store, objects in found.missing.items():
        if objects:
            lines.append(
                text(
                    "{store} lacks {count} objects, the first {first}",
                    store=shown(store),
                    count=len(objects),
                    first=objects[0],
                )
            )
    lines += [text("differs: {object}", object=one) for one in found.differing]
    console.result(found.to_json(), lines)
    return GOOD if found.same else BAD


def pay(arguments: argparse.Namespace, console: Console) -> int:
    """Give stores what they lack, now."""
    with opened(arguments, console, busy=True) as archive:
        payments = archive.debts.pay(console.progress)
        owed = {one.store: one.objects for one in archive.catalogue.owed_copies()}
    return _told(payments, console, {"owed": owed})


def probe(arguments: argparse.Namespace, console: Console) -> int:
    """Attack a locked canary in each store that is to lock."""
    with opened(arguments, console) as archive:
        found = archive.locks.probe(actor=actor())
    lines: list[str] = []
    for name, judged in found.items():
        if judged.holds:
            lines.append(
                text("{store}: its locks ({mode}) held against every attack", store=shown(name), mode=judged.mode)
            )
        else:
            why = judged.error or ", ".join(judged.broken)
            lines.append(text("{store}: its locks do not hold: {reason}", store=shown(name), reason=shown(why)))
    document = {"probed": {name: judged.to_json() for name, judged in found.items()}}
    console.result(document, lines or [text("No store is to lock what it keeps.")])
    return GOOD if all(judged.holds for judged in found.values()) else BAD


def _told(payments: Sequence[Payment], console: Console, document: dict[str, object]) -> int:
    console.result({**document, "payments": [payment.to_json() for payment in payments]}, _lines(payments))
    return WAITS if any(payment.owed for payment in payments) else GOOD


def _lines(payments: Sequence[Payment]) -> Iterable[str]:
    for payment in payments:
        yield text(
            "{store}: {paid} objects copied, {owed} still lacking",
            store=shown(payment.store),
            paid=payment.paid,
            owed=payment.owed,
        )
        if payment.error:
            yield "  " + shown(payment.error)
    if not payments:
        yield text("No store lacks anything.")
