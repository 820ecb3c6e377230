"""Judging an RFC 3161 time-stamp token by its own octets, given trust anchors and a date.

Part of the offline verifier: no network, no pyHanko, no settings.

Rules kept here, in this order (RFC 3161 2.3, 2.4.2; RFC 5816; EN 319 102-1 5.4; standards.md 2.7)
 1. Format: one bounded BER element, SignedData over TSTInfo version 1, exactly one signer.
 2. Content type, message digest, ESSCertID(v2), signature value.
 3. The signer's certificate is for time-stamping: extended key usage critical, id-kp-timeStamping
    alone, a key usage (when stated) that allows signing.
 4. genTime lies within the certificate's validity and not after the instant of judgement, but for
    `CLOCK_TOLERANCE`.
 5. A path to a trust anchor at the instant of judgement, revocation (see `signing.revocation`).
 6. Algorithms, by the table, at genTime and at the instant of judgement.
 * FAILED means malformed or forged; what is merely missing is INDETERMINATE. `assess` never raises
   for bad input.
"""

from __future__ import annotations

import hashlib
from collections import OrderedDict
from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from threading import Lock

from asn1crypto import core, x509

from archive_core.findings import Finding, SubIndication, Verdict
from archive_core.ports import TokenAssessment, ValidationData
from signing.certificate_path import AnchorsNamed, Trust, TrustedPath, check_signing_time
from signing.certificates import load_certificate, name_of, same_name
from signing.cms import CheckedSignature, SignedMessage, check_signed_message, parse_signed_message
from signing.judgement import PARSER_ERRORS, Judgement, reading, unsupported
from signing.suitability import Algorithms, UsedSignature, algorithms_of, check_algorithms
from signing.tst_info import TstInfo, parse_tst_info, peek_gen_time

CLOCK_TOLERANCE = timedelta(minutes=5)
"""How far genTime may lie after the instant of judgement: our own clock may be late by that much."""

_OID_TIME_STAMPING = "1.3.6.1.5.5.7.3.8"
_KNOWN_TST_EXTENSIONS = frozenset({"1.3.6.1.5.5.7.1.3"})
_REMEMBERED = 256


@dataclass(frozen=True)
class _Checked:
    """A token that is intact: steps 1 to 3 passed."""

    message: SignedMessage
    info: TstInfo
    signature: CheckedSignature
    findings: tuple[Finding, ...]


class TokenValidator:
    """A `TimestampValidator` for given trust anchors (DER certificates).

    `test_anchors` are trusted too, and what rests on them is marked `test_trust`. `extra` is
    validation data known anyway, `listed` further anchors by their subject. Results are remembered by token,
    instant and data.
    Raises ValueError when an anchor is not a certificate.
    """

    def __init__(
        self,
        trust_anchors: Sequence[bytes],
        *,
        algorithms: Algorithms,
        test_anchors: Collection[bytes] = (),
        extra: ValidationData | None = None,
        listed: AnchorsNamed | None = None,
    ) -> None:
        self._trust = Trust(trust_anchors, test_anchors, extra, listed=listed)
        self._algorithms = algorithms
        self._remembered: OrderedDict[tuple[bytes, datetime, ValidationData | None], TokenAssessment] = OrderedDict()
        self._lock = Lock()

    def assess(self, token: bytes, *, at: datetime, data: ValidationData | None = None) -> TokenAssessment:
        key = (hashlib.sha512(token).digest(), at, data)
        with self._lock:
            if key in self._remembered:
                self._remembered.move_to_end(key)
                return self._remembered[key]
        assessment = self._judged(token, at, data)
        with self._lock:
            self._remembered[key] = assessment
            while len(self._remembered) > _REMEMBERED:
                self._remembered.popitem(last=False)
        return assessment

    def _judged(self, token: bytes, at: datetime, data: ValidationData | None) -> TokenAssessment:
        try:
            message = parse_signed_message(token)
        except Judgement as judgement:
            return _said(judgement, TokenAssessment(Verdict.FAILED, None, ""))
        known = TokenAssessment(Verdict.FAILED, None, "", gen_time=peek_gen_time(message), findings=message.findings)
        try:
            info = parse_tst_info(message)
            known = replace(known, gen_time=info.gen_time, imprint=info.imprint)
            checked = _intact(message, info, self._more_certificates(data))
            known = replace(known, signer=name_of(checked.signature.certificate), findings=checked.findings)
            path, findings = self._trusted(checked, at, data)
            digests, signatures = _rests_on(checked, path)
        except Judgement as judgement:
            return _said(judgement, known)
        return replace(
            known,
            verdict=Verdict.PASSED,
            message=f"intact, and trusted through {name_of(path.certificates[-1])}",
            test_trust=path.test_trust,
            trusted_until=path.trusted_until,
            findings=checked.findings + findings,
            signer_until=path.signer_until,
            authority_until=path.authority_until,
            digests=digests,
            signatures=signatures,
        )

    def _more_certificates(self, data: ValidationData | None) -> list[x509.Certificate]:
        found: list[x509.Certificate] = []
        for source in (data, self._trust.extra):
            for der in source.certificates if source else ():
                try:
                    found.append(load_certificate(der))
                except PARSER_ERRORS:
                    continue  # reported once, as a finding, where the path is built
        return found

    def _trusted(
        self, checked: _Checked, at: datetime, data: ValidationData | None
    ) -> tuple[TrustedPath, tuple[Finding, ...]]:
        gen_time = checked.info.gen_time
        if gen_time > at + CLOCK_TOLERANCE:
            message = "genTime lies after the instant of judgement"
            raise Judgement(Verdict.INDETERMINATE, SubIndication.TIMESTAMP_ORDER_FAILURE, message)
        check_signing_time(checked.signature.certificate, gen_time)
        control_time = max(at, gen_time)
        message_parts = checked.message
        inside = ValidationData(
            tuple(certificate.dump() for certificate in message_parts.certificates),
            message_parts.crls,
            message_parts.ocsps,
        )
        path, findings = self._trust.path(
            checked.signature.certificate,
            inside=inside,
            data=data,
            table=self._algorithms,
            signed=gen_time,
            at=control_time,
        )
        with reading("the algorithms"):
            check_algorithms(
                self._algorithms,
                _signatures(checked, path),
                (checked.signature.digest, checked.info.imprint_algorithm),
                used=gen_time,
                at=control_time,
            )
        return path, findings


def _signatures(checked: _Checked, path: TrustedPath) -> tuple[UsedSignature, ...]:
    own = (checked.message.signer["signature_algorithm"], checked.signature.certificate.public_key)
    return (own, *path.used)


def _rests_on(checked: _Checked, path: TrustedPath) -> tuple[tuple[str, ...], tuple[tuple[str, int], ...]]:
    """What the token and its path rest on, apart from the imprint's digest, which its tree answers for."""
    with reading("the algorithms"):
        return algorithms_of(_signatures(checked, path), (checked.signature.digest,))


def _said(judgement: Judgement, known: TokenAssessment) -> TokenAssessment:
    return replace(known, verdict=judgement.verdict, sub_indication=judgement.sub_indication, message=judgement.message)


def _intact(message: SignedMessage, info: TstInfo, more: list[x509.Certificate]) -> _Checked:
    """Steps 2 and 3; raises `Judgement`."""
    assert message.content is not None  # parse_tst_info has read it
    signature = check_signed_message(message, message.content, more_certificates=more)
    with reading("the signer's certificate"):
        _check_purpose(signature.certificate)
    if info.imprint is None:
        raise unsupported(f"imprint with {info.imprint_algorithm}")
    findings = message.findings + signature.findings + _remarks(message, info, signature.certificate)
    if unknown := info.critical_extensions - _KNOWN_TST_EXTENSIONS:
        text = f"TSTInfo has critical extensions not known here: {', '.join(sorted(unknown))}"
        raise Judgement(Verdict.INDETERMINATE, SubIndication.UNSUPPORTED, text)
    return _Checked(message, info, signature, findings)


def _check_purpose(certificate: x509.Certificate) -> None:
    """RFC 3161 2.3: extended key usage critical and nothing but time-stamping."""
    usages = certificate.extended_key_usage_value
    if usages is None:
        raise _constraint("the signer's certificate states no extended key usage (RFC 3161 2.3)")
    stated = [usage.dotted for usage in usages]
    if _OID_TIME_STAMPING not in stated:
        raise _constraint("the signer's certificate is not for time-stamping (RFC 3161 2.3)")
    if len(stated) != 1:
        raise _constraint("the signer's certificate is for more than time-stamping (RFC 3161 2.3)")
    if "extended_key_usage" not in certificate.critical_extensions:
        raise _constraint("the signer's extended key usage is not critical (RFC 3161 2.3)")
    usage = certificate.key_usage_value
    if usage is not None and not {"digital_signature", "non_repudiation"} & usage.native:
        raise _constraint("the signer's key usage allows no signatures (RFC 5280 4.2.1.3)")


def _constraint(message: str) -> Judgement:
    return Judgement(Verdict.FAILED, SubIndication.SIG_CONSTRAINTS_FAILURE, message)


def _remarks(message: SignedMessage, info: TstInfo, signer: x509.Certificate) -> tuple[Finding, ...]:
    """What is worth knowing and decides nothing."""
    found: list[Finding] = []
    if message.version != 3 + 2 * bool(message.ocsps):
        text = f"SignedData version {message.version}"
        found.append(Finding("CMS_VERSION", text, clause="RFC 5652 5.1"))
    if message.has_unsigned_attributes:
        found.append(Finding("UNSIGNED_ATTRIBUTES", "the token has unsigned attributes", clause="BSI TR-ESOR-ERS"))
    if info.accuracy is None:
        found.append(Finding("NO_ACCURACY", "the authority states no accuracy", clause="EN 319 422 5.2.3"))
    if info.tsa is not None and not _names(info.tsa, signer):
        found.append(Finding("TSA_NAME", "the tsa field is not a name of the signer", clause="RFC 3161 2.4.2"))
    return tuple(found)


def _names(name: x509.GeneralName, certificate: x509.Certificate) -> bool:
    alternative = certificate.subject_alt_name_value
    if name.name == "directory_name" and same_name(name.chosen, certificate.subject):
        return True
    if alternative is None or isinstance(alternative, core.Void):
        return False
    return any(name.dump() == other.dump() for other in alternative)
