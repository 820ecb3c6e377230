"""Foreign judges on records that the archive's own code made: each accepted, each refused after one changed bit.

The batches here come straight from trees, derivation, seal and local authorities, which reaches shapes that a home does
not write today (renewals, a line in SHA-384). `test_home_records.py` does the same for what a real home hands out.
"""

from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from archive_core.evidence.derivation import derive_record
from tests.interop import anatomy
from tests.interop.judges import (
    Job,
    Ruling,
    accepted,
    bc_judge,
    dss_judge,
    openssl_cms_verify,
    openssl_ts_verify,
    pyasn1_reencode,
    refused,
)
from tests.interop.specimens import (
    Batch,
    Issuer,
    Specimen,
    random_group,
    renewed_hash_tree,
    renewed_time_stamp,
)

pytestmark = [pytest.mark.interop, pytest.mark.slow]

Judge = Callable[[Sequence[Job]], dict[str, Ruling]]

LINES = {"sha512": 0, "sha3-512": 1, "sha384": 1}
"""Digest algorithm of each line, and which of the two authorities stamps it."""
SIZES = (1, 2, 3, 5, 33, 1000)
SAMPLE = 10
"""So many records of the batch of a thousand are judged; `test_home_records.py` judges more."""


@pytest.fixture(scope="module")
def issuer(tmp_path_factory: pytest.TempPathFactory) -> Issuer:
    return Issuer(tmp_path_factory.mktemp("issuer"))


@pytest.fixture(scope="module")
def batches(issuer: Issuer) -> dict[str, Batch]:
    """A batch of each size on each line; groups have one to four files beside their description."""
    return {
        f"{algorithm}, {size} groups": Batch(
            issuer, algorithm, [random_group(1 + number % 4) for number in range(size)], authority
        )
        for algorithm, authority in LINES.items()
        for size in SIZES
    }


@pytest.fixture(scope="module")
def specimens(batches: dict[str, Batch]) -> list[Specimen]:
    """The record of every group (a spread sample of large batches) and of every seal group."""
    found = []
    for name, batch in batches.items():
        found += [batch.specimen(f"{name}, number {index}", index) for index in _sample(len(batch.groups))]
        found.append(batch.seal_specimen(f"{name}, seal group"))
    # Per line: all groups of the small batches, the sample of the large one, and each batch's seal group.
    assert len(found) == len(LINES) * (sum(SIZES[:-1]) + SAMPLE + len(SIZES))
    return found


def _sample(size: int) -> list[int]:
    """First, last and others spread between."""
    if size <= SIZES[-2]:
        return list(range(size))
    return sorted({index * (size - 1) // (SAMPLE - 1) for index in range(SAMPLE)})


@pytest.fixture(scope="module")
def renewed(issuer: Issuer) -> list[Specimen]:
    """Records after a time-stamp renewal over three batches, and after a hash-tree renewal from SHA-512 to SHA3-512."""
    batches = [Batch(issuer, "sha512", [random_group(1 + n % 2) for n in range(5)]) for _ in range(3)]
    found, members = [], []
    for which, batch in enumerate(batches):
        renewal = renewed_time_stamp(issuer, batches, which)
        for index in range(len(batch.groups)):
            chain = [batch.first_stamp(index), renewal]
            name = f"time-stamp renewal, batch {which}, number {index}"
            found.append(issuer.specimen(name, derive_record([chain]), batch.groups[index]))
            members.append((batch.groups[index], [chain]))
    for index, (group, chains) in enumerate(members):
        renewal = renewed_hash_tree(issuer, "sha3-512", members, index)
        record = derive_record([*chains, [renewal]])
        found.append(issuer.specimen(f"hash-tree renewal, number {index}", record, group))
    assert [len(anatomy.tokens(specimen.record)) for specimen in found] == [2] * 15 + [3] * 15
    return found


# -- records ----------------------------------------------------------------------------------


@pytest.mark.parametrize("judge", [bc_judge, dss_judge])
def test_a_judge_accepts_every_record(judge: Judge, specimens: list[Specimen]) -> None:
    """Records of all batch sizes, of one and of many files, on three lines, and those of the seal groups."""
    rulings = judge([specimen.job() for specimen in specimens])
    assert len(rulings) == len(specimens)
    assert refused(rulings.values()) == []


@pytest.mark.slow
@pytest.mark.parametrize("judge", [bc_judge, dss_judge])
def test_a_judge_refuses_every_record_after_one_changed_bit(judge: Judge, specimens: list[Specimen]) -> None:
    """In any document (statement and seal of a seal group), in the path, in the token. Every third record is tried and
    every seal group's, and so each line and each size; `test_home_records.py` tries all of a home's."""
    chosen = [one for number, one in enumerate(specimens) if number % 3 == 0 or "seal group" in one.name]
    jobs = [job for turn, specimen in enumerate(chosen) for job in specimen.broken(turn)]
    assert len(jobs) >= 5 * len(chosen)
    assert {_kind(specimen) for specimen in chosen} == {_kind(specimen) for specimen in specimens}
    rulings = judge(jobs)
    assert len(rulings) == len(jobs)
    assert accepted(rulings.values()) == []
    assert [f"{r.job}: {r.reason}" for r in rulings.values() if not _is_about(r)] == []


def _kind(specimen: Specimen) -> str:
    """Line and size of the batch."""
    return specimen.name.rpartition(",")[0]


def _is_about(ruling: Ruling) -> bool:
    """A refusal gives the reason that fits the bit that was changed (and nothing broke down)."""
    if "path" in ruling.job or "imprint" in ruling.job:
        reasons = ("HASH_FAILURE", "timestamp hash does not match root", "does not end in the message imprint")
    elif "signature" in ruling.job:
        reasons = ("SIG_CRYPTO_FAILURE", "signature not created by certificate", "the token does not verify")
    else:
        reasons = ("SIGNED_DATA_NOT_FOUND", "object hash not found", "a datum is not in the first list")
    by_dss, by_bouncycastle, by_walk = (reason in ruling.reason for reason in reasons)
    return by_dss or (by_bouncycastle and by_walk)


@pytest.mark.parametrize("judge", [bc_judge, dss_judge])
def test_a_judge_refuses_any_changed_value_of_a_long_path(judge: Judge, batches: dict[str, Batch]) -> None:
    """Each list of a record from a batch of a thousand is needed: a change in any of them is noticed."""
    specimen = batches["sha512, 1000 groups"].specimen("of a thousand", 500)
    records = {name: record for name, record in anatomy.broken_records(specimen.record).items() if "path" in name}
    assert len(records) >= 12
    whole = specimen.job()
    rulings = judge([Job(name, record, whole.data, whole.cas, whole.crls) for name, record in records.items()])
    assert accepted(rulings.values()) == []


@pytest.mark.parametrize("judge", [bc_judge, dss_judge])
def test_a_judge_refuses_incomplete_swapped_and_enlarged_groups(judge: Judge, batches: dict[str, Batch]) -> None:
    """The record is that of exactly its group: a file less, a file more, or another group of the batch is refused."""
    batch = batches["sha512, 33 groups"]
    job = batch.specimen("whole", 3).job()
    assert len(job.data) == 5
    another = tuple(content for _name, content in batch.groups[4])
    rulings = judge(
        [
            job,
            Job("a file less", job.record, job.data[:-1], job.cas, job.crls),
            Job("a file more", job.record, (*job.data, another[0]), job.cas, job.crls),
            Job("another group", job.record, another, job.cas, job.crls),
        ]
    )
    assert rulings.pop("whole").accepted
    assert accepted(rulings.values()) == []


@pytest.mark.parametrize("judge", [bc_judge, dss_judge])
def test_a_judge_refuses_the_record_when_its_ca_is_not_trusted(
    judge: Judge, batches: dict[str, Batch], tmp_path: Path
) -> None:
    """Another home's test CA, which has nearly the same name, does not make the record trusted."""
    job = batches["sha512, 5 groups"].specimen("whole", 0).job()
    stranger = Issuer(tmp_path).trust.anchor
    rulings = judge([job, Job("strange CA", job.record, job.data, (stranger,), job.crls)])
    assert rulings["whole"].accepted
    assert not rulings["strange CA"].accepted


@pytest.mark.parametrize("judge", [bc_judge, dss_judge])
def test_a_judge_accepts_renewed_records_and_no_changed_one(judge: Judge, renewed: list[Specimen]) -> None:
    """After both kinds of renewal; every datum, hash value and token of theirs is still needed."""
    rulings = judge([specimen.job() for specimen in renewed])
    assert refused(rulings.values()) == []
    broken = []
    for specimen in (renewed[0], renewed[-1]):
        whole = specimen.job()
        broken += [job for job in specimen.broken() if "changed: d" in job.name]
        broken += [
            Job(f"{specimen.name} {name}", record, whole.data, whole.cas, whole.crls)
            for name, record in anatomy.broken_records(specimen.record).items()
        ]
    assert len(broken) >= 30
    assert accepted(judge(broken).values()) == []


def test_the_walk_refuses_a_record_whose_first_chain_proves_something_else(issuer: Issuer) -> None:
    """BouncyCastle looks at the data with the newest chain alone and accepts a forgery; the walk beside it does not."""
    ours, theirs = random_group(1), random_group(1)
    batch = Batch(issuer, "sha512", [theirs])
    chains = [[batch.first_stamp(0)]]
    renewal = renewed_hash_tree(issuer, "sha3-512", [(ours, chains)], 0)
    forged = issuer.specimen("forged", derive_record([*chains, [renewal]]), ours)
    ruling = bc_judge([forged.job()])["forged"]
    assert ruling.facts["bouncycastle"] is None
    assert "chain 1, stamp 1: the digest of a datum is not in the first list" in ruling.facts["walk"]
    assert not ruling.accepted
    assert not dss_judge([forged.job()])["forged"].accepted


def test_pyasn1_encodes_every_record_again(specimens: list[Specimen], renewed: list[Specimen]) -> None:
    """Decoded as RFC 4998 by a second library and encoded again, every record comes out byte for byte."""
    assert refused(pyasn1_reencode(specimen.record) for specimen in [*specimens, *renewed]) == []
    assert not pyasn1_reencode(specimens[0].record + b"\0").accepted


# -- tokens and seals -------------------------------------------------------------------------


def test_openssl_accepts_every_token_and_no_changed_one(issuer: Issuer, batches: dict[str, Batch]) -> None:
    """The token alone proves the stamped root, on every line; with another root or another bit it does not."""
    ca = _ca_pem(issuer)
    for name, batch in batches.items():
        assert openssl_ts_verify(batch.token, imprint=batch.stamped_root, ca_pem=ca).accepted, name
    for batch in [batches[f"{algorithm}, 5 groups"] for algorithm in LINES]:
        other_root = anatomy.flipped(batch.stamped_root)
        changed = anatomy.flipped_within(batch.token, batch.stamped_root)
        assert not openssl_ts_verify(batch.token, imprint=other_root, ca_pem=ca).accepted
        assert not openssl_ts_verify(changed, imprint=other_root, ca_pem=ca).accepted
        assert not openssl_ts_verify(changed, imprint=batch.stamped_root, ca_pem=ca).accepted


def test_openssl_accepts_every_seal_and_no_changed_one(issuer: Issuer, batches: dict[str, Batch]) -> None:
    """The seal verifies over its statement, also as CAdES; after one bit in statement or seal it does not."""
    ca = _ca_pem(issuer)
    for name, batch in batches.items():
        assert openssl_cms_verify(batch.seal, batch.statement, ca_pem=ca).accepted, name
    batch = batches["sha512, 5 groups"]
    assert openssl_cms_verify(batch.seal, batch.statement, ca_pem=ca, cades=True).accepted
    assert not openssl_cms_verify(batch.seal, anatomy.flipped(batch.statement), ca_pem=ca).accepted
    assert not openssl_cms_verify(anatomy.flipped(batch.seal, -1), batch.statement, ca_pem=ca).accepted


def _ca_pem(issuer: Issuer) -> bytes:
    return (issuer.trust.directory / "test-ca.pem").read_bytes()
