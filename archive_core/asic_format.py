"""The other export: one version in an ASiC-E container with its evidence records inside (EN 319 162-1).

    mimetype                                    application/vnd.etsi.asic-e+zip
    META-INF/ASiCEvidenceRecordManifest-<line>.xml
    META-INF/evidencerecord-<line>.ers          the version's record of the line (RFC 4998)
    META-INF/validation/<sha256>.{cer,crl,ocsp} what the records' time-stamps are validated with
    description.json, metadata.json, data/…, chunks/…, prefix/…

Rules kept here
 * `mimetype` comes first and is stored, without an extra field (A.1), so that programs know the container by its
   first octets; so is everything else stored.
 * One manifest a line; its digests are of the algorithm of the record's initial time-stamp (4.4.4, A.5), and it lists
   the whole data group and nothing else. A group is a set of digests: of files with the same bytes the first by name
   is listed, because EU DSS takes a second entry for data that the record does not cover.
 * Names in a manifest are percent-encoded in UTF-8, so that nothing in them means anything to XML or to a URI.
 * `META-INF/validation/` is not of the standard, which leaves other files below META-INF free. It is under no
   manifest and is never trusted: who validates without it needs the authorities' own lists and responses.
 * The container says what these bytes are and since when. Receipt, seal, trail and earlier versions are in the
   bundle (`bundle_format`) alone.
"""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Mapping
from dataclasses import dataclass
from typing import BinaryIO
from urllib.parse import quote

from archive_core.bundle_format import DESCRIPTION, validation_members
from archive_core.description import Description
from archive_core.digests import Digest, hash_bytes
from archive_core.ports import ValidationData
from archive_core.receipts import verify_line_name
from archive_core.zip_writing import Source, ZipWriter

MEDIA_TYPE = "application/vnd.etsi.asic-e+zip"
MIMETYPE = "mimetype"
META = "META-INF/"

_NAMESPACE = "http://uri.etsi.org/02918/v1.2.1#"
_SIGNATURES = "http://www.w3.org/2000/09/xmldsig#"
_METHODS = {
    "sha256": "http://www.w3.org/2001/04/xmlenc#sha256",
    "sha384": "http://www.w3.org/2001/04/xmldsig-more#sha384",
    "sha512": "http://www.w3.org/2001/04/xmlenc#sha512",
    "sha3-256": "http://www.w3.org/2007/05/xmldsig-more#sha3-256",
    "sha3-384": "http://www.w3.org/2007/05/xmldsig-more#sha3-384",
    "sha3-512": "http://www.w3.org/2007/05/xmldsig-more#sha3-512",
}
"""Identifiers of digest algorithms (XML Encryption 1.1, RFC 9231 2.1) by our names."""


def record_name(line: str) -> str:
    return f"{META}evidencerecord-{line}.ers"


def manifest_name(line: str) -> str:
    return f"{META}ASiCEvidenceRecordManifest-{line}.xml"


@dataclass(frozen=True, slots=True)
class LineRecord:
    """A line's record (DER), and the digest algorithm of its initial time-stamp."""

    digest: str
    record: bytes


@dataclass(frozen=True, slots=True)
class AsicContent:
    """What goes into a container: `content` maps the logical paths that the description lists to where their bytes
    come from, `records` evidence lines to their records."""

    description: bytes
    content: Mapping[str, Source]
    records: Mapping[str, LineRecord]
    validation: ValidationData


def write_asic(stream: BinaryIO, content: AsicContent) -> None:
    """Write the container to a stream that need not be seekable; same content, same bytes.

    Raises ValueError when the files are not those described or there is no record, `NameNotAcceptedError`, and what
    the content's sources raise.
    """
    description = Description.parse(content.description)
    if set(content.content) != {file.path for file in description.files}:
        raise ValueError("the files given are not the files described")
    if not content.records:
        raise ValueError("a container without any record proves nothing")
    writer = ZipWriter(stream)
    writer.add(MIMETYPE, MEDIA_TYPE.encode("ascii"))
    for line, record in sorted(content.records.items()):
        verify_line_name(line)
        writer.add(manifest_name(line), evidence_manifest(line, record.digest, description, content.description))
        writer.add(record_name(line), record.record)
    for name, der in sorted(validation_members(content.validation).items()):
        writer.add(f"{META}{name}", der)
    writer.add(DESCRIPTION, content.description)
    for name, source in sorted(content.content.items(), key=lambda item: item[0]):
        writer.add(name, source)
    writer.finish()


def evidence_manifest(line: str, digest: str, description: Description, description_bytes: bytes) -> bytes:
    """An ASiCManifest (A.4) whose SigReference is the record. `digest` is one of those that the description gives for
    its files, else KeyError."""
    listed = {hash_bytes(digest, description_bytes): DESCRIPTION}
    for file in sorted(description.files, key=lambda file: file.path):
        listed.setdefault(Digest.from_hex(digest, file.digests[digest]).value, file.path)
    lines = [
        '<?xml version="1.0" encoding="UTF-8"?>',
        f'<asic:ASiCManifest xmlns:asic="{_NAMESPACE}" xmlns:ds="{_SIGNATURES}">',
        f'<asic:SigReference URI="{_uri(record_name(line))}"/>',
        *(_reference(name, digest, value) for value, name in listed.items()),
        "</asic:ASiCManifest>",
    ]
    return ("\n".join(lines) + "\n").encode("ascii")


def _reference(name: str, digest: str, value: bytes) -> str:
    return (
        f'<asic:DataObjectReference URI="{_uri(name)}">'
        f'<ds:DigestMethod Algorithm="{_METHODS[digest]}"/>'
        f"<ds:DigestValue>{b64encode(value).decode('ascii')}</ds:DigestValue>"
        "</asic:DataObjectReference>"
    )


def _uri(name: str) -> str:
    return quote(name, safe="/")
