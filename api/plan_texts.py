"""A plan of renewals as JSON for machines and as a table for people, in the language that is spoken.

Rules kept here
 * The JSON holds everything, in units that are named: bytes, hours, RFC 3339 instants. It is English.
 * The table says in words what is known and what is assumed, and what nothing is known of.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from api.cli.answers import table
from api.texts import marked, text
from archive_core.findings import utc_text
from archive_core.forecasting import Speed
from policies.forecast_values import YEAR, Assumptions, Forecast, PlannedProblem, PlannedRenewal, Span
from policies.renewal_values import Reason, RenewalKind

KINDS = {RenewalKind.TIMESTAMP: marked("time-stamp renewal"), RenewalKind.HASH_TREE: marked("hash-tree renewal")}


@dataclass(frozen=True, slots=True)
class Plan:
    """A forecast with the measurement behind its hours (None: the speed was given, or nothing was read)."""

    forecast: Forecast
    speed: Speed | None = None
    given_speed: bool = False


# -- for machines ---------------------------------------------------------------------------------


def plan_json(plan: Plan) -> dict[str, Any]:
    """The document of `renewal plan --json`."""
    found = plan.forecast
    return {
        "format": "trusted-archive/renewal-plan/1",
        "made": utc_text(found.made),
        "until": utc_text(found.until),
        "algorithms": found.table,
        "holding": {"chains": found.chains, "documents": found.documents},
        "assumptions": _assumptions_json(found.assumptions, plan),
        "renewals": [_renewal_json(renewal) for renewal in found.renewals],
        "problems": [_problem_json(problem) for problem in found.problems],
        "totals": {
            "renewals": len(found.renewals),
            "tsa_calls": found.tsa_calls,
            "bytes_to_read": found.bytes_to_read,
            "hours": _rounded(found.hours),
        },
        "cut_off": found.is_cut_off,
    }


def _assumptions_json(assumed: Assumptions, plan: Plan) -> dict[str, Any]:
    speed = plan.speed
    return {
        "tsu_certificate_years": round(assumed.unit_validity / YEAR, 2),
        "authority_certificate_years": round(assumed.authority_validity / YEAR, 2),
        "successor_of_signatures": {"scheme": assumed.successor.scheme, "key_bits": assumed.successor.key_bits},
        "bytes_per_second": round(assumed.bytes_per_second) if assumed.bytes_per_second else None,
        "speed": "given" if plan.given_speed else "measured" if assumed.bytes_per_second else "unknown",
        "measured_over_bytes": speed.read if speed else None,
        "new_deposits": "none",
    }


def _renewal_json(renewal: PlannedRenewal) -> dict[str, Any]:
    return {
        "at": utc_text(renewal.at),
        "kind": str(renewal.kind),
        "line": renewal.line,
        "tsa": renewal.tsa,
        "digest": renewal.digest,
        "too_late_at": utc_text(renewal.ends) if renewal.ends else None,
        **_reason_json(renewal.reason),
        "known": renewal.known,
        "batches": renewal.batches,
        "batch_numbers": [list(span) for span in renewal.spans],
        "documents": renewal.documents,
        "tsa_calls": 1,
        "bytes_to_read": renewal.bytes_to_read,
        "hours": _rounded(renewal.hours),
    }


def _problem_json(problem: PlannedProblem) -> dict[str, Any]:
    return {
        "since": utc_text(problem.since),
        "kind": str(problem.kind),
        "line": problem.line,
        **_reason_json(problem.reason),
        "obstacle": problem.obstacle.code,
        "obstacle_because": str(problem.obstacle),
        "known": problem.known,
        "batches": problem.batches,
        "batch_numbers": [list(span) for span in problem.spans],
        "documents": problem.documents,
    }


def _reason_json(reason: Reason) -> dict[str, str]:
    return {"reason": reason.code, "because": str(reason)}


def _rounded(hours: float | None) -> float | None:
    return None if hours is None else round(hours, 3)


# -- for people -----------------------------------------------------------------------------------


def plan_lines(plan: Plan) -> Iterator[str]:
    """The answer of `renewal plan`."""
    found = plan.forecast
    yield text(
        "Renewals from {made} until {until}: {count}, one time-stamp each",
        made=f"{found.made:%Y-%m-%d}",
        until=f"{found.until:%Y-%m-%d}",
        count=len(found.renewals),
    )
    rows = [_row(renewal) for renewal in found.renewals]
    yield from table(_HEADS, rows, right=(3, 4, 5))
    if not rows:
        yield text("Nothing falls due until then.") if found.chains else text("Nothing is evidenced yet.")
    for problem in found.problems:
        yield text(
            "PROBLEM from {day} on, line {line}, {batches} batches ({numbers}): {why}",
            day=f"{problem.since:%Y-%m-%d}",
            line=problem.line,
            batches=count_text(problem.batches),
            numbers=spans_text(problem.spans),
            why=reason_text(problem.obstacle),
        )
    yield from _totals(plan)
    yield from _supposed(plan)


_HEADS = (
    marked("due"),
    marked("what"),
    marked("line"),
    marked("batches"),
    marked("documents"),
    marked("to read"),
    marked("basis"),
    marked("why"),
)


def _row(renewal: PlannedRenewal) -> list[str]:
    what = text(KINDS[renewal.kind])
    return [
        f"{renewal.at:%Y-%m-%d}",
        f"{what} ({renewal.digest})",
        renewal.line,
        count_text(renewal.batches),
        count_text(renewal.documents),
        size_text(renewal.bytes_to_read) if renewal.kind is RenewalKind.HASH_TREE else "-",
        text("known") if renewal.known else text("assumed"),
        reason_text(renewal.reason),
    ]


def _totals(plan: Plan) -> Iterator[str]:
    found = plan.forecast
    if not found.renewals:
        return
    yield text("Time-stamps to obtain: {count}", count=found.tsa_calls)
    if found.bytes_to_read:
        yield text("To be read again: {size}", size=size_text(found.bytes_to_read))
        if found.hours is None:
            yield text("How long that takes is not known: too little content to measure; give --speed")
        else:
            yield text("That takes about {hours} hours", hours=f"{found.hours:.1f}")
    if found.is_cut_off:
        yield text("The plan is cut off here: it has too many renewals. Name an earlier --until.")


def _supposed(plan: Plan) -> Iterator[str]:
    assumed = plan.forecast.assumptions
    yield text(
        "Assumed: certificates of time-stamp units live {unit} years, those above them {above}; what replaces a "
        "signature algorithm is {successor}; no new deposits. Algorithms: {table}.",
        unit=f"{assumed.unit_validity / YEAR:g}",
        above=f"{assumed.authority_validity / YEAR:g}",
        successor=assumed.successor,
        table=plan.forecast.table,
    )
    if assumed.bytes_per_second and plan.given_speed:
        yield text("Speed, as given: {speed} MB/s", speed=f"{assumed.bytes_per_second / 1e6:.0f}")
    elif assumed.bytes_per_second and plan.speed:
        yield text(
            "Speed, measured over {size}: {speed} MB/s",
            size=size_text(plan.speed.read),
            speed=f"{assumed.bytes_per_second / 1e6:.0f}",
        )


def reason_text(reason: Reason) -> str:
    """A reason in the language that is spoken."""
    return text(reason.sentence, **dict(reason.facts))


def spans_text(spans: tuple[Span, ...], most: int = 3) -> str:
    """Batch numbers such as `1-40, 42`."""
    shown = [str(first) if first == last else f"{first}-{last}" for first, last in spans[:most]]
    return ", ".join(shown) + (" …" if len(spans) > most else "")


def count_text(count: int) -> str:
    """A count with its thousands apart, as both languages read it."""
    return f"{count:,}".replace(",", "\N{NO-BREAK SPACE}")


def size_text(size: int) -> str:
    """Bytes in the unit that fits: 1.5 GB is 1.5 × 10⁹ bytes."""
    value = float(size)
    for unit in ("B", "kB", "MB", "GB", "TB"):
        if value < 1000:
            return f"{value:.0f} {unit}" if unit == "B" else f"{value:.1f} {unit}"
        value /= 1000
    return f"{value:.1f} PB"
