"""The requests of TS 119 512 as they are read, without an archive: bounds, defaults, what is ours to decide."""

from __future__ import annotations

import base64
from typing import Any

import pytest

import api.refusals
import api.ts119512.refusals
from api.problem_texts import error_classes
from api.problems import problem_of
from api.refusals import UnknownFieldError
from api.ts119512 import formats, objects, requests
from api.ts119512.members import Budget, Members
from api.ts119512.refusals import (
    DeltaProblemError,
    FormatMismatchError,
    ProtocolRefusalError,
    UnknownFormatError,
    UnknownVersionError,
)
from api.ts119512.results import minor_of
from api.ts119512.values import STATED, DeletionMode, Minor, Operation, ProfileStatus, Subject
from archive_core import canonical, errors
from archive_core.errors import ArchiveError, SizeLimitError, UsageError
from policies.profiles import published_profiles

MODULES = {errors.__name__, api.refusals.__name__, api.ts119512.refusals.__name__}
PROFILE = published_profiles()[0]
TEXT = {"binaryData": {"value": "eA=="}, "mimeType": "text/plain"}


def test_what_is_not_said_has_the_meaning_that_the_protocol_gives_it() -> None:
    """Active profiles, evidence inside, everything deleted, the newest version."""
    assert requests.read(requests.read_retrieve_info, {}).status is ProfileStatus.ACTIVE
    retrieve = requests.read(requests.read_retrieve_po, {"poId": "x"})
    assert (retrieve.subject, retrieve.versions) == (Subject.EMBEDDED, ())
    assert requests.read(requests.read_retrieve_po, {"poId": "x", "versionId": ["all"]}).versions is None
    assert requests.read(requests.read_retrieve_po, {"poId": "x", "versionId": ["v3", "v1"]}).versions == (3, 1)
    assert requests.read(requests.read_delete_po, {"poId": "x"}).mode is DeletionMode.SUB_DOS_AND_EVIDENCE


@pytest.mark.parametrize("version", ["", "v", "v0", "v01", "1", "V1", "v1 ", "v-1", "v²", "v9999999999", "all,"])
def test_a_version_is_v_and_a_number(version: str) -> None:
    """Nothing else is one, in digits of other scripts neither."""
    with pytest.raises((UnknownVersionError, UsageError)):
        requests.read(requests.read_retrieve_po, {"poId": "x", "versionId": [version]})


@pytest.mark.parametrize(
    "text", ["e", "eA", "eA=", "eA===", "====", "eA==eA==", "e A=", "eA\n=", "_-_-", "eAé=", "=eA=", "e=A=", "eA=A"]
)
def test_base64_is_what_the_standard_alphabet_says(text: str) -> None:
    """Whole quanta, padding at the end only, no spaces, no other alphabet."""
    with pytest.raises(UsageError):
        Budget().decode(text, "x")


def test_a_budget_is_for_all_objects_together_and_judged_before_decoding() -> None:
    """What does not fit is refused by its length; what fits exactly is taken."""
    budget = Budget(4)
    assert budget.decode("eHh4", "x") == b"xxx"
    assert budget.decode("eA==", "x") == b"x"
    assert budget.decode("", "x") == b""
    with pytest.raises(SizeLimitError):
        budget.decode("!!!!", "x")
    with pytest.raises(SizeLimitError):
        Budget(1000).decode(base64.b64encode(b"x" * 1001).decode(), "x")


@pytest.mark.parametrize(
    ("value", "error"),
    [
        ({"a": "x", "b": "y"}, UnknownFieldError),
        ({"a": None}, UsageError),
        ({"a": 5}, UsageError),
        ({"a": True}, UsageError),
        ({"a": ""}, UsageError),
        ({"a": "x" * 11}, UsageError),
        ({"a": "x\n"}, UsageError),
        ({"a": "\u202e"}, UsageError),
        ({"a": ["x"]}, UsageError),
        ([], UsageError),
        (None, UsageError),
    ],
)
def test_a_member_is_text_within_its_bounds(value: Any, error: type[Exception]) -> None:
    """Printable, not empty, not too long, and nothing beside it."""

    def take() -> None:
        members = Members(value, "here")
        members.text("a", most=10)
        members.finish()

    with pytest.raises(error):
        take()


@pytest.mark.parametrize(
    "extra",
    [
        {"po": [TEXT] * 1001},
        {"po": [{**TEXT, "id": "x" * 1025}]},
        {"po": [{**TEXT, "relObj": ["a"] * 2}]},
        {"po": [{**TEXT, "relObj": [f"{n}" for n in range(1001)]}]},
        {"po": [{**TEXT, "pronomId": "x" * 65}]},
        {"po": [{**TEXT, "mimeType": "text/plain\x00"}]},
        {"po": [{**TEXT, "mimeType": "x" * 128 + "/y"}]},
        {"pro": "x" * 1025},
    ],
)
def test_everything_has_a_bound(extra: dict[str, Any]) -> None:
    """Numbers of objects and relations, lengths of names."""
    with pytest.raises(UsageError):
        requests.read(requests.read_preserve_po, {"pro": "urn:x", **extra})


def test_objects_without_an_id_take_the_names_that_are_free() -> None:
    """Whatever the others are called, no two are called alike."""
    asked = requests.read(
        requests.read_preserve_po, {"pro": "x", "po": [{**TEXT, "id": "po-2"}, TEXT, TEXT, {**TEXT, "id": "po-1"}]}
    )
    made = objects.submission_of(asked.objects, profile=PROFILE, originator="o", key=None)
    assert [file.path for file in made.files] == ["po-2", "po-3", "po-4", "po-1"]
    assert made.metadata is not None
    assert set(canonical.read(made.metadata)["ts119512"]["po"]) == {"po-1", "po-2", "po-3", "po-4"}


def test_a_change_keeps_what_is_said_of_what_was_there() -> None:
    """And other metadata beside it; the same again is no change."""
    held = {
        "description.json": b"{}",
        "data/a": b"x",
        "metadata.json": canonical.write({"title": "t", "ts119512": {"po": {"a": {"mimeType": "a/b"}}}}),
    }
    delta = requests.SubmittedObject(b"y", mime_type="text/plain", id="b")
    made = objects.changed(held, [delta], profile=PROFILE, originator="o")
    assert made is not None
    assert {file.path: file.source for file in made.files} == {"a": b"x", "b": b"y"}
    assert made.metadata is not None
    assert canonical.read(made.metadata) == {
        "title": "t",
        "ts119512": {"po": {"a": {"mimeType": "a/b"}, "b": {"mimeType": "text/plain"}}},
    }
    again = objects.changed({**held, "data/b": b"y"}, [delta], profile=PROFILE, originator="o")
    assert again is None
    with pytest.raises(DeltaProblemError):
        objects.changed({**held, "data/b": b"z"}, [delta], profile=PROFILE, originator="o")


@pytest.mark.parametrize("format_id", list(formats.TAKEN))
def test_a_format_is_refused_only_by_bytes_that_rule_it_out(format_id: str) -> None:
    """Text is none of them, and so is nothing at all."""
    for content in (b"", b"plain text", b"\x00" * 2000):
        with pytest.raises(FormatMismatchError):
            formats.verify_format(format_id, content, "po", UnknownFormatError)
    good = {"CAdES": b"\x30\x80", "XAdES": b"\xef\xbb\xbf <a/>", "PAdES": b"%PDF-1.7", "ASiC-E": b"PK\x03\x04"}
    content = good.get(format_id.rpartition("/")[2], b"PK\x03\x04")
    formats.verify_format(format_id, content, "po", UnknownFormatError)


def test_an_operation_says_only_what_its_clause_states() -> None:
    """Every error that there is becomes such a code in every operation's answer."""
    for operation in Operation:
        for kind in error_classes():
            if kind.__module__ not in MODULES:
                continue  # made by one part for itself, as more special than one of these
            error = kind("x", retry_after=1, size=1)  # what some of them are told with
            assert minor_of(error, problem_of(error), operation) in STATED[operation], (operation, kind)
        unexpected = RuntimeError()
        assert minor_of(unexpected, problem_of(unexpected), operation) is Minor.INTERNAL_ERROR


def test_every_refusal_of_the_protocol_is_the_client_s_to_mend() -> None:
    """None of them is an error of the service."""
    kinds = [kind for kind in error_classes() if issubclass(kind, ProtocolRefusalError)]
    assert len(kinds) > 8
    for kind in kinds:
        assert isinstance(kind(), ArchiveError)
        assert kind.http_status == 400
