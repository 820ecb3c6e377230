"""How fast long work goes, and how long it will still take."""

from __future__ import annotations

from dataclasses import dataclass

from api.texts import text


@dataclass(frozen=True, slots=True)
class Pace:
    """One kind of work since it began: `began` in seconds of the monotonic clock, `first` what was
    done by then."""

    what: str
    began: float
    first: int

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
            "rate": None if rate is None else round(rate, 2),
            "remaining_seconds": None if remaining is None else round(remaining, 1),
        }

    def text(self, done: int, total: int | None, now: float) -> str:
        rate, remaining = self.rate(done, now), self.remaining(done, total, now)
        if rate is None:
            return ""
        said = text("{rate}/s", rate=f"{rate:.1f}" if rate < 10 else f"{rate:.0f}")
        return said if remaining is None else f"{said} {text('{time} left', time=clock_time(remaining))}"


def clock_time(seconds: float) -> str:
    """`1:05:09`, or `5:09` below an hour."""
    minutes, second = divmod(int(seconds + 0.5), 60)
    hours, minute = divmod(minutes, 60)
    return f"{hours}:{minute:02}:{second:02}" if hours else f"{minute}:{second:02}"
