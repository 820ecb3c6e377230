"""From a signer's certificate to a trust anchor (RFC 5280 6.1, EN 319 102-1 5.2.6).

Rules kept here
 * Trust anchors are those given and no others; never the operating system's. Nothing is fetched.
 * The path is judged at the instant of judgement (shell model); the signer's certificate also at the
   time of signing. An anchor's own validity is not judged (RFC 5280 6.1.1 d), except where the anchor
   is the signer's certificate itself.
 * Every possible path is tried, up to a limit; the first that holds counts, else the one that came
   furthest tells why.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from threading import Lock

from asn1crypto import x509
from pyhanko_certvalidator.authority import AuthorityWithCert
from pyhanko_certvalidator.context import ValidationContext
from pyhanko_certvalidator.errors import (
    ExpiredError,
    NotYetValidError,
    PathBuildingError,
    ValidationError,
)
from pyhanko_certvalidator.path import ValidationPath
from pyhanko_certvalidator.policy_decl import NO_REVOCATION, AcceptAllAlgorithms, CertRevTrustPolicy
from pyhanko_certvalidator.registry import SimpleTrustManager
from pyhanko_certvalidator.validate import async_validate_path

from archive_core.findings import Finding, SubIndication, Verdict, utc_text
from archive_core.ports import ValidationData
from signing.certificates import load_certificate
from signing.judgement import PARSER_ERRORS, Judgement, unsupported
from signing.revocation import RecordingSignatureValidator, RevocationItem, check_not_revoked, read_items
from signing.suitability import Algorithms, UsedSignature
from signing.waiting import completed

MAX_PATHS = 25
MAX_CERTIFICATES = 300


AnchorsNamed = Callable[[x509.Name], Sequence[bytes]]
"""The anchors (DER) with a subject."""


@dataclass(frozen=True)
class TrustedPath:
    """A path that holds: certificates from the signer's up to the anchor, and what signed them."""

    certificates: tuple[x509.Certificate, ...]
    test_trust: bool
    used: tuple[UsedSignature, ...]

    @property
    def trusted_until(self) -> datetime:
        """The earliest end of validity on the path."""
        return min(_end(certificate) for certificate in self.certificates)

    @property
    def signer_until(self) -> datetime:
        """The end of the signer's certificate."""
        return _end(self.certificates[0])

    @property
    def authority_until(self) -> datetime | None:
        """The earliest end above the signer; None when the signer is the anchor."""
        return min((_end(certificate) for certificate in self.certificates[1:]), default=None)


class Trust:
    """Trust anchors with the certificates and revocation data that are known anyway.

    `anchors` and `test_anchors` (a subset, or further anchors) are DER certificates; raises ValueError
    for one that is none. `listed` gives further anchors by their subject: those of trusted lists, which are too many to
    be read each time.
    """

    def __init__(
        self,
        anchors: Iterable[bytes],
        test_anchors: Collection[bytes] = (),
        extra: ValidationData | None = None,
        *,
        listed: AnchorsNamed | None = None,
    ) -> None:
        ders = dict.fromkeys([*anchors, *test_anchors])
        self._anchors = tuple(load_certificate(der) for der in ders)
        self._test = frozenset(test_anchors)
        self._manager = SimpleTrustManager.build(trust_roots=self._anchors)
        self._listed = listed
        self.extra = extra or ValidationData()
        self._lock = Lock()  # asn1crypto parses shared anchors on demand, which no two threads may do at once

    def path(
        self,
        signer: x509.Certificate,
        *,
        inside: ValidationData,
        data: ValidationData | None,
        table: Algorithms,
        signed: datetime,
        at: datetime,
        strict: bool = False,
    ) -> tuple[TrustedPath, tuple[Finding, ...]]:
        """A path that holds at `at` for something signed at `signed`; raises `Judgement`. `strict`: revocation data
        about the signer counts only if it was issued at or after `signed`."""
        sources = [source for source in (inside, data, self.extra) if source is not None]
        if not self._anchors and self._listed is None:
            raise _no_chain("no trust anchors were given")
        certificates, findings = _readable(der for source in sources for der in source.certificates)
        items, unreadable = read_items(
            (der for source in sources for der in source.crls), (der for source in sources for der in source.ocsps)
        )
        findings += tuple(Finding("VALIDATION_DATA_UNREADABLE", text) for text in unreadable)
        search = _Search(self._managing((signer, *certificates)), certificates, items, table, signed, at, strict)
        with self._lock:
            found = completed(search.run(signer))
        is_test = found.certificates[-1].dump() in self._test
        return TrustedPath(found.certificates, is_test, found.used), findings

    def _managing(self, certificates: Iterable[x509.Certificate]) -> SimpleTrustManager:
        """The given anchors, and the listed ones that a path over these certificates can meet: whoever is among them,
        or has issued one of them."""
        if self._listed is None:
            return self._manager
        names = {name.hashable: name for one in certificates for name in (one.subject, one.issuer)}
        found = dict.fromkeys(der for name in names.values() for der in self._listed(name))
        return SimpleTrustManager.build(trust_roots=(*self._anchors, *map(load_certificate, found)))


def _readable(ders: Iterable[bytes]) -> tuple[tuple[x509.Certificate, ...], tuple[Finding, ...]]:
    found: list[x509.Certificate] = []
    findings: list[Finding] = []
    for der in dict.fromkeys(ders):
        if len(found) >= MAX_CERTIFICATES:
            findings.append(Finding("VALIDATION_DATA_LIMIT", f"only {MAX_CERTIFICATES} certificates are looked at"))
            break
        try:
            found.append(load_certificate(der))
        except PARSER_ERRORS as error:
            findings.append(Finding("VALIDATION_DATA_UNREADABLE", f"a certificate cannot be read: {error}"))
    return tuple(found), tuple(findings)


def check_signing_time(signer: x509.Certificate, signed: datetime) -> None:
    """A signature made outside its certificate's validity can never become good (EN 319 102-1 table 5);
    raises `Judgement`. For time-stamps, whose time is stated under the signature itself."""
    start, end = signer.not_valid_before, _end(signer)
    if signed > end:
        message = f"the signer's certificate ended at {utc_text(end)}, before it signed at {utc_text(signed)}"
        raise Judgement(Verdict.FAILED, SubIndication.EXPIRED, message)
    if signed < start:
        message = f"the signer's certificate began at {utc_text(start)}, after it signed at {utc_text(signed)}"
        raise Judgement(Verdict.FAILED, SubIndication.NOT_YET_VALID, message)


def _end(certificate: x509.Certificate) -> datetime:
    end: datetime = certificate.not_valid_after
    return end


def _no_chain(message: str) -> Judgement:
    return Judgement(Verdict.INDETERMINATE, SubIndication.NO_CERTIFICATE_CHAIN_FOUND, message)


@dataclass(frozen=True)
class _Found:
    certificates: tuple[x509.Certificate, ...]
    used: tuple[UsedSignature, ...]


class _Search:
    """One walk over the possible paths of one signer."""

    def __init__(
        self,
        trust: SimpleTrustManager,
        certificates: Sequence[x509.Certificate],
        items: Sequence[RevocationItem],
        table: Algorithms,
        signed: datetime,
        at: datetime,
        strict: bool,
    ) -> None:
        self._strict = strict
        self._trust = trust
        self._certificates = certificates
        self._items = items
        self._table = table
        self._signed = signed
        self._at = at

    async def run(self, signer: x509.Certificate) -> _Found:
        """The first path that holds; else raises the `Judgement` of the one that came furthest."""
        furthest: tuple[int, Judgement] | None = None
        count = 0
        try:
            paths = self._context(RecordingSignatureValidator()).path_builder.async_build_paths_lazy(signer)
            async for path in paths:
                count += 1
                stage = _Stage()
                try:
                    return await self._holds(path, signer, stage)
                except Judgement as judgement:
                    if furthest is None or stage.reached > furthest[0]:
                        furthest = stage.reached, judgement
                if count >= MAX_PATHS:
                    break
        except PathBuildingError as error:
            raise _no_chain(str(error)) from error
        except PARSER_ERRORS as error:
            raise _general_failure(f"a certificate cannot be read: {error}") from error
        if furthest is None:
            raise _no_chain("no path leads to a trust anchor")
        raise furthest[1]

    def _context(self, signatures: RecordingSignatureValidator) -> ValidationContext:
        return ValidationContext(
            trust_manager=self._trust,
            other_certs=self._certificates,
            moment=self._at,
            crls=[],
            ocsps=[],
            revinfo_policy=CertRevTrustPolicy(NO_REVOCATION),
            algorithm_usage_policy=AcceptAllAlgorithms(),
            signature_validator=signatures,
        )

    async def _holds(self, path: ValidationPath, signer: x509.Certificate, stage: _Stage) -> _Found:
        certificates = _upwards(path)
        signatures = RecordingSignatureValidator()
        await self._check_path(path, signer, signatures)
        stage.reached = 1
        for certificate in certificates[:-1]:
            await check_not_revoked(
                certificate,
                path,
                self._trust,
                self._certificates,
                self._items,
                self._table,
                signed=self._signed,
                at=self._at,
                is_signer=certificate is certificates[0],
                strict=self._strict,
            )
        return _Found(certificates, tuple(signatures.used))

    async def _check_path(
        self, path: ValidationPath, signer: x509.Certificate, signatures: RecordingSignatureValidator
    ) -> None:
        try:
            if path.pkix_len == 0 and self._at > _end(signer):
                raise _expired(_end(signer))
            await async_validate_path(self._context(signatures), path)
        except ExpiredError as error:
            raise _expired(error.expired_dt) from error
        except NotYetValidError as error:
            message = f"a certificate on the path begins only at {utc_text(error.valid_from)}"
            raise Judgement(Verdict.INDETERMINATE, SubIndication.OUT_OF_BOUNDS_NO_POE, message) from error
        except ValidationError as error:
            if signatures.unsupported:
                raise unsupported(signatures.unsupported[-1]) from error
            raise _general_failure(error.failure_msg) from error
        except PARSER_ERRORS as error:
            raise _general_failure(f"the certificate path cannot be read: {error}") from error


def _general_failure(message: str) -> Judgement:
    return Judgement(Verdict.INDETERMINATE, SubIndication.CERTIFICATE_CHAIN_GENERAL_FAILURE, message)


class _Stage:
    """How far a path came."""

    reached = 0


def _expired(end: datetime) -> Judgement:
    message = f"a certificate on the path ended at {utc_text(end)}, and nothing shows that the signature is older"
    return Judgement(Verdict.INDETERMINATE, SubIndication.OUT_OF_BOUNDS_NO_POE, message)


def _upwards(path: ValidationPath) -> tuple[x509.Certificate, ...]:
    """The path's certificates from the signer's up to the anchor's."""
    authority = path.trust_anchor.authority
    anchor = [authority.certificate] if isinstance(authority, AuthorityWithCert) else []
    below = [path[index] for index in range(path.pkix_len, 0, -1)]
    return tuple(below + anchor)
