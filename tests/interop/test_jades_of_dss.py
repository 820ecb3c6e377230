"""JAdES signatures that EU DSS makes and extends, up to level LTA, judged by us; changed ones are refused by both."""

from __future__ import annotations

import copy
import json
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from archive_core.findings import Verdict
from signing.examination.values import SignatureExamination, TimestampExamination, TimestampKind
from signing.jws import encoded
from tests.interop.asked import Question, dss_says
from tests.interop.dss_workshop import Job, Workshop, workshop

pytestmark = [pytest.mark.interop, pytest.mark.slow]

DATA = {"a.txt": b"the first", "b.txt": b"the second" * 50_000}
NEW = {
    "json": ["--form=JSON"],
    "flattened": ["--form=FLATTENED_JSON"],
    "content": ["--content-stamp"],
    "uri": ["--refer=OBJECT_ID_BY_URI"],
    "uri-plain": ["--refer=OBJECT_ID_BY_URI", "--plain", "--content-stamp"],
    "hash": ["--refer=OBJECT_ID_BY_URI_HASH", "--content-stamp"],
    "hash-plain": ["--refer=OBJECT_ID_BY_URI_HASH", "--plain"],
}
LEVELS = ("B", "T", "LT", "LTA")


def beside(name: str) -> list[str]:
    """What is signed beside the signature."""
    return list(DATA) if name.startswith(("uri", "hash")) else []


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Workshop]:
    with workshop(tmp_path_factory.mktemp("jades")) as place:
        for name, octets in DATA.items():
            place.put(name, octets)
        jobs = {f"level-{level}": Job("JAdES", level, ["a.txt"]) for level in LEVELS}
        for name, options in NEW.items():
            data = beside(name)
            jobs[name] = Job("JAdES", "LTA", data or ["a.txt"], options=options)
            jobs[f"{name}-twice"] = Job("JAdES", "LTA", data, name, [*options, "--extend"])
        jobs["clear-LT"] = Job("JAdES", "LT", ["a.txt"], options=["--clear"])
        place.make(jobs)
        yield place


def judged(made: Workshop, name: str, data: list[str] | None = None) -> SignatureExamination:
    examined = made.examined(name, beside(name) if data is None else data)
    assert examined.examined, examined.reason
    (found,) = examined.signatures
    return found


def archives(found: SignatureExamination) -> list[TimestampExamination]:
    return [one for one in found.timestamps if one.kind is TimestampKind.ARCHIVE]


def theirs(said: dict[str, Any]) -> list[bool]:
    """Whether archive time-stamps fit what they cover, by DSS."""
    return [one["imprint_intact"] for one in said["timestamps"] if one["type"] == "ARCHIVE_TIMESTAMP"]


@pytest.mark.parametrize("level", LEVELS)
def test_each_level_that_dss_makes_is_recognised(made: Workshop, level: str) -> None:
    """B, T, LT and LTA, trusted and intact."""
    found = judged(made, f"level-{level}")
    assert (found.level, found.verdict) == (level, Verdict.PASSED), found.message


def test_elements_written_as_objects_are_read(made: Workshop) -> None:
    """Up to level LT, for which nothing is over them."""
    found = judged(made, "clear-LT")
    assert (found.level, found.verdict) == ("LT", Verdict.PASSED), found.message


@pytest.mark.parametrize("name", [*NEW, *(f"{name}-twice" for name in NEW)])
def test_every_time_stamp_that_dss_puts_in_fits_what_it_covers(made: Workshop, name: str) -> None:
    """Payload inside and beside, by name and by digest, with and without base64url; extended once more."""
    found = judged(made, name)
    assert (found.level, found.verdict) == ("LTA", Verdict.PASSED), found.message
    assert len(archives(found)) == (2 if name.endswith("twice") else 1)
    assert [one.verdict for one in found.timestamps] == [Verdict.PASSED] * len(found.timestamps)
    contents = [one for one in found.timestamps if one.kind is TimestampKind.CONTENT]
    assert len(contents) == ("--content-stamp" in NEW[name.removesuffix("-twice")])


EDITS: dict[str, Callable[[list[str]], list[str]]] = {
    "one-less": lambda one: one[1:],
    "reordered": lambda one: [one[1], one[0], *one[2:]],
    "one-more": lambda one: [encoded(b'{"xVals":[]}'), *one],
    "moved": lambda one: [one[-1], *one[:-1]],
}


def test_both_judges_refuse_what_was_changed(made: Workshop) -> None:
    """Elements left out, added, put into another order; an archive time-stamp of another signature; the payload; data
    beside it that are others."""
    whole = json.loads((made.folder / "flattened").read_bytes())
    other = json.loads((made.folder / "content").read_bytes())["signatures"][0]
    broken: dict[str, dict[str, Any]] = {what: copy.deepcopy(whole) for what in (*EDITS, "another")}
    for what, edit in EDITS.items():
        broken[what]["header"]["etsiU"] = edit(whole["header"]["etsiU"])
    broken["another"]["header"]["etsiU"][-1] = other["header"]["etsiU"][-1]
    broken["payload"] = {**whole, "payload": encoded(b"the other")}
    questions: dict[str, Question] = {}
    for what, value in broken.items():
        made.put(what, json.dumps(value).encode())
        questions[what] = made.question(what)
    made.put("other/a.txt", b"another")
    changed = ["other/a.txt", "b.txt"]
    questions |= {name: made.question(name, changed) for name in ("uri", "hash")}
    said = dss_says({**questions, "flattened": made.question("flattened")})

    assert theirs(said["flattened"]) == [True]
    assert said["flattened"]["signatures"][0]["format"] == "JAdES-BASELINE-LTA"
    for what in questions:
        found = judged(made, what, changed if what in NEW else [])
        assert [one.references_intact for one in archives(found)] == [False], what
        assert theirs(said[what]) == [False], what
        assert (found.verdict is Verdict.FAILED) == (what in ("payload", "uri", "hash")), what
