"""Every fuzz target for a moment: seeds and their mutants, without atheris, so everywhere.

With CI=true a target gets longer, and the seed is the same in each run; elsewhere it is drawn, printed,
and can be given as FUZZ_SEED. FUZZ_SECONDS sets the CPU seconds a target gets.
"""

from __future__ import annotations

import os
import random

import pytest

from tests.fuzz.engines import run_plain
from tests.fuzz.target import targets
from tests.vectors import in_ci

SECONDS = float(os.environ.get("FUZZ_SECONDS") or (0.5 if in_ci() else 0.1))
SEED = int(os.environ.get("FUZZ_SEED") or (1 if in_ci() else random.SystemRandom().randrange(1, 2**31)))


@pytest.mark.parametrize("name", sorted(targets()))
def test_no_input_leads_to_an_undocumented_error(name: str) -> None:
    """Mutants of good inputs are taken or refused as documented, in bounded time and memory."""
    print(f"FUZZ_SEED={SEED}")
    outcome = run_plain(targets()[name], seed=SEED, seconds=SECONDS)
    print(outcome)
    assert outcome.refused, "no mutant was ever refused"
