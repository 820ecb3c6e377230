"""Signatures of every form and level that EU DSS makes: what we say of each, and of each that was changed."""

from __future__ import annotations

import random
from collections.abc import Iterator
from typing import Any

import pytest

from archive_core.findings import Verdict
from signing.examination.values import Examination
from tests.interop.asked import dss_says
from tests.interop.dss_workshop import Job, Workshop, workshop
from tests.unit.signing.examination.signing_world import plain_pdf

pytestmark = [pytest.mark.interop, pytest.mark.slow]

LEVELS = ("B", "T", "LT", "LTA")
DATA = {
    "a.txt": b"the first" * 20,
    "b.txt": b"the second" * 20,
    "a.xml": b'<letter Id="letter"><body>text</body></letter>',
}
ONE = {
    "pades": ("PAdES", "a.pdf", ()),
    "cades": ("CAdES", "a.txt", ()),
    "cades-detached": ("CAdES", "a.txt", ("--packaging=DETACHED",)),
    "xades": ("XAdES", "a.xml", ()),
    "xades-enveloped": ("XAdES", "a.xml", ("--packaging=ENVELOPED",)),
    "xades-detached": ("XAdES", "a.txt", ("--packaging=DETACHED",)),
    "xades-internal": ("XAdES", "a.xml", ("--packaging=INTERNALLY_DETACHED",)),
    "asics-xades": ("ASiC-S/XAdES", "a.txt", ()),
    "asice-xades": ("ASiC-E/XAdES", "a.txt", ()),
    "asics-cades": ("ASiC-S/CAdES", "a.txt", ()),
    "asice-cades": ("ASiC-E/CAdES", "a.txt", ()),
}
MANY = {
    "many-xades": ("XAdES", ("--packaging=DETACHED",)),
    "many-asice-xades": ("ASiC-E/XAdES", ()),
    "many-asics-cades": ("ASiC-S/CAdES", ()),
    "many-asice-cades": ("ASiC-E/CAdES", ()),
}
AGAIN = (
    "pades",
    "cades",
    "cades-detached",
    "xades-enveloped",
    "asics-xades",
    "asice-xades",
    "asics-cades",
    "asice-cades",
)
COUNTERS = ("cades", "cades-detached", "xades", "xades-detached")


def _jobs() -> dict[str, Job]:
    jobs: dict[str, Job] = {}
    for name, (kind, data, options) in ONE.items():
        stamped = () if kind == "PAdES" else ("--content-stamp",)
        for level in LEVELS:
            jobs[f"{name}-{level}"] = Job(kind, level, [data], options=[*options, *stamped])
        beside = [data] if "-detached" in name else []
        if name in AGAIN:
            jobs[f"{name}-again"] = Job(kind, "T", beside, f"{name}-LT", options)
        jobs[f"{name}-longer"] = Job(kind, "LTA", beside, f"{name}-LTA", [*options, "--extend"])
        if name in COUNTERS:
            jobs[f"{name}-counter"] = Job(kind, "B", beside, f"{name}-B", [*options, "--counter"])
    for name, (kind, options) in MANY.items():
        jobs[f"{name}-LTA"] = Job(kind, "LTA", ["a.txt", "b.txt"], options=options)
    return jobs


JOBS = _jobs()


def beside(name: str) -> list[str]:
    if name.startswith("many-xades"):
        return ["a.txt", "b.txt"]
    return ["a.txt"] if "-detached" in name else []


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Workshop]:
    with workshop(tmp_path_factory.mktemp("signatures")) as place:
        for name, octets in {**DATA, "a.pdf": plain_pdf()}.items():
            place.put(name, octets)
        place.make(JOBS)
        yield place


def good(examined: Examination) -> bool:
    stamps = [*examined.timestamps, *(stamp for one in examined.signatures for stamp in one.timestamps)]
    verdicts = [one.verdict for one in examined.signatures] + [one.verdict for one in stamps]
    return bool(verdicts) and all(one is Verdict.PASSED for one in verdicts)


@pytest.fixture(scope="module")
def changed(made: Workshop) -> list[str]:
    """Files of level LTA in each of which one bit is another."""
    dice = random.Random(20261124)
    names = []
    for name in [f"{name}-LTA" for name in (*ONE, *MANY)]:
        octets = (made.folder / name).read_bytes()
        for number in range(4):
            place = dice.randrange(len(octets))
            names.append(f"changed-{number}-{name}")
            made.put(names[-1], octets[:place] + bytes([octets[place] ^ 1 << dice.randrange(8)]) + octets[place + 1 :])
    return names


@pytest.fixture(scope="module")
def said(made: Workshop, changed: list[str]) -> dict[str, dict[str, Any]]:
    """What DSS says of all of them."""
    return dss_says({name: made.question(name, beside(_original(name))) for name in (*JOBS, *changed)})


def _original(name: str) -> str:
    return name.split("-", 2)[2] if name.startswith("changed-") else name


@pytest.mark.parametrize("name", JOBS)
def test_what_dss_makes_is_good_and_of_the_level_that_it_says(
    made: Workshop, said: dict[str, dict[str, Any]], name: str
) -> None:
    """Every signature and time-stamp in it, once we are given what lies beside it; counter-signatures are told."""
    examined = made.examined(name, beside(name))
    told = [(one.id, one.level.value, one.message) for one in examined.signatures]
    assert good(examined), (told, [(one.id, one.message) for one in examined.timestamps], examined.reason)
    ours = sorted(str(one.level) for one in examined.signatures if not one.parent)
    theirs = sorted(one["format"].rpartition("-")[2] for one in said[name]["signatures"] if not one["counter"])
    if name == "pades-again":
        theirs = ["LT", "LT"]  # to DSS validation data before a signature's own revision are not its own
    assert ours == theirs, told
    assert len(examined.signatures) == (2 if name.endswith(("-again", "-counter")) else 1)


def test_what_was_changed_is_good_to_neither_or_to_both(
    made: Workshop, said: dict[str, dict[str, Any]], changed: list[str]
) -> None:
    """We call nothing good that DSS does not; most of a file is under the signature or what is around it."""
    ours = {name: made.examined(name, beside(_original(name))) for name in changed}
    for name in (name for name in changed if ours[name].verdict is Verdict.PASSED):
        whole = [one["intact"] and all(r["intact"] for r in one["references"]) for one in said[name]["signatures"]]
        assert whole == [True] * len(ours[name].signatures), name
    assert sum(one.verdict is Verdict.PASSED for one in ours.values()) < len(changed) // 4
    assert not [one for one in ours.values() if any(finding.code == "EXAMINER_FAULT" for finding in one.findings)]
