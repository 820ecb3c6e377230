"""What a command says: one document or readable lines on stdout, progress and trouble on stderr.

Rules kept here
 * With `--json` stdout gets exactly one JSON document, whatever happens; progress goes to stderr as
   JSON lines. Without it people get lines, and a bar when stderr is a terminal.
 * Names that came from outside are shown with control characters made visible.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Iterable
from typing import TextIO

from api.texts import text

THROTTLE = 0.5
"""Seconds between two progress messages."""


def shown(value: object) -> str:
    """Text that is safe on a terminal."""
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode("ascii") for c in str(value))


class Console:
    def __init__(self, *, as_json: bool, verbose: bool, out: TextIO | None = None, err: TextIO | None = None) -> None:
        self.as_json = as_json
        self.verbose = verbose
        self._out = out or sys.stdout
        self._err = err or sys.stderr
        self._last = 0.0
        self._bar = False

    def result(self, document: object, lines: Iterable[str] = ()) -> None:
        """The command's one answer."""
        self._end_bar()
        if self.as_json:
            self._out.write(json.dumps(document, ensure_ascii=False, indent=2) + "\n")
        else:
            for line in lines:
                self._out.write(line + "\n")
        self._out.flush()

    def note(self, message: str, **facts: object) -> None:
        """Something on the way, for people and logs."""
        self._end_bar()
        if self.as_json:
            self._err.write(json.dumps({"message": message, **facts}, ensure_ascii=False, default=str) + "\n")
        else:
            self._err.write(message + "\n")
        self._err.flush()

    def warn(self, message: str) -> None:
        self.note(f"{text('Warning')}: {message}" if not self.as_json else message, level="warning")

    def error(self, code: str, message: str, facts: dict[str, object]) -> None:
        """Why the command failed; with `--json` this is its one document."""
        self._end_bar()
        if self.as_json:
            safe = {key: value for key, value in facts.items() if key not in ("code", "message")}
            document = {"error": {"code": code, "message": message, **safe}}
            self._out.write(json.dumps(document, ensure_ascii=False, indent=2, default=str) + "\n")
            self._out.flush()
        else:
            self._err.write(f"{text('Error')}: {shown(message)}\n")
            self._err.flush()

    def progress(self, what: str, done: int, total: int | None) -> None:
        """How far long work is; called as often as the work likes."""
        now = time.monotonic()
        if now - self._last < THROTTLE:
            return
        self._last = now
        if self.as_json:
            self._err.write(json.dumps({"progress": what, "done": done, "total": total}) + "\n")
        elif self._err.isatty():
            share = f"{done}/{total}" if total else str(done)
            width = 30
            bar = "#" * (width * done // total) if total else ""
            self._err.write(f"\r{text(what):<24} [{bar:<{width}}] {share}\x1b[K")
            self._bar = True
        elif self.verbose:
            self._err.write(f"{text(what)}: {done}{f'/{total}' if total else ''}\n")
        self._err.flush()

    def _end_bar(self) -> None:
        if self._bar:
            self._err.write("\r\x1b[K")
            self._bar = False
