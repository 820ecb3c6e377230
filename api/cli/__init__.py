"""The command line: `trusted-archive COMMAND`.

Rules kept here
 * What a command needs is imported when it runs, so that `--help` is quick.
 * An error of ours becomes its exit code and a sentence; anything else is a fault of the program and
   shows as one (exit 70).
 * With `--json` everything is English: it is for machines.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence

from api.cli.console import Console
from api.collector import look_seldom
from api.texts import language, speaking

CANCELLED = 130


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command; the process's exit code."""
    if argv is None:  # a process of our own
        look_seldom()
    words = list(sys.argv[1:] if argv is None else argv)
    # Before the words are understood it must be known in which form a mistake in them is told.
    options = words[: words.index("--")] if "--" in words else words
    console = Console(as_json="--json" in options, verbose="--verbose" in options)
    with speaking("en" if console.as_json else language()):
        return _run(words, console)


def _run(words: list[str], console: Console) -> int:
    from api.cli.run import run

    try:
        return run(words, console)
    except KeyboardInterrupt as wish:
        console.failure(wish)
        return CANCELLED
    except BrokenPipeError:
        # The reader went away: there is nobody left to tell.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0


if __name__ == "__main__":
    sys.exit(main())
