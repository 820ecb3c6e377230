"""From words to a command and back to an exit code."""

from __future__ import annotations

import argparse
import traceback
from collections.abc import Sequence
from typing import TYPE_CHECKING

from api.cli.console import Console
from api.cli.parser import build_parser
from archive_core.errors import ArchiveError

if TYPE_CHECKING:
    from api.cli.commands import CommandFunction

INTERNAL = 70


def run(words: Sequence[str], console: Console) -> int:
    """Parse, do, answer. Errors of ours are told and become their exit codes."""
    try:
        arguments = build_parser().parse_args(words)
        console.as_json, console.verbose = arguments.json, arguments.verbose
        return _command(arguments)(arguments, console)
    except ArchiveError as error:
        console.error(error.code, str(error), error.facts)
        return error.exit_code
    except SystemExit as leaving:  # --help
        return leaving.code if isinstance(leaving.code, int) else INTERNAL
    except (KeyboardInterrupt, BrokenPipeError):
        raise
    except Exception as error:  # noqa: BLE001 - the last place that can tell it in the asked form
        if console.verbose:
            traceback.print_exc()
        console.error(
            "internal", f"{type(error).__name__}: {error} (a fault of this program; --verbose says where)", {}
        )
        return INTERNAL


def _command(arguments: argparse.Namespace) -> CommandFunction:
    from api.cli import commands

    name = arguments.command
    if name == "keys":
        name = f"keys-{arguments.keys_command}"
    return commands.COMMANDS[name]
