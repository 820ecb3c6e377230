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

from archive_core.ports import ValidationData
from signing.certificate_path import Trust
from signing.certificates import load_certificate
from signing.examination.values import QualifiedStatus
from signing.suitability import Algorithms
from signing.timestamp_validation import TokenValidator

MAX_NOTED = 100
"""Signers of one document for whom material is collected."""


class QualificationLookup(Protocol):
    """What trusted lists answer (TS 119 615). Certificates are DER, the signer's first, then its issuers."""

    def anchors(self) -> Sequence[bytes]:
        """The certificates of the listed services (DER): trust anchors for signatures and for time-stamps."""
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
        listed = tuple(lists.anchors()) if lists else ()
        self.anchors = tuple(dict.fromkeys([*anchors, *test_anchors, *listed]))
        self.algorithms = algorithms
        self.extra = extra or ValidationData()
        self.lists = lists
        self.readable_certificates = tuple(
            der for der in dict.fromkeys((*self.anchors, *self.extra.certificates)) if _is_readable(der)
        )
        self.paths = Trust(self.anchors, test_anchors, self.extra)
        self.tokens = TokenValidator(self.anchors, algorithms=algorithms, test_anchors=test_anchors, extra=self.extra)

    def note(self, certificate: bytes, material: ValidationData, *, satisfied: bool) -> None:
        """Somebody signed; a bounded number of them is kept in mind."""
        if len(self.noted) < MAX_NOTED:
            self.noted.append(Noted(certificate, material, satisfied))


def _is_readable(der: bytes) -> bool:
    try:
        load_certificate(der)
    except ValueError:
        return False
    return True
