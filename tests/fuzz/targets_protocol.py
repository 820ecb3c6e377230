"""What arrives by the preservation protocol of ETSI TS 119 512: requests, filters, metadata of others."""

from __future__ import annotations

import base64
import json

from api.ts119512 import objects, requests
from api.ts119512.answers import po_json
from api.ts119512.formats import METADATA as METADATA_FORMAT
from api.ts119512.members import MAX_PAYLOAD
from api.ts119512.views import MAX_DEPTH, terms_of
from archive_core import canonical
from archive_core.admission import DATA, METADATA
from archive_core.errors import ArchiveError, MalformedDocumentError, SizeLimitError, UsageError
from policies.profiles import published_profiles
from tests.fuzz.target import target

PROFILE = published_profiles()[0]
POID = "0199b0c27d3e7000800000000000abcd"


def _po(**said: object) -> dict[str, object]:
    return {"binaryData": {"value": base64.b64encode(b"%PDF-1.7").decode()}, "mimeType": "application/pdf", **said}


def _requests() -> dict[str, bytes]:
    pades = "http://uri.etsi.org/ades/PAdES"
    xml = {"xmlData": {"b64Content": "PGEvPg=="}, "mimeType": "text/xml; charset=utf-8", "id": "b.xml"}
    evidence = {"binaryData": {"value": "MAA="}, "formatId": "urn:ietf:rfc:4998:EvidenceRecord", "poId": POID}
    return {
        name: json.dumps({"reqId": "1", **request}).encode()
        for name, request in {
            "info": {"pro": "urn:x", "stat": "all", "optIn": {}},
            "preserve": {"pro": "urn:x", "po": [_po(id="a", formatId=pades, relObj=["b.xml"]), xml, _po()]},
            "described": {
                "pro": "urn:x",
                "po": [_po(), {"binaryData": {"value": "eyJhIjoxfQ=="}, "formatId": METADATA_FORMAT}],
            },
            "retrieve": {"poId": POID, "versionId": ["v1", "v12"], "sor": "Evidence", "evFormat": "urn:x"},
            "all": {"poId": POID, "versionId": ["all"], "sor": "POwithEmbeddedEvidence", "poFormat": "urn:x"},
            "delete": {"poId": POID, "mod": "OnlySubDOs", "crn": "x", "reason": "y"},
            "update": {"poId": POID, "deltaPoc": [_po(pronomId="fmt/276")]},
            "validate": {"ev": {**evidence, "verId": "v1"}, "po": [_po()]},
            "search": {"fi": "text=nov%C3%A1k*&status=evidenced&limit=5"},
        }.items()
    }


@target(
    "ts119512-request",
    _requests,
    kind="json",
    max_size=256 * 1024,
    tokens=(b'"binaryData"', b'"xmlData"', b'"b64Content"', b'"poId"', b'"versionId"', b"null", b"====", b'"relObj"'),
)
def request(data: bytes) -> bool:
    """A request is refused, or it is one whose objects can be deposited, added to and given back as they came."""
    try:
        value = canonical.read(data, max_bytes=256 * 1024, max_depth=MAX_DEPTH)
    except MalformedDocumentError:
        return False
    told = requests.request_id_of(value)
    taken = False
    for operation, reader in requests.READERS.items():
        try:
            asked = requests.read(reader, value)
        except (UsageError, SizeLimitError):
            continue
        taken = True
        assert asked.request_id == told, operation
        for given in (getattr(asked, "objects", ()), getattr(asked, "deltas", ())):
            assert sum(len(one.content) for one in given) <= MAX_PAYLOAD
            _kept(given)
        if isinstance(asked, requests.Search):
            _filter(asked.filter)
    return taken


def _kept(given: tuple[requests.SubmittedObject, ...]) -> None:
    try:
        made = objects.submission_of(given, profile=PROFILE, originator="o", key=None)
    except ArchiveError:
        return
    given = tuple(one for one in given if one.format_id != METADATA_FORMAT)
    assert len({file.path for file in made.files}) == len(given)
    held = {f"{DATA}{file.path}": file.source for file in made.files if isinstance(file.source, bytes)}
    held[METADATA] = made.metadata or b""
    shown = {one.id: one for one in objects.given(held, whole=False, profile=PROFILE)}
    for file, one in zip(made.files, given, strict=True):
        back = shown[file.path]
        assert (back.content, back.format_id, back.mime_type) == (one.content, one.format_id, one.mime_type)
        assert (back.pronom_id, back.related) == (one.pronom_id, one.related)
    if given:
        assert objects.changed(held, [*shown.values()], profile=PROFILE, originator="o") is None


def _filter(text: str) -> None:
    try:
        terms = terms_of(text)
    except UsageError:
        return
    assert terms


@target(
    "ts119512-metadata",
    lambda: {
        "ours": b'{"a": 1, "ts119512": {"po": {"a": {"formatId": "urn:x", "mimeType": "a/b", "relObj": ["a"]}}}}',
        "theirs": b'{"ts119512": {"po": {"a": {"relObj": [5, "x"], "mimeType": 5}, "b": 5}}}',
        "none": b"{}",
    },
    kind="json",
    tokens=(b'"ts119512"', b'"po"', b'"relObj"', b'"mimeType"', b"1.5", b"null"),
)
def metadata(data: bytes) -> bool:
    """Whatever metadata hold, the object is given in the form of the protocol; what was said before stays said."""
    held = {f"{DATA}a": b"x", METADATA: data}
    for one in objects.given(held, whole=True, profile=PROFILE):
        shown = po_json(one)
        assert all(isinstance(shown[name], str) for name in ("formatId", "mimeType", "pronomId") if name in shown)
        assert all(isinstance(other, str) for other in shown.get("relObj", []))
    delta = requests.SubmittedObject(b"y", mime_type="text/plain", id="new")
    try:
        made = objects.changed(held, [delta], profile=PROFILE, originator="o")
    except ArchiveError:
        return False
    assert made is not None
    assert made.metadata is not None
    before, after = canonical.read(data), canonical.read(made.metadata)
    assert {k: v for k, v in after.items() if k != "ts119512"} == {k: v for k, v in before.items() if k != "ts119512"}
    return True
