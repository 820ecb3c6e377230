"""Signatures in what was deposited: what was found, what is set aside, and what is decided about it.

Rules kept here
 * Reports are read from the stores and verified like every other file; what stands in them was found at the deposit,
   and is not found anew.
 * Whoever may see an object may see what was found in it, in quarantine too. Only operators decide.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from archive_core import canonical
from archive_core.catalogue.catalogue import Catalogue
from archive_core.catalogue.rows import VersionRow
from archive_core.content import Content, require_living
from archive_core.description import EXAMINATION
from archive_core.errors import UnknownObjectError
from archive_core.examining import MAX_REPORT, REPORT
from archive_core.examining_later import ExaminingLater, LaterView
from archive_core.lifecycle import Actor, VersionView
from archive_core.quarantine import Quarantine, is_held
from archive_core.sequencer import Sequencer

Destroy = Callable[[str, str, Actor], object]
"""Destroys an object for a reason, as an actor."""


class Signatures:
    """What `api` asks about the signatures in stored versions."""

    def __init__(
        self,
        *,
        catalogue: Catalogue,
        content: Content,
        sequencer: Sequencer,
        view: Callable[[VersionRow], VersionView],
        destroy: Destroy,
        later: ExaminingLater,
    ) -> None:
        self._later = later
        self._catalogue = catalogue
        self._content = content
        self._quarantine = Quarantine(catalogue, sequencer)
        self._view = view
        self._destroy = destroy

    def report(self, poid: str, version: int | None = None, *, actor: Actor) -> dict[str, Any]:
        """What was found in a version, a line for each document, and what became of it. Raises `UnknownObjectError`
        where nobody examined anything, because the profile does not ask for it."""
        row = self._catalogue.version(poid, version, actor.originator)
        require_living(row)
        if row.examined is None:
            raise UnknownObjectError(
                f"the profile {row.profile} asks nothing of signatures: nothing was examined in {poid} v{row.version}",
                poid=poid,
                version=row.version,
            )
        octets = b"".join(self._content.stream(row, f"{EXAMINATION}{row.version}/{REPORT}"))
        found = canonical.read(octets, max_bytes=MAX_REPORT)
        return {"poid": row.poid, "held": is_held(self._catalogue, row), **found}

    def document_report(
        self, poid: str, path: str, version: int | None = None, *, xml: bool = False, actor: Actor
    ) -> bytes:
        """The report of one document, by the depositor's path: JSON, or XML of ETSI TS 119 102-2. Raises
        `UnknownObjectError` where there is none, because nobody looked into it."""
        found = self.report(poid, version, actor=actor)
        row = self._catalogue.version(poid, version, actor.originator)
        place = next((one["xml" if xml else "report"] for one in found["files"] if one["path"] == path), None)
        if place is None:
            raise UnknownObjectError(f"there is no report about {path[:80]!a}", poid=poid, path=path[:200])
        return b"".join(self._content.stream(row, place))

    def quarantined(self, *, actor: Actor) -> list[VersionView]:
        """What is set aside and waits for a decision."""
        return [self._view(row) for row in self._quarantine.held(actor.originator)]

    def release(self, poid: str, version: int | None, *, reason: str, actor: Actor) -> VersionView:
        """Let a version be used all the same; an event of the trail, with the reason in its erasable detail."""
        row = self._catalogue.version(poid, version, actor.originator)
        require_living(row)
        self._quarantine.release(row, reason, actor=actor)
        return self._view(row)

    def reject(self, poid: str, version: int | None, *, reason: str, actor: Actor) -> VersionView:
        """Destroy an object whose newest version is in quarantine, with a tombstone that says why. Raises as
        `Archive.destroy` does: what is not evidenced yet is not destroyed."""
        row = self._catalogue.version(poid, version, actor.originator)
        require_living(row)
        if not self._catalogue.legal_holds([poid]):  # what is held is refused below: then nothing was rejected
            self._quarantine.rejected(row, reason, actor=actor)
        self._destroy(poid, reason, actor)
        return self._view(self._catalogue.version(poid, row.version, actor.originator))

    def examine_again(self, *, actor: Actor) -> list[LaterView]:
        """Examine again what could not be decided and whose turn it is; see `ExaminingLater.round`."""
        return self._later.round(actor=actor)

    def warnings(self) -> list[str]:
        return [*self._quarantine.warnings(), *self._later.warnings()]
