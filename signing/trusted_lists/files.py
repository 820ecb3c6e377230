"""Trusted lists from files, for whoever hands them over (`trusted-archive examine --trusted-list FILE`).

Rules kept here
 * Whoever names the files vouches for them; their signatures must fit all the same. With a list of lists among
   them, the national lists must be signed by whom it names.
 * Files are read no further than a list may be long.
 * An index that was made of lists before (`index`) is read when its octets are those that were made.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

from signing.trusted_lists.index import ListIndex
from signing.trusted_lists.qualification import TrustedListLookup
from signing.trusted_lists.values import TrustedListRefusedError

if TYPE_CHECKING:
    from signing.trusted_lists.book import ListBook


def lookup_of(paths: Sequence[Path], *, at: datetime, signers: Sequence[bytes] | None = None) -> TrustedListLookup:
    """The lists in these files, asked as of `at`. Raises as `book_of`."""
    return TrustedListLookup(ListIndex.of(book_of(paths, signers=signers)), at=at)


def book_of(paths: Sequence[Path], *, signers: Sequence[bytes] | None = None) -> ListBook:
    """Raises `TrustedListRefusedError` (a ValueError) for a list that cannot be read or whose signature does not fit,
    and OSError. `signers` (DER) where they are configured."""
    from signing.trusted_lists.book import open_lists  # loads lxml, which whoever reads an index does without
    from signing.trusted_lists.reading import MAX_LIST

    octets = []
    for path in paths:
        with path.open("rb") as stream:
            octets.append(stream.read(MAX_LIST + 1))
    book = open_lists(octets, signers=signers)
    refused = [finding for finding in book.findings if finding.code == "TRUSTED_LIST_REFUSED"]
    if refused:
        raise TrustedListRefusedError(refused[0].message)
    return book


def indexed(path: Path, sha256: str, *, at: datetime) -> TrustedListLookup:
    """The lists of an index that was made before, asked as of `at`. Raises ValueError where the file's octets are not
    those with this digest, and OSError."""
    octets = path.read_bytes()
    if hashlib.sha256(octets).hexdigest() != sha256:
        raise ValueError(f"the index of trusted lists {path.name} was changed")
    return TrustedListLookup(ListIndex.from_bytes(octets), at=at)
