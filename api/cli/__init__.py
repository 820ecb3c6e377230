"""The command line: `trusted-archive COMMAND`.

Rules kept here
 * What a command needs is imported when it runs, so that `--help` is quick.
 * An error of ours becomes its exit code and a sentence; anything else is a fault of the program and
   shows as one (exit 70).
"""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence

from api.cli.console import Console

CANCELLED = 130


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command; the process's exit code."""
    from api.cli.run import run

    words = list(sys.argv[1:] if argv is None else argv)
    # Before the words are understood it must be known in which form a mistake in them is told.
    console = Console(as_json="--json" in words, verbose="--verbose" in words)
    if sys.platform == "win32":
        console.error("unsupported-platform", "Windows is not supported; use Linux", {})
        return 78
    try:
        return run(words, console)
    except KeyboardInterrupt:
        console.error("cancelled", "cancelled", {})
        return CANCELLED
    except BrokenPipeError:
        # The reader went away: there is nobody left to tell.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0


if __name__ == "__main__":
    sys.exit(main())
