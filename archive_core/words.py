"""The words of a text as they are searched for: with Czech diacritics and without is the same.

Rules kept here
 * What is kept and what is asked for go through the same function, and no database changes anything about it, so that
   SQLite and PostgreSQL find the same.
 * A word is a run of letters and digits, decomposed (Unicode NFKD), without combining marks, case folded. What is
   longer than `LONGEST` is cut, in what is kept and in what is asked for.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Iterator

LONGEST = 64
"""Characters of a word."""

_RUN = re.compile(r"[^\W_]+")


def words_of(text: str) -> Iterator[str]:
    """The words of a text, in order."""
    plain = "".join(c for c in unicodedata.normalize("NFKD", text) if not unicodedata.category(c).startswith("M"))
    for word in _RUN.findall(unicodedata.normalize("NFKC", plain.casefold())):
        yield word[:LONGEST]


def words_of_value(value: object, *, most: int) -> Iterator[str]:
    """The words of all texts and numbers in a JSON value, at most so many; names of members are not among them."""
    given = 0
    waiting: list[object] = [value]
    while waiting:
        one = waiting.pop()
        if isinstance(one, dict):
            waiting.extend(reversed(list(one.values())))
        elif isinstance(one, list):
            waiting.extend(reversed(one))
        elif isinstance(one, (str, int, float)) and not isinstance(one, bool):
            for word in words_of(str(one)):
                yield word
                given += 1
                if given == most:
                    return


def distinct(words: Iterable[str]) -> tuple[str, ...]:
    """Each word once, in the order in which it came first."""
    return tuple(dict.fromkeys(words))
