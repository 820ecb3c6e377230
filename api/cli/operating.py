"""Commands for whoever runs the archive: home, server, keys, rebuilding, upgrading, checking."""

from __future__ import annotations

import argparse
import os
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from api.cli.console import Console, shown
from api.cli.opening import actor, opened, settings_of
from api.home import initialise_home, only_user
from api.texts import text
from api.wiring import build_archive, build_copies, build_published, build_validator, catalogue_url
from archive_core.catalogue.catalogue import Catalogue
from archive_core.clock import SystemClock
from archive_core.errors import ConflictError, UsageError
from archive_core.findings import utc_text
from archive_core.rebuild import Rebuild, RebuildReport
from policies.profiles import PreservationProfile


def init(arguments: argparse.Namespace, console: Console) -> int:
    """Make the home, its stores, its catalogue and its test trust; may be repeated."""
    home = arguments.home.absolute()
    settings = initialise_home(home, at=SystemClock().now())
    archive = build_archive(settings, create=True)
    try:
        found = archive.status(actor=actor())
    finally:
        archive.close()
    document = {
        "home": str(home),
        "stores": {store.name: str(home / store.root) for store in settings.stores},
        "trust_anchors": [str(home / anchor) for anchor in settings.anchors],
        "test_trust": found["test_trust"],
    }
    lines = [
        text("The home is ready: {home}", home=shown(home)),
        text("TEST TRUST: these time-stamps and seals prove nothing to anybody else."),
        text("Next: trusted-archive deposit PATH, then trusted-archive preserve"),
    ]
    console.result(document, lines)
    return 0


def serve(arguments: argparse.Namespace, console: Console) -> int:
    """Serve until a signal."""
    from api import server

    server.serve(
        settings_of(arguments), build_archive, host=arguments.host, port=arguments.port, json_lines=arguments.json
    )
    return 0


def status_lines(found: dict[str, Any]) -> Iterable[str]:
    """The status for people."""
    objects, trail = found["objects"], found["trail"]
    yield f"{found['name']}"
    yield text(
        "{objects} objects, {versions} versions: {evidenced} evidenced, {replicated} replicated and waiting", **objects
    )
    yield text("trail: {size} events, {pending} pending", **trail)
    for store in found["stores"]:
        yield f"{text('store')} {store['name']}: {text('in order') if store['ok'] else shown(store['error'])}"
    for warning in found["warnings"]:
        yield f"{text('Warning')}: {shown(warning)}"


def profile_json(profile: PreservationProfile) -> dict[str, object]:
    return {
        "id": profile.id,
        "title": profile.title,
        "description": profile.description,
        "scheme": profile.scheme,
        "valid_from": utc_text(profile.valid_from),
        "valid_until": utc_text(profile.valid_until) if profile.valid_until else None,
        "lines": [{"name": line.name, "digest": line.digest, "tsa": line.tsa} for line in profile.lines],
        "accepts_test_trust": profile.accepts_test_trust,
    }


# -- keys -------------------------------------------------------------------------------------


def keys_create(arguments: argparse.Namespace, console: Console) -> int:
    with opened(arguments) as archive:
        row, secret = archive.create_key(
            label=arguments.label, role=arguments.role, originator=arguments.organisation, actor=actor()
        )
    document = {"key_id": row.key_id, "role": row.role, "organisation": row.originator, "secret": secret}
    hint = text("The secret is shown only now. Send it as: Authorization: Bearer SECRET")
    console.result(document, [f"{row.key_id}  {row.role}  {row.originator or '*'}", secret, hint])
    return 0


def keys_list(arguments: argparse.Namespace, console: Console) -> int:
    with opened(arguments) as archive:
        rows = archive.keys()
    documents = [
        {
            "key_id": row.key_id,
            "label": row.label,
            "role": row.role,
            "organisation": row.originator,
            "created": utc_text(row.created),
            "revoked": utc_text(row.revoked_at) if row.revoked_at else None,
            "last_used": utc_text(row.last_used) if row.last_used else None,
        }
        for row in rows
    ]
    lines = [
        f"{row.key_id}  {row.role:<9}  {row.originator or '*':<10}  {text('revoked') if row.revoked_at else ''}  "
        f"{shown(row.label)}"
        for row in rows
    ]
    console.result({"keys": documents}, lines)
    return 0


def keys_revoke(arguments: argparse.Namespace, console: Console) -> int:
    with opened(arguments) as archive:
        row = archive.revoke_key(arguments.key_id, actor=actor())
    assert row.revoked_at is not None
    document = {"key_id": row.key_id, "revoked": utc_text(row.revoked_at)}
    console.result(document, [f"{row.key_id}  {text('revoked')}"])
    return 0


# -- rebuilding -------------------------------------------------------------------------------


def rebuild_catalogue(arguments: argparse.Namespace, console: Console) -> int:
    """A new catalogue from one store, in place of the old one, which is kept beside it. Into a server
    database: only when that is empty."""
    settings = settings_of(arguments)
    with only_user(settings.home):
        copies = build_copies(settings, create=False)
        try:
            roots = {root.store.name: root for root in copies.roots}
            if arguments.store not in roots:
                names = ", ".join(roots)
                raise UsageError(
                    text("there is no store {name}; there are: {names}", name=arguments.store, names=names)
                )
            at = SystemClock().now()
            target = _Target(settings)
            catalogue = target.open()
            try:
                report = Rebuild(
                    root=roots[arguments.store],
                    catalogue=catalogue,
                    published=build_published(settings),
                    validator=build_validator(settings),
                    progress=console.progress,
                ).run(at=at)
            finally:
                catalogue.close()
            kept = target.swap(at.strftime("%Y%m%dT%H%M%SZ"))
        finally:
            copies.close()
    document = {**report.to_json(), "store": arguments.store, "backup": str(kept) if kept else None}
    console.result(document, _rebuild_lines(report, kept))
    return 1 if report.findings else 0


def _rebuild_lines(report: RebuildReport, kept: Path | None) -> Iterable[str]:
    yield text(
        "{objects} objects, {versions} versions, {batches} batches, {events} events are in the catalogue again",
        objects=report.objects,
        versions=report.versions,
        batches=report.batches,
        events=report.events,
    )
    if kept:
        yield text("The old catalogue is kept as {path}", path=shown(kept))
    yield text("API keys cannot be rebuilt: make new ones with `keys create`.")
    for finding in report.findings:
        yield f"{finding.code}  {shown(finding.where)}  {shown(finding.message)}"


class _Target:
    """Where a rebuilt catalogue goes: a new SQLite file that is swapped in, or an empty database."""

    ASIDE = "catalogue.rebuilding.sqlite3"

    def __init__(self, settings: Any) -> None:
        self._settings = settings
        self._sqlite = settings.catalogue.url.startswith("sqlite")
        self._file = Path(catalogue_url(settings).removeprefix("sqlite:///")) if self._sqlite else None

    def open(self) -> Catalogue:
        if self._file is None:
            catalogue = Catalogue.create(catalogue_url(self._settings))
            if catalogue.count_states().versions or catalogue.last_segment():
                catalogue.close()
                raise ConflictError("the database is not empty: create a new one, name it in the settings, and repeat")
            return catalogue
        for ending in ("", "-wal", "-shm"):
            (self._settings.home / f"{self.ASIDE}{ending}").unlink(missing_ok=True)
        return Catalogue.create(catalogue_url(self._settings, self.ASIDE))

    def swap(self, stamp: str) -> Path | None:
        """Put the new file in place; the old one's path, or None when there was none."""
        if self._file is None:
            return None
        kept = None
        if self._file.exists():
            kept = self._file.with_name(f"{self._file.stem}.{stamp}{self._file.suffix}")
            for ending in ("-wal", "-shm", ""):
                old = self._file.with_name(self._file.name + ending)
                if old.exists():
                    os.replace(old, kept.with_name(kept.name + ending))
        os.replace(self._settings.home / self.ASIDE, self._file)
        directory = os.open(self._file.parent, os.O_RDONLY | os.O_DIRECTORY)
        try:
            os.fsync(directory)
        finally:
            os.close(directory)
        return kept


# -- upgrading --------------------------------------------------------------------------------


def upgrade(arguments: argparse.Namespace, console: Console) -> int:
    from api.upgrading import apply, plan

    home = arguments.home.absolute()
    steps = plan(home)
    if arguments.dry_run or not steps:
        document = {"home": str(home), "steps": [step.to_json() for step in steps], "done": False}
        lines = [shown(step.about) for step in steps] or [text("Nothing to upgrade.")]
        console.result(document, lines)
        return 0
    backup = apply(home, steps, at=SystemClock().now())
    document = {"home": str(home), "steps": [step.to_json() for step in steps], "done": True, "backup": str(backup)}
    console.result(document, [*(shown(step.about) for step in steps), text("Backup: {path}", path=shown(backup))])
    return 0


def doctor(arguments: argparse.Namespace, console: Console) -> int:
    from api.doctor import examine

    checks = examine(arguments.home.absolute(), at=SystemClock().now())
    bad = [check for check in checks if not check.ok]
    lines = []
    for check in checks:
        mark = text("ok") if check.ok else text("BAD")
        lines.append(f"{mark:<4} {text(check.name)}: {shown(check.message)}")
        if check.mend:
            lines.append(f"     -> {shown(check.mend)}")
    document = {"ok": not bad, "checks": [check.to_json() for check in checks]}
    console.result(document, lines)
    return 1 if bad else 0
