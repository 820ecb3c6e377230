"""`doctor`: everything the archive rests on, checked by doing it, each fault with its mend.

Rules kept here
 * A check does the real thing where it can: a stamp is asked for, a store is read, a seal is made.
 * Nothing is changed; a check that cannot be made is a fault, not a pass.
"""

from __future__ import annotations

import importlib.metadata
import os
import stat
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

from api.home import TRUST_DIRECTORY
from api.settings import ArchiveSettings
from api.wiring import build_archive, catalogue_url
from archive_core.archive import Archive
from archive_core.catalogue.schema import require_current
from archive_core.catalogue.session import open_engine
from archive_core.digests import Digest
from archive_core.errors import ArchiveError
from archive_core.findings import Verdict, utc_text
from policies.algorithms import current_algorithms

PACKAGES = ("api", "signing", "storage_backends", "archive_core", "policies")
DISTRIBUTION = "trusted-archive"
IMPRINTS = ("sha512", "sha384", "sha3-512")
TABLE_AGE = timedelta(days=550)
"""An algorithm table older than this has probably been superseded."""


@dataclass(frozen=True, slots=True)
class Check:
    """One check: what was found, and what to do when it is not well."""

    name: str
    ok: bool
    message: str
    mend: str = ""

    def to_json(self) -> dict[str, object]:
        return {"name": self.name, "ok": self.ok, "message": self.message, "mend": self.mend}


def examine(home: Path, *, at: datetime) -> list[Check]:
    """All checks, as far as they can be made."""
    checks = [_python(), _packages(), _algorithms(at)]
    try:
        settings = ArchiveSettings.load(home)
    except ArchiveError as error:
        return [*checks, Check("settings", False, str(error), "run `trusted-archive init`, or correct the file")]
    checks.append(Check("settings", True, f"{home} is readable"))
    checks += [*_trust_files(home), *_disks(settings), _catalogue(settings)]
    try:
        archive = build_archive(settings)
    except ArchiveError as error:
        return [*checks, Check("archive", False, str(error), "mend what is named and run `doctor` again")]
    try:
        checks += [*_stores(archive), *_authorities(archive), _sealing(archive), _clock(archive, at)]
    finally:
        archive.close()
    return checks


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
        return Check(
            "package names",
            False,
            f"also owned by others: {'; '.join(taken)}",
            "install into an environment of its own",
        )
    return Check("package names", True, "nobody else owns our package names")


def _algorithms(at: datetime) -> Check:
    table = current_algorithms()
    fresh = at - table.issued < TABLE_AGE
    mend = "" if fresh else "look for a newer release: algorithm lifetimes may have changed"
    return Check("algorithm table", fresh, f"{table.id}, issued {table.issued.date()}", mend)


def _trust_files(home: Path) -> Iterator[Check]:
    folder = home / TRUST_DIRECTORY
    for path in sorted(folder.glob("*key*")) if folder.is_dir() else []:
        mode = stat.S_IMODE(path.stat().st_mode)
        good = not mode & 0o077
        yield Check("key file", good, f"{path.name} has mode {mode:04o}", "" if good else f"chmod 600 {path}")


def _disks(settings: ArchiveSettings) -> Iterator[Check]:
    devices: dict[int, list[str]] = {}
    for store in settings.stores:
        root = settings.home / store.root
        try:
            devices.setdefault(root.stat().st_dev, []).append(store.name)
        except OSError as error:
            yield Check("store", False, f"{store.name}: {error.strerror}", f"mount or restore {root}")
    for names in devices.values():
        if len(names) > 1:
            message = f"{', '.join(names)} lie on one file system: they fall together"
            yield Check("independence of stores", True, message, "put them on different disks before real use")


def _catalogue(settings: ArchiveSettings) -> Check:
    try:
        engine = open_engine(catalogue_url(settings))
        try:
            require_current(engine)
        finally:
            engine.dispose()
    except ArchiveError as error:
        return Check("catalogue", False, str(error), "`trusted-archive upgrade`, or `rebuild-catalogue --from STORE`")
    return Check("catalogue", True, "its schema is current")


def _stores(archive: Archive) -> Iterator[Check]:
    for root in archive.copies.roots:
        name, folder = root.store.name, getattr(root.store, "root", None)
        try:
            root.require_declaration()
            left = len(root.store.leftovers())
        except ArchiveError as error:
            yield Check("store", False, f"{name}: {error}", "look at the disk; `audit` says what is left of it")
            continue
        if isinstance(folder, Path) and not os.access(folder, os.W_OK):
            yield Check("store", False, f"{name}: not writable", f"make {folder} writable for this user")
        else:
            mend = "`audit` clears them" if left else ""
            yield Check("store", True, f"{name}: readable and writable, {left} leftovers of interrupted writes", mend)


def _authorities(archive: Archive) -> Iterator[Check]:
    for name, authority in archive.authorities.items():
        taken, refused = [], []
        for algorithm in IMPRINTS:
            imprint = Digest.of(algorithm, b"trusted-archive doctor")
            try:
                token = authority.timestamp(imprint)
            except ArchiveError as error:
                refused.append(f"{algorithm} ({error})")
                continue
            judged = archive.validator.assess(
                token.der, at=archive.clock.now(), data=authority.validation_data(token.der)
            )
            if judged.verdict is Verdict.PASSED and judged.imprint == imprint:
                taken.append(algorithm)
            else:
                refused.append(f"{algorithm} ({judged.verdict} {judged.message})")
        kind = " (TEST TRUST)" if authority.test_trust else ""
        message = f"{name}{kind}: good stamps over {', '.join(taken) or 'nothing'}"
        if refused:
            message += f"; not over {', '.join(refused)}"
        good = "sha512" in taken
        yield Check("time-stamp authority", good, message, "" if good else "check its address, trust anchors and clock")


def _sealing(archive: Archive) -> Check:
    try:
        judged = archive.try_seal()
    except ArchiveError as error:
        return Check("seal", False, str(error), "check the seal key's address and certificate")
    good = judged.verdict is Verdict.PASSED
    kind = " (TEST TRUST)" if judged.test_trust else ""
    mend = "" if good else "check the seal's certificate and the trust anchors"
    return Check("seal", good, f"{judged.verdict}{kind}: {judged.message}", mend)


def _clock(archive: Archive, at: datetime) -> Check:
    last = archive.catalogue.last_batch()
    if last is not None and last.formed_at > at + timedelta(minutes=5):
        message = f"the last batch was formed at {utc_text(last.formed_at)}, after now ({utc_text(at)})"
        return Check("clock", False, message, "set the clock; a clock that went back makes time-stamps look wrong")
    return Check("clock", True, utc_text(at))
