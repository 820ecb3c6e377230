"""The search index on both databases: the same questions, the same answers."""

from __future__ import annotations

import pytest

from archive_core.catalogue import Catalogue
from archive_core.catalogue.searching import IndexEntry, Wanted
from archive_core.words import words_of
from tests.catalogue_rows import ORG, OTHER, entry, later, poid, sha512

TEXTS = {
    1: "Smlouva o dílo č. 12/2026, Novák & synové",
    2: "Rozhodnutí o přestupku, Nováková",
    3: "Příliš žluťoučký kůň úpěl ďábelské ódy",
    4: 'ΣΊΣΥΦΟΣ straße ﬁnance 2026-11-23 O\'Brien "quoted" a:b c* (d) -e',
    5: "",
}
DIGESTS = {number: sha512(f"content {number}") for number in TEXTS}


@pytest.fixture
def filled(catalogue: Catalogue) -> Catalogue:
    """Five versions; the third is another organisation's, the first two are the same bytes."""
    for number, text in TEXTS.items():
        row, files, events = entry(number, **({"originator": OTHER} if number == 3 else {}))
        catalogue.enter_version(row, files, events)
        digest = DIGESTS[1] if number == 2 else DIGESTS[number]
        catalogue.index_versions(
            [IndexEntry(poid=poid(number), version=1, words=tuple(words_of(text)), digests=[digest])], [], number
        )
    return catalogue


def found(catalogue: Catalogue, **wanted: object) -> list[int]:
    rows = catalogue.search(Wanted(**wanted), before=None, limit=100)  # type: ignore[arg-type]
    numbers = {poid(number): number for number in TEXTS}
    return [numbers[row.poid] for row in rows]


def by(catalogue: Catalogue, text: str) -> list[int]:
    return found(catalogue, words=tuple(words_of(text)))


@pytest.mark.parametrize(
    ("text", "numbers"),
    [
        ("novák", [1]),
        ("NOVAK", [1]),
        ("smlouva dilo", [1]),
        ("přestupku", [2]),
        ("prestupku", [2]),
        ("zlutoucky KUN", [3]),
        ("žluťoučký kůň úpěl ďábelské ódy", [3]),
        ("σίσυφος", [4]),
        ("strasse", [4]),
        ("finance", [4]),
        ("2026", [4, 1]),
        ("12", [1]),
        ("o brien quoted", [4]),
        ("a b c d e", [4]),
        ("o", [4, 2, 1]),
        ("nova", []),
        ("smlouva rozhodnuti", []),
        ("and", []),
        ("or", []),
        ("near", []),
    ],
)
def test_words_are_found_with_and_without_diacritics(filled: Catalogue, text: str, numbers: list[int]) -> None:
    """Whole words, all of them; nothing in a question is an operator of either database."""
    assert by(filled, text) == numbers


def test_beginnings_are_found(filled: Catalogue) -> None:
    """Of words, together with whole ones."""
    assert found(filled, beginnings=("nov",)) == [2, 1]
    assert found(filled, beginnings=("novako",)) == [2]
    assert found(filled, words=("smlouva",), beginnings=("nov",)) == [1]
    assert found(filled, beginnings=("ovak",)) == []


def test_other_questions_narrow(filled: Catalogue) -> None:
    """Organisation, time of deposit, state, bytes; all must be true."""
    assert found(filled) == [5, 4, 3, 2, 1]
    assert found(filled, originator=OTHER) == [3]
    assert found(filled, originator=ORG, words=("kun",)) == []
    assert found(filled, received_from=later(2), received_until=later(4)) == [3, 2]
    assert found(filled, evidenced=True) == []
    assert found(filled, evidenced=False) == [5, 4, 3, 2, 1]


def test_a_digest_is_compared_whole(filled: Catalogue) -> None:
    """One that begins alike is another one; what the files do not list is not found either."""
    _, files, _ = entry(1)
    digest = files[0].content_digest
    filled.index_versions(
        [IndexEntry(poid=poid(1), version=1, words=("x",), digests=[file.content_digest for file in files])], [], 9
    )
    assert found(filled, sha512=digest) == [1]
    assert found(filled, sha512=digest[:16] + "0" * 112) == []
    assert found(filled, sha512=DIGESTS[4]) == []
    assert found(filled, words=("smlouva",)) == []
    assert found(filled, words=("x",)) == [1]


def test_what_the_index_let_go_of_is_not_found(filled: Catalogue) -> None:
    """Its words are nowhere any more; to enter it again is to find it again."""
    filled.index_versions([], [poid(1), poid(77)], 20)
    assert found(filled) == [5, 4, 3, 2]
    assert by(filled, "novak") == []
    assert filled.search_position() == 20
    filled.index_versions([IndexEntry(poid=poid(1), version=1, words=("novak",), digests=[])], [], 21)
    assert by(filled, "novak") == [1]


def test_pages_come_newest_first_without_gap(filled: Catalogue) -> None:
    """Each goes on before the last of the one before."""
    before, seen = None, []
    while rows := filled.search(Wanted(), before=before, limit=2):
        seen += [row.poid for row in rows]
        before = rows[-1].poid, rows[-1].version
    assert seen == [poid(number) for number in (5, 4, 3, 2, 1)]
