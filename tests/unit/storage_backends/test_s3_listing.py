"""Keys of a bucket in order of their parts: the same for every set of keys, and little is held back."""

from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from archive_core.ports import StoredEntry
from storage_backends import s3_listing
from storage_backends.s3_listing import in_order_of_parts

PARTS = st.text(alphabet="ab-.%0/!", min_size=1, max_size=6).map(lambda text: text.replace("/", "x"))
KEYS = st.lists(st.lists(PARTS, min_size=1, max_size=4).map("/".join), max_size=40, unique=True)


def listed(keys: list[str]) -> Iterator[StoredEntry]:
    """As a server lists them: in order of their bytes."""
    return (StoredEntry(key, 1) for key in sorted(keys, key=str.encode))


def parts(key: str) -> list[str]:
    return key.split("/")


@given(KEYS)
def test_any_keys_come_in_order_of_their_parts(keys: list[str]) -> None:
    """Whatever sorts before a slash, and however much is held back."""

    def is_directory(key: str) -> bool:
        return any(other.startswith(f"{key}/") for other in keys)

    expected = sorted(keys, key=parts)
    assert [entry.key for entry in in_order_of_parts(listed(keys), is_directory)] == expected


@given(KEYS)
def test_little_that_is_held_back_changes_nothing(keys: list[str]) -> None:
    """The server is asked at once, again and again."""
    before, s3_listing.HELD = s3_listing.HELD, 1
    try:
        test_any_keys_come_in_order_of_their_parts.hypothesis.inner_test(keys)
    finally:
        s3_listing.HELD = before


def test_a_store_of_ours_is_not_held_back_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    """Names of objects hold letters that sort before a slash; what is behind them comes all the same."""
    monkeypatch.setattr(s3_listing, "HELD", 100)
    names = [f"90/urn%3atrusted-archive%3a{number:032x}/{name}" for number in range(500) for name in ("0=ocfl", "v1/x")]
    taken = 0

    def counted() -> Iterator[StoredEntry]:
        nonlocal taken
        for entry in listed(names):
            taken += 1
            yield entry

    asked: list[str] = []
    stream = in_order_of_parts(counted(), lambda key: bool(asked.append(key)))
    first = next(stream)

    assert first.key == names[0]
    assert taken < 200
    assert len(asked) < 20
    assert len(list(stream)) == len(names) - 1
