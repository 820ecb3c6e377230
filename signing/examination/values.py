"""What the examination of a document with signatures in it finds out: frozen values, no logic of any format.

Rules kept here
 * Three verdicts with a sub-indication (EN 319 102-1 5.1.3), taken from `archive_core.findings`.
 * Mathematics and trust stay apart: `signature_intact` and `references` are said whatever the trust is, and
   "not trusted" (INDETERMINATE) never hides "broken" (FAILED).
 * A time-stamp is not a signature: `Examination.signatures` holds signatures and counter-signatures;
   `Examination.timestamps` the time-stamps that protect the document as a whole (document time-stamps, time
   assertions of containers, a token that is the document). A signature's own time-stamps are in its `timestamps`.
 * What was not looked at is `examined=False` with the reason, never an empty list that could pass for "no
   signatures". Times are UTC. Certificates and revocation data are named by the SHA-256 of their DER.
"""

from __future__ import annotations

import enum
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from archive_core.findings import Finding, SubIndication, Verdict


class SignatureFormat(enum.StrEnum):
    """The family of a signature. `…_PDF`/`CMS`/`XML_DSIG`/`JWS`: the bare form, without the attributes of AdES."""

    PADES = "PAdES"
    PKCS7_PDF = "PKCS7-PDF"
    CADES = "CAdES"
    CMS = "CMS"
    XADES = "XAdES"
    XML_DSIG = "XMLDSig"
    JADES = "JAdES"
    JWS = "JWS"
    RFC3161 = "RFC3161"


class DocumentFormat(enum.StrEnum):
    """What the examined document is as a whole."""

    PDF = "PDF"
    CMS = "CMS"
    ZFO = "ZFO"
    TIMESTAMP = "RFC3161"
    XML = "XML"
    JSON = "JSON"
    ASIC_S = "ASiC-S"
    ASIC_E = "ASiC-E"
    BDOC = "BDOC"
    ZIP = "ZIP"
    EVIDENCE_RECORD = "RFC4998"
    UNKNOWN = "unknown"


class Level(enum.StrEnum):
    """The baseline level that a signature reaches by what is in it (EN 319 122/132/142/162-1, TS 119 182-1).

    NONE: not an AdES baseline signature (no signing-certificate reference, for example).
    """

    NONE = "none"
    B = "B"
    T = "T"
    LT = "LT"
    LTA = "LTA"


class TimestampKind(enum.StrEnum):
    """What a time-stamp covers."""

    CONTENT = "content"
    SIGNATURE = "signature"
    REFERENCES = "references"  # the signature and references to validation data (X time-stamps type 1)
    REFERENCES_ONLY = "references-only"  # the references alone (type 2): not the signature
    ARCHIVE = "archive"
    DOCUMENT = "document"
    CONTAINER = "container"
    ALONE = "token"


class Coverage(enum.StrEnum):
    """How much of the document a signature covers."""

    WHOLE = "whole"  # everything that is not the signature itself
    REVISION = "revision"  # a PDF's revision, after which only permitted changes follow
    PART = "part"  # named files or elements
    DETACHED = "detached"  # data outside the document
    UNCLEAR = "unclear"  # octets that nobody vouches for


class Qualification(enum.StrEnum):
    """The outcome of a look into trusted lists (TS 119 615); `NOT_EXAMINED`: no list was given."""

    QUALIFIED_SIGNATURE = "QESig"
    QUALIFIED_SEAL = "QESeal"
    ADVANCED_SIGNATURE_QC = "AdESig-QC"
    ADVANCED_SEAL_QC = "AdESeal-QC"
    ADVANCED = "AdES"
    QUALIFIED_TIMESTAMP = "QTSA"
    TIMESTAMP = "TSA"
    INDETERMINATE = "INDETERMINATE"
    NOT_EXAMINED = "not examined"


@dataclass(frozen=True, slots=True)
class QualifiedStatus:
    """Qualified or not, at an instant, by which list. `reason` says why in one sentence."""

    qualification: Qualification
    at: datetime | None = None
    reason: str = ""
    territory: str = ""
    provider: str = ""
    service: str = ""
    list_sequence: int | None = None
    list_sha256: str = ""

    @property
    def is_qualified(self) -> bool:
        return self.qualification in (
            Qualification.QUALIFIED_SIGNATURE,
            Qualification.QUALIFIED_SEAL,
            Qualification.QUALIFIED_TIMESTAMP,
        )


NOT_LOOKED_UP = QualifiedStatus(Qualification.NOT_EXAMINED, reason="no trusted list was given")


@dataclass(frozen=True, slots=True)
class Reference:
    """One digest under a signature or time-stamp: of which data, whether these were found, whether they fit.

    `intact` is False when the data were not found. `name` says what is referred to (`ByteRange`,
    `message-digest`, `#xades-id`, `document.txt`, `message-imprint`). `indirect`: not itself under the
    mathematics of the value, but a manifest's entry, or a digest that fits and leads elsewhere than the standard
    demands.
    """

    name: str
    found: bool
    intact: bool
    algorithm: str = ""
    indirect: bool = False


@dataclass(frozen=True, slots=True)
class CertificateFacts:
    """Who a certificate says its subject is. `name` is the common name where there is one."""

    name: str
    subject: str
    issuer: str
    serial_number: str
    not_before: datetime | None
    not_after: datetime | None
    sha256: str


class MaterialKind(enum.StrEnum):
    CERTIFICATE = "certificate"
    CRL = "crl"
    OCSP = "ocsp"


@dataclass(frozen=True, slots=True)
class Material:
    """A certificate, CRL or OCSP response that is in the document, or was given, named by its SHA-256."""

    kind: MaterialKind
    sha256: str
    origin: str = ""  # "signature", "timestamp", "DSS dictionary", "container", "given"
    about: str = ""


@dataclass(frozen=True, slots=True)
class MissingMaterial:
    """Validation material that would be needed for a better verdict, and about whom.

    `certificate_sha256` is the certificate that revocation data are missing for, or whose issuer is missing.
    """

    kind: MaterialKind
    about: str
    certificate_sha256: str = ""
    sources: tuple[str, ...] = ()  # addresses that the certificate itself states; nothing is fetched here


@dataclass(frozen=True, slots=True)
class TimestampExamination:
    """One time-stamp token: mathematics, reference and trust.

    `signature_intact` is the token's own signature (and its message digest); `references` its imprint over
    the data it should cover (and, for an ats-hash-index-v3, every entry that is not found).
    """

    id: str
    kind: TimestampKind
    verdict: Verdict
    sub_indication: SubIndication | None
    message: str
    signature_intact: bool
    references: tuple[Reference, ...]
    gen_time: datetime | None = None
    signer: CertificateFacts | None = None
    imprint_algorithm: str = ""
    qualified: QualifiedStatus = NOT_LOOKED_UP
    covers: str = ""
    format: SignatureFormat = SignatureFormat.RFC3161
    findings: tuple[Finding, ...] = ()

    @property
    def references_found(self) -> bool:
        return all_found(self.references)

    @property
    def references_intact(self) -> bool:
        return all_intact(self.references)


@dataclass(frozen=True, slots=True)
class EvidenceExamination:
    """One evidence record, by the verification of RFC 4998 5.3.

    `references` are the data objects that it should cover, `intact` when the initial time-stamp covers them.
    `proof_of_existence` is set only when the record is PASSED: they existed then.
    """

    id: str
    verdict: Verdict
    sub_indication: SubIndication | None
    message: str
    references: tuple[Reference, ...]
    proof_of_existence: datetime | None = None
    time_stamps: int = 0
    digest_algorithms: tuple[str, ...] = ()
    covers: tuple[str, ...] = ()
    test_trust: bool = False
    findings: tuple[Finding, ...] = ()

    @property
    def references_found(self) -> bool:
        return all_found(self.references)

    @property
    def references_intact(self) -> bool:
        return all_intact(self.references)


@dataclass(frozen=True, slots=True)
class SignatureExamination:
    """One signature.

    `value_intact`: the signature value fits what was signed (signed attributes, SignedInfo) and the signer's
    key; None when it could not be judged (algorithm not known, certificate not there). `references`: every
    digest under the signature; empty only when the signature could not be read far enough to know them.
    `signature_intact` puts both together: cryptography over the right bytes.

    `claimed_time` is what the signer says; `proven_time` the best-signature-time of a good time-stamp
    or evidence record (EN 319 102-1 5.5.4, 5.6.3), None without one. `level` is what is in the signature, not whether
    it is good. `parent` is the id of the signature that a counter-signature signs.
    """

    id: str
    format: SignatureFormat
    verdict: Verdict
    sub_indication: SubIndication | None
    message: str
    value_intact: bool | None
    references: tuple[Reference, ...]
    level: Level = Level.NONE
    signer: CertificateFacts | None = None
    claimed_time: datetime | None = None
    proven_time: datetime | None = None
    signature_algorithm: str = ""
    digest_algorithm: str = ""
    policy: str = ""
    coverage: Coverage = Coverage.UNCLEAR
    covers: tuple[str, ...] = ()  # "data.txt", "revision 1 of 3", "detached data"
    qualified: QualifiedStatus = NOT_LOOKED_UP
    timestamps: tuple[TimestampExamination, ...] = ()
    evidence_records: int = 0  # recognised in this signature; `records` are those looked at
    records: tuple[EvidenceExamination, ...] = ()
    test_trust: bool = False
    parent: str = ""
    used: tuple[Material, ...] = ()
    missing: tuple[MissingMaterial, ...] = ()
    findings: tuple[Finding, ...] = ()

    @property
    def references_found(self) -> bool:
        return all_found(self.references)

    @property
    def references_intact(self) -> bool:
        return all_intact(self.references)

    @property
    def signature_intact(self) -> bool:
        direct = [reference for reference in self.references if not reference.indirect]
        return self.value_intact is True and bool(self.references) and all(one.intact for one in direct)


def all_found(references: Iterable[Reference]) -> bool:
    """Whether there is data to look at, and all of it was found."""
    found = [reference.found for reference in references]
    return bool(found) and all(found)


def all_intact(references: Iterable[Reference]) -> bool:
    """Whether every digest was compared and fits; False over nothing."""
    intact = [reference.found and reference.intact for reference in references]
    return bool(intact) and all(intact)


@dataclass(frozen=True, slots=True)
class Examination:
    """One document, examined. `reason` says why it was not, when `examined` is False.

    `complete` is False when something in a document that is otherwise understood could not be looked at (a
    limit was reached, a part is damaged): there may be signatures that are not in the list. `records` are the evidence
    records beside the signatures; `evidence_records` counts these and those in signatures.
    """

    document: str
    format: DocumentFormat
    examined: bool
    at: datetime
    reason: str = ""
    complete: bool = True
    signatures: tuple[SignatureExamination, ...] = ()
    timestamps: tuple[TimestampExamination, ...] = ()
    evidence_records: int = 0
    records: tuple[EvidenceExamination, ...] = ()
    size: int = 0
    sha256: str = ""
    findings: tuple[Finding, ...] = ()

    @property
    def verdict(self) -> Verdict | None:
        """The worst of all signatures, time-stamps and evidence records; INDETERMINATE when something was not looked
        at; None when there is nothing that could be judged."""
        verdicts = [one.verdict for one in self.signatures] + [one.verdict for one in self.timestamps]
        verdicts += [one.verdict for one in self.records]
        verdicts += [one.verdict for signature in self.signatures for one in signature.records]
        if not self.examined or not self.complete:
            verdicts.append(Verdict.INDETERMINATE)
        return max(verdicts, key=_SEVERITY.__getitem__, default=None)


_SEVERITY = {Verdict.PASSED: 0, Verdict.INDETERMINATE: 1, Verdict.FAILED: 2}


def not_examined(document: str, format_: DocumentFormat, reason: str, *, at: datetime, size: int = 0) -> Examination:
    """A document that nobody looked into, and why."""
    return Examination(document, format_, examined=False, at=at, reason=reason, size=size)
