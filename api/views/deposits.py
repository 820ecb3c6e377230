"""Depositing and updating: the upload in, one call on the archive, the acknowledgement out."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from flask import Request, Response, request
from werkzeug.wsgi import get_input_stream

from api.auth import Permission
from api.digest_fields import merge_claims, parse_digest_field
from api.multipart import BodyReader, boundary_of, read_parts
from api.refusals import UnsupportedMediaTypeError
from api.refused import leave_to_archive
from api.routing import Edge, Route, actor, edge
from api.uploads import staged_upload
from api.wire import idempotency_key, json_response, parameters, poid_of
from archive_core.errors import NotPermittedError
from archive_core.lifecycle import Acknowledgement, Actor, SubmissionObject


def deposit() -> Response:
    here, who = edge(), actor()
    with _submission(here, who) as submission:
        return acknowledged(here.archive.deposit(submission, actor=who))


def update(poid: str) -> Response:
    here, who = edge(), actor()
    target = poid_of(poid)
    here.archive.show(target, actor=who)  # what may not be seen is refused before a body is read
    with _submission(here, who) as submission:
        return acknowledged(here.archive.update(target, submission, actor=who))


@contextmanager
def _submission(here: Edge, who: Actor) -> Iterator[SubmissionObject]:
    """The upload in the request, staged for as long as the context lasts."""
    parameters(request)
    key = idempotency_key(request)
    parts = read_parts(body_of(request, here), boundary_of(request.content_type))
    with staged_upload(parts, here.staging, here.limits) as upload:
        originator = originator_of(upload.text("originator"), who, here)
        submission = upload.submission(originator=originator, key=key)
        leave_to_archive()
        yield submission


def body_of(incoming: Request, here: Edge, limit: int | None = None) -> BodyReader:
    """The body of a request, bounded and with its claims; raises `UnsupportedMediaTypeError` for a coded one."""
    if incoming.headers.get("Content-Encoding", "identity").lower() != "identity":
        raise UnsupportedMediaTypeError("the body has a content coding; send it without")
    given = [incoming.headers[name] for name in ("Content-Digest", "Repr-Digest") if name in incoming.headers]
    return BodyReader(
        get_input_stream(incoming.environ),
        limit=here.limits.body if limit is None else min(limit, here.limits.body),
        announced=incoming.content_length,
        claims=merge_claims(parse_digest_field(text) for text in given),
    )


def originator_of(named: str | None, who: Actor, here: Edge) -> str:
    """Whose the object will be: the key's organisation; a key of no organisation may name one."""
    if who.originator is None:
        return named or here.default_originator
    if named not in (None, who.originator):
        raise NotPermittedError("this key deposits for another organisation only")
    return who.originator


def acknowledged(made: Acknowledgement) -> Response:
    location = f"/v1/preservation-objects/{made.poid}"
    if made.version > 1:
        location += f"?version={made.version}"
    return json_response(made.to_json(), 200 if made.replayed else 201, Location=location)


ROUTES = (
    Route("POST", "/v1/preservation-objects", deposit, Permission.DEPOSIT),
    Route("POST", "/v1/preservation-objects/<poid>/versions", update, Permission.DEPOSIT),
)
