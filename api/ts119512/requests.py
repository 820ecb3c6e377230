"""The eight requests of TS 119 512 5.3, read from their JSON form: frozen values out, or a refusal.

Rules kept here
 * An unknown member, a member of another type and every optional input are refused; nothing is passed over.
 * Pure: no archive, no clock; whether something exists is not decided here.
 * `xmlData` is base64 too in the JSON form; its bytes are kept as they come, like those of `binaryData`.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TypeVar

from api.ts119512.members import Budget, Members
from api.ts119512.refusals import NotSupportedError, UnknownModeError, UnknownVersionError
from api.ts119512.values import ALL_VERSIONS, DeletionMode, Operation, ProfileStatus, Subject
from archive_core.errors import UsageError

MAX_OBJECTS = 1000
"""Objects in one request."""
MAX_VERSIONS = 1000
MAX_LONG = 4000
"""Characters of a reason or a filter."""

_MEDIA_TYPE = re.compile(r"[A-Za-z0-9!#$&^_.+-]{1,127}/[A-Za-z0-9!#$&^_.+-]{1,127}(;[ -~]*)?", re.ASCII)
_VERSION = re.compile(r"v([1-9][0-9]{0,8})", re.ASCII)


@dataclass(frozen=True, slots=True)
class SubmittedObject:
    """A PO of a request (5.4.5): its bytes and what is said of them."""

    content: bytes
    format_id: str | None = None
    mime_type: str | None = None
    pronom_id: str | None = None
    id: str | None = None
    related: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class SubmittedEvidence:
    """Evidence handed in (5.4.4), of a preservation object if its submitter knows which."""

    content: bytes
    format_id: str
    poid: str | None = None
    version: int | None = None


@dataclass(frozen=True, slots=True)
class RetrieveInfo:
    request_id: str | None
    profile: str | None
    status: ProfileStatus


@dataclass(frozen=True, slots=True)
class PreservePO:
    request_id: str | None
    profile: str
    objects: tuple[SubmittedObject, ...]


@dataclass(frozen=True, slots=True)
class RetrievePO:
    """`versions` are numbers; none stands for the newest, None for all."""

    request_id: str | None
    poid: str
    versions: tuple[int, ...] | None
    subject: Subject
    po_format: str | None
    evidence_format: str | None


@dataclass(frozen=True, slots=True)
class DeletePO:
    request_id: str | None
    poid: str
    mode: DeletionMode
    claimed_requestor: str | None
    reason: str | None


@dataclass(frozen=True, slots=True)
class UpdatePOC:
    request_id: str | None
    poid: str
    deltas: tuple[SubmittedObject, ...]


@dataclass(frozen=True, slots=True)
class RetrieveTrace:
    request_id: str | None
    poid: str


@dataclass(frozen=True, slots=True)
class ValidateEvidence:
    request_id: str | None
    evidence: SubmittedEvidence
    objects: tuple[SubmittedObject, ...]


@dataclass(frozen=True, slots=True)
class Search:
    request_id: str | None
    filter: str


R = TypeVar("R")
Request = RetrieveInfo | PreservePO | RetrievePO | DeletePO | UpdatePOC | RetrieveTrace | ValidateEvidence | Search


def request_id_of(value: object) -> str | None:
    """The `reqId` of a request that may be broken elsewhere, so that its refusal can name it."""
    found = value.get("reqId") if isinstance(value, dict) else None
    return found if isinstance(found, str) and 0 < len(found) <= 1024 and found.isprintable() else None


def read(reader: Callable[[Members, str | None], R], value: object) -> R:
    """The request that a JSON value stands for; raises a `UsageError`, or `SizeLimitError`."""
    members = Members(value, "the request")
    request_id = members.text("reqId")
    optional = members.inner("optIn")
    if optional is not None:
        _refuse_optional_inputs(optional)
    request = reader(members, request_id)
    members.finish()
    return request


def _refuse_optional_inputs(given: Members) -> None:
    for name in ("policy", "lang", "other"):
        if given.has(name):
            raise NotSupportedError(f"the optional input {name} is not supported")
    given.finish()


def read_retrieve_info(members: Members, request_id: str | None) -> RetrieveInfo:
    status = members.text("stat")
    try:
        wanted = ProfileStatus(status or ProfileStatus.ACTIVE)  # 5.3.2.1: only active ones unless said
    except ValueError:
        raise UsageError(f"stat is one of {', '.join(ProfileStatus)}") from None
    return RetrieveInfo(request_id, members.text("pro"), wanted)


def read_preserve_po(members: Members, request_id: str | None) -> PreservePO:
    return PreservePO(request_id, members.required("pro"), _objects(members, "po", Budget()))


def read_retrieve_po(members: Members, request_id: str | None) -> RetrievePO:
    poid = members.required("poId")
    named = members.texts("versionId", most=MAX_VERSIONS)
    subject = members.text("sor")
    try:
        wanted = Subject(subject or Subject.EMBEDDED)  # 5.3.4.1: what is meant when nothing is said
    except ValueError:
        raise UsageError(f"sor is one of {', '.join(Subject)}") from None
    po_format, evidence_format = members.text("poFormat"), members.text("evFormat")
    return RetrievePO(request_id, poid, _versions(named), wanted, po_format, evidence_format)


def _versions(named: tuple[str, ...]) -> tuple[int, ...] | None:
    if ALL_VERSIONS in named:
        if len(named) > 1:
            raise UsageError(f"versionId is either {ALL_VERSIONS} or names versions")
        return None
    return tuple(_version(text) for text in named)


def _version(text: str) -> int:
    found = _VERSION.fullmatch(text)
    if found is None:
        raise UnknownVersionError(f"there is no version {text[:40]!a}: they are v1, v2, …")
    return int(found[1])


def read_delete_po(members: Members, request_id: str | None) -> DeletePO:
    poid, mode = members.required("poId"), members.text("mod")
    try:
        wanted = DeletionMode(mode or DeletionMode.SUB_DOS_AND_EVIDENCE)  # 5.3.5.1: the default
    except ValueError:
        raise UnknownModeError(f"mod is one of {', '.join(DeletionMode)}") from None
    return DeletePO(request_id, poid, wanted, members.text("crn"), members.text("reason", most=MAX_LONG))


def read_update_poc(members: Members, request_id: str | None) -> UpdatePOC:
    poid = members.required("poId")
    deltas = _objects(members, "deltaPoc", Budget())
    if not deltas:
        raise UsageError("the request lacks deltaPoc: one object at least")
    return UpdatePOC(request_id, poid, deltas)


def read_retrieve_trace(members: Members, request_id: str | None) -> RetrieveTrace:
    return RetrieveTrace(request_id, members.required("poId"))


def read_validate_evidence(members: Members, request_id: str | None) -> ValidateEvidence:
    budget = Budget()
    given = members.inner("ev")
    if given is None:
        raise UsageError("the request lacks ev")
    poid, version = given.text("poId"), given.text("verId")
    if version is not None and poid is None:
        raise UsageError("ev: verId says nothing without poId")
    evidence = _object(given, budget)
    if evidence.format_id is None:
        raise UsageError("ev lacks formatId")
    handed_in = SubmittedEvidence(evidence.content, evidence.format_id, poid, _version(version) if version else None)
    return ValidateEvidence(request_id, handed_in, _objects(members, "po", budget))


def read_search(members: Members, request_id: str | None) -> Search:
    return Search(request_id, members.required("fi", most=MAX_LONG))


def _objects(members: Members, name: str, budget: Budget) -> tuple[SubmittedObject, ...]:
    found = tuple(_object(one, budget) for one in members.several(name, most=MAX_OBJECTS))
    ids = [one.id for one in found if one.id is not None]
    if len(set(ids)) != len(ids):
        raise UsageError(f"{name}: two objects have one id")
    return found


def _object(members: Members, budget: Budget) -> SubmittedObject:
    given = SubmittedObject(
        content=_content(members, budget),
        format_id=members.text("formatId"),
        mime_type=members.text("mimeType"),
        pronom_id=members.text("pronomId", most=64),
        id=members.text("id"),
        related=members.texts("relObj", most=MAX_OBJECTS),
    )
    if given.format_id is None and given.mime_type is None:
        raise UsageError(f"{members.place} says neither formatId nor mimeType")
    if given.mime_type is not None and not _MEDIA_TYPE.fullmatch(given.mime_type):
        raise UsageError(f"{members.place}: mimeType is not a media type")
    members.finish()
    return given


def _content(members: Members, budget: Budget) -> bytes:
    binary, xml = members.inner("binaryData"), members.inner("xmlData")
    if (binary is None) == (xml is None):
        raise UsageError(f"{members.place} holds either binaryData or xmlData")
    inner, name = (binary, "value") if binary is not None else (xml, "b64Content")
    assert inner is not None
    content = inner.base64(name, budget)
    inner.finish()
    return content


READERS: Mapping[Operation, Callable[[Members, str | None], Request]] = {
    Operation.RETRIEVE_INFO: read_retrieve_info,
    Operation.PRESERVE_PO: read_preserve_po,
    Operation.RETRIEVE_PO: read_retrieve_po,
    Operation.DELETE_PO: read_delete_po,
    Operation.UPDATE_POC: read_update_poc,
    Operation.RETRIEVE_TRACE: read_retrieve_trace,
    Operation.VALIDATE_EVIDENCE: read_validate_evidence,
    Operation.SEARCH: read_search,
}
