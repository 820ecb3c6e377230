"""Judging a seal in JSON (JWS, JAdES baseline B) over the payload inside it (TS 119 182-1; EN 319 102-1 5.3).

Rules kept here
 * One signature, payload inside, the signer named by `x5t#S256` and first in `x5c`.
 * Validity and revocation are judged at the caller's `at`, as those of a CAdES seal (`seal_validation`).
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
from dataclasses import replace
from datetime import datetime

from asn1crypto import x509

from archive_core.findings import SubIndication, Verdict
from archive_core.ports import SealAssessment, ValidationData
from signing.certificates import load_certificate, name_of
from signing.judgement import PARSER_ERRORS, Judgement, malformed, reading, unsupported
from signing.jws import Jws, JwsError, digest_of, encoded, fits, identifier, parse_jws
from signing.seal_validation import AnchoredVerifier, check_purpose, refused, trusted
from signing.signature_math import UnsupportedAlgorithmError
from signing.suitability import check_algorithms

MAX_CHAIN = 20


class JsonSealVerifier(AnchoredVerifier):
    """For given trust anchors (DER certificates); see `SealVerifier`."""

    def assess_json_seal(
        self, seal: bytes, content: bytes, *, at: datetime, data: ValidationData | None = None
    ) -> SealAssessment:
        """Never raises for bad input."""
        known = SealAssessment(Verdict.FAILED, None, "")
        try:
            jws, inside = _parsed(seal)
            certificate = load_certificate(inside[0])
            known = replace(known, signer=name_of(certificate))
            _check_value(jws, content, certificate)
            with reading("the signer's certificate"):
                check_purpose(certificate)
            path, _ = self._trust.path(
                certificate, inside=ValidationData(inside), data=data, table=self._algorithms, signed=at, at=at
            )
            with reading("the algorithms"):
                own = (identifier(jws, certificate), certificate.public_key)
                used = tuple(filter(None, [digest_of(jws)]))
                check_algorithms(self._algorithms, (own, *path.used), used, used=at, at=at)
        except Judgement as judgement:
            return refused(known, judgement)
        return trusted(known, path)


def _parsed(seal: bytes) -> tuple[Jws, tuple[bytes, ...]]:
    try:
        found = parse_jws(seal)
    except JwsError as error:
        raise malformed(str(error)) from error
    if len(found) != 1 or found[0].payload is None or not found[0].encoded:
        raise malformed("not one signature over a payload inside")
    return found[0], chain_inside(found[0])


def chain_inside(jws: Jws) -> tuple[bytes, ...]:
    """The certificates of `x5c`, the first of which is the one that `x5t#S256` names; raises `Judgement`."""
    try:
        listed = jws.header["x5c"]
        ders = tuple(base64.b64decode(text, validate=True) for text in listed[:MAX_CHAIN])
        load_certificate(ders[0])
        named = jws.header["x5t#S256"]
    except (*PARSER_ERRORS, binascii.Error, LookupError, TypeError) as error:
        raise malformed(f"the certificates in the header cannot be read: {type(error).__name__}") from error
    if not isinstance(named, str) or not hmac.compare_digest(
        named.encode("utf-8", "replace"), encoded(hashlib.sha256(ders[0]).digest()).encode("ascii")
    ):
        raise malformed("`x5t#S256` does not name the certificate in `x5c` (TS 119 182-1 5.1.7)")
    return ders


def _check_value(jws: Jws, content: bytes, certificate: x509.Certificate) -> None:
    assert jws.payload is not None
    if jws.payload != encoded(content):
        raise Judgement(Verdict.FAILED, SubIndication.HASH_FAILURE, "the payload is another")
    try:
        good = fits(jws, [jws.payload.encode("ascii")], certificate)
    except UnsupportedAlgorithmError as error:
        raise unsupported(str(error)) from error
    if not good:
        text = "the signature value does not fit the signing input and the signer's key"
        raise Judgement(Verdict.FAILED, SubIndication.SIG_CRYPTO_FAILURE, text)
