"""What the long-term time-stamps of CAdES cover (EN 319 122-1 5.5.2, 5.5.3; TS 101 733 V2.2.1 6.3, 6.4).

Rules kept here
 * Octets are taken as sent. Where signers are known to have read the text differently (with or without the outer
   tag of a field), each reading's digest is a candidate; one fitting is enough, none is FAILED.
 * Version 3: every entry of the ats-hash-index must be found in the signature, else the time-stamp cannot be judged
   whole. What is in the signature and not in the index is younger than the time-stamp, which is allowed.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime

from asn1crypto import algos, core, tsp

from archive_core.digests import hash_bytes
from archive_core.findings import Finding
from signing import ber
from signing.examination.cms_reading import Attribute, CmsError, SignedData, Signer, parse_signed_data
from signing.examination.cms_values import (
    OID_ARCHIVE_V2,
    OID_ARCHIVE_V3,
    OID_CERTIFICATE_REFERENCES,
    OID_REVOCATION_REFERENCES,
    OID_SIGNATURE_STAMP,
)
from signing.examination.mathematics import MAX_DIRECT, Content
from signing.examination.values import Reference
from signing.judgement import PARSER_ERRORS
from signing.signature_math import digest_name
from signing.tst_info import parse_gen_time

Imprints = Callable[[str], Iterable[bytes]]

_OID_INDEX = "0.4.0.1733.2.5"
_OID_INDEX_V2 = "0.4.0.19122.1.4"
_OID_INDEX_V3 = "0.4.0.19122.1.5"


def _nothing(_: str) -> list[bytes]:
    return []


# -- validation data (CAdES-C, X) -------------------------------------------------------------


def references_imprints(signer: Signer, *, with_signature: bool) -> Imprints:
    """id-aa-ets-escTimeStamp (`with_signature`) or id-aa-ets-certCRLTimestamp (TS 101 733 6.3.5, 6.3.6)."""
    parts = [signer.signature] if with_signature else []
    kinds = (OID_SIGNATURE_STAMP,) if with_signature else ()
    for oid in (*kinds, OID_CERTIFICATE_REFERENCES, OID_REVOCATION_REFERENCES):
        parts += [_without_header(one) for one in signer.unsigned if one.oid == oid]
    return lambda name: [hash_bytes(name, *parts)]


def _without_header(attribute: Attribute) -> bytes:
    """attrType and attrValues without the tag and length of the Attribute."""
    return ber.element(attribute.raw).contents


# -- version 2 --------------------------------------------------------------------------------


def version_2(
    message: SignedData, signer: Signer, content: Content | None, attribute: Attribute, token: bytes
) -> Imprints:
    """id-aa-ets-archiveTimestampV2 (TS 101 733 6.4.1): content, certificates, CRLs and the whole SignerInfo with
    the unsigned attributes that were there when it was made."""
    if content is None:
        return _nothing
    outside = content.read(MAX_DIRECT) if message.content is None else b""
    older = [one for one in signer.unsigned if one is not attribute and not _is_later(one, token)]
    certificates, revocations = message.certificates_raw, message.revocations_raw

    def fitting(name: str) -> Iterable[bytes]:
        for framed in (True, False):
            for tagged_attributes in (False, True):
                parts = [message.content_info_raw, outside]
                parts += _set(0xA0, certificates, framed=framed) + _set(0xA1, revocations, framed=framed)
                parts += signer.fields
                unsigned = b"".join(one.raw for one in older)
                parts.append(ber.tagged(0xA1, unsigned) if tagged_attributes and older else unsigned)
                yield hash_bytes(name, *parts)

    return fitting


def _set(tag: int, items: Sequence[bytes], *, framed: bool) -> list[bytes]:
    if not items:
        return []
    joined = b"".join(items)
    return [ber.tagged(tag, joined) if framed else joined]


def _is_later(attribute: Attribute, token: bytes) -> bool:
    """Whether an archive time-stamp is no older than this one."""
    if attribute.oid not in (OID_ARCHIVE_V2, OID_ARCHIVE_V3):
        return False
    mine, times = _gen_time(token), [_gen_time(value) for value in attribute.values]
    return any(time is not None and mine is not None and time >= mine for time in times)


def _gen_time(token: bytes) -> datetime | None:
    try:
        info = tsp.TSTInfo.load(parse_signed_data(token).content or b"")
        return parse_gen_time(info["gen_time"].contents)
    except PARSER_ERRORS:
        return None


# -- version 3 --------------------------------------------------------------------------------


@dataclass(frozen=True)
class Index:
    """What an archive time-stamp version 3 covers; `findings` and a reference that was not found tell of entries of
    the index that are no longer there."""

    imprints: Imprints
    references: tuple[Reference, ...] = ()
    findings: tuple[Finding, ...] = ()
    digest: str = ""
    attributes: frozenset[bytes] = frozenset()

    def names(self, attribute: Attribute, value: bytes) -> bool:
        """Whether a value of an unsigned attribute is among its entries."""
        return bool(self.attributes) and not self.attributes.isdisjoint(_entries(self.digest, attribute, (value,)))


def version_3(message: SignedData, signer: Signer, content: Content | None, token: bytes) -> Index:
    """EN 319 122-1 5.5.3: content type, digest of the content, the SignerInfo's fields, ats-hash-index."""
    try:
        raw, lists = _hash_index(token)
    except PARSER_ERRORS as error:
        text = f"the ats-hash-index cannot be read: {error}"
        return Index(_never, findings=(Finding("ATS_HASH_INDEX", text, clause="EN 319 122-1 5.5.2"),))
    findings = _missing_entries(message, signer, lists)
    entries = (Reference("ats-hash-index", not findings, not findings, lists.digest, indirect=True),)
    if content is None:
        return Index(_nothing, entries, findings, lists.digest, frozenset(lists.attributes))
    content_type = ber.children(ber.element(message.content_info_raw).contents)[0].raw

    def fitting(name: str) -> Iterable[bytes]:
        yield hash_bytes(name, content_type, content.digest(name), *signer.fields, raw)

    return Index(fitting, entries, findings, lists.digest, frozenset(lists.attributes))


def _never(name: str) -> list[bytes]:
    """Found, and fitting nothing: no digest is empty."""
    return [b""]


@dataclass(frozen=True)
class _Lists:
    digest: str
    certificates: tuple[bytes, ...]
    revocations: tuple[bytes, ...]
    attributes: tuple[bytes, ...]
    oid: str


def _hash_index(token: bytes) -> tuple[bytes, _Lists]:
    """The attribute's value in the token's own unsigned attributes, and its three lists; raises ValueError."""
    signers = parse_signed_data(token).signers
    found = [one for one in signers[0].unsigned if one.oid in (_OID_INDEX, _OID_INDEX_V2, _OID_INDEX_V3)]
    if len(found) != 1 or len(found[0].values) != 1:
        raise CmsError("not exactly one ats-hash-index")
    raw = found[0].values[0]
    parts = ber.children(ber.element(raw).contents)
    digest = "sha256"
    if len(parts) == 4:
        first = parts.pop(0)
        if first.tag == 0x06:
            digest = digest_name(algos.DigestAlgorithm({"algorithm": core.ObjectIdentifier.load(first.raw).dotted}))
        else:
            digest = digest_name(algos.DigestAlgorithm.load(first.raw))
    if len(parts) != 3:
        raise CmsError("the ats-hash-index has not three lists")
    lists = [tuple(item.contents for item in ber.children(part.contents)) for part in parts]
    return raw, _Lists(digest, lists[0], lists[1], lists[2], found[0].oid)


def _entries(name: str, attribute: Attribute, values: Iterable[bytes]) -> Iterator[bytes]:
    """How an index may name an attribute: whole, or each of these values with the attribute's type."""
    yield hash_bytes(name, attribute.raw)
    kind = ber.children(ber.element(attribute.raw).contents)[0].raw
    for value in values:
        yield hash_bytes(name, kind, value)


def _missing_entries(message: SignedData, signer: Signer, lists: _Lists) -> tuple[Finding, ...]:
    name = lists.digest
    certificates = {hash_bytes(name, one) for one in message.certificates_raw}
    revocations = {hash_bytes(name, one) for one in message.revocations_raw}
    attributes = {entry for one in signer.unsigned for entry in _entries(name, one, one.values)}
    gone = [
        (what, len([entry for entry in entries if entry not in there]))
        for what, entries, there in (
            ("certificates", lists.certificates, certificates),
            ("revocation values", lists.revocations, revocations),
            ("unsigned attributes", lists.attributes, attributes),
        )
    ]
    return tuple(
        Finding("ATS_HASH_INDEX", f"{count} {what} that the index names are not there", clause="EN 319 122-1 5.5.2")
        for what, count in gone
        if count
    )
