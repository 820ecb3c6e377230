"""Structured logs: one JSON object a line, on standard error.

Rules kept here
 * An entry holds opaque ids, codes, counts and durations: no secret, no name of a file or a person,
   no address of a client, no body.
 * An unexpected error is logged with its stack trace; an expected one with its code.
"""

from __future__ import annotations

import json
import logging
import sys
from contextlib import nullcontext
from datetime import UTC, datetime
from typing import Any, TextIO

LOGGER = "trusted_archive"
_ENCODER = json.JSONEncoder(ensure_ascii=False, default=str)


class JsonLines(logging.Formatter):
    """`extra={"facts": {...}}` of a record becomes members of its line."""

    def format(self, record: logging.LogRecord) -> str:
        entry: dict[str, Any] = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat().replace("+00:00", "Z"),
            "level": record.levelname.lower(),
            "event": record.getMessage(),
            **getattr(record, "facts", {}),
        }
        if record.exc_info:
            entry["trace"] = self.formatException(record.exc_info)
        return _ENCODER.encode(entry)


class _Lines(logging.StreamHandler[TextIO]):
    """Lines are made before the lock is taken, so that threads wait for each other's writing alone."""

    def handle(self, record: logging.LogRecord) -> bool:
        line = self.format(record) + self.terminator
        with self.lock or nullcontext():
            self.stream.write(line)
            self.stream.flush()
        return True


def start_logging(stream: TextIO | None = None, level: int = logging.INFO) -> None:
    """Send the program's entries to `stream` (standard error), each once."""
    handler = _Lines(stream or sys.stderr)
    handler.setFormatter(JsonLines())
    logger = logging.getLogger(LOGGER)
    logger.handlers = [handler]
    logger.propagate = False
    logger.setLevel(level)
    # Nothing of this stands in an entry: it need not be found out for each (logging HOWTO, "Optimization").
    logging.logThreads = logging.logProcesses = logging.logMultiprocessing = False
    logging._srcfile = None


def log(event: str, level: int = logging.INFO, *, error: BaseException | None = None, **facts: object) -> None:
    """One entry; `error` adds its stack trace."""
    logging.getLogger(LOGGER).log(level, event, exc_info=error, extra={"facts": facts})
