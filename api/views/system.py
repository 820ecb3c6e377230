"""What the archive offers and how it is: description, health, readiness, profiles, status."""

from __future__ import annotations

import logging
from dataclasses import asdict

from flask import Response, current_app, request

from api.auth import Permission
from api.description import description_json
from api.logs import log
from api.metrics import CONTENT_TYPE, RequestMetrics, exposition
from api.routing import METRICS_EXTENSION, SCHEDULER_EXTENSION, Route, actor, archive
from api.scheduler import Scheduler
from api.wire import json_response, parameters
from archive_core.digests import hash_bytes
from archive_core.errors import UnavailableError
from archive_core.findings import utc_text
from policies.profiles import PreservationProfile


def openapi() -> Response:
    parameters(request)
    return Response(description_json(), mimetype="application/json")


def health() -> Response:
    parameters(request)
    return json_response(archive().health())


def ready() -> Response:
    """Everybody may ask, so the answer names neither stores nor reasons; those are logged."""
    parameters(request)
    try:
        archive().ready()
    except UnavailableError as error:
        log("not ready", logging.WARNING, code=error.code, reason=str(error))
        raise UnavailableError from error
    return json_response({"status": "ready"})


def profiles() -> Response:
    parameters(request)
    return json_response({"profiles": [profile_json(profile) for profile in archive().profiles()]})


def profile_json(profile: PreservationProfile) -> dict[str, object]:
    """What a depositor needs to know of a profile; its source is a storage object of its own."""
    return {
        "id": profile.id,
        "title": profile.title,
        "description": profile.description,
        "valid_from": utc_text(profile.valid_from),
        "valid_until": utc_text(profile.valid_until) if profile.valid_until else None,
        "expected_evidence_years": profile.expected_evidence_years,
        "accepts_test_trust": profile.accepts_test_trust,
        "limits": asdict(profile.limits),
        "batch": asdict(profile.batch),
        "lines": [asdict(line) for line in profile.lines],
        "examination": {**asdict(profile.examination), "rule": str(profile.examination.rule)},
        "sha512": hash_bytes("sha512", profile.source).hex(),
    }


def status() -> Response:
    """The archive's state and, where the scheduler runs in this process, how its jobs fare."""
    parameters(request)
    told = archive().status(actor=actor())
    scheduler: Scheduler | None = current_app.extensions.get(SCHEDULER_EXTENSION)
    return json_response({**told, "scheduler": scheduler.to_json() if scheduler else None})


def metrics() -> Response:
    """The same for a monitoring system, with the requests that this process served."""
    parameters(request)
    scheduler: Scheduler | None = current_app.extensions.get(SCHEDULER_EXTENSION)
    jobs = {job.name: job.health.to_json() for job in scheduler.jobs} if scheduler else None
    requests: RequestMetrics = current_app.extensions[METRICS_EXTENSION]
    response = Response(exposition(requests, archive().status(actor=actor()), jobs), content_type=CONTENT_TYPE)
    response.headers["Cache-Control"] = "no-store"
    return response


ROUTES = (
    Route("GET", "/v1/openapi.json", openapi, Permission.PUBLIC),
    Route("GET", "/v1/health", health, Permission.PUBLIC),
    Route("GET", "/v1/ready", ready, Permission.PUBLIC),
    Route("GET", "/v1/profiles", profiles, Permission.DESCRIBE),
    Route("GET", "/v1/status", status, Permission.OPERATE),
    Route("GET", "/v1/metrics", metrics, Permission.OPERATE),
)
