"""One record carried from RSA over elliptic curves to ML-DSA, each by its own authority, across algorithm ends."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from archive_core.digests import Digest
from archive_core.evidence.verification import assess_record
from archive_core.findings import Report, SubIndication, Verdict
from archive_core.ports import ValidationData
from policies import AlgorithmTable, current_algorithms
from signing.local_keys import ECDSA_P384, ML_DSA_65, RSA_3072
from signing.local_trust import LocalTrust, Making, create_local_trust
from signing.timestamp_validation import TokenValidator
from tests.unit.evidence.stamping import SmallTsa
from tests.unit.evidence.story import Story, sha512_hex

KINDS = (RSA_3072, ECDSA_P384, ML_DSA_65)
MADE = datetime(2028, 7, 1, 9, 0, tzinfo=UTC)


@dataclass
class SetClock:
    at: datetime = MADE

    def now(self) -> datetime:
        return self.at


class Stamps(SmallTsa):
    """Stamps of a test authority, at the time that a story tells."""

    def __init__(self, trust: LocalTrust) -> None:
        clock = SetClock()
        object.__setattr__(self, "clock", clock)
        object.__setattr__(self, "authority", trust.authority("local-tsa-1", clock))

    def stamp(self, algorithm: str, imprint: bytes, at: datetime, *, serial: int = 1) -> bytes:
        self.clock.at = at  # type: ignore[attr-defined]
        return self.authority.timestamp(Digest(algorithm, imprint)).der  # type: ignore[attr-defined,no-any-return]


@pytest.fixture(scope="module")
def trusts(tmp_path_factory: pytest.TempPathFactory) -> dict[str, LocalTrust]:
    folder: Path = tmp_path_factory.mktemp("trusts")
    begun = MADE - timedelta(days=1)
    return {kind: create_local_trust(folder / kind, at=begun, making=Making(kind, 40, 30)) for kind in KINDS}


def told(trusts: dict[str, LocalTrust], *, ecdsa_after_years: int = 1) -> Story:
    """2028 by RSA, renewed by ECDSA, then another hash tree and a last stamp by ML-DSA."""
    story = Story([b"description", b"content"], tsa=Stamps(trusts[RSA_3072]), now=MADE).stamp("sha512", others=3)
    story.now += timedelta(days=365) * (ecdsa_after_years - 1)
    story = story.handed_to(Stamps(trusts[ECDSA_P384])).renew_time_stamp(others=2)
    story = story.handed_to(Stamps(trusts[ML_DSA_65])).renew_hash_tree("sha3-512", others=2)
    return story.renew_time_stamp()


def judged(
    trusts: dict[str, LocalTrust], story: Story, *, table: AlgorithmTable | None = None, years: int = 1
) -> Report:
    """Judged `years` after the last stamp, with the revocation lists that would have been kept."""
    stamps = story.record().stamps
    owners = [RSA_3072, ECDSA_P384, ML_DSA_65, ML_DSA_65]
    at = stamps[-1].token_info.gen_time + timedelta(days=365 * years)
    instants = [*(stamp.token_info.gen_time for stamp in stamps[1:]), at]
    kept = {
        sha512_hex(stamp.token): ValidationData(crls=(trusts[kind].crl(instant),))
        for stamp, instant, kind in zip(stamps, instants, owners, strict=True)
    }
    algorithms = table or current_algorithms()
    validator = TokenValidator([trust.anchor for trust in trusts.values()], algorithms=algorithms)
    return assess_record(
        story.der(), story.data(), validator=validator, algorithms=algorithms, at=at, validation_data=kept
    )


def with_end(scheme: str, day: str) -> AlgorithmTable:
    """The published table, but for a scheme whose open-ended rows end on a day."""
    table = current_algorithms()
    end = datetime.fromisoformat(day).replace(tzinfo=UTC)
    rows = tuple(
        replace(row, until=end) if row.name == scheme and row.until is None else row for row in table.signatures
    )
    return replace(table, signatures=rows)


@pytest.mark.slow
def test_the_record_outlives_rsa(trusts: dict[str, LocalTrust]) -> None:
    """Judged in 2045: RSA ended in 2031 by the table, and the first stamp was covered in time."""
    story = told(trusts)
    report = judged(trusts, story, years=14)

    assert report.verdict is Verdict.PASSED, report.to_json()
    assert report.proof_of_existence == story.record().initial.token_info.gen_time


def test_the_record_outlives_elliptic_curves_too(trusts: dict[str, LocalTrust]) -> None:
    """They fall in 2031; by then ML-DSA had covered everything."""
    assert judged(trusts, told(trusts), table=with_end("ecdsa", "2031-01-01"), years=14).verdict is Verdict.PASSED


def test_a_renewal_after_the_end_of_rsa_proves_nothing(trusts: dict[str, LocalTrust]) -> None:
    """Covered in 2032, a year too late: no proof of existence is claimed. (The revocation list of that day is
    signed by RSA, too: what was not good when it was used has no way back at all.)"""
    report = judged(trusts, told(trusts, ecdsa_after_years=4))

    assert report.verdict is Verdict.INDETERMINATE
    assert report.sub_indication is SubIndication.CRYPTO_CONSTRAINTS_FAILURE
    assert report.proof_of_existence is None


def test_when_the_last_algorithm_falls_the_record_stays_open(trusts: dict[str, LocalTrust]) -> None:
    """ML-DSA ends and nothing covered it: intact, and proving nothing any more."""
    report = judged(trusts, told(trusts), table=with_end("ml-dsa", "2033-01-01"), years=14)

    assert report.verdict is Verdict.INDETERMINATE
    assert report.proof_of_existence is None


def test_curves_that_fell_before_they_were_covered_break_the_chain(trusts: dict[str, LocalTrust]) -> None:
    """A middle link that was not good when the next was made is a gap, however good the last is."""
    report = judged(trusts, told(trusts), table=with_end("ecdsa", "2030-01-01"))

    assert report.verdict is not Verdict.PASSED
    assert report.proof_of_existence is None
