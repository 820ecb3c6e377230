"""Resumable uploads (tus 1.0: core, creation, checksum, expiration, termination), and deposits of what was uploaded."""

from __future__ import annotations

import base64
import binascii
import re
from datetime import UTC
from email.utils import format_datetime

from flask import Response, after_this_request, request
from werkzeug.wsgi import get_input_stream

from api.auth import Permission
from api.fields import Fields
from api.multipart import BodyReader
from api.refusals import TusVersionError, UnsupportedMediaTypeError
from api.refused import leave_to_archive
from api.resumable import ALGORITHMS, Checksum, Upload, Uploads
from api.routing import Route, actor, edge
from api.views.deposits import acknowledged, originator_of
from api.wire import idempotency_key, json_object, parameters
from archive_core import canonical
from archive_core.errors import UsageError
from archive_core.lifecycle import SubmissionObject, SubmittedFile

VERSION = "1.0.0"
EXTENSIONS = "creation,expiration,checksum,termination"
PIECE = "application/offset+octet-stream"
MAX_FILES = 1000

_NUMBER = re.compile(r"0|[1-9][0-9]{0,17}", re.ASCII)


def describe_uploads() -> Response:
    _marked()
    answer = Response(status=204)
    answer.headers["Tus-Version"] = VERSION
    answer.headers["Tus-Extension"] = EXTENSIONS
    answer.headers["Tus-Checksum-Algorithm"] = ",".join(ALGORITHMS)
    answer.headers["Tus-Max-Size"] = str(_uploads().limit)
    return answer


def create_upload() -> Response:
    _tus()
    edge().archive.organisations.require_active(actor().originator or edge().default_originator)
    made = _uploads().create(
        length=_number("Upload-Length"), metadata=request.headers.get("Upload-Metadata", ""), actor=actor()
    )
    answer = _answer(made, 201)
    answer.headers["Location"] = f"/v1/uploads/{made.id}"
    return answer


def show_upload(upload_id: str) -> Response:
    _tus()
    upload = _uploads().get(upload_id, actor=actor())
    answer = _answer(upload, 200)
    answer.headers["Upload-Length"] = str(upload.length)
    if upload.metadata:
        answer.headers["Upload-Metadata"] = upload.metadata
    return answer


def append_upload(upload_id: str) -> Response:
    _tus()
    uploads = _uploads()
    uploads.get(upload_id, actor=actor())  # what may not be seen is refused before anything is looked at
    if request.mimetype != PIECE:
        raise UnsupportedMediaTypeError(f"send a piece as {PIECE}")
    offset, checksum = _number("Upload-Offset"), _checksum()
    body = BodyReader(get_input_stream(request.environ), limit=uploads.limit, announced=request.content_length)
    return _answer(uploads.append(upload_id, body, offset=offset, checksum=checksum, actor=actor()), 204)


def delete_upload(upload_id: str) -> Response:
    _tus()
    _uploads().delete(upload_id, actor=actor())
    return Response(status=204)


def deposit_uploads() -> Response:
    """What was uploaded becomes an object; the uploads stay for an hour, for a request that is repeated."""
    parameters(request)
    here, who, key = edge(), actor(), idempotency_key(request)
    given = Fields(json_object(request), "files", "metadata", "profile", "originator")
    listed = [_file(one) for one in given.need("files", list)]
    if not 0 < len(listed) <= MAX_FILES:
        raise UsageError(f"files are 1 to {MAX_FILES}")
    metadata = given.take("metadata", dict)
    originator = originator_of(given.take("originator", str), who, here)
    uploads = _uploads()
    with uploads.held([upload for _, upload, _ in listed], actor=who) as found:
        submission = SubmissionObject(
            files=tuple(
                SubmittedFile(path, upload.data, {"sha512": sha512} if sha512 else {})
                for (path, _, sha512), upload in zip(listed, found, strict=True)
            ),
            originator=originator,
            metadata=None if metadata is None else canonical.write(metadata),
            profile=given.take("profile", str),
            key=key,
        )
        leave_to_archive()
        made = here.archive.deposit(submission, actor=who)
        uploads.deposited(found)
    return acknowledged(made)


def _file(value: object) -> tuple[str, str, str | None]:
    if not isinstance(value, dict):
        raise UsageError('a file is written {"path": "PATH", "upload": "ID"}')
    given = Fields(value, "path", "upload", "sha512")
    return given.need("path", str), given.need("upload", str), given.sha512("sha512")


def _uploads() -> Uploads:
    return edge().uploads


def _marked() -> None:
    parameters(request)

    @after_this_request
    def mark(answer: Response) -> Response:
        answer.headers["Tus-Resumable"] = VERSION
        if answer.status_code == 412:
            answer.headers["Tus-Version"] = VERSION
        return answer


def _tus() -> None:
    """Raises `TusVersionError` when the client speaks another version, or none."""
    _marked()
    if request.headers.get("Tus-Resumable") != VERSION:
        raise TusVersionError


def _number(header: str) -> int:
    text = request.headers.get(header, "")
    if not _NUMBER.fullmatch(text):
        raise UsageError(f"{header} is a whole number of bytes")
    return int(text)


def _checksum() -> Checksum | None:
    given = request.headers.get("Upload-Checksum")
    if given is None:
        return None
    algorithm, _, encoded = given.partition(" ")
    try:
        digest = base64.b64decode(encoded, validate=True)
    except (binascii.Error, ValueError):
        digest = b""
    if algorithm not in ALGORITHMS or not digest:
        raise UsageError(f"Upload-Checksum is one of {', '.join(ALGORITHMS)} and a digest in base64")
    return Checksum(algorithm, digest)


def _answer(upload: Upload, status: int) -> Response:
    answer = Response(status=status)
    answer.headers["Upload-Offset"] = str(upload.offset)
    answer.headers["Upload-Expires"] = format_datetime(upload.expires.astimezone(UTC), usegmt=True)
    answer.headers["Cache-Control"] = "no-store"
    return answer


ROUTES = (
    Route("OPTIONS", "/v1/uploads", describe_uploads, Permission.DEPOSIT),
    Route("POST", "/v1/uploads", create_upload, Permission.DEPOSIT),
    Route("HEAD", "/v1/uploads/<upload_id>", show_upload, Permission.DEPOSIT),
    Route("PATCH", "/v1/uploads/<upload_id>", append_upload, Permission.DEPOSIT),
    Route("DELETE", "/v1/uploads/<upload_id>", delete_upload, Permission.DEPOSIT),
    Route("POST", "/v1/deposits", deposit_uploads, Permission.DEPOSIT),
)
