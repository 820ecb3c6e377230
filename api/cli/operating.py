"""Commands for whoever runs the archive: `init`, `serve`, `work`, `status`, `upgrade`, `doctor`."""

from __future__ import annotations

import argparse
from collections.abc import Iterable
from functools import partial
from typing import Any

from api.cli.answers import BAD, GOOD, TEST_TRUST
from api.cli.console import Console, path_text, shown
from api.cli.opening import actor, opened, settings_of
from api.settings import SETTINGS_FILE
from api.texts import text
from api.wiring import build_archive
from archive_core.clock import SystemClock


def init(arguments: argparse.Namespace, console: Console) -> int:
    """Make the home, its stores, its catalogue and its test trust; may be repeated."""
    from api.initialising import make_ready

    home = arguments.home.absolute()
    was_there = (home / SETTINGS_FILE).exists()
    settings, archive = make_ready(home, at=SystemClock().now())
    try:
        test_trust = archive.status(actor=actor())["test_trust"]
    finally:
        archive.close()
    document = {
        "home": path_text(home),
        "created": not was_there,
        "stores": {store.name: path_text(store.place(home)) for store in settings.stores},
        "trust_anchors": [path_text(home / anchor) for anchor in settings.anchors],
        "test_trust": test_trust,
    }
    lines = [text("The home is ready: {home}", home=shown(path_text(home)))]
    if not was_there:
        lines += [text(TEST_TRUST)] if test_trust else []
        lines.append(text("Next: trusted-archive deposit PATH, then trusted-archive preserve"))
    console.result(document, lines)
    return GOOD


def serve(arguments: argparse.Namespace, console: Console) -> int:
    """Serve until a signal."""
    from api import server

    server.serve(
        settings_of(arguments),
        partial(build_archive, busy=True),
        host=arguments.host,
        port=arguments.port,
        json_lines=arguments.json,
        works=not arguments.no_work,
    )
    return GOOD


def work(arguments: argparse.Namespace, console: Console) -> int:
    """Do scheduled jobs until a signal."""
    from api import working

    working.work(settings_of(arguments), partial(build_archive, busy=False), only=arguments.only, but=arguments.but)
    return GOOD


def status(arguments: argparse.Namespace, console: Console) -> int:
    with opened(arguments, console) as archive:
        found = archive.status(actor=actor())
    console.result(found, _status_lines(found))
    return GOOD


def _status_lines(found: dict[str, Any]) -> Iterable[str]:
    objects, trail = found["objects"], found["trail"]
    yield shown(found["name"])
    yield text(
        "{objects} objects, {versions} versions: {evidenced} evidenced, {replicated} replicated and waiting", **objects
    )
    if objects["replicated"]:
        yield text("What waits is proven by: trusted-archive preserve")
    yield text("trail: {size} events, {pending} pending", **trail)
    for store in found["stores"]:
        state = text("in order") if store["ok"] else shown(store["error"])
        yield text("store {name}: {state}", name=store["name"], state=state)
    for warning in found["warnings"]:
        yield f"{text('Warning')}: {shown(text(warning))}"


def upgrade(arguments: argparse.Namespace, console: Console) -> int:
    """Say what would be done, or do it after a backup."""
    from api.upgrading import apply, plan

    home = arguments.home.absolute()
    steps = plan(home)
    document: dict[str, object] = {"home": path_text(home), "steps": [step.to_json() for step in steps], "done": False}
    lines = [shown(step.about) for step in steps] or [text("Nothing to upgrade.")]
    if steps and not arguments.dry_run:
        backup = path_text(apply(home, steps, at=SystemClock().now()))
        document |= {"done": True, "backup": backup}
        lines.append(text("Backup: {path}", path=shown(backup)))
    elif steps:
        lines.append(text("Nothing was changed: without --dry-run this would be done."))
    console.result(document, lines)
    return GOOD


def doctor(arguments: argparse.Namespace, console: Console) -> int:
    """Exit 1 when anything is not well."""
    from api.doctor import examine

    checks = examine(arguments.home.absolute(), at=SystemClock().now(), imprints=arguments.imprints)
    bad = [check for check in checks if not check.ok]
    lines = []
    for check in checks:
        mark = text("ok") if check.ok else text("BAD")
        lines.append(f"{mark:<5} {text(check.name)}: {shown(check.message)}")
        if check.mend:
            lines.append(f"      -> {shown(check.mend)}")
    document = {"ok": not bad, "checks": [check.to_json() for check in checks]}
    console.result(document, lines)
    return BAD if bad else GOOD
