"""What a profile's rule makes of examined files."""

from __future__ import annotations

import pytest

from policies.examination import Decision, ExaminationRule, Found, Outcome, decide

GOOD, BROKEN, OPEN, PLAIN = (
    Found("good", "PASSED"),
    Found("broken", "FAILED"),
    Found("open", "INDETERMINATE"),
    Found("plain", None),
)


@pytest.mark.parametrize("rule", list(ExaminationRule))
def test_what_is_good_or_unsigned_is_accepted_by_every_rule(rule: ExaminationRule) -> None:
    """Nothing is asked of a file without signatures."""
    assert decide(rule, [GOOD, PLAIN]) == Decision(Outcome.ACCEPT)


@pytest.mark.parametrize(
    ("rule", "outcome", "because"),
    [
        (ExaminationRule.OFF, Outcome.ACCEPT, ()),
        (ExaminationRule.RECORD, Outcome.ACCEPT, ()),
        (ExaminationRule.QUARANTINE, Outcome.QUARANTINE, ("broken",)),
        (ExaminationRule.QUARANTINE_UNDECIDED, Outcome.QUARANTINE, ("broken", "open")),
        (ExaminationRule.REJECT, Outcome.REJECT, ("broken",)),
        (ExaminationRule.REJECT_UNDECIDED, Outcome.REJECT, ("broken", "open")),
    ],
)
def test_what_is_broken_or_open_is_treated_as_the_rule_says(
    rule: ExaminationRule, outcome: Outcome, because: tuple[str, ...]
) -> None:
    """And the files because of which are named."""
    assert decide(rule, [GOOD, BROKEN, PLAIN, OPEN]) == Decision(outcome, because)


@pytest.mark.parametrize("rule", list(ExaminationRule))
@pytest.mark.parametrize("verdict", ["", "passed", "OK", "TOTAL_PASSED"])
def test_a_verdict_that_is_none_is_an_error(rule: ExaminationRule, verdict: str) -> None:
    """It must not pass for good."""
    with pytest.raises(ValueError, match="no verdict"):
        decide(rule, [Found("a", verdict)])
