"""Records of ours with the embedded test authorities and the real token validator, over years and both renewals."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import pytest

from archive_core.digests import Digest
from archive_core.evidence.basis_ers import assess_basis_ers
from archive_core.evidence.verification import DataObject, assess_record
from archive_core.findings import Report, SubIndication, Verdict
from archive_core.ports import ValidationData
from policies import current_algorithms
from signing.local_trust import AUTHORITIES, LocalTrust, create_local_trust
from signing.timestamp_validation import TokenValidator
from tests.unit.evidence.stamping import SmallTsa
from tests.unit.evidence.story import Story, codes, sha512_hex

MADE = datetime(2026, 7, 1, 9, 0, tzinfo=UTC)


@dataclass
class SetClock:
    at: datetime = MADE

    def now(self) -> datetime:
        return self.at


class LocalStamps(SmallTsa):
    """Stamps of a test authority, at the time that a story tells."""

    def __init__(self, trust: LocalTrust, name: str = AUTHORITIES[0]) -> None:
        clock = SetClock()
        object.__setattr__(self, "clock", clock)
        object.__setattr__(self, "authority", trust.authority(name, clock))

    def stamp(self, algorithm: str, imprint: bytes, at: datetime, *, serial: int = 1) -> bytes:
        self.clock.at = at  # type: ignore[attr-defined]
        return self.authority.timestamp(Digest(algorithm, imprint)).der  # type: ignore[attr-defined,no-any-return]


@pytest.fixture(scope="module")
def trust(tmp_path_factory: pytest.TempPathFactory) -> LocalTrust:
    return create_local_trust(tmp_path_factory.mktemp("trust") / "test", at=MADE - timedelta(days=1))


def told(trust: LocalTrust) -> Story:
    return Story([b"description", b"content"], tsa=LocalStamps(trust), now=MADE)


def assessed(trust: LocalTrust, story: Story, *, anchors: bool = True, data: list[DataObject] | None = None) -> Report:
    """Judged a day after the last stamp, with what would have been kept beside each token."""
    algorithms, stamps = current_algorithms(), story.record().stamps
    at = stamps[-1].token_info.gen_time + timedelta(days=1)
    instants = [*(stamp.token_info.gen_time for stamp in stamps[1:]), at]
    kept = {
        sha512_hex(stamp.token): ValidationData(crls=(trust.crl(instant),))
        for stamp, instant in zip(stamps, instants, strict=True)
    }
    validator = TokenValidator(
        [trust.anchor] if anchors else [], test_anchors=[trust.anchor] if anchors else [], algorithms=algorithms
    )
    return assess_record(
        story.der(),
        story.data() if data is None else data,
        validator=validator,
        algorithms=algorithms,
        at=at,
        validation_data=kept,
    )


def test_an_initial_record_passes_as_test_trust(trust: LocalTrust) -> None:
    """And keeps every rule of Basis-ERS, validation data inside included."""
    story = told(trust).stamp(others=4, position=2)
    report = assessed(trust, story)
    assert report.verdict is Verdict.PASSED, report.to_json()
    assert report.test_trust
    assert report.proof_of_existence == story.record().initial.token_info.gen_time
    assert assess_basis_ers(story.record()) == []


def test_both_renewals_pass_over_years(trust: LocalTrust) -> None:
    """Time-stamp renewal, hash-tree renewal, time-stamp renewal: one year between each."""
    story = told(trust).stamp("sha384", others=3).renew_time_stamp(others=2, position=1)
    story.renew_hash_tree("sha512", others=2).renew_time_stamp()
    report = assessed(trust, story)
    assert report.verdict is Verdict.PASSED, report.to_json()
    assert report.proof_of_existence == story.record().initial.token_info.gen_time


def test_without_the_anchor_it_stays_open(trust: LocalTrust) -> None:
    """Intact, but nobody vouches for the authority."""
    report = assessed(trust, told(trust).stamp(others=1), anchors=False)
    assert (report.verdict, report.sub_indication) == (
        Verdict.INDETERMINATE,
        SubIndication.NO_CERTIFICATE_CHAIN_FOUND,
    )
    assert not report.test_trust


def test_a_changed_document_fails(trust: LocalTrust) -> None:
    """With a perfectly trusted token."""
    story = told(trust).stamp(others=1)
    data = [story.data()[0], DataObject.of_bytes("content", b"Content")]
    report = assessed(trust, story, data=data)
    assert (report.verdict, report.sub_indication) == (Verdict.FAILED, SubIndication.HASH_FAILURE)
    assert report.proof_of_existence is None
    assert "GROUP_INCOMPLETE" in codes(report)
