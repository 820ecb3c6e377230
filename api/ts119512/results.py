"""Every error as a result of the protocol, and with which HTTP status it goes out.

Rules kept here
 * A request that was understood is answered 200, whatever its result; one that was not, 400, 413 or 415; whoever may
   not ask, 403 or 429; trouble of the service itself, 500 or 503. The body is the operation's response each time.
 * Without a key there is no telling which address speaks this protocol: 401 is a problem document everywhere.
 * A minor code that the operation's clause does not state becomes the most general one that it does.
 * The message says no more than the problem document of the same error would.
"""

from __future__ import annotations

from flask import Request, Response, g

from api.problems import Problem, detail_of, language_of, response_of
from api.refusals import StagingUnavailableError, StalledUploadError
from api.routing import Telling
from api.ts119512.answers import Result, answer, trace_json
from api.ts119512.refusals import ProtocolRefusalError
from api.ts119512.values import STATED, Major, Minor, Operation
from api.wire import json_response
from archive_core.errors import (
    ConflictError,
    DigestMismatchError,
    EvidencePendingError,
    ExaminationUnavailableError,
    InQuarantineError,
    NotPermittedError,
    ObjectDestroyedError,
    OrganisationNotActiveError,
    QuotaExceededError,
    RateLimitedError,
    SizeLimitError,
    TimestampAuthorityUnavailableError,
    TruncatedSubmissionError,
    UnauthenticatedError,
    UnknownObjectError,
)

UNDERSTOOD = "ts119512_understood"
REQUEST_ID = "ts119512_request_id"
"""Names in `flask.g`: whether the request was understood, and its `reqId`."""

_MINORS: tuple[tuple[tuple[type[Exception], ...], Minor], ...] = (
    ((NotPermittedError, OrganisationNotActiveError, RateLimitedError, InQuarantineError), Minor.NO_PERMISSION),
    ((QuotaExceededError, StagingUnavailableError), Minor.NO_SPACE),
    ((TruncatedSubmissionError, DigestMismatchError, StalledUploadError), Minor.TRANSFER_ERROR),
    ((UnknownObjectError, ObjectDestroyedError), Minor.UNKNOWN_POID),
    ((TimestampAuthorityUnavailableError, ExaminationUnavailableError), Minor.EXTERNAL_SERVICE),
)
_CARRIED = (Operation.RETRIEVE_PO, Operation.UPDATE_POC)
_NOT_YET = (EvidencePendingError, ConflictError)


def telling(operation: Operation) -> Telling:
    """How refusals of an operation are told."""

    def tell(error: Exception, problem: Problem, request: Request, request_id: str) -> Response:
        if isinstance(error, UnauthenticatedError):
            return response_of(problem, request, request_id)
        language = language_of(request.accept_languages)
        major = _major(problem, operation, error)
        result = Result(major, minor_of(error, problem, operation), detail_of(problem, language), language)
        understood = g.get(UNDERSTOOD, False) and problem.status < 500
        trace = trace_json(()) if operation is Operation.RETRIEVE_TRACE else None  # 5.3.7.2: there is always one
        told = answer(result, g.get(REQUEST_ID), trace=trace)
        response = json_response(told, 200 if understood else problem.status)
        response.headers.update(problem.headers)
        return response

    return tell


def _major(problem: Problem, operation: Operation, error: Exception) -> Major:
    own = problem.status >= 500 or minor_of(error, problem, operation) is Minor.NO_SPACE
    return Major.RESPONDER_ERROR if own else Major.REQUESTER_ERROR


def minor_of(error: Exception, problem: Problem, operation: Operation) -> Minor:
    """The minor code of an error in the answer of an operation."""
    minor = _minor(error, problem, operation)
    if minor in STATED[operation]:
        return minor
    return Minor.PARAMETER_ERROR if problem.status < 500 else Minor.INTERNAL_ERROR


def _minor(error: Exception, problem: Problem, operation: Operation) -> Minor:
    if isinstance(error, ProtocolRefusalError):
        return error.minor
    for kinds, minor in _MINORS:
        if isinstance(error, kinds):
            return minor
    if operation is Operation.DELETE_PO and isinstance(error, _NOT_YET):
        return Minor.NO_PERMISSION  # the policy of destruction does not allow it
    if operation is Operation.UPDATE_POC and isinstance(error, ConflictError):
        return Minor.DELTA_PROBLEM
    if operation in _CARRIED and isinstance(error, SizeLimitError):
        return Minor.NOT_SUPPORTED  # more than this protocol carries here; the native interface streams it
    return Minor.PARAMETER_ERROR if problem.status < 500 else Minor.INTERNAL_ERROR
