"""Signatures in what was deposited: reports, what is set aside, and the decision about it."""

from __future__ import annotations

from flask import Response, request

from api.auth import Permission
from api.refusals import UnknownFieldError
from api.routing import Route, actor, archive
from api.wire import download, json_object, json_response, number, parameters, poid_of
from archive_core.errors import UsageError

_DECISIONS = ("release", "reject")
_FORMS = {"json": "application/json", "xml": "application/xml"}


def read_examination(poid: str) -> Response:
    """What was found in a version; with `path` the whole report of one document."""
    given = parameters(request, "version", "path", "form")
    poid, version = poid_of(poid), number(given.get("version"), "version")
    form = given.get("form", "json")
    if form not in _FORMS:
        raise UsageError("form is json or xml")
    signatures = archive().signatures
    if "path" not in given:
        if form != "json":
            raise UsageError("a report in XML is of one document: say its path")
        return json_response(signatures.report(poid, version, actor=actor()))
    found = signatures.document_report(poid, given["path"], version, xml=form == "xml", actor=actor())
    return download(found, f"{poid}-examination.{form}", _FORMS[form])


def list_quarantine() -> Response:
    parameters(request)
    return json_response({"versions": [view.to_json() for view in archive().signatures.quarantined(actor=actor())]})


def decide(poid: str) -> Response:
    """Release or reject what is set aside."""
    parameters(request)
    poid, wanted = poid_of(poid), json_object(request)
    if unknown := wanted.keys() - {"decision", "reason", "version"}:
        raise UnknownFieldError(f"unknown field {min(unknown)[:40]!a}", known=["decision", "reason", "version"])
    decision, reason, version = wanted.get("decision"), wanted.get("reason"), wanted.get("version")
    if decision not in _DECISIONS or not isinstance(reason, str):
        raise UsageError('send {"decision": "release" or "reject", "reason": "WHY"}')
    if version is not None and (type(version) is not int or not 1 <= version <= 999_999_999):
        raise UsageError("version is a whole number")
    signatures = archive().signatures
    act = signatures.release if decision == "release" else signatures.reject
    return json_response(act(poid, version, reason=reason, actor=actor()).to_json())


_OBJECT = "/v1/preservation-objects/<poid>"

ROUTES = (
    Route("GET", f"{_OBJECT}/examination", read_examination, Permission.READ),
    Route("POST", f"{_OBJECT}/quarantine", decide, Permission.OPERATE),
    Route("GET", "/v1/quarantine", list_quarantine, Permission.READ),
)
