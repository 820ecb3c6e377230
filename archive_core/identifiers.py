"""Identifiers: minted, parsed, never rebuilt from parts.

Rules kept here
 * A POID is 32 lower-case hexadecimal digits: a UUID of version 7 (RFC 9562) without hyphens, so
   that POIDs sort by the time of deposit and objects deposited together lie together.
 * Two POIDs of one process never collide and never go back, also within one millisecond.
 * An OCFL object id is `urn:trusted-archive:` and a name. A name has at least nine characters of
   `[a-z0-9-]`, because the storage layout cuts three tuples of three from its left end.
 * A POID and a version are *mapped* to a storage object and an OCFL version by the catalogue; that
   the name of a first package happens to be its POID is nobody's business but `storage_object_for`.
"""

from __future__ import annotations

import os
import re
import threading
import uuid
from datetime import datetime

URN_PREFIX = "urn:trusted-archive:"

_POID = re.compile(r"[0-9a-f]{12}7[0-9a-f]{3}[89ab][0-9a-f]{15}")
_NAME = re.compile(r"[a-z0-9][a-z0-9-]{8,63}")


class PoidMint:
    """Mints POIDs that only ever grow (RFC 9562 6.2 method 1: a counter in `rand_a`/`rand_b`)."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._last = (0, 0)

    def mint(self, at: datetime) -> str:
        """A new POID for the instant `at`; its first twelve digits are milliseconds since 1970."""
        milliseconds = int(at.timestamp() * 1000)
        with self._lock:
            last_ms, counter = self._last
            if milliseconds > last_ms:
                counter = int.from_bytes(os.urandom(2)) & 0x07FF
            else:
                milliseconds, counter = last_ms, counter + 1
                if counter > 0xFFF:
                    milliseconds, counter = milliseconds + 1, 0
            self._last = (milliseconds, counter)
        tail = (int.from_bytes(os.urandom(8)) & (2**62 - 1)) | 2**63
        return f"{milliseconds:012x}7{counter:03x}{tail:016x}"


def is_poid(text: str) -> bool:
    return _POID.fullmatch(text) is not None


def parse_poid(text: str) -> str:
    """Accepts a POID with or without UUID hyphens, any case; raises ValueError for anything else."""
    candidate = text.replace("-", "").lower()
    if not is_poid(candidate):
        raise ValueError(f"not a POID: {text[:64]!r}")
    return candidate


def new_token() -> str:
    """A random identifier of 32 hexadecimal digits for events, jobs and leases."""
    return uuid.uuid4().hex


def storage_object_for(poid: str) -> str:
    """The OCFL object id of a new preservation object."""
    return f"{URN_PREFIX}{poid}"


def system_object(kind: str, number: int) -> str:
    """The OCFL object id of a numbered system object, such as `ba0000000012` for batch 12."""
    if len(kind) != 2 or not 0 < number < 10**10:
        raise ValueError(f"not a system object: {kind!r} {number}")
    return f"{URN_PREFIX}{kind}{number:010d}"


def named_object(name: str) -> str:
    """The OCFL object id of a named system object, such as `profile-basic-1`."""
    if not _NAME.fullmatch(name):
        raise ValueError(f"not a storage object name: {name!r}")
    return f"{URN_PREFIX}{name}"


def object_name(object_id: str) -> str:
    """The name within an OCFL object id of ours; raises ValueError for a foreign id."""
    name = object_id.removeprefix(URN_PREFIX)
    if name == object_id or not _NAME.fullmatch(name):
        raise ValueError(f"not one of our object ids: {object_id[:80]!r}")
    return name


BATCH, TRAIL, TRAIL_DETAIL, RENEWAL, LISTS = "ba", "tr", "td", "rn", "tl"
"""Kinds of numbered system objects."""

_TOMBSTONE = "ts"
"""What the name of a tombstone begins with; the POID of what was destroyed follows."""


def poid_of(object_id: str) -> str | None:
    """The POID of a preservation object; None for any other one."""
    try:
        name = object_name(object_id)
    except ValueError:
        return None
    return name if is_poid(name) else None


def tombstone_object(poid: str) -> str:
    """The OCFL object id of the tombstone of a preservation object."""
    if not is_poid(poid):
        raise ValueError(f"not a POID: {poid[:64]!r}")
    return f"{URN_PREFIX}{_TOMBSTONE}{poid}"


def tombstoned_poid(object_id: str) -> str | None:
    """The POID of what a tombstone speaks of, or None for any other object; raises ValueError for a foreign id."""
    name = object_name(object_id)
    poid = name.removeprefix(_TOMBSTONE)
    return poid if name != poid and is_poid(poid) else None


def number_of(object_id: str, kind: str) -> int | None:
    """The number of a system object of that kind, or None for any other object."""
    name = object_name(object_id)
    return int(name[2:]) if re.fullmatch(kind + r"\d{10}", name) else None
