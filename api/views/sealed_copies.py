"""Sealed copies of PDF documents: asked for by POST, because each takes a seal and two time-stamps."""

from __future__ import annotations

from collections.abc import Iterator

from flask import Response, request

from api.auth import Permission
from api.refusals import UnknownFieldError
from api.routing import Route, actor, archive
from api.wire import download, json_object, parameters, poid_of
from archive_core.digests import read_chunks
from archive_core.errors import UnknownObjectError, UsageError
from archive_core.sealed_copies import LANGUAGES

_FIELDS = {"path", "version", "visible"}


def make_sealed_copy(poid: str) -> Response:
    parameters(request)
    wanted = json_object(request)
    if unknown := wanted.keys() - _FIELDS:
        raise UnknownFieldError(f"unknown field {min(unknown)[:40]!a}", known=sorted(_FIELDS))
    path, version, visible = wanted.get("path"), wanted.get("version"), wanted.get("visible")
    if not isinstance(path, str) or not path:
        raise UsageError("path is the path of a file of the version")
    if "\0" in path:
        raise UnknownObjectError
    if version is not None and (type(version) is not int or version < 1):
        raise UsageError("version is a number from 1 on")
    if visible is not None and visible not in LANGUAGES:
        raise UsageError(f"visible is one of {', '.join(LANGUAGES)}, or null")
    with archive().sealed_copy(poid_of(poid), version, path, actor=actor(), visible=visible) as copy:
        stream = copy.path.open("rb")  # stays readable when the copy's folder is gone

    def content() -> Iterator[bytes]:
        with stream:
            yield from read_chunks(stream)

    response = download(content(), copy.name, "application/pdf")
    response.content_length = copy.size
    response.headers["Test-Trust"] = "true" if copy.test_trust else "false"
    return response


ROUTES = (Route("POST", "/v1/preservation-objects/<poid>/sealed-copies", make_sealed_copy, Permission.READ),)
