"""Checks a submission against its preservation profile, before anything is stored.

Rules kept here
 * Nothing is stored here. A refusal says which rule, which file and which limit.
 * Every file is read exactly once, for size, digests and chunk digests together; a digest that the
   depositor claimed is compared before anything else happens with the file.
 * A 0-byte file is a file. An empty submission is not a submission.
"""

from __future__ import annotations

import hmac
from collections.abc import Collection, Iterable, Mapping
from dataclasses import replace
from datetime import datetime

from archive_core import canonical
from archive_core.description import EXAMINATION, Description
from archive_core.digests import Digest, digest_size, hash_bytes, is_known
from archive_core.errors import (
    DigestMismatchError,
    EmptySubmissionError,
    MalformedDocumentError,
    MetadataNotAcceptedError,
    ProfileNotActiveError,
    SizeLimitError,
    SubmissionError,
)
from archive_core.lifecycle import AcceptedFile, AcceptedSubmission, SubmissionObject, SubmittedFile
from archive_core.measure import Measured, chunk_list, measure
from archive_core.names import MAX_PART_BYTES, verify_distinct, verify_path
from archive_core.ports import KnownBytes
from policies.profiles import PreservationProfile

DATA, METADATA, CHUNKS = "data/", "metadata.json", "chunks/"
"""Logical paths inside a package: deposited files, the metadata file, chunk digest lists."""

MAX_KEY_BYTES = 255
ONCE = "once:"
"""Begins the idempotency key of a submission that is to be deposited once."""

MAX_ORIGINATOR_BYTES = 255

KEPT = 4 * 1024 * 1024
"""Small files are kept in memory from here to the stores; of one submission no more than so many bytes."""

CONTENT_DIGEST = "sha512"
"""The digest that OCFL and every new record use (TS 119 312 V2.1.1 5.2.2)."""


def admit(
    submission: SubmissionObject, profile: PreservationProfile, *, at: datetime, updates: str | None = None
) -> AcceptedSubmission:
    """Check and measure; raises a `SubmissionError` that says what to change.

    `updates` is the POID whose next version this is to be."""
    if not profile.is_active(at):
        raise ProfileNotActiveError(f"the profile {profile.id} takes no submissions on {at.date()}", profile=profile.id)
    _verify_key(submission.key)
    _verify_originator(submission.originator)
    if not submission.files:
        raise EmptySubmissionError
    if len(submission.files) > profile.limits.max_files:
        raise SizeLimitError(
            f"{len(submission.files)} files; the profile {profile.id} takes at most {profile.limits.max_files}",
            limit=profile.limits.max_files,
        )
    for file in submission.files:
        verify_path(file.path)
    verify_distinct(file.path for file in submission.files)
    algorithms = digest_names(profile)
    accepted: list[AcceptedFile] = []
    total = 0
    for file in submission.files:
        taken = _admit_file(file, profile, algorithms)
        if total > KEPT:
            taken[0] = replace(taken[0], source=file.source)
        total += taken[0].size
        if total > profile.limits.max_total_size:
            raise SizeLimitError(
                f"the submission has more than {profile.limits.max_total_size} bytes",
                limit=profile.limits.max_total_size,
            )
        accepted.extend(taken)
    if submission.metadata is not None:
        accepted.append(_admit_metadata(submission.metadata, profile, algorithms))
    accepted.sort(key=lambda item: item.logical_path)
    asked = request_digest(
        submission.originator,
        profile.id,
        ((item.logical_path, item.size, item.digests[CONTENT_DIGEST].hex) for item in accepted),
        updates,
    )
    return AcceptedSubmission(
        profile=profile,
        originator=submission.originator,
        key=f"{ONCE}{asked}" if submission.once and submission.key is None else submission.key,
        files=tuple(accepted),
        request_digest=asked,
    )


def digest_names(profile: PreservationProfile) -> tuple[str, ...]:
    """Every digest that a version under this profile is measured with."""
    return tuple(sorted({CONTENT_DIGEST} | {line.digest for line in profile.lines}))


def request_digest(originator: str, profile: str, files: Iterable[tuple[str, int, str]], updates: str | None) -> str:
    """sha512 (hex) over what was asked for. Chunk lists and what examinations found are left out: they are ours.
    The same value comes out of a stored description (`request_digest_of`), so that retries are
    recognised also after the catalogue was rebuilt."""
    listed = sorted([path, size, digest] for path, size, digest in files if not path.startswith((CHUNKS, EXAMINATION)))
    asked = {"originator": originator, "profile": profile, "files": listed, "updates": updates}
    return hash_bytes(CONTENT_DIGEST, canonical.write(asked)).hex()


def request_digest_of(description: Description) -> str:
    return request_digest(
        description.originator,
        description.profile,
        ((file.path, file.size, file.digests[CONTENT_DIGEST]) for file in description.files),
        description.poid if description.version > 1 else None,
    )


def _verify_key(key: str | None) -> None:
    if key is None:
        return
    try:
        length = len(key.encode("utf-8"))
    except UnicodeEncodeError:
        raise SubmissionError("the idempotency key is not valid Unicode") from None
    if not 0 < length <= MAX_KEY_BYTES:
        raise SubmissionError(f"the idempotency key has {length} bytes; 1 to {MAX_KEY_BYTES} of UTF-8 are taken")


def _verify_originator(originator: str) -> None:
    """It stands in descriptions and statements for ever, and in every list."""
    try:
        length = len(originator.encode("utf-8"))
    except UnicodeEncodeError:
        raise SubmissionError("the organisation is not valid Unicode") from None
    if not 0 < length <= MAX_ORIGINATOR_BYTES:
        raise SubmissionError(f"the organisation has {length} bytes; 1 to {MAX_ORIGINATOR_BYTES} of UTF-8 are taken")
    if not originator.isprintable():
        raise SubmissionError("the organisation holds a character that cannot be printed")


def _admit_file(file: SubmittedFile, profile: PreservationProfile, algorithms: tuple[str, ...]) -> list[AcceptedFile]:
    limit = profile.limits.max_file_size
    announced = _announced_size(file)
    if announced > limit:
        raise SizeLimitError(f"{file.path[:80]!a} has {announced} bytes; at most {limit} are taken", limit=limit)
    claimed = {name.lower(): value for name, value in file.claimed.items()}
    for name, value in claimed.items():
        if not is_known(name) or len(value) != 2 * digest_size(name):
            raise SubmissionError(f"the digest claimed for {file.path[:80]!a} is not a {name[:20]!a} value")
    measured = _measure(file, {*algorithms, *claimed})
    _verify_claims(file.path, claimed, {**file.digests, **measured.digests}, measured)
    digests = {name: measured.digests[name] for name in algorithms}
    source = file.source if measured.content is None else measured.content
    accepted = [AcceptedFile(DATA + file.path, "document", source, measured.size, digests)]
    if measured.chunks and len(f"{file.path.rpartition('/')[2]}.json".encode()) <= MAX_PART_BYTES:
        # A name too long for the suffix does without a chunk list: its ranges are verified as a whole.
        listed = chunk_list(measured)
        of_list = measure(listed, algorithms)
        accepted.append(AcceptedFile(f"{CHUNKS}{file.path}.json", "chunks", listed, of_list.size, of_list.digests))
    return accepted


def _announced_size(file: SubmittedFile) -> int:
    if isinstance(file.source, bytes):
        return len(file.source)
    try:
        return file.source.stat().st_size
    except OSError as error:
        raise SubmissionError(f"cannot read {file.path[:80]!a}: {error.strerror}") from error


def _measure(file: SubmittedFile, algorithms: Collection[str]) -> Measured:
    """As `measure`; bytes that were hashed while they came in are not hashed again."""
    if isinstance(file.source, KnownBytes) and file.digests.keys() >= set(algorithms):
        return Measured(len(file.source), file.digests, (), file.source)
    return measure(file.source, algorithms)


def _verify_claims(path: str, claimed: Mapping[str, str], found: Mapping[str, Digest], measured: Measured) -> None:
    for name, value in claimed.items():
        if not hmac.compare_digest(value.lower(), measured.digests[name].hex):
            raise DigestMismatchError(
                f"{path[:80]!a} arrived with another {name} than claimed: send it again",
                path=path,
                algorithm=name,
                claimed=value.lower(),
                found=measured.digests[name].hex,
            )
    for name, digest in found.items():
        if name in measured.digests and digest != measured.digests[name]:
            raise DigestMismatchError(f"{path[:80]!a} changed while it was being taken in: send it again")


def _admit_metadata(metadata: bytes, profile: PreservationProfile, algorithms: tuple[str, ...]) -> AcceptedFile:
    limits = profile.limits
    if len(metadata) > limits.max_metadata_bytes:
        raise MetadataNotAcceptedError(
            f"the metadata has {len(metadata)} bytes; at most {limits.max_metadata_bytes} are taken"
        )
    try:
        value = canonical.read(
            metadata,
            max_bytes=limits.max_metadata_bytes,
            max_depth=limits.max_metadata_depth,
            fractions=True,
        )
    except MalformedDocumentError as error:
        raise MetadataNotAcceptedError(f"the metadata is not acceptable JSON: {error}") from error
    if not isinstance(value, dict):
        raise MetadataNotAcceptedError("the metadata must be a JSON object")
    measured = measure(metadata, algorithms)
    return AcceptedFile(METADATA, "metadata", metadata, measured.size, measured.digests)
