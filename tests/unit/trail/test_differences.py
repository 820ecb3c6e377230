"""What happened to a list is told by what changed in it, and by nothing else."""

from __future__ import annotations

import random

import pytest

from archive_core.trail.differences import Difference, Kind, differences

WAS = [b"%d" % number for number in range(20)]


def moved(source: int, to: int) -> list[bytes]:
    rest = [*WAS]
    rest.insert(to, rest.pop(source))
    return rest


@pytest.mark.parametrize(
    ("found", "told"),
    [
        (WAS, []),
        ([*WAS[:5], b"x", *WAS[6:]], [(Kind.EDITED, 5, 5)]),
        ([*WAS[:5], *WAS[6:]], [(Kind.REMOVED, 5, None)]),
        (WAS[:-2], [(Kind.REMOVED, 18, None), (Kind.REMOVED, 19, None)]),
        ([*WAS[:5], b"x", *WAS[5:]], [(Kind.INSERTED, 5, 5)]),
        ([*WAS, b"x"], [(Kind.INSERTED, 20, 20)]),
        ([*WAS[:9], WAS[3], *WAS[9:]], [(Kind.DUPLICATED, 3, 9)]),
        (moved(3, 12), [(Kind.REORDERED, 3, 12)]),
        (moved(15, 2), [(Kind.REORDERED, 15, 2)]),
        ([*WAS[:4], WAS[5], WAS[4], *WAS[6:]], [(Kind.REORDERED, 4, 5)]),
        ([WAS[19], *WAS[1:19], WAS[0]], [(Kind.REORDERED, 0, 19), (Kind.REORDERED, 19, 0)]),
        ([b"x", *WAS[:7], b"y", *WAS[8:]], [(Kind.INSERTED, 0, 0), (Kind.EDITED, 7, 8)]),
        ([], [(Kind.REMOVED, place, None) for place in range(20)]),
    ],
)
def test_only_what_changed_is_told(found: list[bytes], told: list[tuple[Kind, int, int | None]]) -> None:
    """One difference for one change, whatever stands before and behind."""
    assert differences(WAS, found) == [Difference(*one) for one in told]


def test_many_changes_at_once_are_told_one_by_one() -> None:
    """Ten thousand entries, some hundred changes far enough from each other."""
    was, chance = [b"%d" % number for number in range(10_000)], random.Random(3)
    expected, found = [], []
    for place, entry in enumerate(was):
        kind = chance.choice(["edited", "removed", "inserted"]) if place % 40 == 20 else ""
        if kind == "inserted":
            expected.append((Kind.INSERTED, place))
            found.append(b"new %d" % place)
        if kind == "removed":
            expected.append((Kind.REMOVED, place))
        elif kind == "edited":
            expected.append((Kind.EDITED, place))
            found.append(b"other %d" % place)
        else:
            found.append(entry)

    assert [(one.kind, one.place) for one in differences(was, found)] == expected


def test_a_list_turned_round_keeps_one_entry() -> None:
    """All others are elsewhere; and it is not a matter of minutes."""
    was = [b"%d" % number for number in range(10_000)]

    assert len(differences(was, was[::-1])) == 9999
