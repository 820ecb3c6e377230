"""Qualified or not, at an instant: what accepted trusted lists say of a certificate (ETSI TS 119 615 4.3 to 4.5).

Rules kept here
 * A service is found by its certificate or key among the certificate and its issuers; each step up is a signature
   that was checked, never a name alone. The nearest service that fits counts.
 * What counts is the service's state at the instant asked about (for time-stamps genTime, for signatures the
   best-signature-time), and for certificates also when they were issued.
 * A list that is stale at the instant of judgement answers INDETERMINATE, and so does "not listed" while some list
   is stale: a newer one might say otherwise. A snapshot answers as it did then when judged as of then.
 * Before 1 July 2016 there were no qualified seals and no qualified time-stamps (Reg. 910/2014 art. 52).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from asn1crypto import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm

from archive_core.findings import utc_text
from signing.certificates import load_certificate, same_name
from signing.examination.values import Qualification, QualifiedStatus
from signing.judgement import PARSER_ERRORS
from signing.signature_math import UnsupportedAlgorithmError, check_signature
from signing.trusted_lists.criteria import Statements, qualifiers_of, statements_of
from signing.trusted_lists.index import Found, ListIndex
from signing.trusted_lists.values import CA_QC, QTST, Service, ServiceState, TrustedList

EIDAS = datetime(2016, 7, 1, tzinfo=UTC)
_DEEPEST = 6

_WITH_QSCD = frozenset({"QCWithSSCD", "QCWithQSCD", "QCQSCDManagedOnBehalf"})
_WITHOUT_QSCD = frozenset({"QCNoSSCD", "QCNoQSCD"})
_FOR = {"QCForESig": "ForeSignatures", "QCForESeal": "ForeSeals", "QCForLegalPerson": "ForeSeals"}


class TrustedListLookup:
    """What accepted lists answer as of the instant of judgement `at`; a `QualificationLookup`."""

    def __init__(self, index: ListIndex, *, at: datetime) -> None:
        self._index = index
        self._stale = tuple(one for one in index.lists if one.is_stale(at))

    def anchors(self) -> tuple[bytes, ...]:
        """The certificates of every service that issues certificates or time-stamps."""
        return self._index.anchors()

    def anchors_named(self, name: x509.Name) -> tuple[bytes, ...]:
        """Those of them with a subject."""
        return self._index.anchors_named(name)

    def anchors_issued_by(self, name: x509.Name) -> tuple[bytes, ...]:
        """Those of them with an issuer."""
        return self._index.anchors_issued_by(name)

    def timestamp_status(self, chain: Sequence[bytes], *, at: datetime) -> QualifiedStatus:
        """Qualified when a QTST service of this unit was granted at genTime `at`."""
        found = self._nearest(_certificates(chain), QTST, at, own=True)
        if found is None:
            return self._not_listed(Qualification.TIMESTAMP, "a qualified time-stamp service", at)
        state = found.service.state(at)
        if state is None or at < EIDAS or not state.is_granted(at, EIDAS):
            return self._answer(Qualification.TIMESTAMP, found, at, _why_not(state, at))
        return self._answer(Qualification.QUALIFIED_TIMESTAMP, found, at, f"granted at {utc_text(at)}")

    def signature_status(self, chain: Sequence[bytes], *, at: datetime) -> QualifiedStatus:
        """Qualified when the certificate was a qualified one when issued and is one at `at`."""
        certificates = _certificates(chain)
        if not certificates:
            return QualifiedStatus(Qualification.INDETERMINATE, at, "the signer's certificate cannot be read")
        found = self._nearest(certificates, CA_QC, at, own=False)
        if found is None:
            return self._not_listed(Qualification.ADVANCED, "a service for qualified certificates", at)
        signer = certificates[0]
        try:
            then = _kind(signer, found.service, signer.not_valid_before)
            now = _kind(signer, found.service, at)
        except PARSER_ERRORS as error:
            reason = f"the certificate's statements cannot be read: {error}"
            return self._answer(Qualification.INDETERMINATE, found, at, reason)
        for when, one in (("when the certificate was issued", then), (f"at {utc_text(at)}", now)):
            if one.qualification not in _QUALIFIED:
                return self._answer(one.qualification, found, at, f"{one.reason} ({when})")
        return self._answer(now.qualification, found, at, now.reason)

    # -- finding services -----------------------------------------------------------------------

    def _nearest(self, certificates: Sequence[x509.Certificate], kind: str, at: datetime, *, own: bool) -> Found | None:
        """The service of a kind that is the certificate itself (`own`) or its nearest verified issuer. Of several
        the one that is granted at the instant."""
        if not certificates:
            return None
        for level, certificate in enumerate(self._upwards(certificates)):
            if level == 0 and not own:
                continue
            fitting = [
                found
                for listed, found in self._index.services_of(certificate)
                if same_name(listed.subject, certificate.subject)
                and any(state.type == kind for state in found.service.states)
            ]
            if fitting:
                granted = [one for one in fitting if (s := one.service.state(at)) and s.is_granted(at, EIDAS)]
                return (granted or fitting)[0]
        return None

    def _upwards(self, certificates: Sequence[x509.Certificate]) -> Iterator[x509.Certificate]:
        """The certificate and its issuers, from the chain or from the lists, each by a signature that fits."""
        current = certificates[0]
        yield current
        for _ in range(_DEEPEST):
            listed = self._index.certificates_named(current.issuer)
            issuer = next((one for one in (*listed, *certificates[1:]) if _issued(one, current)), None)
            if issuer is None or issuer.dump() == current.dump():
                return
            yield issuer
            current = issuer

    # -- answers --------------------------------------------------------------------------------

    def _answer(self, qualification: Qualification, found: Found, at: datetime, reason: str) -> QualifiedStatus:
        stale = [one for one in self._stale if one is found.list or one.is_list_of_lists]
        if stale:
            qualification = Qualification.INDETERMINATE
            reason = f"{_named(stale[0])} is stale, which then said: {reason}"
        return QualifiedStatus(
            qualification,
            at,
            reason,
            found.list.territory,
            found.service.provider,
            found.service.name,
            found.list.sequence,
            found.list.sha256,
        )

    def _not_listed(self, qualification: Qualification, what: str, at: datetime) -> QualifiedStatus:
        if self._stale:
            reason = f"not listed as {what}, but {_named(self._stale[0])} is stale"
            return QualifiedStatus(Qualification.INDETERMINATE, at, reason)
        return QualifiedStatus(qualification, at, f"not listed as {what}")


def _named(one: TrustedList) -> str:
    until = utc_text(one.next_update) if one.next_update else "its closing"
    return f"the list of {one.territory} number {one.sequence} (next update {until})"


def _certificates(chain: Sequence[bytes]) -> list[x509.Certificate]:
    found = []
    for index, der in enumerate(chain):
        try:
            found.append(load_certificate(der))
        except PARSER_ERRORS:
            if index == 0:
                return []
    return found


def _issued(issuer: x509.Certificate, certificate: x509.Certificate) -> bool:
    try:
        if not same_name(issuer.subject, certificate.issuer):
            return False
        check_signature(
            issuer.public_key,
            certificate["signature_algorithm"],
            certificate["signature_value"].native,
            certificate["tbs_certificate"].dump(),
        )
    except (InvalidSignature, UnsupportedAlgorithmError, UnsupportedAlgorithm, *PARSER_ERRORS):
        return False
    return True


def _why_not(state: ServiceState | None, at: datetime) -> str:
    if state is None:
        return f"the service was not yet listed at {utc_text(at)}"
    if at < EIDAS and state.type == QTST:
        return "there were no qualified time-stamps before 1 July 2016"
    return f"the service's status was {state.status.rsplit('/', 1)[-1]!r} at {utc_text(at)}"


# -- certificates -------------------------------------------------------------------------------

_QUALIFIED = frozenset(
    {
        Qualification.QUALIFIED_SIGNATURE,
        Qualification.QUALIFIED_SEAL,
        Qualification.ADVANCED_SIGNATURE_QC,
        Qualification.ADVANCED_SEAL_QC,
    }
)


@dataclass(frozen=True)
class _Kind:
    qualification: Qualification
    reason: str


def _kind(certificate: x509.Certificate, service: Service, at: datetime) -> _Kind:
    """What a signature by this certificate is by the service's state at an instant (TS 119 615 4.4, 4.5, 4.6)."""
    state = service.state(at)
    if state is None or state.type != CA_QC or not state.is_granted(at, EIDAS):
        return _Kind(Qualification.ADVANCED, _why_not(state, at))
    qualifiers, understood = qualifiers_of(certificate, state.qualifiers)
    if not understood:
        return _Kind(Qualification.INDETERMINATE, "the service has criteria that are not known here")
    statements = statements_of(certificate)
    if "NotQualified" in qualifiers:
        return _Kind(Qualification.ADVANCED, "the list says that such certificates are not qualified")
    if not statements.compliance and "QCStatement" not in qualifiers:
        return _Kind(Qualification.ADVANCED, "neither the certificate nor the list says that it is qualified")
    purposes = _purposes(qualifiers, statements, state)
    if len(purposes) != 1:
        text = "for several purposes at once" if purposes else "for no purpose of signatures or seals"
        return _Kind(Qualification.INDETERMINATE if purposes else Qualification.ADVANCED, f"qualified {text}")
    seal = "ForeSeals" in purposes
    qscd = _qscd(qualifiers, statements)
    if qscd is None:
        return _Kind(Qualification.INDETERMINATE, "the list contradicts itself about the signature device")
    if qscd:
        chosen = Qualification.QUALIFIED_SEAL if seal else Qualification.QUALIFIED_SIGNATURE
        return _Kind(chosen, f"granted at {utc_text(at)}, key in a qualified device")
    chosen = Qualification.ADVANCED_SEAL_QC if seal else Qualification.ADVANCED_SIGNATURE_QC
    return _Kind(chosen, f"granted at {utc_text(at)}, key in no qualified device")


def _purposes(qualifiers: frozenset[str], statements: Statements, state: ServiceState) -> frozenset[str]:
    """What the list says, else what the certificate says, else signatures (EN 319 412-5 4.2.3); within what the
    service is listed for."""
    stated = frozenset(_FOR[name] for name in qualifiers if name in _FOR)
    if not stated and "QCForWSA" in qualifiers:
        return frozenset()
    if not stated:
        stated = statements.types
    if not stated and not statements.other_types:
        stated = frozenset({"ForeSignatures"})
    allowed = state.purposes & {"ForeSignatures", "ForeSeals", "ForWebSiteAuthentication"}
    return stated & allowed if allowed else stated


def _qscd(qualifiers: frozenset[str], statements: Statements) -> bool | None:
    if qualifiers & _WITH_QSCD and qualifiers & _WITHOUT_QSCD:
        return None
    if qualifiers & _WITH_QSCD:
        return True
    return False if qualifiers & _WITHOUT_QSCD else statements.qscd


def load_lookup(files: Sequence[bytes], *, at: datetime, signers: Sequence[bytes] | None = None) -> TrustedListLookup:
    """Open lists and ask them as of `at`; raises `TrustedListRefusedError`."""
    from signing.trusted_lists.book import open_lists  # loads lxml, which whoever reads an index does without

    return TrustedListLookup(ListIndex.of(open_lists(files, signers=signers)), at=at)
