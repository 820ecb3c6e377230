"""A restored archive is read-only until it is released: the mark that says so, and who asks it.

Rules kept here
 * The mark is in the restored catalogue before that catalogue has its name, so no process ever works on one without.
 * Whoever is about to write to a store asks `require_writable`; reading asks nobody.
 * A process asks the catalogue at most every `REFRESH` seconds once it found no mark, and each time while there is one.
"""

from __future__ import annotations

import json
import time
from dataclasses import dataclass

from archive_core.catalogue.catalogue import Catalogue
from archive_core.errors import CatalogueDamagedError, ReadOnlyError

REFRESH = 2.0

_NAME = "restored"


@dataclass(frozen=True, slots=True)
class Mark:
    """When the catalogue was restored, from a backup made when, of which digest (SHA-512, hex)."""

    restored: str
    made: str
    digest: str

    def to_text(self) -> str:
        return json.dumps({"restored": self.restored, "made": self.made, "digest": self.digest}, sort_keys=True)


def hold(catalogue: Catalogue, mark: Mark) -> None:
    """Make an archive read-only."""
    catalogue.meta_set(_NAME, mark.to_text())


def release(catalogue: Catalogue) -> None:
    """Let an archive be written to."""
    catalogue.meta_set(_NAME, "")


def mark_of(catalogue: Catalogue) -> Mark | None:
    """The mark of an archive that is held; None for one that may be written to. Raises `CatalogueDamagedError`."""
    found = catalogue.meta_get(_NAME)
    if not found:
        return None
    try:
        values = json.loads(found)
        return Mark(str(values["restored"]), str(values["made"]), str(values["digest"]))
    except (ValueError, KeyError, TypeError) as error:
        raise CatalogueDamagedError("the mark of a restored catalogue cannot be read") from error


class Guard:
    """Asked before anything is written to a store."""

    def __init__(self, catalogue: Catalogue) -> None:
        self._catalogue = catalogue
        self._free = float("-inf")

    def __call__(self) -> None:
        """Raises `ReadOnlyError` while the archive is held."""
        if time.monotonic() < self._free + REFRESH:
            return
        if (mark := mark_of(self._catalogue)) is not None:
            raise ReadOnlyError(restored=mark.restored)
        self._free = time.monotonic()

    def warnings(self) -> list[str]:
        """What people are to know."""
        mark = mark_of(self._catalogue)
        if mark is None:
            return []
        return [
            f"read-only: restored {mark.restored} from a backup of {mark.made}; "
            "`trusted-archive restore --release --yes` lets it be written to"
        ]
