"""Depositing many objects in one request, each with an outcome of its own."""

from __future__ import annotations

from flask import Response, g, request

from api.auth import Permission
from api.bulk_intake import bulk_intake
from api.multipart import boundary_of, read_parts
from api.problems import document_of, language_of, problem_of
from api.refused import leave_to_archive
from api.routing import Route, actor, edge
from api.views.deposits import body_of, originator_of
from api.wire import json_response, parameters
from archive_core.errors import ArchiveError, UsageError
from archive_core.lifecycle import Acknowledgement

OF_ONE_OBJECT = ("Idempotency-Key", "Content-Digest", "Repr-Digest")
"""Headers that say something of one object, or of a whole that is not taken as a whole."""


def deposit_many() -> Response:
    """200 with the outcomes, once the manifest could be read; what is wrong with an object is its outcome."""
    parameters(request)
    for header in OF_ONE_OBJECT:
        if header in request.headers:
            raise UsageError(f"{header} belongs to one object: keys and digests stand in the manifest")
    here, who = edge(), actor()
    parts = read_parts(body_of(request, here), boundary_of(request.content_type))
    language = language_of(request.accept_languages)
    answers: list[Acknowledgement | ArchiveError] = []
    with bulk_intake(
        parts,
        here.staging,
        uploads=here.uploads,
        actor=who,
        originator=lambda named: originator_of(named, who, here),
    ) as intake:
        leave_to_archive()

        def tell(answer: Acknowledgement | ArchiveError) -> None:
            answers.append(answer)
            intake.answered(answer)

        try:
            here.archive.deposit_many(intake.submissions(), actor=who, tell=tell)
        except ArchiveError as error:  # it ends all that was not told; what was acknowledged stays acknowledged
            answers += [error] * (len(intake.objects) - len(answers))
    outcomes = [
        {"key": one.key, **_outcome(answer, language)} for one, answer in zip(intake.objects, answers, strict=True)
    ]
    response = json_response({"outcomes": outcomes})
    response.headers["Content-Language"] = language
    return response


def _outcome(answer: Acknowledgement | ArchiveError, language: str) -> dict[str, object]:
    if isinstance(answer, Acknowledgement):
        return {"status": 200 if answer.replayed else 201, "acknowledgement": answer.to_json()}
    problem = problem_of(answer)
    told: dict[str, object] = {"status": problem.status, "problem": document_of(problem, language, g.request_id)}
    if "Retry-After" in problem.headers:
        told["retry_after"] = int(problem.headers["Retry-After"])
    return told


ROUTES = (Route("POST", "/v1/bulk-deposits", deposit_many, Permission.DEPOSIT),)
