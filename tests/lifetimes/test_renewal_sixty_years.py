"""Sixty years, 2026 to 2086: at the end of each of them what lives is proven since its first instant.

One document is destroyed: it drops out of the next hash-tree renewal by name, its last record is kept and its report
says until when that is covered, and nothing else is touched.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Collection
from datetime import datetime
from pathlib import Path

import pytest
from asn1crypto import cms
from asn1crypto import x509 as asn1_x509

from archive_core.evidence.record import EvidenceRecord, parse_record
from archive_core.findings import SubIndication, Verdict
from tests.interop import anatomy
from tests.lifetimes.ages import (
    DELETION,
    ECDSA_ENDS,
    LAST_YEAR,
    ORDERED,
    SHA512_ENDS,
    SHA512_NEWS,
    START,
    LongLife,
    RememberedTokens,
    Story,
)
from tests.world import OPERATOR

SHA512_END = datetime.fromisoformat(f"{SHA512_ENDS}T00:00:00+00:00")

pytestmark = [pytest.mark.slow, pytest.mark.timeout(1800)]


def records_of(world: LongLife, poid: str) -> dict[str, EvidenceRecord]:
    """The records of an object's first version, by line."""
    return {file.line: parse_record(file.der) for file in world.archive.evidence(poid, 1, actor=OPERATOR)}


def every_record_passes(world: LongLife, year: int) -> None:
    """Every version of every living document, on each of its lines, since the same instant as ever."""
    records_pass(world, year, [(poid, told.version) for poid, all_of in world.living.items() for told, _ in all_of])


def many_records_pass(world: LongLife, year: int) -> None:
    """The same for the oldest eight, the newest two, and every tenth of the others, another tenth each year; every
    twentieth year for all. (All in each year: the soak test.)"""
    listed = [(poid, told.version) for poid, all_of in world.living.items() for told, _ in all_of]
    turn = [one for number, one in enumerate(listed) if number % 10 == year % 10]
    records_pass(world, year, listed if year % 20 == LAST_YEAR % 20 else {*listed[:8], *listed[-2:], *turn})


def records_pass(world: LongLife, year: int, versions: Collection[tuple[str, int]]) -> None:
    at = world.clock.now()
    assert len(versions) >= min(10, year - START.year)
    for poid, version in versions:
        report = world.archive._assessment.assess(world.archive.catalogue.version(poid, version), at=at)
        bad = [step for step in report.steps if step.verdict is not Verdict.PASSED]
        assert report.verdict is Verdict.PASSED, (year, poid, bad)
        assert report.findings == (), (year, poid, report.findings)
        assert set(report.facts["lines"].values()) == {"PASSED"}  # type: ignore[attr-defined]
        first = world.since.setdefault((poid, version), report.proof_of_existence)  # type: ignore[arg-type]
        assert report.proof_of_existence == first


def unit_ends(token: bytes) -> datetime:
    """When the certificate ends that signed a token: found by its serial number, not by the archive."""
    signed = cms.ContentInfo.load(token)["content"]
    serial = signed["signer_infos"][0]["sid"].chosen["serial_number"].native
    (found,) = [
        certificate
        for certificate in map(asn1_x509.Certificate.load, anatomy.certificates(token))
        if certificate.serial_number == serial
    ]
    end: datetime = found["tbs_certificate"]["validity"]["not_after"].native
    return end


def no_gap(record: EvidenceRecord, until: datetime) -> None:
    """Each time-stamp was covered before its unit's certificate ended, and the last one holds on."""
    times = [stamp.token_info.gen_time for stamp in record.stamps]
    assert times == sorted(set(times))
    for stamp, covered_at in zip(record.stamps, [*times[1:], until], strict=True):
        assert covered_at < unit_ends(stamp.token)


@pytest.fixture(scope="module")
def story(tmp_path_factory: pytest.TempPathFactory) -> Story:
    told = Story(LongLife(tmp_path_factory.mktemp("sixty-years")), many_records_pass)
    told.run()
    return told


def test_sixty_years_were_lived_with_all_that_belongs_to_them(story: Story) -> None:
    """One record: twelve and more time-stamp renewals, three hash-tree renewals, RSA, elliptic curves and ML-DSA; three
    generations of authorities, a month without the machine and one without authorities."""
    world = story.world
    first = records_of(world, story.poids[START.year + 1])["sha512"]
    assert [chain.stamps[0].digest_algorithm for chain in first.chains] == ["sha512", "sha3-512", "sha384", "sha3-384"]
    assert len(first.stamps) - len(first.chains) >= 12

    signers = [scheme_of(stamp.token) for stamp in first.stamps]
    assert sorted(set(signers), key=signers.index) == ["rsassa_pkcs1v15", "ecdsa", "mldsa65"]
    assert len({root_of(stamp.token) for stamp in first.stamps}) == 3
    assert world.clock.now().year == LAST_YEAR + 1
    assert {note for _, note in world.notes} == {"off", "silent", "confirmed"}
    assert world.stamped("timestamp") >= 40
    assert world.stamped("hash-tree") >= 6


def scheme_of(token: bytes) -> str:
    algorithm = cms.ContentInfo.load(token)["content"]["signer_infos"][0]["signature_algorithm"]["algorithm"].native
    return "ecdsa" if algorithm.endswith("_ecdsa") else algorithm


def root_of(token: bytes) -> bytes:
    """The self-issued certificate that came with a token."""
    (root,) = [c for c in map(asn1_x509.Certificate.load, anatomy.certificates(token)) if c.issuer == c.subject]
    return bytes(root.dump())


def test_redundant_records_went_their_own_ways(story: Story) -> None:
    """Two lines, two authorities, never the same digest at their ends."""
    record = records_of(story.world, story.poids[START.year])
    ways = {line: [chain.stamps[0].digest_algorithm for chain in one.chains] for line, one in record.items()}
    assert ways == {"sha512": ["sha512", "sha3-384"], "sha3-512": ["sha3-512", "sha384"]}


def test_there_never_was_a_gap(story: Story) -> None:
    """Read off the certificates in the tokens, for every record of every living document."""
    looked_at = 0
    for poid in story.world.living:
        for record in records_of(story.world, poid).values():
            no_gap(record, story.world.clock.now())
            looked_at += 1
    assert looked_at >= 60


def test_no_algorithm_was_relied_on_after_its_end(story: Story) -> None:
    """The lists of those years said when SHA-512 and elliptic curves end: nothing later rests on them."""
    for poid in story.world.living:
        for record in records_of(story.world, poid).values():
            for stamp in record.stamps:
                made = f"{stamp.token_info.gen_time:%Y-%m-%d}"
                assert stamp.digest_algorithm != "sha512" or made < SHA512_ENDS
                assert scheme_of(stamp.token) != "ecdsa" or made < ECDSA_ENDS


def test_at_the_end_everything_is_proven_from_bytes_alone(story: Story) -> None:
    """With nothing remembered: from one store alone, with a catalogue rebuilt from it, and every fifth object from the
    other; and offline, from bundles."""
    world = story.world
    remembered = world.archive.validator
    assert isinstance(remembered, RememberedTokens)
    forgetful = dataclasses.replace(remembered, memory={})
    for store, stride in (("two", 1), ("one", 5)):
        archive, report = world.rebuilt(store)
        assert report.findings == ()
        assert report.destroyed == 1
        archive.validator = forgetful
        archive = archive.over(archive.catalogue, archive.copies)
        for poid in list(world.living)[::stride]:
            found = archive.verify(poid, 1, actor=OPERATOR)
            assert found.verdict is Verdict.PASSED
            assert found.proof_of_existence == world.since[poid, 1]
        assert archive.show(world.deleted[0], actor=OPERATOR) == world.archive.show(world.deleted[0], actor=OPERATOR)
        archive.close()
    lost = world.archive.catalogue.version(world.deleted[0], 1).batch
    neighbours = [poid for poid in world.living if world.archive.catalogue.version(poid, 1).batch == lost]
    assert len(neighbours) == 1
    for poid in {*list(world.living)[::12], *neighbours}:
        offline = world.judge_bundle(poid)
        assert offline.verdict is Verdict.PASSED, [s for s in offline.steps if s.verdict is not Verdict.PASSED]
        assert offline.proof_of_existence == world.since[poid, max(told.version for told, _ in world.told[poid])]


def test_what_was_deleted_is_named_and_its_neighbour_lives(story: Story) -> None:
    """It dropped out of the next hash-tree renewal, by name; the other object of its batch is proven as ever."""
    world = story.world
    (gone,) = world.deleted
    assert gone == story.poids[DELETION]
    dropped = [(view, one) for _, result in world.results for view in result.views for one in view.dropped]
    assert {one.poid for _, one in dropped} == {gone}
    assert {view.kind for view, _ in dropped} == {"hash-tree"}
    assert len(dropped) == 1 + len(ORDERED)  # named each time, not only at first
    batch = world.archive.catalogue.version(gone, 1).batch
    assert batch is not None
    assert [row.poid for row in world.archive.catalogue.members(batch, -1, 10) if row.poid in world.living]
    assert world.audit().findings == []


def test_the_record_of_what_was_deleted_ends_and_its_report_says_when(story: Story) -> None:
    """It has the one chain that it had, renewed until its document was destroyed and on to the hash-tree renewal that
    left it out; covered until the first end of its newest time-stamp, which came long before the story's end."""
    world = story.world
    (gone,) = world.deleted
    report = world.archive.verify(gone, 1, actor=OPERATOR)
    assert (report.verdict, report.sub_indication) == (Verdict.INDETERMINATE, SubIndication.SIGNED_DATA_NOT_FOUND)
    assert report.proof_of_existence is None
    assert {finding.code for finding in report.findings} == {"DESTROYED", "COVERAGE_ENDED"}
    for file in world.archive.evidence(gone, 1, actor=OPERATOR):
        record = parse_record(file.der)
        assert len(record.chains) == 1
        last = list(record.stamps)[-1]
        assert world.results[0][0].year <= last.token_info.gen_time.year <= SHA512_NEWS + 2
        (said,) = [finding.message for finding in report.findings if finding.where == file.line]
        assert f"covered until {min(unit_ends(last.token), SHA512_END):%Y-%m-%d}" in said
        no_gap(record, last.token_info.gen_time)


@pytest.mark.soak
@pytest.mark.timeout(4 * 3600)
@pytest.mark.parametrize("until", [2040, LAST_YEAR])
def test_each_year_could_have_been_the_last_one(tmp_path: Path, until: int) -> None:
    """The same years; at the end of each, from each store alone and from every bundle."""

    def everything(world: LongLife, year: int) -> None:
        every_record_passes(world, year)
        if not world.store("two").exists():
            return
        for store in ("one", "two"):
            archive, _report = world.rebuilt(store)
            for poid, versions in world.living.items():
                for told, _ in versions:
                    found = archive.verify(poid, told.version, actor=OPERATOR)
                    assert found.proof_of_existence == world.since[poid, told.version]
            archive.close()
        for poid, versions in world.living.items():
            assert world.judge_bundle(poid).proof_of_existence == world.since[poid, versions[-1][0].version]

    Story(LongLife(tmp_path), everything, until=until).run()
