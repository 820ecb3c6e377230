"""Write the table of docs/what-we-promise.md that says what a damage that lies unseen is worth.

Run it after the model or its examples were changed: `python tools/durability_table.py`. Tests hold that it was run, and
that the formula says what a simulation of the same rules counts.
"""

from __future__ import annotations

import itertools
import random
import re
from pathlib import Path

PAGE = Path(__file__).resolve().parents[1] / "docs" / "what-we-promise.md"
BEGIN, END = "<!-- made by tools/durability_table.py -->\n", "<!-- until here -->\n"

DAYS = 365.25
"""Days of a year."""
RATES = (1e-4, 1e-5, 1e-6)
CYCLES = ((30, 1), (90, 7), (365, 30))
"""Days of a cycle, and days until somebody has repaired what it found."""
HOLDING = 100_000_000


def damaged_part(rate: float, cycle: float, wait: float) -> float:
    """How much of its time a document's copy in one store is damaged: there are `rate` damages in a year, each is found
    when the copy is read again (every `cycle` days: after half of them on average) and repaired `wait` days later."""
    return rate * (cycle / 2 + wait) / DAYS


def losses(stores: int, rate: float, cycle: float, wait: float) -> float:
    """Losses of a document in a year: a copy is damaged while all others are. Good to first order, for small parts."""
    return stores * rate * damaged_part(rate, cycle, wait) ** (stores - 1)


def simulated(stores: int, rate: float, cycle: float, wait: float, *, documents: int, years: float, seed: int) -> int:
    """Losses among documents over years, counted: damages come at random, each store is read in its own turn, and what
    is found is repaired later while another copy is good."""
    chance = random.Random(seed)  # noqa: S311 - no secret
    lost = 0
    for _ in range(documents):
        phases = [chance.uniform(0, cycle) for _ in range(stores)]
        until = [0.0] * stores
        at = chance.expovariate(stores * rate / DAYS)
        while at < years * DAYS:
            store = chance.randrange(stores)
            if until[store] <= at:
                found = at + cycle - (at - phases[store]) % cycle
                until[store] = found + wait
                if all(end > at for end in until):
                    lost += 1
                    until = [0.0] * stores  # it is gone, and another document takes its place
            at += chance.expovariate(stores * rate / DAYS)
    return lost


def table() -> str:
    """The examples."""
    lines = [
        "| damages in a year and store | read again every | repaired after | two stores | three stores |",
        "| --- | --- | --- | --- | --- |",
    ]
    for rate, (cycle, wait) in itertools.product(RATES, CYCLES):
        found = [losses(stores, rate, cycle, wait) for stores in (2, 3)]
        said = " | ".join(f"{_power(one)} ({_years(one)})" for one in found)
        lines.append(f"| one document of {1 / rate:,.0f} | {_days(cycle)} | {_days(wait)} | {said} |")
    return "\n".join(lines) + "\n"


def _days(number: int) -> str:
    return f"{number} day{'s' * (number != 1)}"


def _power(value: float) -> str:
    digits, power = f"{value:.0e}".split("e")
    return f"{digits} · 10^{int(power)}"


def _years(value: float) -> str:
    """Of a holding of a hundred million documents."""
    years = 1 / (value * HOLDING)
    if years < 1:
        return f"{1 / years:.2g} a year"
    return f"one in {float(f'{years:.1g}'):,.0f} years" if years < 1e6 else "none in a million years"


def page() -> str:
    """The page with the table as it is to be."""
    text = PAGE.read_text("utf-8")
    found = re.search(re.escape(BEGIN) + r".*?" + re.escape(END), text, re.S)
    if found is None:
        raise LookupError(f"{PAGE} has no place for the table")
    return text[: found.start()] + BEGIN + "\n" + table() + "\n" + END + text[found.end() :]


if __name__ == "__main__":
    PAGE.write_text(page(), "utf-8")
