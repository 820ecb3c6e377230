"""Evidence records in CMS messages and containers: judged, and never good where anything was changed."""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from archive_core.digests import Digest, hash_bytes
from archive_core.evidence.derivation import StampInput, derive_record
from archive_core.findings import SubIndication, Verdict
from signing.examination.cms_values import OID_RECORD_EXTERNAL, OID_RECORD_INTERNAL
from signing.examination.documents import Document
from signing.examination.record_cutting import without_records
from signing.examination.registry import examine
from signing.examination.values import EvidenceExamination, Examination
from tests.unit.signing.examination.signing_world import NOW, World, flipped, nobody, with_signers, with_unsigned
from tests.unit.signing.examination.test_asic_examination import MIMETYPE_E, manifest, zipped
from tests.vectors import suite
from tests.world import SteppingClock

CONTENT = b"an invoice"
LATER = NOW + timedelta(days=1)


def record_over(world: World, *octets: bytes) -> bytes:
    """A record of the group of these octets, alone under its time-stamp."""
    members = tuple(sorted(hash_bytes("sha512", one) for one in octets))
    root = members[0] if len(members) == 1 else hash_bytes("sha512", *members)
    token = world.local.authority("local-tsa-1", SteppingClock(LATER)).timestamp(Digest("sha512", root))
    return derive_record([[StampInput("sha512", members, (), token.der)]])


def is_later(instant: datetime | None) -> bool:
    """The instant of the records' time-stamps; their clock goes on by milliseconds."""
    return instant is not None and LATER <= instant < LATER + timedelta(seconds=1)


def judged(world: World, message: bytes, *detached: bytes) -> tuple[Examination, EvidenceExamination]:
    found = world.examined(message, *detached, at=LATER + timedelta(hours=1))
    (record,) = found.signatures[0].records
    assert found.evidence_records == 1
    return found, record


def test_a_record_over_the_message_proves_when_its_signature_existed(world: World) -> None:
    """Inside the first signer's unsigned attributes, over the message without them."""
    message = world.cms(CONTENT)
    found, record = judged(world, with_unsigned(message, OID_RECORD_INTERNAL, [record_over(world, message)]))

    assert record.verdict is Verdict.PASSED, record.message
    assert is_later(record.proof_of_existence)
    assert record.references_intact
    assert is_later(found.signatures[0].proven_time)
    assert found.verdict is Verdict.PASSED


def test_a_record_over_a_detached_signature_covers_message_and_content(world: World) -> None:
    """The group of two; of the message alone it is no proof, and another content is not covered."""
    message = world.cms(CONTENT, detached=True)
    sealed = with_unsigned(message, OID_RECORD_EXTERNAL, [record_over(world, message, CONTENT)])

    assert judged(world, sealed, CONTENT)[1].verdict is Verdict.PASSED
    assert judged(world, sealed, CONTENT + b".")[1].sub_indication is SubIndication.HASH_FAILURE
    absent = judged(world, sealed)[1]
    assert (absent.verdict, absent.sub_indication) == (Verdict.INDETERMINATE, SubIndication.SIGNED_DATA_NOT_FOUND)
    alone = with_unsigned(message, OID_RECORD_EXTERNAL, [record_over(world, message)])
    assert judged(world, alone, CONTENT)[1].verdict is Verdict.FAILED


def test_a_message_that_was_changed_after_its_record_is_not_covered(world: World) -> None:
    """A certificate more, another signature value: the record is over other octets."""
    message = world.cms(CONTENT)
    record = record_over(world, message)
    for other in (world.cms(CONTENT + b"!"), world.cms(CONTENT, stamped=True)):
        found, told = judged(world, with_unsigned(other, OID_RECORD_INTERNAL, [record]))
        assert (told.verdict, told.sub_indication) == (Verdict.FAILED, SubIndication.HASH_FAILURE)
        assert told.proof_of_existence is None
        assert not is_later(found.signatures[0].proven_time)
        assert found.verdict is Verdict.FAILED


@pytest.mark.parametrize("place", [-5, 200])
def test_a_record_with_a_changed_octet_is_broken(world: World, place: int) -> None:
    """In the token's signature, and in its middle; the signature under it is what it was."""
    message = world.cms(CONTENT)
    record = record_over(world, message)
    found, told = judged(world, with_unsigned(message, OID_RECORD_INTERNAL, [flipped(record, place)]))

    assert told.verdict is Verdict.FAILED
    assert told.proof_of_existence is None
    assert found.signatures[0].signature_intact
    assert found.signatures[0].proven_time is None


def test_what_is_no_record_and_what_is_in_xml_are_told_apart(world: World) -> None:
    """Garbage is broken; a record in XML is named and not judged, which is never good."""
    message = world.cms(CONTENT)
    for octets, told in ((b"\x30\x03\x02\x01\x01", Verdict.FAILED), (b"\x04\x02hi", Verdict.FAILED)):
        assert judged(world, with_unsigned(message, OID_RECORD_INTERNAL, [octets]))[1].verdict is told
    text = b'<EvidenceRecord xmlns="urn:ietf:params:xml:ns:ers"/>'
    found, record = judged(world, with_unsigned(message, OID_RECORD_INTERNAL, [b"\x0c" + bytes([len(text)]) + text]))
    assert (record.verdict, record.sub_indication) == (Verdict.INDETERMINATE, SubIndication.UNSUPPORTED)
    assert found.verdict is Verdict.INDETERMINATE


def test_of_two_records_each_is_judged_over_what_was_there_when_it_was_made(world: World) -> None:
    """The second covers the message with the first in it."""
    message = world.cms(CONTENT)
    first = record_over(world, message)
    second = record_over(world, with_unsigned(message, OID_RECORD_INTERNAL, [first]))
    both = with_unsigned(message, OID_RECORD_INTERNAL, [first, second])
    found = world.examined(both, at=LATER + timedelta(hours=1))

    assert [one.verdict for one in found.signatures[0].records] == [Verdict.PASSED] * 2


def test_nobody_is_trusted_without_anchors(world: World) -> None:
    """The data are covered, and nothing is proven."""
    message = world.cms(CONTENT)
    sealed = with_unsigned(message, OID_RECORD_INTERNAL, [record_over(world, message)])
    found = examine(Document("m", sealed), trust=nobody(), at=LATER + timedelta(hours=1))
    (record,) = found.signatures[0].records

    assert (record.references_intact, record.proof_of_existence) == (True, None)
    assert record.sub_indication is SubIndication.NO_CERTIFICATE_CHAIN_FOUND


def test_records_are_cut_out_of_strange_messages_without_harm() -> None:
    """What cannot be taken apart stays as it is."""
    for octets in (b"", b"\x30\x80", b"\x30\x00", b"\x30\x03\x02\x01\x05", b"\xff" * 40):
        assert without_records(octets, 0, {b"x"}) == [octets]


def test_a_record_of_a_signer_that_is_gone_covers_nothing(world: World) -> None:
    """The same attribute beside another signer."""
    message, other = world.cms(CONTENT), world.cms(CONTENT, at=LATER)
    sealed = with_unsigned(other, OID_RECORD_INTERNAL, [record_over(world, message)])
    signer = without_records(sealed, 0, set())[0]
    assert with_signers(signer, [])  # the message can be taken apart
    assert judged(world, sealed)[1].verdict is Verdict.FAILED


# -- in a container -----------------------------------------------------------------------------------


def container(world: World, data: Mapping[str, bytes], **changed: bytes) -> bytes:
    """A container whose record covers the data; `changed` replaces entries afterwards."""
    file = manifest("META-INF/evidencerecord.ers", data).replace(b"xmlenc#sha256", b"xmlenc#sha512")
    for content in data.values():
        file = file.replace(_value("sha256", content), _value("sha512", content))
    entries = {
        "mimetype": MIMETYPE_E,
        **data,
        "META-INF/ASiCEvidenceRecordManifest1.xml": file,
        "META-INF/evidencerecord.ers": record_over(world, *data.values()),
    }
    return zipped({**entries, **changed})


def _value(algorithm: str, content: bytes) -> bytes:
    return base64.b64encode(hash_bytes(algorithm, content))


def of_container(world: World, octets: bytes) -> EvidenceExamination:
    (record,) = world.examined(octets, at=LATER + timedelta(hours=1)).records
    return record


def test_a_container_with_a_record_proves_when_its_data_existed(world: World) -> None:
    """Every data object is named by the manifest and covered by the record."""
    data = {"letter.txt": b"Good day", "map ě.png": b"\x89PNG"}
    found = world.examined(container(world, data), at=LATER + timedelta(hours=1))

    assert found.verdict is Verdict.PASSED
    assert is_later(found.records[0].proof_of_existence)
    assert not [one for one in found.findings if one.code == "UNCOVERED"]


@pytest.mark.parametrize(
    ("changes", "sub"),
    [
        ({"letter.txt": b"Bad day!"}, SubIndication.HASH_FAILURE),
        ({"META-INF/evidencerecord.ers": b"0\x00"}, SubIndication.FORMAT_FAILURE),
        ({"META-INF/ASiCEvidenceRecordManifest1.xml": b"<a/>"}, SubIndication.FORMAT_FAILURE),
    ],
)
def test_a_changed_container_is_broken(world: World, changes: dict[str, bytes], sub: SubIndication) -> None:
    """A data object, the record, the manifest."""
    told = of_container(world, container(world, {"letter.txt": b"Good day"}, **changes))

    assert told.proof_of_existence is None
    assert told.verdict is not Verdict.PASSED
    assert told.sub_indication in (sub, SubIndication.SIGNED_DATA_NOT_FOUND)


def test_a_manifest_in_another_digest_algorithm_than_the_record_is_broken(world: World) -> None:
    """EN 319 162-1 A.5, as EU DSS has it."""
    data = {"letter.txt": b"Good day"}
    file = manifest("META-INF/evidencerecord.ers", data)
    told = of_container(world, container(world, data, **{"META-INF/ASiCEvidenceRecordManifest1.xml": file}))

    assert (told.verdict, told.sub_indication) == (Verdict.FAILED, SubIndication.HASH_FAILURE)


# -- public vectors -----------------------------------------------------------------------------------

_UNTRUSTED = (Verdict.INDETERMINATE, SubIndication.NO_CERTIFICATE_CHAIN_FOUND)
_BROKEN = (Verdict.FAILED, SubIndication.HASH_FAILURE)
VECTORS = {
    "cades-ers.sce": _UNTRUSTED,
    "er-asn1-full-renewal-with-manifest.asics": _UNTRUSTED,
    "er-asn1-full-renewal.asics": _UNTRUSTED,
    "er-asn1-incorrect-hash.asice": (Verdict.FAILED, SubIndication.FORMAT_FAILURE),
    "er-asn1-multi-files.asice": _UNTRUSTED,
    "er-asn1-no-hashtree-wrong-digest-algo.sce": _BROKEN,
    "er-asn1-no-hashtree-wrong-digest.sce": _BROKEN,
    "er-asn1-no-hashtree-wrong-manifest-file.sce": _BROKEN,
    "er-asn1-no-hashtree.sce": _UNTRUSTED,
    "er-asn1-tst-renewal.asice": _UNTRUSTED,
    "er-asn1-tst-renewal.asics": _UNTRUSTED,
    "tst-with-asn1-er.sce": _UNTRUSTED,
    "er-asn1-one-file.asice": _UNTRUSTED,
    "C-E-ERS-basic-invalid-sig.p7m": _UNTRUSTED,
    "C-E-ERS-detached-ber.p7s": _UNTRUSTED,
    "C-E-ERS-detached-original-not-covered.p7s": _BROKEN,
    "C-E-ERS-detached.p7s": _UNTRUSTED,
    "C-E-ERS_renewed_hashtree.p7m": _UNTRUSTED,
    "C-E-ERS_renewed_hashtree_invalid.p7m": _BROKEN,
    "PAdES_with_er.pdf": _UNTRUSTED,
    "er-multi-files.asice": (Verdict.INDETERMINATE, SubIndication.UNSUPPORTED),
    "X-E-ERS-basic-asn1.xml": (Verdict.INDETERMINATE, SubIndication.UNSUPPORTED),
}
"""Whom EU DSS trusts in its own tests is trusted by nobody here: intact records are INDETERMINATE for that alone."""


@pytest.mark.slow
def test_records_of_eu_dss_are_told_as_eu_dss_tells_them() -> None:
    """Every file with an embedded ASN.1 record in CMS, PDF and containers, and two of those in XML."""
    folder = suite("dss-er-embedded")
    cases = json.loads((folder / "MANIFEST.json").read_text("utf-8"))["cases"]
    told = {}
    for case in cases:
        path = folder / case["principal"][0]
        if path.name in VECTORS:
            data = [Document(Path(one).name, folder / one) for one in case["data"] if (folder / one).exists()]
            found = examine(Document(path.name, path), detached=data, trust=nobody(), at=NOW)
            records = [*found.records, *(record for one in found.signatures for record in one.records)]
            told[path.name] = {(record.verdict, record.sub_indication) for record in records}

    assert {name: told.get(name) for name in VECTORS} == {name: {verdict} for name, verdict in VECTORS.items()}
