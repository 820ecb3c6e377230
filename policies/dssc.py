"""Lists of suitable algorithms as RFC 5698 (DSSC) writes them, between their document and our table.

Rules kept here
 * Exact: an evaluation counts for the key sizes that its parameters state; of several that apply to a key the most
   favourable counts (RFC 5698 3.1). One with a parameter that we cannot evaluate counts for nothing.
 * `End` is read as the first instant at which an algorithm is no longer good, in the time zone that stands there
   (ETSI's lists name the first of January for the end of a year); `Start` as the first at which it is.
 * A list names signature algorithms together with their digest; here the digest is judged by its own entry, and the
   scheme by the most favourable of its members. What a list names and this program has no use for (curves,
   composites) is left out, hence unsuitable, and counted in the title.
 * A DSSC list says nothing of the long term: that rule comes from the newest published table.
"""

from __future__ import annotations

import hashlib
import itertools
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta, timezone

from policies.algorithms import DISCONTINUED, LEGACY, RECOMMENDED, AlgorithmRow, AlgorithmTable, current_algorithms
from policies.errors import PolicyError

MAX_ALGORITHMS = 1000
MAX_EVALUATIONS = 100
_MAX_KEY = 1 << 20


@dataclass(frozen=True, slots=True)
class Parameter:
    """A bound on a key; both ends inclusive, None where open."""

    name: str
    least: int | None
    most: int | None


@dataclass(frozen=True, slots=True)
class Evaluation:
    """`recommendation` is ETSI's R or L (TS 119 322), empty where a list has none."""

    parameters: tuple[Parameter, ...]
    start: datetime | None
    end: datetime | None
    recommendation: str = ""


@dataclass(frozen=True, slots=True)
class Algorithm:
    name: str
    oids: tuple[str, ...]
    evaluations: tuple[Evaluation, ...]


@dataclass(frozen=True, slots=True)
class SuitabilityList:
    """A SecuritySuitabilityPolicy. `issued` and `next_update` are instants."""

    name: str
    publisher: str
    issued: datetime
    next_update: datetime | None
    algorithms: tuple[Algorithm, ...]


# -- what identifiers mean to this program ---------------------------------------------------------

_MORE_OIDS = {
    **{f"2.16.840.1.101.3.4.3.{arc}": "rsa-pkcs1v15" for arc in range(13, 17)},
    **{f"2.16.840.1.101.3.4.3.{arc}": "ecdsa" for arc in range(9, 13)},
    "2.16.840.1.101.3.4.3.3": "dsa",
    "2.16.840.1.101.3.4.3.4": "dsa",
}
"""RSA and ECDSA with SHA-3, DSA with SHA-384 and SHA-512 (NIST CSOR), beyond those of the published tables."""

_SIZE_OF_OID = {
    "1.3.101.112": (253, 256),
    "1.3.101.113": (446, 456),
    **{f"2.16.840.1.101.3.4.3.{arc}": (size, size) for arc, size in ((17, 44), (18, 65), (19, 87))},
    **{
        f"2.16.840.1.101.3.4.3.{arc}": (size, size)
        for first in (20, 26)
        for arc, size in zip(range(first, first + 6), (128, 128, 192, 192, 256, 256), strict=True)
    },
}
"""Identifiers that fix the key size themselves: EdDSA, ML-DSA and SLH-DSA."""

_CURVES = {
    "1.2.840.10045.3.1.7": 256,
    "1.3.132.0.34": 384,
    "1.3.132.0.35": 521,
    "1.2.250.1.223.101.256.1": 256,
    "1.3.36.3.3.2.8.1.1.7": 256,
    "1.3.36.3.3.2.8.1.1.11": 384,
    "1.3.36.3.3.2.8.1.1.13": 512,
}
_SIZE_PARAMETERS = {
    "rsa-pkcs1v15": "moduluslength",
    "rsa-pss": "moduluslength",
    "dsa": "plength",
    "ecdsa": "plength",
    "lms": "hashlength",
    "xmss": "hashlength",
}
"""The parameter that states the key size by which we ask (RFC 5698 appendix; `hashlength` is ours)."""

_FOLLOWS = {"dsa": "qlength", "ecdsa": "qlength"}
"""Parameters that follow from the size in every standardised parameter set, and are not asked about."""


def table_of(found: SuitabilityList, source: bytes, form: str) -> AlgorithmTable:
    """The list as an algorithm table; `source` are the document's bytes, kept as they are.

    Raises PolicyError when nothing in it concerns this program, or it names no digest.
    """
    base = current_algorithms()
    digests, schemes = _digests(found, base), _schemes(found, base)
    used = {oid for row in (*digests, *schemes) for oid in row.oids}
    unused = sum(1 for one in found.algorithms if not used & set(one.oids))
    if not digests or not schemes:
        raise PolicyError("The list of algorithms names no digest, or no signature scheme, that is known here.")
    left_out = f"; {unused} algorithms in it are not used here" if unused else ""
    return AlgorithmTable(
        id=f"algorithms-{found.issued:%Y-%m-%d}-{hashlib.sha512(source).hexdigest()[:8]}",
        issued=found.issued,
        title=f"{found.name}, {found.publisher}{left_out}",
        digests=digests,
        signatures=schemes,
        long_term=base.long_term,
        source=source,
        form=form,
    )


def _digests(found: SuitabilityList, base: AlgorithmTable) -> tuple[AlgorithmRow, ...]:
    rows: list[AlgorithmRow] = []
    for known in base.digests:
        evaluations = [
            one
            for algorithm in found.algorithms
            if set(known.oids) & set(algorithm.oids)
            for one in algorithm.evaluations
        ]
        applying = [one for one in evaluations if not one.parameters]
        if applying:
            rows.append(_row(max(applying, key=_favour), found, (known.name,), known.oids, bits=known.bits))
    return tuple(rows)


def _schemes(found: SuitabilityList, base: AlgorithmTable) -> tuple[AlgorithmRow, ...]:
    names: dict[str, tuple[str, ...]] = {}
    scheme_of = dict(_MORE_OIDS)
    for row in base.signatures:
        names[row.name] = tuple(dict.fromkeys((*names.get(row.name, ()), *row.names)))
        scheme_of |= dict.fromkeys(row.oids, row.name)
    scheme_of |= {oid: "slh-dsa" for oid in _SIZE_OF_OID if 20 <= int(oid.rpartition(".")[2]) <= 31}
    members: dict[str, list[tuple[str, Evaluation]]] = {}
    for algorithm in found.algorithms:
        for oid in algorithm.oids:
            if oid in scheme_of:
                members.setdefault(scheme_of[oid], []).extend((oid, one) for one in algorithm.evaluations)
    curves = [_CURVES[oid] for one in found.algorithms for oid in one.oids if oid in _CURVES]
    rows: list[AlgorithmRow] = []
    for scheme, evaluations in members.items():
        oids = tuple(dict.fromkeys(oid for oid, _ in evaluations))
        spans = list(_spans(scheme, evaluations, min(curves, default=0)))
        for low, high, best in _bands(spans):
            fixed = tuple(oid for oid in oids if _SIZE_OF_OID.get(oid, (low, high)) == (low, high))
            rows.append(_row(best, found, names[scheme], fixed, low=low, high=high))
    return tuple(rows)


Span = tuple[int, int, Evaluation]
"""Key sizes from and to, inclusive, with what is said of them."""


def _spans(scheme: str, evaluations: Iterable[tuple[str, Evaluation]], least_curve: int) -> Iterator[Span]:
    wanted = _SIZE_PARAMETERS.get(scheme)
    for oid, evaluation in evaluations:
        low, high = _SIZE_OF_OID.get(oid, (least_curve if scheme == "ecdsa" else 0, _MAX_KEY))
        named = {one.name.lower(): one for one in evaluation.parameters}
        size = named.pop(wanted, None) if wanted else None
        follows = named.pop(_FOLLOWS.get(scheme, ""), None)
        if named:
            continue  # a parameter that cannot be evaluated here
        size = size or (follows if scheme == "ecdsa" else None)
        if size is not None:
            low, high = max(low, size.least or 0), min(high, _MAX_KEY if size.most is None else size.most)
        if low <= high:
            yield low, high, evaluation


def _bands(spans: list[Span]) -> Iterator[Span]:
    """Disjoint bands of key sizes, each with the most favourable evaluation that covers it."""
    edges = sorted({edge for low, high, _ in spans for edge in (low, high + 1)})
    for low, above in itertools.pairwise(edges):
        covering = [said for first, last, said in spans if first <= low and above - 1 <= last]
        if covering:
            yield low, above - 1, max(covering, key=_favour)


def _favour(evaluation: Evaluation) -> tuple[bool, datetime, bool]:
    end = evaluation.end
    return end is None, end or datetime.max.replace(tzinfo=UTC), evaluation.start is None


def _row(
    said: Evaluation,
    found: SuitabilityList,
    names: tuple[str, ...],
    oids: tuple[str, ...],
    *,
    bits: int = 0,
    low: int = 0,
    high: int = _MAX_KEY,
) -> AlgorithmRow:
    if said.end is not None and said.end <= found.issued:
        status = DISCONTINUED
    else:
        status = LEGACY if said.recommendation == "L" or (said.end and not said.recommendation) else RECOMMENDED
    return AlgorithmRow(
        names=names,
        oids=oids,
        status=status,
        until=said.end,
        source=f"{found.name}, {found.issued:%Y-%m-%d}",
        note="",
        bits=bits,
        min_bits=low or None,
        max_bits=None if high >= _MAX_KEY else high,
        since=said.start,
    )


# -- from our table --------------------------------------------------------------------------------


def list_of(table: AlgorithmTable) -> SuitabilityList:
    """Our table as a list: what `table_of` makes of it answers every question alike."""
    groups: dict[tuple[str, tuple[str, ...]], list[AlgorithmRow]] = {}
    for row in (*table.digests, *table.signatures):
        groups.setdefault((row.name, row.oids), []).append(row)
    algorithms = tuple(
        Algorithm(name, oids, tuple(_evaluation(row) for row in rows)) for (name, oids), rows in groups.items()
    )
    return SuitabilityList(table.title, "trusted-archive", table.issued, None, algorithms)


def _evaluation(row: AlgorithmRow) -> Evaluation:
    wanted = _SIZE_PARAMETERS.get(row.name)
    parameters: tuple[Parameter, ...] = ()
    if wanted and not row.bits and (row.min_bits, row.max_bits) != (None, None):
        parameters = (Parameter(wanted, row.min_bits, row.max_bits),)
    return Evaluation(parameters, row.since, row.until, {RECOMMENDED: "R", LEGACY: "L"}.get(row.status, ""))


# -- dates as XML Schema writes them ----------------------------------------------------------------

_ZONE = r"(Z|[+-]\d\d:\d\d)?"
_DATE = re.compile(r"(\d{4})-(\d\d)-(\d\d)" + _ZONE, re.ASCII)
_DATE_TIME = re.compile(r"(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)(?:\.\d{1,9})?" + _ZONE, re.ASCII)


def read_date(text: str, place: str) -> datetime:
    """An xs:date as the beginning of that day, in UTC where it names no zone."""
    match = _DATE.fullmatch(text.strip())
    try:
        if match:
            day = date(*(int(part) for part in match.groups()[:3]))
            return datetime(day.year, day.month, day.day, tzinfo=_zone(match[4])).astimezone(UTC)
    except (ValueError, OverflowError):
        pass
    raise PolicyError(f"{place}: {text[:40]!a} is not a date such as 2029-01-01.")


def read_date_time(text: str, place: str) -> datetime:
    """An xs:dateTime, in UTC where it names no zone; fractions of a second are dropped."""
    match = _DATE_TIME.fullmatch(text.strip())
    try:
        if match:
            return datetime.fromisoformat(match[1]).replace(tzinfo=_zone(match[2])).astimezone(UTC)
    except (ValueError, OverflowError):
        pass
    raise PolicyError(f"{place}: {text[:40]!a} is not an instant such as 2026-06-30T00:00:00Z.")


def _zone(text: str | None) -> timezone:
    if text in (None, "Z"):
        return UTC
    assert text is not None
    sign = -1 if text[0] == "-" else 1
    hours, minutes = int(text[1:3]), int(text[4:6])
    if hours > 14 or minutes > 59:
        raise ValueError(text)
    return timezone(sign * timedelta(hours=hours, minutes=minutes))
