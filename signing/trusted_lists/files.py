"""Trusted lists from files, for whoever hands them over (`trusted-archive examine --trusted-list FILE`).

Rules kept here
 * Whoever names the files vouches for them; their signatures must fit all the same. With a list of lists among
   them, the national lists must be signed by whom it names.
 * Files are read no further than a list may be long.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from pathlib import Path

from signing.trusted_lists.qualification import TrustedListLookup, load_lookup
from signing.trusted_lists.reading import MAX_LIST
from signing.trusted_lists.values import TrustedListRefusedError


def lookup_of(paths: Sequence[Path], *, at: datetime, signers: Sequence[bytes] | None = None) -> TrustedListLookup:
    """The lists in these files, asked as of `at`. Raises `TrustedListRefusedError` (a ValueError) for a list that
    cannot be read or whose signature does not fit, and OSError. `signers` (DER) where they are configured."""
    octets = []
    for path in paths:
        with path.open("rb") as stream:
            octets.append(stream.read(MAX_LIST + 1))
    lookup = load_lookup(octets, at=at, signers=signers)
    refused = [finding for finding in lookup.book.findings if finding.code == "TRUSTED_LIST_REFUSED"]
    if refused:
        raise TrustedListRefusedError(refused[0].message)
    return lookup
