"""ASiC containers made here, and what is done to them: names, manifests, strangers, several time-stamps."""

from __future__ import annotations

import base64
import hashlib
import io
import zipfile
from collections.abc import Mapping

import pytest

from archive_core.digests import Digest
from archive_core.findings import SubIndication, Verdict
from policies import current_algorithms
from signing.examination.asic_container import Role, role_of
from signing.examination.documents import Document
from signing.examination.registry import examine
from signing.examination.trust import ExaminationTrust
from signing.examination.values import Coverage, DocumentFormat, Examination, TimestampKind
from tests.unit.signing import forge
from tests.unit.signing.examination.signing_world import World
from tests.unit.signing.forge import NOW, Recipe
from tests.unit.signing.xml_forge import XmlRecipe, hashed

ROOT = forge.authority()
SIGNER = forge.issued("Jana Nováková", ROOT, extensions=[(forge.key_usage(), True)])
UNIT = forge.time_stamp_unit(ROOT)
MIMETYPE_S, MIMETYPE_E = b"application/vnd.etsi.asic-s+zip", b"application/vnd.etsi.asic-e+zip"
DATA = {"letter.txt": b"Good day", "map ě.png": b"\x89PNG"}
ODF = {"META-INF/manifest.xml": b'<m:manifest xmlns:m="urn:oasis:names:tc:opendocument:xmlns:manifest:1.0"/>'}


def zipped(entries: Mapping[str, bytes], *, comment: bytes = b"") -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.comment = comment
        for name, content in entries.items():
            stored = zipfile.ZIP_STORED if name == "mimetype" else zipfile.ZIP_DEFLATED
            archive.writestr(name, content, stored)
    return out.getvalue()


def manifest(target: str, listed: Mapping[str, bytes]) -> bytes:
    entries = "".join(
        f'<a:DataObjectReference URI="{name}"><d:DigestMethod Algorithm="http://www.w3.org/2001/04/xmlenc#sha256"/>'
        f"<d:DigestValue>{base64.b64encode(hashlib.sha256(content).digest()).decode()}</d:DigestValue>"
        "</a:DataObjectReference>"
        for name, content in listed.items()
    )
    return (
        '<a:ASiCManifest xmlns:a="http://uri.etsi.org/02918/v1.2.1#" xmlns:d="http://www.w3.org/2000/09/xmldsig#">'
        f'<a:SigReference URI="{target}"/>{entries}</a:ASiCManifest>'
    ).encode()


def token(content: bytes) -> bytes:
    return Recipe(UNIT, imprint=Digest("sha256", hashed("sha256", content))).token()


def examined(entries: Mapping[str, bytes], **options: bytes) -> Examination:
    trust = ExaminationTrust((), algorithms=current_algorithms())
    found = examine(Document("a.asice", zipped(entries, **options)), trust=trust, at=NOW)
    assert not [one for one in found.findings if one.code == "EXAMINER_FAULT"]
    return found


def uncovered(found: Examination) -> set[str]:
    return {one.where for one in found.findings if one.code == "UNCOVERED"}


def with_xades(signed: Mapping[str, bytes], entries: Mapping[str, bytes] | None = None) -> dict[str, bytes]:
    recipe = XmlRecipe(SIGNER, mode="detached", outside=signed)
    signature = recipe.document()
    return {"mimetype": MIMETYPE_E, **(entries or signed), **ODF, "META-INF/signatures0.xml": signature}


def test_an_asic_e_with_xades_covers_its_data() -> None:
    """Two data objects, one of them with a name that is not ASCII."""
    found = examined(with_xades(DATA))
    (signature,) = found.signatures
    assert found.format is DocumentFormat.ASIC_E
    assert signature.signature_intact
    assert signature.references_intact
    assert signature.coverage is Coverage.WHOLE
    assert signature.sub_indication is SubIndication.NO_CERTIFICATE_CHAIN_FOUND
    assert not uncovered(found)


def test_comments_in_the_container_change_nothing() -> None:
    """Containers of some makers carry them."""
    (signature,) = examined(with_xades(DATA), comment=b"LIB some library").signatures
    assert signature.signature_intact


def test_a_stranger_in_the_container_is_named() -> None:
    """A data object that nobody signed is no part of what was signed, and the report says so."""
    found = examined({**with_xades(DATA), "stranger.exe": b"MZ"})
    assert uncovered(found) == {"stranger.exe"}
    assert found.signatures[0].coverage is Coverage.PART


@pytest.mark.parametrize(
    ("entries", "sub"),
    [
        ({**DATA, "letter.txt": b"Bad day!"}, SubIndication.HASH_FAILURE),
        ({"map ě.png": DATA["map ě.png"], "renamed.txt": b"Good day"}, SubIndication.SIGNED_DATA_NOT_FOUND),
    ],
)
def test_changed_data_fail_and_renamed_data_are_missing(entries: dict[str, bytes], sub: SubIndication) -> None:
    """In a container a name means the entry of that name: the same bytes under another name are not meant."""
    (signature,) = examined(with_xades(DATA, entries)).signatures
    assert signature.sub_indication is sub
    assert not signature.signature_intact


@pytest.mark.parametrize("name", ["letter.txt", "META-INF/manifest.xml"])
def test_a_container_without_data_or_manifest_is_broken(name: str) -> None:
    """EN 319 162-1 4.4: there is something signed, and a list of it."""
    entries = with_xades({"letter.txt": b"Good day"})
    del entries[name]
    (signature,) = examined(entries).signatures
    assert signature.verdict is not Verdict.PASSED
    assert signature.sub_indication is SubIndication.FORMAT_FAILURE


def test_a_signature_file_that_cannot_be_read_leaves_the_examination_incomplete() -> None:
    """It is not passed over in silence."""
    found = examined({**with_xades(DATA), "META-INF/signatures1.xml": b"<broken"})
    assert not found.complete
    assert len(found.signatures) == 1
    assert found.verdict is Verdict.INDETERMINATE


# -- CAdES --------------------------------------------------------------------------------------


def _cades(world: World, listed: Mapping[str, bytes], entries: Mapping[str, bytes]) -> dict[str, bytes]:
    file = manifest("META-INF/signature001.p7s", listed)
    return {
        "mimetype": MIMETYPE_E,
        **entries,
        "META-INF/ASiCManifest001.xml": file,
        "META-INF/signature001.p7s": world.cms(file, detached=True),
    }


def test_an_asic_e_with_cades_is_over_its_manifest(world: World) -> None:
    """The signature is over the manifest, the manifest over the data."""
    found = examined(_cades(world, DATA, DATA))
    (signature,) = found.signatures
    assert signature.signature_intact
    assert signature.references_intact
    assert signature.covers == tuple(DATA)
    assert not uncovered(found)


@pytest.mark.parametrize(
    ("entries", "sub"),
    [
        ({**DATA, "letter.txt": b"Bad day!"}, SubIndication.HASH_FAILURE),
        ({"letter.txt": b"Good day"}, SubIndication.SIGNED_DATA_NOT_FOUND),
    ],
)
def test_data_that_do_not_fit_the_manifest_spoil_the_signature(
    world: World, entries: dict[str, bytes], sub: SubIndication
) -> None:
    """The value stays intact, the data under it do not."""
    (signature,) = examined(_cades(world, DATA, entries)).signatures
    assert signature.value_intact
    assert not signature.references_intact
    assert signature.sub_indication is sub


def test_a_changed_manifest_breaks_the_signature(world: World) -> None:
    """What is signed is the manifest's octets."""
    entries = _cades(world, DATA, DATA)
    entries["META-INF/ASiCManifest001.xml"] += b"\n"
    (signature,) = examined(entries).signatures
    assert (signature.signature_intact, signature.verdict) == (False, Verdict.FAILED)


@pytest.mark.parametrize("form", ["ASiC-S with CAdES", "ASiC-E with CAdES", "ASiC-E with XAdES", "time-stamp"])
def test_data_that_cannot_be_unpacked_are_good_to_nobody(world: World, form: str) -> None:
    """The packed bytes were changed: the signature is told, and it is not good."""
    data = {"letter.txt": bytes(range(256)) * 40}
    listed = manifest("META-INF/signature1.p7s", data)
    forms: dict[str, dict[str, bytes]] = {
        "ASiC-S with CAdES": {
            "mimetype": MIMETYPE_S,
            **data,
            "META-INF/signature.p7s": world.cms(data["letter.txt"], detached=True),
        },
        "ASiC-E with CAdES": {
            "mimetype": MIMETYPE_E,
            **data,
            "META-INF/ASiCManifest1.xml": listed,
            "META-INF/signature1.p7s": world.cms(listed, detached=True),
        },
        "ASiC-E with XAdES": with_xades(data),
        "time-stamp": {"mimetype": MIMETYPE_S, **data, "META-INF/timestamp.tst": token(data["letter.txt"])},
    }
    octets = zipped(forms[form])
    place = octets.index(b"letter.txt") + len(b"letter.txt") + 60
    broken = octets[:place] + bytes([octets[place] ^ 0x55]) + octets[place + 1 :]
    for content, intact in ((octets, True), (broken, False)):
        found = examine(Document("a.asice", content), trust=world.trust(), at=NOW)
        told = [one.references_intact for one in (*found.signatures, *found.timestamps)]
        assert told == [intact], found.reason
        assert found.examined


def test_a_damaged_mimetype_or_odf_manifest_leaves_the_examination_incomplete() -> None:
    """The signature is told, the container is not good."""
    octets = zipped(with_xades(DATA))
    assert examine(
        Document("a.asice", octets), trust=ExaminationTrust((), algorithms=current_algorithms()), at=NOW
    ).complete
    for word in (MIMETYPE_E, b"META-INF/manifest.xml"):
        place = octets.index(word) + len(word) + (-1 if word == MIMETYPE_E else 20)
        broken = octets[:place] + bytes([octets[place] ^ 0x55]) + octets[place + 1 :]
        found = examine(
            Document("a.asice", broken), trust=ExaminationTrust((), algorithms=current_algorithms()), at=NOW
        )
        assert (found.complete, found.verdict) == (False, Verdict.INDETERMINATE)
        assert len(found.signatures) == 1


def test_an_asic_s_with_cades_is_over_its_one_file(world: World) -> None:
    """And over nothing when there are two."""
    entries = {"mimetype": MIMETYPE_S, "a.bin": b"data", "META-INF/signature.p7s": world.cms(b"data", detached=True)}
    found = examined(entries)
    assert found.format is DocumentFormat.ASIC_S
    assert found.signatures[0].signature_intact
    two = examined({**entries, "b.bin": b"more"})
    assert two.signatures[0].sub_indication is SubIndication.SIGNED_DATA_NOT_FOUND


# -- time assertions ----------------------------------------------------------------------------


def test_a_time_stamp_over_the_one_file_is_a_time_stamp_and_no_signature() -> None:
    """ASiC-S with a time assertion alone."""
    entries = {"mimetype": MIMETYPE_S, "a.bin": b"data", "META-INF/timestamp.tst": token(b"data")}
    found = examined(entries)
    (stamp,) = found.timestamps
    assert not found.signatures
    assert (stamp.kind, stamp.references_intact, stamp.signature_intact) == (TimestampKind.CONTAINER, True, True)
    changed = examined({**entries, "a.bin": b"other"}).timestamps[0]
    assert changed.sub_indication is SubIndication.HASH_FAILURE


def test_a_time_stamp_over_an_archive_manifest_covers_what_it_lists() -> None:
    """The second stamp is over a manifest that lists data and first stamp; a change under it spoils both."""
    first = token(b"data")
    listed = {"a.bin": b"data", "META-INF/timestamp.tst": first}
    archive = manifest("META-INF/timestamp002.tst", listed)
    entries = {
        "mimetype": MIMETYPE_S,
        **listed,
        "META-INF/ASiCArchiveManifest.xml": archive,
        "META-INF/timestamp002.tst": token(archive),
    }
    found = examined(entries)
    assert [one.references_intact for one in found.timestamps] == [True, True]
    assert not uncovered(found)
    spoiled = examined({**entries, "a.bin": b"other"})
    assert [one.sub_indication for one in spoiled.timestamps] == [SubIndication.HASH_FAILURE] * 2


def test_an_evidence_record_that_cannot_be_read_is_broken_and_its_data_are_no_strangers() -> None:
    """The manifest names them, whatever the record is worth."""
    file = manifest("META-INF/evidencerecord.ers", DATA)
    entries = {
        "mimetype": MIMETYPE_E,
        **DATA,
        "META-INF/ASiCEvidenceRecordManifest001.xml": file,
        "META-INF/evidencerecord.ers": b"0\x00",
    }
    found = examined(entries)
    assert (found.evidence_records, found.signatures) == (1, ())
    assert not uncovered(found)
    assert [(one.verdict, one.sub_indication) for one in found.records] == [
        (Verdict.FAILED, SubIndication.FORMAT_FAILURE)
    ]


# -- what is no container -----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("entries", "reason"),
    [
        ({"letter.txt": b"Good day"}, "no ASiC container"),
        ({"[Content_Types].xml": b"", "_rels/.rels": b"", "_xmlsignatures/sig1.xml": b"<a/>"}, "Office Open XML"),
    ],
)
def test_other_zip_files_are_not_examined_by_name(entries: dict[str, bytes], reason: str) -> None:
    """A signed office document is not "without signatures"."""
    found = examined(entries)
    assert not found.examined
    assert reason in found.reason


def test_a_zip_file_with_two_entries_of_one_name_is_not_read() -> None:
    """Which of them was signed depends on the reader."""
    out = io.BytesIO(zipped(with_xades(DATA)))
    with zipfile.ZipFile(out, "a") as archive, pytest.warns(UserWarning, match="Duplicate name"):
        archive.writestr("letter.txt", b"Bad day!")
    trust = ExaminationTrust((), algorithms=current_algorithms())
    found = examine(Document("a.asice", out.getvalue()), trust=trust, at=NOW)
    assert not found.examined
    assert not found.signatures


@pytest.mark.parametrize(
    ("name", "role"),
    [
        ("META-INF/signatures.xml", Role.XADES),
        ("META-INF/my_signatures007.xml", Role.XADES),
        ("META-INF/signature.xml", Role.XADES),
        ("META-INF/documentsignatures.xml", Role.XADES),
        ("META-INF/signature.p7s", Role.CADES),
        ("META-INF/timestamp.tst", Role.TIMESTAMP),
        ("META-INF/ASiCManifestAAA.xml", Role.MANIFEST),
        ("META-INF/ASiCArchiveManifest.xml", Role.ARCHIVE_MANIFEST),
        ("META-INF/ASiCEvidenceRecordManifest.xml", Role.EVIDENCE_MANIFEST),
        ("META-INF/evidencerecord.xml", Role.EVIDENCE),
        ("META-INF/manifest.xml", Role.OTHER),
        ("signatures.xml", Role.DATA),
        ("mimetype", Role.MIMETYPE),
    ],
)
def test_a_name_says_what_an_entry_is_for(name: str, role: Role) -> None:
    """EN 319 162-1 A.1 and 4.4.3."""
    assert role_of(name) is role
