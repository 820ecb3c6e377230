"""Taking a record as people hand it over: DER, its base64 text, or the TR-ESOR element around that.

Rules kept here
 * Whatever the wrapping, what comes out went through `parse_record`, and a finding says what was
   taken off. Nothing is guessed: a wrapping that is not whole is refused.
 * XML is not parsed: only the one element that BSI TR-ESOR-F 1.3 defines for a detached record is
   recognised, with nothing in it but base64. Entities, includes and the like never come to life.
"""

from __future__ import annotations

import base64
import binascii
import re

from archive_core.errors import MalformedEvidenceError
from archive_core.evidence.record import MAX_RECORD, EvidenceRecord, parse_record
from archive_core.findings import Finding

_BASE64_TEXT = re.compile(rb"[A-Za-z0-9+/=\s]+")
_WRAPPER = re.compile(
    rb"(?:\xef\xbb\xbf)?\s*(?:<\?xml[^<>]{0,200}\?>\s*)?"
    rb"<(?:(?P<outer>[\w.-]{1,64}):)?evidenceRecord(?:\s[^<>]{0,4000})?>\s*"
    rb"<(?:(?P<inner>[\w.-]{1,64}):)?asn1EvidenceRecord(?:\s[^<>]{0,4000})?>(?P<text>[A-Za-z0-9+/=\s]+)"
    rb"</(?:(?P=inner):)?asn1EvidenceRecord\s*>\s*</(?:(?P=outer):)?evidenceRecord\s*>\s*"
)


def load_record(data: bytes) -> tuple[EvidenceRecord, tuple[Finding, ...]]:
    """The record in these bytes and how it was wrapped; raises MalformedEvidenceError for no record."""
    if len(data) > 2 * MAX_RECORD:
        raise MalformedEvidenceError(f"an evidence record of more than {MAX_RECORD} bytes", size=len(data))
    if data[:1] == b"\x30" and not _BASE64_TEXT.fullmatch(data):
        return parse_record(data), ()
    if wrapper := _WRAPPER.fullmatch(data):
        finding = Finding("XML_WRAPPED", "the record was the base64 content of a TR-ESOR evidenceRecord element")
        return parse_record(_decoded(wrapper["text"])), (finding,)
    if data and _BASE64_TEXT.fullmatch(data):
        finding = Finding("BASE64_WRAPPED", "the record was base64 text, not DER")
        return parse_record(_decoded(data)), (finding,)
    return parse_record(data), ()


def _decoded(text: bytes) -> bytes:
    try:
        return base64.b64decode(b"".join(text.split()), validate=True)
    except binascii.Error as error:
        raise MalformedEvidenceError(f"the base64 text of the record is not whole: {error}") from error
