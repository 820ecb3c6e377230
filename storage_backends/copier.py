"""A process that copies whole objects from one directory to another, so that several cores copy.

Rules kept here
 * The process keeps the promises of `archive_core.ocfl.plain_copy.copy_plain`, because it calls nothing else: what was
   read is verified before it is written, and durable and read back before the answer.
 * No byte of a document goes through the one that asks.
"""

from __future__ import annotations

import gc
import sys
from collections.abc import Sequence
from pathlib import Path

from archive_core.errors import ArchiveError, StoreUnavailableError
from archive_core.ports import ObjectToCopy
from storage_backends.aside import Aside, PackedError, packed_error, serve, unpacked_error

Place = tuple[str, Path, Path]
"""A store's name, root and staging area."""


class Copier:
    """The process between two stores; it starts with the first request."""

    def __init__(self, source: Place, target: Place) -> None:
        self._target = target[0]
        self._aside = Aside(target[0], "storage_backends.copier", [str(part) for part in (*source, *target)])

    def copy(self, wanted: Sequence[ObjectToCopy]) -> list[str | None]:
        """As the port's verb."""
        copied, error = self._aside.ask(list(wanted))
        if error is not None:
            raise unpacked_error(error)
        if len(copied) != len(wanted):
            raise StoreUnavailableError("the process that copies into this store gave no answer", store=self._target)
        return list(copied)

    def close(self) -> None:
        self._aside.close()


def main(arguments: Sequence[str]) -> None:
    """Serve the socket with the given descriptor until its other end is closed."""
    from archive_core.ocfl.plain_copy import copy_plain
    from storage_backends.filesystem import FilesystemStore

    descriptor, *places = arguments
    source, target = (
        FilesystemStore(name, Path(root), Path(staging)) for name, root, staging in (places[:3], places[3:])
    )

    def answer(wanted: Sequence[ObjectToCopy]) -> tuple[list[str | None], PackedError | None]:
        try:
            return copy_plain(source, target, [(path, new, object_id) for path, new, object_id in wanted]), None
        except ArchiveError as error:
            return [], packed_error(error)

    gc.freeze()
    gc.set_threshold(20_000, 10, 10)  # what is made here are files and their names: hardly any cycles
    serve(int(descriptor), answer)


if __name__ == "__main__":
    main(sys.argv[1:])
