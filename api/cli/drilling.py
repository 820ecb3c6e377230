"""`renewal drill`: what would be lost if something broke, what would save it, tried out on copies."""

from __future__ import annotations

import argparse
from functools import partial

from api.cli.answers import BAD, GOOD
from api.cli.console import Console, shown
from api.cli.opening import actor, settings_of
from api.drill_texts import drill_json, drill_lines
from api.texts import marked, text
from api.wiring import build_algorithms, build_archive, build_renewal_policy
from archive_core.clock import SystemClock
from archive_core.drilling import Drill
from archive_core.errors import UsageError
from policies.breaking import parse_break
from policies.errors import UnknownPolicyError

PROGRESS = (marked("trying without renewal"), marked("trying with renewal in time"))
"""What the use case says on the way."""


def drill(arguments: argparse.Namespace, console: Console) -> int:
    """Exit 1 when renewal in time would not save everything, or was not tried."""
    from api.drill_world import authorities_of, sandbox

    at = SystemClock().now()
    settings = settings_of(arguments)
    table = build_algorithms(settings)
    if arguments.at <= at:
        raise UsageError(text("--at lies in the past: a drill is about a day to come"))
    try:
        broken = parse_break(arguments.broken, arguments.at, table)
    except UnknownPolicyError as error:
        raise UsageError(str(error)) from error
    archive = build_archive(settings)
    try:
        known = authorities_of(archive)
    finally:
        archive.close()
    found = Drill(
        make=partial(sandbox, settings, known=known, started=at),
        table=table,
        actor=actor(),
        started=at,
        authorities=known.fallen(broken),
        policy=build_renewal_policy(settings),
        read_at_most=int(arguments.read_at_most * 1e9),
        progress=console.progress,
    ).run(broken)
    console.result(drill_json(found), [shown(line) for line in drill_lines(found)])
    return GOOD if found.is_saved else BAD
