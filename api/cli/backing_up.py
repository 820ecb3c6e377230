"""`backup` and `restore`: what is not in the stores, in one encrypted file and back.

Rules kept here
 * A passphrase is given by its address and never shown.
 * `restore` goes into an empty home; what it made is read-only until `restore --release --yes`.
 * Exit 75 while a store does not answer, 1 when stores and catalogue do not fit each other.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterable
from pathlib import Path

from api.backup.container import Key, Lock
from api.backup.form import Manifest
from api.backup.making import back_up, gather
from api.backup.restoring import examine, finished, place, state_of
from api.cli.answers import BAD, GOOD, WAITS
from api.cli.console import Console, path_text, shown
from api.cli.opening import actor, opened, settings_of
from api.settings import ArchiveSettings
from api.settings_table import Secret
from api.texts import text
from api.wiring import build_copies, build_published, build_signing, open_catalogue
from archive_core import read_only
from archive_core.catching_up import CatchingUp, CaughtUp
from archive_core.clock import SystemClock
from archive_core.errors import ConflictError, UsageError


def backup(arguments: argparse.Namespace, console: Console) -> int:
    """Write a backup; with `--dry-run` say what would be in it."""
    settings = settings_of(arguments)
    out = arguments.out.absolute()
    if arguments.dry_run:
        found = gather(settings)
        document: dict[str, object] = {
            "dry_run": True,
            "files": sorted(found.files),
            "named": found.named,
            "left_out": found.left_out,
        }
        console.result(document, [*sorted(map(shown, found.files)), *_elsewhere(found.named, found.left_out)])
        return GOOD
    lock = Lock(_revealed(arguments.passphrase), tuple(arguments.recipient))
    lock.verify()
    with opened(arguments, console) as archive:
        made = back_up(settings, archive.catalogue, out, lock, at=archive.clock.now())
        archive.backed_up(made.digest, actor=actor())
    manifest = made.manifest
    document = {
        "file": path_text(out),
        "size": made.size,
        "sha512": made.digest,
        "made": manifest.made,
        "files": [one.path for one in manifest.files],
        "marks": manifest.marks,
        "named": list(manifest.named),
        "left_out": list(manifest.left_out),
    }
    lines = [
        text(
            "{path}: {count} files and the catalogue, {size} bytes",
            path=shown(path_text(out)),
            count=len(manifest.files),
            size=made.size,
        ),
        text("Digest (SHA-512), to be kept apart from the file: {digest}", digest=made.digest),
        *_elsewhere(manifest.named, manifest.left_out),
    ]
    console.result(document, lines)
    return GOOD


def _elsewhere(named: Iterable[str], left_out: Iterable[str]) -> Iterable[str]:
    for one in named:
        yield text("not in the backup, keep it yourself: {address}", address=shown(one))
    for one in left_out:
        yield text("left out: {path}", path=shown(one))


def restore(arguments: argparse.Namespace, console: Console) -> int:
    """Make a home from a backup, let its catalogue catch up with the stores, or release it."""
    home = arguments.home.absolute()
    if arguments.release:
        return _release(arguments, console)
    if arguments.file is not None:
        key = Key(_revealed(arguments.passphrase), _revealed(arguments.identity))
        if arguments.dry_run:
            return _examined(arguments, console, key, home)
        place(arguments.file, key, arguments.digest, home, at=SystemClock().now())
    elif arguments.dry_run:
        raise UsageError(text("say which backup"))
    elif state_of(home) is None:
        raise UsageError(text("no restore is under way in {home}: say which backup", home=path_text(home)))
    state = state_of(home)
    if state is None or not state.placed:
        raise UsageError(text("the restore was broken off before the files were placed: say which backup"))
    settings = settings_of(arguments)
    report = _caught_up(settings, arguments.without, console)
    document = {
        "home": path_text(home),
        "made": state.made,
        "sha512": state.digest,
        "read_only": True,
        **report.to_json(),
    }
    lines = [text("Restored from a backup of {made}; read-only.", made=state.made), *_lines(report)]
    if report.agree:
        lines.append(
            text("Catalogue and stores agree: `trusted-archive restore --release --yes` lets it be written to.")
        )
    console.result(document, lines)
    return _code(report)


def _examined(arguments: argparse.Namespace, console: Console, key: Key, home: Path) -> int:
    manifest, settings, in_the_way = examine(arguments.file, key, arguments.digest, home)
    document = {
        "dry_run": True,
        "made": manifest.made,
        "program": manifest.program,
        "files": [one.path for one in manifest.files],
        "catalogue_bytes": manifest.catalogue.size,
        "marks": manifest.marks,
        "stores": {one.name: one.place(home) for one in settings.stores},
        "named": list(manifest.named),
        "in_the_way": in_the_way,
    }
    console.result(document, _plan(manifest, settings, in_the_way))
    return BAD if in_the_way else GOOD


def _plan(manifest: Manifest, settings: ArchiveSettings, in_the_way: list[str]) -> Iterable[str]:
    yield text(
        "The backup of {made} is whole: {count} files and the catalogue.", made=manifest.made, count=len(manifest.files)
    )
    for store in settings.stores:
        yield text(
            "It asks for the store {store} at {place}.",
            store=shown(store.name),
            place=shown(store.place(settings.home)),
        )
    for one in manifest.named:
        yield text("not in the backup, keep it yourself: {address}", address=shown(one))
    for one in in_the_way:
        yield text("in the way: {path}", path=shown(one))


def _caught_up(settings: ArchiveSettings, without: list[str], console: Console) -> CaughtUp:
    clock = SystemClock()
    signing = build_signing(settings, clock)
    copies = build_copies(settings, create=False)
    try:
        catalogue = open_catalogue(settings, create=False)
        try:
            return CatchingUp(
                catalogue=catalogue,
                copies=copies,
                published=build_published(settings),
                validator=signing.validator,
                seal_validator=signing.seal_validator,
            ).run(at=clock.now(), without=without, progress=console.progress)
        finally:
            catalogue.close()
    finally:
        copies.close()


def _release(arguments: argparse.Namespace, console: Console) -> int:
    if not arguments.yes:
        raise UsageError(text("the restored home would be written to from now on: say --yes to do it"))
    settings = settings_of(arguments)
    _require_held(settings)
    report = _caught_up(settings, arguments.without, console)
    if not report.agree:
        console.result({"read_only": True, **report.to_json()}, _lines(report))
        return _code(report)
    with opened(arguments, console) as archive:
        archive.release(actor=actor())
    finished(settings.home)
    console.result(
        {"read_only": False, **report.to_json()}, [*_lines(report), text("Released: run `trusted-archive audit` now.")]
    )
    return GOOD


def _require_held(settings: ArchiveSettings) -> None:
    catalogue = open_catalogue(settings, create=False)
    try:
        if read_only.mark_of(catalogue) is None:
            raise ConflictError(f"{settings.home} is not read-only: there is nothing to release")
    finally:
        catalogue.close()


def _lines(report: CaughtUp) -> Iterable[str]:
    if report.entered:
        yield text(
            "Entered from the stores: {events} events, {versions} versions, {destroyed} destroyed, {batches} batches",
            events=report.entered["events"],
            versions=report.entered["versions"],
            destroyed=report.entered["destroyed"],
            batches=report.entered["batches"],
        )
    for one in report.notes:
        yield f"{text('note')}: {one.code}  {shown(one.where)}  {shown(one.message)}"
    for one in report.findings:
        yield f"{text('finding')}: {one.code}  {shown(one.where)}  {shown(one.message)}"
    for name, error in report.away.items():
        yield text("{store} does not answer: {reason}", store=shown(name), reason=shown(error))


def _code(report: CaughtUp) -> int:
    if report.findings:
        return BAD
    return WAITS if report.away else GOOD


def _revealed(address: str | None) -> str:
    """What lies at the address of a secret, relative to this folder; empty without one."""
    if address is None:
        return ""
    if not address.startswith(("env:", "file:")):
        raise UsageError(text("a secret is given by its address, env:NAME or file:PATH, and never itself"))
    return Secret(address).reveal(Path.cwd())
