"""The signatures and document time-stamps of a PDF: PAdES, and PKCS #7 as PDF had it before (EN 319 142-1 and -2).

Rules kept here
 * Mathematics is our own, over the octets of the file; pyHanko reads the structure and judges coverage and later
   changes. What it cannot read is told and leaves at best INDETERMINATE.
 * A ByteRange that does not leave out exactly /Contents is no PDF signature: FAILED/FORMAT_FAILURE.
 * Signature dictionaries in the raw octets that no form field leads to are told; where the form cannot be read,
   they are examined like the others.
 * A change after signing that the signature forbids is FAILED, one that nobody permits INDETERMINATE, both
   SIG_CONSTRAINTS_FAILURE, although the signature over its own revision is intact.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import BinaryIO

from archive_core.findings import Finding, SubIndication, Verdict
from archive_core.ports import ValidationData
from signing import ber
from signing.cms import OID_SIGNED_DATA, OID_TST_INFO
from signing.examination import pdf_legacy
from signing.examination.cms_reading import CmsError, SignedData, content_type_of, parse_signed_data
from signing.examination.cms_signatures import Surroundings, examine_cms
from signing.examination.documents import Document
from signing.examination.mathematics import Content
from signing.examination.pdf_ranges import (
    ByteRange,
    Covered,
    Octets,
    RawSignature,
    hole_contents,
    raw_signatures,
    without_padding,
)
from signing.examination.pdf_structure import Changes, FieldSignature, PdfError, PdfStructure, Revision
from signing.examination.stamping import Imprints, Stamp, examine_stamps
from signing.examination.trust import ExaminationTrust
from signing.examination.values import (
    Coverage,
    DocumentFormat,
    Examination,
    Reference,
    SignatureExamination,
    SignatureFormat,
    TimestampExamination,
    TimestampKind,
)
from signing.judgement import Judgement, malformed

_HEADER_WITHIN = 1024
_STAMP_FILTER = "ETSI.RFC3161"
_UNREAD = Revision(False, False, Changes.UNKNOWN, note="the structure of the PDF cannot be read")


def recognises(head: bytes) -> bool:
    """A PDF header within the first 1,024 octets, as readers accept it (ISO 32000-2 Annex I), but not a PDF inside a
    signature, a container or an XML document."""
    outer = head.lstrip(b"\xef\xbb\xbf\r\n\t ")
    if head.startswith(b"PK\3\4") or outer.startswith(b"<?xml") or content_type_of(head) is not None:
        return False
    return b"%PDF-" in head[:_HEADER_WITHIN]


def examine(document: Document, *, detached: Sequence[Document], trust: ExaminationTrust, at: datetime) -> Examination:
    """Never raises for bad input. Detached data do not matter to a PDF."""
    octets = document.mapped()
    with document.open() as stream:
        return _Pdf(document, octets, stream, trust, at).examined()


@dataclass(frozen=True)
class _Found:
    """A signature to be examined, from a form field or from the raw octets."""

    place: str
    byte_range: ByteRange
    contents: bytes
    sub_filter: str = ""
    kind: str = "/Sig"
    claimed: datetime | None = None
    field: FieldSignature | None = None

    @property
    def is_stamp(self) -> bool:
        return self.kind == "/DocTimeStamp" or self.sub_filter == _STAMP_FILTER


class _Pdf:
    """One PDF on the way to its `Examination`."""

    def __init__(
        self, document: Document, octets: Octets, stream: BinaryIO, trust: ExaminationTrust, at: datetime
    ) -> None:
        self.document, self.octets, self.trust, self.at = document, octets, trust, at
        self.findings: list[Finding] = []
        self.complete = True
        self.structure = self._opened(stream)
        self.material, problems = self.structure.material() if self.structure else (ValidationData(), [])
        self.findings += [Finding("DSS_UNREADABLE", text, clause="EN 319 142-1 5.4.2") for text in problems]

    def examined(self) -> Examination:
        found = self._signatures()
        stamps = self._document_stamps([one for one in found if one.is_stamp])
        signatures = [
            examined
            for one in found
            if not one.is_stamp
            for examined in self._examined(one, [stamp for end, stamp in stamps if end > one.byte_range.end])
        ]
        unread = self.structure is None and not found
        return Examination(
            self.document.name,
            DocumentFormat.PDF,
            examined=not unread,
            at=self.at,
            reason=f"not examined: {self.findings[0].message}" if unread else "",
            complete=self.complete,
            signatures=tuple(signatures),
            timestamps=tuple(stamp for _, stamp in stamps),
            evidence_records=sum(one.evidence_records for one in signatures),
            size=self.document.size,
            findings=tuple(self.findings),
        )

    def _opened(self, stream: BinaryIO) -> PdfStructure | None:
        try:
            return PdfStructure(stream)
        except PdfError as error:
            self._incomplete("PDF_UNREADABLE", str(error))
            return None

    def _incomplete(self, code: str, text: str) -> None:
        self.complete = False
        self.findings.append(Finding(code, text, clause="ISO 32000-2 7.5"))

    # -- what is there ------------------------------------------------------------------------

    def _signatures(self) -> list[_Found]:
        """All signatures, in the order in which they were made as far as their ends tell."""
        fields, problems = self.structure.signatures() if self.structure else ([], [])
        for text in problems:
            self._incomplete("PDF_FIELD_UNREADABLE", text)
        found: dict[tuple[tuple[int, ...], bytes], _Found] = {}
        for one in fields:
            key = (one.byte_range.numbers, without_padding(one.contents))
            place = f"signature field {one.field_name!r}"
            found.setdefault(
                key, _Found(place, one.byte_range, one.contents, one.sub_filter, one.kind, one.claimed, one)
            )
        raw, all_of_them = raw_signatures(self.octets)
        if not all_of_them:
            self._incomplete("PDF_LIMIT", "more signature dictionaries than are looked at")
        readable = self.structure is not None and not problems
        for item in raw:
            self._add_raw(item, found, readable=readable)
        return sorted(found.values(), key=lambda one: one.byte_range.end)

    def _add_raw(
        self, item: RawSignature, found: dict[tuple[tuple[int, ...], bytes], _Found], *, readable: bool
    ) -> None:
        known_ranges = {numbers for numbers, _ in found}
        if item.contents is None or item.byte_range.numbers in known_ranges:
            return
        contents = without_padding(item.contents)
        if content_type_of(contents[:64]) not in (OID_SIGNED_DATA, None):
            return  # an integrity code of an encrypted PDF (ISO/TS 32004), for example: no signature
        place = f"signature dictionary at octet {item.position}"
        if readable:
            text = f"{place} belongs to no form field: it was removed or replaced after signing"
            self.findings.append(Finding("PDF_SIGNATURE_NOT_IN_FORM", text, clause="ISO 32000-2 12.7.5.5"))
            return
        stamp = _is_token(contents)
        sub_filter = _STAMP_FILTER if stamp else ""
        found[(item.byte_range.numbers, contents)] = _Found(place, item.byte_range, item.contents, sub_filter)

    # -- document time-stamps -----------------------------------------------------------------

    def _document_stamps(self, found: Sequence[_Found]) -> list[tuple[int, TimestampExamination]]:
        """With the end of what each covers."""
        stamps = []
        for index, one in enumerate(found, start=1):
            fault = self._range_fault(one)
            covered = Covered(self.octets, one.byte_range)
            imprints = _never if fault else _digest_of(covered)
            findings = (
                (Finding("PDF_BYTE_RANGE", fault, where=one.place, clause="ISO 32000-2 12.8.1"),) if fault else ()
            )
            revision = self._revision(one)
            stamps.append(
                Stamp(
                    f"document time-stamp {index}",
                    TimestampKind.DOCUMENT,
                    without_trailing(one.contents),
                    imprints,
                    covers=_covers(revision),
                    findings=(*findings, *_revision_findings(revision, one.place)),
                )
            )
        examined = examine_stamps(stamps, trust=self.trust, at=self.at, data=self.material)
        return [(one.byte_range.end, stamp) for one, stamp in zip(found, examined, strict=True)]

    # -- signatures ---------------------------------------------------------------------------

    def _examined(self, one: _Found, stamps: Sequence[TimestampExamination]) -> Sequence[SignatureExamination]:
        covered = Covered(self.octets, one.byte_range)
        fault = self._range_fault(one)
        if one.sub_filter == pdf_legacy.RSA_SHA1 and one.field is not None:
            certificates = one.field.certificate_entries
            return [pdf_legacy.not_judged(one.place, certificates, one.claimed)]
        try:
            message = parse_signed_data(one.contents)
        except CmsError as error:
            text = f"the signature cannot be read: {error}"
            return [_unreadable(one.place, text, one.claimed)]
        revision = self._revision(one)
        failure = malformed(fault) if fault else _revision_failure(revision)
        content: Content = _Mismatched() if fault else covered
        references: tuple[Reference, ...] = ()
        if message.content is not None:
            content, reference, problem = _enveloped(message, content, one.sub_filter)
            references, failure = (reference,), problem if problem is not None else failure
        around = Surroundings(
            bare=SignatureFormat.PKCS7_PDF,
            advanced=SignatureFormat.PADES if one.sub_filter == "ETSI.CAdES.detached" else SignatureFormat.PKCS7_PDF,
            coverage=_coverage(revision, fault),
            covers=(_covers(revision),),
            material=self.material,
            origin="DSS dictionary",
            stamps=tuple(stamps),
            failure=failure,
            references=references,
            findings=_revision_findings(revision, one.place),
            claimed=one.claimed,
        )
        if not message.signers:
            return [_unreadable(one.place, "the signature has no signer", one.claimed)]
        return examine_cms(message, content, trust=self.trust, at=self.at, around=around, name=one.place)

    def _range_fault(self, one: _Found) -> str:
        fault = one.byte_range.fault(len(self.octets))
        if fault:
            return fault
        hole = hole_contents(self.octets, one.byte_range)
        if hole is None or without_padding(hole) != without_padding(one.contents):
            return "what the ByteRange leaves out is not exactly /Contents"
        return ""

    def _revision(self, one: _Found) -> Revision:
        if self.structure is None or one.field is None:
            whole = one.byte_range.end == len(self.octets)
            return replace(_UNREAD, whole_file=whole, whole_revision=whole)
        return self.structure.revision_of(one.field)


class _Mismatched:
    """The content under a ByteRange that is none: there is data, and no digest fits it."""

    def digest(self, algorithm: str) -> bytes:
        return b""

    def read(self, most: int) -> bytes:
        return b""


def _never(name: str) -> list[bytes]:
    return [b""]


def _digest_of(covered: Covered) -> Imprints:
    return lambda name: [covered.digest(name)]


def _is_token(contents: bytes) -> bool:
    try:
        return parse_signed_data(contents).content_type == OID_TST_INFO
    except CmsError:
        return False


def without_trailing(contents: bytes) -> bytes:
    """The token without the zero octets behind it; as it is when it is no element at all."""
    try:
        return ber.first_element(contents)[0]
    except ber.BerError:
        return contents


def _enveloped(message: SignedData, covered: Content, sub_filter: str) -> tuple[Content, Reference, Judgement | None]:
    """A PDF signature with content of its own: `adbe.pkcs7.sha1` signs the SHA-1 of the ByteRange; elsewhere there
    must be none, because then the octets of the PDF are not what was signed (ISO 32000-2 12.8.3.3)."""
    assert message.content is not None
    inner = Document("eContent", message.content)
    if sub_filter != pdf_legacy.PKCS7_SHA1:
        problem = malformed("the signature signs content of its own and not the octets of the PDF")
        return inner, Reference("ByteRange", found=True, intact=False), problem
    intact = message.content == covered.digest("sha1")
    reference = Reference("ByteRange", found=True, intact=intact, algorithm="sha1")
    if intact:
        return inner, reference, None
    text = "the signed SHA-1 is not that of the ByteRange"
    return inner, reference, Judgement(Verdict.FAILED, SubIndication.HASH_FAILURE, text)


def _unreadable(place: str, text: str, claimed: datetime | None) -> SignatureExamination:
    return SignatureExamination(
        place,
        SignatureFormat.PKCS7_PDF,
        Verdict.FAILED,
        SubIndication.FORMAT_FAILURE,
        text,
        None,
        (Reference("ByteRange", found=True, intact=False),),
        claimed_time=claimed,
    )


# -- revisions --------------------------------------------------------------------------------


def _coverage(revision: Revision, fault: str) -> Coverage:
    if fault or not revision.whole_revision:
        return Coverage.UNCLEAR
    return Coverage.WHOLE if revision.whole_file else Coverage.REVISION


def _covers(revision: Revision) -> str:
    if revision.whole_file:
        return "the whole file"
    if revision.whole_revision:
        return f"revision {revision.number} of {revision.total}"
    return "an unclear part of the file"


def _revision_failure(revision: Revision) -> Judgement | None:
    """What coverage and later changes do to a verdict; None when all is as it should be."""
    sub = SubIndication.SIG_CONSTRAINTS_FAILURE
    if revision.changes is Changes.FORBIDDEN:
        text = "the document was changed after signing in a way that the signature forbids"
        return Judgement(Verdict.FAILED, sub, text)
    if not revision.whole_revision:
        text = "the signature does not cover the whole revision that it belongs to"
        return Judgement(Verdict.INDETERMINATE, sub, text)
    if revision.changes is Changes.SUSPICIOUS:
        text = "the document was changed after signing; only the signed revision is vouched for"
        return Judgement(Verdict.INDETERMINATE, sub, text)
    if revision.changes is Changes.UNKNOWN:
        text = "whether the document was changed after signing cannot be told"
        return Judgement(Verdict.INDETERMINATE, sub, text)
    return None


def _revision_findings(revision: Revision, place: str) -> tuple[Finding, ...]:
    code = {
        Changes.PERMITTED: "PDF_CHANGES_PERMITTED",
        Changes.FORBIDDEN: "PDF_CHANGES_FORBIDDEN",
        Changes.SUSPICIOUS: "PDF_CHANGES_SUSPICIOUS",
        Changes.UNKNOWN: "PDF_CHANGES_UNKNOWN",
    }.get(revision.changes)
    if code is None:
        return ()
    text = revision.note or f"the file was changed after this signature ({revision.changes.value})"
    return (Finding(code, text, where=place, clause="ISO 32000-2 12.8.2.2"),)
