"""ASiC containers: ASiC-S and ASiC-E with CAdES, XAdES, time assertions, evidence records; BDOC (EN 319 162-1).

Rules kept here
 * Every signature file, time-stamp and manifest below META-INF/ is looked at; one that cannot be read is told, and
   the examination is then not complete.
 * In a container a name means the entry of that name and nothing else.
 * Time-stamps over archive manifests and evidence records are looked at first: they prove when the signatures under
   them existed.
 * An evidence record covers the entries of the manifest that names it, in the digest algorithm of its initial
   time-stamp (A.5); without a manifest, the only data object of an ASiC-S, and in an ASiC-E nothing.
 * A data object under no signature and no time-stamp is named as uncovered.
 * A container without any data object is broken, and so is an ASiC-E with XAdES without any manifest.
"""

from __future__ import annotations

import hmac
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from datetime import datetime

from archive_core.errors import UnsafeContainerError
from archive_core.evidence.record import MAX_RECORD
from archive_core.findings import Finding, SubIndication, Verdict
from signing.examination.asic_container import Contents, Entry, Role
from signing.examination.asic_manifests import Manifest, manifests_of, named, problem_of
from signing.examination.cms_reading import CmsError, parse_signed_data
from signing.examination.cms_signatures import Surroundings, examine_cms
from signing.examination.documents import Document, TooLargeError
from signing.examination.evidence import careful, examine_record, existence
from signing.examination.stamping import Stamp, examine_stamps
from signing.examination.trust import ExaminationTrust
from signing.examination.values import (
    Coverage,
    DocumentFormat,
    EvidenceExamination,
    Examination,
    Reference,
    SignatureExamination,
    TimestampExamination,
    TimestampKind,
    not_examined,
)
from signing.examination.xades import Container, examine_tree
from signing.judgement import Judgement, malformed
from signing.xml_signatures.reading import MAX_SIZE, XmlRefusedError, parse_xml

MAX_TOKEN = 16 * 1024 * 1024
MAX_CMS = 64 * 1024 * 1024
MAX_FILES = 200
"""Signature files and time-stamps of one container that are looked at."""

_BDOC_POLICIES = "1.3.6.1.4.1.10015.1000.3"


def recognises(head: bytes) -> bool:
    return head.startswith((b"PK\x03\x04", b"PK\x05\x06"))


def examine(document: Document, *, detached: Sequence[Document], trust: ExaminationTrust, at: datetime) -> Examination:
    """Everything signed or stamped in the container; `detached` data have no place in one and are passed over."""
    with document.open() as stream:
        try:
            contents = Contents.of(stream)
        except UnsafeContainerError as error:
            reason = f"not examined: a ZIP file that is not read: {error}"
            return not_examined(document.name, DocumentFormat.ZIP, reason, at=at, size=document.size)
        if not contents.is_container:
            kind = "an Office Open XML document" if contents.is_office_document else "a ZIP file, no ASiC container"
            reason = f"not examined: {kind}"
            return not_examined(document.name, DocumentFormat.ZIP, reason, at=at, size=document.size)
        found = _Examining(contents, trust, at).run(document)
    if detached:
        text = "data were given beside a container, whose signatures are about its own entries"
        found = replace(found, findings=(*found.findings, Finding("DETACHED_UNUSED", text)))
    return found


class _Examining:
    """One container on the way to its `Examination`."""

    def __init__(self, contents: Contents, trust: ExaminationTrust, at: datetime) -> None:
        self.contents, self.trust, self.at = contents, trust, at
        self.manifests = manifests_of(contents)
        self.simple = contents.is_simple
        self.findings: list[Finding] = list(contents.remarks())
        self.complete = True
        self.covered: set[str] = set()
        self.records: list[tuple[EvidenceExamination, Manifest | None]] = []

    def run(self, document: Document) -> Examination:
        stamps = self._timestamps()
        self.records = self._evidence()
        signatures: list[SignatureExamination] = []
        for entry in self._limited(Role.XADES):
            signatures += self._xades(entry, stamps)
        for entry in self._limited(Role.CADES):
            signatures += self._cades(entry, stamps)
        self._name_uncovered()
        self._name_damaged()
        return Examination(
            document.name,
            self._format(signatures),
            examined=True,
            at=self.at,
            complete=self.complete,
            signatures=tuple(signatures),
            timestamps=tuple(one for one, _ in stamps),
            evidence_records=len(self.records) + sum(one.evidence_records for one in signatures),
            records=tuple(one for one, _ in self.records),
            size=document.size,
            sha256=document.digest("sha256").hex(),
            findings=tuple(self.findings),
        )

    def _format(self, signatures: Iterable[SignatureExamination]) -> DocumentFormat:
        if self.simple:
            return DocumentFormat.ASIC_S
        if any(_BDOC_POLICIES in one.policy for one in signatures):
            return DocumentFormat.BDOC
        return DocumentFormat.ASIC_E

    def _limited(self, role: Role) -> list[Entry]:
        entries = self.contents.having(role)
        if len(entries) > MAX_FILES:
            self._not_read(f"only {MAX_FILES} files of the kind {role.value} are looked at")
        return entries[:MAX_FILES]

    def _not_read(self, text: str) -> None:
        self.complete = False
        self.findings.append(Finding("NOT_EXAMINED", text))

    # -- time assertions ------------------------------------------------------------------------

    def _timestamps(self) -> list[tuple[TimestampExamination, Manifest | None]]:
        """Every time-stamp file, with the manifest that it is over, or None when it is over the data object."""
        stamps: list[Stamp] = []
        over: list[Manifest | None] = []
        for entry in self._limited(Role.TIMESTAMP):
            try:
                token = entry.read(MAX_TOKEN)
            except (TooLargeError, UnsafeContainerError) as error:
                self._not_read(f"{entry.name}: {error}")
                continue
            manifest = self._manifest_for(entry)
            stamps.append(self._stamp(entry, token, manifest))
            over.append(manifest)
        examined = examine_stamps(stamps, trust=self.trust, at=self.at)
        for one, manifest in zip(examined, over, strict=True):
            self._cover(one.references, manifest)
        return list(zip(examined, over, strict=True))

    def _stamp(self, entry: Entry, token: bytes, manifest: Manifest | None) -> Stamp:
        target = self._single_data_object() if manifest is None else manifest.file
        entries = manifest.references() if manifest is not None else ()
        findings: tuple[Finding, ...] = ()
        if manifest is not None and manifest.fault:
            findings = (Finding("MANIFEST_UNREADABLE", manifest.fault, clause="EN 319 162-1 A.4"),)
        return Stamp(
            entry.name,
            TimestampKind.CONTAINER,
            token,
            lambda algorithm: [target.digest(algorithm)] if target is not None else [],
            covers=target.name if target is not None else "",
            references=entries,
            findings=findings,
        )

    def _manifest_for(self, entry: Entry) -> Manifest | None:
        """The manifest whose SigReference names this signature or time-stamp."""
        naming = [one for one in self.manifests if one.target == entry.name]
        if len(naming) > 1:
            text = f"several manifests name {entry.name}: the first counts"
            self.findings.append(Finding("MANIFEST_AMBIGUOUS", text, clause="EN 319 162-1 A.4"))
        return naming[0] if naming else None

    def _single_data_object(self) -> Entry | None:
        objects = self.contents.data_objects
        return objects[0] if len(objects) == 1 else None

    # -- evidence records -----------------------------------------------------------------------

    def _evidence(self) -> list[tuple[EvidenceExamination, Manifest | None]]:
        """Every evidence record, with the manifest that names it."""
        found: list[tuple[EvidenceExamination, Manifest | None]] = []
        for entry in self._limited(Role.EVIDENCE):
            try:
                octets = entry.read(MAX_RECORD)
            except (TooLargeError, UnsafeContainerError) as error:
                self._not_read(f"{entry.name}: {error}")
                continue
            manifest = self._manifest_for(entry)
            references = manifest.references() if manifest is not None else ()
            one = examine_record(
                entry.name,
                octets,
                [careful(name, digest) for name, digest in self._under(manifest)],
                trust=self.trust,
                at=self.at,
                data=self.contents.validation_data(),
                failure=problem_of(manifest, references) if manifest is not None else None,
                covers=tuple(reference.name for reference in references if reference.intact),
            )
            found.append((_of_one_algorithm(one, references), manifest))
            self._cover(references, manifest)
            self._cover_twins(manifest)
        return found

    def _under(self, manifest: Manifest | None) -> list[tuple[str, Callable[[str], bytes]]]:
        """What a record should be about: names, and how to digest them."""
        if manifest is not None:
            return [(one.uri, one.digest_of_data) for one in manifest.listed]
        data = self._single_data_object() if self.simple else None
        return [(data.name, data.unpacked_digest)] if data is not None else []

    def _existed(self, entry: Entry) -> datetime | None:
        """What good records prove of a signature file that their manifest lists."""
        return existence(one for one, manifest in self.records if manifest is not None and manifest.covers(entry.name))

    def _cover_twins(self, manifest: Manifest | None) -> None:
        """A group is a set of digests (RFC 4998 4.2): data objects with the bytes of one that is listed are covered."""
        intact = [one for one in manifest.listed if one.reference().intact] if manifest is not None else []
        for entry in self.contents.data_objects:
            if entry.name in self.covered:
                continue
            same = (one for one in intact if one.entry is not None and one.entry.size == entry.size)
            if any(_has_digest(entry, one.algorithm, one.digest) for one in same):
                self.covered.add(entry.name)

    # -- signatures -----------------------------------------------------------------------------

    def _xades(
        self, entry: Entry, stamps: Sequence[tuple[TimestampExamination, Manifest | None]]
    ) -> tuple[SignatureExamination, ...]:
        try:
            tree = parse_xml(entry.read(MAX_SIZE))
        except (XmlRefusedError, TooLargeError, UnsafeContainerError) as error:
            self._not_read(f"{entry.name}: {error}")
            return ()
        outside = {name: other for name, other in self.contents.entries.items() if other is not entry}
        around = Container(
            prefix=f"{entry.name} ",
            stamps=self._protecting(entry, stamps),
            existence=self._existed(entry),
            failure=self._broken(Role.XADES),
        )
        try:
            found, complete = examine_tree(tree, outside, trust=self.trust, at=self.at, around=around)
        except UnsafeContainerError as error:
            self._not_read(f"what {entry.name} signs: {error}")
            return ()
        if not complete:
            self._not_read(f"{entry.name}: there are more signatures than are looked at")
        for one in found:
            self._cover(one.references, None)
        return tuple(one if one.parent else replace(one, coverage=self._coverage(one.covers)) for one in found)

    def _cades(
        self, entry: Entry, stamps: Sequence[tuple[TimestampExamination, Manifest | None]]
    ) -> tuple[SignatureExamination, ...]:
        try:
            message = parse_signed_data(entry.read(MAX_CMS))
        except (CmsError, TooLargeError, UnsafeContainerError) as error:
            self._not_read(f"{entry.name}: {error}")
            return ()
        manifest = self._manifest_for(entry)
        content = self._single_data_object() if manifest is None else manifest.file
        entries = manifest.references() if manifest is not None else ()
        problem = problem_of(manifest, entries) if manifest is not None else None
        covers = tuple(one.name for one in entries if one.intact)
        if manifest is None and content is not None:
            covers = (content.name,)
        around = Surroundings(
            coverage=self._coverage(covers),
            covers=covers,
            stamps=self._protecting(entry, stamps),
            existence=self._existed(entry),
            failure=self._broken(Role.CADES) or problem,
        )
        try:
            found = examine_cms(message, content, trust=self.trust, at=self.at, around=around, name=entry.name)
        except UnsafeContainerError as error:
            self._not_read(f"what {entry.name} signs: {error}")
            found = examine_cms(message, None, trust=self.trust, at=self.at, around=around, name=entry.name)
        if any(one.signature_intact for one in found if not one.parent):
            self._cover((*entries, *_whole(manifest, content)), None)
        return tuple(one if one.parent else replace(one, references=(*one.references, *entries)) for one in found)

    def _coverage(self, covers: Sequence[str]) -> Coverage:
        objects = {one.name for one in self.contents.data_objects}
        return Coverage.WHOLE if objects and objects <= set(covers) else Coverage.PART

    def _protecting(
        self, entry: Entry, stamps: Iterable[tuple[TimestampExamination, Manifest | None]]
    ) -> tuple[TimestampExamination, ...]:
        """The time-stamps over archive manifests that list this signature file as it is."""
        return tuple(
            one
            for one, manifest in stamps
            if manifest is not None and manifest.role is Role.ARCHIVE_MANIFEST and manifest.covers(entry.name)
        )

    def _broken(self, role: Role) -> Judgement | None:
        """What makes a container no container (EN 319 162-1 4.3, 4.4)."""
        if not self.contents.data_objects:
            return malformed("the container holds no data object")
        listed = "META-INF/manifest.xml" in self.contents.entries or self.manifests
        if role is Role.XADES and not self.simple and not listed:
            return malformed("the container has neither META-INF/manifest.xml nor another manifest")
        return None

    # -- what is covered ------------------------------------------------------------------------

    def _cover(self, references: Iterable[Reference], manifest: Manifest | None) -> None:
        intact = [one for one in references if one.intact]
        if manifest is None and any(one.name == "message-imprint" for one in intact):
            target = self._single_data_object()
            self.covered |= {target.name} if target is not None else set()
        self.covered |= {named(one.name, self.contents.entries) for one in intact}

    def _name_uncovered(self) -> None:
        for entry in self.contents.data_objects:
            if entry.name not in self.covered:
                text = "a data object that no signature, no time-stamp and no evidence record covers"
                self.findings.append(Finding("UNCOVERED", text, where=entry.name[:200], clause="EN 319 162-1 4.4.1"))

    def _name_damaged(self) -> None:
        """What tells readers what the container is (the mimetype file, META-INF/manifest.xml) is read as well."""
        for entry in (*self.contents.having(Role.MIMETYPE), *self.contents.having(Role.OTHER)):
            try:
                entry.unpacked_digest("sha256")
            except UnsafeContainerError as error:
                self._not_read(f"{entry.name}: {error}")


def _has_digest(entry: Entry, algorithm: str, digest: bytes) -> bool:
    return hmac.compare_digest(entry.digest(algorithm), digest)


def _of_one_algorithm(one: EvidenceExamination, references: Sequence[Reference]) -> EvidenceExamination:
    """EN 319 162-1 A.5: the manifest's digests are of the algorithm of the initial time-stamp."""
    other = sorted({it.algorithm for it in references if it.algorithm} - {it.algorithm for it in one.references})
    if one.verdict is Verdict.FAILED or not one.references or not other:
        return one
    text = f"the manifest's digests are {other[0]}, the initial time-stamp's are {one.references[0].algorithm}"
    return replace(
        one, verdict=Verdict.FAILED, sub_indication=SubIndication.HASH_FAILURE, message=text, proof_of_existence=None
    )


def _whole(manifest: Manifest | None, content: Entry | None) -> tuple[Reference, ...]:
    if manifest is not None or content is None:
        return ()
    return (Reference(content.name, True, True),)
