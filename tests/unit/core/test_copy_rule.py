"""How many copies are enough."""

import pytest

from archive_core.copy_rule import CopyRule

RULE = CopyRule(frozenset({"a"}), 2, 2, {"a": "brno", "b": "brno"})


@pytest.mark.parametrize(
    ("held", "lack"),
    [
        ([], "required store a"),
        (["b", "c"], "required store a"),
        (["a"], "1 more of the stores"),
        (["a", "b"], "1 more of the sites"),
    ],
)
def test_too_few_copies_are_told_apart(held: list[str], lack: str) -> None:
    """A required store, the number, the sites: in this order."""
    assert lack in RULE.shortfall(held)


def test_enough_copies_lack_nothing() -> None:
    """A store without a site is one of its own."""
    assert RULE.shortfall(["a", "c"]) == ""
    assert (RULE.tolerates("a"), RULE.tolerates("b")) == (False, True)


def test_without_a_rule_every_store_must_hold_it() -> None:
    """Nothing less than everywhere."""
    rule = CopyRule.all_of(["a", "b"])
    assert "required store b" in rule.shortfall(["a"])
    assert rule.shortfall(["a", "b"]) == ""
