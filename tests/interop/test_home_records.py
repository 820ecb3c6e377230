"""Foreign judges on what a real home hands out: bundles of deposited, sealed, stamped and exported documents."""

import json
import os
from collections.abc import Callable, Iterator, Sequence

import pytest

from tests.interop import anatomy
from tests.interop.home import Bundle, Home
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
from tests.interop.specimens import Specimen

pytestmark = [pytest.mark.interop, pytest.mark.slow]

Judge = Callable[[Sequence[Job]], dict[str, Ruling]]

SIZES = (1, 2, 3, 5, 33, 1000)
SAMPLE = 40
"""So many bundles are taken from the batch of a thousand."""
TWINS, LARGE = 2, 4
UPDATED = "5 objects, number 3"


def _files(number: int) -> dict[str, bytes]:
    """One to four files; two of them equal, or one large enough for a chunk list, where the tests below look for it."""
    files = {f"část {file}.bin": os.urandom(100 + number + file) for file in range(1 + number % 4)}
    if number == TWINS:
        files["stejný obsah.bin"] = files["část 0.bin"]
    if number == LARGE:
        files["velký.bin"] = os.urandom(5 * 1024 * 1024)
    return files


@pytest.fixture(scope="module")
def bundles(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Bundle]]:
    """Bundles of every object of the batches up to 33, of a sample of the thousand, and of an updated object."""
    home = Home(tmp_path_factory.mktemp("archive"))
    found = {}
    for size in SIZES:
        poids = [home.deposit(_files(number)) for number in range(size)]
        home.preserve()
        for index in _sample(size):
            name = f"{size} objects, number {index}"
            found[name] = home.export(poids[index], name)
    before = found[UPDATED].members
    poid = json.loads(before["description.json"])["poid"]
    kept = {name.removeprefix("data/"): content for name, content in before.items() if name.startswith("data/")}
    home.update(poid, kept | {"nový.bin": os.urandom(300)})
    home.preserve()
    found["updated"] = home.export(poid, "updated")
    yield found
    home.close()


def _sample(size: int) -> list[int]:
    """First, last and others spread between."""
    if size <= SIZES[-2]:
        return list(range(size))
    return sorted({index * (size - 1) // (SAMPLE - 1) for index in range(SAMPLE)})


@pytest.fixture(scope="module")
def specimens(bundles: dict[str, Bundle]) -> list[Specimen]:
    """The records of all bundles on both lines, and once per batch that of statement and seal."""
    sealed = {bundle.statement: bundle for bundle in bundles.values()}
    assert len(sealed) == len(SIZES) + 1
    found = [specimen for bundle in bundles.values() for specimen in bundle.specimens()]
    found += [specimen for bundle in sealed.values() for specimen in bundle.seal_specimens()]
    assert len(found) == 2 * (len(bundles) + len(sealed))
    assert len(bundles) == sum(SIZES[:-1]) + SAMPLE + 1
    return found


def test_the_bundles_hold_both_lines_and_the_groups_expected(bundles: dict[str, Bundle]) -> None:
    """Two redundant lines each; equal files count once; a large file brings its chunk list; batches are whole."""
    for bundle in bundles.values():
        assert sorted(bundle.lines) == ["sha3-512.ers", "sha512.ers"]
    sizes = [json.loads(b.statement)["leaf_count"] for b in bundles.values()]
    assert sorted(set(sizes)) == sorted(SIZES)
    twins, large = bundles[f"5 objects, number {TWINS}"], bundles[f"5 objects, number {LARGE}"]
    assert len(twins.specimens()[0].data) == 1 + len(json.loads(twins.members["description.json"])["files"]) - 1
    assert any(name.startswith("chunks/") for name, _content in large.specimens()[0].data)


def test_an_updated_object_keeps_the_record_of_the_version_before(bundles: dict[str, Bundle]) -> None:
    """Version 2 brings version 1 along, byte for byte as it was exported before the update."""
    before, after = bundles[UPDATED], bundles["updated"]
    assert json.loads(after.members["description.json"])["version"] == 2
    for line in before.lines:
        assert after.members[f"earlier/v1/evidence/{line}"] == before.members[f"evidence/{line}"]
    assert after.members["earlier/v1/description.json"] == before.members["description.json"]


@pytest.mark.parametrize("judge", [bc_judge, dss_judge])
def test_a_judge_accepts_every_record(judge: Judge, specimens: list[Specimen]) -> None:
    """Records of all batch sizes, of an updated object, of both lines, and those of statement and seal."""
    rulings = judge([specimen.job() for specimen in specimens])
    assert len(rulings) == len(specimens)
    assert refused(rulings.values()) == []


@pytest.mark.parametrize("judge", [bc_judge, dss_judge])
def test_a_judge_refuses_every_record_after_one_changed_bit(judge: Judge, specimens: list[Specimen]) -> None:
    """In description, document, path or token; for the group of the seal also in statement and seal. BouncyCastle
    is shown every record; EU DSS, which is slower, every fourth and every seal group's."""
    chosen = [
        specimen
        for number, specimen in enumerate(specimens)
        if judge is bc_judge or number % 4 == 0 or "seal" in specimen.name
    ]
    jobs = [job for turn, specimen in enumerate(chosen) for job in specimen.broken(turn)]
    assert len(jobs) >= 5 * len(chosen)
    rulings = judge(jobs)
    assert len(rulings) == len(jobs)
    assert accepted(rulings.values()) == []


def test_pyasn1_encodes_every_record_again(specimens: list[Specimen]) -> None:
    """Decoded as RFC 4998 by a second library and encoded again, every record comes out byte for byte."""
    assert refused(pyasn1_reencode(specimen.record) for specimen in specimens) == []


def test_openssl_accepts_every_token_and_no_changed_one(bundles: dict[str, Bundle], specimens: list[Specimen]) -> None:
    """Each batch's token on each line, over the root to which the record leads."""
    ca = next(iter(bundles.values())).ca_pem
    judged = set()
    for specimen in specimens:
        (token,) = anatomy.tokens(specimen.record)
        root = anatomy.root(specimen.record)
        if token in judged:
            continue
        judged.add(token)
        assert openssl_ts_verify(token, imprint=root, ca_pem=ca).accepted, specimen.name
        assert not openssl_ts_verify(token, imprint=anatomy.flipped(root), ca_pem=ca).accepted
        assert not openssl_ts_verify(anatomy.flipped_within(token, root), imprint=root, ca_pem=ca).accepted
    assert len(judged) == 2 * (len(SIZES) + 1)


def test_openssl_accepts_every_seal_and_no_changed_one(bundles: dict[str, Bundle]) -> None:
    """Each batch's seal over its statement; not after one bit in the statement or in the seal."""
    sealed = {bundle.statement: bundle for bundle in bundles.values()}
    for bundle in sealed.values():
        ca = bundle.ca_pem
        assert openssl_cms_verify(bundle.seal, bundle.statement, ca_pem=ca).accepted, bundle.name
        assert openssl_cms_verify(bundle.seal, bundle.statement, ca_pem=ca, cades=True).accepted, bundle.name
        assert not openssl_cms_verify(bundle.seal, anatomy.flipped(bundle.statement), ca_pem=ca).accepted
        assert not openssl_cms_verify(anatomy.flipped(bundle.seal, -1), bundle.statement, ca_pem=ca).accepted
