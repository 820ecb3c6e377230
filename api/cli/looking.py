"""`list`, `show`, `trace`, `profiles`: what there is."""

from __future__ import annotations

import argparse
from collections.abc import Iterable

from api.cli.answers import GOOD, TEST_TRUST, table
from api.cli.console import Console, shown
from api.cli.findings import answer
from api.cli.opening import actor, opened
from api.cli.words import VERIFY
from api.texts import marked, spoken, text
from archive_core.findings import utc_text
from archive_core.lifecycle import VersionView
from policies.profiles import PreservationProfile

PAGE = 500

_LIST = (
    "POID",
    marked("version"),
    marked("status"),
    marked("received"),
    marked("files"),
    marked("bytes"),
    marked("organisation"),
    marked("key"),
)
_TRACE = (marked("number"), marked("time"), marked("event"), marked("outcome"), marked("code"), marked("who"))
_PROFILES = (marked("profile"), marked("title"))


def list_objects(arguments: argparse.Namespace, console: Console) -> int:
    """The newest version of every object in the order of deposit."""
    views: list[VersionView] = []
    with opened(arguments, console) as archive:
        after = None
        while page := archive.objects(actor=actor(), after=after, limit=PAGE):
            views += page
            after = page[-1].poid
    console.result({"objects": [view.to_json() for view in views]}, _list_lines(views))
    return GOOD


def _list_lines(views: list[VersionView]) -> Iterable[str]:
    rows = [
        (
            view.poid,
            str(view.version),
            text(str(view.status)),
            utc_text(view.received),
            str(view.file_count),
            str(view.size),
            shown(view.originator),
            shown(view.key or ""),
        )
        for view in views
    ]
    return table(_LIST, rows, right=(1, 4, 5)) or [text("Nothing is here yet: trusted-archive deposit PATH")]


def show(arguments: argparse.Namespace, console: Console) -> int:
    with opened(arguments, console) as archive:
        view = archive.show(arguments.poid, arguments.version, actor=actor())
    console.result(view.to_json(), _show_lines(view))
    return GOOD


def _show_lines(view: VersionView) -> Iterable[str]:
    yield f"{view.poid}  v{view.version}  ({text('versions')}: {', '.join(map(str, view.versions))})"
    yield f"  {text('status')}: {text(str(view.status))}"
    if view.destroyed:
        told = {
            "time": utc_text(view.destroyed.decided),
            "tsa": view.destroyed.tsa,
            "reason": shown(view.destroyed.reason),
        }
        yield "  " + text("destroyed on {time} (time-stamp of {tsa}): {reason}", **told)
        if view.destroyed.owed:
            yield "  " + text("still to be purged in: {stores}", stores=", ".join(view.destroyed.owed))
    for hold in view.holds:
        told = {"hold": shown(hold.name or hold.hold), "time": utc_text(hold.since)}
        yield "  " + text("under the legal hold {hold} since {time}: it cannot be destroyed", **told)
    yield f"  {text('received')}: {utc_text(view.received)}"
    if view.proof_of_existence:
        yield f"  {text('proven to exist since')}: {utc_text(view.proof_of_existence)}"
    else:
        yield f"  {text('not proven yet: trusted-archive preserve, or wait for the next batch')}"
    yield f"  {text('organisation')}: {shown(view.originator)}   {text('profile')}: {view.profile}"
    if view.key is not None:
        yield f"  {text('key')}: {shown(view.key)}"
    for file in view.files:
        yield f"  {file.size:>12}  {shown(file.path)}"
        yield f"                sha512 {file.sha512}"
    if view.test_trust:
        yield f"  {text(TEST_TRUST)}"


def trace(arguments: argparse.Namespace, console: Console) -> int:
    """Every event of an object, in its order; or, for the word `verify`, the whole trail proven anew: exit 1 when
    there are findings."""
    if arguments.poid == VERIFY:
        return _verify_trail(arguments, console)
    with opened(arguments, console) as archive:
        events = archive.trace(arguments.poid, actor=actor())
    rows = [
        tuple(
            shown("-" if event[key] is None else event[key])
            for key in ("object_event", "time", "type", "outcome", "code", "actor")
        )
        for event in events
    ]
    console.result({"poid": arguments.poid, "events": events}, table(_TRACE, rows, right=(0,)))
    return GOOD


def _verify_trail(arguments: argparse.Namespace, console: Console) -> int:
    with opened(arguments, console) as archive:
        found = archive.verify_trail(actor=actor(), progress=console.progress)
    return answer(found, console)


def profiles(arguments: argparse.Namespace, console: Console) -> int:
    with opened(arguments, console) as archive:
        found = archive.profiles()
    rows = [(profile.id, shown(profile.title[spoken()])) for profile in found]
    console.result({"profiles": [_profile_json(one) for one in found]}, table(_PROFILES, rows))
    return GOOD


def _profile_json(profile: PreservationProfile) -> dict[str, object]:
    return {
        "id": profile.id,
        "title": profile.title,
        "description": profile.description,
        "scheme": profile.scheme,
        "valid_from": utc_text(profile.valid_from),
        "valid_until": utc_text(profile.valid_until) if profile.valid_until else None,
        "lines": [{"name": line.name, "digest": line.digest, "tsa": line.tsa} for line in profile.lines],
        "examination": {"rule": str(profile.examination.rule), "required": profile.examination.required},
        "accepts_test_trust": profile.accepts_test_trust,
    }
