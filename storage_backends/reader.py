"""A process that reads whole objects of one store, so that reading goes on on another core than judging.

Rules kept here
 * The process gives what `archive_core.ocfl.plain.read_plain` gives, because it calls nothing else.
 * It takes requests from the one process that started it, over a socket that nobody else has, and ends when that
   process closes the socket or dies. It writes nothing.
 * A reader that vanished is `StoreUnavailableError`, now and from then on.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path

from archive_core.errors import ArchiveError, StoreUnavailableError
from archive_core.ports import ReadObject, WantedObject
from storage_backends.aside import Aside, serve


class Reader:
    """The process beside a store; it starts with the first request."""

    def __init__(self, name: str, root: Path, staging: Path) -> None:
        self._name = name
        self._aside = Aside(name, "storage_backends.reader", [name, str(root), str(staging)])

    def read(self, wanted: Sequence[WantedObject]) -> list[ReadObject | None]:
        """What lies under each path, None for what is not a plain object with that id."""
        answer = self._aside.ask([(path, id_, list(names)) for path, id_, names in wanted])
        if not isinstance(answer, list) or len(answer) != len(wanted):
            raise StoreUnavailableError("the process that reads for this store gave no answer", store=self._name)
        return answer

    def close(self) -> None:
        self._aside.close()


def main(arguments: Sequence[str]) -> None:
    """Serve the socket with the given descriptor until its other end is closed."""
    from archive_core.ocfl.plain import read_plain
    from storage_backends.filesystem import FilesystemStore

    descriptor, name, root, staging = arguments
    store = FilesystemStore(name, Path(root), Path(staging))

    def answer(wanted: Sequence[WantedObject]) -> list[ReadObject | None]:
        said: list[ReadObject | None] = []
        for path, object_id, algorithms in wanted:
            try:
                found = read_plain(store, path, object_id, algorithms=algorithms)
            except ArchiveError:
                found = None  # the one that asked meets it again and tells it
            said.append(None if found is None else (found.files, found.size))
        return said

    serve(int(descriptor), answer)


if __name__ == "__main__":
    main(sys.argv[1:])
