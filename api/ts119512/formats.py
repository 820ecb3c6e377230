"""Formats of preservation objects and of evidence, by their identifiers (TS 119 512 Annex A).

Rules kept here
 * Bytes are kept as they come and never interpreted; a claimed format is refused only when the first bytes rule it out.
 * An identifier that is not listed is refused: nobody is made to believe that a format means something here.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from api.ts119512.refusals import FormatMismatchError

ASIC_E = "http://uri.etsi.org/ades/ASiC/type/ASiC-E"
BUNDLE = "urn:trusted-archive:format:bundle"
DESCRIPTION = "urn:trusted-archive:format:description"
METADATA = "urn:trusted-archive:format:metadata"
CHUNKS = "urn:trusted-archive:format:chunk-digests"
REPORT = "urn:trusted-archive:format:verification-report"

_HEAD = 1024


@dataclass(frozen=True, slots=True)
class Format:
    """`mime` is what an object of the format is unless its submitter says otherwise; `begins` whether bytes can be."""

    mime: str
    begins: Callable[[bytes], bool]


def _is_der(content: bytes) -> bool:
    return content[:1] == b"\x30"


def _is_xml(content: bytes) -> bool:
    head = content[:_HEAD]
    if head[:2] in (b"\xff\xfe", b"\xfe\xff"):
        return True  # UTF-16: more is not looked at
    return head.removeprefix(b"\xef\xbb\xbf").lstrip(b" \t\r\n")[:1] == b"<"


def _is_pdf(content: bytes) -> bool:
    return b"%PDF-" in content[:_HEAD]


def _is_zip(content: bytes) -> bool:
    return content[:4] == b"PK\x03\x04"


TAKEN: Mapping[str, Format] = {
    "http://uri.etsi.org/ades/CAdES": Format("application/cms", _is_der),
    "http://uri.etsi.org/ades/XAdES": Format("application/xml", _is_xml),
    "http://uri.etsi.org/ades/PAdES": Format("application/pdf", _is_pdf),
    ASIC_E: Format("application/vnd.etsi.asic-e+zip", _is_zip),
    "http://uri.etsi.org/ades/ASiC/type/ASiC-S": Format("application/vnd.etsi.asic-s+zip", _is_zip),
}
"""The formats of submitted objects. An object of none of them says its media type instead."""

CONTAINERS: Mapping[str, str] = {ASIC_E: "application/vnd.etsi.asic-e+zip", BUNDLE: "application/zip"}
"""The formats of an object with its evidence inside, with their media types; the first is the default."""

PLAIN = "application/octet-stream"


def verify_format(format_id: str | None, content: bytes, what: str, unknown: type[Exception]) -> None:
    """Raises `unknown` for an identifier that is not taken, `FormatMismatchError` for bytes that cannot be of it."""
    if format_id is None:
        return
    known = TAKEN.get(format_id)
    if known is None:
        raise unknown(f"{what}: the format {format_id[:120]!a} is not taken here")
    if not known.begins(content):
        raise FormatMismatchError(f"{what}: the bytes do not begin as {format_id} does")
