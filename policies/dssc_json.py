"""The same lists as JSON, after the schema of ETSI TS 119 322 V1.2.1 as EU DSS publishes it.

We have read that schema, not the standard's text: conformity is not claimed. A signature inside such a list (JAdES)
is not judged here, so a JSON list counts as unsigned.

Rules kept here
 * What the schema requires is required; unknown members are passed over, as the schema allows them.
 * Bounded as the XML form is; numbers and constants that JSON does not know are refused.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import datetime
from typing import Any

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
from policies.dssc_xml import MAX_BYTES, is_oid
from policies.errors import PolicyError

_ROOTS = ("SecuritySuitabilityPolicy", "SecuritySuitabilityPolicyType")
"""ETSI's list of TS 119 312 V1.5.1 names its root by the type."""


def read_json(source: bytes) -> SuitabilityList:
    """Read a list; raises PolicyError, naming the place, for anything that is not one."""
    if len(source) > MAX_BYTES:
        raise PolicyError(f"The list of algorithms has more than {MAX_BYTES} bytes.")
    try:
        document = json.loads(source.decode("utf-8"), parse_constant=_refuse_constant, parse_float=_refuse_constant)
    except (ValueError, RecursionError) as error:
        raise PolicyError(f"The list of algorithms is not JSON in UTF-8: {error}") from error
    top = _object(document, "The list of algorithms")
    name = next((name for name in _ROOTS if name in top), None)
    if name is None:
        raise PolicyError("The list of algorithms has no SecuritySuitabilityPolicy (TS 119 322).")
    root = _object(top[name], name)
    algorithms = _list(root, "Algorithm", name, MAX_ALGORITHMS)
    following = root.get("NextUpdate")
    return SuitabilityList(
        name=_text(_object(root.get("PolicyName"), "PolicyName"), "Name", "PolicyName"),
        publisher=_text(_object(root.get("Publisher"), "Publisher"), "Name", "Publisher"),
        issued=read_date_time(_text(root, "PolicyIssueDate", name), "PolicyIssueDate"),
        next_update=read_date_time(str(following), "NextUpdate") if following is not None else None,
        algorithms=tuple(_algorithm(one, f"Algorithm {number}") for number, one in enumerate(algorithms, 1)),
    )


def _refuse_constant(text: str) -> Any:
    raise ValueError(f"{text[:20]} is not a number that a list needs")


def _object(value: object, place: str) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise PolicyError(f"{place} must be an object.")
    return value


def _text(parent: dict[str, Any], key: str, place: str) -> str:
    value = parent.get(key)
    if not isinstance(value, str) or not value.strip():
        raise PolicyError(f"{place} lacks '{key}'.")
    return value[:200]


def _list(parent: dict[str, Any], key: str, place: str, most: int) -> list[Any]:
    value = parent.get(key)
    if not isinstance(value, list) or not 1 <= len(value) <= most:
        raise PolicyError(f"{place}: '{key}' must be a list with 1 to {most} members.")
    return value


def _algorithm(value: object, place: str) -> Algorithm:
    algorithm = _object(value, place)
    identifier = _object(algorithm.get("AlgorithmIdentifier"), f"{place}, AlgorithmIdentifier")
    stated = identifier.get("ObjectIdentifier", identifier.get("Objectidentifier"))  # V1.5.1 spells it both ways
    oids = tuple(stated) if isinstance(stated, list) else (stated,)
    if not oids or not all(isinstance(oid, str) and is_oid(oid) for oid in oids):
        raise PolicyError(f"{place}: an ObjectIdentifier is missing or is none.")
    evaluations = _list(algorithm, "Evaluation", place, MAX_EVALUATIONS)
    return Algorithm(_text(identifier, "Name", place), oids, tuple(_evaluation(one, place) for one in evaluations))


def _evaluation(value: object, place: str) -> Evaluation:
    evaluation = _object(value, f"{place}, Evaluation")
    validity = _object(evaluation.get("Validity"), f"{place}, Validity")
    said = evaluation.get("Recommendation", "")
    return Evaluation(
        parameters=tuple(_parameters(evaluation, place)),
        start=_day(validity, "Start", place),
        end=_day(validity, "End", place),
        recommendation=said if said in ("R", "L") else "",
    )


def _day(validity: dict[str, Any], key: str, place: str) -> datetime | None:
    return read_date(_text(validity, key, place), place) if key in validity else None


def _parameters(evaluation: dict[str, Any], place: str) -> Iterator[Parameter]:
    if "Parameter" not in evaluation:
        return
    stated = evaluation["Parameter"]
    if not isinstance(stated, list) or len(stated) > MAX_EVALUATIONS:
        raise PolicyError(f"{place}: 'Parameter' must be a list.")
    for one in stated:
        parameter = _object(one, f"{place}, Parameter")
        name = _text(parameter, "name", place)
        if "Any" in parameter:
            name = f"{name} with more"  # a bound that is not known here: counts for nothing
        yield Parameter(name, _number(parameter, "Min", place), _number(parameter, "Max", place))


def _number(parameter: dict[str, Any], key: str, place: str) -> int | None:
    value = parameter.get(key)
    if value is not None and (type(value) is not int or not 0 <= value < 10**10):
        raise PolicyError(f"{place}: '{key}' is not a whole number of ordinary size.")
    return value


def write_json(found: SuitabilityList) -> bytes:
    """The list as JSON in UTF-8, unsigned; `read_json` gives the same list back."""
    root: dict[str, Any] = {
        "PolicyName": {"Name": found.name},
        "Publisher": {"Name": found.publisher},
        "PolicyIssueDate": f"{found.issued:%Y-%m-%dT%H:%M:%SZ}",
        "Algorithm": [entry for one in found.algorithms for entry in _entries(one)],
        "version": "1",
        "lang": "en-GB",
    }
    if found.next_update:
        root["NextUpdate"] = f"{found.next_update:%Y-%m-%dT%H:%M:%SZ}"
    return (json.dumps({_ROOTS[0]: root}, ensure_ascii=False, indent=2) + "\n").encode("utf-8")


def _entries(algorithm: Algorithm) -> Iterator[dict[str, Any]]:
    """One entry for each identifier: the schema knows a single one."""
    for oid in algorithm.oids:
        yield {
            "AlgorithmIdentifier": {"Name": algorithm.name, "ObjectIdentifier": oid},
            "Evaluation": [_evaluation_json(one) for one in algorithm.evaluations],
        }


def _evaluation_json(evaluation: Evaluation) -> dict[str, Any]:
    validity = {key: f"{at:%Y-%m-%d}" for key, at in (("Start", evaluation.start), ("End", evaluation.end)) if at}
    said: dict[str, Any] = {"Validity": validity}
    if evaluation.parameters:
        said["Parameter"] = [
            {"name": one.name} | {k: v for k, v in (("Min", one.least), ("Max", one.most)) if v is not None}
            for one in evaluation.parameters
        ]
    if evaluation.recommendation:
        said["Recommendation"] = evaluation.recommendation
    return said
