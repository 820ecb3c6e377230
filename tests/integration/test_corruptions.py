"""Random single faults in one storage root: each is found by an audit, each is repaired to the byte.

`make soak T=tests/integration/test_corruptions.py` tries 10,000, each 250 of them in distinct objects at once, and lets
ocfl-py judge the root afterwards; `CORRUPTION_SEED` chooses other ones. In the suite there is a sample of them.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from archive_core.findings import Verdict
from archive_core.ocfl.check_root import assess_root
from archive_core.ocfl.storage_root import StorageRoot
from storage_backends.filesystem import FilesystemStore
from tests.integration.corruptions import HARMS, Tally, corrupt
from tests.interop.ocfl_judge import judge_root
from tests.world import OPERATOR, World

SEED = int(os.environ.get("CORRUPTION_SEED", "20261123"))


def filled(folder: Path, objects: int) -> World:
    """A world with so many objects of all kinds: one file or some, two versions, a large document, both profiles."""
    world = World(folder)
    poids: list[str] = []
    submissions = [
        world.submission(
            {
                "a.txt": b"alpha %d" % number,
                **({"sub/b.bin": bytes([number % 251]) * (number % 7 * 1000)} if number % 3 else {}),
            },
            profile="redundant-1" if number % 50 == 7 else None,
        )
        for number in range(objects)
    ]
    world.archive.deposit_many(submissions, actor=OPERATOR, tell=lambda told: poids.append(told.poid))  # type: ignore[union-attr]
    world.deposit({"big.bin": bytes(range(256)) * 4 * 1024 * 5})
    world.preserve()
    for poid in poids[::10]:
        world.archive.update(poid, world.submission({"a.txt": b"another", "c.txt": poid.encode()}), actor=OPERATOR)
    world.preserve()
    world.archive.flush_trail()
    return world


@pytest.fixture
def small(tmp_path: Path) -> Iterator[World]:
    world = filled(tmp_path, 60)
    yield world
    world.archive.close()


def nothing_wrong(tally: Tally) -> None:
    assert tally.missed == [], f"{len(tally.missed)} of {tally.done} not found"
    assert tally.unrepaired == [], f"{len(tally.unrepaired)} of {tally.done} not repaired"


@pytest.mark.slow
@pytest.mark.timeout(180)
def test_a_hundred_random_faults_are_found_and_repaired(small: World) -> None:
    """Fifty at a time, of nearly all kinds, in either store; afterwards everything is valid and proves itself."""
    tally = Tally()
    corrupt(small, "one", SEED, 50, tally)
    corrupt(small, "two", SEED + 1, 50, tally)

    nothing_wrong(tally)
    assert tally.done == 100
    assert len(tally.by_kind) > 12
    audited = small.audit()
    assert audited.findings == []
    assert audited.checked["versions"] >= 60


@pytest.mark.slow
def test_a_fault_that_is_missed_would_be_told(small: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """The comparison above can fail: here nothing is repaired, and nothing found."""
    from archive_core.audit import Audit, Examined
    from archive_core.audit_result import AuditResult

    monkeypatch.setattr(Audit, "examine", lambda self, **options: Examined(AuditResult()))
    tally = Tally()
    corrupt(small, "one", SEED, 5, tally)

    assert (len(tally.missed), len(tally.unrepaired)) == (5, 5)


@pytest.mark.soak
@pytest.mark.timeout(7200)
def test_ten_thousand_random_faults_are_found_and_repaired(tmp_path: Path) -> None:
    """All of them, and ocfl-py finds no error afterwards."""
    faults, together = int(os.environ.get("CORRUPTIONS", "10000")), 250
    world = filled(tmp_path, 400)
    tally = Tally()
    for number in range(faults // together):
        corrupt(world, "one", SEED + number, together, tally)
        print(
            f"round {number + 1}: {tally.done} faults, {len(tally.missed)} missed, {len(tally.unrepaired)} left",
            flush=True,
        )
    print(dict(sorted(tally.by_kind.items())))

    nothing_wrong(tally)
    assert tally.done == faults
    assert set(tally.by_kind) == {harm.__name__ for harm in HARMS}
    assert world.audit().findings == []
    assert all(
        report is None or report.verdict is Verdict.PASSED for _, _, report in world.archive.verify_all(actor=OPERATOR)
    )
    assert assess_root(StorageRoot(FilesystemStore("one", world.store("one"))).store).findings == []
    world.archive.close()
    ruling = judge_root(world.store("one"))
    assert ruling.clean, ruling.words[-3000:]
