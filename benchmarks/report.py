"""The results: `results.json`, and `RESULTS.md` made of it.

Rules kept here
 * A letter that was measured again replaces what stood under it; the others stay, each with its own date,
   machine and command.
 * A missed goal stays in the table with how much was missed. Why, and what design would reach it, comes from
   `remarks.toml`; a missed goal without a remark says that nobody has looked into it yet.
"""

from __future__ import annotations

import json
import tomllib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

REMARKS = Path(__file__).with_name("remarks.toml")

_HEAD = """# Results

Made by `python -m benchmarks`; do not edit. What is measured and how: [README.md](README.md). Medians of the
rounds, their range in brackets; memory is the peak of the whole process tree.
"""


def write(place: Path, line: Mapping[str, Any]) -> None:
    """Put one line's result into `results.json` and make `RESULTS.md` again."""
    file = place / "results.json"
    known = json.loads(file.read_text("utf-8")) if file.exists() else {}
    known[line["letter"]] = dict(line)
    file.write_text(json.dumps(known, indent=1, sort_keys=True, ensure_ascii=False) + "\n", "utf-8")
    text = "\n".join([_HEAD, *(part for letter in sorted(known) for part in _section(known[letter]))])
    (place / "RESULTS.md").write_text(text, "utf-8")


def _section(line: Mapping[str, Any]) -> Iterator[str]:
    yield f"## ({line['letter']}) {line['title']}\n"
    yield "| | | range | peak memory | |"
    yield "| --- | ---: | ---: | ---: | --- |"
    for figure in line["figures"]:
        values = figure["values"]
        spread = f"{_number(min(values))}–{_number(max(values))}" if len(values) > 1 else "one run"
        peak = f"{figure['peak_mib']:.0f} MiB" if figure["peak_mib"] else ""
        median = f"{_number(figure['median'])} {figure['unit']}"
        yield f"| {figure['name']} | {median} | {spread} | {peak} | {figure['note']} |"
    yield ""
    if line["goals"]:
        yield "| goal | reached | |"
        yield "| --- | ---: | --- |"
        for goal in line["goals"]:
            yield f"| {goal['text']} | {_number(goal['reached'])} | {_verdict(goal)} |"
        yield ""
    for goal in line["goals"]:
        if not goal["met"]:
            yield f"Missed, {goal['text']}: {_remark(goal['key'])}\n"
    yield from (f" * {condition}" for condition in line["conditions"])
    rounds = f"{line['rounds']} rounds in shuffled order (seed {line['seed']})"
    yield f" * {rounds}; `{line['command']}`"
    yield f" * {'; '.join(f'{name}: {fact}' for name, fact in line['machine'].items())}\n"


def _verdict(goal: Mapping[str, Any]) -> str:
    if goal["met"]:
        return "met"
    reached, limit = goal["reached"], goal["limit"]
    missed = reached / limit - 1 if goal["at_most"] else 1 - reached / limit
    return f"**missed by {missed:.0%}**"


def _remark(key: str) -> str:
    remarks = tomllib.loads(REMARKS.read_text("utf-8")) if REMARKS.exists() else {}
    found = remarks.get(key)
    return f"{found['why']} What would reach it: {found['design']}" if found else "nobody has looked into it yet."


def _number(value: float) -> str:
    if value >= 100:
        return f"{value:,.0f}"
    return f"{value:.1f}" if value >= 10 else f"{value:.2f}"
