"""What is missing for the validation of signatures, asked for by whoever may not reach out, and judged when it came.

Rules kept here
 * The process that reads a document connects to nobody. It says which addresses it would ask and with what; whoever
   started it asks those that are allowed, and starts it again with the answers.
 * Nothing is kept that is not authentic, by the rules of `signing.fetching`: signed by the issuer, about the
   certificate,
   current. What is in the document already is not asked for again, except fresh data about a signer who needs it.
 * Responses are asked for before lists: they are fresher, and smaller in every object.
 * Certificates of the path that are not in the document are kept, too, the anchor included.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime

from asn1crypto import x509

from archive_core.errors import UnavailableError
from archive_core.ports import ValidationData
from signing.certificates import load_certificate, same_name
from signing.examination.asks import MAX_ASKS, MAX_URL, Answers, Ask, Collected
from signing.examination.material import readable
from signing.examination.trust import ExaminationTrust, Noted
from signing.fetching import Asking, is_list_of, issued
from signing.judgement import PARSER_ERRORS
from signing.revocation import is_exempt, ocsp_serial_numbers

_DEEPEST = 6


class _NotYetError(Exception):
    """An address that was not asked yet."""


class _Everywhere:
    """Whoever asks looks at what is allowed."""

    def allows(self, url: str) -> bool:
        return len(url) <= MAX_URL


@dataclass
class _Collecting:
    """One document's round."""

    trust: ExaminationTrust
    answers: Answers
    at: datetime
    asks: dict[Ask, None] = field(default_factory=dict)
    problems: dict[str, None] = field(default_factory=dict)
    certificates: dict[bytes, None] = field(default_factory=dict)
    crls: dict[bytes, None] = field(default_factory=dict)
    ocsps: dict[bytes, None] = field(default_factory=dict)

    def fetch(self, url: str, request: bytes | None) -> bytes:
        ask = Ask(url, request or b"")
        answer = self.answers.get(ask)
        if answer is None:
            if len(self.asks) < MAX_ASKS:
                self.asks[ask] = None
            raise _NotYetError
        if isinstance(answer, str):
            raise UnavailableError(answer)
        return answer

    def collect(self, noted: Noted) -> None:
        """For one signer: its issuers, and what says that none of them is revoked."""
        asking = Asking(_Everywhere(), self.fetch, self.at, responses_first=True)
        inside = set(noted.material.certificates)
        signer = load_certificate(noted.certificate)
        for certificate, issuer in self._upwards(signer, noted, asking):
            if issuer.dump() not in inside:
                self.certificates[issuer.dump()] = None
            if noted.satisfied or is_exempt(certificate):
                continue
            if certificate is not signer and _is_covered(certificate, issuer, noted.material, self.at):
                continue
            try:
                data = asking.revocation_data(certificate, issuer)
            except _NotYetError:
                continue
            self.crls.update(dict.fromkeys(data.crls))
            self.ocsps.update(dict.fromkeys(data.ocsps))
        self.problems.update(dict.fromkeys(asking.problems))

    def _upwards(
        self, signer: x509.Certificate, noted: Noted, asking: Asking
    ) -> Iterator[tuple[x509.Certificate, x509.Certificate]]:
        """Each certificate below an anchor with its issuer, as far as issuers are there or can be had."""
        inside = readable(noted.material.certificates)
        current = signer
        for _ in range(_DEEPEST):
            if self.trust.is_anchor(current) or same_name(current.issuer, current.subject):
                return
            there = [*inside, *self.trust.named(current.issuer)]
            issuer = next((one for one in there if issued(one, current)), None)
            if issuer is None:
                try:
                    issuer = asking.issuer(current)
                except _NotYetError:
                    return
            if issuer is None:
                return
            yield current, issuer
            current = issuer


def collect(trust: ExaminationTrust, answers: Answers, *, at: datetime) -> Collected:
    """For everybody whom the examination noted."""
    round_ = _Collecting(trust, answers, at)
    seen: set[tuple[bytes, bool]] = set()
    for noted in trust.noted:
        if (noted.certificate, noted.satisfied) in seen:
            continue
        seen.add((noted.certificate, noted.satisfied))
        try:
            round_.collect(noted)
        except PARSER_ERRORS as error:
            round_.problems[f"a certificate cannot be read: {error}"[:300]] = None
    material = ValidationData(tuple(round_.certificates), tuple(round_.crls), tuple(round_.ocsps))
    return Collected(material, tuple(round_.asks), tuple(round_.problems))


def _is_covered(
    certificate: x509.Certificate, issuer: x509.Certificate, material: ValidationData, at: datetime
) -> bool:
    """Whether the document holds revocation data about a certificate above the signer."""
    if any(is_list_of(issuer, crl, at) for crl in material.crls):
        return True
    return any(certificate.serial_number in ocsp_serial_numbers(der) for der in material.ocsps)
