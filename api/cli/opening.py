"""Opening the home's archive for one command, and closing it properly."""

from __future__ import annotations

import argparse
import getpass
from collections.abc import Iterator
from contextlib import contextmanager

from api.cli.console import Console
from api.settings import ArchiveSettings
from api.texts import text
from api.wiring import build_archive
from archive_core.archive import Archive
from archive_core.errors import ArchiveError
from archive_core.lifecycle import Actor


def settings_of(arguments: argparse.Namespace) -> ArchiveSettings:
    """The settings of the home that the words name; raises `SettingsError` when there is none."""
    return ArchiveSettings.load(arguments.home.absolute())


def actor() -> Actor:
    """Whoever runs the command: may do everything, and is named in the erasable detail only."""
    try:
        user = getpass.getuser()
    except (OSError, KeyError):
        user = "unknown"
    return Actor("cli", "operator", None, {"user": user})


@contextmanager
def opened(arguments: argparse.Namespace, console: Console, *, busy: bool = False) -> Iterator[Archive]:
    """The archive for the time of a command. At its end, also after an error, every recorded event
    goes into the trail, so that the loss of the catalogue loses none. A store that cannot take them
    now does not turn the command's success into a failure: the events wait in the catalogue, and
    whoever runs the command is told. `busy` as for `build_archive`."""
    archive = build_archive(settings_of(arguments), busy=busy)
    try:
        yield archive
    finally:
        try:
            archive.flush_trail()
        except ArchiveError as error:
            console.warn(text("events wait for the trail: {reason}", reason=str(error)), code=error.code)
        finally:
            archive.close()
