"""Signatures of every form and level that EU DSS makes: what we say of each, and of each that was changed.

One virtual machine makes them, another one judges what was made and what was changed; the soak has more of both.
"""

from __future__ import annotations

import copy
import json
import random
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from archive_core.findings import Verdict
from signing.examination.values import SignatureExamination, TimestampKind
from signing.jws import encoded
from tests.interop.asked import Question, dss_says
from tests.interop.dss_workshop import Job, Workshop, workshop
from tests.unit.signing.examination.signing_world import plain_pdf

pytestmark = pytest.mark.interop

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
LONGER = ("pades", "cades-detached", "xades-enveloped", "asice-cades")
COUNTERS = ("cades", "cades-detached", "xades", "xades-detached")


JADES = {
    "json": ("--form=JSON",),
    "flattened": ("--form=FLATTENED_JSON",),
    "content": ("--content-stamp",),
    "uri": ("--refer=OBJECT_ID_BY_URI",),
    "uri-plain": ("--refer=OBJECT_ID_BY_URI", "--plain", "--content-stamp"),
    "hash": ("--refer=OBJECT_ID_BY_URI_HASH", "--content-stamp"),
    "hash-plain": ("--refer=OBJECT_ID_BY_URI_HASH", "--plain"),
}
JADES_LONGER = ("flattened", "uri", "hash-plain")
PATIENCE = pytest.mark.timeout(280)


def _jobs(*, all_of_them: bool) -> dict[str, Job]:
    jobs: dict[str, Job] = {}
    for name, (kind, data, options) in ONE.items():
        stamped = () if kind == "PAdES" else ("--content-stamp",)
        for level in LEVELS:
            if all_of_them or level == "LTA" or (level == "B" and name in COUNTERS):
                jobs[f"{name}-{level}"] = Job(kind, level, [data], options=[*options, *stamped])
        beside = [data] if "-detached" in name else []
        if name in AGAIN and (all_of_them or name in LONGER):
            jobs[f"{name}-again"] = Job(kind, "T", beside, f"{name}-LTA", options)
        if all_of_them or name in LONGER:
            jobs[f"{name}-longer"] = Job(kind, "LTA", beside, f"{name}-LTA", [*options, "--extend"])
        if name in COUNTERS:
            jobs[f"{name}-counter"] = Job(kind, "B", beside, f"{name}-B", [*options, "--counter"])
    for name, (kind, options) in MANY.items():
        jobs[f"{name}-LTA"] = Job(kind, "LTA", ["a.txt", "b.txt"], options=options)
    for name, options in JADES.items():
        data = ["a.txt", "b.txt"] if name.startswith(("uri", "hash")) else []
        jobs[f"jades-{name}-LTA"] = Job("JAdES", "LTA", data or ["a.txt"], options=options)
        if all_of_them or name in JADES_LONGER:
            jobs[f"jades-{name}-longer"] = Job("JAdES", "LTA", data, f"jades-{name}-LTA", [*options, "--extend"])
    jobs |= {f"jades-{level}": Job("JAdES", level, ["a.txt"]) for level in LEVELS}
    jobs["jades-clear-LT"] = Job("JAdES", "LT", ["a.txt"], options=["--clear"])
    return jobs


def beside(name: str) -> list[str]:
    """What lies beside a signature that was made, or made and changed."""
    original = name.split("-", 2)[2] if name.startswith("changed-") else name
    if original.startswith(("many-xades", "jades-uri", "jades-hash")):
        return ["a.txt", "b.txt"]
    return ["a.txt"] if "-detached" in original else []


@dataclass
class Made:
    """Where everything lies, which files there are, and what DSS says of each of them and of the changed ones."""

    place: Workshop
    jobs: dict[str, Job]
    changed: list[str]
    broken: dict[str, list[str]]
    said: dict[str, dict[str, Any]]

    def one(self, name: str, data: list[str] | None = None) -> SignatureExamination:
        (found,) = self.place.examined(name, beside(name) if data is None else data).signatures
        return found


def _made(folder: Path, *, all_of_them: bool) -> Iterator[Made]:
    jobs = _jobs(all_of_them=all_of_them)
    with workshop(folder) as place:
        for name, octets in {**DATA, "a.pdf": plain_pdf(), "other/a.txt": b"another"}.items():
            place.put(name, octets)
        place.make(jobs)
        lasting = [name for name in jobs if name.endswith("LTA")]
        changed = list(_changed(place, lasting if all_of_them else lasting[::3], 40 if all_of_them else 1))
        broken = _broken(place)
        questions: dict[str, Question] = {name: place.question(name, beside(name)) for name in (*jobs, *changed)}
        questions |= {what: place.question(what.removesuffix("!"), data) for what, data in broken.items()}
        yield Made(place, jobs, changed, broken, dss_says(questions))


def _changed(place: Workshop, names: Iterable[str], times: int) -> Iterator[str]:
    """Each file in which one bit is another."""
    dice = random.Random(20261124)
    for name in names:
        octets = (place.folder / name).read_bytes()
        for number in range(times):
            where = dice.randrange(len(octets))
            place.put(
                f"changed-{number}-{name}",
                octets[:where] + bytes([octets[where] ^ 1 << dice.randrange(8)]) + octets[where + 1 :],
            )
            yield f"changed-{number}-{name}"


EDITS: dict[str, Callable[[list[str]], list[str]]] = {
    "one-less": lambda one: one[1:],
    "reordered": lambda one: [one[1], one[0], *one[2:]],
    "one-more": lambda one: [encoded(b'{"xVals":[]}'), *one],
    "moved": lambda one: [one[-1], *one[:-1]],
}


def _broken(place: Workshop) -> dict[str, list[str]]:
    """JAdES signatures that were edited, and such (`!`) with other data beside them; with these data."""
    whole = json.loads((place.folder / "jades-flattened-LTA").read_bytes())
    other = json.loads((place.folder / "jades-content-LTA").read_bytes())["signatures"][0]
    edited: dict[str, dict[str, Any]] = {what: copy.deepcopy(whole) for what in (*EDITS, "another's")}
    for what, edit in EDITS.items():
        edited[what]["header"]["etsiU"] = edit(whole["header"]["etsiU"])
    edited["another's"]["header"]["etsiU"][-1] = other["header"]["etsiU"][-1]
    edited["payload"] = {**whole, "payload": encoded(b"the other")}
    for what, value in edited.items():
        place.put(what, json.dumps(value).encode())
    beside_them: dict[str, list[str]] = {what: [] for what in edited}
    for name in ("uri", "hash"):
        beside_them[f"jades-{name}-LTA!"] = ["other/a.txt", "b.txt"]
    return beside_them


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Made]:
    yield from _made(tmp_path_factory.mktemp("signatures"), all_of_them=False)


def _levels_are_alike(made: Made) -> None:
    for name in made.jobs:
        examined = made.place.examined(name, beside(name))
        stamps = [*examined.timestamps, *(stamp for one in examined.signatures for stamp in one.timestamps)]
        told = [(one.id, one.message) for one in (*examined.signatures, *stamps)]
        assert {one.verdict for one in (*examined.signatures, *stamps)} == {Verdict.PASSED}, (name, told)
        ours = sorted(str(one.level) for one in examined.signatures if not one.parent)
        theirs = sorted(one["format"].rpartition("-")[2] for one in made.said[name]["signatures"] if not one["counter"])
        if name == "pades-again":
            theirs = ["LT", "LTA"]  # to DSS validation data before a signature's own revision are not its own
        assert ours == theirs, (name, told)
        assert len(examined.signatures) == (2 if name.endswith(("-again", "-counter")) else 1), name


def _nothing_changed_is_good(made: Made) -> None:
    ours = {name: made.place.examined(name, beside(name)) for name in made.changed}
    for name in (name for name in made.changed if ours[name].verdict is Verdict.PASSED):
        theirs = [
            one["intact"] and all(it["intact"] for it in one["references"]) for one in made.said[name]["signatures"]
        ]
        assert theirs == [True] * len(ours[name].signatures), name
    assert sum(one.verdict is Verdict.PASSED for one in ours.values()) < len(ours) / 2
    assert not [name for name, one in ours.items() if any(it.code == "EXAMINER_FAULT" for it in one.findings)]


@pytest.mark.slow
@PATIENCE
def test_what_dss_makes_is_good_and_of_the_level_that_it_says(made: Made) -> None:
    """Every signature and time-stamp in it, once we are given what lies beside it; counter-signatures are told."""
    _levels_are_alike(made)


@pytest.mark.slow
@PATIENCE
def test_what_was_changed_is_good_to_neither_or_to_both(made: Made) -> None:
    """We call nothing good that DSS does not, and no change stops an examination."""
    _nothing_changed_is_good(made)


@pytest.mark.slow
@PATIENCE
def test_every_time_stamp_in_jades_fits_what_it_covers(made: Made) -> None:
    """Payload inside and beside, by name and by digest, with and without base64url; extended once more."""
    for name, options in JADES.items():
        for end, archives in (("LTA", 1), ("longer", 2)):
            if f"jades-{name}-{end}" not in made.jobs:
                continue
            found = made.one(f"jades-{name}-{end}")
            assert (found.level, found.verdict) == ("LTA", Verdict.PASSED), found.message
            kinds = [one.kind for one in found.timestamps]
            assert kinds.count(TimestampKind.ARCHIVE) == archives
            assert kinds.count(TimestampKind.CONTENT) == ("--content-stamp" in options)
            assert {one.verdict for one in found.timestamps} == {Verdict.PASSED}


@pytest.mark.slow
@PATIENCE
def test_both_judges_refuse_an_edited_jades(made: Made) -> None:
    """Elements left out, added, put into another order; an archive time-stamp of another signature; the payload; data
    beside it that are others."""
    assert _their_archives(made, "jades-flattened-LTA") == [True]
    for what, data in made.broken.items():
        found = made.one(what.removesuffix("!"), data)
        archives = [one for one in found.timestamps if one.kind is TimestampKind.ARCHIVE]
        assert [one.references_intact for one in archives] == [False], what
        assert _their_archives(made, what) == [False], what
        assert (found.verdict is Verdict.FAILED) == (what == "payload" or what.endswith("!")), what


def _their_archives(made: Made, name: str) -> list[bool]:
    """Whether archive time-stamps fit what they cover, by DSS."""
    return [one["imprint_intact"] for one in made.said[name]["timestamps"] if one["type"] == "ARCHIVE_TIMESTAMP"]


@pytest.mark.soak
@pytest.mark.timeout(1800)
def test_every_level_and_forty_changes_of_each_file(tmp_path: Path) -> None:
    """Each form in each level, signed again, extended and counter-signed."""
    for made in _made(tmp_path, all_of_them=True):
        _levels_are_alike(made)
        _nothing_changed_is_good(made)
