"""Real bundles without a running store: objects, batches, trail and local test trust, in memory.

A `Workshop` makes versions, forms them into a batch with one or two evidence lines, seals and stamps
it, and writes bundles of it. Everything is made by the product's own pure parts; only the sequencing
of the use cases is the helper's.
"""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

from archive_core.bundle_format import BundleContent, EarlierVersion, write_bundle
from archive_core.description import DescribedFile, Description
from archive_core.digests import Digest, hash_bytes
from archive_core.evidence.derivation import StampInput, derive_record
from archive_core.evidence.hash_tree import HashTree, combine, group_leaf
from archive_core.identifiers import PoidMint
from archive_core.measure import chunk_list, measure
from archive_core.ports import ValidationData
from archive_core.receipts import Named, Receipt, ReceiptPath, Root, Statement
from archive_core.trail.events import Event, EventType, Outcome, deposit_event, new_event, number_events
from archive_core.trail.merkle import Log
from archive_core.trail.proofs import TrailProof
from signing.keys import load_key
from signing.local_trust import LocalTrust, create_local_trust
from signing.seals import SoftwareSealer

START = datetime(2026, 3, 1, 8, 0, tzinfo=UTC)


@dataclass
class SteppingClock:
    """A clock that goes on by a minute each time it is asked."""

    instant: datetime = START

    def now(self) -> datetime:
        self.instant += timedelta(minutes=1)
        return self.instant


@dataclass(frozen=True)
class Version:
    """A made version: its description and the content of its files by logical path."""

    description: Description
    files: Mapping[str, bytes]

    @property
    def key(self) -> tuple[str, int]:
        return self.description.poid, self.description.version


@dataclass(frozen=True)
class Stamped:
    """A batch that was sealed and stamped, and the records of its members."""

    members: tuple[Version, ...]
    statement: Statement
    seal: bytes
    trees: Mapping[str, HashTree]
    tokens: Mapping[str, bytes]
    gen_time: datetime
    validation: ValidationData
    events: Mapping[str, tuple[tuple[int, bytes], ...]]
    log: Log

    def index(self, version: Version) -> int:
        return [member.key for member in self.members].index(version.key)

    def seal_leaf(self, digest: str) -> bytes:
        return group_leaf(digest, self.seal_group(digest))

    def seal_group(self, digest: str) -> tuple[bytes, ...]:
        return tuple(sorted((hash_bytes(digest, self.statement.to_bytes()), hash_bytes(digest, self.seal))))

    def record(self, version: Version, line: str) -> bytes:
        digest = self.statement.roots[line].digest
        siblings = (*self.trees[line].path(self.index(version)), self.seal_leaf(digest))
        stamp = StampInput(digest, version.description.group_digests(digest), siblings, self.tokens[line])
        return derive_record([[stamp]])

    def seal_record(self, line: str) -> bytes:
        digest = self.statement.roots[line].digest
        stamp = StampInput(digest, self.seal_group(digest), (self.trees[line].root,), self.tokens[line])
        return derive_record([[stamp]])

    def receipt(self, version: Version) -> Receipt:
        return Receipt(
            poid=version.description.poid,
            version=version.description.version,
            description=version.description.to_bytes(),
            statement=self.statement.to_bytes(),
            seal=self.seal,
            path={
                line: ReceiptPath(
                    root.digest,
                    version.description.group_digests(root.digest),
                    self.trees[line].path(self.index(version)),
                )
                for line, root in self.statement.roots.items()
            },
            test_trust=True,
            proof_of_existence=self.gen_time,
        )

    def content(self, version: Version, earlier: Sequence[tuple[Stamped, Version]] = ()) -> BundleContent:
        """The parts of a version's bundle; `earlier` are versions with the batches that evidenced them."""
        lines = sorted(self.statement.roots)
        listed = self.events.get(version.description.poid, ())
        return BundleContent(
            description=version.description.to_bytes(),
            content=dict(version.files),
            evidence={line: self.record(version, line) for line in lines},
            receipt=self.receipt(version).to_bytes(),
            statement=self.statement.to_bytes(),
            seal=self.seal,
            seal_evidence={line: self.seal_record(line) for line in lines},
            validation=self.validation,
            events=[line for _, line in listed],
            proof=TrailProof.of(self.log, self.statement.trail_size, [index for index, _ in listed]),
            earlier={
                past.description.version: EarlierVersion(
                    past.description.to_bytes(),
                    {line: batch.record(past, line) for line in sorted(batch.statement.roots)},
                )
                for batch, past in earlier
            },
        )

    def bundle(self, version: Version, earlier: Sequence[tuple[Stamped, Version]] = ()) -> bytes:
        stream = io.BytesIO()
        write_bundle(stream, self.content(version, earlier))
        return stream.getvalue()


@dataclass
class Workshop:
    """Where bundles are made; `directory` takes the test trust."""

    directory: Path
    clock: SteppingClock = field(default_factory=SteppingClock)
    digests: Mapping[str, str] = field(default_factory=lambda: {"sha512": "sha512"})

    def __post_init__(self) -> None:
        self.trust: LocalTrust = create_local_trust(self.directory, at=self.clock.now())
        self._mint = PoidMint()
        self._events: list[Event] = []
        self._numbers: dict[str, int] = {}
        self._batches: list[Stamped] = []

    @property
    def anchor_file(self) -> Path:
        return self.directory / "test-ca.pem"

    def deposit(
        self, files: Mapping[str, bytes], *, metadata: bytes | None = None, previous: Version | None = None
    ) -> Version:
        """A version with these deposited files, its event recorded in the trail."""
        at = self.clock.now()
        algorithms = sorted({"sha512", *self.digests.values()})
        content: dict[str, bytes] = {}
        listed = []

        def take(path: str, role: str, data: bytes) -> None:
            measured = measure(data, algorithms)
            content[path] = data
            digests = {name: measured.digests[name].hex for name in algorithms}
            listed.append(DescribedFile(path, role, len(data), digests))
            if role == "document" and measured.chunks:
                take(f"chunks/{path.removeprefix('data/')}.json", "chunks", chunk_list(measured))

        for path, data in files.items():
            take(f"data/{path}", "document", data)
        if metadata is not None:
            take("metadata.json", "metadata", metadata)
        before = previous.description if previous else None
        description = Description(
            poid=before.poid if before else self._mint.mint(at),
            version=before.version + 1 if before else 1,
            kind="update" if before else "deposit",
            originator="70889546",
            profile="basic-1",
            idempotency_key=None,
            received=at,
            files=tuple(sorted(listed, key=lambda file: file.path)),
            predecessor=(before.version, hash_bytes("sha512", before.to_bytes()).hex()) if before else None,
            nonce=hash_bytes("sha256", repr((at, sorted(content))).encode()).hex(),
        )
        self.record(deposit_event(description.to_bytes()))
        return Version(description, content)

    def access(self, version: Version) -> None:
        poid, number = version.key
        event, _ = new_event(
            EventType.DISSEMINATION,
            Outcome.SUCCESS,
            "retrieve",
            at=self.clock.now(),
            actor="key-1",
            poid=poid,
            version=number,
        )
        self.record(event)

    def record(self, event: Event) -> None:
        self._events += number_events([event], self._numbers)

    def batch(self, *members: Version) -> Stamped:
        """Form, seal and stamp a batch of these versions."""
        trees = {
            line: HashTree.build(digest, [group_leaf(digest, m.description.group_digests(digest)) for m in members])
            for line, digest in self.digests.items()
        }
        log = Log(event.leaf_hash for event in self._events)
        before = self._batches[-1] if self._batches else None
        statement = Statement(
            batch=len(self._batches) + 1,
            previous=(len(self._batches), hash_bytes("sha512", before.statement.to_bytes()).hex()) if before else None,
            leaf_count=len(members),
            roots={line: Root(digest, trees[line].root) for line, digest in self.digests.items()},
            trail_size=log.size,
            trail_head=log.head(),
            profile=Named("basic-1", "0" * 128),
            algorithms=Named("algorithms-2026-06", "0" * 128),
            derivation_version=1,
            time=self.clock.now(),
            test_trust=True,
        )
        key = load_key(self.trust.seal_key_address, certificates=self.trust.seal_certificate_file)
        sealer = SoftwareSealer(key, test_trust=True, validation_source=self.trust.seal_validation_data)
        sealed = sealer.seal(statement.to_bytes(), at=self.clock.now())
        made = self._stamp(members, statement, sealed.der, trees, log)
        self._batches.append(made)
        return made

    def _stamp(
        self,
        members: tuple[Version, ...],
        statement: Statement,
        seal: bytes,
        trees: Mapping[str, HashTree],
        log: Log,
    ) -> Stamped:
        tokens: dict[str, bytes] = {}
        times: list[datetime] = []
        kept: list[ValidationData] = []
        for number, (line, digest) in enumerate(sorted(self.digests.items()), start=1):
            group = (hash_bytes(digest, statement.to_bytes()), hash_bytes(digest, seal))
            root = combine(digest, (trees[line].root, group_leaf(digest, group)))
            authority = self.trust.authority(f"local-tsa-{number}", self.clock)
            token = authority.timestamp(Digest(digest, root))
            tokens[line] = token.der
            times.append(token.gen_time)
            kept.append(authority.validation_data(token.der))
        kept.append(self.trust.seal_validation_data(self.clock.now()))
        events: dict[str, list[tuple[int, bytes]]] = {}
        for index, event in enumerate(self._events):
            if event.poid is not None:
                events.setdefault(event.poid, []).append((index, event.to_line()))
        return Stamped(
            members=members,
            statement=statement,
            seal=seal,
            trees=trees,
            tokens=tokens,
            gen_time=min(times),
            validation=merged(kept),
            events={poid: tuple(lines) for poid, lines in events.items()},
            log=log,
        )


def merged(parts: Sequence[ValidationData]) -> ValidationData:
    """All certificates, CRLs and OCSP responses of several places, each once."""
    return ValidationData(
        tuple(dict.fromkeys(item for part in parts for item in part.certificates)),
        tuple(dict.fromkeys(item for part in parts for item in part.crls)),
        tuple(dict.fromkeys(item for part in parts for item in part.ocsps)),
    )
