"""Names that stay apart on every file system, judged in bounded time and memory."""

from __future__ import annotations

import time
import tracemalloc

import pytest
from hypothesis import given
from hypothesis import strategies as st

from archive_core.errors import NameNotAcceptedError
from archive_core.names import files_that_are_folders, verify_distinct

PARTS = st.lists(st.sampled_from(["a", "A", "a!", "a b", "a-", "é", "e\u0301", "z"]), min_size=1, max_size=4)


@given(st.lists(PARTS.map("/".join), max_size=8))
def test_a_file_that_is_also_a_folder_is_found_whatever_lies_between(paths: list[str]) -> None:
    """The answer is that of comparing every path with every folder of every other."""
    folded = ["/".join("é" if part == "e\u0301" else part.lower() for part in path.split("/")) for path in paths]
    folders = {path.rsplit("/", up)[0] for path in folded for up in range(1, path.count("/") + 1)}
    clash = len(set(folded)) < len(folded) or bool(folders & set(folded))
    if clash:
        with pytest.raises(NameNotAcceptedError):
            verify_distinct(paths)
    else:
        verify_distinct(paths)


@given(st.sets(st.text(st.sampled_from("a/\0\1!b"), max_size=6), max_size=8))
def test_folders_among_any_paths_are_found(paths: set[str]) -> None:
    """Control characters and odd separators change nothing."""
    folders = {path[:end] for path in paths for end in range(1, len(path)) if path[end] == "/"}
    assert {path for path, _ in files_that_are_folders(paths)} == folders & paths


def test_deep_paths_cost_no_more_than_their_length() -> None:
    """Five thousand paths of a kilobyte, each with five hundred folders of its own."""
    paths = [f"{number:06d}/" + "a/" * 500 + "f" for number in range(5000)]
    tracemalloc.start()
    started = time.thread_time()
    try:
        verify_distinct(paths)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()

    assert peak < 64 << 20
    assert time.thread_time() - started < 5
