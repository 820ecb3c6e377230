"""python -m benchmarks [a to l, n to r] [--quick] [--rounds 3] [--at DIR] [--out DIR] [--without NAME]"""

from __future__ import annotations

import argparse
import random
import shutil
import sys
import time
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

from benchmarks import (
    big_batch,
    downloads,
    fixity,
    fixity_memory,
    fixity_run,
    http_load,
    large_file,
    machine,
    one_record,
    rebuilding,
    rehashing,
    renewals,
    report,
    s3_load,
    small_files,
    trail_cost,
    trust_services,
    two_sites,
    very_many,
)
from benchmarks.figures import BenchmarkError
from benchmarks.workspace import ROOT, Scale, Workspace

LINES = {
    module.LETTER: module
    for module in (
        small_files,
        large_file,
        big_batch,
        one_record,
        http_load,
        fixity,
        rebuilding,
        renewals,
        rehashing,
        very_many,
        fixity_run,
        fixity_memory,
        trust_services,
        trail_cost,
        two_sites,
        s3_load,
        downloads,
    )
}
ONLY_ASKED = (very_many.LETTER,)
"""Lines that take half an hour by themselves."""

RIVALS = ("restic", "bagit", "rclone")


def main(words: Sequence[str] | None = None) -> int:
    """Measure the lines that were asked for; exit 0 whether or not goals were met, 1 when one could not be
    measured."""
    options = _parser().parse_args(words)
    letters = options.letters or [letter for letter in LINES if letter not in ONLY_ASKED]
    stamp = f"{datetime.now(UTC):%Y%m%dT%H%M%S}"
    place = (options.at or ROOT / "build" / "benchmarks").absolute() / stamp
    place.mkdir(parents=True)
    out = options.out or (place.with_name(f"{stamp}-results") if options.quick else ROOT / "benchmarks")
    out.mkdir(parents=True, exist_ok=True)
    space = Workspace(
        place=place,
        scale=_scale(options),
        rounds=options.rounds,
        without=frozenset(options.without),
        flames=not (options.quick or options.no_flames),
        prepared=options.prepared.absolute() if options.prepared else None,
        dice=random.Random(options.seed),
        said=lambda text: print(text, file=sys.stderr, flush=True),
    )
    try:
        for letter in letters:
            _measure(space, letter, options, out)
    except BenchmarkError as error:
        print(f"benchmarks: {error}", file=sys.stderr)
        return 1
    finally:
        if not options.keep:
            shutil.rmtree(place)
    print(out / "RESULTS.md")
    return 0


def _scale(options: argparse.Namespace) -> Scale:
    scale = Scale.quick() if options.quick else Scale()
    return replace(scale, drill_documents=options.documents) if options.documents else scale


def _measure(space: Workspace, letter: str, options: argparse.Namespace, out: Path) -> None:
    module = LINES[letter]
    space.said(f"({letter}) {module.TITLE}")
    began = time.monotonic()
    result = module.measure(space)
    report.write(
        out,
        {
            **result.to_json(),
            "rounds": options.rounds,
            "seed": options.seed,
            "command": _command(letter, options),
            "machine": machine.facts(space.place),
            "took_seconds": round(time.monotonic() - began),
        },
    )
    for goal in result.goals:
        space.said(f"    {'met   ' if goal.met else 'MISSED'}  {goal.text}: {goal.reached:.3g}")


def _command(letter: str, options: argparse.Namespace) -> str:
    words = ["python -m benchmarks", letter, f"--rounds {options.rounds}", f"--seed {options.seed}"]
    words += ["--quick"] if options.quick else []
    words += [f"--documents {options.documents}"] if options.documents and letter == "p" else []
    return " ".join([*words, *(f"--without {name}" for name in options.without)])


def _rounds(text: str) -> int:
    if not text.isdecimal() or not 1 <= int(text) <= 100:
        raise argparse.ArgumentTypeError("a number from 1 to 100")
    return int(text)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__, allow_abbrev=False)
    parser.add_argument(
        "letters", nargs="*", choices=[[], *LINES], metavar="LINE", help="a to r; all but j when none is named"
    )
    parser.add_argument("--quick", action="store_true", help="tiny sizes: shows that it runs, measures nothing")
    parser.add_argument("--rounds", type=_rounds, default=3, help="how often everything runs (default 3)")
    parser.add_argument("--documents", type=int, metavar="N", help="how many documents the store of (p) holds")
    parser.add_argument("--seed", type=int, default=1, help="of the order within a round")
    parser.add_argument("--at", type=Path, metavar="DIR", help="where to work: the file system that is measured")
    parser.add_argument("--prepared", type=Path, metavar="DIR", help="homes for (h) and (j) that were filled before")
    parser.add_argument("--out", type=Path, metavar="DIR", help="where results go (default: benchmarks/)")
    parser.add_argument("--without", action="append", default=[], choices=RIVALS, help="leave a rival out")
    parser.add_argument("--no-flames", action="store_true", help="record no flame graphs")
    parser.add_argument("--keep", action="store_true", help="keep the homes and documents")
    return parser


if __name__ == "__main__":
    sys.exit(main())
