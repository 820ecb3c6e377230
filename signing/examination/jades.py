"""JSON web signatures (JWS, RFC 7515) and JAdES (ETSI TS 119 182-1): compact, flattened and general.

Structure, header rules and mathematics are `signing.jws` (on joserfc); trust and time are judged as everywhere.

Rules kept here
 * Every signature of the document is one. Detached payload is the document given beside it, signed as its base64url or,
   with `b64` false, as it is.
 * The signer's certificate is the first of `x5c`, or one that was given; a JAdES signature names it by digest
   (`x5t#S256`, `x5t#o`), and a name that does not fit is FAILED.
 * Of `etsiU` (5.3) time-stamps are judged (`jades_stamps`) and validation data is used. Counter-signatures and
   signature policies are told and not judged.
 * Data that `sigD` (5.2.8) refers to are among the documents given beside it (`jades_data`), or not found.
 * A JWS inside of other JSON is "not examined", by name. JSON without the members of a JWS has no signatures.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from asn1crypto import x509

from archive_core.digests import hash_bytes
from archive_core.findings import Finding, SubIndication, Verdict
from archive_core.ports import ValidationData
from signing.certificates import load_certificate
from signing.examination.documents import Document, TooLargeError
from signing.examination.facts import certificate_facts
from signing.examination.jades_data import HASHES, SignedData, signed_data
from signing.examination.jades_stamps import Around, stamps_of
from signing.examination.jades_unsigned import elements_of, material_of
from signing.examination.judging import Facts, conclude
from signing.examination.material import listed, merged
from signing.examination.stamping import examine_stamps
from signing.examination.trust import ExaminationTrust
from signing.examination.values import (
    Coverage,
    DocumentFormat,
    Examination,
    Level,
    Reference,
    SignatureExamination,
    SignatureFormat,
    TimestampExamination,
    TimestampKind,
    not_examined,
)
from signing.judgement import PARSER_ERRORS, Judgement, malformed, unsupported
from signing.jws import Jws, JwsError, digest_of, encoded, fits, identifier, of_json, parse_jws, read_json
from signing.signature_math import UnsupportedAlgorithmError, signature_scheme

MAX_JSON = 64 * 1024 * 1024
MAX_CERTIFICATES = 50
_PART = rb"[A-Za-z0-9_-]+"
_COMPACT = re.compile(rb"\s*(?P<header>" + _PART + rb")\.[A-Za-z0-9_-]*\.(?P<value>" + _PART + rb")\s*")
_BEGINNING = re.compile(rb"\s*(?P<header>eyJ[A-Za-z0-9_-]*)")
_BLANKS = b" \t\r\n"
_MARK = b"\xef\xbb\xbf"
_NAMING = ("x5t#S256", "x5t#o", "sigX5ts")


def recognises(head: bytes) -> bool:
    """A JSON object or array, or the compact form, which begins with an encoded `{"`."""
    stripped = head.removeprefix(_MARK).lstrip(_BLANKS)
    return stripped.startswith((b"{", b"[")) or _BEGINNING.match(head) is not None


def examine(document: Document, *, detached: Sequence[Document], trust: ExaminationTrust, at: datetime) -> Examination:
    """Every signature of a JWS; what is no JWS has none."""
    try:
        octets = document.read(MAX_JSON)
        found = _signatures(octets)
    except (TooLargeError, JwsError) as error:
        return not_examined(document.name, DocumentFormat.JSON, f"not examined: {error}", at=at, size=document.size)
    many = len(found) > 1
    examined = tuple(
        _One(jws, f"signature {number}" if many else "signature 1", detached, trust, at).examined()
        for number, jws in enumerate(found, start=1)
    )
    digest = document.digest("sha256").hex()
    return Examination(
        document.name, DocumentFormat.JSON, True, at, signatures=examined, size=document.size, sha256=digest
    )


def _signatures(octets: bytes) -> tuple[Jws, ...]:
    if _COMPACT.fullmatch(octets):
        return parse_jws(octets)
    value = read_json(octets.removeprefix(_MARK))
    if isinstance(value, dict) and _is_jws(value):
        return of_json(value)
    if _has_signature(value):
        raise JwsError("a JSON web signature (JWS, JAdES) inside of other JSON")
    return ()


def _has_signature(value: Any) -> bool:
    waiting = [value]  # its depth is bounded where it was read
    while waiting:
        one = waiting.pop()
        if isinstance(one, dict):
            if _is_jws(one):
                return True
            waiting += one.values()
        elif isinstance(one, list):
            waiting += one
    return False


def _is_jws(value: Mapping[str, object]) -> bool:
    members = value.get("signatures")
    if not isinstance(members, list):
        return _is_member(value)
    return "payload" in value or any(isinstance(one, dict) and _is_member(one) for one in members)


def _is_member(value: Mapping[str, object]) -> bool:
    """Of a general JWS, or a flattened one as a whole; a detached one has no payload."""
    return isinstance(value.get("signature"), str) and ("protected" in value or "header" in value)


@dataclass(frozen=True)
class _Checked:
    """What mathematics and header found."""

    value: bool | None
    certificate: x509.Certificate | None
    references: tuple[Reference, ...]
    failure: Judgement | None = None
    covers: tuple[str, ...] = ()


class _One:
    """One signature on the way to its `SignatureExamination`."""

    def __init__(
        self, jws: Jws, place: str, detached: Sequence[Document], trust: ExaminationTrust, at: datetime
    ) -> None:
        self.jws, self.place, self.detached, self.trust, self.at = jws, place, detached, trust, at
        self.findings: list[Finding] = []
        self.data = self._data()

    def examined(self) -> SignatureExamination:
        inside = self._certificates()
        checked = self._checked(inside)
        elements, unread = elements_of(self.jws.unprotected)
        data = merged(ValidationData(inside), material_of(elements))
        stamps_, unjudged = stamps_of(Around(self.jws, elements, self.data.stamped, self.place))
        self.findings += [*unread, *unjudged]
        stamps = examine_stamps(stamps_, trust=self.trust, at=self.at, data=data)
        certificate, digest = checked.certificate, self._digest()
        facts = Facts(
            failure=checked.failure,
            references=checked.references,
            certificate=certificate,
            used=(identifier(self.jws, certificate), certificate.public_key) if certificate and digest else None,
            digests=(digest,) if digest else (),
            material=data,
            timestamps=stamps,
        )
        conclusion = conclude(facts, trust=self.trust, at=self.at)
        detached = self.jws.payload is None
        return SignatureExamination(
            self.place,
            SignatureFormat.JADES if self._is_advanced() else SignatureFormat.JWS,
            conclusion.verdict,
            conclusion.sub_indication,
            conclusion.message,
            checked.value,
            checked.references,
            level=self._level(stamps, data),
            signer=certificate_facts(certificate) if certificate is not None else None,
            claimed_time=_claimed(self.jws.header),
            proven_time=conclusion.proven_time,
            signature_algorithm=_scheme(self.jws, certificate),
            digest_algorithm=digest,
            coverage=Coverage.DETACHED if detached else Coverage.WHOLE,
            covers=checked.covers or ("detached data" if detached else "payload",),
            qualified=conclusion.qualified,
            timestamps=stamps,
            test_trust=conclusion.test_trust,
            used=listed(data, "signature"),
            missing=conclusion.missing,
            findings=(*self.findings, *conclusion.findings),
        )

    # -- mathematics ----------------------------------------------------------------------------

    def _certificates(self) -> tuple[bytes, ...]:
        found: list[bytes] = []
        given = self.jws.header.get("x5c", self.jws.unprotected.get("x5c", []))
        for text in given[:MAX_CERTIFICATES] if isinstance(given, list) else []:
            try:
                der = base64.b64decode(text, validate=True)
                load_certificate(der)
            except (*PARSER_ERRORS, binascii.Error) as error:
                self.findings.append(Finding("CERTIFICATE_UNREADABLE", str(error)[:200], clause="RFC 7515 4.1.6"))
            else:
                found.append(der)
        return tuple(found)

    def _checked(self, inside: Sequence[bytes]) -> _Checked:
        data = self.data
        certificate = self._certificate(inside)
        if data.failure is not None:
            return _Checked(None, certificate, data.references, data.failure)
        if data.pieces is None:
            references = data.references or (Reference("payload", False, False, self._digest()),)
            return _Checked(None, certificate, references, self._misnamed(certificate), data.covers)
        reference = Reference("payload", True, False, self._digest())
        if certificate is None:  # then nothing was compared
            text = "the signer's certificate is neither inside nor given"
            none = Judgement(Verdict.INDETERMINATE, SubIndication.NO_SIGNING_CERTIFICATE_FOUND, text)
            return _Checked(None, None, (), none, data.covers)
        try:
            value = fits(self.jws, data.pieces, certificate)
        except UnsupportedAlgorithmError as error:
            return _Checked(None, certificate, (reference,), unsupported(str(error)), data.covers)
        failure = self._misnamed(certificate)
        if not value:
            text = "the signature value does not fit header, payload and the signer's key"
            failure = failure or Judgement(Verdict.FAILED, SubIndication.SIG_CRYPTO_FAILURE, text)
        references = (Reference("payload", True, value, reference.algorithm), *data.references)
        return _Checked(value, certificate, references, failure, data.covers)

    def _data(self) -> SignedData:
        """The payload as it was signed (RFC 7515 5.1, RFC 7797 3)."""
        plain = not self.jws.encoded
        if "sigD" in self.jws.header:
            if self.jws.payload is not None:
                failure = malformed("there is a payload, and `sigD` refers to data beside it (TS 119 182-1 5.2.8)")
                return SignedData(None, (Reference("sigD", False, False),), (), failure)
            return signed_data(self.jws.header["sigD"], self.detached, plain=plain, most=MAX_JSON)
        if self.jws.payload is not None:
            return SignedData((self.jws.payload.encode("utf-8", "surrogateescape"),))
        if not self.detached or self.detached[0].size > MAX_JSON:
            return SignedData(None)
        octets = self.detached[0].read(MAX_JSON)
        return SignedData((octets if plain else encoded(octets).encode("ascii"),), (), (self.detached[0].name,))

    def _certificate(self, inside: Sequence[bytes]) -> x509.Certificate | None:
        """The first inside; else, of those given, the one that the header names."""
        if inside:
            return load_certificate(inside[0])
        for der in self.trust.readable_certificates:
            if any(_names(self.jws.header, kind, der) for kind in _NAMING):
                return load_certificate(der)
        return None

    def _misnamed(self, certificate: x509.Certificate | None) -> Judgement | None:
        if certificate is None:
            return None
        wrong = [
            kind
            for kind in _NAMING
            if kind in self.jws.header and not _names(self.jws.header, kind, certificate.dump())
        ]
        if wrong:
            return malformed(f"`{wrong[0]}` does not name the signer's certificate (TS 119 182-1 5.1.7, 5.2.2)")
        return None

    def _digest(self) -> str:
        try:
            return digest_of(self.jws)
        except UnsupportedAlgorithmError:
            return ""

    def _is_advanced(self) -> bool:
        return any(kind in self.jws.header for kind in _NAMING) or ("x5c" in self.jws.header and _timed(self.jws))

    def _level(self, stamps: Sequence[TimestampExamination], data: ValidationData) -> Level:
        if not self._is_advanced():
            return Level.NONE
        kinds = {one.kind for one in stamps}
        if TimestampKind.SIGNATURE not in kinds:
            return Level.B
        if not (data.crls or data.ocsps):
            return Level.T
        return Level.LTA if TimestampKind.ARCHIVE in kinds else Level.LT


def _names(header: Mapping[str, Any], kind: str, der: bytes) -> bool:
    """Whether a header parameter names this certificate by its digest."""
    value = header.get(kind)
    if kind == "x5t#S256":
        return isinstance(value, str) and hmac.compare_digest(
            value.encode(), encoded(hashlib.sha256(der).digest()).encode()
        )
    given = value if isinstance(value, list) else [value]
    first = given[0] if given else None
    if not isinstance(first, dict):
        return False
    algorithm, digest = HASHES.get(str(first.get("digAlg"))), first.get("digVal")
    if algorithm is None or not isinstance(digest, str):
        return False
    return hmac.compare_digest(digest.encode(), encoded(hash_bytes(algorithm, der)).encode())


def _timed(jws: Jws) -> bool:
    return "sigT" in jws.header or "iat" in jws.header


def _claimed(header: Mapping[str, Any]) -> datetime | None:
    """`iat` (seconds), or `sigT` (RFC 3339) of earlier versions of the standard."""
    seconds, text = header.get("iat"), header.get("sigT")
    try:
        if type(seconds) is int:
            return datetime.fromtimestamp(seconds, UTC)
        if isinstance(text, str):
            found = datetime.fromisoformat(text)
            return found.astimezone(UTC) if found.tzinfo else None
    except (ValueError, OverflowError, OSError):
        pass
    return None


def _scheme(jws: Jws, certificate: x509.Certificate | None) -> str:
    if certificate is None:
        return ""
    try:
        return signature_scheme(identifier(jws, certificate)).name
    except (UnsupportedAlgorithmError, *PARSER_ERRORS):
        return ""
