"""`renewal plan`: what falls due until when, and why; as a table, as JSON, drawn as a timeline."""

from __future__ import annotations

import argparse
from datetime import timedelta

from api.cli.answers import BAD, GOOD
from api.cli.console import Console, path_text, shown
from api.cli.files import write_file
from api.cli.opening import opened
from api.plan_texts import Plan, plan_json, plan_lines
from api.texts import marked, text
from api.timeline_svg import timeline_svg
from archive_core.clock import SystemClock
from archive_core.errors import UsageError
from archive_core.forecasting import Forecasting
from policies.forecast_values import YEAR, Assumptions

UNTIL = 35 * YEAR
"""How far a plan reaches unless somebody says otherwise."""


def plan(arguments: argparse.Namespace, console: Console) -> int:
    """Exit 1 when something will not be possible as things are."""
    at = SystemClock().now()
    until = arguments.until or at + UNTIL
    if until <= at:
        raise UsageError(text("--until lies in the past"))
    assumptions = _assumptions(arguments)
    with opened(arguments, console) as archive:
        forecasting = Forecasting(archive.renewing.means, archive.renewing)
        speed = None
        if assumptions.bytes_per_second is None:
            console.progress(marked("measuring the speed of reading"), 0, None)
            assumptions, speed = forecasting.measured(assumptions)
        found = forecasting.plan(assumptions=assumptions, policy=archive.renewing.policy, at=at, until=until)
    made = Plan(found, speed, given_speed=speed is None)
    document, lines = plan_json(made), list(plan_lines(made))
    if arguments.svg is not None:
        write_file(arguments.svg, timeline_svg(found))
        document["svg"] = path_text(arguments.svg)
        lines.append(shown(path_text(arguments.svg)))
    console.result(document, lines)
    return BAD if found.problems else GOOD


def _assumptions(arguments: argparse.Namespace) -> Assumptions:
    unit: timedelta = arguments.unit_years * YEAR
    return Assumptions(
        unit_validity=unit,
        authority_validity=max(Assumptions().authority_validity, unit),
        bytes_per_second=arguments.speed * 1e6 if arguments.speed else None,
    )
