"""`renewal run`, `renewal status`, `renewal pause`, `renewal resume`: evidence that outlives its algorithms.

Rules kept here
 * Nothing is ever asked. `--all` is itself the confirmation; `--due` leaves what needs one to an operator,
   says so, and ends with the code of what waits.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterable, Iterator
from typing import Any

from api.cli.answers import GOOD, WAITS
from api.cli.console import Console, shown
from api.cli.opening import actor, opened
from api.plan_texts import reason_text
from api.texts import marked, text
from archive_core.errors import UsageError
from archive_core.findings import utc_text
from archive_core.renewal.means import RenewalView
from archive_core.renewal.running import ALL, DUE, RenewalRequest, RenewalResult
from policies.renewal_values import RenewalKind, RenewalNeed

KINDS = {"timestamp": marked("time-stamp renewal"), "hash-tree": marked("hash-tree renewal")}


def run_renewal(arguments: argparse.Namespace, console: Console) -> int:
    """Renew what is due, or everything. Exit 75 when something of it waits."""
    if arguments.timestamps and arguments.hash_tree:
        raise UsageError(text("say --timestamps or --hash-tree, not both"))
    if arguments.due and arguments.all:
        raise UsageError(text("say --due or --all, not both"))
    kind = RenewalKind.TIMESTAMP if arguments.timestamps else None
    kind = RenewalKind.HASH_TREE if arguments.hash_tree else kind
    request = RenewalRequest(
        kind=kind,
        which=ALL if arguments.all else DUE,
        algorithm=arguments.hash_tree,
        tsa=arguments.tsa,
        dry_run=arguments.dry_run,
    )
    with opened(arguments, console) as archive:
        result = archive.renew(request, actor=actor(), progress=console.progress)
    console.result(result.to_json(), _result_lines(result))
    return GOOD if result.is_complete else WAITS


def _result_lines(result: RenewalResult) -> Iterator[str]:
    for view in result.views:
        yield from _view_lines(view, dry_run=result.dry_run)
    yield from map(_blocked_line, result.blocked)
    if result.question:
        yield shown(reason_text(result.question))
    if not (result.views or result.blocked or result.question):
        yield text("Nothing is due.")
    elif result.dry_run:
        yield text("Nothing was changed: without --dry-run this would be done.")


def _view_lines(view: RenewalView, *, dry_run: bool) -> Iterator[str]:
    facts = {
        "kind": text(KINDS[view.kind]),
        "line": view.line,
        "digest": view.digest,
        "batches": view.batches,
        "documents": view.documents,
        "tsa": view.tsa,
    }
    if view.gen_time is not None:
        yield text(
            "renewal {number}: {kind}, line {line} ({digest}): {batches} batches, {documents} versions, stamped "
            "{time} by {tsa}",
            number=view.number,
            time=utc_text(view.gen_time),
            **facts,
        )
    elif view.error is None and dry_run:
        yield text("{kind}, line {line} ({digest}): {batches} batches, {documents} versions, by {tsa}", **facts)
    else:
        why = shown(view.error or "")
        yield text("{kind}, line {line} ({digest}): {batches} batches wait: {reason}", reason=why, **facts)
    if view.repeated is not None:
        yield "  " + text("an answer was lost: {reason}", reason=shown(view.repeated))
    for obstacle in view.obstacles:
        yield "  " + text("{head} cannot be covered: {reason}", head=obstacle.head, reason=shown(obstacle.message))
    for dropped in view.dropped:
        yield "  " + text(
            "{poid} v{version} drops out, its earlier evidence stays: {reason}",
            poid=dropped.poid,
            version=dropped.version,
            reason=shown(dropped.message),
        )


def _blocked_line(need: RenewalNeed) -> str:
    return text(
        "batch {batch}, line {line}: {kind} cannot be done: {reason}",
        batch=need.batch,
        line=need.line,
        kind=text(KINDS[str(need.kind)]),
        reason=shown(reason_text(need.blocked_because)) if need.blocked_because else "",
    )


# -- status, pause, resume ----------------------------------------------------------------------


def status(arguments: argparse.Namespace, console: Console) -> int:
    with opened(arguments, console) as archive:
        found = archive.renewing.status()
    console.result(found, _status_lines(found))
    return GOOD


def _status_lines(found: dict[str, Any]) -> Iterable[str]:
    if found["paused_since"]:
        yield text("paused since {time}: trusted-archive renewal resume", time=found["paused_since"])
    yield text("{chains} chains of evidence, {renewals} renewals so far", **found)
    for row in found["unfinished"]:
        yield text(
            "renewal {number} waits for its time-stamp since {time}", number=row["renewal"], time=row["formed_at"]
        )
    for lost in found["lost_answers"]:
        yield text(
            "renewal {number}, {time}: an answer was lost: {reason}",
            number=lost["renewal"],
            time=lost["time"],
            reason=shown(lost["message"]),
        )
    for alarm in found["alarms"]:
        yield text("alarm: {reason}", reason=shown(alarm))
    for kind, count in found["due"].items():
        if count:
            yield text(
                "due now: {kind} of {count} chains: trusted-archive renewal run --due",
                kind=text(KINDS[kind]),
                count=count,
            )
    for need in found["blocked"]:
        yield text(
            "batch {batch}, line {line}: {kind} cannot be done: {reason}",
            batch=need["batch"],
            line=need["line"],
            kind=text(KINDS[need["kind"]]),
            reason=shown(need["blocked_because"]),
        )
    if following := found["next"]:
        yield text(
            "next: {kind} from {time} on: {reason}",
            kind=text(KINDS[following["kind"]]),
            time=following["due"],
            reason=shown(following["because"]),
        )


def pause(arguments: argparse.Namespace, console: Console) -> int:
    """Renewals stop at their next step; what is done stays done."""
    return _pause(arguments, console, paused=True)


def resume(arguments: argparse.Namespace, console: Console) -> int:
    return _pause(arguments, console, paused=False)


def _pause(arguments: argparse.Namespace, console: Console, *, paused: bool) -> int:
    with opened(arguments, console) as archive:
        archive.renewing.pause(paused=paused, actor=actor())
    said = text("Renewals are paused.") if paused else text("Renewals go on.")
    console.result({"paused": paused}, [said])
    return GOOD
