"""The time-stamps of a JAdES signature, and the octets that each should cover (ETSI TS 119 182-1 5.2.6, 5.3.4, 5.3.6,
A.1.5).

Rules kept here
 * Octets are texts as they were received: signature value, protected header, and each element of `etsiU` as its
   base64url. Nothing is decoded and encoded again, so that a token copied from elsewhere, or an element that was moved,
   changed or left out, does not fit.
 * Elements that are plain JSON objects would have to be canonicalised, and the standard names no way of doing that:
   what a time-stamp over such elements covers is "not found", so that it is undecided and proves nothing.
 * The data that are signed are found as for the signature (`jades_data`); where they are digested one by one (5.2.8.3)
   the time-stamps cover the data themselves, one after the other.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from archive_core.digests import is_available, new_hasher
from archive_core.findings import Finding
from signing.examination.jades_data import Octets
from signing.examination.jades_unsigned import Element, tokens_of
from signing.examination.stamping import Imprints, Stamp
from signing.examination.values import TimestampKind
from signing.jws import Jws

MAX_STAMPS = 100
_REFERENCES = frozenset({"xRefs", "rRefs", "axRefs", "arRefs"})
_NO_STAMPS = _REFERENCES | {"xVals", "rVals", "axVals", "arVals", "tstVD", "anyValData"}


@dataclass(frozen=True)
class Around:
    """A signature with what its time-stamps may cover. `data` gives the signed data, None where they were not found."""

    jws: Jws
    elements: Sequence[Element]
    data: Octets | None
    place: str


@dataclass(frozen=True)
class _Kind:
    kind: TimestampKind
    what: str
    covers: str
    octets: Callable[[Around, int], Octets | None]


def stamps_of(around: Around) -> tuple[tuple[Stamp, ...], tuple[Finding, ...]]:
    """Every time-stamp token in the signature, and what of the unsigned header is not judged."""
    stamps: list[Stamp] = []
    findings: list[Finding] = []
    holders = [(-1, "adoTst", around.jws.header["adoTst"])] if "adoTst" in around.jws.header else []
    holders += [(index, one.name, one.value) for index, one in enumerate(around.elements) if one.name]
    for index, name, value in holders:
        kind = _KINDS.get(name)
        if kind is None:
            if name not in _NO_STAMPS:
                text = f"{name[:40]!a} is not judged here"
                findings.append(Finding("UNSIGNED_NOT_JUDGED", text, clause="TS 119 182-1 5.3"))
            continue
        tokens = list(tokens_of(value))
        if not tokens:
            findings.append(Finding("TIMESTAMP_UNREADABLE", f"no time-stamp in {name}", clause="TS 119 182-1 5.4.3.3"))
        before = frozenset(one.id for one in stamps)
        for token in tokens:
            if len(stamps) >= MAX_STAMPS:
                findings.append(Finding("TIMESTAMP_LIMIT", f"only {MAX_STAMPS} time-stamps are looked at"))
                return tuple(stamps), tuple(findings)
            place = f"{around.place} time-stamp {len(stamps) + 1} ({kind.what})"
            imprints = _imprints(kind.octets(around, index))
            stamps.append(Stamp(place, kind.kind, token, imprints, kind.covers, protects=before))
    return tuple(stamps), tuple(findings)


def _imprints(octets: Octets | None) -> Imprints:
    def fitting(algorithm: str) -> list[bytes]:
        if octets is None or not is_available(algorithm):
            return []
        hasher = new_hasher(algorithm)
        for piece in octets():
            hasher.update(piece)
        return [bytes(hasher.digest())]

    return fitting


# -- what each kind covers; the index is the time-stamp's own in etsiU --------------------------------


def _content(around: Around, _index: int) -> Octets | None:
    """The signed data (5.2.6)."""
    return around.data


def _value(around: Around, _index: int) -> Octets:
    """The text of the signature value (5.3.4)."""
    return lambda: iter([around.jws.value_text.encode("ascii")])


def _everything(around: Around, index: int) -> Octets | None:
    """Data, protected header, signature value and every element before the time-stamp (5.3.6.3)."""
    data, elements = around.data, _texts(around.elements[:index])
    if data is None or elements is None:
        return None
    jws = around.jws

    def octets() -> Iterator[bytes]:
        yield from data()
        yield f".{jws.protected}.{jws.value_text}.".encode("ascii")
        yield from elements

    return octets


def _value_and_references(around: Around, index: int) -> Octets | None:
    """The signature value, and signature time-stamps and references before the time-stamp (A.1.5.1)."""
    wanted = _REFERENCES | {"sigTst"}
    elements = _texts([one for one in around.elements[:index] if one.name in wanted])
    if elements is None:
        return None
    return lambda: iter([f"{around.jws.value_text}.".encode("ascii"), *elements])


def _references(around: Around, index: int) -> Octets | None:
    """The references before the time-stamp (A.1.5.2)."""
    elements = _texts([one for one in around.elements[:index] if one.name in _REFERENCES])
    return None if not elements else lambda: iter(elements)


def _texts(elements: Sequence[Element]) -> list[bytes] | None:
    texts = [one.text for one in elements if one.text is not None]
    return [text.encode("utf-8", "surrogatepass") for text in texts] if len(texts) == len(elements) else None


_KINDS = {
    "adoTst": _Kind(TimestampKind.CONTENT, "content", "signed data", _content),
    "sigTst": _Kind(TimestampKind.SIGNATURE, "signature", "signature value", _value),
    "sigRTst": _Kind(
        TimestampKind.REFERENCES, "validation data", "signature value and references", _value_and_references
    ),
    "rfsTst": _Kind(TimestampKind.REFERENCES_ONLY, "validation data", "validation data references", _references),
    "arcTst": _Kind(TimestampKind.ARCHIVE, "archive", "everything before it", _everything),
}
