"""Sealed copies of PDF documents at the baseline level B-LTA (EN 319 142-1 6.3, 5.4, 5.5).

Rules kept here, in this order
 1. A process of its own appends a signature dictionary with room for the CMS, in an update (`child`, `apart`).
 2. The seal key signs the digest of the update around that room; a signature time-stamp goes into the CMS (B-T).
 3. A second update holds chain and revocation data of seal and time-stamp (B-LT) and a document time-stamp over all
    before it (B-LTA).
 4. The copy is examined like anybody's file, and is given out only when our seal and the document time-stamp are PASSED
    and reach that level. What others signed in it before is not judged here.
"""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from datetime import datetime
from hashlib import sha256
from pathlib import Path

from archive_core.digests import Digest
from archive_core.errors import NotSealableError, SealKeyUnavailableError, SettingsError
from archive_core.evidence.material import merged
from archive_core.findings import Verdict
from archive_core.ports import Seal, Sealer, SealsDigests, StampDigest
from signing.examination.cms_reading import parse_signed_data
from signing.examination.request import NamedPath, Request, TrustGiven
from signing.examination.sandbox import Limits, examine_apart
from signing.examination.values import Examination, Level, SignatureExamination, SignatureFormat
from signing.pdf_seals.apart import fill, prepare
from signing.pdf_seals.request import Step

RESERVE = 32 * 1024
"""Bytes of room for a CMS: seal, chain and a time-stamp."""
RESERVE_STAMP = 64 * 1024
"""Bytes of room for a document time-stamp, which may have lists inside."""

_SEAL_FIELD, _STAMP_FIELD = "TrustedArchiveSeal", "TrustedArchiveTimestamp"


class PdfSealing:
    """A `SealsPdf`. `trust` is what the archive itself trusts, and judges the copy by."""

    def __init__(self, sealer: Sealer, trust: TrustGiven, *, limits: Limits | None = None) -> None:
        self._sealer = sealer
        self._trust = trust
        self._limits = limits or Limits()

    def seal_pdf(
        self, source: Path, out: Path, *, at: datetime, stamp: StampDigest, reason: str, lines: Sequence[str]
    ) -> bool:
        sealer = self._sealer.in_force(at)
        if not isinstance(sealer, SealsDigests):
            raise SettingsError("this seal key seals no PDF documents")
        with tempfile.TemporaryDirectory(dir=out.parent, prefix=".sealing-") as aside:
            sealed = Path(aside) / "sealed.pdf"
            step = Step(str(source.absolute()), RESERVE, at, _SEAL_FIELD, reason=reason, lines=tuple(lines))
            room = prepare(step, sealed, self._limits)
            seal = sealer.seal_digest(room.digest, at=at, stamp=stamp)
            fill(sealed, room, seal.der)
            self._stamped(sealed, out, seal, at, stamp)
        return self._judged(out, seal, at)

    def _stamped(self, sealed: Path, out: Path, seal: Seal, at: datetime, stamp: StampDigest) -> None:
        inside = tuple(one.dump() for one in parse_signed_data(seal.der).certificates)
        data = merged([seal.validation_data])
        step = Step(
            str(sealed),
            RESERVE_STAMP,
            at,
            _STAMP_FIELD,
            is_time_stamp=True,
            certificates=tuple(dict.fromkeys((*data.certificates, *inside))),
            crls=data.crls,
            ocsps=data.ocsps,
        )
        room = prepare(step, out, self._limits)
        fill(out, room, stamp(Digest("sha512", room.digest)).der)

    def _judged(self, out: Path, seal: Seal, at: datetime) -> bool:
        """Raises unless the copy is what it is to be."""
        found = examine_apart(Request(NamedPath(out, "copy.pdf"), at, trust=self._trust), self._limits)
        ours = _ours(found, seal)
        last = found.timestamps[-1] if found.timestamps else None
        if ours is None or last is None:
            raise NotSealableError(f"the sealed copy is not used: {found.reason or 'the seal is not found in it'}")
        for one in (ours, last):
            if one.verdict is not Verdict.PASSED:
                raise SealKeyUnavailableError(
                    f"the sealed copy is not used: {one.verdict} {one.sub_indication or ''} {one.message}"
                )
        if ours.level is not Level.LTA or ours.format is not SignatureFormat.PADES:
            raise SealKeyUnavailableError(f"the sealed copy is not used: {ours.format} {ours.level} is not B-LTA")
        if ours.test_trust and not seal.test_trust:
            raise SealKeyUnavailableError("the seal is not used: it is test trust, and is not said to be")
        return seal.test_trust


def _ours(found: Examination, seal: Seal) -> SignatureExamination | None:
    """The last signature by the seal's certificate."""
    inside = {sha256(one.dump()).hexdigest() for one in parse_signed_data(seal.der).certificates}
    return next((one for one in reversed(found.signatures) if one.signer and one.signer.sha256 in inside), None)
