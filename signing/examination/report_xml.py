"""An examination as a signature validation report in XML (ETSI TS 119 102-2 V1.4.1).

Rules kept here
 * One SignatureValidationReport per signature; time-stamps, certificates and revocation data are validation
   objects, named once and referred to. A document without signatures gets one report that says so, because the
   schema asks for one.
 * Only text from the examination is written, with characters that XML does not have made visible; nothing foreign
   is parsed or included.
 * What the standard has no element for (message, findings, intactness) is AdditionalValidationReportData, under
   identifiers of ours.
"""

from __future__ import annotations

import base64
from collections.abc import Iterable, Sequence
from datetime import datetime

from lxml import etree

from archive_core.findings import Finding, SubIndication, Verdict, utc_text
from signing.examination.values import (
    CertificateFacts,
    EvidenceExamination,
    Examination,
    Level,
    Material,
    MaterialKind,
    Qualification,
    SignatureExamination,
    TimestampExamination,
    TimestampKind,
)

REPORT = "http://uri.etsi.org/19102/v1.4.1#"
_XADES = "http://uri.etsi.org/01903/v1.3.2#"
_DSIG = "http://www.w3.org/2000/09/xmldsig#"
_NAMESPACES = {"vr": REPORT, "XAdES": _XADES, "ds": _DSIG}
_SHA256 = "http://www.w3.org/2001/04/xmlenc#sha256"

_ETSI = "urn:etsi:019102"
_OURS = "urn:trusted-archive:examination"
_SIGNATURE_VERDICTS = {
    Verdict.PASSED: f"{_ETSI}:mainindication:total-passed",
    Verdict.FAILED: f"{_ETSI}:mainindication:total-failed",
    Verdict.INDETERMINATE: f"{_ETSI}:mainindication:indeterminate",
}
_OBJECT_VERDICTS = {
    Verdict.PASSED: f"{_ETSI}:mainindication:passed",
    Verdict.FAILED: f"{_ETSI}:mainindication:failed",
    Verdict.INDETERMINATE: f"{_ETSI}:mainindication:indeterminate",
}
_NO_SIGNATURE = "urn:cef:dss:mainindication:noSignatureFound"
_OBJECT_KINDS = {
    MaterialKind.CERTIFICATE: f"{_ETSI}:validationObject:certificate",
    MaterialKind.CRL: f"{_ETSI}:validationObject:CRL",
    MaterialKind.OCSP: f"{_ETSI}:validationObject:OCSPResponse",
}
_STAMP_ELEMENTS = {
    TimestampKind.CONTENT: "AllDataObjectsTimeStamp",
    TimestampKind.SIGNATURE: "SignatureTimeStamp",
    TimestampKind.REFERENCES: "SigAndRefsTimeStamp",
    TimestampKind.REFERENCES_ONLY: "RefsOnlyTimeStamp",
    TimestampKind.ARCHIVE: "ArchiveTimeStamp",
    TimestampKind.DOCUMENT: "DocTimeStamp",
}
_DOCUMENT_ID = "D-1"


def to_xml(examination: Examination) -> bytes:
    """UTF-8, indented, valid against the schema of the standard."""
    return _Report(examination).written()


class _Report:
    """One report being written."""

    def __init__(self, examination: Examination) -> None:
        self.examination = examination
        self.root = etree.Element(_name("ValidationReport"), nsmap=_NAMESPACES)
        self.stamps: list[tuple[str, TimestampExamination]] = []

    def written(self) -> bytes:
        for index, signature in enumerate(self.examination.signatures, start=1):
            self._signature(index, signature)
        if not self.examination.signatures:
            self._nothing()
        self._objects()
        etree.indent(self.root, space="  ")
        return bytes(etree.tostring(self.root, xml_declaration=True, encoding="UTF-8")) + b"\n"

    # -- signatures ---------------------------------------------------------------------------

    def _signature(self, index: int, one: SignatureExamination) -> None:
        report = _below(self.root, "SignatureValidationReport")
        self._identifier(report, f"S-{index}", one.id)
        self._times(report, one.proven_time)
        document = _below(report, "SignersDocument")
        _below(document, "SignersDocumentRepresentation", VOReference=_DOCUMENT_ID)
        self._attributes(report, index, one)
        if one.signer is not None:
            signer = _below(report, "SignerInformation")
            _below(signer, "SignerCertificate", VOReference=_certificate_id(one.signer))
            _text(signer, "Signer", one.signer.name)
        if one.qualified.qualification is not Qualification.NOT_EXAMINED:
            quality = _below(report, "SignatureQuality")
            name = one.qualified.qualification.value.replace(" ", "_")
            _text(quality, "SignatureQualityInformation", f"urn:cef:dss:signatureQualification:{name}")
        process = _below(report, "SignatureValidationProcess")
        _text(process, "SignatureValidationProcessID", f"{_ETSI}:validationprocess:{_process(one.level)}")
        self._status(report, one)

    def _identifier(self, report: etree._Element, place: str, name: str) -> None:
        identifier = _below(report, "SignatureIdentifier", id=place)
        _text(identifier, "HashOnly", "false")
        _text(identifier, "DocHashOnly", "false")
        _text(identifier, "DAIdentifier", name)

    def _times(self, report: etree._Element, proven: datetime | None) -> None:
        times = _below(report, "ValidationTimeInfo")
        _text(times, "ValidationTime", utc_text(self.examination.at))
        best = _below(times, "BestSignatureTime")
        _text(best, "POETime", utc_text(proven or self.examination.at))
        _text(best, "TypeOfProof", f"{_ETSI}:poetype:validation")

    def _attributes(self, report: etree._Element, index: int, one: SignatureExamination) -> None:
        found = etree.Element(_name("SignatureAttributes"))
        if one.claimed_time is not None:
            _text(_below(found, "SigningTime", Signed="true"), "Time", utc_text(one.claimed_time))
        if one.policy:
            _text(_below(found, "SigPolicyIdentifier", Signed="true"), "SigPolicyId", _policy(one.policy))
        for number, stamp in enumerate(one.timestamps, start=1):
            place = f"T-{index}-{number}"
            self.stamps.append((place, stamp))
            if stamp.kind in _STAMP_ELEMENTS and stamp.gen_time is not None:
                signed = "true" if stamp.kind is TimestampKind.CONTENT else "false"
                element = _below(found, _STAMP_ELEMENTS[stamp.kind], Signed=signed)
                _below(element, "AttributeObject", VOReference=place)
                _text(element, "TimeStampValue", utc_text(stamp.gen_time))
        if len(found):
            report.append(found)

    def _status(self, report: etree._Element, one: SignatureExamination) -> None:
        status = _status(report, "SignatureValidationStatus", _SIGNATURE_VERDICTS, one.verdict, one.sub_indication)
        data = _below(status, "AssociatedValidationReportData")
        if one.signer is not None:
            chain = _below(data, "CertificateChain")
            _below(chain, "SigningCertificate", VOReference=_certificate_id(one.signer))
        for place in sorted({_material_id(item) for item in one.used}):
            _below(data, "RelatedValidationObject", VOReference=place)
        facts = [
            ("message", one.message),
            ("signature-intact", _yes(one.signature_intact)),
            ("references-found", _yes(one.references_found)),
            ("references-intact", _yes(one.references_intact)),
            ("format", one.format.value),
            ("level", one.level.value),
            ("coverage", one.coverage.value),
            *(("covers", text) for text in one.covers),
            *(("missing", f"{item.kind.value}: {item.about}") for item in one.missing),
        ]
        _additional(data, facts, one.findings)

    def _nothing(self) -> None:
        """The report that the schema asks for where there is no signature to report on."""
        report = _below(self.root, "SignatureValidationReport")
        status = _below(report, "SignatureValidationStatus")
        _text(
            status,
            "MainIndication",
            _NO_SIGNATURE if self.examination.examined else _SIGNATURE_VERDICTS[Verdict.INDETERMINATE],
        )
        data = _below(status, "AssociatedValidationReportData")
        said = self.examination.reason or "there is no signature in the document"
        _additional(data, [("message", said)], self.examination.findings)

    # -- objects ------------------------------------------------------------------------------

    def _objects(self) -> None:
        objects = _below(self.root, "SignatureValidationObjects")
        self._document(objects)
        self.stamps += [(f"T-{index}", stamp) for index, stamp in enumerate(self.examination.timestamps, start=1)]
        for item in self._materials():
            element = _below(objects, "ValidationObject", id=_material_id(item))
            _text(element, "ObjectType", _OBJECT_KINDS[item.kind])
            _digest(_below(element, "ValidationObjectRepresentation"), item.sha256)
        for place, stamp in self.stamps:
            self._stamp(objects, place, stamp)
        records = [*self.examination.records, *(it for one in self.examination.signatures for it in one.records)]
        for index, record in enumerate(records, start=1):
            self._record(objects, f"E-{index}", record)

    def _document(self, objects: etree._Element) -> None:
        element = _below(objects, "ValidationObject", id=_DOCUMENT_ID)
        _text(element, "ObjectType", f"{_ETSI}:validationObject:signedData")
        representation = _below(element, "ValidationObjectRepresentation")
        if self.examination.sha256:
            _digest(representation, self.examination.sha256)
        else:
            _text(representation, "direct", self.examination.document)

    def _materials(self) -> Sequence[Material]:
        """Every certificate and revocation value once, the signers' certificates among them."""
        found: dict[str, Material] = {}
        signers = [one.signer for one in self.examination.signatures]
        signers += [stamp.signer for _, stamp in self.stamps]
        for signer in signers:
            if signer is not None:
                item = Material(MaterialKind.CERTIFICATE, signer.sha256, "", signer.name)
                found.setdefault(_material_id(item), item)
        for one in self.examination.signatures:
            for item in one.used:
                found.setdefault(_material_id(item), item)
        return list(found.values())

    def _stamp(self, objects: etree._Element, place: str, stamp: TimestampExamination) -> None:
        element = _below(objects, "ValidationObject", id=place)
        _text(element, "ObjectType", f"{_ETSI}:validationObject:timestamp")
        representation = _below(element, "ValidationObjectRepresentation")
        _text(representation, "direct", f"{stamp.id} ({stamp.kind.value})")
        if stamp.gen_time is not None and stamp.verdict is Verdict.PASSED:
            provisioning = _below(element, "POEProvisioning")
            _text(provisioning, "POETime", utc_text(stamp.gen_time))
            _below(provisioning, "ValidationObject", VOReference=_DOCUMENT_ID)
        report = _below(element, "ValidationReport")
        status = _status(report, "SignatureValidationStatus", _OBJECT_VERDICTS, stamp.verdict, stamp.sub_indication)
        data = _below(status, "AssociatedValidationReportData")
        if stamp.signer is not None:
            chain = _below(data, "CertificateChain")
            _below(chain, "SigningCertificate", VOReference=_certificate_id(stamp.signer))
        facts = [
            ("message", stamp.message),
            ("signature-intact", _yes(stamp.signature_intact)),
            ("references-found", _yes(stamp.references_found)),
            ("references-intact", _yes(stamp.references_intact)),
        ]
        _additional(data, facts, stamp.findings)

    def _record(self, objects: etree._Element, place: str, record: EvidenceExamination) -> None:
        element = _below(objects, "ValidationObject", id=place)
        _text(element, "ObjectType", f"{_ETSI}:validationObject:evidencerecord")
        _text(_below(element, "ValidationObjectRepresentation"), "direct", record.id)
        if record.proof_of_existence is not None:
            provisioning = _below(element, "POEProvisioning")
            _text(provisioning, "POETime", utc_text(record.proof_of_existence))
            _below(provisioning, "ValidationObject", VOReference=_DOCUMENT_ID)
        report = _below(element, "ValidationReport")
        status = _status(report, "SignatureValidationStatus", _OBJECT_VERDICTS, record.verdict, record.sub_indication)
        facts = [
            ("message", record.message),
            ("references-found", _yes(record.references_found)),
            ("references-intact", _yes(record.references_intact)),
            *(("covers", text) for text in record.covers),
        ]
        _additional(_below(status, "AssociatedValidationReportData"), facts, record.findings)


# -- elements ---------------------------------------------------------------------------------


def _name(local: str, namespace: str = REPORT) -> str:
    return f"{{{namespace}}}{local}"


def _below(parent: etree._Element, local: str, **attributes: str) -> etree._Element:
    return etree.SubElement(parent, _name(local), attributes)


def _text(parent: etree._Element, local: str, text: str) -> None:
    _below(parent, local).text = _visible(text)


def _visible(text: str) -> str:
    """Characters that XML 1.0 does not have are written as escapes."""
    return "".join(one if _is_xml(one) else ascii(one)[1:-1] for one in text)


def _is_xml(one: str) -> bool:
    code = ord(one)
    return code in (9, 10, 13) or 0x20 <= code <= 0xD7FF or 0xE000 <= code <= 0xFFFD or code >= 0x10000


def _digest(parent: etree._Element, sha256: str) -> None:
    element = _below(parent, "DigestAlgAndValue")
    etree.SubElement(element, _name("DigestMethod", _DSIG), Algorithm=_SHA256)
    value = etree.SubElement(element, _name("DigestValue", _DSIG))
    value.text = base64.b64encode(bytes.fromhex(sha256)).decode("ascii")


def _status(
    report: etree._Element, local: str, words: dict[Verdict, str], verdict: Verdict, sub: SubIndication | None
) -> etree._Element:
    status = _below(report, local)
    _text(status, "MainIndication", words[verdict])
    if sub is not None:
        _text(status, "SubIndication", f"{_ETSI}:subindication:{sub.value}")
    return status


def _additional(data: etree._Element, facts: Iterable[tuple[str, str]], findings: Iterable[Finding]) -> None:
    additional = _below(data, "AdditionalValidationReportData")
    told = [*facts, *(("finding", f"{one.code}: {one.message}") for one in findings)]
    for kind, value in told:
        item = _below(additional, "ReportData")
        _text(item, "Type", f"{_OURS}:{kind}")
        _text(item, "Value", value)


def _yes(value: bool) -> str:
    return "true" if value else "false"


def _policy(name: str) -> str:
    """An object identifier as a URN; what is a URI, or a word of ours, stays."""
    return f"urn:oid:{name}" if name.replace(".", "").isdigit() else name


def _process(level: Level) -> str:
    """Which process of EN 319 102-1 clause 5 fits what is in the signature."""
    if level is Level.LTA:
        return "LTA"
    return "LTVM" if level in (Level.T, Level.LT) else "Basic"


def _certificate_id(certificate: CertificateFacts) -> str:
    return f"C-{certificate.sha256}"


_LETTERS = {MaterialKind.CERTIFICATE: "C", MaterialKind.CRL: "R", MaterialKind.OCSP: "O"}


def _material_id(item: Material) -> str:
    return f"{_LETTERS[item.kind]}-{item.sha256}"
