"""`organisations add | list | change | close | reopen`: whose documents there are, and how many they may be."""

from __future__ import annotations

import argparse
from collections.abc import Sequence

from api.cli.answers import GOOD, table
from api.cli.console import Console, shown
from api.cli.opening import actor, opened
from api.texts import marked, text
from archive_core.organisations import Limits, OrganisationView

_COLUMNS = (
    marked("organisation"),
    marked("state"),
    marked("objects"),
    marked("bytes"),
    marked("requests a minute"),
    marked("name"),
)

_LIMITS = {"quota_objects": "objects", "quota_bytes": "bytes", "rate": "rate_per_minute"}


def add(arguments: argparse.Namespace, console: Console) -> int:
    with opened(arguments, console) as archive:
        view = archive.organisations.add(
            arguments.organisation,
            name=arguments.name,
            limits=Limits(**_limits(arguments)),
            foreign=arguments.foreign,
            actor=actor(),
        )
    return _told(view, console)


def list_organisations(arguments: argparse.Namespace, console: Console) -> int:
    with opened(arguments, console) as archive:
        views = archive.organisations.list(actor=actor())
    lines = table(_COLUMNS, [_line(view) for view in views])
    none = [text("No organisations yet: trusted-archive organisations add")]
    console.result({"organisations": [view.to_json() for view in views]}, lines or none)
    return GOOD


def change(arguments: argparse.Namespace, console: Console) -> int:
    with opened(arguments, console) as archive:
        view = archive.organisations.change(
            arguments.organisation, name=arguments.name, limits=_limits(arguments), actor=actor()
        )
    return _told(view, console)


def close(arguments: argparse.Namespace, console: Console) -> int:
    """Nothing more is taken in; everything that is there stays."""
    return _switched(arguments, console, active=False)


def reopen(arguments: argparse.Namespace, console: Console) -> int:
    return _switched(arguments, console, active=True)


def _switched(arguments: argparse.Namespace, console: Console, *, active: bool) -> int:
    with opened(arguments, console) as archive:
        view = archive.organisations.change(arguments.organisation, active=active, actor=actor())
    return _told(view, console)


def _limits(arguments: argparse.Namespace) -> dict[str, int | None]:
    """The limits that the words name."""
    return {name: getattr(arguments, option) for option, name in _LIMITS.items() if hasattr(arguments, option)}


def _told(view: OrganisationView, console: Console) -> int:
    console.result(view.to_json(), table(_COLUMNS, [_line(view)]))
    return GOOD


def _line(view: OrganisationView) -> Sequence[str]:
    row = view.row
    return (
        shown(row.originator),
        text("open") if row.active else text("closed"),
        _of(view.objects, row.quota_objects),
        _of(view.bytes, row.quota_bytes),
        "-" if row.rate_per_minute is None else str(row.rate_per_minute),
        shown(row.name),
    )


def _of(used: int, quota: int | None) -> str:
    return str(used) if quota is None else f"{used} / {quota}"
