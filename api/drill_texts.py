"""What a drill found, as JSON for machines and in words for people."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from api.plan_texts import KINDS, count_text, size_text, spans_text
from api.texts import text
from archive_core.drilling import STAND_IN, DrillResult, Outcome, Step
from archive_core.findings import utc_text
from policies.breaking import Loss
from policies.renewal_values import RenewalKind


def drill_json(found: DrillResult) -> dict[str, Any]:
    """The document of `renewal drill --json`."""
    return {
        "format": "trusted-archive/renewal-drill/1",
        "broken": {"what": str(found.broken), "at": utc_text(found.broken.at)},
        "algorithms": found.table,
        "fallen_authorities": list(found.fallen_authorities),
        "without_renewal": _outcome_json(found.without),
        "with_renewal": _outcome_json(found.with_renewal) if found.with_renewal else None,
        "not_tried": found.not_tried or None,
        "saved": found.is_saved,
        "estimate": {
            "bytes_to_read": found.bytes_to_read,
            "bytes_per_second": round(found.speed.bytes_per_second) if found.speed.bytes_per_second else None,
            "hours": None if found.hours is None else round(found.hours, 6),
        },
        "changed": "nothing",
    }


def _outcome_json(outcome: Outcome) -> dict[str, Any]:
    loss = outcome.loss
    return {
        "chains_lost": loss.chains,
        "chains": loss.holding,
        "batches_lost": [list(span) for span in loss.lost],
        "documents_lost": loss.lost_documents,
        "batches_weakened": [list(span) for span in loss.weakened],
        "documents_weakened": loss.weakened_documents,
        "samples": {
            "passed": outcome.samples.passed,
            "checked": outcome.samples.checked,
            "said": list(outcome.samples.said),
        },
        "renewals": [{"at": utc_text(step.at), **step.view.to_json()} for step in outcome.steps],
        "seconds": round(outcome.seconds, 3),
        "timestamps": outcome.stamps,
    }


def drill_lines(found: DrillResult) -> Iterator[str]:
    """The answer of `renewal drill`."""
    day = f"{found.broken.at:%Y-%m-%d}"
    yield text("DRILL: {what} falls on {day}. Nothing real is changed.", what=found.broken, day=day)
    if found.fallen_authorities:
        yield text("Fallen with it: {names}", names=", ".join(found.fallen_authorities))
        yield text("Another authority is played by {name}: have one in the settings before you need it.", name=STAND_IN)
    yield text("Without renewal in time:")
    yield from _loss_lines(found.without)
    if found.with_renewal is None:
        yield text("Renewal was not tried: {why}. Say --read-at-most.", why=found.not_tried)
    else:
        yield text("With renewal in time:")
        yield from (f"  {line}" for step in found.with_renewal.steps for line in _step_lines(step))
        yield from _loss_lines(found.with_renewal)
        yield "  " + text(
            "it took {seconds} s and {stamps} time-stamps here",
            seconds=f"{found.with_renewal.seconds:.1f}",
            stamps=found.with_renewal.stamps,
        )
    yield from _estimate_lines(found)


def _loss_lines(outcome: Outcome) -> Iterator[str]:
    loss: Loss = outcome.loss
    if loss.lost:
        yield "  " + text(
            "{documents} documents lose their proof (batches {numbers})",
            documents=count_text(loss.lost_documents),
            numbers=spans_text(loss.lost),
        )
    else:
        yield "  " + text("no document loses its proof")
    if loss.weakened:
        yield "  " + text(
            "{documents} documents keep one of their records only (batches {numbers})",
            documents=count_text(loss.weakened_documents),
            numbers=spans_text(loss.weakened),
        )
    samples = outcome.samples
    said = f" ({'; '.join(samples.said)})" if samples.said else ""
    yield (
        "  "
        + text(
            "verified from bytes: {passed} of {checked} samples pass", passed=samples.passed, checked=samples.checked
        )
        + said
    )


def _step_lines(step: Step) -> Iterator[str]:
    view = step.view
    what = text(KINDS[RenewalKind(view.kind)])
    facts = {"day": f"{step.at:%Y-%m-%d}", "what": what, "line": view.line, "digest": view.digest}
    if view.error is not None:
        yield text("{day}: {what}, line {line} ({digest}) is not possible: {why}", why=view.error, **facts)
        return
    yield text(
        "{day}: {what}, line {line} ({digest}): {batches} batches, {documents} documents, by {tsa}",
        batches=count_text(view.batches),
        documents=count_text(view.documents),
        tsa=view.tsa,
        **facts,
    )


def _estimate_lines(found: DrillResult) -> Iterator[str]:
    if not found.bytes_to_read:
        return
    yield text("To be read again: {size}", size=size_text(found.bytes_to_read))
    if found.hours is None:
        yield text("How long that takes is not known: too little content to measure")
    else:
        yield text("That takes about {hours} hours", hours=f"{found.hours:.2f}")
