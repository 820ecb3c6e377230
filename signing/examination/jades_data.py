"""Data beside a JAdES signature that its header refers to (`sigD`, ETSI TS 119 182-1 5.2.8).

Rules kept here
 * Two of the three mechanisms are judged: ObjectIdByURI (the data, one after the other, are the payload) and
   ObjectIdByURIHash (the payload is empty, the header holds their digests). HTTP headers are "not judged", by name.
 * With `b64` true, or absent, it is the base64url of each that is concatenated or digested, as EU DSS does.
 * Data are the documents that were given: by their names, or, of one name and one document, that. Of digests the
   document that fits counts. Nothing is fetched.
 * Time-stamps over the data cover them as they are concatenated in the first mechanism, in the second as well.
"""

from __future__ import annotations

import base64
import hmac
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any
from urllib.parse import unquote

from archive_core.digests import new_hasher
from signing.examination.documents import Document
from signing.examination.values import Reference
from signing.judgement import Judgement, malformed, unsupported
from signing.jws import JwsError, decoded, encoded

MAX_DATA = 1000
"""Data that one signature refers to."""
BY_URI = "http://uri.etsi.org/19182/ObjectIdByURI"
BY_URI_HASH = "http://uri.etsi.org/19182/ObjectIdByURIHash"
HASHES = {
    "S256": "sha256",
    "S384": "sha384",
    "S512": "sha512",
    "S3-256": "sha3-256",
    "S3-384": "sha3-384",
    "S3-512": "sha3-512",
}
"""Digest algorithms by the names that JAdES has for them (table A.1)."""
_PIECE = 3 * 256 * 1024
"""Octets that are encoded at once: a multiple of three, so that the pieces' base64url is that of the whole."""


Octets = Callable[[], Iterator[bytes]]
"""Octets in pieces, from the beginning each time."""


@dataclass(frozen=True)
class SignedData:
    """`pieces` are the payload as it is signed, None where it was not found; `references` say which data were found and
    whether they fit, `covers` what they are called. `digested` are the data where the payload holds only digests of
    them, None where not all were found."""

    pieces: tuple[bytes, ...] | None
    references: tuple[Reference, ...] = ()
    covers: tuple[str, ...] = ()
    failure: Judgement | None = None
    digested: Octets | None = None

    @property
    def stamped(self) -> Octets | None:
        """The data as time-stamps cover them (5.2.6, 5.3.6.3), None where they were not found."""
        if self.references:
            return self.digested
        pieces = self.pieces
        return None if pieces is None else lambda: iter(pieces)


def signed_data(value: Any, detached: Sequence[Document], *, plain: bool, most: int) -> SignedData:
    """What `sigD` refers to, among the documents given. `plain`: `b64` is false. Documents of more than `most` octets
    are no payload."""
    mechanism = value.get("mId") if isinstance(value, Mapping) else None
    if mechanism not in (BY_URI, BY_URI_HASH):
        return _failed(unsupported(f"data that sigD refers to by {str(mechanism)[:80]!a}"))
    names = value.get("pars")
    if not isinstance(names, list) or not 0 < len(names) <= MAX_DATA or not all(isinstance(one, str) for one in names):
        return _failed(malformed(f"`sigD` does not name from 1 to {MAX_DATA} data (TS 119 182-1 5.2.8)"))
    if mechanism == BY_URI:
        return _payload(names, detached, plain, most)
    return _digested(names, value, detached, plain)


def _failed(judgement: Judgement) -> SignedData:
    return SignedData(None, (Reference("sigD", False, False),), (), judgement)


def _payload(names: Sequence[str], detached: Sequence[Document], plain: bool, most: int) -> SignedData:
    found = [_named(name, names, detached) for name in names]
    there = [one for one in found if one is not None]
    if len(there) < len(found) or sum(one.size for one in there) > most:
        missing = [Reference(name, False, False) for name, one in zip(names, found, strict=True) if one is None]
        return SignedData(None, tuple(missing), tuple(one.name for one in there))
    octets = [one.read(most) for one in there]
    pieces = octets if plain else [encoded(one).encode("ascii") for one in octets]
    return SignedData(tuple(pieces), (), tuple(one.name for one in there))


def _digested(names: Sequence[str], value: Mapping[str, Any], detached: Sequence[Document], plain: bool) -> SignedData:
    algorithm, digests = HASHES.get(str(value.get("hashM"))), value.get("hashV")
    if algorithm is None:
        return _failed(unsupported(f"digests in sigD by {str(value.get('hashM'))[:40]!a}"))
    if not isinstance(digests, list) or len(digests) != len(names):
        return _failed(malformed("`sigD` does not hold a digest for each of its data (TS 119 182-1 5.2.8.3)"))
    try:
        stated = [decoded(one, "a digest in sigD") for one in digests]
    except JwsError as error:
        return _failed(malformed(f"{error} (TS 119 182-1 5.2.8.3)"))
    ours = [(one, _digest(one, algorithm, plain)) for one in detached]
    references: list[Reference] = []
    there: list[Document] = []
    for name, digest in zip(names, stated, strict=True):
        fitting = next((one for one, its in ours if hmac.compare_digest(its, digest)), None)
        found = fitting or _named(name, names, detached)
        references.append(Reference(name, found is not None, fitting is not None, algorithm, indirect=True))
        if found is not None:
            there.append(found)
    digested = None
    if len(there) == len(names):
        digested = partial(_all_octets, tuple(there), plain)
    return SignedData((b"",), tuple(references), tuple(one.name for one in there), digested=digested)


def _named(name: str, names: Sequence[str], detached: Sequence[Document]) -> Document | None:
    if len(names) == 1 and len(detached) == 1:
        return detached[0]
    wanted = unquote(name)
    return next((one for one in detached if one.name == wanted), None)


def _digest(document: Document, algorithm: str, plain: bool) -> bytes:
    if plain:
        return document.digest(algorithm)
    hasher = new_hasher(algorithm)
    for piece in _all_octets((document,), plain):
        hasher.update(piece)
    return bytes(hasher.digest())


def _all_octets(documents: Sequence[Document], plain: bool) -> Iterator[bytes]:
    for document in documents:
        with document.open() as stream:
            while piece := stream.read(_PIECE):
                yield piece if plain else base64.urlsafe_b64encode(piece).rstrip(b"=")
