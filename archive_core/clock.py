"""The only place that asks the operating system for the time.

An operation asks once and passes the instant on as `at=`; nothing below asks again.
"""

from __future__ import annotations

from datetime import UTC, datetime


class SystemClock:
    """The operating system's clock, in UTC."""

    def now(self) -> datetime:
        return datetime.now(UTC)
