"""The Basis-ERS profile of BSI TR-ESOR-ERS: what a record must be to be read by everybody's tool.

Rules kept here
 * This is a profile, not RFC 4998: what it finds says nothing about the truth of a record. It lints
   what we write, and tells the holder of another record where tools may refuse it.
 * Structure only, read with the bounded reader; no trust, no time.
"""

from __future__ import annotations

from archive_core.errors import MalformedEvidenceError
from archive_core.evidence import der
from archive_core.evidence.coverage import place
from archive_core.evidence.record import ArchiveTimeStamp, EvidenceRecord
from archive_core.evidence.token import TST_INFO, SignedDataParts, read_signed_data
from archive_core.findings import Finding

PROFILE_DIGESTS = frozenset({"sha256", "sha384", "sha512"})

_CONTENT_TYPE = "1.2.840.113549.1.9.3"
_MESSAGE_DIGEST = "1.2.840.113549.1.9.4"
_SIGNING_CERTIFICATE_V2 = "1.2.840.113549.1.9.16.2.47"
_MOST = 10_000


def assess_basis_ers(record: EvidenceRecord) -> list[Finding]:
    """Every departure from the profile; an empty list means that the record keeps it."""
    found: list[Finding] = []
    if record.version != 1:
        found.append(_finding("BASIS_VERSION", f"version is {record.version}, not 1"))
    if record.has_crypto_infos:
        found.append(_finding("BASIS_CRYPTO_INFOS", "cryptoInfos is not omitted"))
    if record.has_encryption_info:
        found.append(_finding("BASIS_ENCRYPTION_INFO", "encryptionInfo is not omitted"))
    for number, chain in enumerate(record.chains):
        for index, stamp in enumerate(chain.stamps):
            found += _assess_stamp(stamp, place(number, index))
    return found


def _assess_stamp(stamp: ArchiveTimeStamp, where: str) -> list[Finding]:
    found = []
    if stamp.has_attributes:
        found.append(_finding("BASIS_ATTRIBUTES", "attributes is not omitted", where))
    if stamp.digest_algorithm not in PROFILE_DIGESTS:
        found.append(_finding("BASIS_DIGEST", f"{stamp.digest_algorithm} is not for new records", where))
    parts = read_signed_data(stamp.token)
    return found + _assess_signed_data(parts, where) + _assess_signers(parts, where)


def _assess_signed_data(parts: SignedDataParts, where: str) -> list[Finding]:
    found = []
    has_ocsp = parts.crls is not None and any(value.tag == der.context(1) for value in _children(parts.crls))
    expected = 5 if has_ocsp else 3
    if (version := der.integer(parts.version)) != expected:
        found.append(_finding("BASIS_CMS_VERSION", f"CMS version is {version}, not {expected}", where))
    for name, field in (
        ("digestAlgorithms", parts.digest_algorithms),
        ("certificates", parts.certificates),
        ("crls", parts.crls),
    ):
        if field is None or not len(field):
            message = f"{name} of the token is empty: its validation data are not inside"
            found.append(_finding("BASIS_VALIDATION_DATA", message, where))
    return found


def _assess_signers(parts: SignedDataParts, where: str) -> list[Finding]:
    signers = _children(parts.signer_infos)
    if len(signers) != 1:
        return [_finding("BASIS_ONE_SIGNER", f"{len(signers)} SignerInfos, not one", where)]
    fields = _children(signers[0])
    found = []
    if any(field.tag == der.context(1) for field in fields[4:]):
        found.append(_finding("BASIS_UNSIGNED_ATTRIBUTES", "the token has unsigned attributes", where))
    signed = next((field for field in fields[3:4] if field.tag == der.context(0)), None)
    if signed is None:
        return [*found, _finding("BASIS_SIGNED_ATTRIBUTES", "the token has no signed attributes", where)]
    return found + _assess_signed_attributes(signed, where)


def _assess_signed_attributes(signed: der.Element, where: str) -> list[Finding]:
    attributes = _children(signed)
    found = []
    encoded = [attribute.raw for attribute in attributes]
    if encoded != sorted(encoded) or not _is_der(signed):
        found.append(_finding("BASIS_SIGNED_ATTRIBUTES", "the signed attributes are not in DER", where))
    values = dict(_attribute(attribute) for attribute in attributes)
    for oid, name in (
        (_CONTENT_TYPE, "content-type"),
        (_MESSAGE_DIGEST, "message-digest"),
        (_SIGNING_CERTIFICATE_V2, "signing-certificate-v2"),
    ):
        if oid not in values:
            found.append(_finding("BASIS_SIGNED_ATTRIBUTES", f"signed attribute {name} is missing", where))
    content_type = values.get(_CONTENT_TYPE)
    if content_type is not None and (content_type.tag != der.OID or der.oid(content_type) != TST_INFO):
        found.append(_finding("BASIS_SIGNED_ATTRIBUTES", "content-type is not TSTInfo", where))
    return found


def _attribute(attribute: der.Element) -> tuple[str, der.Element]:
    """Type and first value of a signed attribute; raises MalformedEvidenceError without either."""
    fields = _children(attribute)
    if len(fields) != 2 or not (values := _children(fields[1])):
        raise der.malformed("an attribute has a type and a value", attribute.start)
    return der.oid(der.expect(fields[0], der.OID, "an attribute type", after=attribute)), values[0]


def _is_der(element: der.Element) -> bool:
    """Whether every length below the element is in its shortest form."""
    try:
        der.check_walkable(element, depth=32, elements=_MOST, minimal=True)
    except MalformedEvidenceError:
        return False
    return True


def _children(element: der.Element) -> list[der.Element]:
    return list(der.children(element, most=_MOST, minimal=False))


def _finding(code: str, message: str, where: str = "") -> Finding:
    return Finding(code, message, where, "BSI TR-03125 TR-ESOR-ERS, Basis-ERS")
