"""Which examiner looks at which document.

Rules kept here
 * A format is recognised by its first octets, never by a file's name; the first examiner that recognises a
   document examines it, in the order of `EXAMINERS`.
 * An examiner's module is imported when a document of its format is there.
 * A document that nobody recognises is "not examined", by name.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from importlib import import_module
from typing import Protocol

from archive_core.findings import Finding
from signing.examination.documents import Document
from signing.examination.trust import ExaminationTrust
from signing.examination.values import DocumentFormat, Examination, not_examined

HEAD = 4096
"""Octets by which a format is recognised."""


class Examiner(Protocol):
    """What a format's module offers."""

    def recognises(self, head: bytes) -> bool:
        """Whether a document that begins with these octets is of this format."""
        ...

    def examine(
        self, document: Document, *, detached: Sequence[Document], trust: ExaminationTrust, at: datetime
    ) -> Examination:
        """Everything that is signed or stamped in the document. Says what it could not look at
        (`examined`, `complete`) instead of raising; what it raises anyway becomes "not examined" with the
        error's text, which is never a good verdict."""
        ...


@dataclass(frozen=True, slots=True)
class Entry:
    """A format, and the module (with `recognises` and `examine`) that knows it. Where `mark` does not occur in a
    document's first octets, the module need not be asked: some bring large libraries along."""

    name: str
    module: str
    mark: bytes = b""

    def load(self) -> Examiner:
        module: Examiner = import_module(self.module)
        return module


EXAMINERS: tuple[Entry, ...] = (
    Entry("PDF", "signing.examination.pdf", b"%PDF-"),
    Entry("ASiC", "signing.examination.asic"),
    Entry("XML", "signing.examination.xades"),
    Entry("JSON", "signing.examination.jades"),
    Entry("CMS", "signing.examination.cms_document"),
)


def examine(
    document: Document, *, detached: Sequence[Document] = (), trust: ExaminationTrust, at: datetime
) -> Examination:
    """Examine a document by the examiner that recognises it. What an examiner raises over bad input is told."""
    head = document.head(HEAD)
    for entry in EXAMINERS:
        if entry.mark not in head:
            continue
        examiner = entry.load()
        if examiner.recognises(head):
            found = _examined(entry, examiner, document, detached, trust, at)
            return replace(found, size=document.size, sha256=document.digest("sha256").hex())
    reason = "not examined: empty" if not head else "not examined: no format that is known here"
    found = not_examined(document.name, DocumentFormat.UNKNOWN, reason, at=at, size=document.size)
    return replace(found, sha256=document.digest("sha256").hex())


def _examined(
    entry: Entry,
    examiner: Examiner,
    document: Document,
    detached: Sequence[Document],
    trust: ExaminationTrust,
    at: datetime,
) -> Examination:
    try:
        return examiner.examine(document, detached=detached, trust=trust, at=at)
    except MemoryError:
        raise  # the process is at its limit, and says so
    except Exception as error:  # noqa: BLE001 - the last place that can tell it, and it is never a good verdict
        why = f"{type(error).__name__}: {error}"[:300]
        found = not_examined(document.name, DocumentFormat.UNKNOWN, f"not examined: {entry.name}: {why}", at=at)
        return replace(found, complete=False, findings=(Finding("EXAMINER_FAULT", why, where=entry.name),))
