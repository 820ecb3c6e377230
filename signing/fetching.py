"""Chain and revocation data for a token or a seal, fetched from where its certificates say that they are.

Rules kept here (RFC 4998 4.2; RFC 5280 4.2.1.13, 4.2.2.1; RFC 6960)
 * Only addresses that the settings allow (`http_fetch`); a bounded number of them for a token.
 * Nothing is kept that is not authentic: an issuer has signed the certificate that named it, a list or a response is
   signed by that issuer (a response also by whom it delegated that to), about that certificate, and is current.
   Whether a certificate is revoked is not asked here: what says so is kept like what says that it is not.
 * A response is asked for only where no list can be had: OpenSSL's `ts` cannot read tokens with responses inside.
   Seals have no such readers: for them it is the other way round.
 * Where data is missing for a certificate and an address of its gave none, that is an error that says which and why,
   so that it is tried again; where the certificate names no address, the validator has the word.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Protocol

from asn1crypto import ocsp as asn1_ocsp
from asn1crypto import x509
from asn1crypto.crl import CertificateList
from cryptography import x509 as pyca
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.x509 import ocsp as pyca_ocsp

from archive_core.errors import ArchiveError, TimestampAuthorityUnavailableError, UnavailableError
from archive_core.evidence.material import merged
from archive_core.ports import Clock, ValidationData
from signing.certificates import load_certificate, name_of, same_name
from signing.cms import parse_signed_message
from signing.http_fetch import Allowed, HttpFetch
from signing.judgement import PARSER_ERRORS
from signing.revocation import is_exempt, read_items
from signing.signature_math import check_signature
from signing.tsa import certificates_inside

MAX_ADDRESSES = 20
"""Addresses that are contacted for one token."""

MAX_CHAIN = 6
TOLERANCE = timedelta(minutes=5)
"""How far another clock may be ahead of ours."""

_OCSP_REQUEST = "application/ocsp-request"


class AllowsAddresses(Protocol):
    """As `Allowed`."""

    def allows(self, url: str) -> bool: ...


Fetch = Callable[[str, bytes | None], bytes]


def over_http(timeout: float, *, proxy: str | None = None, proxy_credentials: tuple[str, str] | None = None) -> Fetch:
    """Gets an address, or posts an OCSP request to it."""

    def fetch(url: str, request: bytes | None) -> bytes:
        kind = _OCSP_REQUEST if request else None
        ask = HttpFetch(url, timeout=timeout, content_type=kind, proxy=proxy, proxy_credentials=proxy_credentials)
        return ask(request or b"")

    return fetch


class FetchedData:
    """A validation source of a `TsaClient` or a sealer.

    `known` are certificates (DER) that are trusted anyway; they are no issuers to look for and need no revocation data.
    Calling it raises `refuse` when something that is missing cannot be had now.
    """

    def __init__(
        self,
        allowed: Allowed,
        fetch: Fetch,
        clock: Clock,
        *,
        known: Iterable[bytes] = (),
        refuse: type[UnavailableError] = TimestampAuthorityUnavailableError,
        responses_first: bool = False,
    ) -> None:
        self._allowed = allowed
        self._fetch = fetch
        self._clock = clock
        self._known = tuple(known)
        self._refuse = refuse
        self._responses_first = responses_first

    def __call__(self, token: bytes) -> ValidationData:
        inside = certificates_inside(token)
        anchors = [load_certificate(der) for der in self._known]
        asking = Asking(self._allowed, self._fetch, self._clock.now(), self._responses_first)
        chain = self._chain(parse_signed_message(token).certificates, anchors, asking)
        found: list[ValidationData] = [ValidationData(tuple(one.dump() for one, _ in chain))]
        missing: list[str] = []
        for certificate, issuer in chain:
            if issuer is None or is_exempt(certificate) or certificate.dump() in self._known:
                continue
            data = asking.revocation_data(certificate, issuer)
            found.append(data)
            if not (data.crls or data.ocsps or _lists_of(issuer, inside.crls, asking.at)):
                missing.append(name_of(certificate))
        if asking.problems and (missing or any(issuer is None for _, issuer in chain)):
            whose = ", ".join(missing) or "the chain"
            raise self._refuse(f"validation data for {whose} cannot be had now: {'; '.join(asking.problems)}"[:2000])
        return merged([inside, *found])

    def _chain(
        self, inside: Sequence[x509.Certificate], anchors: Sequence[x509.Certificate], asking: Asking
    ) -> list[tuple[x509.Certificate, x509.Certificate | None]]:
        """Every certificate with its issuer: from the token, from what is known, or fetched; None for one whose
        issuer is not to be had."""
        waiting, there = list(inside)[:MAX_CHAIN], [*inside, *anchors]
        found: list[tuple[x509.Certificate, x509.Certificate | None]] = []
        while waiting and len(found) < 2 * MAX_CHAIN:
            certificate = waiting.pop(0)
            if same_name(certificate.issuer, certificate.subject):
                continue
            issuer = next((one for one in there if issued(one, certificate)), None)
            if issuer is None and (issuer := asking.issuer(certificate)) is not None:
                there.append(issuer)
                waiting.append(issuer)
            found.append((certificate, issuer))
        return found


@dataclass
class Asking:
    """What is asked for one token; `problems` says what an address did not give."""

    allowed: AllowsAddresses
    fetch: Fetch
    at: datetime
    responses_first: bool = False
    problems: list[str] = field(default_factory=list)
    count: int = 0

    def issuer(self, certificate: x509.Certificate) -> x509.Certificate | None:
        """The issuer from where the certificate says that it is (caIssuers)."""
        for url in _access(certificate, "ca_issuers"):
            for answer in self._got(url, None):
                found = self._read(url, answer)
                if found is not None and issued(found, certificate):
                    return found
                if found is not None:
                    self.problems.append(f"{url}: not the issuer of {name_of(certificate)}")
        return None

    def revocation_data(self, certificate: x509.Certificate, issuer: x509.Certificate) -> ValidationData:
        """The first that is good: of the lists, and else of the responses, or the other way round."""
        ways = (self._list, self._response)
        for way in reversed(ways) if self.responses_first else ways:
            if (found := way(certificate, issuer)) is not None:
                return found
        return ValidationData()

    def _list(self, certificate: x509.Certificate, issuer: x509.Certificate) -> ValidationData | None:
        for url in _lists(certificate):
            for answer in self._got(url, None):
                if (why := _flaw_of_list(answer, issuer, self.at)) is None:
                    return ValidationData(crls=(answer,))
                self.problems.append(f"{url}: {why}")
        return None

    def _response(self, certificate: x509.Certificate, issuer: x509.Certificate) -> ValidationData | None:
        for url in _access(certificate, "ocsp"):
            request = _request(certificate, issuer)
            for answer in self._got(url, request):
                if (why := _flaw_of_response(answer, request, issuer, self.at)) is None:
                    return ValidationData(ocsps=(answer,))
                self.problems.append(f"{url}: {why}")
        return None

    def _got(self, url: str, request: bytes | None) -> Iterator[bytes]:
        """What an address gives: once or not at all."""
        if not self.allowed.allows(url):
            self.problems.append(f"{url} is not below an address that `fetch` in the settings allows")
            return
        self.count += 1
        if self.count > MAX_ADDRESSES:
            self.problems.append(f"more than {MAX_ADDRESSES} addresses")
            return
        try:
            answer = self.fetch(url, request)
        except ArchiveError as error:
            self.problems.append(str(error)[:300])
            return
        yield answer

    def _read(self, url: str, answer: bytes) -> x509.Certificate | None:
        try:
            return load_certificate(answer)
        except ValueError as error:
            self.problems.append(f"{url}: {error}"[:300])
            return None


# -- where things are -------------------------------------------------------------------------


def _lists(certificate: x509.Certificate) -> Iterator[str]:
    """Addresses of complete revocation lists by the certificate's own issuer (RFC 5280 4.2.1.13)."""
    for point in certificate.crl_distribution_points:
        if point["crl_issuer"].native is None and point["reasons"].native is None and point.url:
            yield point.url


def _access(certificate: x509.Certificate, method: str) -> Iterator[str]:
    """Addresses of the authority information access (RFC 5280 4.2.2.1)."""
    for description in certificate.authority_information_access_value or ():
        location = description["access_location"]
        if description["access_method"].native == method and location.name == "uniform_resource_identifier":
            yield str(location.native)


# -- what may be kept -------------------------------------------------------------------------


def issued(issuer: x509.Certificate, certificate: x509.Certificate) -> bool:
    """Whether the one has signed the other and may sign certificates."""
    if not same_name(issuer.subject, certificate.issuer) or not issuer.ca:
        return False
    return _is_signed(
        issuer,
        certificate["signature_algorithm"],
        certificate["signature_value"].native,
        certificate["tbs_certificate"],
    )


def _is_signed(signer: x509.Certificate, algorithm: object, signature: bytes, body: x509.TbsCertificate) -> bool:
    try:
        check_signature(signer.public_key, algorithm, signature, body.dump())
    except (InvalidSignature, *PARSER_ERRORS):
        return False
    return True


def _lists_of(issuer: x509.Certificate, crls: Iterable[bytes], at: datetime) -> bool:
    return any(_flaw_of_list(crl, issuer, at, current=False) is None for crl in crls)


def is_list_of(issuer: x509.Certificate, crl: bytes, at: datetime) -> bool:
    """Whether a revocation list is the issuer's own, authentic and current."""
    return _flaw_of_list(crl, issuer, at) is None


def _flaw_of_list(data: bytes, issuer: x509.Certificate, at: datetime, *, current: bool = True) -> str | None:
    """Why a revocation list is not kept; None for an authentic and current one."""
    items, unreadable = read_items([data], [])
    if unreadable or not items:
        return unreadable[0] if unreadable else "no revocation list"
    parsed = CertificateList.load(data)
    usage = issuer.key_usage_value
    if not same_name(parsed.issuer, issuer.subject) or (usage is not None and "crl_sign" not in usage.native):
        return "the list is not the issuer's"
    if not _is_signed(issuer, parsed["signature_algorithm"], parsed["signature"].native, parsed["tbs_cert_list"]):
        return "the list is not signed by the issuer"
    return _flaw_of_time(items[0].issued, items[0].next_update, at) if current else None


def _flaw_of_time(issued: datetime, next_update: datetime | None, at: datetime) -> str | None:
    if issued > at + TOLERANCE:
        return "it is from the future"
    if next_update is not None and next_update < at:
        return "it is outdated"
    return None


def _request(certificate: x509.Certificate, issuer: x509.Certificate) -> bytes:
    """An OCSP request for one certificate, without a nonce: many responders answer with what they signed before.

    SHA-1 names the certificate and protects nothing (RFC 6960 4.1.1); every responder knows it (RFC 5019 2.1.1)."""
    subject, above = (pyca.load_der_x509_certificate(one.dump()) for one in (certificate, issuer))
    builder = pyca_ocsp.OCSPRequestBuilder().add_certificate(subject, above, hashes.SHA1())  # noqa: S303
    return builder.build().public_bytes(serialization.Encoding.DER)


def _flaw_of_response(data: bytes, request: bytes, issuer: x509.Certificate, at: datetime) -> str | None:
    """Why an OCSP response is not kept; None for one that is authentic, current, and about what was asked."""
    try:
        asked = pyca_ocsp.load_der_ocsp_request(request)
        answer = pyca_ocsp.load_der_ocsp_response(data)
        if answer.response_status is not pyca_ocsp.OCSPResponseStatus.SUCCESSFUL:
            return f"the responder says {answer.response_status.name.lower()}"
        about = (answer.serial_number, answer.issuer_key_hash, answer.issuer_name_hash)
        if about != (asked.serial_number, asked.issuer_key_hash, asked.issuer_name_hash):
            return "the response is about another certificate"
        if answer.certificate_status is pyca_ocsp.OCSPCertStatus.UNKNOWN:
            return "the responder does not know the certificate"
        basic = asn1_ocsp.OCSPResponse.load(data, strict=True).basic_ocsp_response
        given = [load_certificate(one.dump()) for one in basic["certs"] or ()]
        signers = [issuer, *(one for one in given if _may_respond(one, issuer, at))]
        signed = (basic["signature_algorithm"], basic["signature"].native, basic["tbs_response_data"])
        if not any(_is_signed(signer, *signed) for signer in signers):
            return "the response is not signed by the issuer or its responder"
        return _flaw_of_time(answer.this_update_utc, answer.next_update_utc, at)
    except PARSER_ERRORS as error:
        return f"no OCSP response that can be read: {error}"[:300]


def _may_respond(certificate: x509.Certificate, issuer: x509.Certificate, at: datetime) -> bool:
    """Whether an issuer delegated its answers to the holder of a certificate (RFC 6960 4.2.2.2)."""
    usages = certificate.extended_key_usage_value
    if usages is None or "ocsp_signing" not in usages.native or not issued(issuer, certificate):
        return False
    return bool(certificate.not_valid_before <= at.astimezone(UTC) <= certificate.not_valid_after)
