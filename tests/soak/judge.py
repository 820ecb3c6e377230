"""After the chaos: acknowledged = present = verifying, count by count, from every store alone.

The rules this module keeps
 * Everyday commands settle what is left: debts, evidence, repair. Then nothing may be wrong anywhere.
 * What is there is asked of a catalogue that is rebuilt from one store alone, for each store.
 * What the trail says of damage is compared with what was planted, in both directions.
"""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from api.settings import ArchiveSettings
from api.wiring import build_archive, build_copies
from archive_core.archive import Archive, silent
from archive_core.catalogue.catalogue import Catalogue
from archive_core.findings import Verdict
from archive_core.lifecycle import Actor
from archive_core.rebuild import Rebuild
from archive_core.trail.events import EventType, Outcome
from tests.soak.caretakers import name_in
from tests.soak.ledger import Ledger
from tests.soak.people import Stage
from tests.soak.place import STORES
from tests.templates import lay_catalogue

JUDGE = Actor("soak", "operator", None)


class Judge:
    """Compares the archive with the ledger."""

    def __init__(self, stage: Stage) -> None:
        self._stage = stage
        self._ledger: Ledger = stage.ledger
        self._settings = ArchiveSettings.load(stage.place.home)
        self.figures: dict[str, Any] = {}

    def settle(self) -> None:
        """What everyday work does sooner or later."""
        self._until_good("stores pay", "stores", "pay")
        self._until_good("preserve", "preserve")
        repaired = self._until_good("repair", "repair")
        planted = self._ledger.planted()
        for entry in (repaired or {}).get("repaired", []):
            if (entry["store"], name_in(entry["path"])) not in planted:
                self._ledger.violate(f"when all was still, repair changed what nobody harmed: {entry}")
        self._until_good("stores pay", "stores", "pay")

    def _until_good(self, name: str, *words: str) -> Any:
        for _ in range(8):
            with self._timed(f"settle: {name}"):
                code, found = self._stage.command(name.replace(" ", "-"), *words)
            if code == 0:
                return found
            time.sleep(1.0)
        self._ledger.violate(f"`{name}` does not succeed when nothing is broken: {code} {json.dumps(found)[:1500]}")
        return None

    def judge(self) -> None:
        for words in (("stores", "compare"), ("audit",), ("fixity", "run", "--anew"), ("trace", "verify")):
            with self._timed(" ".join(words)):
                code, found = self._stage.command("-".join(words[:2]), *words)
            findings = (found or {}).get("findings", [])
            if code != 0 or findings:
                self._ledger.violate(f"`{' '.join(words)}` ended with {code}: {json.dumps(found)[:3000]}")
            if words == ("audit",) and found:
                self.figures["audited"] = found["checked"]
                self.figures["notes of the audit"] = len(found["notes"])
        archive = build_archive(self._settings)
        try:
            with self._timed("present"):
                expected = self._present(archive, "the catalogue")
            with self._timed("verify"):
                self._verify(archive)
            self._trail(archive)
            for store in STORES:
                with self._timed(f"{store} alone"):
                    self._alone(archive, store, expected)
        finally:
            archive.close()

    @contextmanager
    def _timed(self, what: str) -> Iterator[None]:
        """The seconds that a step takes are told at once, and are a figure of the report."""
        started = time.monotonic()
        yield
        taken = round(time.monotonic() - started, 1)
        self.figures.setdefault("seconds", {})[what] = taken
        print(f"judged: {what}, {taken} s", flush=True)

    def _present(self, archive: Archive, who: str) -> list[Any]:
        """Everything that was acknowledged is there with the same files, and nothing else is."""
        views, versions, after = [], 0, None
        while page := archive.objects(actor=JUDGE, after=after, limit=500):
            views += [view.to_json() for view in page]
            after = page[-1].poid
        held = {str(view["poid"]) for view in views}
        for poid in sorted(self._ledger.told.keys() - held)[:20]:
            self._ledger.violate(f"{poid} was acknowledged and is not in {who}")
        for poid in sorted(held - self._ledger.told.keys())[:20]:
            self._ledger.violate(f"{poid} is in {who} and was acknowledged to nobody")
        for poid in held & self._ledger.told.keys():
            told = self._ledger.told[poid]
            shown = archive.show(poid, actor=JUDGE).versions
            if set(shown) != set(told):
                self._ledger.violate(f"{poid} has versions {shown} in {who}; acknowledged were {sorted(told)}")
            for version in set(shown) & set(told):
                versions += 1
                files = archive.show(poid, version, actor=JUDGE).files
                if {file.path: file.sha512 for file in files if file.role == "document"} != told[version]:
                    self._ledger.violate(f"{poid} v{version} holds other files in {who} than were acknowledged")
        self.figures[f"versions present in {who}"] = versions
        return views

    def _verify(self, archive: Archive) -> None:
        """Every version that was acknowledged is evidenced and passes."""
        passed = 0
        for poid, version, report in archive.verify_all(actor=JUDGE):
            if report is not None and report.verdict is Verdict.PASSED:
                passed += 1
            else:
                verdict = report.to_json() if report else "not evidenced"
                self._ledger.violate(f"{poid} v{version} does not verify: {json.dumps(verdict, default=str)[:600]}")
        self.figures["versions verified"] = passed
        if passed != self._ledger.counts["acknowledged"]:
            self._ledger.violate(f"{passed} versions verify, {self._ledger.counts['acknowledged']} were acknowledged")

    def _trail(self, archive: Archive) -> None:
        """Each planted damage is in the trail, as found or repaired, and nothing else is."""
        told: dict[tuple[str, str], list[str]] = {}
        for store in STORES:
            for row in archive.catalogue.events_about(f"store-{store}"):
                recovery = row.type == str(EventType.RECOVERY)
                damage = row.type == str(EventType.FIXITY_CHECK) and row.outcome == str(Outcome.FAILURE)
                name = row.poid or str((row.detail or {}).get("object", ""))
                if (recovery or damage) and name and name != "storage root":
                    said = f"{row.type} {row.code} {row.recorded_at:%H:%M:%S}"
                    told.setdefault((store, name), []).append(said)
        planted = self._ledger.planted()
        # An object that was moved lies somewhere as a stray.
        planted |= {(one.store, "strays") for one in self._ledger.damages if one.kind == "move object"}
        for store, name in sorted(told.keys() - planted)[:20]:
            said = "; ".join(told[store, name])
            self._ledger.violate(f"the trail tells of damage to {name} in {store}, which nobody planted: {said}")
        for one in self._ledger.damages:
            one.told = (one.store, one.name) in told
            if not one.told:
                self._ledger.violate(f"the trail says nothing of {one}")

    def _alone(self, archive: Archive, store: str, expected: list[Any]) -> None:
        """A catalogue that is rebuilt from one store says the same."""
        file = self._stage.place.folder / f"rebuilt-{store}.sqlite3"
        lay_catalogue(file)
        copies = build_copies(self._settings, create=False)
        catalogue = Catalogue.create(f"sqlite:///{file}")
        root = next(root for root in copies.roots if root.store.name == store)
        report = Rebuild(
            root=root,
            catalogue=catalogue,
            published=archive.published,
            validator=archive.validator,
            seal_validator=archive._seal_validator,
            progress=silent,
        ).run(at=archive.clock.now())
        rebuilt = archive.over(catalogue, copies)
        try:
            for finding in report.findings:
                self._ledger.violate(f"rebuilt from {store}: {finding}")
            if self._present(rebuilt, f"the store {store} alone") != expected:
                self._ledger.violate(f"a catalogue rebuilt from {store} says something else than the one that was kept")
        finally:
            rebuilt.close()
