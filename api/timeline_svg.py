"""A plan of renewals drawn as a timeline: one lane for each evidence line, years from left to right.

Rules kept here
 * Built element by element: no text of the archive can become markup.
 * Colour is never alone: a time-stamp renewal is a circle and a hash-tree renewal a square; what is known is filled,
   what is assumed is hollow. A bar from each mark shows the time that is left to do it.
 * The file stands by itself: no script, no fonts, nothing fetched. Each mark has its explanation as a title.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from xml.etree import ElementTree  # only for writing
from xml.etree.ElementTree import Element, SubElement

from api.plan_texts import KINDS, count_text, reason_text, spans_text
from api.texts import text
from policies.forecast_values import Forecast, PlannedProblem, PlannedRenewal
from policies.renewal_values import RenewalKind

_SVG = "http://www.w3.org/2000/svg"
_WIDTH, _LEFT, _RIGHT = 1200, 170, 30
_TOP, _LANE, _BELOW = 96, 74, 92
_INK, _FAINT, _GRID = "#1f2933", "#616e7c", "#d8dee5"
_COLOURS = {RenewalKind.TIMESTAMP: "#2c6fbb", RenewalKind.HASH_TREE: "#b3541e"}
_ALARM = "#b00020"
_MARK = 6.0


def timeline_svg(found: Forecast) -> bytes:
    """The drawing, an SVG 1.1 document in UTF-8."""
    lanes = sorted({one.line for one in found.renewals} | {one.line for one in found.problems})
    drawing = _Drawing(found, lanes)
    drawing.axis()
    for renewal in found.renewals:
        drawing.renewal(renewal)
    for problem in found.problems:
        drawing.problem(problem)
    drawing.legend()
    return drawing.to_bytes()


class _Drawing:
    def __init__(self, found: Forecast, lanes: Sequence[str]) -> None:
        self._found = found
        self._lanes = list(lanes)
        self._bottom = _TOP + _LANE * max(1, len(lanes))
        height = self._bottom + _BELOW
        self._root = Element(
            "svg",
            {
                "xmlns": _SVG,
                "width": str(_WIDTH),
                "height": str(height),
                "viewBox": f"0 0 {_WIDTH} {height}",
                "font-family": "Helvetica, Arial, DejaVu Sans, sans-serif",
                "font-size": "13",
                "role": "img",
            },
        )
        title = text("Renewals from {first} to {last}", first=found.made.year, last=found.until.year)
        SubElement(self._root, "title").text = title
        self._add("rect", x=0, y=0, width=_WIDTH, height=height, fill="#ffffff")
        self._text(title, _LEFT, 34, size=20, weight="bold")
        summary = text(
            "{documents} documents, {count} renewals, one time-stamp each",
            documents=count_text(found.documents),
            count=len(found.renewals),
        )
        self._text(summary, _LEFT, 56, fill=_FAINT)

    def _add(self, tag: str, parent: Element | None = None, **attributes: object) -> Element:
        named = {name.replace("_", "-"): _value(value) for name, value in attributes.items()}
        return SubElement(self._root if parent is None else parent, tag, named)

    def _text(
        self,
        said: str,
        x: float,
        y: float,
        *,
        size: int = 13,
        weight: str = "normal",
        fill: str = _INK,
        anchor: str = "start",
    ) -> None:
        self._add("text", x=x, y=y, font_size=size, font_weight=weight, fill=fill, text_anchor=anchor).text = said

    def _x(self, at: datetime) -> float:
        whole = (self._found.until - self._found.made).total_seconds()
        share = (at - self._found.made).total_seconds() / whole
        return _LEFT + min(1.0, max(0.0, share)) * (_WIDTH - _LEFT - _RIGHT)

    def _y(self, line: str) -> float:
        return _TOP + _LANE * (self._lanes.index(line) + 0.5)

    # -- parts --------------------------------------------------------------------------------

    def axis(self) -> None:
        first, last = self._found.made.year, self._found.until.year
        step = next(step for step in (1, 2, 5, 10, 20, 50, 1000) if (last - first) / step <= 14)
        for year in range(first + 1, last + 1):
            if year % step:
                continue
            x = self._x(datetime(year, 1, 1, tzinfo=UTC))
            self._add("line", x1=x, y1=_TOP - 8, x2=x, y2=self._bottom, stroke=_GRID, stroke_width=1)
            self._text(str(year), x, _TOP - 14, fill=_FAINT, anchor="middle")
        for line in self._lanes:
            y = self._y(line)
            self._add("line", x1=_LEFT, y1=y, x2=_WIDTH - _RIGHT, y2=y, stroke=_GRID, stroke_width=2)
            self._text(line, _LEFT - 14, y + 4, anchor="end", weight="bold")
        if not self._lanes:
            self._text(text("Nothing falls due until then."), _LEFT, _TOP + _LANE / 2, fill=_FAINT)

    def renewal(self, renewal: PlannedRenewal) -> None:
        x, y = self._x(renewal.at), self._y(renewal.line)
        colour = _COLOURS[renewal.kind]
        group = self._add("g")
        self._add("title", group).text = _told(renewal)
        if renewal.ends is not None and renewal.ends > renewal.at:
            width = max(0.0, self._x(renewal.ends) - x)
            self._add("rect", group, x=x, y=y - 2, width=width, height=4, fill=colour, fill_opacity=0.35)
        fill = colour if renewal.known else "#ffffff"
        self._mark(group, renewal.kind, x, y, fill, colour)
        if renewal.kind is RenewalKind.HASH_TREE:
            self._text(f"→ {renewal.digest}", x, y - 14, size=12, fill=colour, anchor="middle")

    def _mark(self, group: Element, kind: RenewalKind, x: float, y: float, fill: str, stroke: str) -> None:
        if kind is RenewalKind.TIMESTAMP:
            self._add("circle", group, cx=x, cy=y, r=_MARK, fill=fill, stroke=stroke, stroke_width=2)
        else:
            side = 2 * _MARK
            self._add(
                "rect",
                group,
                x=x - _MARK,
                y=y - _MARK,
                width=side,
                height=side,
                fill=fill,
                stroke=stroke,
                stroke_width=2,
            )

    def problem(self, problem: PlannedProblem) -> None:
        x, y = self._x(problem.since), self._y(problem.line) + 20
        group = self._add("g")
        said = f"{problem.since:%Y-%m-%d}: {reason_text(problem.obstacle)} ({spans_text(problem.spans)})"
        self._add("title", group).text = said
        for dx in (-_MARK, _MARK):
            self._add("line", group, x1=x - dx, y1=y - _MARK, x2=x + dx, y2=y + _MARK, stroke=_ALARM, stroke_width=2.5)

    def legend(self) -> None:
        x, y = float(_LEFT), float(self._bottom + 26)
        entries = [(kind, True, text(said)) for kind, said in KINDS.items()]
        entries.append((RenewalKind.TIMESTAMP, False, text("hollow: rests on assumptions")))
        for kind, known, said in entries:
            colour = _COLOURS[kind]
            self._mark(self._root, kind, x, y - 4, colour if known else "#ffffff", colour)
            self._text(said, x + 14, y)
            x += 40 + 7.2 * len(said)
        self._add("rect", x=_LEFT - 6, y=y + 18, width=22, height=4, fill=_INK, fill_opacity=0.35)
        self._text(text("time left to do it before the proof would lapse"), _LEFT + 26, y + 24)
        if self._found.problems:
            self._text(f"✕ {text('not possible as things are')}", _LEFT + 420, y + 24, fill=_ALARM)
        stated = text(
            "Algorithms: {table}; the holding of {day}, without deposits to come",
            table=self._found.table,
            day=f"{self._found.made:%Y-%m-%d}",
        )
        self._text(stated, _LEFT, y + 50, size=12, fill=_FAINT)

    def to_bytes(self) -> bytes:
        ElementTree.indent(self._root, "  ")
        octets: bytes = ElementTree.tostring(self._root, encoding="utf-8", xml_declaration=True)
        return octets + b"\n"


def _told(renewal: PlannedRenewal) -> str:
    numbers = f"{text('batches')} {spans_text(renewal.spans)}"
    what = f"{renewal.at:%Y-%m-%d}, {text(KINDS[renewal.kind])} ({renewal.digest}), {numbers}"
    return f"{what}: {reason_text(renewal.reason)}"


def _value(value: object) -> str:
    return f"{value:.2f}" if isinstance(value, float) else str(value)
