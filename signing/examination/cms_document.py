"""A CMS document by itself: CAdES (attached or detached), data-box messages (ZFO), time-stamp tokens.

Rules kept here
 * DER, BER, PEM armour and bare base64 are read; which one it was is not part of what is signed.
 * A SignedData over TSTInfo is a time-stamp and not a signature; so is the token inside a TimeStampResp.
 * A detached signature is over exactly one document. Where several are given, the one whose digest fits is taken.
 * An evidence record and a certificate are named and not examined here.
"""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime

from asn1crypto import core, tsp

from archive_core.findings import Finding
from signing import ber
from signing.cms import OID_SIGNED_DATA, OID_TST_INFO
from signing.examination.cms_reading import (
    MAX_CMS,
    CmsError,
    SignedData,
    content_type_of,
    parse_signed_data,
)
from signing.examination.cms_signatures import Surroundings, examine_cms
from signing.examination.documents import Document, TooLargeError
from signing.examination.mathematics import OID_MESSAGE_DIGEST
from signing.examination.stamping import Stamp, examine_stamps
from signing.examination.trust import ExaminationTrust
from signing.examination.values import (
    Coverage,
    DocumentFormat,
    Examination,
    TimestampKind,
    not_examined,
)
from signing.examination.zfo import is_data_box_message, with_message_checks
from signing.judgement import PARSER_ERRORS
from signing.signature_math import digest_name

_PEM = re.compile(rb"-----BEGIN ([A-Z0-9 #]+)-----(.*?)-----END \1-----", re.DOTALL)
_BASE64 = re.compile(rb"[A-Za-z0-9+/=\s]+")


def recognises(head: bytes) -> bool:
    """A SEQUENCE, PEM armour of one, or its base64."""
    begin = head.lstrip()[:64]
    if begin.startswith((b"-----BEGIN CMS", b"-----BEGIN PKCS", b"-----BEGIN TIMESTAMP", b"-----BEGIN TS")):
        return True
    return head[:1] == b"\x30" or (begin[:2] in (b"MI", b"MH") and _BASE64.fullmatch(head) is not None)


def examine(document: Document, *, detached: Sequence[Document], trust: ExaminationTrust, at: datetime) -> Examination:
    """Never raises for bad input."""
    try:
        octets = _binary(document.read(MAX_CMS))
    except TooLargeError as error:
        return not_examined(document.name, DocumentFormat.CMS, f"not examined: {error}", at=at, size=document.size)
    kind = content_type_of(octets[:64])
    if kind not in (OID_SIGNED_DATA, None):
        reason = f"not examined: CMS content type {kind}, which holds no signatures that can be read"
        return not_examined(document.name, DocumentFormat.CMS, reason, at=at, size=document.size)
    if kind is None:
        return _other(document, octets, detached, trust, at)
    try:
        message = parse_signed_data(octets)
    except CmsError as error:
        return replace(
            not_examined(document.name, DocumentFormat.CMS, f"not examined: {error}", at=at, size=document.size),
            findings=(Finding("CMS_UNREADABLE", str(error), clause="RFC 5652 5.1"),),
        )
    if message.content_type == OID_TST_INFO:
        return _token(document, octets, detached, trust, at)
    return _signed(document, message, detached, trust, at)


def _binary(octets: bytes) -> bytes:
    """Without PEM armour and base64."""
    if octets[:1] == b"\x30":
        return octets
    armoured = _PEM.search(octets)
    text = armoured[2] if armoured else octets
    try:
        return base64.b64decode(b"".join(text.split()), validate=True)
    except (binascii.Error, ValueError):
        return octets


def _signed(
    document: Document, message: SignedData, detached: Sequence[Document], trust: ExaminationTrust, at: datetime
) -> Examination:
    kind = DocumentFormat.CMS
    findings: tuple[Finding, ...] = ()
    content: Document | None
    if message.content is not None:
        content = Document("content", message.content)
        around = Surroundings(coverage=Coverage.WHOLE, covers=("encapsulated content",))
    else:
        content = _detached_content(message, detached)
        covers = (content.name,) if content is not None else ("detached data",)
        around = Surroundings(coverage=Coverage.DETACHED, covers=covers)
    if not message.signers:
        findings = (Finding("NO_SIGNERS", "the SignedData has no signer", clause="RFC 5652 5.1"),)
    signatures = examine_cms(message, content, trust=trust, at=at, around=around)
    examination = Examination(
        document.name,
        kind,
        examined=True,
        at=at,
        signatures=signatures,
        evidence_records=sum(one.evidence_records for one in signatures),
        size=document.size,
        findings=findings,
    )
    if message.content is not None and is_data_box_message(message.content):
        return with_message_checks(examination, message.content, trust=trust, at=at)
    return examination


def _detached_content(message: SignedData, detached: Sequence[Document]) -> Document | None:
    """The document whose digest the first signer states; else the only one given, else the first."""
    for signer in message.signers if len(detached) > 1 else ():
        for value in signer.values(OID_MESSAGE_DIGEST):
            try:
                assert signer.info is not None
                name = digest_name(signer.info["digest_algorithm"])
                stated = core.OctetString.load(value).native
                fitting = next((one for one in detached if one.digest(name) == stated), None)
            except PARSER_ERRORS:
                continue
            if fitting is not None:
                return fitting
    return detached[0] if detached else None


# -- time-stamps ------------------------------------------------------------------------------


def _token(
    document: Document, token: bytes, detached: Sequence[Document], trust: ExaminationTrust, at: datetime
) -> Examination:
    stamp = Stamp(
        "time-stamp",
        TimestampKind.ALONE,
        token,
        lambda name: [one.digest(name) for one in detached],
        covers=", ".join(one.name for one in detached) or "detached data",
    )
    timestamps = examine_stamps([stamp], trust=trust, at=at)
    return Examination(
        document.name, DocumentFormat.TIMESTAMP, examined=True, at=at, timestamps=timestamps, size=document.size
    )


def _other(
    document: Document, octets: bytes, detached: Sequence[Document], trust: ExaminationTrust, at: datetime
) -> Examination:
    """ASN.1 that is no ContentInfo: a TimeStampResp, an evidence record, anything else."""
    token = _response_token(octets)
    if token is not None:
        return _token(document, token, detached, trust, at)
    if _looks_like_record(octets):
        reason = "not examined: an evidence record (RFC 4998), which `trusted-archive-verify --record` judges"
        return not_examined(document.name, DocumentFormat.EVIDENCE_RECORD, reason, at=at, size=document.size)
    reason = "not examined: ASN.1 that is neither signed data nor a time-stamp"
    return not_examined(document.name, DocumentFormat.UNKNOWN, reason, at=at, size=document.size)


def _response_token(octets: bytes) -> bytes | None:
    """The token of a TimeStampResp (RFC 3161 2.4.2), sliced as sent."""
    try:
        ber.scan(octets)
        parts = ber.children(ber.element(octets).contents)
        if len(parts) != 2 or parts[1].tag != 0x30 or content_type_of(parts[1].raw[:64]) != OID_SIGNED_DATA:
            return None
        _ = tsp.PKIStatusInfo.load(parts[0].raw, strict=True).native
    except PARSER_ERRORS:
        return None
    return parts[1].raw


def _looks_like_record(octets: bytes) -> bool:
    """EvidenceRecord: version INTEGER, then a SEQUENCE of digest algorithms (RFC 4998 3.1)."""
    try:
        parts = ber.children(ber.element(octets).contents)
        oids = [
            core.ObjectIdentifier.load(ber.children(one.contents)[0].raw) for one in ber.children(parts[1].contents)
        ]
    except PARSER_ERRORS:
        return False
    return len(parts) >= 3 and parts[0].raw == b"\x02\x01\x01" and parts[1].tag == 0x30 and bool(oids)
