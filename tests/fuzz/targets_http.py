"""What arrives over HTTP: multipart bodies, digest fields, ranges, keys, parameters."""

from __future__ import annotations

import io
from datetime import UTC, datetime
from pathlib import Path

from flask import Request
from werkzeug.test import EnvironBuilder

from api.auth import bearer_key
from api.bulk_intake import bulk_intake
from api.digest_fields import merge_claims, parse_digest_field, write_digest_field
from api.multipart import BodyReader, boundary_of, read_parts
from api.ranges import not_modified, select
from api.resumable import Uploads
from api.uploads import UploadLimits, staged_upload
from api.wire import attachment, idempotency_key, number, parameters, poid_of
from archive_core.digests import Digest
from archive_core.errors import ArchiveError, ConflictError, UsageError
from archive_core.lifecycle import Actor, SubmissionObject
from tests.fuzz import corpus
from tests.fuzz.target import target

LIMITS = UploadLimits(body=1 << 20, files=50, metadata=4096, digests=4096)
TYPE = "multipart/form-data; boundary=XX"
WHO = Actor("key-1", "depositor", "o")
SIZE, ETAG = 1000, "a" * 128


def _body() -> bytes:
    one = Digest.of("sha256", b"alpha")
    return (
        b'--XX\r\nContent-Disposition: form-data; name="file"; filename="a/b.txt"\r\n'
        b"Content-Digest: " + write_digest_field(one).encode() + b"\r\n\r\nalpha\r\n"
        b"--XX\r\nContent-Disposition: form-data; name=\"file\"; filename*=UTF-8''%C5%BE.bin\r\n\r\n\r\n--X\r\n\r\n"
        b'--XX\r\nContent-Disposition: form-data; name="metadata"\r\n\r\n{"title": "x"}\r\n'
        b'--XX\r\nContent-Disposition: form-data; name="digests"\r\n\r\n'
        b'{"a/b.txt": {"sha256": "' + one.hex.encode() + b'"}}\r\n'
        b'--XX\r\nContent-Disposition: form-data; name="profile"\r\n\r\nbasic-1\r\n--XX--\r\n'
    )


@target(
    "multipart",
    lambda: {"all": _body(), "one": b'--XX\r\nContent-Disposition: form-data; name="profile"\r\n\r\nx\r\n--XX--\r\n'},
    kind="text",
    max_size=256 * 1024,
    tokens=(
        b"\r\n--XX\r\n",
        b"--XX--\r\n",
        b"\r\n\r\n",
        b"--XX",
        b"\r",
        b'filename="',
        b"filename*=UTF-8''%ff",
        b"; ",
        b'\\"',
    ),
)
def multipart(data: bytes) -> bool:
    """What is taken does not depend on the pieces in which it came, and nothing is left in staging."""
    whole = _outcome(data, 1 << 20)
    for size in (1 if len(data) < 2000 else 997, 7 if len(data) < 20000 else 9973):
        pieces = _outcome(data, size)
        assert pieces == whole or (isinstance(pieces, str) and isinstance(whole, str)), (pieces, whole)
    return not isinstance(whole, str)


def _outcome(data: bytes, size: int) -> object:
    """What was taken, or the code of the refusal."""
    try:
        return _taken(data, size)
    except ArchiveError as error:
        return error.code


def _taken(data: bytes, size: int) -> object:
    staging = corpus.scratch() / "staging"
    staging.mkdir(exist_ok=True)
    body = BodyReader(_Pieces(data, size), limit=1 << 20, announced=len(data))
    try:
        with staged_upload(read_parts(body, boundary_of(TYPE).replace(b" ", b"")), staging, LIMITS) as upload:
            files = [(file.path, _bytes(file.source)) for file in upload.files]
            submission = upload.submission(originator="o", key=None)
            return files, dict(upload.fields), [dict(file.claimed) for file in submission.files]
    finally:
        assert not list(staging.iterdir())


def _bytes(source: bytes | Path) -> bytes:
    """Small files stay in memory, others were staged."""
    return bytes(source) if isinstance(source, bytes) else source.read_bytes()


class _Pieces:
    def __init__(self, data: bytes, size: int) -> None:
        self._stream = io.BytesIO(data)
        self._size = size

    def read(self, size: int, /) -> bytes:
        return self._stream.read(min(size, self._size))


def _bulk_body() -> bytes:
    return (
        b'--XX\r\nContent-Disposition: form-data; name="manifest"\r\n\r\n'
        b'{"objects": [{"key": "1", "files": [{"path": "a/b.txt", "part": "1a"}, {"path": "c", "part": "1b"}],'
        b' "metadata": {"a": [1]}}, {"key": "2", "files": [{"path": "x", "part": "2", "sha512": "'
        + Digest.of("sha512", b"beta").hex.encode()
        + b'"}], "profile": "basic-1"}, 3]}\r\n'
        b'--XX\r\nContent-Disposition: form-data; name="file"; filename="1a"\r\n\r\nalpha\r\n'
        b'--XX\r\nContent-Disposition: form-data; name="file"; filename="1b"\r\n\r\n\r\n'
        b'--XX\r\nContent-Disposition: form-data; name="file"; filename="2"\r\n\r\nbeta\r\n--XX--\r\n'
    )


@target(
    "bulk",
    lambda: {"all": _bulk_body(), "wrong digest": _bulk_body().replace(b"beta\r", b"betb\r")},
    kind="text",
    max_size=256 * 1024,
    tokens=(b"\r\n--XX\r\n", b"--XX--\r\n", b'filename="1b"', b'"part": "1a"', b'"key"', b'{"objects": [', b"\r\n\r\n"),
)
def bulk(data: bytes) -> bool:
    """One answer for each object, whatever the body is; each does not depend on the pieces in which the body came, and
    nothing is left in staging."""
    whole = _bulk_outcome(data, 1 << 20)
    for size in (1 if len(data) < 2000 else 997, 7 if len(data) < 20000 else 9973):
        pieces = _bulk_outcome(data, size)
        same_kind = isinstance(pieces, str) and isinstance(whole, str)
        assert pieces == whole or same_kind, (pieces, whole)
    return not isinstance(whole, str) and any(not isinstance(one, str) for one in whole)


def _bulk_outcome(data: bytes, size: int) -> str | list[object]:
    """What is handed on of each object, or the code of its refusal; the code alone where there is no manifest."""
    staging = corpus.scratch() / "bulk"
    staging.mkdir(exist_ok=True)
    body = BodyReader(_Pieces(data, size), limit=1 << 20, announced=len(data))
    uploads = Uploads(staging / "uploads", now=lambda: datetime.now(UTC), limit=1)
    found: list[object] = []
    try:
        parts = read_parts(body, boundary_of(TYPE))
        with bulk_intake(parts, staging, uploads=uploads, actor=WHO, originator=lambda named: named or "o") as intake:
            for one in intake.submissions():
                found.append(one.code if isinstance(one, ArchiveError) else _told(one))
                intake.answered(ConflictError("x"))
            assert len(found) == len(intake.objects)
    except ArchiveError as error:
        return error.code
    finally:
        assert not list(staging.iterdir())
    return found


def _told(one: SubmissionObject) -> object:
    return one.key, one.metadata, one.profile, [(file.path, _bytes(file.source)) for file in one.files]


@target(
    "media-type",
    lambda: {"plain": TYPE.encode(), "quoted": b'Multipart/Form-Data; charset=utf-8; boundary="a b c"'},
    refusals=(ArchiveError,),
    kind="text",
    tokens=(b"boundary=", b'"', b"\\", b";", b" " * 50),
)
def media_type(data: bytes) -> None:
    """A boundary is 1 to 70 characters that cannot end a header."""
    found = boundary_of(data.decode("latin-1"))
    assert 1 <= len(found) <= 70
    assert not set(found) & set(b'\r\n"\\')


@target(
    "digest-field",
    lambda: {
        "both": write_digest_field(Digest.of("sha512", b"a"), Digest.of("sha256", b"a")).encode(),
        "other": b"unixsum=:MTI=:, " + write_digest_field(Digest.of("sha256", b"a")).encode(),
    },
    refusals=(UsageError,),
    kind="text",
    tokens=(b"sha-512=:", b":", b",", b"=", b" "),
)
def digest_field(data: bytes) -> None:
    """What is read is written and read again the same."""
    found = parse_digest_field(data.decode("latin-1"))
    written = write_digest_field(*(Digest.from_hex(name, value) for name, value in found.items()))
    assert parse_digest_field(written) == found == merge_claims((found, found))


@target(
    "range",
    lambda: {
        "first": b"bytes=0-99",
        "suffix": b"bytes=-5\nW/x",
        "open": b"bytes=10-",
        "several": b"bytes=0-1,5-6",
        "if": f'bytes=1-2\n"{ETAG}"\n"{ETAG}", "b"\n*'.encode(),
    },
    refusals=(ArchiveError,),
    kind="text",
    tokens=(b"bytes=", b"-", b"9" * 400, b"9" * 5000, b",", b"*", b'W/"', b"Tue, 15 Nov 1994 08:12:31 GMT"),
)
def ranges(data: bytes) -> None:
    """A selection lies within the file; a part is what was asked for."""
    values = [line[:8000] for line in data.decode("latin-1").replace("\r", " ").split("\n")[:4]]
    names = ("Range", "If-Range", "If-None-Match", "If-Match")
    headers = {name: value for name, value in zip(names, values, strict=False) if value}
    request = Request(EnvironBuilder(headers=headers).get_environ())
    not_modified(request, ETAG)
    for size in (SIZE, 1, 0):
        selection = select(request, ETAG, size)
        assert 0 <= selection.start <= selection.stop <= size
        assert selection.partial or (selection.start, selection.stop) == (0, size)
        assert not selection.partial or selection.start < selection.stop


@target(
    "request-head",
    lambda: {
        "good": '0199b0c2-7d3e-7aaa-bbbb-ccccddddeeee\n12\nBearer abc.DEF~\nkůň\nversion=1&line=x\na "b".pdf'.encode()
    },
    refusals=(ArchiveError,),
    kind="text",
    tokens=(b"Bearer ", b"\xc2\xb2", b"&version=1", b"%00", b"%ff", b"-"),
)
def request_head(data: bytes) -> bool:
    """Every field of a request's head is taken or refused by itself."""
    fields = [*data.decode("latin-1").replace("\r", " ").split("\n"), *[""] * 6]
    refused = 0
    builder = EnvironBuilder(headers={"Idempotency-Key": fields[3]} if fields[3] else {})
    builder.query_string = fields[4]
    request = Request(builder.get_environ())
    for take in (
        lambda: poid_of(fields[0]),
        lambda: number(fields[1], "version"),
        lambda: bearer_key(fields[2]),
        lambda: idempotency_key(request),
        lambda: parameters(request, "version", "line"),
    ):
        try:
            take()
        except ArchiveError:
            refused += 1
    shown = attachment(data.decode("utf-8", "replace"))
    assert "\n" not in shown
    assert shown.isascii()
    return not refused
