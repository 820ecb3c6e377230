"""What a command says: one document or readable lines on stdout, progress and trouble on stderr.

Rules kept here
 * With `--json` stdout gets exactly one JSON document in UTF-8, whatever happens; progress goes to
   stderr as JSON lines. Without it people get lines, and a bar when stderr is a terminal.
 * What a command has to say after its answer goes to stderr.
 * Names that came from outside are shown with control characters made visible.
"""

from __future__ import annotations

import io
import json
import os
import sys
import time
from collections.abc import Iterable
from typing import Any, TextIO

from api.cli.documents import pieces
from api.cli.pace import Pace
from api.cli.words import progress_word, told
from api.texts import text
from archive_core.errors import ArchiveError

THROTTLE = 0.5
"""Seconds between two messages of progress."""

_BAR = 24


def shown(value: object) -> str:
    """Text that is safe on a terminal."""
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode("ascii") for c in str(value))


def path_text(path: str | os.PathLike[str]) -> str:
    """A path as text that every encoding of Unicode can carry: octets that are no UTF-8 become `\\xNN`."""
    return os.fsencode(path).decode("utf-8", "backslashreplace")


def error_json(error: ArchiveError) -> dict[str, object]:
    """An error as every document shows it: its code, its message, its facts."""
    facts = {key: value for key, value in error.facts.items() if key not in ("code", "message")}
    return {"code": error.code, "message": str(error), **facts}


def failure_json(error: BaseException) -> dict[str, object]:
    """Why a command did not come to its end: an error of ours, a wish, or a fault of the program."""
    if isinstance(error, ArchiveError):
        return error_json(error)
    if isinstance(error, KeyboardInterrupt):
        said = text("cancelled; what was acknowledged is kept, the rest can be repeated")
        return {"code": "cancelled", "message": said}
    said = text(
        "{what} (a fault of this program; --verbose says where it came from)", what=f"{type(error).__name__}: {error}"
    )
    return {"code": "internal", "message": said}


class Console:
    def __init__(self, *, as_json: bool, verbose: bool, out: TextIO | None = None, err: TextIO | None = None) -> None:
        self.as_json = as_json
        self.verbose = verbose
        self._out = _sturdy(out or sys.stdout, as_json)
        self._err = _sturdy(err or sys.stderr, as_json)
        self._answered = False
        self._last = 0.0
        self._paces: dict[str, Pace] = {}
        self._bar = False

    # -- the answer ---------------------------------------------------------------------------

    def result(self, document: object, lines: Iterable[str] = ()) -> None:
        """The command's one answer."""
        self._end_bar()
        self._answered = True
        if self.as_json:
            self._document(document)
        else:
            self._write(self._out, "".join(f"{line}\n" for line in lines))

    def failure(self, error: BaseException) -> None:
        """Why the command failed; with `--json` this is its one document, unless it has answered."""
        self._end_bar()
        if not self.as_json:
            message = told(error) if isinstance(error, ArchiveError) else str(failure_json(error)["message"])
            self._write(self._err, f"{text('Error')}: {shown(message)}\n")
        elif self._answered:
            self._line({"level": "error", **failure_json(error)})
        else:
            self._answered = True
            self._document({"error": failure_json(error)})

    def _document(self, document: object) -> None:
        self._write(self._out, "".join(pieces(document)) + "\n")

    # -- on the way ---------------------------------------------------------------------------

    def warn(self, message: str, **facts: object) -> None:
        """Something that the reader should know and that does not change the answer."""
        self._end_bar()
        if self.as_json:
            self._line({"level": "warning", "message": message, **facts})
        else:
            self._write(self._err, f"{text('Warning')}: {shown(message)}\n")

    def progress(self, what: str, done: int, total: int | None) -> None:
        """How far long work is; called as often as the work likes."""
        now = time.monotonic()
        fresh = what not in self._paces
        pace = self._paces.setdefault(what, Pace(what, began=now, first=done))
        if not fresh and done != total and now - self._last < THROTTLE:
            return
        self._last = now
        if self.as_json:
            self._line(pace.to_json(done, total, now))
        elif self._err.isatty():
            self._draw(pace, done, total, now)
        elif self.verbose:
            self._write(self._err, f"{progress_word(what)}: {done}{f'/{total}' if total else ''}\n")

    def _draw(self, pace: Pace, done: int, total: int | None, now: float) -> None:
        share = f"{pace.amount(done)}/{pace.amount(total)}" if total else pace.amount(done)
        bar = f"[{'#' * (_BAR * done // total):<{_BAR}}] " if total else ""
        self._bar = True
        self._write(self._err, f"\r{progress_word(pace.what):<20} {bar}{share} {pace.text(done, total, now)}\x1b[K")

    def _end_bar(self) -> None:
        if self._bar:
            self._bar = False
            self._write(self._err, "\r\x1b[K")

    def _line(self, document: dict[str, Any]) -> None:
        self._write(self._err, json.dumps(document, default=str) + "\n")

    @staticmethod
    def _write(stream: TextIO, said: str) -> None:
        stream.write(said)
        stream.flush()


def _sturdy(stream: TextIO | None, as_json: bool) -> TextIO:
    """The stream, made to take every character: JSON is UTF-8 whatever the locale says, and people see
    escaped what their terminal cannot show. A stream that was closed before we began takes everything."""
    if stream is None:
        return open(os.devnull, "w", encoding="utf-8")
    if isinstance(stream, io.TextIOWrapper):
        stream.reconfigure(encoding="utf-8" if as_json else None, errors="backslashreplace")
    return stream
