"""RetrievePO: versions of an object as one of the four subjects (TS 119 512 5.3.4, 5.4.9).

Rules kept here
 * `PO` is the documents; `Evidence` the records of every line; `POwithDetachedEvidence` the whole data group that a
   record covers, and the records; `POwithEmbeddedEvidence` one container with both.
 * Evidence that is not there yet is no error: what there is comes, and the answer says that it is not all.
 * All versions of one answer together have at most `MAX_PAYLOAD` bytes.
"""

from __future__ import annotations

import io
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from api.ts119512 import formats, objects
from api.ts119512.answers import evidence_json, po_json, version_id
from api.ts119512.members import MAX_PAYLOAD
from api.ts119512.refusals import (
    NotSupportedError,
    UnknownEvidenceFormatError,
    UnknownFormatError,
    UnknownVersionError,
)
from api.ts119512.requests import RetrievePO, SubmittedObject
from api.ts119512.values import EVIDENCE_RECORD, Subject
from api.wire import poid_of
from archive_core.errors import SizeLimitError
from archive_core.lifecycle import Actor, VersionView
from policies.profiles import profile_by_id

if TYPE_CHECKING:
    from archive_core.archive import Archive


@dataclass(slots=True)
class Retrieved:
    """POs and evidence of an answer, and the versions whose evidence is still to come."""

    found: list[dict[str, Any]] = field(default_factory=list)
    pending: list[int] = field(default_factory=list)


class Retrieving:
    """Puts one answer together."""

    def __init__(self, archive: Archive, asked: RetrievePO, *, actor: Actor) -> None:
        self._archive = archive
        self._asked = asked
        self._actor = actor
        self._left = MAX_PAYLOAD
        self._prefixed = False

    def run(self) -> Retrieved:
        """Raises `UnknownObjectError`, a refusal of the protocol, `SizeLimitError`, or `DamageError`."""
        self._verify_formats()
        poid = poid_of(self._asked.poid)
        head = self._archive.show(poid, None, actor=self._actor)
        wanted = self._versions(head)
        self._prefixed = len(wanted) > 1
        retrieved = Retrieved()
        for version in wanted:
            view = head if version == head.version else self._archive.show(poid, version, actor=self._actor)
            retrieved.found += self._of(view)
            if self._asked.subject is not Subject.PO and view.proof_of_existence is None:
                retrieved.pending.append(version)
        return retrieved

    def _verify_formats(self) -> None:
        asked = self._asked
        if asked.evidence_format not in (None, EVIDENCE_RECORD):
            raise UnknownEvidenceFormatError(f"evidence is given as {EVIDENCE_RECORD}")
        if asked.po_format is not None and asked.po_format not in formats.CONTAINERS:
            raise UnknownFormatError(f"containers are given as {', '.join(formats.CONTAINERS)}")
        if asked.po_format is not None and asked.subject is not Subject.EMBEDDED:
            raise NotSupportedError(f"poFormat is of {Subject.EMBEDDED} only: documents are given as they came")

    def _versions(self, head: VersionView) -> tuple[int, ...]:
        asked = self._asked.versions
        if asked is None:
            return head.versions
        for version in asked:
            if version not in head.versions:
                raise UnknownVersionError(f"there is no version {version_id(version)}; the newest is v{head.version}")
        return asked or (head.version,)

    def _of(self, view: VersionView) -> Iterator[dict[str, Any]]:
        evidenced = view.proof_of_existence is not None
        if self._asked.subject is Subject.EMBEDDED:
            if evidenced:
                yield po_json(self._container(view), prefix=self._prefix(view))
            return
        related: list[str] = []
        if self._asked.subject is not Subject.EVIDENCE:
            for one in self._documents(view, whole=self._asked.subject is Subject.DETACHED):
                related.append(one.id or "")
                yield po_json(one, prefix=self._prefix(view))
        if evidenced and self._asked.subject is not Subject.PO:
            yield from self._records(view, tuple(related))

    def _documents(self, view: VersionView, *, whole: bool) -> Iterator[SubmittedObject]:
        held = self._archive.contents(view.poid, view.version, actor=self._actor, most=self._left)
        self._take(sum(map(len, held.values())))
        profile = profile_by_id(view.profile, self._archive.profiles())
        return objects.given(held, whole=whole, profile=profile)

    def _records(self, view: VersionView, related: tuple[str, ...]) -> Iterator[dict[str, Any]]:
        for record in self._archive.evidence(view.poid, view.version, actor=self._actor):
            self._take(len(record.der))
            one = SubmittedObject(record.der, EVIDENCE_RECORD, id=f"/evidence/{record.line}.ers", related=related)
            yield evidence_json(one, poid=view.poid, version=view.version, prefix=self._prefix(view))

    def _container(self, view: VersionView) -> SubmittedObject:
        self._take(view.size)
        chosen = self._asked.po_format or next(iter(formats.CONTAINERS))
        write = self._archive.export if chosen == formats.BUNDLE else self._archive.export_asic
        out = io.BytesIO()
        write(view.poid, view.version, out, actor=self._actor)
        self._take(out.tell() - view.size)
        suffix = "zip" if chosen == formats.BUNDLE else "asice"
        return SubmittedObject(
            out.getvalue(), chosen, formats.CONTAINERS[chosen], id=f"{version_id(view.version)}.{suffix}"
        )

    def _take(self, size: int) -> None:
        self._left -= size
        if self._left < 0:
            raise SizeLimitError(f"the answer has more than {MAX_PAYLOAD} bytes", limit=MAX_PAYLOAD)

    def _prefix(self, view: VersionView) -> str:
        return f"{version_id(view.version)}:" if self._prefixed else ""
