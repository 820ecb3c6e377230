"""`doctor`: everything the archive rests on, checked by doing it, each fault with its mend.

Rules kept here
 * A check does the real thing where it can: a stamp is asked for, a store is read, a seal is made.
 * One fault does not hide the next: each part is looked at by itself.
 * Nothing is changed; a check that cannot be made is a fault, not a pass.
"""

from __future__ import annotations

import importlib.metadata
import os
import shutil
import stat
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

from api.doctor_authorities import IMPRINTS, NEEDED, probe
from api.doctor_proxy import faults_of
from api.home import TRUST_DIRECTORY
from api.settings import ArchiveSettings
from api.texts import marked
from api.wiring import Signing, build_algorithms, build_copies, build_published, build_signing, open_catalogue
from archive_core.catalogue.catalogue import Catalogue
from archive_core.catalogue.session import weak_durability
from archive_core.clock import SystemClock
from archive_core.errors import ArchiveError, SettingsError
from archive_core.findings import Verdict, utc_text
from archive_core.identifiers import BATCH, TRAIL, system_object
from archive_core.ocfl.storage_root import StorageRoot
from archive_core.replication import Copies
from archive_core.stores import MEMBER
from archive_core.worm import read_judged

PACKAGES = ("api", "signing", "storage_backends", "archive_core", "policies")
DISTRIBUTION = "trusted-archive"
TABLE_AGE = timedelta(days=550)
"""An algorithm table older than this has probably been superseded."""

SCARCE = 1024**3
"""Bytes free on a store's disk below which deposits will soon be refused."""

_TEST_OBJECT = b"trusted-archive doctor"


@dataclass(frozen=True, slots=True)
class Check:
    """One check: what was found, and what to do when it is not well."""

    name: str
    ok: bool
    message: str
    mend: str = ""

    def to_json(self) -> dict[str, object]:
        return {"name": self.name, "ok": self.ok, "message": self.message, "mend": self.mend}


def examine(home: Path, *, at: datetime, imprints: bool = False) -> list[Check]:
    """All checks, as far as they can be made. One time-stamp is asked of each authority; with `imprints` one over
    each digest algorithm that evidence may be built with, to learn which it takes."""
    checks = [_python(), _packages()]
    try:
        settings = ArchiveSettings.load(home)
    except ArchiveError as error:
        mend = "name another --home, run `trusted-archive init`, or correct the file"
        return [*checks, Check(marked("settings"), False, str(error), mend)]
    checks += [Check(marked("settings"), True, f"{home} can be read"), _algorithms(settings, at)]
    checks += [*_trust_files(home), *_disks(settings)]
    copies = build_copies(settings, create=False)
    try:
        checks += [check for root in copies.roots for check in _store(root)]
        checks += [*_policies(settings, copies), *_with_catalogue(settings, copies, at)]
    finally:
        copies.close()
    try:
        signing = build_signing(settings, SystemClock())
    except SettingsError as error:
        return [*checks, Check(marked("keys and trust anchors"), False, str(error), "restore the file that is named")]
    return [*checks, *_authorities(signing, imprints), _sealing(signing, at)]


# -- the program ------------------------------------------------------------------------------


def _python() -> Check:
    found = ".".join(map(str, sys.version_info[:3]))
    good = (3, 11) <= sys.version_info[:2] < (3, 14)
    return Check("Python", good, f"Python {found}", "" if good else "use Python 3.11, 3.12 or 3.13")


def _packages() -> Check:
    """Our package names are generic: another distribution could overwrite them silently."""
    owners = importlib.metadata.packages_distributions()
    strangers = {name: set(owners.get(name, [])) - {DISTRIBUTION} for name in PACKAGES}
    taken = [f"{name} ({', '.join(sorted(found))})" for name, found in strangers.items() if found]
    if taken:
        message = f"also owned by others: {'; '.join(taken)}"
        return Check(marked("package names"), False, message, "install into an environment of its own")
    return Check(marked("package names"), True, "nobody else owns our package names")


def _algorithms(settings: ArchiveSettings, at: datetime) -> Check:
    try:
        table = build_algorithms(settings)
    except ArchiveError as error:
        return Check(marked("algorithm table"), False, str(error), "correct [algorithms] in the settings, or the file")
    fresh = at - table.issued < TABLE_AGE
    mend = "" if fresh else "look for a newer release: algorithm lifetimes may have changed"
    return Check(marked("algorithm table"), fresh, f"{table.id}, issued {table.issued.date()}: {table.title}", mend)


# -- the home ---------------------------------------------------------------------------------


def _trust_files(home: Path) -> Iterator[Check]:
    folder = home / TRUST_DIRECTORY
    for path in sorted(folder.glob("*key*")) if folder.is_dir() else []:
        mode = stat.S_IMODE(path.stat().st_mode)
        good = not mode & 0o077
        yield Check(
            marked("key file"), good, f"{path.name} has mode {mode:04o}", "" if good else f"run: chmod 600 {path}"
        )


def _disks(settings: ArchiveSettings) -> Iterator[Check]:
    devices: dict[int, list[str]] = {}
    for store in settings.stores:
        if store.bucket is not None:
            continue
        root = settings.home / store.root
        try:
            devices.setdefault(root.stat().st_dev, []).append(store.name)
            free = shutil.disk_usage(root).free
        except OSError:
            continue  # the check of the store itself says so
        mend = "" if free >= SCARCE else f"make room on the disk of {root}"
        yield Check(marked("free space"), free >= SCARCE, f"{store.name}: {free // 1024**2} MiB free", mend)
    for names in devices.values():
        if len(names) > 1:
            message = f"{', '.join(names)} lie on one file system: they fall together"
            yield Check(marked("independence of stores"), True, message, "put them on different disks before real use")


# -- stores and catalogue ---------------------------------------------------------------------


def _store(root: StorageRoot) -> Iterator[Check]:
    name, folder = root.store.name, getattr(root.store, "root", None)
    try:
        root.require_declaration()
        objects = sum(1 for _ in root.object_ids())
        left = len(root.store.leftovers())
    except ArchiveError as error:
        mend = f"mount or restore {folder}; then `trusted-archive audit` says what is left of it"
        yield Check(marked("store"), False, f"{name}: {error}", mend)
        return
    if isinstance(folder, Path) and not os.access(folder, os.W_OK):
        yield Check(marked("store"), False, f"{name}: cannot be written", f"make {folder} writable for this user")
        return
    mend = "`trusted-archive audit` clears what interrupted writes left" if left else ""
    yield Check(marked("store"), True, f"{name}: {objects} objects, {left} leftovers of interrupted writes", mend)


def _policies(settings: ArchiveSettings, copies: Copies) -> Iterator[Check]:
    try:
        missing = build_published(settings).missing(copies)
    except ArchiveError as error:
        yield Check(marked("published policies"), False, str(error), "see the fault of that store or setting")
        return
    if missing:
        message = f"not on every store: {', '.join(missing)}"
        yield Check(marked("published policies"), False, message, "run `trusted-archive upgrade`")
    else:
        yield Check(marked("published policies"), True, "every store holds them")


def _with_catalogue(settings: ArchiveSettings, copies: Copies, at: datetime) -> Iterator[Check]:
    try:
        catalogue = open_catalogue(settings, create=False)
    except ArchiveError as error:
        mend = "as it says: `trusted-archive upgrade`, or `trusted-archive rebuild-catalogue`"
        yield Check(marked("catalogue"), False, str(error), mend)
        return
    try:
        counts = catalogue.count_states()
        message = f"{counts.objects} objects, {counts.awaiting + counts.in_batch} versions wait for evidence"
        checks = [Check(marked("catalogue"), True, message), _durability(catalogue)]
        states = catalogue.store_states()
        checks += [
            _agreement(catalogue, root)
            for root in copies.roots
            if states.get(root.store.name, (MEMBER, at))[0] == MEMBER or not states
        ]
        checks += [*_owed(catalogue), *_locks(settings, catalogue), *_proxy(settings, catalogue, at)]
        checks.append(_clock(catalogue, at))
    except ArchiveError as error:
        checks = [Check(marked("catalogue"), False, str(error), "run `trusted-archive rebuild-catalogue`")]
    finally:
        catalogue.close()
    yield from checks


def _owed(catalogue: Catalogue) -> Iterator[Check]:
    """What stores lack of what was acknowledged."""
    for owed in catalogue.owed_copies():
        message = f"{owed.store} lacks {owed.objects} objects since {utc_text(owed.since)}"
        yield Check(marked("copies"), False, message, "bring the store back; then `trusted-archive stores pay`")


def _locks(settings: ArchiveSettings, catalogue: Catalogue) -> Iterator[Check]:
    """What the last probe of each store found that is to lock what it keeps."""
    for store in settings.stores:
        if store.lock is None:
            continue
        judged = read_judged(catalogue, store.name)
        if judged is None:
            yield Check(marked("locks"), False, f"{store.name}: never probed", "run `trusted-archive stores probe`")
        elif judged.holds:
            message = f"{store.name}: {judged.mode} locks held against every attack on {utc_text(judged.at)}"
            yield Check(marked("locks"), True, message)
        else:
            mend = "use a bucket that enforces object lock; `trusted-archive stores probe` says what got through"
            message = f"{store.name}: {judged.error or ', '.join(judged.broken)}"
            yield Check(marked("locks"), False, message, mend)


def _proxy(settings: ArchiveSettings, catalogue: Catalogue, at: datetime) -> Iterator[Check]:
    if settings.proxy is None:
        return
    found = list(faults_of(settings, catalogue, at=at))
    yield from (Check(marked("client certificates"), False, message, mend) for message, mend in found)
    if not found:
        message = f"{len(settings.proxy.clients)} lead to good keys, on the word of the proxy"
        yield Check(marked("client certificates"), True, message)


def _durability(catalogue: Catalogue) -> Check:
    """What was committed survives a power cut."""
    if weak := weak_durability(catalogue.engine):
        mend = "change the settings of the database server: a power cut would lose what people were told is kept"
        return Check(marked("durability of the catalogue"), False, "; ".join(weak), mend)
    return Check(marked("durability of the catalogue"), True, "a commit is on disk before it is acknowledged")


def _agreement(catalogue: Catalogue, root: StorageRoot) -> Check:
    """The last batch and segment that the catalogue knows are the last ones that the store holds."""
    batch, segment = catalogue.last_batch(), catalogue.last_segment()
    marks = ((BATCH, "batch", batch.number if batch else 0), (TRAIL, "trail segment", segment.number if segment else 0))
    name = root.store.name
    try:
        for kind, what, number in marks:
            if number and not root.has_object(system_object(kind, number)):
                message = f"{name} is behind: it lacks {what} {number}"
                return Check(
                    marked("agreement"), False, message, "run `trusted-archive audit`; it names what is missing"
                )
            if root.has_object(system_object(kind, number + 1)):
                message = f"{name} holds {what} {number + 1}, which the catalogue does not know"
                mend = "run `trusted-archive preserve`; after a restored catalogue, `trusted-archive rebuild-catalogue`"
                return Check(marked("agreement"), False, message, mend)
    except ArchiveError as error:
        return Check(marked("agreement"), False, f"{name}: {error}", "see the fault of that store")
    return Check(marked("agreement"), True, f"catalogue and {name} agree about the last batch and trail segment")


def _clock(catalogue: Catalogue, at: datetime) -> Check:
    last = catalogue.last_batch()
    if last is not None and last.formed_at > at + timedelta(minutes=5):
        message = f"the last batch was formed at {utc_text(last.formed_at)}, after now ({utc_text(at)})"
        return Check(marked("clock"), False, message, "set the clock: one that went back makes time-stamps look wrong")
    return Check(marked("clock"), True, utc_text(at))


# -- seals and time-stamps --------------------------------------------------------------------


def _authorities(signing: Signing, imprints: bool) -> Iterator[Check]:
    for authority in signing.authorities.values():
        found = probe(signing, authority, IMPRINTS if imprints else (NEEDED,))
        mend = "" if found.ok else "check its address, the trust anchors and the clock"
        yield Check(marked("time-stamp authority"), found.ok, found.message, mend)


def _sealing(signing: Signing, at: datetime) -> Check:
    try:
        seal = signing.sealer.seal(_TEST_OBJECT, at=at)
    except ArchiveError as error:
        return Check(marked("seal"), False, str(error), "check the seal key's address and certificate")
    judged = signing.seal_validator.assess_seal(seal.der, _TEST_OBJECT, at=at, data=seal.validation_data)
    good = judged.verdict is Verdict.PASSED
    kind = " (TEST TRUST)" if judged.test_trust else ""
    mend = "" if good else "check the seal's certificate and the trust anchors"
    return Check(marked("seal"), good, f"{judged.verdict}{kind}: {judged.message}", mend)
