"""Who thinks up the inputs: plain mutation everywhere, atheris where there is a wheel.

The rules kept here
 * A plain run names its seed. Where a target begins with keys and signatures that are made anew in each process the
   seed draws the same mutations of other octets: so the input itself is told, whole, and what atheris finds, and what
   a plain run of `python -m tests.fuzz` finds, is written to a file that `--input` runs again.
 * A run that accepted nothing, or refused nothing, is an error: it looked at one side only.
"""

from __future__ import annotations

import base64
import hashlib
import random
import sys
import time
import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from tests.fuzz.bounds import run_bounded
from tests.fuzz.mutation import Mutator
from tests.fuzz.target import Target

KEPT = 400
"""Mutants that were accepted and are mutated further."""


@dataclass(frozen=True)
class Outcome:
    """What a run did."""

    executions: int
    accepted: int
    refused: int


class DefectError(AssertionError):
    """An input that shows a defect; the message says how to run it again."""

    def __init__(self, target: Target, data: bytes, story: str) -> None:
        packed = base64.b64encode(zlib.compress(data, 9)).decode()
        super().__init__(f"{target.name}: {story}; input ({len(data)} bytes, base64 of its zlib form): {packed}")
        self.data = data


def check_seeds(target: Target) -> Mapping[str, bytes]:
    """The seeds, each run once; raises when none is accepted."""
    seeds = target.seeds()
    accepted = [name for name, data in seeds.items() if run_bounded(target, data)]
    assert accepted, f"{target.name}: not one of {len(seeds)} seeds is accepted"
    return seeds


def run_plain(target: Target, *, seed: int, seconds: float, least: int = 20) -> Outcome:
    """Mutate seeds and accepted mutants for `seconds` of CPU time, and at least `least` times."""
    draw = random.Random(seed)
    pool = [data for _, data in sorted(check_seeds(target).items())]
    mutator = Mutator(target.kind, draw, target.tokens)
    counts = {True: 0, False: 0}
    fixed = len(pool)
    end = time.thread_time() + seconds
    while sum(counts.values()) < least or time.thread_time() < end:
        data = mutator.mutant(draw.choice(pool), draw.choice(pool), target.max_size)
        try:
            accepted = run_bounded(target, data)
        except Exception as error:
            number = sum(counts.values())
            raise DefectError(target, data, f"seed {seed}, execution {number}: {error!r}") from error
        counts[accepted] += 1
        if accepted:
            pool.append(data)
            if len(pool) > fixed + KEPT:
                del pool[fixed + draw.randrange(KEPT)]
    return Outcome(sum(counts.values()), counts[True], counts[False])


def run_atheris(target: Target, *, seed: int, seconds: int, folder: Path) -> None:
    """Fuzz by coverage; never returns: libFuzzer ends the process (0, or 77 for a defect).

    The modules under test must have been imported under `atheris.instrument_imports`.
    """
    import atheris

    corpus = folder / "corpus"
    corpus.mkdir(parents=True, exist_ok=True)
    seeds = check_seeds(target)
    for data in seeds.values():
        (corpus / hashlib.sha256(data).hexdigest()[:24]).write_bytes(data)
    pool = sorted(seeds.values())

    def mutate(data: bytes, max_size: int, number: int) -> bytes:
        draw = random.Random(number)
        if draw.random() < 0.5:
            return bytes(atheris.Mutate(data, max_size))
        return Mutator(target.kind, draw, target.tokens).mutant(data, draw.choice(pool), max_size)

    def one(data: bytes) -> None:
        run_bounded(target, data, slower=8.0)

    atheris.Setup(
        [
            sys.argv[0],
            f"-max_total_time={seconds}",
            f"-max_len={target.max_size}",
            f"-seed={seed}",
            "-timeout=60",
            "-rss_limit_mb=3000",
            f"-artifact_prefix={folder}/",
            "-print_final_stats=1",
            "-verbosity=0",
            str(corpus),
        ],
        one,
        custom_mutator=mutate,
    )
    atheris.Fuzz()
