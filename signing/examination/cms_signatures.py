"""The signatures of one CMS SignedData: CAdES, bare CMS, and the CMS inside a PDF (EN 319 122-1, EN 319 142-1).

Rules kept here
 * Every SignerInfo is one signature; every counter-signature is one more, with its parent's id (RFC 5652 11.4).
 * Time-stamps and validation data are taken from the unsigned attributes of all CAdES generations: baseline,
   C, X, X-L and A (TS 101 733), archive time-stamps version 2 and 3.
 * The level says what is in the signature. An attribute that cannot be read is a finding and counts as absent.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime

from asn1crypto import x509

from archive_core.findings import Finding, SubIndication, Verdict
from archive_core.ports import ValidationData
from signing.certificates import load_certificate
from signing.examination import archive_stamps
from signing.examination.cms_reading import Attribute, SignedData, Signer, read_signer, signed_by
from signing.examination.cms_values import (
    OID_ARCHIVE_V2,
    OID_ARCHIVE_V3,
    OID_CONTENT_STAMP,
    OID_COUNTER_SIGNATURE,
    OID_RECORD_EXTERNAL,
    OID_RECORD_INTERNAL,
    OID_REFERENCES_STAMP,
    OID_SIGNATURE_STAMP,
    OID_X_STAMP,
    claimed_time,
    embedded_values,
    policy_of,
    stamp_values,
)
from signing.examination.documents import Document
from signing.examination.evidence import embedded_records, existence
from signing.examination.facts import certificate_facts
from signing.examination.judging import Facts, conclude
from signing.examination.material import listed, merged
from signing.examination.mathematics import OID_ESS_V1, OID_ESS_V2, Content, Mathematics, check_signer
from signing.examination.stamping import Stamp, examine_stamps, proven_time
from signing.examination.trust import ExaminationTrust
from signing.examination.values import (
    Coverage,
    EvidenceExamination,
    Level,
    Reference,
    SignatureExamination,
    SignatureFormat,
    TimestampExamination,
    TimestampKind,
)
from signing.judgement import PARSER_ERRORS, Judgement

MAX_COUNTER_SIGNATURES = 50
_DEEPEST_COUNTER = 5


@dataclass(frozen=True)
class Surroundings:
    """What is around a CMS signature and belongs to its judgement.

    `material` is validation data outside the CMS (a PDF's document security store, a container's files), from
    `origin`; `stamps` are time-stamps outside that cover the signature (document time-stamps), `existence` is what an
    evidence record outside proves. `failure` is what the format around it found wrong, `references` what is referred
    to besides the CMS's own digest. `coverage` and
    `covers` say what the content is.
    """

    bare: SignatureFormat = SignatureFormat.CMS
    advanced: SignatureFormat = SignatureFormat.CADES
    coverage: Coverage = Coverage.WHOLE
    covers: tuple[str, ...] = ()
    material: ValidationData = field(default_factory=ValidationData)
    origin: str = ""
    stamps: tuple[TimestampExamination, ...] = ()
    existence: datetime | None = None
    failure: Judgement | None = None
    references: tuple[Reference, ...] = ()
    findings: tuple[Finding, ...] = ()
    claimed: datetime | None = None


def examine_cms(
    message: SignedData,
    content: Content | None,
    *,
    trust: ExaminationTrust,
    at: datetime,
    around: Surroundings | None = None,
    name: str = "signature",
) -> tuple[SignatureExamination, ...]:
    """Every signature in the message over `content`, which is the encapsulated or the detached one, or None where
    it was not given. Ids are `<name> 1`, `<name> 2`, and `<name> 1 counter-signature 1`. Never raises for bad input."""
    more = tuple(trust.candidates(*signed_by(message)))
    found: list[SignatureExamination] = []
    for index, signer in enumerate(message.signers, start=1):
        place = name if len(message.signers) == 1 and name != "signature" else f"{name} {index}"
        one = _One(message, signer, content, trust, at, around or Surroundings(), more, place, number=index - 1)
        found.append(one.examined())
        found += one.counter_signatures()
    return tuple(found)


class _One:
    """One signer (or counter-signer) on the way to its `SignatureExamination`."""

    def __init__(
        self,
        message: SignedData,
        signer: Signer,
        content: Content | None,
        trust: ExaminationTrust,
        at: datetime,
        around: Surroundings,
        more: Sequence[x509.Certificate],
        place: str,
        *,
        number: int,
        parent: str = "",
        depth: int = 0,
    ) -> None:
        self.message, self.signer, self.content = message, signer, content
        self.trust, self.at, self.around, self.more = trust, at, around, more
        self.place, self.parent, self.number, self.depth = place, parent, number, depth
        self.findings: list[Finding] = [*message.findings, *around.findings]

    def examined(self) -> SignatureExamination:
        values, problems = embedded_values(self.signer)
        self.findings += problems
        inside = merged(
            ValidationData(
                tuple(one.dump() for one in self.message.certificates), self.message.crls, self.message.ocsps
            ),
            values,
        )
        known = [*self.more, *_loaded(self.around.material.certificates), *_loaded(values.certificates)]
        mathematics = check_signer(self.signer, self.message, self.content, more=known, counter=bool(self.parent))
        references = (*mathematics.references, *self.around.references)
        material = merged(inside, self.around.material)
        own = examine_stamps(self._stamps(), trust=self.trust, at=self._control_time(), data=material)
        stamps = (*own, *self.around.stamps)
        records = self._records(material)
        facts = Facts(
            failure=_graver(mathematics.failure, self.around.failure),
            references=references,
            certificate=mathematics.certificate,
            used=mathematics.used,
            digests=(mathematics.digest,) if mathematics.digest else (),
            material=material,
            timestamps=stamps,
            existence=min(filter(None, (existence(records), self.around.existence)), default=None),
        )
        conclusion = conclude(facts, trust=self.trust, at=self.at)
        claimed, policy = self._stated()
        certificate = mathematics.certificate
        return SignatureExamination(
            self.place,
            self._format(mathematics),
            conclusion.verdict,
            conclusion.sub_indication,
            conclusion.message,
            mathematics.value_intact,
            references,
            level=self._level(mathematics, own, material),
            signer=certificate_facts(certificate) if certificate is not None else None,
            claimed_time=claimed or self.around.claimed,
            proven_time=conclusion.proven_time,
            signature_algorithm=mathematics.scheme,
            digest_algorithm=mathematics.digest,
            policy=policy,
            coverage=self.around.coverage,
            covers=self.around.covers,
            qualified=conclusion.qualified,
            timestamps=own,
            evidence_records=len(records),
            records=records,
            test_trust=conclusion.test_trust,
            parent=self.parent,
            used=(*listed(inside, "signature"), *listed(self.around.material, self.around.origin)),
            missing=conclusion.missing,
            findings=(*self.findings, *mathematics.findings, *conclusion.findings),
        )

    def counter_signatures(self) -> list[SignatureExamination]:
        """Of this signer, and theirs, up to a depth (RFC 5652 11.4)."""
        raw = [value for one in self._unsigned(OID_COUNTER_SIGNATURE) for value in one.values]
        found: list[SignatureExamination] = []
        for index, item in enumerate(raw[:MAX_COUNTER_SIGNATURES], start=1):
            signed = Document("signature value", self.signer.signature)
            place = f"{self.place} counter-signature {index}"
            around = Surroundings(
                covers=(f"value of {self.place}",), material=self.around.material, origin=self.around.origin
            )
            one = _One(
                self.message,
                read_signer(item),
                signed,
                self.trust,
                self.at,
                around,
                self.more,
                place,
                number=self.number,
                parent=self.place,
                depth=self.depth + 1,
            )
            found.append(one.examined())
            if self.depth + 1 < _DEEPEST_COUNTER:
                found += one.counter_signatures()
        if len(raw) > MAX_COUNTER_SIGNATURES:
            self.findings.append(Finding("COUNTER_SIGNATURE_LIMIT", f"only {MAX_COUNTER_SIGNATURES} are looked at"))
        return found

    # -- parts --------------------------------------------------------------------------------

    def _unsigned(self, *oids: str) -> list[Attribute]:
        return [one for one in self.signer.unsigned if one.oid in oids]

    def _control_time(self) -> datetime:
        """A good time-stamp around the signature proves that the tokens inside existed then."""
        return min(proven_time(self.around.stamps) or self.at, self.at)

    def _stamps(self) -> list[Stamp]:
        found: list[Stamp] = []
        content, value = self.content, self.signer.signature
        over_content = (lambda name: [content.digest(name)]) if content is not None else (lambda name: [])
        for token in stamp_values(self.signer.signed, OID_CONTENT_STAMP):
            found.append(Stamp(self._stamp_id(found, "content"), TimestampKind.CONTENT, token, over_content, "content"))
        for token in stamp_values(self.signer.unsigned, OID_SIGNATURE_STAMP):
            document = Document("signature value", value)
            covers = "signature value"
            found.append(
                Stamp(self._stamp_id(found, "signature"), TimestampKind.SIGNATURE, token, _digest_of(document), covers)
            )
        for oid, kind in (
            (OID_X_STAMP, TimestampKind.REFERENCES),
            (OID_REFERENCES_STAMP, TimestampKind.REFERENCES_ONLY),
        ):
            for token in stamp_values(self.signer.unsigned, oid):
                imprints = archive_stamps.references_imprints(self.signer, with_signature=oid == OID_X_STAMP)
                place = self._stamp_id(found, "validation data")
                found.append(Stamp(place, kind, token, imprints, "validation data references"))
        for attribute in self._unsigned(OID_ARCHIVE_V2):
            for token in attribute.values:
                imprints = archive_stamps.version_2(self.message, self.signer, self.content, attribute, token)
                place = self._stamp_id(found, "archive")
                found.append(Stamp(place, TimestampKind.ARCHIVE, token, imprints, "archive time-stamp version 2"))
        return self._with_version_3(found)

    def _with_version_3(self, found: list[Stamp]) -> list[Stamp]:
        """What is not in its index came after an archive time-stamp version 3."""
        indexes: dict[str, archive_stamps.Index] = {}
        for token in stamp_values(self.signer.unsigned, OID_ARCHIVE_V3):
            index = archive_stamps.version_3(self.message, self.signer, self.content, token)
            place = self._stamp_id(found, "archive")
            indexes[place] = index
            found.append(
                Stamp(
                    place,
                    TimestampKind.ARCHIVE,
                    token,
                    index.imprints,
                    "archive time-stamp version 3",
                    references=index.references,
                    findings=index.findings,
                )
            )
        return [
            replace(one, protects=self._covered(found, indexes[one.id])) if one.id in indexes else one for one in found
        ]

    def _covered(self, stamps: Sequence[Stamp], index: archive_stamps.Index) -> frozenset[str]:
        holders = [(one, set(one.values)) for one in self.signer.unsigned]
        return frozenset(
            stamp.id
            for stamp in stamps
            if stamp.kind is TimestampKind.CONTENT
            or any(stamp.token in values and index.names(one, stamp.token) for one, values in holders)
        )

    def _stamp_id(self, found: Sequence[Stamp], what: str) -> str:
        return f"{self.place} time-stamp {len(found) + 1} ({what})"

    def _stated(self) -> tuple[datetime | None, str]:
        claimed = claimed_time(self.signer)
        return claimed, policy_of(self.signer)

    def _format(self, mathematics: Mathematics) -> SignatureFormat:
        return self.around.advanced if self._names(mathematics) else self.around.bare

    def _names(self, mathematics: Mathematics) -> bool:
        return bool(self.signer.values(OID_ESS_V1) or self.signer.values(OID_ESS_V2))

    def _level(self, mathematics: Mathematics, own: Sequence[TimestampExamination], material: ValidationData) -> Level:
        if not self._names(mathematics):
            return Level.NONE
        kinds = {one.kind for one in (*own, *self.around.stamps)}
        if not kinds & {TimestampKind.SIGNATURE, TimestampKind.ARCHIVE, TimestampKind.DOCUMENT}:
            return Level.B
        has_material = bool(material.crls or material.ocsps)
        if not has_material:
            return Level.T
        lasting = {TimestampKind.ARCHIVE, TimestampKind.DOCUMENT, TimestampKind.CONTAINER}
        return Level.LTA if kinds & lasting else Level.LT

    def _records(self, material: ValidationData) -> tuple[EvidenceExamination, ...]:
        """Evidence records are in a signer's unsigned attributes (RFC 4998 A.1); a counter-signer has none."""
        if self.parent or not self._unsigned(OID_RECORD_INTERNAL, OID_RECORD_EXTERNAL):
            return ()
        return embedded_records(
            self.message, self.number, self.content, self.place, trust=self.trust, at=self.at, data=material
        )


def _digest_of(document: Document) -> archive_stamps.Imprints:
    return lambda name: [document.digest(name)]


def _loaded(ders: Sequence[bytes]) -> list[x509.Certificate]:
    found = []
    for der in ders:
        try:
            found.append(load_certificate(der))
        except PARSER_ERRORS:
            continue  # told where the path is built
    return found


def _graver(mathematics: Judgement | None, around: Judgement | None) -> Judgement | None:
    """A format that is none before what mathematics says of it; else FAILED before INDETERMINATE."""
    if around is not None and around.sub_indication is SubIndication.FORMAT_FAILURE:
        return around
    both = [judgement for judgement in (mathematics, around) if judgement is not None]
    return next((judgement for judgement in both if judgement.verdict is Verdict.FAILED), both[0] if both else None)
