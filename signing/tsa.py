"""The RFC 3161 client: asks one time-stamp authority and believes nothing that does not echo.

Rules kept here (RFC 3161 2.2, 2.4.2; standards.md TSP-01)
 * Every request has a fresh random nonce of 128 bits, asks for the certificate, and names the policy
   when one is configured.
 * A token is handed out only when status, imprint (algorithm and value), nonce and policy are those
   asked for, the signer's certificate is inside, named by more than SHA-1 (ESSCertIDv2, RFC 5816) and the
   signature is mathematically good; where an accuracy is asked for, it is stated and no worse (EN 319 421).
   Anything else is `TimestampRefusedError`, saying which rule it broke.
 * The token's octets are sliced out of the answer and never re-encoded.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable
from datetime import timedelta
from typing import NoReturn

from asn1crypto import core, tsp

from archive_core.digests import OID_OF_DIGEST, Digest
from archive_core.errors import TimestampAuthorityUnavailableError, TimestampRefusedError
from archive_core.ports import TimestampToken, ValidationData
from signing import ber
from signing.cms import SignedMessage, check_signed_message, parse_signed_message
from signing.judgement import Judgement
from signing.tst_info import TstInfo, parse_tst_info

MAX_ANSWER = 1024 * 1024
"""Bytes of an answer that are looked at; a token with chain and revocation data stays far below."""

NONCE_BITS = 128

_STATUS = {
    0: "granted",
    1: "grantedWithMods",
    2: "rejection",
    3: "waiting",
    4: "revocationWarning",
    5: "revocationNotification",
}


class TsaClient:
    """A `TimestampAuthority` that is reached through `transport`.

    `transport` takes a DER TimeStampReq and returns a DER TimeStampResp; it raises
    `TimestampAuthorityUnavailableError` (or an OSError, which becomes one).
    `policy` is the dotted identifier of the policy that tokens must state, or None for any.
    `validation_source` collects chain and revocation data for a token. `accuracy` is the worst that tokens may state.
    """

    def __init__(
        self,
        name: str,
        transport: Callable[[bytes], bytes],
        *,
        policy: str | None = None,
        test_trust: bool = False,
        validation_source: Callable[[bytes], ValidationData] | None = None,
        accuracy: timedelta | None = None,
    ) -> None:
        self._name = name
        self._accuracy = accuracy
        self._transport = transport
        self._policy = policy
        self._test_trust = test_trust
        self._validation_source = validation_source or certificates_inside

    @property
    def name(self) -> str:
        return self._name

    @property
    def test_trust(self) -> bool:
        return self._test_trust

    def timestamp(self, imprint: Digest) -> TimestampToken:
        nonce = secrets.randbits(NONCE_BITS)
        answer = self._ask(build_request(imprint, nonce=nonce, policy=self._policy))
        token = self._granted_token(answer)
        info = self._echo_checked(token, imprint, nonce)
        return TimestampToken(token, imprint, info.gen_time, self._name, self._test_trust)

    def validation_data(self, token: bytes) -> ValidationData:
        return self._validation_source(token)

    def _ask(self, request: bytes) -> bytes:
        try:
            return self._transport(request)
        except OSError as error:
            raise TimestampAuthorityUnavailableError(
                f"time-stamp authority {self._name} does not answer: {error}", tsa=self._name
            ) from error

    def _granted_token(self, answer: bytes) -> bytes:
        if len(answer) > MAX_ANSWER:
            self._refuse("size", f"the answer has more than {MAX_ANSWER} bytes")
        try:
            ber.scan(answer, max_size=MAX_ANSWER)
            outer = ber.element(answer)
            parts = ber.children(outer.contents)
            status, text = _status(parts[0])
        except (ValueError, IndexError, TypeError) as error:
            self._refuse("format", f"the answer is not a TimeStampResp: {error}", error)
        if outer.tag != 0x30 or len(parts) > 2:
            self._refuse("format", "the answer is not a TimeStampResp")
        if status not in (0, 1):
            self._refuse("status", f"the answer is {_STATUS.get(status, 'of no known status')}{text}")
        if len(parts) != 2:
            self._refuse("format", "the answer grants a time-stamp without holding one")
        return parts[1].raw

    def _echo_checked(self, token: bytes, imprint: Digest, nonce: int) -> TstInfo:
        try:
            message = parse_signed_message(token)
            info = parse_tst_info(message)
        except Judgement as judgement:
            self._refuse("format", judgement.message, judgement)
        if info.imprint is None or info.imprint.algorithm != imprint.algorithm:
            self._refuse("imprint", f"the token is over a {info.imprint_algorithm} digest, not {imprint.algorithm}")
        if info.imprint != imprint:
            self._refuse("imprint", "the token is over another digest")
        if info.nonce != nonce:
            self._refuse("nonce", "the token has no nonce" if info.nonce is None else "the token has another nonce")
        if self._policy is not None and info.policy != self._policy:
            self._refuse("policy", f"the token is under policy {info.policy}, not {self._policy}")
        self._check_accuracy(info)
        self._check_signer(message)
        return info

    def _check_accuracy(self, info: TstInfo) -> None:
        if self._accuracy is None:
            return
        if info.accuracy is None:
            self._refuse("accuracy", "the token states no accuracy")
        if info.accuracy > self._accuracy:
            stated, asked = info.accuracy.total_seconds(), self._accuracy.total_seconds()
            self._refuse("accuracy", f"the token is accurate to {stated:g} s, not to {asked:g} s")

    def _check_signer(self, message: SignedMessage) -> None:
        if not message.certificates:
            self._refuse("certificate", "the token has no certificate inside, although it was asked for")
        try:
            signature = check_signed_message(message, message.content or b"")
        except Judgement as judgement:
            self._refuse("signer", judgement.message, judgement)
        if any(finding.code == "ESS_CERT_ID_V1" for finding in signature.findings):
            self._refuse("signer", "the token names its signer by SHA-1 only (RFC 5816 2.2.1 has ESSCertIDv2)")

    def _refuse(self, rule: str, message: str, cause: Exception | None = None) -> NoReturn:
        raise TimestampRefusedError(
            f"time-stamp authority {self._name}: {message}", tsa=self._name, rule=rule
        ) from cause


def build_request(imprint: Digest, *, nonce: int | None, policy: str | None = None) -> bytes:
    """A DER TimeStampReq over an imprint, asking for the certificate."""
    request = tsp.TimeStampReq(
        {
            "version": "v1",
            "message_imprint": {
                "hash_algorithm": {"algorithm": OID_OF_DIGEST[imprint.algorithm]},
                "hashed_message": imprint.value,
            },
            "cert_req": True,
        }
    )
    if policy is not None:
        request["req_policy"] = policy
    if nonce is not None:
        request["nonce"] = nonce
    return bytes(request.dump())


def certificates_inside(token: bytes) -> ValidationData:
    """The certificates, CRLs and OCSP responses that a token carries itself; raises `Judgement`."""
    message = parse_signed_message(token)
    return ValidationData(tuple(c.dump() for c in message.certificates), message.crls, message.ocsps)


def _status(info: ber.Element) -> tuple[int, str]:
    """PKIStatus, and what the authority says about it (bounded, as text of unknown origin)."""
    if info.tag != 0x30:
        raise ValueError("no PKIStatusInfo")
    fields = ber.children(info.contents)
    status = int(core.Integer.load(fields[0].raw, strict=True).native)
    said: list[str] = []
    for field in fields[1:]:
        if field.tag == 0x30:
            said += [element.contents.decode("utf-8", "replace") for element in ber.children(field.contents)]
        elif field.tag == 0x03:
            said += sorted(tsp.PKIFailureInfo.load(field.raw).native)
    return status, "".join(f"; {text[:200]!r}" for text in said[:5])
