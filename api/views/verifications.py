"""Verification as a job: asked for, looked at while it runs, answered with verdicts."""

from __future__ import annotations

import re

from flask import Response, request

from api.auth import Permission
from api.refusals import UnknownFieldError
from api.routing import Route, actor, archive
from api.wire import json_object, json_response, parameters, poid_of
from archive_core.catalogue.rows import JobRow
from archive_core.errors import UnknownObjectError, UsageError
from archive_core.findings import utc_text

MAX_POIDS = 10_000

_JOB = re.compile(r"[0-9a-f]{32}", re.ASCII)


def start_verification() -> Response:
    parameters(request)
    wanted = json_object(request)
    row = archive().start_verification(_poids(wanted), actor=actor())
    return json_response(job_json(row), 202, Location=f"/v1/verifications/{row.job_id}")


def _poids(wanted: dict[str, object]) -> list[str] | None:
    """The POIDs asked for, or None for all that the key may see."""
    unknown = wanted.keys() - {"poids", "all"}
    if unknown:
        raise UnknownFieldError(f"unknown field {min(unknown)[:40]!a}", known=["all", "poids"])
    poids = wanted.get("poids")
    if (poids is None) == ("all" not in wanted) or wanted.get("all", True) is not True:
        raise UsageError('send either {"poids": ["POID"]} or {"all": true}')
    if poids is None:
        return None
    if not isinstance(poids, list) or not 0 < len(poids) <= MAX_POIDS or not all(isinstance(p, str) for p in poids):
        raise UsageError(f"poids is a list of 1 to {MAX_POIDS} POIDs")
    return [poid_of(poid) for poid in poids]


def show_verification(job_id: str) -> Response:
    parameters(request)
    if not _JOB.fullmatch(job_id):
        raise UnknownObjectError
    return json_response(job_json(archive().job(job_id, actor=actor())))


def job_json(row: JobRow) -> dict[str, object]:
    """A job as its requester sees it; `result` is there once it is done."""
    kept = dict(row.result or {})
    poids = kept.pop("poids", None)
    return {
        "id": row.job_id,
        "state": row.state,
        "created": utc_text(row.created),
        "poids": poids,
        "progress": {"done": row.progress_done, "total": row.progress_total},
        "result": kept or None,
        "error": row.error,
    }


ROUTES = (
    Route("POST", "/v1/verifications", start_verification, Permission.VERIFY),
    Route("GET", "/v1/verifications/<job_id>", show_verification, Permission.VERIFY),
)
