"""What CRLs and OCSP responses say about one certificate on a path (RFC 5280 6.3, RFC 6960 3.2).

Rules kept here (EN 319 102-1 5.2.5, 5.2.6; ETSI TS 119 172-4)
 * Each list or response is checked by itself for authenticity and scope at the time when it was
   issued; the ones that hold are statements. Nothing is fetched.
 * Revoked at or before the instant of judgement, by any statement: revoked. A hold counts only in
   the newest statement, because it can be lifted.
 * "Not revoked" needs a fresh statement. For the signer: issued at or after the time of signing, or
   current at the instant of judgement; the latter does not do where the caller is strict (Reg. (EU) 2025/1946:
   freshness 0). For certificates above it: not outdated at the time of signing.
   Times in lists have whole seconds, so the time of signing is cut to its second.
 * A list issued after the certificate ended says nothing about it, unless it says that it keeps
   expired certificates (expiredCertsOnCRL).
 * No statement that counts: TRY_LATER. Exempt are only certificates that say so themselves
   (noRevAvail, RFC 9608; validity-assured short-term, EN 319 412-1 5.2). A certificate that merely
   names no place for revocation data is not exempt: EN 319 102-1 knows no such case.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from asn1crypto import algos, core, crl, keys, ocsp, x509
from cryptography.exceptions import InvalidSignature
from pyhanko_certvalidator.context import ValidationContext
from pyhanko_certvalidator.errors import (
    AlgorithmNotSupported,
    CRLValidationError,
    OCSPValidationError,
    PathError,
    RevokedError,
    ValidationError,
)
from pyhanko_certvalidator.ltv.types import ValidationTimingInfo, ValidationTimingParams
from pyhanko_certvalidator.path import ValidationPath
from pyhanko_certvalidator.policy_decl import (
    NO_REVOCATION,
    AcceptAllAlgorithms,
    CertRevTrustPolicy,
    FreshnessReqType,
)
from pyhanko_certvalidator.registry import TrustManager
from pyhanko_certvalidator.revinfo.archival import CRLContainer, OCSPContainer
from pyhanko_certvalidator.revinfo.validate_crl import verify_crl
from pyhanko_certvalidator.revinfo.validate_ocsp import verify_ocsp_response
from pyhanko_certvalidator.sig_validate import (
    DEFAULT_VALIDATION_CONTEXT,
    SignatureValidationContext,
    SignatureValidator,
)

from archive_core.findings import SubIndication, Verdict, utc_text
from signing import ber
from signing.certificates import name_of
from signing.judgement import PARSER_ERRORS, Judgement
from signing.lately import Lately
from signing.signature_math import UnsupportedAlgorithmError, check_signature
from signing.suitability import Algorithms, UsedSignature, check_algorithms

MAX_ITEMS = 200
"""Lists and responses that are looked at for one token."""

_LONG_AGO = datetime(1970, 1, 1, tzinfo=UTC)
_OID_NO_REV_AVAIL = "2.5.29.56"
_OID_VALIDITY_ASSURED = "0.4.0.194121.2.1"
_OID_EXPIRED_CERTS_ON_CRL = "2.5.29.60"
_OID_BASIC_OCSP = "1.3.6.1.5.5.7.48.1.1"


class RecordingSignatureValidator(SignatureValidator):
    """Checks signatures with our own mathematics and remembers what was used."""

    def __init__(self) -> None:
        self.used: list[UsedSignature] = []
        self.unsupported: list[str] = []

    def validate_signature(
        self,
        signature: bytes,
        signed_data: bytes,
        public_key_info: keys.PublicKeyInfo,
        signature_algorithm: algos.SignedDigestAlgorithm,
        context: SignatureValidationContext = DEFAULT_VALIDATION_CONTEXT,
    ) -> None:
        try:
            check_signature(public_key_info, signature_algorithm, signature, signed_data)
        except UnsupportedAlgorithmError as error:
            self.unsupported.append(str(error))
            raise AlgorithmNotSupported(str(error)) from error
        except PARSER_ERRORS as error:
            raise InvalidSignature(str(error)) from error
        self.used.append((signature_algorithm, public_key_info))


@dataclass(frozen=True)
class RevocationItem:
    """A CRL, or one response out of an OCSP answer, with its times."""

    source: CRLContainer | OCSPContainer
    issued: datetime
    next_update: datetime | None

    @property
    def kind(self) -> str:
        return "CRL" if isinstance(self.source, CRLContainer) else "OCSP response"


@dataclass(frozen=True)
class _Statement:
    item: RevocationItem
    revoked: datetime | None
    reason: str
    weakness: Judgement | None
    """Why its signature does not count any more, if so. Weak algorithms never make a revocation go away."""


def read_items(crls: Iterable[bytes], ocsps: Iterable[bytes]) -> tuple[tuple[RevocationItem, ...], tuple[str, ...]]:
    """Readable items, newest first, and what could not be read. OCSP may be OCSPResponse or BasicOCSPResponse."""
    items: list[RevocationItem] = []
    unreadable: list[str] = []
    for der in dict.fromkeys(crls):
        try:
            items.append(_crl(der))
        except PARSER_ERRORS as error:
            unreadable.append(f"a CRL cannot be read: {error}")
    for der in dict.fromkeys(ocsps):
        try:
            items.extend(_read_ocsp(der))
        except PARSER_ERRORS as error:
            unreadable.append(f"an OCSP response cannot be read: {error}")
    items.sort(key=lambda item: item.issued, reverse=True)
    if len(items) > MAX_ITEMS:
        unreadable.append(f"{len(items) - MAX_ITEMS} CRLs and OCSP responses beyond {MAX_ITEMS} were left aside")
    return tuple(items[:MAX_ITEMS]), tuple(unreadable)


def _read_crl(der: bytes) -> RevocationItem:
    ber.scan(der, max_elements=ber.MAX_LIST_ELEMENTS)
    parsed = crl.CertificateList.load(der, strict=True)
    body = parsed["tbs_cert_list"]
    _ = parsed.issuer.hashable, parsed["signature"].native, body["crl_extensions"].native
    return RevocationItem(CRLContainer(parsed), body["this_update"].native, body["next_update"].native)


_crl = Lately(_read_crl, 64)
"""The tokens of one authority come with the same few lists."""


def _read_ocsp(der: bytes) -> list[RevocationItem]:
    ber.scan(der)
    if ber.children(ber.element(der).contents)[0].tag == 0x30:  # the BasicOCSPResponse alone
        inner = core.ObjectIdentifier(_OID_BASIC_OCSP).dump() + ber.tagged(0x04, der)
        der = ber.tagged(0x30, b"\x0a\x01\x00" + ber.tagged(0xA0, ber.tagged(0x30, inner)))
    found: list[RevocationItem] = []
    for container in OCSPContainer.load_multi(ocsp.OCSPResponse.load(der, strict=True)):
        single = container.extract_single_response()
        if single is not None:
            found.append(RevocationItem(container, single["this_update"].native, single["next_update"].native))
    return found


async def check_not_revoked(
    certificate: x509.Certificate,
    path: ValidationPath,
    trust: TrustManager,
    certificates: Sequence[x509.Certificate],
    items: Iterable[RevocationItem],
    table: Algorithms,
    *,
    signed: datetime,
    at: datetime,
    is_signer: bool,
    strict: bool = False,
) -> None:
    """Raises `Judgement` unless the certificate was not revoked at `at`, by the rules above."""
    if is_exempt(certificate):
        return
    statements: list[_Statement] = []
    for item in items:
        statement = await _statement(certificate, path, trust, certificates, item, table, at)
        if statement is not None:
            statements.append(statement)
    whom = f"the {'signer' if is_signer else 'CA'} certificate {name_of(certificate)!r}"
    for index, statement in enumerate(statements):  # newest first
        holds = statement.reason == "certificate_hold" and index > 0
        if statement.revoked is not None and statement.revoked <= at and not holds:
            raise _revoked(statement.revoked, statement.reason, whom, signed, is_signer)
    since = signed.replace(microsecond=0)
    fresh = [statement for statement in statements if _is_fresh(statement.item, since, at, is_signer, strict)]
    if any(statement.weakness is None for statement in fresh):
        return
    if fresh:
        assert fresh[0].weakness is not None
        raise fresh[0].weakness
    message = (
        f"revocation data about {whom} is older than what it signed" if statements else f"no revocation data for {whom}"
    )
    raise Judgement(Verdict.INDETERMINATE, SubIndication.TRY_LATER, message)


def _is_fresh(item: RevocationItem, since: datetime, at: datetime, is_signer: bool, strict: bool) -> bool:
    current_until = item.next_update or item.issued
    if is_signer:
        return item.issued >= since or (not strict and item.issued <= at <= current_until)
    return current_until >= since


def _revoked(when: datetime, reason: str, whom: str, signed: datetime, is_signer: bool) -> Judgement:
    message = f"{whom} was revoked at {utc_text(when)} ({reason.replace('_', ' ')})"
    if not is_signer:
        return Judgement(Verdict.INDETERMINATE, SubIndication.REVOKED_CA_NO_POE, message)
    if signed >= when:
        return Judgement(Verdict.FAILED, SubIndication.REVOKED, f"{message}, before it signed")
    return Judgement(Verdict.INDETERMINATE, SubIndication.REVOKED_NO_POE, message)


def is_exempt(certificate: x509.Certificate) -> bool:
    stated = {str(extension["extn_id"].dotted) for extension in certificate["tbs_certificate"]["extensions"]}
    return _OID_NO_REV_AVAIL in stated or _OID_VALIDITY_ASSURED in stated


async def _statement(
    certificate: x509.Certificate,
    path: ValidationPath,
    trust: TrustManager,
    certificates: Sequence[x509.Certificate],
    item: RevocationItem,
    table: Algorithms,
    at: datetime,
) -> _Statement | None:
    """What one item says about the certificate, or None when it says nothing that counts."""
    if item.issued > certificate.not_valid_after and not _keeps_expired(item, certificate):
        return None
    signatures = RecordingSignatureValidator()
    context = _context_of(item, trust, certificates, signatures)
    try:
        if isinstance(item.source, CRLContainer):
            await verify_crl(certificate, path, context)
        else:
            await verify_ocsp_response(certificate, path, context)
        revoked, reason = None, ""
    except RevokedError as error:
        revoked, reason = error.revocation_dt, str(error.reason.native)
    except (CRLValidationError, OCSPValidationError, ValidationError, PathError, *PARSER_ERRORS):
        return None  # about another certificate, not authentic, or not complete: no statement
    return _Statement(item, revoked, reason, _weakness(signatures, item, table, at))


def _weakness(
    signatures: RecordingSignatureValidator, item: RevocationItem, table: Algorithms, at: datetime
) -> Judgement | None:
    try:
        check_algorithms(table, signatures.used, (), used=item.issued, at=at)
    except Judgement as judgement:
        return judgement
    return None


def _context_of(
    item: RevocationItem,
    trust: TrustManager,
    certificates: Sequence[x509.Certificate],
    signatures: RecordingSignatureValidator,
) -> ValidationContext:
    """A context that knows this item alone, sees the paths of its issuer as of its own time, and reports every
    revocation whatever its date."""
    is_crl = isinstance(item.source, CRLContainer)
    context = ValidationContext(
        trust_manager=trust,
        other_certs=certificates,
        moment=item.issued,
        crls=[item.source] if is_crl else [],
        ocsps=[] if is_crl else [item.source],
        revinfo_policy=CertRevTrustPolicy(
            NO_REVOCATION, freshness=timedelta(0), freshness_req_type=FreshnessReqType.TIME_AFTER_SIGNATURE
        ),
        algorithm_usage_policy=AcceptAllAlgorithms(),
        signature_validator=signatures,
    )
    timing = ValidationTimingInfo(item.issued, best_signature_time=_LONG_AGO, point_in_time_validation=False)
    context.timing_params = ValidationTimingParams(timing, time_tolerance=timedelta(seconds=1))
    return context


def _keeps_expired(item: RevocationItem, certificate: x509.Certificate) -> bool:
    if not isinstance(item.source, CRLContainer):
        return False
    for extension in item.source.crl_data["tbs_cert_list"]["crl_extensions"]:
        if extension["extn_id"].dotted == _OID_EXPIRED_CERTS_ON_CRL:
            kept_from = core.GeneralizedTime.load(extension["extn_value"].contents).native
            return bool(kept_from <= certificate.not_valid_after)
    return False


def ocsp_serial_numbers(der: bytes) -> set[int]:
    """The serial numbers of the certificates that an OCSP response (or the BasicOCSPResponse alone) is about;
    none for one that cannot be read."""
    try:
        items = _read_ocsp(der)
    except PARSER_ERRORS:
        return set()
    found: set[int] = set()
    for item in items:
        single = item.source.extract_single_response() if isinstance(item.source, OCSPContainer) else None
        if single is not None:
            found.add(int(single["cert_id"]["serial_number"].native))
    return found
