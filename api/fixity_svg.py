"""The history of fixity checks as a picture: what was read when, how fast, and what was found.

Rules kept here
 * The picture stands alone: no script, no font, nothing from anywhere else; it says what it shows.
 * Findings and missed controls are drawn in red and named; a store without a cycle has an empty row.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any
from xml.sax.saxutils import escape

_WIDTH, _ROW, _LEFT, _TOP = 900, 130, 90, 40
_GOOD, _BAD, _TREND = "#4a7ebb", "#c0392b", "#2c3e50"


def history_svg(history: Sequence[Mapping[str, Any]]) -> str:
    """One row for each store: bars for the bytes of each cycle, a line for its speed."""
    stores = sorted({str(one["store"]) for one in history})
    height = _TOP + _ROW * max(1, len(stores)) + 30
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{_WIDTH}" height="{height}" '
        f'viewBox="0 0 {_WIDTH} {height}" font-family="sans-serif" font-size="11">',
        "<title>Fixity checks</title>",
        f'<rect width="{_WIDTH}" height="{height}" fill="white"/>',
        f'<text x="{_LEFT}" y="20" font-size="14">Fixity: bytes of each cycle (bars), bytes a second (line)</text>',
    ]
    if not stores:
        parts.append(f'<text x="{_LEFT}" y="{_TOP + 20}" fill="{_BAD}">no cycle has ended yet</text>')
    times = [_time(one["ended"]) for one in history]
    for number, store in enumerate(stores):
        cycles = [one for one in history if one["store"] == store]
        parts += _row(store, cycles, _TOP + number * _ROW, min(times), max(times))
    return "\n".join([*parts, "</svg>", ""])


def _row(store: str, cycles: Sequence[Mapping[str, Any]], top: int, first: float, last: float) -> Iterator[str]:
    base, most = top + _ROW - 30, max((one["bytes"] or 0 for one in cycles), default=0) or 1
    speeds = [_speed(one) for one in cycles]
    fastest = max(speeds, default=0) or 1
    yield f'<text x="10" y="{top + 50}">{escape(store)}</text>'
    yield f'<line x1="{_LEFT}" y1="{base}" x2="{_WIDTH - 10}" y2="{base}" stroke="#999"/>'
    yield f'<text x="10" y="{top + 64}" fill="#666">{_bytes(most)}</text>'
    yield f'<text x="10" y="{top + 78}" fill="{_TREND}">{_bytes(fastest)}/s</text>'
    points = []
    for one, speed in zip(cycles, speeds, strict=True):
        x = _LEFT + 10 + (_WIDTH - _LEFT - 40) * ((_time(one["ended"]) - first) / ((last - first) or 1))
        tall = max(1.0, 80 * (one["bytes"] or 0) / most)
        found, missed = one["finding_count"] or 0, (one["planted"] or 0) - (one["planted_found"] or 0)
        bad = one["outcome"] != "success"
        read = f"{one['objects']} objects, {one['bytes']} bytes"
        told = f"cycle {one['cycle']}: {one['ended']}, {read}, {found} findings"
        colour = _BAD if bad else _GOOD
        yield f'<rect x="{x - 3:.1f}" y="{base - tall:.1f}" width="6" height="{tall:.1f}" fill="{colour}">'
        yield f"<title>{escape(told)}</title></rect>"
        if bad:
            label = f"{found} findings" + (f", {missed} planted missed" if missed else "")
            yield f'<text x="{x:.1f}" y="{base + 12}" fill="{_BAD}" text-anchor="middle">{label}</text>'
        points.append(f"{x:.1f},{base - 80 * speed / fastest:.1f}")
    if len(points) > 1:
        yield f'<polyline points="{" ".join(points)}" fill="none" stroke="{_TREND}"/>'
    if cycles:
        yield f'<text x="{_LEFT}" y="{base + 24}" fill="#666">{escape(str(cycles[0]["ended"])[:10])}</text>'
        yield (
            f'<text x="{_WIDTH - 10}" y="{base + 24}" fill="#666" text-anchor="end">'
            f"{escape(str(cycles[-1]['ended'])[:10])}</text>"
        )


def _speed(one: Mapping[str, Any]) -> float:
    return (one["bytes"] or 0) / ((one["milliseconds"] or 0) / 1000 or 1)


def _time(text: object) -> float:
    return datetime.fromisoformat(str(text)).timestamp()


def _bytes(count: float) -> str:
    for unit in ("B", "kB", "MB", "GB"):
        if count < 1000:
            return f"{count:.0f} {unit}"
        count /= 1000
    return f"{count:.0f} TB"
