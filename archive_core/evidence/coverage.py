"""Which data objects a record covers: RFC 4998 4.3 steps 1 and 2, and 5.3 for later chains.

Rules kept here
 * An object is covered only by a hash of the *first* list (4.3(2)). It is hashed anew with the
   algorithm of every chain.
 * An object that the record never covered fails, as does one that a later chain dropped. Only where
   nothing supplied is covered and the record covers more than was supplied, the record's own data
   are missing rather than wrong: INDETERMINATE, SIGNED_DATA_NOT_FOUND.
 * An object that a covered time-stamp token states the digest of existed when the token did, so it
   is covered through that token, as long as the token's digest algorithm is good: nobody renews it.
 * Whether the supplied objects are *all* of a group is a finding, not a failure (4.3, last part).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Protocol

from archive_core.digests import digest_stream, hash_bytes, is_available
from archive_core.errors import MalformedEvidenceError
from archive_core.evidence.hash_tree import renewed_hash
from archive_core.evidence.record import EvidenceRecord
from archive_core.evidence.token import TokenInfo, parse_token
from archive_core.findings import Finding, Step, SubIndication, Verdict

MAX_TOKEN_OBJECT = 1024 * 1024
"""Bytes up to which a data object is tried as a time-stamp token."""


@dataclass(frozen=True, slots=True)
class DataObject:
    """Something that a record is said to cover.

    `digest(name)` gives its digest under one of our algorithm names and raises LookupError when
    that digest cannot be had. `content`, when given, gives the bytes of a small object.
    """

    name: str
    digest: Callable[[str], bytes]
    content: Callable[[], bytes] | None = None

    @classmethod
    def of_bytes(cls, name: str, content: bytes) -> DataObject:
        return cls(name, lambda algorithm: hash_bytes(algorithm, content), lambda: content)

    @classmethod
    def of_file(cls, path: Path, name: str | None = None) -> DataObject:
        """A file, read again for each algorithm, in pieces. Raises OSError when it cannot be read."""

        def digest(algorithm: str) -> bytes:
            with path.open("rb") as stream:
                return digest_stream(stream, [algorithm])[0][algorithm].value

        small = path.stat().st_size <= MAX_TOKEN_OBJECT
        return cls(name or path.name, digest, path.read_bytes if small else None)

    @classmethod
    def of_digests(cls, name: str, digests: Mapping[str, bytes]) -> DataObject:
        """Known by digests alone: a verdict on it says nothing about any bytes."""
        return cls(name, digests.__getitem__)


class DigestSuitability(Protocol):
    """What a table of algorithm lifetimes says of one algorithm at one instant."""

    @property
    def good(self) -> bool: ...

    @property
    def reason(self) -> str: ...


class DigestPolicy(Protocol):
    """The part of an `AlgorithmTable` (policies) that evidence needs."""

    def digest(self, name: str, *, at: datetime) -> DigestSuitability:
        """Whether the digest algorithm of that name is good at the instant `at`."""
        ...


def place(chain: int, stamp: int = 0) -> str:
    """A place in a record, counted from one as people do."""
    return f"chain {chain + 1}, stamp {stamp + 1}"


class CoverageCheck:
    """Looks for every data object in the first stamp of every chain; `run` fills steps and findings."""

    def __init__(self, record: EvidenceRecord, data: Sequence[DataObject], policy: DigestPolicy, at: datetime) -> None:
        self._data = data
        self._policy = policy
        self._at = at
        self._algorithms = [chain.stamps[0].digest_algorithm for chain in record.chains]
        self._first_lists = [Counter(chain.stamps[0].first_list) for chain in record.chains]
        self._earlier = [record.sequence_before(number) for number in range(len(record.chains))]
        self._matched: list[Counter[bytes]] = [Counter() for _ in record.chains]
        self.steps: list[Step] = []
        self.findings: list[Finding] = []

    def run(self) -> None:
        if not self._data:
            self._step("", 0, SubIndication.SIGNED_DATA_NOT_FOUND, "no data object was supplied")
            return
        digests = [_Digests(item) for item in self._data]
        is_covered = [self._match(known, 0) for known in digests]
        covered = [known.item for known, yes in zip(digests, is_covered, strict=True) if yes]
        for known, yes in zip(digests, is_covered, strict=True):
            if yes:
                self._step(known.item.name, 0, None, "its hash is in the first list")
                self._follow(known)
            else:
                self._uncovered(known, covered)
        self._note_groups()

    def _match(self, known: _Digests, chain: int) -> bool:
        """Whether the first list of a chain's first stamp holds the object: its hash (4.3(2)), or in
        a later chain H(h || ha) with ha over all chains before (5.2(3), 5.2(4), 5.3(3))."""
        algorithm = self._algorithms[chain]
        digest = known.get(algorithm)
        if digest is None:
            return False
        candidates = {digest: ""}
        if chain:
            earlier = hash_bytes(algorithm, self._earlier[chain])
            candidates = {
                renewed_hash(algorithm, digest, earlier, in_order=True): "RENEWAL_SORTED",
                renewed_hash(algorithm, digest, earlier): "",
            }
        for value, finding in reversed(candidates.items()):
            if value in self._first_lists[chain]:
                self._matched[chain][value] += 1
                if finding:
                    self._note(finding, f"{known.item.name}: h and ha were sorted before hashing", chain, "5.2(4)")
                return True
        return False

    def _follow(self, known: _Digests) -> None:
        """5.3(3): every later chain covers the object, too."""
        for chain in range(1, len(self._algorithms)):
            if self._match(known, chain):
                self._step(
                    known.item.name, chain, None, "its hash with that of all earlier chains is in the first list"
                )
            elif known.get(self._algorithms[chain]) is None:
                self._step(known.item.name, chain, *known.missing(self._algorithms[chain]))
            else:
                message = "the hash-tree renewal does not cover this object with all earlier chains"
                self._step(known.item.name, chain, SubIndication.HASH_FAILURE, message)
                self._note("COVERAGE_ENDED", f"{known.item.name} is last covered by chain {chain}", chain, "5.3(3)")
                return

    def _uncovered(self, known: _Digests, covered: Sequence[DataObject]) -> None:
        name, algorithm = known.item.name, self._algorithms[0]
        if known.get(algorithm) is None:
            self._step(name, 0, *known.missing(algorithm))
        elif token := _token_stating(known, covered):
            self._through_token(name, token)
        elif covered or len(self._data) >= self._first_lists[0].total():
            self._step(name, 0, SubIndication.HASH_FAILURE, "its hash is not in the first list")
        else:
            message = (
                f"it is none of the {self._first_lists[0].total()} objects of this record, which were not supplied"
            )
            self._step(name, 0, SubIndication.SIGNED_DATA_NOT_FOUND, message)

    def _through_token(self, name: str, token: TokenInfo) -> None:
        suitability = self._policy.digest(token.imprint_algorithm, at=self._at)
        weak = None if suitability.good else SubIndication.CRYPTO_CONSTRAINTS_FAILURE_NO_POE
        self._step(name, 0, weak, f"a covered time-stamp token states its digest ({suitability.reason})")
        self._note(
            "COVERED_THROUGH_TOKEN", f"{name} is covered by the token over it, not by the record itself", 0, "4.3"
        )

    def _note_groups(self) -> None:
        """4.3, last part: whether exactly the supplied objects form the group that is covered."""
        for chain, (listed, matched) in enumerate(zip(self._first_lists, self._matched, strict=True)):
            if others := (listed - matched).total():
                message = f"the first list holds {others} more hash(es) than those of the supplied objects"
                self._note("GROUP_INCOMPLETE", message, chain, "4.3")
            if listed.total() != len(listed):
                self._note("GROUP_REPEATS", "the first list holds a hash more than once", chain, "4.2(2)")

    def _step(self, name: str, chain: int, sub_indication: SubIndication | None, message: str) -> None:
        verdict = Verdict.INDETERMINATE
        if sub_indication in (None, SubIndication.HASH_FAILURE):
            verdict = Verdict.FAILED if sub_indication else Verdict.PASSED
        clause = "RFC 4998 5.3(3)" if chain else "RFC 4998 4.3(2), 5.3(1)"
        title = f"data object {name}" if name else "data objects"
        self.steps.append(Step(title, verdict, sub_indication, message, place(chain), clause))

    def _note(self, code: str, message: str, chain: int, clause: str) -> None:
        self.findings.append(Finding(code, message, place(chain), f"RFC 4998 {clause}"))


class _Digests:
    """The digests of one object, each computed at most once; None where one cannot be had."""

    def __init__(self, item: DataObject) -> None:
        self.item = item
        self._known: dict[str, bytes | None] = {}
        self._why: dict[str, tuple[SubIndication, str]] = {}

    def get(self, algorithm: str) -> bytes | None:
        if algorithm not in self._known:
            self._known[algorithm] = self._compute(algorithm)
        return self._known[algorithm]

    def missing(self, algorithm: str) -> tuple[SubIndication, str]:
        return self._why[algorithm]

    def _compute(self, algorithm: str) -> bytes | None:
        if not is_available(algorithm):
            self._why[algorithm] = (SubIndication.UNSUPPORTED, f"{algorithm} cannot be computed here")
            return None
        try:
            return self.item.digest(algorithm)
        except LookupError:
            self._why[algorithm] = (SubIndication.SIGNED_DATA_NOT_FOUND, f"its {algorithm} digest is not known")
            return None


def _token_stating(known: _Digests, covered: Sequence[DataObject]) -> TokenInfo | None:
    """The covered time-stamp token whose imprint is the object's digest, if there is one."""
    for item in covered:
        if item.content is None or len(content := item.content()) > MAX_TOKEN_OBJECT:
            continue
        try:
            token = parse_token(content)
        except MalformedEvidenceError:
            continue  # an ordinary object: it is not asked to be a token
        if known.get(token.imprint_algorithm) == token.imprint:
            return token
    return None
