"""Every error as application/problem+json (RFC 9457), in English or Czech.

Rules kept here
 * `type` is `urn:trusted-archive:problem:<code>`, stable; `code` comes from the error's class.
 * `http_status` of the error's family decides the status; nothing else does.
 * An unexpected error says only that it happened, and the request id under which the log knows more.
   No stack trace, no secret, no setting leaves.
 * `detail` says in the caller's language what to do; the precise sentence of the error is English.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from flask import Request, Response
from werkzeug.datastructures import LanguageAccept
from werkzeug.exceptions import HTTPException

from api.problem_texts import text_of
from api.refusals import RangeNotSatisfiableError
from archive_core.errors import (
    ArchiveError,
    EvidencePendingError,
    RateLimitedError,
    SettingsError,
    TokenRefusedError,
    UnauthenticatedError,
    UnavailableError,
    UnknownObjectError,
)

TYPE_PREFIX = "urn:trusted-archive:problem:"
MEDIA_TYPE = "application/problem+json"
RETRY_AFTER = 5
"""Seconds after which it is worth asking again."""


@dataclass(frozen=True, slots=True)
class Problem:
    code: str
    status: int
    detail: str | None = None
    facts: Mapping[str, object] = field(default_factory=dict)
    headers: Mapping[str, str] = field(default_factory=dict)


def problem_of(error: Exception) -> Problem:
    """What may be told about an error."""
    if isinstance(error, ArchiveError):
        return _of_archive(error)
    if isinstance(error, HTTPException) and error.code is not None and 400 <= error.code < 500:
        return _of_web(error, error.code)
    return Problem("internal", 500)


def _of_archive(error: ArchiveError) -> Problem:
    if type(error) is ArchiveError or isinstance(error, SettingsError):
        return Problem("internal", 500)
    if isinstance(error, UnknownObjectError):
        # Nothing but the class: another organisation's object is answered like one that does not exist.
        return Problem(error.code, error.http_status)
    headers = {}
    if isinstance(error, (UnavailableError, EvidencePendingError)):
        headers["Retry-After"] = str(RETRY_AFTER)
    if isinstance(error, RateLimitedError):
        headers["Retry-After"] = str(error.facts["retry_after"])
    if isinstance(error, UnauthenticatedError):
        invalid = ', error="invalid_token"' if isinstance(error, TokenRefusedError) else ""
        headers["WWW-Authenticate"] = f'Bearer realm="trusted-archive"{invalid}'
    if isinstance(error, RangeNotSatisfiableError):
        headers["Content-Range"] = f"bytes */{error.facts['size']}"
    message = str(error)
    return Problem(error.code, error.http_status, message, error.facts, headers)


def _of_web(error: HTTPException, status: int) -> Problem:
    headers = {}
    if status == 405 and (allowed := getattr(error, "valid_methods", None)):
        headers["Allow"] = ", ".join(sorted(set(allowed)))
    code = {404: "no-such-address", 405: "method-not-allowed", 413: "size-limit"}.get(status, "usage")
    return Problem(code, status, headers=headers)


def language_of(accepted: LanguageAccept) -> str:
    """`cs` or `en`."""
    return accepted.best_match(["en", "cs"], default="en") or "en"


def response_of(problem: Problem, request: Request, request_id: str) -> Response:
    language = language_of(request.accept_languages)
    body = document_of(problem, language, request_id)
    response = Response(json.dumps(body, ensure_ascii=False), status=problem.status, mimetype=MEDIA_TYPE)
    response.headers["Content-Language"] = language
    response.headers["Cache-Control"] = "no-store"
    response.headers.update(problem.headers)
    return response


def document_of(problem: Problem, language: str, request_id: str) -> dict[str, Any]:
    """The problem document (RFC 9457 3.1) in `en` or `cs`."""
    body: dict[str, Any] = {
        "type": TYPE_PREFIX + problem.code,
        "title": text_of(problem.code, language),
        "status": problem.status,
        "detail": detail_of(problem, language),
    }
    if problem.facts:
        body["facts"] = {name: _plain(value) for name, value in problem.facts.items()}
    if problem.status >= 500:
        body["instance"] = f"urn:uuid:{request_id}"
    return body


def detail_of(problem: Problem, language: str) -> str:
    """The error's own sentence, after the general one where that is in another language."""
    general = text_of(problem.code, language)
    if problem.detail in (None, text_of(problem.code, "en")):
        return general
    return str(problem.detail) if language == "en" else f"{general} ({problem.detail})"


def _plain(value: object) -> object:
    if value is None or isinstance(value, (bool, int, float, str)):
        return value
    if isinstance(value, Mapping):
        return {str(name): _plain(item) for name, item in value.items()}
    if isinstance(value, (list, tuple, set, frozenset)):
        return [_plain(item) for item in value]
    return str(value)
