"""`destroy`: an object goes away for ever, and it is known that it did.

Rules kept here
 * Nothing is ever asked: `--yes` is the confirmation, and without it the command says what it would destroy and ends
   as a mistake in its words.
 * Exit 75 when a store still holds something of it.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator

from api.cli.answers import GOOD, TEST_TRUST, WAITS
from api.cli.console import Console, shown
from api.cli.opening import actor, opened
from api.texts import text
from archive_core.destruction.destroying import DestructionView
from archive_core.errors import UsageError
from archive_core.findings import utc_text


def destroy(arguments: argparse.Namespace, console: Console) -> int:
    """Destroy an object with all its versions."""
    if arguments.yes and arguments.dry_run:
        raise UsageError(text("say --yes or --dry-run, not both"))
    with opened(arguments, console) as archive:
        view = archive.destroy(
            arguments.poid,
            reason=arguments.reason,
            actor=actor(),
            keep_digests=not arguments.forget_digests,
            dry_run=not arguments.yes,
        )
    if not (arguments.yes or arguments.dry_run or view.replayed):
        raise UsageError(
            text(
                "{poid} with {versions} versions, {size} bytes, would be destroyed for ever: say --yes to do it",
                poid=view.poid,
                versions=view.versions,
                size=view.size,
            )
        )
    console.result(view.to_json(), _lines(view))
    return WAITS if view.owed else GOOD


def _lines(view: DestructionView) -> Iterator[str]:
    facts = {"poid": view.poid, "versions": view.versions, "size": view.size}
    if view.dry_run:
        yield text("{poid} with {versions} versions, {size} bytes, would be destroyed in every store", **facts)
        yield text("Nothing was changed. A fresh time-stamp decides whether it may be done.")
    elif view.decided is not None:
        yield text(
            "{poid} with {versions} versions, {size} bytes, was destroyed on {time} (time-stamp of {tsa}): {reason}",
            time=utc_text(view.decided),
            tsa=view.tsa,
            reason=shown(view.reason),
            **facts,
        )
    for store in view.purged:
        yield "  " + text("store {store}: nothing is left of it", store=store)
    for debt in view.owed:
        yield "  " + text(
            "store {store} still holds it, and is asked again by itself: {reason}",
            store=debt.store,
            reason=shown(debt.error or ""),
        )
    if view.test_trust:
        yield text(TEST_TRUST)
