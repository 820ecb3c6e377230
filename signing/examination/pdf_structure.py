"""What pyHanko reads of a PDF: signature fields, document security store, coverage, changes after signing.

Rules kept here
 * Each question is asked by itself: what the library cannot answer about one signature is told about that one, and
   never keeps another from being looked at.
 * Streams are decoded within limits; nothing in the PDF is run and nothing is fetched.
"""

from __future__ import annotations

import contextlib
import enum
import logging
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, BinaryIO

from pyhanko.pdf_utils import generic
from pyhanko.pdf_utils.decode_limits import DecodeLimits
from pyhanko.pdf_utils.reader import PdfFileReader
from pyhanko.sign.diff_analysis import DEFAULT_DIFF_POLICY, DiffResult, ModificationLevel
from pyhanko.sign.fields import enumerate_sig_fields
from pyhanko.sign.validation.pdf_embedded import EmbeddedPdfSignature
from pyhanko.sign.validation.status import SignatureCoverageLevel

from archive_core.ports import ValidationData
from signing.examination.budget import OutOfTimeError, budget
from signing.examination.pdf_ranges import ByteRange, numbers_of

MAX_FIELDS = 500
MAX_MATERIAL = 2_000
MAX_STREAM = 32 * 1024 * 1024

logging.getLogger("pyhanko").setLevel(logging.CRITICAL)  # what it has to say is returned, not logged
logging.getLogger("pyhanko_certvalidator").setLevel(logging.CRITICAL)

PDF_ERRORS = (Exception, OutOfTimeError)
"""What comes of PDFs that pyHanko does not understand, or not within its time: errors of its own, of its filters, of
Python. All mean that it cannot tell, which is told."""

OPENING_SECONDS = 15.0
CHANGES_SECONDS = 10.0
"""Processor time for reading the structure, and for judging the changes after one signature."""


class PdfError(ValueError):
    """The PDF's structure cannot be read."""


class Changes(enum.Enum):
    """What was done to the file after this signature (pyHanko's modification levels)."""

    NONE = "none"
    PERMITTED = "permitted"
    FORBIDDEN = "forbidden"  # the signature itself forbids them (DocMDP, FieldMDP)
    SUSPICIOUS = "suspicious"
    UNKNOWN = "unknown"


@dataclass(frozen=True)
class Revision:
    """How a signature relates to the file around it."""

    whole_file: bool
    whole_revision: bool
    changes: Changes
    number: int = 0
    total: int = 0
    note: str = ""


@dataclass(frozen=True)
class FieldSignature:
    """A filled signature field. `contents` as parsed, with its padding."""

    field_name: str
    kind: str
    sub_filter: str
    byte_range: ByteRange
    contents: bytes
    claimed: datetime | None
    certificate_entries: tuple[bytes, ...] = ()
    _dictionary: Any = field(default=None, repr=False)
    _field: Any = field(default=None, repr=False)


class PdfStructure:
    """A PDF opened by pyHanko; raises `PdfError`."""

    def __init__(self, stream: BinaryIO) -> None:
        with _reading("the PDF"), budget(OPENING_SECONDS):
            self._reader = PdfFileReader(stream, strict=False, decode_limits=_LIMITS)
            self._open_without_password()
            self._reader.root  # noqa: B018 - the catalogue is read now, or the file cannot be read
            self.revisions = self._reader.total_revisions
        self.encrypted = bool(self._reader.encrypted)

    def _open_without_password(self) -> None:
        """Many PDFs are encrypted with an empty password, so that everybody reads them and not everybody prints."""
        if not self._reader.encrypted:
            return
        with contextlib.suppress(Exception):  # what stays closed is told where it is read
            self._reader.decrypt(b"")

    def signatures(self) -> tuple[list[FieldSignature], list[str]]:
        """Every filled signature field, and what could not be read of fields."""
        found: list[FieldSignature] = []
        problems: list[str] = []
        fields = enumerate_sig_fields(self._reader, filled_status=True)
        while len(found) + len(problems) < MAX_FIELDS:
            try:
                name, value, reference = next(fields)
            except StopIteration:
                return found, problems
            except PDF_ERRORS as error:
                problems.append(f"the form's fields cannot be read: {_said(error)}")
                return found, problems
            try:
                found.append(_field_signature(str(name), value, reference))
            except PDF_ERRORS as error:
                problems.append(f"signature field {str(name)[:100]!r}: {_said(error)}")
        problems.append(f"only {MAX_FIELDS} signature fields are looked at")
        return found, problems

    def material(self) -> tuple[ValidationData, list[str]]:
        """The document security store (EN 319 142-1 5.4.2); its per-signature entries are among these."""
        problems: list[str] = []
        try:
            store = self._reader.root["/DSS"]
        except KeyError:
            return ValidationData(), problems
        except PDF_ERRORS as error:
            return ValidationData(), [f"the document security store cannot be read: {_said(error)}"]
        lists = [self._streams(store, name, problems) for name in ("/Certs", "/CRLs", "/OCSPs")]
        return ValidationData(*lists), problems

    def _streams(self, store: Any, name: str, problems: list[str]) -> tuple[bytes, ...]:
        found: dict[bytes, None] = {}
        try:
            entries = list(_entry(store, name, ()))[:MAX_MATERIAL]
        except PDF_ERRORS as error:
            problems.append(f"{name} of the document security store: {_said(error)}")
            return ()
        for entry in entries:
            try:
                data = entry.get_object().data
            except PDF_ERRORS as error:
                problems.append(f"{name} of the document security store: {_said(error)}")
                continue
            if len(data) <= MAX_STREAM:
                found[data] = None
        return tuple(found)

    def revision_of(self, signature: FieldSignature) -> Revision:
        """Coverage and later changes. What cannot be told is UNKNOWN, with the reason in `note`."""
        try:
            embedded = EmbeddedPdfSignature(self._reader, signature._field, signature.field_name)
            coverage = embedded.evaluate_signature_coverage()
            embedded.coverage = coverage  # type: ignore[assignment]  # what evaluate_modifications looks at
            number = int(embedded.signed_revision) + 1
        except PDF_ERRORS as error:
            return Revision(False, False, Changes.UNKNOWN, note=_said(error))
        whole_file = coverage == SignatureCoverageLevel.ENTIRE_FILE
        whole_revision = whole_file or coverage == SignatureCoverageLevel.ENTIRE_REVISION
        if whole_file:
            return Revision(True, True, Changes.NONE, self.revisions, self.revisions)
        if not whole_revision:
            return Revision(
                False, False, Changes.UNKNOWN, number, self.revisions, "it does not cover its revision whole"
            )
        changes, note = self._changes(embedded)
        return Revision(False, True, changes, number, self.revisions, note)

    def _changes(self, embedded: EmbeddedPdfSignature) -> tuple[Changes, str]:
        try:
            with budget(CHANGES_SECONDS):
                result = embedded.evaluate_modifications(DEFAULT_DIFF_POLICY)
            permitted = embedded.docmdp_level
        except PDF_ERRORS as error:
            return Changes.UNKNOWN, _said(error)
        level = result.modification_level if isinstance(result, DiffResult) else ModificationLevel.OTHER
        if level == ModificationLevel.NONE:
            return Changes.NONE, ""
        if level == ModificationLevel.OTHER:
            forbidden = Changes.FORBIDDEN if permitted is not None else Changes.SUSPICIOUS
            return forbidden, "" if isinstance(result, DiffResult) else _said(result)
        if permitted is not None and level.value > permitted.value:
            return Changes.FORBIDDEN, "more was changed than the signature permits"
        return Changes.PERMITTED, ""


_LIMITS = DecodeLimits()


@contextmanager
def _reading(what: str) -> Iterator[None]:
    try:
        yield
    except PDF_ERRORS as error:
        raise PdfError(f"{what} cannot be read: {_said(error)}") from error


def _said(error: BaseException) -> str:
    return f"{type(error).__name__}: {error}"[:300]


def _field_signature(name: str, value: Any, reference: Any) -> FieldSignature:
    dictionary = value.get_object() if hasattr(value, "get_object") else value
    if not isinstance(dictionary, generic.DictionaryObject):
        raise PdfError("its value is no dictionary")
    raw_range = _entry(dictionary, "/ByteRange", ())
    contents = dictionary.raw_get("/Contents", decrypt=generic.EncryptedObjAccess.RAW)
    if isinstance(contents, generic.IndirectObject):
        contents = contents.get_object()  # type: ignore[no-untyped-call]
    return FieldSignature(
        name,
        str(_entry(dictionary, "/Type", "/Sig")),
        str(_entry(dictionary, "/SubFilter", "")).lstrip("/"),
        numbers_of(list(raw_range)),
        bytes(contents.original_bytes),
        _claimed(dictionary),
        _certificates(dictionary),
        dictionary,
        reference,
    )


def _entry(dictionary: Any, name: str, default: object) -> Any:
    """With references followed, which `get` of the library does not do."""
    try:
        return dictionary[name]
    except KeyError:
        return default


def _claimed(dictionary: Any) -> datetime | None:
    """The /M entry."""
    try:
        stated = generic.parse_pdf_date(str(dictionary["/M"]), strict=False)
    except (KeyError, *PDF_ERRORS):
        return None
    return stated.astimezone(UTC) if isinstance(stated, datetime) and stated.tzinfo else None


def _certificates(dictionary: Any) -> tuple[bytes, ...]:
    """The /Cert entry of adbe.x509.rsa_sha1."""
    try:
        value = _entry(dictionary, "/Cert", ())
        values = value if isinstance(value, generic.ArrayObject) else [value] if value else []
        return tuple(bytes(one.original_bytes) for one in values)
    except PDF_ERRORS:
        return ()
