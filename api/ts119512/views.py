"""The eight operations: a request in, one or two calls on the archive, the operation's response out.

Rules kept here
 * The same archive, roles, organisations, rates and quotas as the native interface, and the same events.
 * Nothing is stored before the whole request was read and understood.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any
from urllib.parse import parse_qsl

from flask import Response, g, request

from api.auth import Permission
from api.problems import RETRY_AFTER
from api.refusals import UnknownFieldError, UnsupportedMediaTypeError
from api.refused import leave_to_archive
from api.routing import Route, actor, archive, edge
from api.ts119512 import formats, objects, requests, results
from api.ts119512.answers import (
    SUCCESS,
    Result,
    answer,
    place_json,
    po_json,
    proof_json,
    trace_json,
    version_id,
)
from api.ts119512.members import MAX_PAYLOAD, Members
from api.ts119512.profiles import is_wanted, profile_json, profile_of
from api.ts119512.refusals import NotSupportedError
from api.ts119512.requests import R, SubmittedObject
from api.ts119512.retrieving import Retrieving
from api.ts119512.values import EVIDENCE_RECORD, DeletionMode, Major, Minor, Operation
from api.views.deposits import body_of, originator_of
from api.views.search import PARAMETERS, find, next_of
from api.wire import idempotency_key, json_response, parameters, poid_of
from archive_core import canonical
from archive_core.errors import EvidencePendingError, MalformedDocumentError, UsageError
from archive_core.evidence.verification import DataObject
from archive_core.findings import Report, Verdict
from policies.profiles import profile_by_id

BASE = "/v1/ts119512"
MAX_BODY = MAX_PAYLOAD * 3 // 2
"""Bytes of a request: base64 adds a third, and there is room for what is said of the objects."""
MAX_DEPTH = 8
_MAX_TERMS = 20


def retrieve_info(asked: requests.RetrieveInfo) -> Response:
    store = archive()
    listed, at = store.profiles(), store.clock.now()
    if asked.profile is not None:
        listed = [profile_of(asked.profile, listed)]
    shown = [profile_json(one) for one in listed if is_wanted(one, asked.status, at=at)]
    left_out = None if shown else Result(Major.SUCCESS, message=f"no such profile is {asked.status}")
    return _answered(left_out or SUCCESS, asked.request_id, pro=shown)


def preserve_po(asked: requests.PreservePO) -> Response:
    here, who = edge(), actor()
    profile = profile_of(asked.profile, here.archive.profiles())
    if not asked.objects:
        raise NotSupportedError("an object without content is not kept: send one PO at least")
    submission = objects.submission_of(
        asked.objects, profile=profile, originator=originator_of(None, who, here), key=idempotency_key(request)
    )
    leave_to_archive()
    made = here.archive.deposit(submission, actor=who)
    return _answered(Result(Major.SUCCESS, message="kept; evidence follows"), asked.request_id, poId=made.poid)


def retrieve_po(asked: requests.RetrievePO) -> Response:
    retrieved = Retrieving(archive(), asked, actor=actor()).run()
    if not retrieved.pending:
        return _answered(SUCCESS, asked.request_id, po=retrieved.found)
    message = f"evidence is still to come: {', '.join(map(version_id, retrieved.pending))}"
    if not retrieved.found:
        return _pending(message, asked.request_id)
    return _answered(Result(Major.SUCCESS, Minor.PARTLY, message), asked.request_id, po=retrieved.found)


def delete_po(asked: requests.DeletePO) -> Response:
    keep = asked.mode is DeletionMode.ONLY_SUB_DOS
    poid = poid_of(asked.poid)
    if asked.reason is None:
        raise UsageError("nothing is deleted without a reason")
    leave_to_archive()
    view = archive().destroy(
        poid, reason=asked.reason, actor=actor(), keep_digests=keep, asked_by=asked.claimed_requestor
    )
    if view.replayed and view.digests_kept != keep:
        raise NotSupportedError(f"it was deleted before, with its evidence {'kept' if view.digests_kept else 'gone'}")
    owed = [debt.store for debt in view.owed]
    told = Result(Major.SUCCESS, message=f"still to be purged in {len(owed)} stores") if owed else SUCCESS
    return _answered(told, asked.request_id)


def update_poc(asked: requests.UpdatePOC) -> Response:
    store, who = archive(), actor()
    if idempotency_key(request) is not None:
        raise NotSupportedError("UpdatePOC takes no Idempotency-Key: the ids of its objects say what is there already")
    head = store.show(poid_of(asked.poid), None, actor=who)
    room = MAX_PAYLOAD - sum(len(one.content) for one in asked.deltas)
    submission = objects.changed(
        store.contents(head.poid, head.version, actor=who, most=room),
        asked.deltas,
        profile=profile_by_id(head.profile, store.profiles()),
        originator=head.originator,
    )
    if submission is None:
        told = Result(Major.SUCCESS, message="all of it is held already")
        return _answered(told, asked.request_id, versionId=version_id(head.version))
    leave_to_archive()
    made = store.update(head.poid, submission, actor=who, follows=head.version)
    return _answered(SUCCESS, asked.request_id, versionId=version_id(made.version))


def retrieve_trace(asked: requests.RetrieveTrace) -> Response:
    events = archive().trace(poid_of(asked.poid), actor=actor())
    return _answered(SUCCESS, asked.request_id, trace=trace_json(events))


def validate_evidence(asked: requests.ValidateEvidence) -> Response:
    given = asked.evidence
    if given.format_id != EVIDENCE_RECORD:
        raise NotSupportedError(f"evidence is judged of the format {EVIDENCE_RECORD}")
    poid = poid_of(given.poid) if given.poid is not None else None
    data = [DataObject.of_bytes(one.id or f"po-{n}", one.content) for n, one in enumerate(asked.objects, 1)]
    try:
        report = archive().judge_evidence(given.content, data, poid=poid, version=given.version, actor=actor())
    except EvidencePendingError as error:
        return _pending(str(error), asked.request_id)
    shown = json.dumps(report.to_json(), ensure_ascii=False, sort_keys=True).encode("utf-8")
    return _answered(
        _verdict(report),
        asked.request_id,
        valRep=po_json(SubmittedObject(shown, formats.REPORT, "application/json")),
        poe=proof_json(report),
    )


def search(asked: requests.Search) -> Response:
    found = find(terms_of(asked.filter))
    more = next_of(found)
    told = (
        Result(Major.SUCCESS, message="the index is behind the trail: there may be more")
        if not found.complete
        else None
    )
    poids = list(dict.fromkeys(row.poid for row in found.rows))
    return _answered(told or SUCCESS, asked.request_id, poId=poids, optOut=place_json(more))


def terms_of(text: str) -> dict[str, str]:
    """A filter: the parameters of the native search, written as in its address; raises `UsageError`."""
    try:
        pairs = parse_qsl(text, strict_parsing=True, keep_blank_values=True, max_num_fields=_MAX_TERMS, errors="strict")
    except ValueError:
        raise UsageError("fi is written as the query of the native search: text=WORDS&status=evidenced") from None
    given = dict(pairs)
    if len(given) != len(pairs):
        raise UsageError("fi says something twice")
    for name in given:
        if name not in PARAMETERS:
            raise UnknownFieldError(f"unknown term {name[:40]!a}", known=sorted(PARAMETERS))
    return given


def _verdict(report: Report) -> Result:
    """That it was judged is a success, whatever the verdict; where something is missing for one, that is said."""
    enough = report.verdict is not Verdict.INDETERMINATE
    message = str(report.verdict) + (f": {report.sub_indication}" if report.sub_indication else "")
    if report.test_trust:
        message += "; on test trust, which proves nothing to others"
    return Result(Major.SUCCESS if enough else Major.INSUFFICIENT_INFORMATION, message=message)


def _answered(result: Result, request_id: str | None, **members: Any) -> Response:
    return json_response(answer(result, request_id, **members))


def _pending(message: str, request_id: str | None) -> Response:
    response = _answered(Result(Major.PENDING, message=message), request_id)
    response.headers["Retry-After"] = str(RETRY_AFTER)
    return response


def _body() -> Any:
    """The JSON value in the request; raises a `UsageError` or one of its kin."""
    parameters(request)
    if request.mimetype != "application/json":
        raise UnsupportedMediaTypeError("send the request as application/json")
    data = b"".join(body_of(request, edge(), MAX_BODY).blocks())
    try:
        return canonical.read(data, max_bytes=MAX_BODY, max_depth=MAX_DEPTH)
    except MalformedDocumentError as error:
        raise UsageError(f"the request is not acceptable JSON: {error}") from error


def _route(
    operation: Operation,
    permission: Permission,
    read: Callable[[Members, str | None], R],
    perform: Callable[[R], Response],
) -> Route:
    def view() -> Response:
        value = _body()
        setattr(g, results.REQUEST_ID, requests.request_id_of(value))
        asked = requests.read(read, value)
        idempotency_key(request)  # one that is none is refused like the rest of a broken request
        setattr(g, results.UNDERSTOOD, True)
        return perform(asked)

    return Route("POST", f"{BASE}/{operation}", view, permission, results.telling(operation))


ROUTES = (
    _route(Operation.RETRIEVE_INFO, Permission.DESCRIBE, requests.read_retrieve_info, retrieve_info),
    _route(Operation.PRESERVE_PO, Permission.DEPOSIT, requests.read_preserve_po, preserve_po),
    _route(Operation.RETRIEVE_PO, Permission.READ, requests.read_retrieve_po, retrieve_po),
    _route(Operation.DELETE_PO, Permission.OPERATE, requests.read_delete_po, delete_po),
    _route(Operation.UPDATE_POC, Permission.DEPOSIT, requests.read_update_poc, update_poc),
    _route(Operation.RETRIEVE_TRACE, Permission.TRACE, requests.read_retrieve_trace, retrieve_trace),
    _route(Operation.VALIDATE_EVIDENCE, Permission.VERIFY, requests.read_validate_evidence, validate_evidence),
    _route(Operation.SEARCH, Permission.SEARCH, requests.read_search, search),
)
