"""What a renewal object holds, written and read.

    renewal.json                 what this is; names the sha512 of the files below
    line.json                    line, digest, TSA, trust class (as in a batch)
    covers.txt                   what is covered, one line each
    tree.bin                     all levels of the tree, leaf level first
    tokens.bin                   covered tokens that had to be completed, one after the other (if any)
    counts.bin, members.bin      hash-tree renewal: how many h' each data object has, and the h' themselves
    dropped.txt                  hash-tree renewal: `BATCH LEAF "why"` for each data object that dropped out
    covered-validation/…         chain and revocation data of the covered tokens, as of the renewal
    token.tst, token-validation/…  from the version on in which the renewal was stamped
    abandoned.json               instead, when it never will be

Rules kept here
 * Everything but the last two lines is version 1, durable before an authority is asked.
 * A line of `covers.txt` is `HEAD SHA512 OFFSET LENGTH` (a time-stamp renewal: leaf i is the digest of that
   token) or `BATCH LEAVES HEAD SHA512 OFFSET LENGTH` (a hash-tree renewal: the batch's data objects are the
   next LEAVES values of `counts.bin`). HEAD is the object whose token is covered; SHA512 is that of its final
   octets, which lie in `tokens.bin` at OFFSET, or are the token as that object holds it (`- -`).
 * A document and its bytes are interchangeable; any other spelling is refused.
"""

from __future__ import annotations

import json
import re
import sys
from array import array
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from itertools import accumulate
from typing import Any, Self

from archive_core import canonical, reading
from archive_core.digests import digest_size
from archive_core.errors import MalformedDocumentError
from archive_core.findings import utc_text
from archive_core.receipts import Named, verify_line_name
from archive_core.trail.merkle import HASH_SIZE

FORMAT = "trusted-archive/renewal/1"
TIMESTAMP, HASH_TREE = "timestamp", "hash-tree"

DOCUMENT, LINE, COVERS, TREE, TOKENS = "renewal.json", "line.json", "covers.txt", "tree.bin", "tokens.bin"
COUNTS, MEMBERS, DROPPED = "counts.bin", "members.bin", "dropped.txt"
TOKEN, ABANDONED = "token.tst", "abandoned.json"
QUALIFIED = "qualified.json"
"""What trusted lists said of the token, where a profile behind it demands a qualified one."""
COVERED_DATA, TOKEN_DATA = "covered-validation/", "token-validation/"

MAX_REASONS = 100
MAX_COVERS = 20_000_000

_NAME = re.compile(r"(?:ba|rn)[0-9]{10}")
_BATCH = re.compile(r"ba([0-9]{10})")
_DIGITS = re.compile(r"[0-9a-f]{128}")
_NUMBER = re.compile(r"0|[1-9][0-9]{0,17}")
_MEMBERS = (
    "format",
    "renewal",
    "kind",
    "line",
    "digest",
    "covers",
    "leaf_count",
    "root",
    "files",
    "abandons",
    "reasons",
    "algorithms",
    "trail",
    "derivation_version",
    "time",
)


@dataclass(frozen=True, slots=True)
class RenewalDocument:
    """renewal.json. `covers` counts the lines of `covers.txt`, `leaf_count` the leaves of the tree, `root`
    is what is stamped. `files` maps files of version 1 to their sha512 (hex). `abandons` names objects whose
    time-stamps no longer count for what is covered here. `trail_size`/`trail_head` say how far the trail
    reached; `time` is the archive's claimed time."""

    number: int
    kind: str
    line: str
    digest: str
    covers: int
    leaf_count: int
    root: bytes
    files: Mapping[str, str]
    abandons: tuple[str, ...]
    reasons: tuple[str, ...]
    algorithms: Named
    trail_size: int
    trail_head: bytes
    derivation_version: int
    time: datetime

    def to_bytes(self) -> bytes:
        return canonical.write(
            {
                "format": FORMAT,
                "renewal": self.number,
                "kind": self.kind,
                "line": self.line,
                "digest": self.digest,
                "covers": self.covers,
                "leaf_count": self.leaf_count,
                "root": self.root.hex(),
                "files": dict(self.files),
                "abandons": list(self.abandons),
                "reasons": list(self.reasons),
                "algorithms": {"id": self.algorithms.id, "sha512": self.algorithms.sha512},
                "trail": {"size": self.trail_size, "head": self.trail_head.hex()},
                "derivation_version": self.derivation_version,
                "time": utc_text(self.time),
            }
        )

    @classmethod
    def parse(cls, data: bytes) -> Self:
        """Raises `MalformedDocumentError`."""
        value = reading.members(canonical.read_canonical(data), _MEMBERS, "the renewal")
        reading.formatted(value["format"], FORMAT)
        digest = reading.digest_name(value["digest"], "digest")
        kind = reading.one_of(value["kind"], (TIMESTAMP, HASH_TREE), "kind")
        trail = reading.members(value["trail"], ("size", "head"), "trail")
        table = reading.members(value["algorithms"], ("id", "sha512"), "algorithms")
        return cls(
            number=reading.integer(value["renewal"], "renewal", least=1, most=10**10 - 1),
            kind=kind,
            line=verify_line_name(reading.text(value["line"], "line")),
            digest=digest,
            covers=reading.integer(value["covers"], "covers", least=1, most=MAX_COVERS),
            leaf_count=reading.integer(value["leaf_count"], "leaf_count", least=1),
            root=reading.digest(value["root"], digest, "root"),
            files=_files(value["files"], kind),
            abandons=_names(value["abandons"]),
            reasons=tuple(
                reading.text(item, "reason") for item in reading.items(value["reasons"], "reasons", most=MAX_REASONS)
            ),
            algorithms=Named(
                reading.text(table["id"], "algorithms id", most=255),
                reading.digest(table["sha512"], "sha512", "algorithms sha512").hex(),
            ),
            trail_size=reading.integer(trail["size"], "trail size"),
            trail_head=reading.hex_bytes(trail["head"], "trail head", HASH_SIZE),
            derivation_version=reading.integer(value["derivation_version"], "derivation_version", least=1),
            time=reading.instant(value["time"], "time"),
        )


def _files(value: Any, kind: str) -> dict[str, str]:
    needed = {COVERS, TREE} | ({COUNTS, MEMBERS, DROPPED} if kind == HASH_TREE else set())
    if not isinstance(value, dict) or not needed <= set(value) <= needed | {TOKENS}:
        raise MalformedDocumentError("files does not name the files of such a renewal")
    return {name: reading.digest(digits, "sha512", name).hex() for name, digits in value.items()}


def _names(value: Any) -> tuple[str, ...]:
    names = tuple(reading.text(item, "abandons") for item in reading.items(value, "abandons", most=100_000))
    if any(not _NAME.fullmatch(name) for name in names) or list(names) != sorted(set(names)):
        raise MalformedDocumentError("abandons is not a sorted list of object names")
    return names


@dataclass(frozen=True, slots=True)
class Abandoned:
    """abandoned.json: why a renewal will never be stamped, and since when."""

    reason: str
    time: datetime

    def to_bytes(self) -> bytes:
        return canonical.write({"reason": self.reason, "time": utc_text(self.time)})

    @classmethod
    def parse(cls, data: bytes) -> Self:
        """Raises `MalformedDocumentError`."""
        value = reading.members(canonical.read_canonical(data), ("reason", "time"), "the note")
        return cls(reading.text(value["reason"], "reason", most=4096), reading.instant(value["time"], "time"))


# -- what is covered --------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Covered:
    """One line of covers.txt. `head` names the object whose token is covered, `sha512` (hex) is that of its
    final octets and `place` where they lie in tokens.bin, if they do. `batch` and `leaves` are set in a
    hash-tree renewal: the batch, and how many data objects it has."""

    head: str
    sha512: str
    place: tuple[int, int] | None = None
    batch: int | None = None
    leaves: int | None = None

    def to_text(self) -> str:
        where = f"{self.place[0]} {self.place[1]}" if self.place else "- -"
        before = "" if self.batch is None else f"ba{self.batch:010d} {self.leaves} "
        return f"{before}{self.head} {self.sha512} {where}\n"


def covers_text(covers: Sequence[Covered]) -> bytes:
    return "".join(covered.to_text() for covered in covers).encode("ascii")


def parse_covers(data: bytes, kind: str) -> tuple[Covered, ...]:
    """The inverse of `covers_text`; raises `MalformedDocumentError`."""
    covers = []
    for number, line in enumerate(data.splitlines()):
        try:
            covers.append(_covered(line.decode("ascii").split(" "), kind))
        except (UnicodeDecodeError, ValueError) as error:
            raise MalformedDocumentError(f"line {number} of what the renewal covers cannot be read") from error
    if not covers or covers_text(covers) != data:
        raise MalformedDocumentError("what the renewal covers is not in the form in which it is written")
    return tuple(covers)


def _covered(fields: list[str], kind: str) -> Covered:
    batch = leaves = None
    if kind == HASH_TREE:
        name, count, *fields = fields
        found = _BATCH.fullmatch(name)
        if found is None:
            raise ValueError
        batch, leaves = int(found[1]), _number(count)
    head, digits, offset, length = fields
    if not _NAME.fullmatch(head) or not _DIGITS.fullmatch(digits):
        raise ValueError
    place = None if (offset, length) == ("-", "-") else (_number(offset), _number(length))
    return Covered(head, digits, place, batch, leaves)


def _number(text: str) -> int:
    if not _NUMBER.fullmatch(text):
        raise ValueError
    return int(text)


@dataclass(frozen=True, slots=True)
class DroppedOut:
    """One line of dropped.txt: a data object that a hash-tree renewal leaves out, and why."""

    batch: int
    leaf: int
    message: str


def dropped_text(dropped: Sequence[DroppedOut]) -> bytes:
    return "".join(f"ba{one.batch:010d} {one.leaf} {json.dumps(one.message)}\n" for one in dropped).encode("ascii")


def parse_dropped(data: bytes) -> tuple[DroppedOut, ...]:
    """The inverse of `dropped_text`; raises `MalformedDocumentError`."""
    dropped = []
    for number, line in enumerate(data.splitlines()):
        try:
            name, leaf, why = line.decode("ascii").split(" ", 2)
            found, message = _BATCH.fullmatch(name), json.loads(why)
            if found is None or not isinstance(message, str):
                raise ValueError
            dropped.append(DroppedOut(int(found[1]), _number(leaf), message))
        except (ValueError, RecursionError) as error:
            raise MalformedDocumentError(f"line {number} of what dropped out cannot be read") from error
    if dropped_text(dropped) != data:
        raise MalformedDocumentError("what dropped out is not in the form in which it is written")
    return tuple(dropped)


# -- h' of a hash-tree renewal ----------------------------------------------------------------


@dataclass(frozen=True)
class Members:
    """The values h' = H(h || ha) of every data object of a hash-tree renewal (RFC 4998 5.2(4)), object by
    object. One with none has dropped out: it is not renewed."""

    digest: str
    counts: array[int]
    values: bytes

    @classmethod
    def parse(cls, digest: str, counts: bytes, values: bytes) -> Members:
        """Raises `MalformedDocumentError` when the two files do not fit each other."""
        read = array("I")
        if len(counts) % 4:
            raise MalformedDocumentError("the counts of a renewal are not whole numbers of four bytes")
        read.frombytes(counts)
        _turned(read)
        if sum(read) * digest_size(digest) != len(values):
            raise MalformedDocumentError("a renewal has another number of values than its counts say")
        return cls(digest, read, values)

    @property
    def counts_bytes(self) -> bytes:
        """Four bytes a data object, big-endian."""
        return _turned(array("I", self.counts)).tobytes()

    @cached_property
    def _starts(self) -> array[int]:
        return array("Q", accumulate(self.counts, initial=0))

    @cached_property
    def _ranks(self) -> array[int]:
        return array("I", accumulate((count > 0 for count in self.counts), initial=0))

    @property
    def leaf_count(self) -> int:
        """Data objects that did not drop out."""
        return self._ranks[-1]

    def group(self, number: int) -> tuple[bytes, ...]:
        """The values h' of a data object; none when it dropped out."""
        size, start = digest_size(self.digest), self._starts[number]
        return tuple(
            self.values[place * size : (place + 1) * size] for place in range(start, start + self.counts[number])
        )

    def rank(self, number: int) -> int:
        """The leaf of a data object that did not drop out."""
        return self._ranks[number]


class GatheredMembers:
    """Values h' as they are computed, data object by data object."""

    def __init__(self, digest: str) -> None:
        self._digest = digest
        self._counts = array("I")
        self._values = bytearray()

    def add(self, group: Sequence[bytes]) -> None:
        """The values of the next data object; none when it drops out."""
        self._counts.append(len(group))
        for value in group:
            self._values += value

    def members(self) -> Members:
        return Members(self._digest, self._counts, bytes(self._values))


def _turned(counts: array[int]) -> array[int]:
    """Between the machine's order of bytes and big-endian, in place."""
    if sys.byteorder == "little":
        counts.byteswap()
    return counts


__all__ = [
    "ABANDONED",
    "COUNTS",
    "COVERED_DATA",
    "COVERS",
    "DOCUMENT",
    "DROPPED",
    "HASH_TREE",
    "LINE",
    "MEMBERS",
    "QUALIFIED",
    "TIMESTAMP",
    "TOKEN",
    "TOKENS",
    "TOKEN_DATA",
    "TREE",
    "Abandoned",
    "Covered",
    "DroppedOut",
    "GatheredMembers",
    "Members",
    "RenewalDocument",
    "covers_text",
    "dropped_text",
    "parse_covers",
    "parse_dropped",
]
