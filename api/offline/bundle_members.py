"""What lies in a bundle: container, manifest, description, files, chunk lists, statement.

Rules kept here
 * Every byte of every member is read exactly once before anything is believed, with all digests that
   the description and the records in the bundle use.
 * Every member must be one that the layout knows, the manifest names and, for content, the
   description lists; every one that is named must be there.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from api.offline.checking import Log
from archive_core import bundle_format as layout
from archive_core.bundle_format import BundleManifest
from archive_core.description import MAX_BYTES as MAX_DESCRIPTION
from archive_core.description import Description
from archive_core.digests import Digest, MultiHasher, hash_bytes, is_available
from archive_core.errors import MalformedDocumentError, MalformedEvidenceError, UnsafeContainerError
from archive_core.evidence.record import MAX_RECORD, EvidenceRecord, parse_record
from archive_core.findings import SubIndication
from archive_core.measure import CHUNK_DIGEST, CHUNK_SIZE, MAX_CHUNK_LIST_BYTES, ChunkList
from archive_core.ports import ValidationData
from archive_core.receipts import MAX_RECEIPT_BYTES, MAX_SEAL_BYTES, MAX_STATEMENT_BYTES, Statement
from archive_core.trail.proofs import MAX_BYTES as MAX_PROOF
from archive_core.zip_reading import ZipContainer

MAX_VALIDATION = 64 * 1024 * 1024
MAX_EVENTS = 256 * 1024 * 1024

_SMALL = {
    layout.MANIFEST: layout.MAX_MANIFEST_BYTES,
    layout.DESCRIPTION: MAX_DESCRIPTION,
    layout.RECEIPT: MAX_RECEIPT_BYTES,
    layout.STATEMENT: MAX_STATEMENT_BYTES,
    layout.SEAL: MAX_SEAL_BYTES,
    layout.TRAIL_EVENTS: MAX_EVENTS,
    layout.TRAIL_PROOF: MAX_PROOF,
}


@dataclass(frozen=True, slots=True)
class Member:
    """A member that was read whole: its size, its digests, and the digests of its chunks if needed."""

    size: int
    digests: Mapping[str, Digest]
    chunks: tuple[bytes, ...]


@dataclass(frozen=True, slots=True)
class Bundle:
    """A bundle whose members are what manifest and description say."""

    container: ZipContainer
    members: Mapping[str, Member]
    manifest: BundleManifest
    description: Description
    description_bytes: bytes
    statement: Statement
    statement_bytes: bytes
    seal: bytes
    validation: ValidationData

    def read(self, name: str) -> bytes:
        """The content of a small member."""
        return self.container.read(name, max_bytes=_limit(name))

    def record(self, name: str) -> EvidenceRecord:
        """An evidence record in DER; raises `MalformedEvidenceError`."""
        return parse_record(self.read(name))


def open_bundle(container: ZipContainer, log: Log) -> Bundle | None:
    """Check everything that needs no evidence; None when nothing more can be said."""
    names = set(container.entries)
    needed = {layout.MANIFEST, layout.DESCRIPTION, layout.RECEIPT, layout.STATEMENT, layout.SEAL, layout.README}
    needed |= {layout.TRAIL_EVENTS, layout.TRAIL_PROOF}
    if missing := sorted(needed - names):
        log.failed("container", SubIndication.FORMAT_FAILURE, f"it lacks {', '.join(missing)}")
        return None
    try:
        members = _measure(container)
        read = {name: container.read(name, max_bytes=_limit(name)) for name in sorted(needed - {layout.README})}
        validation = _validation(container)
    except UnsafeContainerError as error:
        log.failed("container", SubIndication.FORMAT_FAILURE, str(error))
        return None
    total = sum(member.size for member in members.values())
    log.passed("container", f"{len(members)} members, {total} bytes, each read whole")
    try:
        manifest = BundleManifest.parse(read[layout.MANIFEST])
    except MalformedDocumentError as error:
        log.failed("manifest", SubIndication.FORMAT_FAILURE, str(error), layout.MANIFEST)
        return None
    try:
        description = Description.parse(read[layout.DESCRIPTION])
    except MalformedDocumentError as error:
        log.failed("description", SubIndication.FORMAT_FAILURE, str(error), layout.DESCRIPTION)
        return None
    try:
        statement = Statement.parse(read[layout.STATEMENT])
    except MalformedDocumentError as error:
        log.failed("statement", SubIndication.FORMAT_FAILURE, str(error), layout.STATEMENT)
        return None
    bundle = Bundle(
        container=container,
        members=members,
        manifest=manifest,
        description=description,
        description_bytes=read[layout.DESCRIPTION],
        statement=statement,
        statement_bytes=read[layout.STATEMENT],
        seal=read[layout.SEAL],
        validation=validation,
    )
    _check_manifest(bundle, log)
    _check_layout(bundle, log)
    _check_description(bundle, log)
    _check_files(bundle, log)
    _check_chunk_lists(bundle, log)
    _check_statement(bundle, log)
    return bundle


# -- reading ----------------------------------------------------------------------------------


def _limit(name: str) -> int:
    if name in _SMALL:
        return _SMALL[name]
    if name.startswith(layout.VALIDATION):
        return MAX_VALIDATION
    if name.startswith("chunks/"):
        return MAX_CHUNK_LIST_BYTES
    return MAX_DESCRIPTION if name.endswith(layout.DESCRIPTION) else MAX_RECORD


def _measure(container: ZipContainer) -> dict[str, Member]:
    algorithms = {"sha512", *_described_algorithms(container), *_record_algorithms(container)}
    usable = sorted(name for name in algorithms if is_available(name))
    members = {}
    for name in container.entries:
        with_chunks = f"chunks/{name.removeprefix('data/')}.json" in container.entries
        members[name] = _read_once(container, name, usable, with_chunks=with_chunks)
    return members


def _read_once(container: ZipContainer, name: str, algorithms: Sequence[str], *, with_chunks: bool) -> Member:
    hasher, chunks, current, room = MultiHasher(algorithms), [], hashlib.new(CHUNK_DIGEST), CHUNK_SIZE
    for data in container.chunks(name):
        hasher.update(data)
        rest = memoryview(data) if with_chunks else memoryview(b"")
        while rest:
            taken, rest = rest[:room], rest[room:]
            current.update(taken)
            room -= len(taken)
            if not room:
                chunks.append(current.digest())
                current, room = hashlib.new(CHUNK_DIGEST), CHUNK_SIZE
    if with_chunks and room < CHUNK_SIZE:
        chunks.append(current.digest())
    return Member(hasher.size, hasher.digests(), tuple(chunks))


def _described_algorithms(container: ZipContainer) -> set[str]:
    """Digest names in the description; an unreadable one is reported where it is parsed."""
    try:
        description = Description.parse(container.read(layout.DESCRIPTION, max_bytes=MAX_DESCRIPTION))
    except MalformedDocumentError:
        return set()
    return {name for file in description.files for name in file.digests}


def _record_algorithms(container: ZipContainer) -> set[str]:
    """Digest names of all chains; an unreadable record is reported where it is assessed."""
    names: set[str] = set()
    for name in container.entries:
        if name.endswith(".ers") and not name.startswith(layout.CONTENT):
            try:
                record = parse_record(container.read(name, max_bytes=MAX_RECORD))
            except MalformedEvidenceError:
                continue
            names |= {stamp.digest_algorithm for stamp in record.stamps}
    return names


def _validation(container: ZipContainer) -> ValidationData:
    found: dict[str, list[bytes]] = {"cer": [], "crl": [], "ocsp": []}
    for name in sorted(container.entries):
        if layout.is_validation_name(name):
            found[name.rpartition(".")[2]].append(container.read(name, max_bytes=MAX_VALIDATION))
    return ValidationData(tuple(found["cer"]), tuple(found["crl"]), tuple(found["ocsp"]))


# -- steps ------------------------------------------------------------------------------------


def _check_manifest(bundle: Bundle, log: Log) -> None:
    held, named = bundle.members, bundle.manifest.files
    faults = [f"{name!a} is there but not named" for name in sorted(set(held) - set(named) - {layout.MANIFEST})]
    faults += [f"{name!a} is named but not there" for name in sorted(set(named) - set(held))]
    for name in sorted(set(named) & set(held)):
        if held[name].size != named[name].size:
            faults.append(f"{name!a} has {held[name].size} bytes, not {named[name].size}")
        elif held[name].digests["sha512"].hex != named[name].sha512:
            faults.append(f"{name!a} does not have its SHA-512")
    _conclude(log, "manifest", faults, f"{len(named)} members are those that it names", layout.MANIFEST)


def _check_layout(bundle: Bundle, log: Log) -> None:
    """No member that nothing in the bundle speaks of."""
    listed = {file.path for file in bundle.description.files}
    known = {layout.README, layout.MANIFEST, *_SMALL, *listed}
    for line in bundle.statement.roots:
        known |= {layout.evidence_name(line), layout.seal_evidence_name(line)}
    faults = []
    for name in sorted(set(bundle.members) - known):
        if layout.is_validation_name(name):
            if hash_bytes("sha256", bundle.read(name)).hex() != name.split("/")[1].split(".")[0]:
                faults.append(f"{name!a} does not have the SHA-256 in its name")
            continue
        earlier = layout.parse_earlier_name(name)
        if earlier is None or earlier[0] >= bundle.description.version:
            faults.append(f"{name!a} is not a part of this bundle")
    faults += [f"{name!a} is missing" for name in sorted(known - set(bundle.members))]
    _conclude(log, "layout", faults, f"{len(bundle.members)} members belong here")


def _check_description(bundle: Bundle, log: Log) -> None:
    description, manifest = bundle.description, bundle.manifest
    faults = []
    if (description.poid, description.version) != (manifest.poid, manifest.version):
        faults.append("the manifest is about another object or version")
    for digest in sorted({root.digest for root in bundle.statement.roots.values()}):
        if any(digest not in file.digests for file in description.files):
            faults.append(f"a file has no {digest} digest, which an evidence line needs")
    shown = f"object {description.poid}, version {description.version}, of {description.originator}"
    _conclude(log, "description", faults, shown, layout.DESCRIPTION)


def _check_files(bundle: Bundle, log: Log) -> None:
    faults = []
    for file in bundle.description.files:
        member = bundle.members.get(file.path)
        if member is None:
            faults.append(f"{file.path!a} is missing")
            continue
        if member.size != file.size:
            faults.append(f"{file.path!a} has {member.size} bytes, described are {file.size}")
        for name, digits in file.digests.items():
            if name not in member.digests:
                log.unclear("files", SubIndication.UNSUPPORTED, f"{name} cannot be computed here", file.path)
            elif member.digests[name].hex != digits:
                faults.append(f"{file.path!a} does not have the {name} digest of its description")
    message = f"{len(bundle.description.files)} files have the size and digests of their description"
    _conclude(log, "files", faults, message, sub=SubIndication.HASH_FAILURE)


def _check_chunk_lists(bundle: Bundle, log: Log) -> None:
    lists = [file.path for file in bundle.description.files if file.role == "chunks"]
    faults = []
    for name in lists:
        about = f"data/{name.removeprefix('chunks/').removesuffix('.json')}"
        if name not in bundle.members or about not in bundle.members:
            faults.append(f"{name!a} or what it is about is missing")
            continue
        try:
            listed = ChunkList.parse(bundle.read(name))
        except MalformedDocumentError as error:
            faults.append(f"{name!a}: {error}")
            continue
        right = tuple(Digest(CHUNK_DIGEST, value) for value in bundle.members[about].chunks)
        if listed.chunk_size != CHUNK_SIZE or listed.digests != right:
            faults.append(f"{name!a} does not hold the digests of the chunks of {about!a}")
    if lists:
        message = f"{len(lists)} chunk lists match their files"
        _conclude(log, "chunk lists", faults, message, sub=SubIndication.HASH_FAILURE)


def _check_statement(bundle: Bundle, log: Log) -> None:
    statement, manifest = bundle.statement, bundle.manifest
    faults = []
    if {line: root.digest for line, root in statement.roots.items()} != dict(manifest.lines):
        faults.append("the manifest names other evidence lines")
    if statement.batch != manifest.batch:
        faults.append("the manifest names another batch")
    if statement.test_trust != manifest.test_trust:
        faults.append("the manifest says otherwise about test trust")
    log.test_trust |= statement.test_trust
    _conclude(log, "statement", faults, f"batch {statement.batch}, {statement.leaf_count} objects", layout.STATEMENT)


def _conclude(
    log: Log,
    name: str,
    faults: Sequence[str],
    good: str,
    where: str = "",
    *,
    sub: SubIndication = SubIndication.FORMAT_FAILURE,
) -> None:
    """One step; with faults, the first is its message and each is a finding."""
    if not faults:
        log.passed(name, good, where)
        return
    more = f" (and {len(faults) - 1} more)" if len(faults) > 1 else ""
    log.failed(name, sub, faults[0] + more, where)
    for fault in faults[:1000]:
        log.note(name.upper().replace(" ", "_"), fault, where)
