"""PDF signatures, CMS, data-box messages and what the process apart answers: what anybody may send in."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Mapping
from functools import cache
from pathlib import Path

from archive_core.errors import MalformedDocumentError
from archive_core.findings import Verdict
from archive_core.list_snapshots import Snapshot
from archive_core.ports import KeptList, ValidationData
from policies.algorithms import current_algorithms
from signing.examination import cms_document, jades, pdf
from signing.examination.asks import MAX_ASKS, MAX_URL, Ask, Collected
from signing.examination.cms_reading import CmsError, parse_signed_data
from signing.examination.cms_values import OID_RECORD_INTERNAL
from signing.examination.documents import Document
from signing.examination.pdf_ranges import raw_signatures
from signing.examination.record_cutting import without_records
from signing.examination.registry import EXAMINERS, HEAD
from signing.examination.report_json import from_json, to_json
from signing.examination.report_xml import to_xml
from signing.examination.sniffing import may_be
from signing.examination.trust import ExaminationTrust
from signing.examination.values import Examination
from signing.keys import load_key
from signing.seals import SoftwareSealer
from tests.fuzz.target import target
from tests.unit.signing.examination.signing_world import NOW, World, with_unsigned


@cache
def _folder() -> tempfile.TemporaryDirectory[str]:
    """Gone with the process."""
    return tempfile.TemporaryDirectory(prefix="fuzz-")


@cache
def _world() -> World:
    return World.made(Path(_folder().name) / "trust")


@cache
def _cms_seeds() -> Mapping[str, bytes]:
    return {
        "attached": _world().cms(b"content", stamped=True),
        "detached": _world().cms(b"content", detached=True),
        "message": _world().cms(_message()),
    }


def _message() -> bytes:
    """As a data box gives it out; the hash is of nothing."""
    return (
        b'<q:R xmlns:q="http://isds.czechpoint.cz/v20/message" xmlns:p="http://isds.czechpoint.cz/v20">'
        b'<p:dmDm><p:dmID>1</p:dmID></p:dmDm><q:dmHash algorithm="SHA-256">AAAA</q:dmHash></q:R>'
    )


@cache
def _pdf_seeds() -> Mapping[str, bytes]:
    signed = _world().pdf()
    return {"signed": signed, "stamped": _world().document_stamped(signed)}


@cache
def _json_seeds() -> Mapping[str, bytes]:
    return {"cms": json.dumps(to_json(_world().examined(_cms_seeds()["attached"]))).encode()}


def _never_good(found: Examination) -> bool:
    """Without anchors nothing is PASSED; whatever was found can be told."""
    assert found.verdict is not Verdict.PASSED
    assert found.examined or found.reason
    assert from_json(json.loads(json.dumps(to_json(found)))) == found
    assert to_xml(found)
    return found.examined


def _nobody() -> ExaminationTrust:
    return ExaminationTrust((), algorithms=current_algorithms())


@target("cms-reading", _cms_seeds, refusals=(CmsError,), kind="der")
def cms_reading(data: bytes) -> bool:
    """The parser alone: what it takes has readable parts."""
    message = parse_signed_data(data)
    return bool(message.content_type)


@target("cms-examination", _cms_seeds, kind="der")
def cms_examination(data: bytes) -> bool:
    """Examination never raises."""
    return _never_good(cms_document.examine(Document("fuzz.p7m", data), detached=[], trust=_nobody(), at=NOW))


@target("pdf-examination", _pdf_seeds, tokens=(b"/ByteRange", b"/Contents", b"/Sig", b"/DSS", b"startxref", b"%%EOF"))
def pdf_examination(data: bytes) -> bool:
    """Examination never raises, and finds every signature dictionary that stands in clear."""
    raw, _ = raw_signatures(data)
    assert len(raw) <= data.count(b"/ByteRange")
    return _never_good(pdf.examine(Document("fuzz.pdf", data), detached=[], trust=_nobody(), at=NOW))


@target("examination-json", _json_seeds, refusals=(ValueError,), kind="json")
def examination_json(data: bytes) -> bool:
    """What the process apart may answer: values of ours, or a ValueError. JSON that is nested too deep is refused by
    whoever reads the answer, before."""
    try:
        answer = json.loads(data)
    except RecursionError:
        return False
    return from_json(answer).examined


@cache
def _jws_seeds() -> Mapping[str, bytes]:
    key = load_key(_world().local.seal_key_address, certificates=_world().local.seal_certificate_file)
    seal = SoftwareSealer(key, test_trust=True, validation_source=_world().local.seal_validation_data).seal_json(
        b'{"a":1}', at=NOW
    )
    unsigned = {"etsiU": [{"sigTst": {"tstTokens": [{"val": "AAAA"}]}}, {"rVals": {"crlVals": []}}]}
    stamped = {**json.loads(seal.flattened()), "header": unsigned}
    return {"compact": seal.compact(), "flattened": seal.flattened(), "stamped": json.dumps(stamped).encode()}


@target("jws-examination", _jws_seeds, kind="json")
def jws_examination(data: bytes) -> bool:
    """Compact and JSON forms, with the payload inside."""
    return _never_good(jades.examine(Document("file", data), detached=(), trust=_nobody(), at=NOW))


@cache
def _sealed_record_seeds() -> Mapping[str, bytes]:
    message = _world().cms(b"content")
    return {"with a record": with_unsigned(message, OID_RECORD_INTERNAL, [b"\x30\x03\x02\x01\x01"])}


@target("record-cutting", _sealed_record_seeds, kind="der")
def record_cutting(data: bytes) -> bool:
    """What is cut is shorter than what it was cut out of, or the message is as it was."""
    found = without_records(data, 0, {b"\x30\x03\x02\x01\x01"})
    assert found
    return found != [data]


@target(
    "questions-of-an-examination",
    lambda: {
        "some": json.dumps(
            Collected(ValidationData((b"c",), (b"l",), ()), (Ask("http://ca.example/x", b"q"),), ("why",)).to_json()
        ).encode(),
        "none": json.dumps(Collected().to_json()).encode(),
    },
    refusals=(ValueError, KeyError, TypeError, RecursionError),
    kind="json",
)
def questions(data: bytes) -> None:
    """What a process that was taken over says that it would ask: no more than it may."""
    found = Collected.from_json(json.loads(data))
    assert len(found.asks) <= MAX_ASKS
    assert all(len(ask.url) <= MAX_URL for ask in found.asks)


@cache
def _snapshot_seeds() -> Mapping[str, bytes]:
    one = KeptList("ab" * 32, "CZ", 7, NOW, NOW, list_of_lists=False)
    two = KeptList("cd" * 32, "EU", 9, NOW, None, list_of_lists=True)
    return {"two": Snapshot(2, NOW, (one, two), {one.sha256: 1, two.sha256: 2}).to_bytes()}


@target("list-snapshot", _snapshot_seeds, refusals=(MalformedDocumentError,), kind="json")
def list_snapshot(data: bytes) -> None:
    """A document that is taken is written the same again."""
    assert Snapshot.parse(data).to_bytes() == data


@target("sniffing", lambda: {**_cms_seeds(), "text": b"%PDF-1.7 <a {"})
def sniffing(data: bytes) -> bool:
    """Whatever an examiner recognises is named."""
    head = data[:HEAD]
    found = may_be(head)
    for entry in EXAMINERS:
        if entry.mark in head and entry.load().recognises(head):
            assert entry.name in found
    return bool(found)
