"""The HTTP application: routes, the door before them, problems after them.

Rules kept here
 * A request meets, in this order: a request id, the key, how often it comes, the route's permission, the view. Nothing
   of the body is read before the permission was found.
 * Every answer that is not what was asked for is a problem document, also those of the framework, unless the route
   speaks a protocol with refusals of its own.
 * An application with a route that nobody may guard does not start.
"""

from __future__ import annotations

import time
import uuid
from typing import TYPE_CHECKING

from flask import Flask, Response, g, request

from api.auth import Permission, admitted, require
from api.client_certificates import ClientCertificates
from api.logs import log
from api.metrics import RequestMetrics
from api.problems import problem_of, response_of
from api.refused import RefusalRecorder
from api.resumable import MAX_RESUMABLE, Uploads
from api.routing import EXTENSION, METRICS_EXTENSION, Edge, Route
from api.settings import ArchiveSettings
from api.ts119512.views import ROUTES as TS119512
from api.uploads import UploadLimits
from api.views import (
    bulk,
    changes,
    deposits,
    holds,
    keys,
    objects,
    organisations,
    search,
    signatures,
    system,
    uploads,
    verifications,
)
from archive_core.errors import ArchiveError

if TYPE_CHECKING:
    from archive_core.archive import Archive

ROUTES: tuple[Route, ...] = (
    *objects.ROUTES,
    *deposits.ROUTES,
    *bulk.ROUTES,
    *uploads.ROUTES,
    *verifications.ROUTES,
    *changes.ROUTES,
    *search.ROUTES,
    *organisations.ROUTES,
    *keys.ROUTES,
    *signatures.ROUTES,
    *holds.ROUTES,
    *TS119512,
    *system.ROUTES,
)


def create_app(archive: Archive, *, settings: ArchiveSettings, routes: tuple[Route, ...] = ROUTES) -> Flask:
    """The WSGI application over a finished archive; raises RuntimeError for an unguarded route."""
    app = Flask("trusted-archive", static_folder=None, template_folder=None)
    app.url_map.merge_slashes = False
    app.url_map.strict_slashes = True
    app.extensions[EXTENSION] = Edge(
        archive,
        settings.staging,
        UploadLimits.under(archive.profiles(), body=settings.server.max_upload_bytes),
        settings.default_originator,
        Uploads(settings.staging.with_name("uploads"), now=archive.clock.now, limit=MAX_RESUMABLE),
    )
    metrics = app.extensions[METRICS_EXTENSION] = RequestMetrics()
    permissions = _register(app, routes)
    tellings = {_endpoint(route): route.tell for route in routes if route.tell is not None}
    refusals = RefusalRecorder(archive)
    certificates = ClientCertificates.under(settings.proxy, settings.home)

    @app.before_request
    def admit() -> None:
        g.request_id, g.began = str(uuid.uuid4()), time.monotonic()
        needed = permissions.get(request.endpoint or "")
        if needed is Permission.PUBLIC:
            return
        g.actor = admitted(archive, certificates, request.headers, request.remote_addr, at=archive.clock.now())
        archive.organisations.arrive(g.actor)
        if needed is not None:
            require(g.actor, needed)

    @app.errorhandler(Exception)
    def refuse(error: Exception) -> Response:
        if isinstance(error, ArchiveError):
            refusals.record(error, request)
        problem = problem_of(error)
        g.code = problem.code
        if problem.status >= 500:
            g.failure = error
        tell = tellings.get(request.endpoint or "")
        return tell(error, problem, request, g.request_id) if tell else response_of(problem, request, g.request_id)

    @app.after_request
    def finish(response: Response) -> Response:
        response.headers["X-Request-Id"] = g.request_id
        response.headers["X-Content-Type-Options"] = "nosniff"
        seconds = time.monotonic() - g.began
        route = request.url_rule.rule if request.url_rule else None
        metrics.observe(request.method, route, response.status_code, seconds)
        _log_request(response, route, seconds)
        return response

    return app


def _register(app: Flask, routes: tuple[Route, ...]) -> dict[str, Permission]:
    permissions: dict[str, Permission] = {}
    for route in routes:
        endpoint = _endpoint(route)
        permissions[endpoint] = route.permission
        app.add_url_rule(route.rule, endpoint, route.view, methods=[route.method], provide_automatic_options=False)
    verify_guarded(app, permissions)
    return permissions


def _endpoint(route: Route) -> str:
    return f"{route.method} {route.rule}".replace(".", "-")


def verify_guarded(app: Flask, permissions: dict[str, Permission]) -> None:
    """Raises RuntimeError when the application has a route without a declared permission."""
    for rule in app.url_map.iter_rules():
        if not isinstance(permissions.get(rule.endpoint), Permission):
            raise RuntimeError(f"nobody declared who may use {rule.rule}")


def _log_request(response: Response, route: str | None, seconds: float) -> None:
    who = g.get("actor")
    facts = {
        "request_id": g.request_id,
        "method": request.method,
        "route": route,
        "status": response.status_code,
        "code": g.get("code"),
        "actor": who.actor_id if who else None,
        "milliseconds": round(seconds * 1000, 1),
    }
    failure = g.get("failure")
    unexpected = failure if not isinstance(failure, ArchiveError) else None
    log("request", 40 if failure else 20, error=unexpected, **{k: v for k, v in facts.items() if v is not None})
