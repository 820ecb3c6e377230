"""How fast long work goes, and how long it will still take."""

from __future__ import annotations

from dataclasses import dataclass

from api.texts import text
from archive_core.progress import BYTE_WORK


@dataclass(frozen=True, slots=True)
class Pace:
    """One kind of work since it began: `began` in seconds of the monotonic clock, `first` what was
    done by then."""

    what: str
    began: float
    first: int

    @property
    def in_bytes(self) -> bool:
        return self.what in BYTE_WORK

    def amount(self, number: float) -> str:
        """So many steps, as people read them."""
        if self.in_bytes:
            return f"{number / 1e6:.1f} MB"
        return f"{number:.1f}" if isinstance(number, float) and number < 10 else f"{number:.0f}"

    def rate(self, done: int, now: float) -> float | None:
        """Steps in a second; None before there is anything to measure."""
        elapsed = now - self.began
        return (done - self.first) / elapsed if elapsed > 0 and done > self.first else None

    def remaining(self, done: int, total: int | None, now: float) -> float | None:
        """Seconds until the end at this rate; None while that is unknown."""
        rate = self.rate(done, now)
        return None if rate is None or total is None else max(0, total - done) / rate

    def to_json(self, done: int, total: int | None, now: float) -> dict[str, object]:
        rate, remaining = self.rate(done, now), self.remaining(done, total, now)
        return {
            "progress": self.what,
            "done": done,
            "total": total,
            "unit": "bytes" if self.in_bytes else "items",
            "rate": None if rate is None else round(rate, 2),
            "remaining_seconds": None if remaining is None else round(remaining, 1),
        }

    def text(self, done: int, total: int | None, now: float) -> str:
        rate, remaining = self.rate(done, now), self.remaining(done, total, now)
        if rate is None:
            return ""
        said = text("{rate}/s", rate=self.amount(rate))
        return said if remaining is None else f"{said} {text('{time} left', time=clock_time(remaining))}"


def clock_time(seconds: float) -> str:
    """`1:05:09`, or `5:09` below an hour."""
    minutes, second = divmod(int(seconds + 0.5), 60)
    hours, minute = divmod(minutes, 60)
    return f"{hours}:{minute:02}:{second:02}" if hours else f"{minute}:{second:02}"
