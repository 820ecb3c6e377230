"""XML signatures, containers and trusted lists of the public suites, against what their manifests say."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path

import pytest

from archive_core.findings import Verdict
from policies import current_algorithms
from signing.examination.documents import Document
from signing.examination.registry import examine
from signing.examination.trust import ExaminationTrust
from signing.examination.values import Examination
from signing.trusted_lists.book import open_lists
from signing.trusted_lists.values import TrustedListRefusedError
from tests.sampling import quick_first
from tests.vectors import available, suite

AT = datetime(2026, 6, 1, tzinfo=UTC)
QUICK = 12

HAND_EDITED = "xades-with-no-name-reference.xml"  # a reference lost its Id and URI after signing; not intact for DSS
COUNTER_SIGNATURE_BROKEN = "TEST_S1a_C1a_InTL_VALID.xml"  # its counter-signature is; EU DSS says so as well


def _cases() -> list[tuple[str, str, str, tuple[str, ...]]]:
    found: list[tuple[str, str, str, tuple[str, ...]]] = []
    for name in ("dss-ades", "eid-asic", "dss-er-embedded"):
        folder = available(name)
        if folder is None:
            return [("absent", name, "", ())] * 2
        for case in json.loads((folder / "MANIFEST.json").read_text(encoding="utf-8"))["cases"]:
            path = case["principal"][0] if case["principal"] else ""
            if any(part in path for part in ("xades", "asic", "digidoc4j")) and "evidence-record" not in path:
                data = tuple(one for one in case["data"] if not one.endswith(".ers") and "evidence-record" not in one)
                found.append((name, path, case["expected"], data))
    return sorted(found, key=lambda case: hash_of(case[1]))


def hash_of(text: str) -> int:
    """A fixed order that mixes formats and verdicts."""
    return sum(ord(letter) * index for index, letter in enumerate(text, 1)) % 1009


def _examined(folder: Path, path: str, data: tuple[str, ...]) -> Examination:
    trust = ExaminationTrust((), algorithms=current_algorithms())
    detached = [Document(Path(one).name, folder / one) for one in data]
    found = examine(Document(Path(path).name, folder / path), detached=detached, trust=trust, at=AT)
    assert not [one.message for one in found.findings if one.code == "EXAMINER_FAULT"]
    return found


@pytest.mark.parametrize("case", quick_first(_cases(), QUICK), ids=lambda case: f"{case[0]}-{Path(case[1]).name}")
def test_a_file_is_as_its_manifest_says(case: tuple[str, str, str, tuple[str, ...]]) -> None:
    """What is valid is not FAILED, what is invalid is not good; without anchors nothing is PASSED."""
    name, path, expected, data = case
    folder = suite(name)
    found = _examined(folder, path, data)
    assert found.verdict is not Verdict.PASSED
    file = Path(path).name
    if file == HAND_EDITED:
        assert [one.verdict for one in found.signatures] == [Verdict.FAILED]
    elif expected.startswith("valid") and ";" not in expected and "invalid" not in expected:
        broken = [one.message for one in found.signatures if one.verdict is Verdict.FAILED and not one.parent]
        assert not broken
        counter = [one.message for one in found.signatures if one.verdict is Verdict.FAILED and one.parent]
        assert bool(counter) == (file == COUNTER_SIGNATURE_BROKEN)
    if expected.startswith("invalid") and ";" not in expected and name == "dss-ades":
        everything = [*found.signatures, *found.timestamps, *(t for s in found.signatures for t in s.timestamps)]
        good = all(one.signature_intact and one.references_intact for one in everything)
        assert not good or not found.examined or found.verdict is Verdict.FAILED


def _zips() -> list[str]:
    folder = available("zip-hostile")
    if folder is None:
        return ["absent", "absent"]
    manifest = json.loads((folder / "MANIFEST.json").read_text(encoding="utf-8"))
    return [case["principal"][0] for case in manifest["cases"]]


@pytest.mark.parametrize("path", quick_first(_zips(), 6))
def test_a_hostile_container_is_refused_or_has_nothing_good(path: str) -> None:
    """No bomb goes off, nothing raises, and nothing is called good."""
    found = _examined(suite("zip-hostile"), path, ())
    assert found.verdict is not Verdict.PASSED
    assert not any(one.signature_intact for one in found.signatures)


LISTS = {
    "CZ_broken-sig.xml": "digest does not fit",
    "EU.xml": "",
    "tl_pivot_247_mp_empty.xml": "cannot be read",
    "LI.xml": "",
    "fi-v5-invalid.xml": "ServiceSupplyPoint",
    "fi-v6.xml": "",
    "fi-v6-no-tsp-information.xml": "lacks TSPInformation",
    "tsl-sk-minimal-dss-1911.xml": "digest does not fit",  # cut down after it was signed
    "dk_tl-sn21.xml": "",
    "tsl-ee.xml": "",
}


def test_each_trusted_list_is_accepted_or_refused_for_its_fault() -> None:
    """Real lists of several countries, and the manipulated ones among them."""
    folder = suite("trusted-lists")
    manifest = json.loads((folder / "MANIFEST.json").read_text(encoding="utf-8"))
    paths = [folder / case["principal"][0] for case in manifest["cases"]]
    assert {path.name for path in paths} == set(LISTS)
    for path in paths:
        refused = ""
        try:
            book = open_lists([path.read_bytes()])
        except TrustedListRefusedError as error:
            refused = str(error)
        else:
            assert book.lists or book.list_of_lists
        assert bool(refused) == bool(LISTS[path.name])
        assert LISTS[path.name] in refused
