"""What a profile's rule makes of examined files."""

from __future__ import annotations

import pytest

from policies.errors import PolicyError
from policies.examination import Decision, ExaminationPolicy, ExaminationRule, Found, Outcome, decide, read_policy
from policies.reading import Section

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


@pytest.mark.parametrize(
    ("rule", "outcome"),
    [
        (ExaminationRule.RECORD, Outcome.ACCEPT),
        (ExaminationRule.QUARANTINE, Outcome.QUARANTINE),
        (ExaminationRule.REJECT, Outcome.REJECT),
        (ExaminationRule.REJECT_UNDECIDED, Outcome.REJECT),
    ],
)
def test_a_deposit_without_a_required_signature_is_not_as_asked(rule: ExaminationRule, outcome: Outcome) -> None:
    """Whatever the rule says of the undecided; and a recording profile says that there is none."""
    assert decide(rule, [PLAIN], required=True) == Decision(outcome, unsigned=True)
    assert decide(rule, [], required=True) == Decision(outcome, unsigned=True)
    assert decide(rule, [Found("good", "PASSED", signed=True), PLAIN], required=True) == Decision(Outcome.ACCEPT)


GOOD_SECTION = {
    "rule": "quarantine",
    "formats": ["PDF", "CMS"],
    "required": False,
    "collect": True,
    "freshness": "later",
}


def test_a_section_is_a_policy_and_none_asks_nothing() -> None:
    """With every key said."""
    assert read_policy(None) == ExaminationPolicy()
    assert not read_policy(None).asked
    found = read_policy(Section(dict(GOOD_SECTION), "here"))
    assert (found.rule, found.formats, found.collect, found.asked) == (
        ExaminationRule.QUARANTINE,
        ("PDF", "CMS"),
        True,
        True,
    )


@pytest.mark.parametrize(
    "change",
    [
        {"rule": "forgive"},
        {"formats": []},
        {"formats": ["PDF", "DOCX"]},
        {"formats": "PDF"},
        {"required": "no"},
        {"collect": 1},
        {"freshness": "old"},
        {"unknown": True},
    ],
    ids=str,
)
def test_a_section_that_cannot_be_meant_is_refused(change: dict[str, object]) -> None:
    """By name of the key; and so is one that leaves a key out."""
    with pytest.raises(PolicyError, match=next(iter(change))):
        read_policy(Section({**GOOD_SECTION, **change}, "here"))
    key = next(iter(change))
    if key in GOOD_SECTION:
        with pytest.raises(PolicyError, match=key):
            read_policy(Section({name: value for name, value in GOOD_SECTION.items() if name != key}, "here"))
