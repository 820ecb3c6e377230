"""Bytes are counted as they go by; a second pass over a file does not count twice."""

from __future__ import annotations

from archive_core.progress import Told


def test_bytes_of_all_files_are_counted_up_to_the_whole() -> None:
    """Pieces come through unchanged, and the last word is all of all."""
    said: list[tuple[str, int, int | None]] = []
    told = Told(lambda *one: said.append(one), "retrieving", 9)

    assert list(told.passing("a", [b"abc", b"de"])) == [b"abc", b"de"]
    assert list(told.passing("b", [b"fghi"])) == [b"fghi"]
    assert said == [("retrieving", 3, 9), ("retrieving", 5, 9), ("retrieving", 9, 9)]


def test_a_file_that_is_read_again_begins_again() -> None:
    """The second pass takes back what the first one counted."""
    said: list[int] = []
    told = Told(lambda _, done, __: said.append(done), "exporting", 5)
    for _ in range(2):
        list(told.passing("a", [b"abc", b"de"]))

    assert said == [3, 5, 3, 5]


def test_what_was_not_read_to_its_end_is_not_counted_whole() -> None:
    """A piece counts when its taker asks for the next one."""
    said: list[int] = []
    pieces = Told(lambda _, done, __: said.append(done), "exporting", 5).passing("a", [b"abc", b"de"])
    next(pieces)
    assert said == []
    next(pieces)

    assert said == [3]
