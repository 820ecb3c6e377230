"""From words to a command and back to an exit code."""

from __future__ import annotations

import argparse
import traceback
from collections.abc import Sequence
from typing import TYPE_CHECKING

from api.cli.console import Console
from api.cli.parser import build_parser
from archive_core.errors import ArchiveError, NotPermittedError
from policies.access import Permission, allowed, command_permission

if TYPE_CHECKING:
    from api.cli.commands import CommandFunction

INTERNAL = 70
ROLE = "operator"
"""Whoever can run commands on a home owns it."""


def run(words: Sequence[str], console: Console) -> int:
    """Parse, do, answer. Errors of ours are told and become their exit codes."""
    try:
        arguments = build_parser().parse_args(words)
        return _command(arguments)(arguments, console)
    except ArchiveError as error:
        console.failure(error)
        return error.exit_code
    except SystemExit as leaving:  # --help, and a server that stopped
        return leaving.code if isinstance(leaving.code, int) else 0
    except (KeyboardInterrupt, BrokenPipeError):
        raise
    except Exception as error:  # noqa: BLE001 - the last place that can tell it in the asked form
        if console.verbose:
            traceback.print_exc()
        console.failure(error)
        return INTERNAL


def _command(arguments: argparse.Namespace) -> CommandFunction:
    from api.cli import commands

    name = arguments.command
    below = getattr(arguments, f"{name}_command", None)
    words = f"{name}-{below}" if below else name
    permission = command_permission(words)
    if permission is None or not (permission is Permission.PUBLIC or allowed(ROLE, None, permission)):
        raise NotPermittedError(role=ROLE, needed=str(permission))
    return commands.command(words)
