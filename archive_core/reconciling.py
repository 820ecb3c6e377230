"""Use case: stores × catalogue × evidence, both ways, and the stores are believed.

The rules this follows
 * What the catalogue should say is made anew from each store, beside it (`rebuild`), and compared row by row: versions,
   files, batches, time-stamps, renewals, the trail. So members and leaves of every batch are compared as well.
 * A row that the stores have and the catalogue lacks is entered, one that it has otherwise is put right: each is a
   note. Objects that no row knows are adopted by the everyday path, which brings them to every store.
 * Where two stores say different things nothing is changed: that is a finding, and so is a row for which no store has
   anything. Nothing is ever removed from the catalogue here.
 * Nobody forms, stamps or renews evidence meanwhile (their leases are held); deposits go on.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import ExitStack
from datetime import datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from archive_core.audit_comparing import code_of
from archive_core.audit_result import AuditEntry, AuditResult
from archive_core.catalogue.catalogue import Catalogue
from archive_core.catalogue.comparing import Row, key_columns, put, same, side_by_side
from archive_core.errors import ArchiveError
from archive_core.holding import Holder
from archive_core.identifiers import storage_object_for
from archive_core.ports import SealValidator, TimestampValidator
from archive_core.publishing import Published
from archive_core.rebuild import Rebuild
from archive_core.recovery import GRACE, Recovery
from archive_core.replication import Copies

Progress = Callable[[str, int, int | None], None]

LEASES = ("evidence", "renewal", "trail")
PATIENCE = 60.0
GROUP = 500

_ORDER = ("batches", "lines", "stamps", "renewals", "versions", "files", "segments", "events")
"""In this order what a row refers to is there before it."""


class Reconciling:
    """Puts the catalogue right by what the stores hold."""

    def __init__(
        self,
        *,
        catalogue: Catalogue,
        copies: Copies,
        recovery: Recovery,
        published: Published,
        validator: TimestampValidator,
        seal_validator: SealValidator,
        holder: Holder,
    ) -> None:
        self._catalogue = catalogue
        self._copies = copies
        self._recovery = recovery
        self._published = published
        self._validator = validator
        self._seal_validator = seal_validator
        self._holder = holder

    def run(self, *, at: datetime, progress: Progress) -> AuditResult:
        """Compare and put right; notes say what was, findings what could not be."""
        result = AuditResult()
        with ExitStack() as stack:
            for lease in LEASES:
                stack.enter_context(self._holder.hold(lease, patience=PATIENCE))
            folder = Path(stack.enter_context(TemporaryDirectory(dir=self._copies.scratch)))
            truths: dict[str, Catalogue] = {}
            for number, root in enumerate(self._copies.roots):
                try:
                    root.require_declaration()
                    truths[root.store.name] = self._rebuilt(number, folder, at, progress, stack)
                except ArchiveError as error:
                    result.findings.append(AuditEntry(root.store.name, ".", code_of(error), str(error)))
            if truths:
                self._adopt(truths, at, result)
                for table in _ORDER:
                    self._holder.renew()
                    self._compare(table, truths, at, result)
        return result

    def _rebuilt(self, number: int, folder: Path, at: datetime, progress: Progress, stack: ExitStack) -> Catalogue:
        """What the catalogue would be if this store were all there is."""
        root = self._copies.roots[number]
        truth = Catalogue.create_for_rebuild(f"sqlite:///{folder / f'{number}.sqlite3'}")
        stack.callback(truth.close)
        beats = 0

        def told(what: str, done: int, total: int | None) -> None:
            nonlocal beats
            beats += 1
            if beats % 200 == 0:
                self._holder.renew()
            progress(what, done, total)

        Rebuild(
            root=root,
            catalogue=truth,
            published=self._published,
            validator=self._validator,
            seal_validator=self._seal_validator,
            progress=told,
            stores=self._copies.names,
        ).run(at=at)
        return truth

    # -- objects that no row knows ------------------------------------------------------------

    def _adopt(self, truths: dict[str, Catalogue], at: datetime, result: AuditResult) -> None:
        engines = [self._catalogue.engine, *(truth.engine for truth in truths.values())]
        unknown: dict[str, list[str]] = {}
        for (poid, _), (mine, *others) in side_by_side("versions", engines):
            if mine is None:
                stores = [name for name, row in zip(truths, others, strict=True) if row is not None]
                unknown.setdefault(str(poid), stores)
        for poid, stores in unknown.items():
            claims = [self._catalogue.open_claim(poid, version) for version in range(1, 3)]
            if any(claim is not None and claim.claimed_at > at - GRACE for claim in claims):
                continue
            try:
                adopted = self._recovery.adopt(poid, storage_object_for(poid))
                message = f"stored, but not in the catalogue; copied to {', '.join(adopted.copied_to) or 'none'}"
                result.notes.append(AuditEntry(", ".join(stores), poid, "OBJECT_ADOPTED", message))
            except ArchiveError as error:
                result.findings.append(AuditEntry(", ".join(stores), poid, code_of(error), str(error)))

    # -- rows ---------------------------------------------------------------------------------

    def _compare(self, table: str, truths: dict[str, Catalogue], at: datetime, result: AuditResult) -> None:
        engines = [self._catalogue.engine, *(truth.engine for truth in truths.values())]
        waiting: list[Row] = []
        for key, (mine, *others) in side_by_side(table, engines):
            said = [(name, row) for name, row in zip(truths, others, strict=True) if row is not None]
            where = f"{table} {_named(table, key)}"
            if not said:
                self._only_here(table, where, mine, at, result)
                continue
            if any(not same(table, said[0][1], row) for _, row in said[1:]):
                stores = ", ".join(name for name, _ in said)
                result.findings.append(AuditEntry(stores, where, "STORES_DISAGREE", "each store says something else"))
                continue
            if mine is not None and same(table, mine, said[0][1]):
                continue
            if table == "versions" and mine is None:
                continue  # adopted, or told why not
            code = "ROW_ENTERED" if mine is None else "ROW_CORRECTED"
            result.notes.append(
                AuditEntry(", ".join(name for name, _ in said), where, code, _told(table, mine, said[0][1]))
            )
            waiting.append(said[0][1])
        for start in range(0, len(waiting), GROUP):
            put(self._catalogue.engine, table, waiting[start : start + GROUP])

    def _only_here(self, table: str, where: str, mine: Row | None, at: datetime, result: AuditResult) -> None:
        """A row for which no store has anything. The audit that follows says so of objects and system objects."""
        if mine is None or table in ("files", "lines", "stamps", "events"):
            return
        if table == "versions" and (mine["received"] > at - GRACE or mine.get("destroyed")):
            return  # acknowledged while the stores were read; destroyed and purged
        stores = ", ".join(self._copies.names)
        result.findings.append(AuditEntry(stores, where, "ROW_WITHOUT_BYTES", "the catalogue knows it, and no store"))


def _named(table: str, key: Sequence[Any]) -> str:
    names = [column.name for column in key_columns(table)]
    return " ".join(f"{name}={str(value)[:80]}" for name, value in zip(names, key, strict=True))


def _told(table: str, mine: Row | None, truth: Row) -> str:
    if mine is None:
        return "the catalogue lacked what the stores say"
    changed = [name for name in truth if mine[name] != truth[name]]
    return f"the catalogue said otherwise than the stores: {', '.join(changed[:10])}"
