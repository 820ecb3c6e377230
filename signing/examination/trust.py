"""Whom an examination trusts: anchors that were given, further material, the dated algorithm table, trusted lists.

Rules kept here
 * Trust anchors are those given and no others. Without any, an intact signature is
   INDETERMINATE/NO_CERTIFICATE_CHAIN_FOUND.
 * Nothing is fetched. Who signed, with what is there about him, is noted for whoever collects what is missing.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from asn1crypto import x509

from archive_core.ports import ValidationData
from signing.certificate_path import Trust
from signing.certificates import is_readable, load_certificate, same_name
from signing.examination.values import QualifiedStatus
from signing.suitability import Algorithms
from signing.timestamp_validation import TokenValidator

MAX_NOTED = 100
"""Signers of one document for whom material is collected."""


class QualificationLookup(Protocol):
    """What trusted lists answer (TS 119 615). Certificates are DER, the signer's first, then its issuers.

    The certificates of listed services are trust anchors. There are thousands: they are asked for by name."""

    def anchors_named(self, name: x509.Name) -> Sequence[bytes]:
        """Those with a subject."""
        ...

    def anchors_issued_by(self, name: x509.Name) -> Sequence[bytes]:
        """Those with an issuer."""
        ...

    def signature_status(self, chain: Sequence[bytes], *, at: datetime) -> QualifiedStatus:
        """Whether what this certificate signed at `at` is a qualified signature or seal."""
        ...

    def timestamp_status(self, chain: Sequence[bytes], *, at: datetime) -> QualifiedStatus:
        """Whether a time-stamp made at `at` by this unit is a qualified one."""
        ...


@dataclass(frozen=True)
class Noted:
    """A signer's certificate (DER), the validation material in and around what was signed, and whether that did."""

    certificate: bytes
    material: ValidationData
    satisfied: bool


class ExaminationTrust:
    """Anchors (DER), of which `test_anchors` only make what rests on them `test_trust`; `extra` is validation
    material known anyway. `existed` is an instant at which the document is known to have existed; `strict` asks for
    revocation data about signers that is no older than that (or than their time-stamps). Raises ValueError for an
    anchor that is not a certificate."""

    def __init__(
        self,
        anchors: Iterable[bytes] = (),
        *,
        algorithms: Algorithms,
        test_anchors: Collection[bytes] = (),
        extra: ValidationData | None = None,
        lists: QualificationLookup | None = None,
        existed: datetime | None = None,
        strict: bool = False,
    ) -> None:
        self.existed = existed
        self.strict = strict
        self.noted: list[Noted] = []
        self.anchors = tuple(dict.fromkeys([*anchors, *test_anchors]))
        self.algorithms = algorithms
        self.extra = extra or ValidationData()
        self.lists = lists
        self.readable_certificates = tuple(
            der for der in dict.fromkeys((*self.anchors, *self.extra.certificates)) if is_readable(der)
        )
        listed = lists.anchors_named if lists is not None else None
        self.paths = Trust(self.anchors, test_anchors, self.extra, listed=listed)
        self.tokens = TokenValidator(
            self.anchors, algorithms=algorithms, test_anchors=test_anchors, extra=self.extra, listed=listed
        )

    def is_anchor(self, certificate: x509.Certificate) -> bool:
        """Whether a certificate is trusted by itself."""
        der = certificate.dump()
        return der in self.anchors or (self.lists is not None and der in self.lists.anchors_named(certificate.subject))

    def named(self, name: x509.Name) -> list[x509.Certificate]:
        """Certificates with this subject, of those that are given and of those that are listed; each can be read."""
        given = (load_certificate(der) for der in self.readable_certificates)
        listed = self.lists.anchors_named(name) if self.lists is not None else ()
        return [*(one for one in given if same_name(one.subject, name)), *map(load_certificate, listed)]

    def candidates(self, *issuers: x509.Name) -> list[x509.Certificate]:
        """Who may have signed and is not in the document: all that are given, and of those that are listed the ones by
        these issuers."""
        listed = [der for name in issuers for der in (self.lists.anchors_issued_by(name) if self.lists else ())]
        return [load_certificate(der) for der in dict.fromkeys((*self.readable_certificates, *listed))]

    def note(self, certificate: bytes, material: ValidationData, *, satisfied: bool) -> None:
        """Somebody signed; a bounded number of them is kept in mind."""
        if len(self.noted) < MAX_NOTED:
            self.noted.append(Noted(certificate, material, satisfied))
