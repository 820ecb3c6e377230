"""Hybrid evidence: two redundant records, one by elliptic curves, one by ML-DSA; either may fall."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from functools import partial
from pathlib import Path

import pytest

from api.drill_world import authorities_of, sandbox
from archive_core.drilling import Drill, DrillResult
from archive_core.findings import Verdict
from policies import current_algorithms
from policies.breaking import parse_break
from signing.local_keys import ML_DSA_65
from signing.local_trust import Making, create_local_trust
from tests.sampling import quick_first
from tests.world import OPERATOR, World


class HybridWorld(World):
    """The second authority of the home signs by ML-DSA, under an authority of its own that signs so, too."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        trust = create_local_trust(folder / "quantum-safe", at=self.clock.now(), making=Making(ML_DSA_65))
        shutil.copy(trust.directory / "test-ca.pem", self.home / "quantum-safe.pem")
        self.settings = replace(self.settings, anchors=(*self.settings.anchors, "quantum-safe.pem"))
        self.restart()
        authorities = self.archive.authorities
        assert isinstance(authorities, dict)
        authorities["local-tsa-2"] = trust.authority("local-tsa-2", self.clock)


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[HybridWorld]:
    made = HybridWorld(tmp_path_factory.mktemp("hybrid"))
    made.deposit({"a.txt": b"alpha" * 1000}, profile="redundant-1")
    made.preserve()
    yield made
    made.archive.close()


def drilled(world: HybridWorld, what: str) -> DrillResult:
    at = world.clock.now()
    table = current_algorithms()
    known = authorities_of(world.archive)
    broken = parse_break(what, at + timedelta(days=400), table)
    make = partial(sandbox, world.settings, known=known, started=at)
    return Drill(make, table, OPERATOR, at, known.fallen(broken)).run(broken)


def test_both_records_pass_and_rest_on_different_mathematics(world: HybridWorld) -> None:
    """What each line rests on stands in the catalogue."""
    (poid,) = world.told
    report = world.archive.verify(poid, actor=OPERATOR)
    rests = {head.line: (head.facts or {})["signatures"] for head in world.archive.catalogue.heads()}

    assert report.verdict is Verdict.PASSED
    assert report.facts["lines"] == {"sha3-512": "PASSED", "sha512": "PASSED"}
    assert rests == {"sha512": [["ecdsa", 384]], "sha3-512": [["ml-dsa", 65]]}


@pytest.mark.parametrize("what", quick_first(["ecdsa", "ml-dsa", "tsa:local-tsa-1", "tsa:local-tsa-2"], 2))
def test_the_fall_of_either_leaves_the_document_proven(world: HybridWorld, what: str) -> None:
    """Nothing is lost even if nobody renews: one record stands, verified from bytes."""
    found = drilled(world, what)

    assert (found.without.loss.lost, found.without.loss.weakened) == ((), ((1, 1),))
    assert (found.without.samples.passed, found.without.samples.checked) == (1, 1)


def test_renewal_in_time_keeps_both(world: HybridWorld) -> None:
    """Elliptic curves fall: the line that rested on them is carried over before."""
    found = drilled(world, "ecdsa")

    assert found.with_renewal is not None
    assert (found.with_renewal.loss.chains, found.is_saved) == (0, True)
    assert {step.view.line for step in found.with_renewal.steps} == {"sha512"}
