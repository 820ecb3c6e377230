"""One whole archive for tests: real stores, real catalogue, real seals and stamps, time and damage.

The rules this world keeps
 * Nothing is mocked but time; what is broken on purpose is broken through the file system.
 * `check()` trusts only bytes: it opens the archive anew, over a catalogue rebuilt from one store, and
   compares what everybody was told with what can still be proven.
"""

from __future__ import annotations

import hashlib
import os
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from api.home import initialise_home
from api.wiring import build_archive, build_copies
from archive_core.archive import Archive, silent
from archive_core.catalogue.catalogue import Catalogue
from archive_core.errors import UnavailableError
from archive_core.findings import Verdict
from archive_core.lifecycle import Acknowledgement, Actor, SubmissionObject, SubmittedFile
from archive_core.ports import TimestampAuthority, TimestampToken, ValidationData
from archive_core.rebuild import Rebuild, RebuildReport
from tests.templates import lay_catalogue

CATALOGUE = "catalogue.sqlite3"
SQLITE = f"sqlite:///{CATALOGUE}"
OPERATOR = Actor("test-operator", "operator", None)


class SteppingClock:
    """Time that passes a little at every look and a lot when told to."""

    def __init__(self, start: datetime) -> None:
        self._now = start

    def now(self) -> datetime:
        self._now += timedelta(milliseconds=7)
        return self._now

    def advance(self, **step: float) -> None:
        self._now += timedelta(**step)


class SwitchedAuthority:
    """A real authority that can be away."""

    def __init__(self, real: TimestampAuthority) -> None:
        self._real = real
        self.away = False
        self.asked = 0

    @property
    def name(self) -> str:
        return self._real.name

    @property
    def test_trust(self) -> bool:
        return self._real.test_trust

    def timestamp(self, imprint: Any) -> TimestampToken:
        self.asked += 1
        if self.away:
            raise UnavailableError("the test switched this authority off")
        return self._real.timestamp(imprint)

    def validation_data(self, token: bytes) -> ValidationData:
        return self._real.validation_data(token)


class World:
    """An archive in a directory, on the catalogue that the URL names, from now or another instant on."""

    def __init__(self, folder: Path, url: str = SQLITE, *, start: datetime | None = None) -> None:
        self.folder = folder
        self.clock = SteppingClock(start or datetime.now(UTC))
        self.settings = initialise_home(folder / "home", at=self.clock.now(), catalogue_url=url)
        if url == SQLITE and not (self.home / CATALOGUE).exists():
            lay_catalogue(self.home / CATALOGUE)
        self.archive = self.open(create=True)
        self.told: dict[str, list[tuple[Acknowledgement, dict[str, bytes]]]] = {}

    @property
    def home(self) -> Path:
        return self.settings.home

    def open(self, *, create: bool = False) -> Archive:
        """Another archive over the same home, as another process would open it."""
        return build_archive(self.settings, clock=self.clock, create=create)

    def restart(self) -> None:
        self.archive.close()
        self.archive = self.open()

    # -- what people do -------------------------------------------------------------------------

    def submission(self, files: dict[str, bytes], **rest: Any) -> SubmissionObject:
        name = hashlib.sha256(repr(sorted(files.items())).encode()).hexdigest()[:16]
        place = self.folder / "incoming" / f"{name}-{os.getpid()}"  # nobody reads what another process is writing
        place.mkdir(parents=True, exist_ok=True)
        listed = []
        for number, (path, content) in enumerate(files.items()):
            source = place / str(number)
            source.write_bytes(content)
            listed.append(SubmittedFile(path, source))
        return SubmissionObject(tuple(listed), rest.pop("originator", "default"), **rest)

    def deposit(self, files: dict[str, bytes], *, actor: Actor = OPERATOR, **rest: Any) -> Acknowledgement:
        told = self.archive.deposit(self.submission(files, **rest), actor=actor)
        self.told.setdefault(told.poid, [])
        if not told.replayed:
            self.told[told.poid].append((told, files))
        return told

    def update(self, poid: str, files: dict[str, bytes], **rest: Any) -> Acknowledgement:
        told = self.archive.update(poid, self.submission(files, **rest), actor=OPERATOR)
        if not told.replayed:
            self.told[poid].append((told, files))
        return told

    def preserve(self) -> None:
        views = self.archive.preserve(actor=OPERATOR)
        assert all(view.error is None for view in views), views

    def read(self, poid: str, path: str, version: int | None = None, **rest: Any) -> bytes:
        return b"".join(self.archive.stream_file(poid, version, path, actor=OPERATOR, **rest))

    def audit(self) -> Any:
        return self.archive.audit(actor=OPERATOR)

    # -- what happens to it -----------------------------------------------------------------------

    def store(self, name: str) -> Path:
        return self.home / "stores" / name

    def files(self, store: str, ending: str) -> list[Path]:
        """The files of a store whose path ends so."""
        return sorted(path for path in self.store(store).rglob("*") if path.is_file() and str(path).endswith(ending))

    def switch(self, name: str = "local-tsa-1") -> SwitchedAuthority:
        """Put a switch before one authority of the open archive."""
        authorities = self.archive.authorities
        assert isinstance(authorities, dict)
        switched = SwitchedAuthority(authorities[name])
        authorities[name] = switched
        return switched

    def rebuilt(self, store: str, name: str = "rebuilt.sqlite3") -> tuple[Archive, RebuildReport]:
        """An archive over a catalogue that was rebuilt from one store alone."""
        (self.home / name).unlink(missing_ok=True)
        lay_catalogue(self.home / name)
        url = f"sqlite:///{self.home / name}"
        catalogue = Catalogue.create(url)
        copies = build_copies(self.settings, create=False)
        root = next(root for root in copies.roots if root.store.name == store)
        report = Rebuild(
            root=root,
            catalogue=catalogue,
            published=self.archive.published,
            validator=self.archive.validator,
            seal_validator=self.archive._seal_validator,
            progress=silent,
        ).run(at=self.clock.now())
        return self.archive.over(catalogue, copies), report

    # -- the judge --------------------------------------------------------------------------------

    def check(self, *stores: str) -> None:
        """From each store alone: everything that was acknowledged is there, the same, and proven."""
        for store in stores or ("one", "two"):
            archive, report = self.rebuilt(store)
            assert report.findings == (), report.findings
            try:
                for poid, versions in self.told.items():
                    for told, files in versions:
                        self._check_version(archive, poid, told, files)
            finally:
                archive.close()

    def _check_version(self, archive: Archive, poid: str, told: Acknowledgement, files: dict[str, bytes]) -> None:
        shown = archive.show(poid, told.version, actor=OPERATOR)
        assert shown.description_sha512 == told.description_sha512
        assert {view.path for view in shown.files if view.role == "document"} == set(files)
        for path, content in files.items():
            found = b"".join(archive.stream_file(poid, told.version, path, actor=OPERATOR))
            assert found == content
        if shown.proof_of_existence is not None:
            report = archive.verify(poid, told.version, actor=OPERATOR)
            assert report.verdict is Verdict.PASSED, report.to_json()
