"""Use case: a sealed copy of a deposited PDF, made when somebody asks for it.

Rules kept here
 * The original is what was deposited, before and after. The copy begins with its very octets, is never stored, and
   never becomes a version.
 * Every byte of the original is verified before it is sealed.
 * The copy is sealed with the archive's key and two time-stamps of the version's profile (PAdES B-LTA), which may
   cost: nobody gets one by a plain read.
 * What is shown on the first page, when that is asked for, says that it is a copy, of what, and whose seal it is.
"""

from __future__ import annotations

import contextlib
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from archive_core.catalogue.rows import FileRow, VersionRow
from archive_core.content import Content
from archive_core.digests import Digest
from archive_core.errors import NotSealableError, SettingsError, TimestampAuthorityUnavailableError, UnavailableError
from archive_core.findings import utc_text
from archive_core.obtaining import obtain
from archive_core.ports import Clock, SealsPdf, TimestampAuthority, TimestampValidator, TokenFor
from archive_core.publishing import Published

MAX_SIZE = 256 * 1024 * 1024
"""Bytes of a PDF that is sealed."""

LANGUAGES = ("en", "cs")
_TEXTS = {
    "en": (
        "Sealed copy of a document in a trusted store",
        "store: {name}",
        "object: {poid}, version {version}",
        "sealed at: {at}",
        "The deposited document is kept unchanged.",
        "TEST TRUST: this seal proves nothing to anybody else.",
    ),
    "cs": (
        "Zapečetěná kopie dokumentu z důvěryhodného úložiště",
        "úložiště: {name}",
        "objekt: {poid}, verze {version}",
        "zapečetěno: {at}",
        "Uložený dokument zůstává beze změny.",
        "ZKUŠEBNÍ DŮVĚRA: tato pečeť nikomu jinému nic nedokazuje.",
    ),
}


@dataclass(frozen=True, slots=True)
class SealedCopy:
    """A copy in a file that is gone when its block ends."""

    path: Path
    size: int
    name: str
    test_trust: bool


class SealedCopies:
    """Copies of the documents of one archive."""

    def __init__(
        self,
        *,
        name: str,
        clock: Clock,
        content: Content,
        sealer: SealsPdf | None,
        authorities: Mapping[str, TimestampAuthority],
        validator: TimestampValidator,
        published: Published,
        scratch: Path,
        test_trust: bool,
    ) -> None:
        """`scratch` is where copies are made; `test_trust` whether the visible text has to say so."""
        self._name = name
        self._clock = clock
        self._content = content
        self._sealer = sealer
        self._authorities = authorities
        self._validator = validator
        self._published = published
        self._scratch = scratch
        self._test_trust = test_trust

    @contextlib.contextmanager
    def make(self, row: VersionRow, file: FileRow, *, visible: str | None) -> Iterator[SealedCopy]:
        """A sealed copy of one file of a version; `visible` is the language of a text on its first page, None for no
        such text. Raises `NotSealableError`, `DamageError`, `SealKeyUnavailableError`,
        `TimestampAuthorityUnavailableError`, `TimestampRefusedError`."""
        if self._sealer is None:
            raise SettingsError("no seal key that seals PDF documents is set up")
        if file.size > MAX_SIZE:
            raise NotSealableError(f"this PDF cannot be sealed: {file.size} bytes, of which at most {MAX_SIZE}")
        at = self._clock.now()
        self._scratch.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=self._scratch, prefix="sealed-copy-") as aside:
            original, out = Path(aside) / "original.pdf", Path(aside) / "copy.pdf"
            with original.open("xb") as stream:
                for piece in self._content.stream_file(row, file):
                    stream.write(piece)
            test_trust = self._sealer.seal_pdf(
                original,
                out,
                at=at,
                stamp=lambda digest: self._stamp(row, digest),
                reason=f"sealed copy of {row.poid}, version {row.version}",
                lines=self._lines(row, at, visible) if visible else (),
            )
            name = Path(file.path).stem + ".sealed.pdf"
            yield SealedCopy(out, out.stat().st_size, name, test_trust)

    def _lines(self, row: VersionRow, at: datetime, language: str) -> tuple[str, ...]:
        *texts, warning = _TEXTS[language]
        if self._test_trust:
            texts.append(warning)
        shown = utc_text(at.replace(microsecond=0)).replace("T", " ").replace("Z", " UTC")
        return tuple(one.format(name=self._name, poid=row.poid, version=row.version, at=shown) for one in texts)

    def _stamp(self, row: VersionRow, digest: Digest) -> TokenFor:
        """From the first authority of the version's profile that gives one that is good."""
        profile = self._published.profile(row.profile)
        refused: UnavailableError | None = None
        for name in dict.fromkeys(line.tsa for line in profile.lines):
            if name not in self._authorities:
                continue
            try:
                found = obtain(
                    self._authorities[name],
                    digest,
                    accepts_test=profile.accepts_test_trust,
                    validator=self._validator,
                    clock=self._clock,
                )
            except UnavailableError as error:
                refused = refused or error
            else:
                return TokenFor(found.stamp.der, found.data)
        raise refused or TimestampAuthorityUnavailableError(f"no time-stamp authority of {profile.id} is set up")
