"""What happened to a list whose entries are all different: pure, by aligning what was there with what is there.

Rules kept here
 * What stayed in its order is the longest part that did; only what is outside of it is named. So one entry that was
   moved is one difference, and what stands after an inserted entry is none.
 * Between two entries that stayed, what is gone and what is new are the same place edited, in turn; what then is left
   over was removed or inserted.
"""

from __future__ import annotations

import enum
from bisect import bisect_left
from collections.abc import Iterator, Sequence
from dataclasses import dataclass


class Kind(enum.StrEnum):
    EDITED = "edited"
    REMOVED = "removed"
    INSERTED = "inserted"
    REORDERED = "reordered"
    DUPLICATED = "duplicated"


@dataclass(frozen=True, slots=True)
class Difference:
    """`place` is the index in the list as it was (of what is inserted: the index before which it stands), `found` the
    index in the list as it is; of what was removed there is none."""

    kind: Kind
    place: int
    found: int | None


def differences(was: Sequence[bytes], found: Sequence[bytes]) -> list[Difference]:
    """What happened to `was`, whose entries are all different, that it is `found` now; in the order of the places.

    Time grows as n log n, memory as n.
    """
    places = {entry: place for place, entry in enumerate(was)}
    seen: set[int] = set()
    told: list[Difference] = []
    known: list[tuple[int, int]] = []  # (place, found) of the entries that are still there
    for index, entry in enumerate(found):
        place = places.get(entry)
        if place is None:
            continue
        if place in seen:
            told.append(Difference(Kind.DUPLICATED, place, index))
        else:
            seen.add(place)
            known.append((place, index))
    kept = _longest_rise([place for place, _ in known])
    stayed = [pair for number, pair in enumerate(known) if number in kept]
    told += [Difference(Kind.REORDERED, *pair) for number, pair in enumerate(known) if number not in kept]
    before = (-1, -1)
    for pair in (*stayed, (len(was), len(found))):
        gone = [place for place in range(before[0] + 1, pair[0]) if place not in seen]
        new = [index for index in range(before[1] + 1, pair[1]) if found[index] not in places]
        told += _between(gone, new, pair[0])
        before = pair
    return sorted(told, key=lambda one: (one.place, -1 if one.found is None else one.found))


def _between(gone: Sequence[int], new: Sequence[int], following: int) -> Iterator[Difference]:
    both = min(len(gone), len(new))
    for place, index in zip(gone, new, strict=False):
        yield Difference(Kind.EDITED, place, index)
    for place in gone[both:]:
        yield Difference(Kind.REMOVED, place, None)
    for index in new[both:]:
        yield Difference(Kind.INSERTED, following, index)


def _longest_rise(values: Sequence[int]) -> frozenset[int]:
    """The indexes of a longest rising part of different values; of several the one with the greater values first."""
    ends: list[int] = []  # from the right: the value with which a part of each length begins, negative
    last: list[int] = []  # the index of that value
    after: dict[int, int | None] = {}
    for index in range(len(values) - 1, -1, -1):
        length = bisect_left(ends, -values[index])
        after[index] = last[length - 1] if length else None
        if length == len(ends):
            ends.append(-values[index])
            last.append(index)
        else:
            ends[length], last[length] = -values[index], index
    kept = set()
    at = last[-1] if last else None
    while at is not None:
        kept.add(at)
        at = after[at]
    return frozenset(kept)
