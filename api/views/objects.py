"""Reading: lists, versions, files, evidence, receipts, bundles, traces."""

from __future__ import annotations

from collections.abc import Iterator

from flask import Response, request
from werkzeug.http import quote_etag

from api.auth import Permission
from api.digest_fields import write_digest_field
from api.pipe import streamed
from api.ranges import not_modified, select
from api.routing import Route, actor, archive
from api.views.sealed_copies import ROUTES as SEALED_COPIES
from api.wire import download, json_response, number, parameters, poid_of, primed
from archive_core.asic_format import MEDIA_TYPE
from archive_core.digests import Digest
from archive_core.errors import EvidencePendingError, ObjectDestroyedError, UnknownObjectError, UsageError
from archive_core.lifecycle import Status

MAX_PAGE, DEFAULT_PAGE = 1000, 100
_JSON, _COMPACT, _FLATTENED = "application/json", "application/jose", "application/jose+json"
_RECEIPTS = {_JSON: ".json", _COMPACT: ".jws", _FLATTENED: ".jws.json"}
_BUNDLES = {"bundle": (".zip", "application/zip"), "asic-e": (".asice", MEDIA_TYPE)}


def list_objects() -> Response:
    given = parameters(request, "cursor", "limit")
    limit = number(given.get("limit"), "limit") or DEFAULT_PAGE
    if limit > MAX_PAGE:
        raise UsageError(f"limit is at most {MAX_PAGE}")
    after = _cursor(given.get("cursor"))
    found = archive().objects(actor=actor(), after=after, limit=limit + 1)
    page = found[:limit]
    return json_response(
        {
            "objects": [view.to_json() for view in page],
            "next": page[-1].poid if len(found) > limit else None,
        }
    )


def _cursor(text: str | None) -> str | None:
    if text is None:
        return None
    try:
        return poid_of(text)
    except UnknownObjectError:
        raise UsageError("cursor is the `next` of an earlier page") from None


def show_object(poid: str) -> Response:
    version = _version(parameters(request, "version"))
    return json_response(archive().show(poid_of(poid), version, actor=actor()).to_json())


def read_file(poid: str, path: str) -> Response:
    version = _version(parameters(request, "version"))
    poid = poid_of(poid)
    if "\0" in path:
        raise UnknownObjectError
    file, streamed_file = archive().found_file(poid, version, path, actor=actor())
    etag = file.sha512
    if not_modified(request, etag):
        return Response(status=304, headers={"ETag": quote_etag(etag)})
    wanted = select(request, etag, file.size)
    content: Iterator[bytes] = iter(())
    damaged: list[str] = []
    if request.method == "GET":
        content = primed(streamed_file(wanted.start, wanted.stop, damaged.append))
    response = download(
        content, file.path.rpartition("/")[2], "application/octet-stream", 206 if wanted.partial else 200
    )
    digest = write_digest_field(Digest.from_hex("sha512", file.sha512))
    response.headers["ETag"] = quote_etag(etag)
    response.headers["Accept-Ranges"] = "bytes"
    if damaged:  # of what is met later in the stream only the trace tells
        response.headers["Copies-Damaged"] = ", ".join(dict.fromkeys(damaged))
    response.headers["Repr-Digest"] = digest
    response.content_length = wanted.stop - wanted.start
    if wanted.partial:
        response.headers["Content-Range"] = wanted.content_range(file.size)
    else:
        response.headers["Content-Digest"] = digest
    return response


def read_evidence(poid: str) -> Response:
    given = parameters(request, "version", "line")
    poid = poid_of(poid)
    records = archive().evidence(poid, _version(given), actor=actor())
    wanted = given.get("line", records[0].line)
    record = next((record for record in records if record.line == wanted), None)
    if record is None:
        raise UnknownObjectError
    response = download(record.der, f"{poid}-{record.line}.ers", "application/octet-stream")
    response.headers["Evidence-Line"] = record.line
    response.headers["Test-Trust"] = "true" if record.test_trust else "false"
    for other in records:
        if other.line != record.line:
            response.headers.add("Link", f'<{request.path}?line={other.line}>; rel="alternate"')
    return response


def read_receipt(poid: str) -> Response:
    version = _version(parameters(request, "version"))
    poid = poid_of(poid)
    wanted = request.accept_mimetypes.best_match(list(_RECEIPTS), default=_JSON)
    if wanted == _JSON:
        octets = archive().receipt(poid, version, actor=actor())
    else:
        seal = archive().receipt_as_jws(poid, version, actor=actor())
        octets = seal.compact() if wanted == _COMPACT else seal.flattened()
    response = download(octets, f"{poid}-receipt{_RECEIPTS[wanted]}", wanted)
    response.vary.add("Accept")
    return response


def read_bundle(poid: str) -> Response:
    given = parameters(request, "version", "format")
    version = _version(given)
    wanted = given.get("format", "bundle")
    if wanted not in _BUNDLES:
        raise UsageError(f"format is one of {', '.join(_BUNDLES)}")
    poid, store, who = poid_of(poid), archive(), actor()
    shown = store.show(poid, version, actor=who)
    if shown.status is Status.DESTROYED:
        raise ObjectDestroyedError(poid=poid)
    if shown.proof_of_existence is None:
        raise EvidencePendingError
    content: Iterator[bytes] = iter(())
    if request.method == "GET":
        write = store.export_asic if wanted == "asic-e" else store.export
        content = primed(streamed(lambda out: write(poid, version, out, actor=who)))
    suffix, media_type = _BUNDLES[wanted]
    response = download(content, f"{poid}{suffix}", media_type)
    response.headers["Test-Trust"] = "true" if shown.test_trust else "false"
    return response


def trace_object(poid: str) -> Response:
    parameters(request)
    return json_response({"events": archive().trace(poid_of(poid), actor=actor())})


def _version(given: dict[str, str]) -> int | None:
    return number(given.get("version"), "version")


_OBJECT = "/v1/preservation-objects/<poid>"

ROUTES = (
    *SEALED_COPIES,
    Route("GET", "/v1/preservation-objects", list_objects, Permission.READ),
    Route("GET", _OBJECT, show_object, Permission.READ),
    Route("GET", f"{_OBJECT}/files/<path:path>", read_file, Permission.READ),
    Route("GET", f"{_OBJECT}/evidence", read_evidence, Permission.READ),
    Route("GET", f"{_OBJECT}/receipt", read_receipt, Permission.READ),
    Route("GET", f"{_OBJECT}/bundle", read_bundle, Permission.READ),
    Route("GET", f"{_OBJECT}/trace", trace_object, Permission.TRACE),
)
