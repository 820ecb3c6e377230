"""Lists are got from allowed addresses, and what is not had is said."""

from __future__ import annotations

import pytest

from archive_core.errors import UnavailableError
from signing.http_fetch import Allowed
from signing.trusted_lists.book import open_lists
from signing.trusted_lists.gathering import gather
from signing.trusted_lists.values import TrustedListRefusedError
from tests.unit.signing.trusted_lists.list_world import Union

LOTL = "https://lists.example/eu-lotl.xml"
PIVOT = "https://lists.example/eu-lotl-pivot-300.xml"
ALLOWED = Allowed(["https://lists.example/", "https://tl.example/"])


class Web:
    """What lies at which address; anything else does not answer."""

    def __init__(self, pages: dict[str, bytes]) -> None:
        self.pages = pages
        self.asked: list[str] = []

    def __call__(self, url: str, request: bytes | None) -> bytes:
        assert request is None
        self.asked.append(url)
        if url not in self.pages:
            raise UnavailableError(f"{url} does not answer")
        return self.pages[url]


@pytest.fixture(scope="module")
def union() -> Union:
    """Its members are made once."""
    return Union.made()


def _pages(union: Union) -> dict[str, bytes]:
    newest = union.lists(signer=union.next_commission).but(
        sequence=301, edits=[(b"https://scheme.example", PIVOT.encode())]
    )
    return {
        LOTL: newest.octets(),
        PIVOT: union.lists().octets(),
        "https://tl.example/CZ.xml": union.national().octets(),
        "https://tl.example/EE.xml": union.other_national().octets(),
    }


def test_pivots_and_national_lists_are_had_and_accepted(union: Union) -> None:
    """From one address and one configured signer to all lists of the union."""
    gathered = gather(LOTL, fetch=Web(_pages(union)), allowed=ALLOWED)
    assert not gathered.findings
    book = open_lists(gathered.octets, signers=[union.commission.der])
    assert sorted(one.territory for one in book.lists) == ["CZ", "EE"]
    assert not book.findings


def test_only_wanted_territories_are_asked(union: Union) -> None:
    """And a territory that nobody points to is said to be missing."""
    web = Web(_pages(union))
    gathered = gather(LOTL, fetch=web, allowed=ALLOWED, territories=["cz", "xx"])
    assert "https://tl.example/EE.xml" not in web.asked
    assert [one.message for one in gathered.findings] == ["the list of lists points to no list of XX"]


@pytest.mark.parametrize(
    ("page", "content", "why"),
    [
        ("https://tl.example/CZ.xml", None, "does not answer"),
        ("https://tl.example/CZ.xml", b"<html/>", "is not used"),
        (PIVOT, b"", "is not used"),
    ],
)
def test_what_is_not_had_is_said(union: Union, page: str, content: bytes | None, why: str) -> None:
    """The others are had all the same."""
    pages = _pages(union)
    if content is None:
        del pages[page]
    else:
        pages[page] = content
    gathered = gather(LOTL, fetch=Web(pages), allowed=ALLOWED)
    (finding,) = gathered.findings
    assert why in finding.message
    assert len(gathered.octets) == 3


def test_nobody_else_is_asked(union: Union) -> None:
    """A pointer to somewhere else is not followed."""
    web = Web(_pages(union))
    gathered = gather(LOTL, fetch=web, allowed=Allowed(["https://lists.example/"]))
    assert all(url.startswith("https://lists.example/") for url in web.asked)
    assert len(gathered.findings) == 2


def test_without_the_first_list_there_is_nothing(union: Union) -> None:
    """An error, for nothing follows from nothing."""
    with pytest.raises(TrustedListRefusedError, match="does not answer"):
        gather(LOTL, fetch=Web({}), allowed=ALLOWED)
    with pytest.raises(TrustedListRefusedError, match="allowed"):
        gather("http://elsewhere.example/a.xml", fetch=Web({}), allowed=ALLOWED)
