"""DSSC lists as XML (RFC 5698 3, appendix A), read and written.

Rules kept here
 * Nothing is fetched and nothing expands: a document type declaration is refused before it is read, so there are no
   entities, no external subsets, no billion laughs. Size, depth and number of elements are bounded.
 * The elements that the schema requires are required, in their namespace; elements of other namespaces stand where
   the schema allows them and mean nothing, but for ETSI's recommendation (TS 119 322).
 * Whether a list is signed is said here; whether the signature is good is for `signing.list_signature`.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime
from typing import Never
from xml.parsers import expat
from xml.sax.saxutils import escape, quoteattr

from policies.dssc import (
    MAX_ALGORITHMS,
    MAX_EVALUATIONS,
    Algorithm,
    Evaluation,
    Parameter,
    SuitabilityList,
    read_date,
    read_date_time,
)
from policies.errors import PolicyError

DSSC = "urn:ietf:params:xml:ns:dssc"
_ETSI = "http://uri.etsi.org/19322/v"
_SIGNATURE = "http://www.w3.org/2000/09/xmldsig# Signature"

MAX_BYTES = 4 * 1024**2
_MAX_ELEMENTS = 50_000
_MAX_DEPTH = 32
_OID = re.compile(r"(\d{1,10}\.){1,40}\d{1,10}", re.ASCII)


def is_oid(text: str) -> bool:
    """Whether it is an object identifier in dotted form, of bounded length."""
    return _OID.fullmatch(text) is not None


@dataclass(slots=True)
class _Element:
    """`name` is "namespace local"; a name without a namespace is the local name alone."""

    name: str
    attributes: dict[str, str]
    children: list[_Element] = field(default_factory=list)
    parts: list[str] = field(default_factory=list)

    @property
    def text(self) -> str:
        return "".join(self.parts).strip()


def is_signed(source: bytes) -> bool:
    """Whether the list carries an XML signature of its own."""
    return any(child.name == _SIGNATURE for child in _parse(source).children)


def read_xml(source: bytes) -> SuitabilityList:
    """Read a SecuritySuitabilityPolicy; raises PolicyError, naming the place, for anything that is not one."""
    root = _parse(source)
    if root.name != f"{DSSC} SecuritySuitabilityPolicy":
        raise PolicyError("The list of algorithms is not a SecuritySuitabilityPolicy (RFC 5698 3).")
    algorithms = list(_all(root, "Algorithm"))
    if not 1 <= len(algorithms) <= MAX_ALGORITHMS:
        raise PolicyError(f"The list of algorithms names {len(algorithms)}; from 1 to {MAX_ALGORITHMS} are read.")
    following = _optional(root, "NextUpdate")
    return SuitabilityList(
        name=_name(_one(root, "PolicyName")),
        publisher=_name(_one(root, "Publisher")),
        issued=read_date_time(_one(root, "PolicyIssueDate").text, "PolicyIssueDate"),
        next_update=read_date_time(following.text, "NextUpdate") if following else None,
        algorithms=tuple(_algorithm(one, number) for number, one in enumerate(algorithms, 1)),
    )


# -- the document ----------------------------------------------------------------------------------


def _parse(source: bytes) -> _Element:
    if len(source) > MAX_BYTES:
        raise PolicyError(f"The list of algorithms has more than {MAX_BYTES} bytes.")
    builder = _Builder()
    try:
        builder.parser.Parse(source, True)
    except expat.ExpatError as error:
        raise PolicyError(f"The list of algorithms is not well-formed XML: {error}") from error
    except (ValueError, LookupError) as error:  # an encoding that expat does not know
        raise PolicyError(f"The list of algorithms cannot be decoded: {error}") from error
    assert builder.root is not None  # well-formed
    return builder.root


class _Builder:
    """The few events that a list needs, made into elements."""

    def __init__(self) -> None:
        self.parser = expat.ParserCreate(namespace_separator=" ")
        self.parser.StartDoctypeDeclHandler = self._refuse
        self.parser.StartElementHandler = self._start
        self.parser.EndElementHandler = self._end
        self.parser.CharacterDataHandler = self._data
        self.root: _Element | None = None
        self._open: list[_Element] = []
        self._count = 0

    def _refuse(self, *_declaration: object) -> Never:
        raise PolicyError("The list of algorithms has a document type declaration; none is read.")

    def _start(self, name: str, attributes: dict[str, str]) -> None:
        element = _Element(name, attributes)
        self._count += 1
        if self._count > _MAX_ELEMENTS or len(self._open) >= _MAX_DEPTH:
            raise PolicyError("The list of algorithms has too many elements, or too deep ones.")
        if self._open:
            self._open[-1].children.append(element)
        else:
            self.root = element
        self._open.append(element)

    def _end(self, _name: str) -> None:
        self._open.pop()

    def _data(self, text: str) -> None:
        self._open[-1].parts.append(text)


def _all(parent: _Element, name: str) -> Iterator[_Element]:
    return (child for child in parent.children if child.name == f"{DSSC} {name}")


def _optional(parent: _Element, name: str) -> _Element | None:
    found = list(_all(parent, name))
    if len(found) > 1:
        raise PolicyError(f"{_local(parent)} has {len(found)} {name}; one is meant.")
    return found[0] if found else None


def _one(parent: _Element, name: str) -> _Element:
    found = _optional(parent, name)
    if found is None:
        raise PolicyError(f"{_local(parent)} lacks {name} (RFC 5698 3).")
    return found


def _local(element: _Element) -> str:
    return element.name.rpartition(" ")[2]


def _name(parent: _Element) -> str:
    text = _one(parent, "Name").text
    if not text:
        raise PolicyError(f"{_local(parent)} has an empty Name.")
    return text[:200]


# -- its parts -------------------------------------------------------------------------------------


def _algorithm(element: _Element, number: int) -> Algorithm:
    place = f"Algorithm {number}"
    identifier = _one(element, "AlgorithmIdentifier")
    oids = tuple(one.text for one in _all(identifier, "ObjectIdentifier"))
    if not oids or not all(is_oid(oid) for oid in oids):
        raise PolicyError(f"{place}: an ObjectIdentifier is missing or is none.")
    evaluations = list(_all(element, "Evaluation"))
    if not 1 <= len(evaluations) <= MAX_EVALUATIONS:
        raise PolicyError(f"{place} has {len(evaluations)} evaluations; from 1 to {MAX_EVALUATIONS} are read.")
    return Algorithm(_name(identifier), oids, tuple(_evaluation(one, place) for one in evaluations))


def _evaluation(element: _Element, place: str) -> Evaluation:
    validity = _one(element, "Validity")
    start, end = _optional(validity, "Start"), _optional(validity, "End")
    return Evaluation(
        parameters=tuple(_parameter(one, place) for one in _all(element, "Parameter")),
        start=read_date(start.text, place) if start else None,
        end=read_date(end.text, place) if end else None,
        recommendation=_recommendation(element),
    )


def _recommendation(evaluation: _Element) -> str:
    """ETSI's R or L, wherever it stands below the evaluation."""
    waiting = [child for child in evaluation.children if child.name.startswith(_ETSI)]
    while waiting:
        element = waiting.pop()
        if _local(element) == "Recommendation" and element.text in ("R", "L"):
            return element.text
        waiting.extend(element.children)
    return ""


def _parameter(element: _Element, place: str) -> Parameter:
    name = element.attributes.get("name", "")
    if not name:
        raise PolicyError(f"{place}: a Parameter lacks its name.")
    if any(not child.name.startswith(f"{DSSC} ") for child in element.children):
        return Parameter(f"{name} with more", None, None)  # a bound that is not known here: counts for nothing
    return Parameter(name, _number(element, "Min", place), _number(element, "Max", place))


def _number(parent: _Element, name: str, place: str) -> int | None:
    found = _optional(parent, name)
    if found is None:
        return None
    if not re.fullmatch(r"[0-9]{1,10}", found.text):
        raise PolicyError(f"{place}: {name} is not a whole number of ordinary size.")
    return int(found.text)


# -- written ---------------------------------------------------------------------------------------


def write_xml(found: SuitabilityList) -> bytes:
    """A SecuritySuitabilityPolicy in UTF-8, unsigned; `read_xml` gives the same list back."""
    lines = [
        '<?xml version="1.0" encoding="UTF-8"?>',
        f'<SecuritySuitabilityPolicy xmlns="{DSSC}" xmlns:etsi="{_ETSI}1.1.1#" version="1" lang="en">',
        f"  <PolicyName><Name>{escape(found.name)}</Name></PolicyName>",
        f"  <Publisher><Name>{escape(found.publisher)}</Name></Publisher>",
        f"  <PolicyIssueDate>{found.issued:%Y-%m-%dT%H:%M:%SZ}</PolicyIssueDate>",
    ]
    if found.next_update:
        lines.append(f"  <NextUpdate>{found.next_update:%Y-%m-%dT%H:%M:%SZ}</NextUpdate>")
    for algorithm in found.algorithms:
        oids = "".join(f"<ObjectIdentifier>{oid}</ObjectIdentifier>" for oid in algorithm.oids)
        lines += [
            "  <Algorithm>",
            f"    <AlgorithmIdentifier><Name>{escape(algorithm.name)}</Name>{oids}</AlgorithmIdentifier>",
            *(f"    {_evaluation_xml(one)}" for one in algorithm.evaluations),
            "  </Algorithm>",
        ]
    lines.append("</SecuritySuitabilityPolicy>\n")
    return "\n".join(lines).encode("utf-8")


def _evaluation_xml(evaluation: Evaluation) -> str:
    parameters = "".join(
        f"<Parameter name={quoteattr(one.name)}>{_tag('Min', one.least)}{_tag('Max', one.most)}</Parameter>"
        for one in evaluation.parameters
    )
    validity = f"<Validity>{_tag('Start', _day(evaluation.start))}{_tag('End', _day(evaluation.end))}</Validity>"
    more = ""
    if evaluation.recommendation:
        stated = f"<etsi:Recommendation>{evaluation.recommendation}</etsi:Recommendation>"
        more = f"<etsi:MoreDetails>{stated}</etsi:MoreDetails>"
    return f"<Evaluation>{parameters}{validity}{more}</Evaluation>"


def _tag(name: str, value: object) -> str:
    return "" if value is None else f"<{name}>{value}</{name}>"


def _day(at: datetime | None) -> str | None:
    return None if at is None else f"{at:%Y-%m-%d}Z"
