"""How far long work is, told in bytes while they go by."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator

Progress = Callable[[str, int, int | None], None]
"""Told what is being done, how far it is, and how far it goes if that is known."""

BYTE_WORK = frozenset({"exporting", "retrieving"})
"""Work that is counted in bytes; all other in pieces."""


class Told:
    """Counts the bytes of several files that are read one after the other. A file that is read again begins again:
    what was counted of it is taken back."""

    def __init__(self, progress: Progress, what: str, total: int) -> None:
        self._progress, self._what, self._total = progress, what, total
        self._before = 0
        self._counted: dict[str, int] = {}

    def passing(self, name: str, pieces: Iterable[bytes]) -> Iterator[bytes]:
        """The pieces of a file, unchanged."""
        self._before -= self._counted.get(name, 0)
        self._counted[name] = 0
        for piece in pieces:
            yield piece
            self._counted[name] += len(piece)
            self._before += len(piece)
            self._progress(self._what, self._before, self._total)
