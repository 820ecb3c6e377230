"""The answer as JSON and as XML: complete, strict to read back, valid against the standard's schema."""

from __future__ import annotations

import json
import zipfile
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import ClassVar

import pytest
from lxml import etree

from archive_core.findings import Finding, Verdict
from signing.examination.report_json import from_json, to_json
from signing.examination.report_xml import REPORT, to_xml
from signing.examination.values import DocumentFormat, Examination, not_examined
from tests.unit.signing.examination.signing_world import World, plain_pdf
from tests.vectors import REPOSITORY, missing

AT = datetime(2026, 6, 1, tzinfo=UTC)
SCHEMAS = REPOSITORY / "build" / "interop" / "dss-signatures" / "lib"


@pytest.fixture(scope="module")
def examinations(world: World) -> dict[str, Examination]:
    """Of every kind."""
    return {
        "pdf": world.examined(world.document_stamped(world.pdf(stamped=True))),
        "detached": world.examined(world.cms(b"x", detached=True, stamped=True)),
        "plain": world.examined(plain_pdf()),
        "foreign": world.examined(b"plain text"),
    }


def test_json_reads_back_as_the_same_values(examinations: dict[str, Examination]) -> None:
    """Through text, as it comes from the process apart."""
    for examination in examinations.values():
        assert from_json(json.loads(json.dumps(to_json(examination)))) == examination


def test_json_shows_what_follows(examinations: dict[str, Examination]) -> None:
    """Nobody has to conclude by himself."""
    shown = to_json(examinations["pdf"])

    assert shown["verdict"] == "PASSED"
    assert shown["signatures"][0]["signature_intact"] is True
    assert shown["signatures"][0]["references_found"] is True
    assert to_json(examinations["plain"])["signatures"] == []
    assert to_json(examinations["foreign"])["verdict"] == "INDETERMINATE"


@pytest.mark.parametrize(
    "spoiled",
    [
        {"verdict": "PASSED"},
        [],
        None,
        {"document": 5},
        {"signatures": [{}]},
        {"format": "DOC"},
        {"at": "2026-06-01T00:00:00"},
        {"examined": "yes"},
        {"findings": [{"code": "X" * 100_000, "message": "", "where": "", "clause": ""}]},
    ],
    ids=["nothing", "list", "null", "number", "half a signature", "format", "zone", "text for truth", "long"],
)
def test_json_of_another_shape_is_refused(examinations: dict[str, Examination], spoiled: object) -> None:
    """A process that was taken over cannot answer with anything but such values."""
    whole = to_json(examinations["foreign"])
    document = (
        {**whole, **spoiled} if isinstance(spoiled, dict) and set(spoiled) & set(whole) - {"verdict"} else spoiled
    )

    with pytest.raises(ValueError, match=r".+"):
        from_json(document)


def test_a_claimed_verdict_is_not_believed(examinations: dict[str, Examination]) -> None:
    """Reading concludes anew."""
    document = {**to_json(examinations["foreign"]), "verdict": "PASSED"}

    assert from_json(document).verdict is Verdict.INDETERMINATE


def test_xml_has_one_report_for_each_signature(examinations: dict[str, Examination]) -> None:
    """Time-stamps are validation objects; references lead somewhere."""
    root = etree.fromstring(to_xml(examinations["pdf"]))
    ids = {one.get("id") for one in root.iter() if one.get("id")}
    references = {one.get("VOReference") for one in root.iter() if one.get("VOReference")}

    assert len(root.findall(f"{{{REPORT}}}SignatureValidationReport")) == 1
    assert root.findtext(f".//{{{REPORT}}}MainIndication") == "urn:etsi:019102:mainindication:total-passed"
    assert references
    assert references <= ids


def test_xml_says_that_there_is_no_signature(examinations: dict[str, Examination]) -> None:
    """The schema asks for one report; it must not look good."""
    for name in ("plain", "foreign"):
        assert b"passed" not in to_xml(examinations[name]).split(b"SignatureValidationObjects")[0]


def test_xml_takes_every_text() -> None:
    """Names and messages come from outside."""
    nasty = "\x00\x1b[31m]]>&<!ENTITY x \ud800\uffff"
    examination = not_examined(nasty, DocumentFormat.UNKNOWN, nasty, at=AT)
    written = to_xml(replace(examination, findings=(Finding("X", nasty),)))

    assert b"\\x1b" in written
    assert etree.fromstring(written) is not None


def test_xml_is_valid_against_the_schema(examinations: dict[str, Examination], tmp_path: Path) -> None:
    """TS 119 102-2 V1.4.1, with the schema that EU DSS brings along."""
    schema = _schema(tmp_path)
    for examination in examinations.values():
        document = etree.fromstring(to_xml(examination))
        assert schema.validate(document), schema.error_log


def _schema(directory: Path) -> etree.XMLSchema:
    for name in ("validation-report", "xades", "xmldsig", "trusted-list"):
        jar = SCHEMAS / f"specs-{name}-6.4.jar"
        if not jar.exists():
            missing(f"the schema of TS 119 102-2 (no {jar}; run tests/interop/install.sh)")
        with zipfile.ZipFile(jar) as archive:
            for member in archive.namelist():
                if member.startswith("xsd/") and member.endswith(".xsd"):
                    (directory / member.split("/")[-1]).write_bytes(archive.read(member))
    parser = etree.XMLParser(no_network=True)
    parser.resolvers.add(_Beside(directory))
    return etree.XMLSchema(etree.parse(str(directory / "TS119102-2-v141.xsd"), parser))


class _Beside(etree.Resolver):
    """Schemas that are named by an address lie beside."""

    _NAMES: ClassVar[dict[str, str]] = {
        "XAdES.xsd": "XAdES01903v132-202407.xsd",
        "ts_119612v020201_201601xsd.xsd": "ts_119612v020401_xsd.xsd",
    }

    def __init__(self, directory: Path) -> None:
        self._directory = directory

    def resolve(self, url: str, public_id: str, context: object) -> object:
        name = url.split("/")[-1]
        return self.resolve_filename(str(self._directory / self._NAMES.get(name, name)), context)
