"""What a route is, and what views reach the rest through.

Rules kept here
 * A route is declared with the permission it needs; there is no default.
 * A view does three things: wire in, one call on the archive, wire out.
 * A refusal is a problem document unless the route says how its protocol tells one.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, cast

from flask import Request, Response, current_app, g

from api.auth import Permission
from api.problems import Problem
from api.resumable import Uploads
from api.uploads import UploadLimits
from archive_core.lifecycle import Actor

if TYPE_CHECKING:
    from archive_core.archive import Archive

EXTENSION = "trusted_archive"
METRICS_EXTENSION = "trusted_archive_metrics"
SCHEDULER_EXTENSION = "trusted_archive_scheduler"


Telling = Callable[[Exception, Problem, Request, str], Response]
"""Makes the answer of an error: the error, what may be told of it, the request and its id."""


@dataclass(frozen=True, slots=True)
class Route:
    """`rule` in Flask's notation; HEAD comes with GET and needs the same permission, unless it is a route."""

    method: str
    rule: str
    view: Callable[..., Response]
    permission: Permission
    tell: Telling | None = None
    """How a refusal is told where a protocol has a form of its own for it; else as a problem document."""


@dataclass(frozen=True, slots=True)
class Edge:
    """What the application was made with."""

    archive: Archive
    staging: Path
    limits: UploadLimits
    default_originator: str
    uploads: Uploads


def edge() -> Edge:
    return cast(Edge, current_app.extensions[EXTENSION])


def archive() -> Archive:
    return edge().archive


def actor() -> Actor:
    """Who asks; only in views that need a key."""
    return cast(Actor, g.actor)
