"""Preservation objects of the protocol and files of the archive: the one as the other, and back.

Rules kept here
 * One PO is one file. Its `id` is the file's relative path; one without an id is called `po-1`, `po-2`, ….
 * A PO of the format `METADATA` is no file but metadata of the whole, a JSON object.
 * What else is said of a PO (format, media type, PRONOM id, relations) is kept in the object's metadata under
   `ts119512`, so that it is under evidence like the bytes. Other metadata stay as they are.
 * A file that came otherwise has no such words: it is given as `application/octet-stream`.
 * A change adds objects. One that is there already with the same bytes changes nothing; with others it is refused.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from api.ts119512 import formats
from api.ts119512.formats import verify_format
from api.ts119512.refusals import DeltaProblemError, FormatMismatchError, UnknownDeltaError, UnknownFormatError
from api.ts119512.requests import SubmittedObject
from archive_core import canonical
from archive_core.admission import CHUNKS, DATA, METADATA
from archive_core.errors import MalformedDocumentError, UsageError
from archive_core.lifecycle import SubmissionObject, SubmittedFile
from archive_core.packaging import DESCRIPTION
from policies.profiles import PreservationProfile

WORDS = "ts119512"
"""The member of the metadata that holds what was said of the objects, by their paths."""
_TEXTS = ("formatId", "mimeType", "pronomId")

Words = Mapping[str, Mapping[str, Any]]


def submission_of(
    objects: Sequence[SubmittedObject], *, profile: PreservationProfile, originator: str, key: str | None
) -> SubmissionObject:
    """What is to be deposited for the objects of a request. Raises a `UsageError`."""
    documents = [one for one in objects if one.format_id != formats.METADATA]
    for number, one in enumerate(documents):
        verify_format(one.format_id, one.content, f"po[{number}]", UnknownFormatError)
    said = _metadata_of([one for one in objects if one.format_id == formats.METADATA], profile)
    named = list(_named(documents, taken=()))
    return SubmissionObject(_files(named), originator, metadata=_written(said, named), profile=profile.id, key=key)


def _metadata_of(given: Sequence[SubmittedObject], profile: PreservationProfile) -> dict[str, Any]:
    """What a submitter says of the whole; nothing when nothing is given."""
    if not given:
        return {}
    (one, *more) = given
    if more or one.id is not None or one.related or one.pronom_id is not None:
        raise UsageError("metadata are one object, without id, relObj and pronomId")
    value = _read(one.content, profile)
    if value is None:
        raise FormatMismatchError("the metadata are not a JSON object within the limits, with whole numbers only")
    if WORDS in value:
        raise UsageError(f"metadata have no member {WORDS}: it is written here")
    return value


def changed(
    held: Mapping[str, bytes], deltas: Sequence[SubmittedObject], *, profile: PreservationProfile, originator: str
) -> SubmissionObject | None:
    """The complete next version of what is held (by logical path) with some objects more, or None when all of them are
    held already. Raises `UnknownDeltaError`, `DeltaProblemError`, or `UsageError`."""
    for number, one in enumerate(deltas):
        verify_format(one.format_id, one.content, f"deltaPoc[{number}]", UnknownDeltaError)
    documents = {path.removeprefix(DATA): content for path, content in held.items() if path.startswith(DATA)}
    new = []
    for path, one in _named(deltas, taken=documents):
        if path not in documents:
            new.append((path, one))
        elif documents[path] != one.content:
            raise DeltaProblemError(f"{path[:80]!a} is held with other bytes; a change adds objects, it replaces none")
    if not new:
        return None
    before = _read(held.get(METADATA), profile)
    if METADATA in held and before is None:
        raise DeltaProblemError("the metadata that are held cannot be added to")
    files = (*(SubmittedFile(path, content) for path, content in documents.items()), *_files(new))
    return SubmissionObject(files, originator, metadata=_written(before or {}, new))


def given(held: Mapping[str, bytes], *, whole: bool, profile: PreservationProfile) -> Iterator[SubmittedObject]:
    """The documents of a version as POs, by their paths; with `whole` the rest of the data group after them, each
    under an id that begins with `/`, which no document's does."""
    said = words_of(_read(held.get(METADATA), profile))
    for path, content in sorted(held.items()):
        if path.startswith(DATA):
            name = path.removeprefix(DATA)
            yield _with_words(name, content, said.get(name, {}))
    if whole:
        for path, content in sorted(held.items()):
            if not path.startswith(DATA):
                yield SubmittedObject(content, _format_of(path), "application/json", id=f"/{path}")


def words_of(metadata: dict[str, Any] | None) -> Words:
    """What metadata say of the objects, as far as it is of the form that is written here: they may be anybody's."""
    kept = (metadata or {}).get(WORDS)
    said = kept.get("po") if isinstance(kept, dict) else None
    if not isinstance(said, dict):
        return {}
    return {path: words for path, words in said.items() if isinstance(words, dict)}


def _with_words(name: str, content: bytes, words: Mapping[str, Any]) -> SubmittedObject:
    texts = {one: words[one] for one in _TEXTS if isinstance(words.get(one), str)}
    related = words.get("relObj")
    return SubmittedObject(
        content,
        texts.get("formatId"),
        texts.get("mimeType") or (None if "formatId" in texts else formats.PLAIN),
        texts.get("pronomId"),
        name,
        tuple(one for one in related if isinstance(one, str)) if isinstance(related, list) else (),
    )


def _format_of(path: str) -> str | None:
    if path == DESCRIPTION:
        return formats.DESCRIPTION
    if path == METADATA:
        return formats.METADATA
    return formats.CHUNKS if path.startswith(CHUNKS) else None


def _named(objects: Iterable[SubmittedObject], *, taken: Iterable[str]) -> Iterator[tuple[str, SubmittedObject]]:
    """Each object under its path. Raises `UsageError` for a relation to an object that is in none of the requests."""
    objects = list(objects)
    known = {*taken, *(one.id for one in objects if one.id is not None)}
    for one in objects:
        for other in one.related:
            if other not in known:
                raise UsageError(f"relObj names {other[:80]!a}, which is not there")
    number = 0
    for one in objects:
        if one.id is not None:
            yield one.id, one
            continue
        number += 1
        while f"po-{number}" in known:
            number += 1
        yield f"po-{number}", one


def _files(named: Iterable[tuple[str, SubmittedObject]]) -> tuple[SubmittedFile, ...]:
    return tuple(SubmittedFile(path, one.content) for path, one in named)


def _written(before: dict[str, Any], named: Iterable[tuple[str, SubmittedObject]]) -> bytes:
    """Metadata with what is said of some more objects."""
    said = {**words_of(before), **{path: _words(one) for path, one in named}}
    return canonical.write({**before, WORDS: {"po": said}})


def _words(one: SubmittedObject) -> dict[str, Any]:
    words: dict[str, Any] = {
        "formatId": one.format_id,
        "mimeType": one.mime_type,
        "pronomId": one.pronom_id,
        "relObj": list(one.related),
    }
    return {name: value for name, value in words.items() if value}


def _read(metadata: bytes | None, profile: PreservationProfile) -> dict[str, Any] | None:
    """Metadata as a value; None where there are none, or none that can be written again."""
    if metadata is None:
        return None
    limits = profile.limits
    try:
        value = canonical.read(metadata, max_bytes=limits.max_metadata_bytes, max_depth=limits.max_metadata_depth)
    except MalformedDocumentError:
        return None
    return value if isinstance(value, dict) else None
