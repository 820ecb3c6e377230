"""Czech data-box messages: what the CMS around a message does not say by itself (ISDS, Act 300/2008).

Rules kept here
 * `dmHash` is the digest of the octets from `<…dmDm` to `</…dmDm>` exactly as they stand: nothing is parsed and
   written again before it is digested.
 * The XML is read without DTD, entities and network; what is looked for is looked for once.
 * The embedded time-stamp covers `dmHash`; it is a time-stamp of the document.
 * A delivery info has no attachments inside, so its `dmHash` cannot be recomputed: told, not failed.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import re
from dataclasses import dataclass, replace
from datetime import datetime

from lxml import etree

from archive_core.findings import Finding, SubIndication, Verdict
from signing import ber
from signing.examination.stamping import Stamp, examine_stamps
from signing.examination.trust import ExaminationTrust
from signing.examination.values import (
    DocumentFormat,
    Examination,
    Reference,
    SignatureExamination,
    TimestampExamination,
    TimestampKind,
)

_NAMESPACE = b"http://isds.czechpoint.cz/v20"
_OPEN = re.compile(rb"<((?:[A-Za-z_][\w.-]*:)?)dmDm(?=[\s>/])")
_ALGORITHMS = {
    "SHA-1": "sha1",
    "SHA-256": "sha256",
    "SHA-384": "sha384",
    "SHA-512": "sha512",
}
_HEAD = 4096
_CLAUSE = "ISDS WS, dmHash"


def is_data_box_message(content: bytes) -> bool:
    """Whether the signed content is an ISDS message or delivery info."""
    return _NAMESPACE in content[:_HEAD] and content.lstrip()[:1] == b"<"


@dataclass(frozen=True)
class _Stated:
    """What the message says: its hash and the token over it."""

    algorithm: str
    value: bytes
    token: bytes | None
    is_delivery_info: bool


def with_message_checks(
    examination: Examination, content: bytes, *, trust: ExaminationTrust, at: datetime
) -> Examination:
    """The examination of the CMS, with `dmHash` and the message's own time-stamp. A hash that does not fit fails
    every signature over the message: what is sealed contradicts itself."""
    examination = replace(examination, format=DocumentFormat.ZFO)
    try:
        stated = _stated(content)
    except (etree.XMLSyntaxError, ValueError, binascii.Error) as error:
        finding = Finding("ZFO_UNREADABLE", f"the message inside cannot be read: {error}", clause=_CLAUSE)
        return replace(examination, complete=False, findings=(*examination.findings, finding))
    actual = None if stated.is_delivery_info else _message_digest(content, stated.algorithm)
    reference = Reference(
        "dmHash", actual is not None, actual is not None and hmac.compare_digest(actual, stated.value), stated.algorithm
    )
    findings = list(examination.findings)
    signatures = examination.signatures
    if stated.is_delivery_info:
        text = "a delivery info: dmHash can only be compared with that of the message"
        findings.append(Finding("ZFO_DELIVERY_INFO", text, clause=_CLAUSE))
    elif actual is None:
        text = "the message has no dmDm element, so dmHash cannot be recomputed"
        findings.append(Finding("ZFO_NO_MESSAGE", text, clause=_CLAUSE))
        signatures = tuple(_unfound(one, reference) for one in signatures)
    elif not reference.intact:
        findings.append(Finding("ZFO_HASH", "dmHash is not the digest of the message", clause=_CLAUSE))
        signatures = tuple(_broken(one, reference) for one in signatures)
    else:
        signatures = tuple(replace(one, references=(*one.references, reference)) for one in signatures)
    timestamps = _timestamps(stated, actual, trust, at)
    return replace(examination, signatures=signatures, timestamps=timestamps, findings=tuple(findings))


def _stated(content: bytes) -> _Stated:
    parser = etree.XMLParser(
        resolve_entities=False, no_network=True, load_dtd=False, dtd_validation=False, huge_tree=True
    )
    root = etree.fromstring(content, parser)
    if str(getattr(root.getroottree().docinfo, "doctype", "")):
        raise ValueError("it has a document type declaration")
    hashes, tokens = _elements(root, "dmHash"), _elements(root, "dmQTimestamp")
    if len(hashes) != 1:
        raise ValueError(f"{len(hashes)} dmHash elements where one is needed")
    name = str(hashes[0].get("algorithm", ""))
    if name not in _ALGORITHMS:
        raise ValueError(f"dmHash with the algorithm {name[:40]!r}")
    value = base64.b64decode("".join((hashes[0].text or "").split()), validate=True)
    if len(tokens) > 1:
        raise ValueError(f"{len(tokens)} dmQTimestamp elements")
    token = base64.b64decode("".join((tokens[0].text or "").split()), validate=True) if tokens else None
    kind = etree.QName(root).localname
    padded = ber.first_element(token)[0] if token else None  # tokens stand there with zero octets behind them
    return _Stated(_ALGORITHMS[name], value, padded, "DeliveryInfo" in kind)


def _elements(root: etree._Element, name: str) -> list[etree._Element]:
    return [one for one in root.iter(f"{{*}}{name}") if isinstance(one.tag, str)]


def _message_digest(content: bytes, algorithm: str) -> bytes | None:
    begin = _OPEN.search(content)
    if begin is None:
        return None
    closing = b"</" + begin[1] + b"dmDm>"
    end = content.rfind(closing)
    if end < begin.start():
        return None
    return hashlib.new(algorithm, memoryview(content)[begin.start() : end + len(closing)]).digest()


def _timestamps(
    stated: _Stated, actual: bytes | None, trust: ExaminationTrust, at: datetime
) -> tuple[TimestampExamination, ...]:
    if stated.token is None:
        return ()
    value = stated.value if actual is None else actual
    stamp = Stamp(
        "message time-stamp",
        TimestampKind.CONTENT,
        stated.token,
        lambda name: [value] if name == stated.algorithm else [],
        covers="dmHash of the message" if actual is not None else "dmHash as stated",
    )
    return examine_stamps([stamp], trust=trust, at=at)


def _broken(signature: SignatureExamination, reference: Reference) -> SignatureExamination:
    return replace(
        signature,
        references=(*signature.references, reference),
        verdict=Verdict.FAILED,
        sub_indication=SubIndication.HASH_FAILURE,
        message="dmHash is not the digest of the message",
    )


def _unfound(signature: SignatureExamination, reference: Reference) -> SignatureExamination:
    if signature.verdict is Verdict.FAILED:
        return replace(signature, references=(*signature.references, reference))
    return replace(
        signature,
        references=(*signature.references, reference),
        verdict=Verdict.INDETERMINATE,
        sub_indication=SubIndication.SIGNED_DATA_NOT_FOUND,
        message="the message that dmHash is about was not found",
    )
