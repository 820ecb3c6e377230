"""Every RFC 4998 case of the third-party suites gives its documented verdict, token signatures included.

No trust anchor is given: the authorities are test ones or long expired, and the documented verdicts say nothing about
trust. So intact evidence ends INDETERMINATE for want of a certificate path, and all else must have passed.
"""

from __future__ import annotations

from collections import Counter
from datetime import UTC, datetime

import pytest

from archive_core.evidence import ers
from archive_core.evidence.loading import load_record
from archive_core.evidence.record import parse_record
from archive_core.evidence.verification import assess_record
from archive_core.findings import Report, SubIndication, Verdict
from policies import current_algorithms
from signing.timestamp_validation import TokenValidator
from tests.conformance.evidence_cases import SUITES, Case, Expected, cases
from tests.vectors import available, suite

AT = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)
TRUST_TIME_ALGORITHM = {
    SubIndication.NO_CERTIFICATE_CHAIN_FOUND,
    SubIndication.CERTIFICATE_CHAIN_GENERAL_FAILURE,
    SubIndication.OUT_OF_BOUNDS_NO_POE,
    SubIndication.TIMESTAMP_ORDER_FAILURE,
    SubIndication.CRYPTO_CONSTRAINTS_FAILURE,
    SubIndication.CRYPTO_CONSTRAINTS_FAILURE_NO_POE,
    SubIndication.REVOKED_NO_POE,
    SubIndication.REVOCATION_OUT_OF_BOUNDS_NO_POE,
    SubIndication.TRY_LATER,
}
ABOUT_TRUST_TIME_ALGORITHM = {"time-stamp token", "order in time", "digest algorithm"}
AT_LEAST = {"bc-ers": 3, "bsi-ervt": 13, "bsi-c2-testbed": 8, "dss-ers": 14}
"""How many verdicts of each suite must have been judged, so that an emptied enumeration is noticed."""


def found() -> list[Case]:
    return [case for name in SUITES if (directory := available(name)) for case in cases(directory)]


def judged(case: Case) -> Report:
    algorithms = current_algorithms()
    validator = TokenValidator([], algorithms=algorithms)
    return assess_record(case.record.read_bytes(), case.data, validator=validator, algorithms=algorithms, at=AT)


@pytest.mark.parametrize("case", found(), ids=lambda case: case.id)
def test_the_documented_verdict_is_given(case: Case) -> None:
    """As the issue maps the words of the suites to verdicts."""
    report = judged(case)
    said = report.to_json()
    if case.expected is Expected.BAD:
        assert report.verdict is Verdict.FAILED, said
        assert report.proof_of_existence is None
        return
    assert report.verdict is not Verdict.FAILED, said
    if case.expected is Expected.MISSING or not case.data:
        assert report.sub_indication is SubIndication.SIGNED_DATA_NOT_FOUND, said
        return
    for step in report.steps:
        assert step.verdict is Verdict.PASSED or step.name in ABOUT_TRUST_TIME_ALGORITHM, said
        assert step.verdict is Verdict.PASSED or step.sub_indication in TRUST_TIME_ALGORITHM, said
    if case.expected is Expected.GOOD_IN_PART:
        assert "GROUP_INCOMPLETE" in {finding.code for finding in report.findings}, said


@pytest.mark.parametrize("name", SUITES)
def test_enough_cases_of_every_suite_were_judged(name: str) -> None:
    """And both good and bad ones, so that neither a lenient nor a strict verifier gets by."""
    expected = Counter(case.expected for case in cases(suite(name)))
    assert expected.total() >= AT_LEAST[name]
    assert expected[Expected.GOOD]
    assert expected[Expected.BAD]


def test_the_parts_of_a_package_are_a_whole_group() -> None:
    """Records over a package are verified over *all* of its protected parts, with nothing left over."""
    whole = 0
    for case in cases(suite("bsi-c2-testbed")):
        if case.complete and len(case.data) >= 5 and case.expected is Expected.GOOD:
            whole += "GROUP_INCOMPLETE" not in {finding.code for finding in judged(case).findings}
    assert whole >= 2


@pytest.mark.parametrize("case", found(), ids=lambda case: case.id)
def test_a_changed_octet_of_any_token_or_hash_is_not_accepted(case: Case) -> None:
    """One octet in each hash value and in each token, one after the other."""
    if case.expected not in (Expected.GOOD, Expected.GOOD_IN_PART) or not case.data:
        return
    record = load_record(case.record.read_bytes())[0]
    targets = [stamp.token[-20:] for stamp in record.stamps]
    targets += [value for stamp in record.stamps for values in stamp.reduced_hash_tree or () for value in values]
    algorithms = current_algorithms()
    validator = TokenValidator([], algorithms=algorithms)
    for target in targets:
        changed = record.raw.replace(target, bytes([target[0] ^ 1]) + target[1:], 1)
        assert changed != record.raw
        report = assess_record(changed, case.data, validator=validator, algorithms=algorithms, at=AT)
        assert report.verdict is Verdict.FAILED, (target.hex(), report.to_json())


@pytest.mark.parametrize("name", SUITES)
def test_records_are_sliced_as_another_decoder_reads_them(name: str) -> None:
    """Our reader's slices are the octets that the typed ASN.1 module finds, and the record is whole."""
    looked_at = 0
    for case in cases(suite(name)):
        record = load_record(case.record.read_bytes())[0]
        assert parse_record(record.raw) == record
        typed = ers.EvidenceRecord.load(record.raw, strict=True)
        assert typed.dump() == record.raw
        sequence = typed["archive_time_stamp_sequence"]
        assert [chain.dump() for chain in sequence] == [chain.raw for chain in record.chains]
        tokens = [stamp["time_stamp"].dump() for chain in sequence for stamp in chain]
        assert tokens == [stamp.token for stamp in record.stamps]
        assert sequence.dump() == record.sequence_before(len(record.chains))
        looked_at += 1
    assert looked_at >= AT_LEAST[name]
