"""Foreign judges on the records of a whole life: every distinct shape, as of the day that the life had reached.

The life is that of `tests/lifetimes/ages.py`. It is looked at twice:

* at the end of 2048, when records hold up to nine time-stamps in two chains, by RSA and elliptic curves, with SHA-512,
  SHA3-512 and SHA3-384: EU DSS and the walk over every chain judge all of it, signatures and paths too;
* at the end of 2086, when ML-DSA stamps everything, which neither BouncyCastle 1.72 nor EU DSS 6.4 knows: the walk and
  BouncyCastle judge the structure (data, trees, imprints, links, order), and DSS is shown not to read such records.

What BouncyCastle cannot do beyond that is shown here, too: it refuses a newest chain of three time-stamps or more in
which each covers the one before it alone, as RFC 4998 5.2 has it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime

import pytest
from asn1crypto import cms

from archive_core.admission import DATA
from archive_core.evidence.record import parse_record
from tests.interop import anatomy
from tests.interop.judges import Job, accepted, bc_judge, dss_judge, pyasn1_reencode, refused
from tests.lifetimes.ages import ECDSA_REPLACED, LAST_YEAR, LongLife, Story
from tests.world import OPERATOR

pytestmark = [pytest.mark.interop, pytest.mark.slow, pytest.mark.timeout(1800)]

BEFORE_ML_DSA = ECDSA_REPLACED - 1
ML_DSA_65 = "2.16.840.1.101.3.4.3.18"
NO_MORE_THAN_TWO = "unable to process previous ArchiveTimeStamps"

Shape = tuple[tuple[str, tuple[str, ...]], ...]
"""For each chain its digest and the signature algorithms of its time-stamps, in order."""


@dataclass(frozen=True)
class Age:
    """One job for each distinct shape of record that there was."""

    at: datetime
    jobs: dict[Shape, Job]

    def all(self) -> list[Job]:
        return list(self.jobs.values())


def _shape(record: bytes) -> Shape:
    def scheme(token: bytes) -> str:
        (signer,) = cms.ContentInfo.load(token)["content"]["signer_infos"]
        return str(signer["signature_algorithm"]["algorithm"].dotted)

    chains = parse_record(record).chains
    return tuple((one.stamps[0].digest_algorithm, tuple(scheme(s.token) for s in one.stamps)) for one in chains)


def _looked_at(world: LongLife) -> Age:
    """What a stranger gets: record, description, every file; and the roots of all authorities that there were."""
    at = world.clock.now()
    jobs: dict[Shape, Job] = {}
    for poid in world.living:
        shown = world.archive.show(poid, 1, actor=OPERATOR)
        row = world.archive.catalogue.version(poid, 1)
        data = [world.archive._content.description(row)]
        data += [b"".join(world.archive._content.stream(row, DATA + view.path)) for view in shown.files]
        for file in world.archive.evidence(poid, 1, actor=OPERATOR):
            shape = _shape(file.der)
            name = f"shape {len(jobs)}, line {file.line}"
            jobs.setdefault(shape, Job(name, file.der, tuple(dict.fromkeys(data)), tuple(world._anchors), at=at))
    return Age(at, jobs)


@pytest.fixture(scope="module")
def ages(tmp_path_factory: pytest.TempPathFactory) -> dict[int, Age]:
    found: dict[int, Age] = {}

    def look(world: LongLife, year: int) -> None:
        if year in (BEFORE_ML_DSA, LAST_YEAR):
            found[year] = _looked_at(world)

    Story(LongLife(tmp_path_factory.mktemp("life")), look).run()
    return found


def _changed(jobs: Sequence[Job], *, signatures: bool) -> list[Job]:
    """One changed bit: in a datum, and in every hash value, imprint and (where asked for) signature of the record."""
    made = []
    for job in jobs:
        data = (anatomy.flipped(job.data[0]), *job.data[1:])
        made.append(replace(job, name=f"{job.name}: datum", data=data))
        made += [
            replace(job, name=f"{job.name}: {part}", record=record)
            for part, record in anatomy.broken_records(job.record).items()
            if signatures or "signature" not in part
        ]
    return made


def _spread(age: Age) -> list[Job]:
    """The longest record, a renewed one of another line, the shortest ones."""
    jobs = sorted(age.all(), key=lambda job: len(job.record))
    return [jobs[0], jobs[1], jobs[len(jobs) // 2], jobs[-1]]


def test_the_life_has_the_shapes_that_are_judged(ages: dict[int, Age]) -> None:
    """Both lines, one to three chains more, up to twenty-odd time-stamps."""
    before, after = ages[BEFORE_ML_DSA], ages[LAST_YEAR]
    assert len(before.jobs) >= 15
    assert len(after.jobs) >= 25
    assert {chain[0] for shape in before.jobs for chain in shape} == {"sha512", "sha3-512", "sha3-384"}
    assert {chain[0] for shape in after.jobs for chain in shape} == {"sha512", "sha3-512", "sha3-384", "sha384"}
    assert {len(shape) for shape in before.jobs} == {1, 2}
    assert {len(shape) for shape in after.jobs} == {1, 2, 3, 4}
    assert max(sum(len(stamps) for _, stamps in shape) for shape in after.jobs) >= 16
    assert not any(ML_DSA_65 in stamps for shape in before.jobs for _, stamps in shape)
    assert all(ML_DSA_65 in shape[-1][1] for shape in after.jobs)


def test_dss_accepts_every_shape_of_rsa_and_elliptic_curves(ages: dict[int, Age]) -> None:
    """Record and every time-stamp PASSED as of that day, with its default policy; no changed bit is."""
    age = ages[BEFORE_ML_DSA]
    rulings = dss_judge(age.all())
    assert len(rulings) == len(age.jobs)
    assert refused(rulings.values()) == []
    changed = _changed(_spread(age), signatures=True)
    assert len(changed) >= 40
    assert accepted(dss_judge(changed).values()) == []


def test_the_walk_accepts_every_shape_of_rsa_and_elliptic_curves(ages: dict[int, Age]) -> None:
    """Over every chain, with signatures and paths; BouncyCastle itself as far as it goes: data and newest chain always,
    a chain of more than two time-stamps never."""
    age = ages[BEFORE_ML_DSA]
    rulings = bc_judge(age.all())
    assert [ruling.reason for ruling in rulings.values() if ruling.facts["walk"] is not None] == []
    for shape, job in age.jobs.items():
        expected = NO_MORE_THAN_TWO if len(shape[-1][1]) > 2 else None
        assert rulings[job.name].facts["bouncycastle"] == expected, shape
    assert any(ruling.accepted for ruling in rulings.values())
    changed = _changed(_spread(age), signatures=True)
    judged = bc_judge(changed)
    assert accepted(judged.values()) == []
    assert all(ruling.facts["walk"] is not None for ruling in judged.values())


def test_the_structure_of_every_shape_of_the_end_is_accepted(ages: dict[int, Age]) -> None:
    """By BouncyCastle and by the walk over every chain, signatures left aside; no changed bit is."""
    age = ages[LAST_YEAR]
    jobs = [replace(job, structure=True) for job in age.all()]
    rulings = bc_judge(jobs)
    assert len(rulings) == len(age.jobs)
    assert refused(rulings.values()) == []
    spread = [replace(job, structure=True) for job in _spread(age)]
    judged = bc_judge(_changed(spread, signatures=False))
    assert len(judged) >= 60
    assert accepted(judged.values()) == []


def test_neither_judge_knows_ml_dsa_and_both_say_so(ages: dict[int, Age]) -> None:
    """The walk names the algorithm at the first such time-stamp; EU DSS does not read the record at all."""
    jobs = ages[LAST_YEAR].all()
    for ruling in bc_judge(jobs).values():
        assert not ruling.accepted
        assert ML_DSA_65 in ruling.facts["walk"]
    for ruling in dss_judge(jobs).values():
        assert not ruling.accepted
        assert f"Unsupported algorithm: {ML_DSA_65}" in ruling.reason


def test_pyasn1_encodes_every_shape_again(ages: dict[int, Age]) -> None:
    """Decoded as RFC 4998 by another library and encoded again, each comes out byte for byte."""
    jobs = [job for age in ages.values() for job in _spread(age)]
    assert refused(pyasn1_reencode(job.record) for job in jobs) == []
