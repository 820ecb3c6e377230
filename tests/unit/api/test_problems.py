"""Problem documents: complete, bilingual, silent about the inside."""

from __future__ import annotations

import json

import pytest
from flask import Flask, request
from werkzeug.exceptions import BadGateway, ImATeapot, NotFound

from api.problem_texts import error_classes, text_of
from api.problems import problem_of, response_of
from archive_core.errors import (
    ArchiveError,
    DigestMismatchError,
    EvidencePendingError,
    SettingsError,
    StoreUnavailableError,
    UnauthenticatedError,
)


@pytest.mark.parametrize("kind", error_classes(), ids=lambda kind: kind.__name__)
def test_every_error_has_a_sentence_in_both_languages(kind: type[ArchiveError]) -> None:
    """A new error cannot be forgotten in Czech, and Czech never says archive."""
    english, czech = text_of(kind("").code, "en"), text_of(kind("").code, "cs")

    if kind is not ArchiveError:
        assert english != text_of("archive", "en")
        assert czech != text_of("archive", "cs")
    assert czech != english
    assert "archiv" not in czech.replace("trusted-archive", "").lower()


def told(error: Exception, language: str = "en") -> dict[str, object]:
    with Flask("test").test_request_context(headers={"Accept-Language": language}):
        response = response_of(problem_of(error), request, "the-request-id")
        return {"headers": dict(response.headers), "status_code": response.status_code, **json.loads(response.data)}


@pytest.mark.parametrize(
    "error",
    [
        ValueError("the password is hunter2"),
        SettingsError("postgresql://archive:hunter2@db", url="hunter2"),
        ArchiveError("hunter2"),
        BadGateway("hunter2"),
    ],
)
def test_an_unexpected_error_says_nothing_of_the_inside(error: Exception) -> None:
    """What an unexpected error holds stays here; the request id leads to it."""
    said = told(error)

    assert said["status_code"] == 500
    assert said["type"] == "urn:trusted-archive:problem:internal"
    assert said["instance"] == "urn:uuid:the-request-id"
    assert "hunter2" not in json.dumps(said)


def test_an_expected_error_gives_its_sentence_and_facts() -> None:
    """The depositor learns which file and which digest."""
    said = told(DigestMismatchError("a.txt arrived damaged", path="a.txt", found=b"x"))

    assert said["status_code"] == 422
    assert said["detail"] == "a.txt arrived damaged"
    assert said["facts"] == {"path": "a.txt", "found": "b'x'"}


def test_czech_is_given_to_who_asks_for_it() -> None:
    """Accept-Language decides; the precise sentence is kept in brackets."""
    said = told(DigestMismatchError("a.txt arrived damaged"), "cs-CZ,cs;q=0.9,en;q=0.5")

    assert said["title"] == "Soubor nemá otisk, který pro něj byl uveden."
    assert said["detail"] == "Soubor nemá otisk, který pro něj byl uveden. (a.txt arrived damaged)"
    assert said["headers"]["Content-Language"] == "cs"  # type: ignore[index]
    assert told(DigestMismatchError(), "de")["headers"]["Content-Language"] == "en"  # type: ignore[index]


@pytest.mark.parametrize("error", [StoreUnavailableError(), EvidencePendingError()])
def test_what_passes_says_when_to_ask_again(error: ArchiveError) -> None:
    """Retry-After comes with everything that time alone heals."""
    assert told(error)["headers"]["Retry-After"] == "5"  # type: ignore[index]


def test_a_missing_key_names_the_scheme() -> None:
    """RFC 9110 11.6.1: 401 has WWW-Authenticate."""
    assert told(UnauthenticatedError())["headers"]["WWW-Authenticate"].startswith("Bearer")  # type: ignore[index]


@pytest.mark.parametrize(("error", "code"), [(NotFound(), "no-such-address"), (ImATeapot(), "usage")])
def test_errors_of_the_framework_are_problems_too(error: Exception, code: str) -> None:
    """Flask's own refusals have the same form."""
    assert told(error)["type"] == f"urn:trusted-archive:problem:{code}"
