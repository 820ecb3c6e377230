"""EU DSS and our own examination on exported ASiC-E containers: whole, and broken in every way that matters."""

from __future__ import annotations

import os
import zipfile
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import pytest
from asn1crypto import pem

from archive_core.findings import Verdict
from policies import current_algorithms
from signing.examination.documents import Document
from signing.examination.registry import examine
from signing.examination.trust import ExaminationTrust
from tests.interop.asked import Question, dss_says
from tests.interop.home import Home
from tests.offline import run

pytestmark = [pytest.mark.interop, pytest.mark.slow]

Change = Callable[[str, bytes], bytes | None]
LINES = ("sha3-512", "sha512")


def _flipped(target: str, place: int) -> Change:
    def change(name: str, octets: bytes) -> bytes:
        if name != target:
            return octets
        made = bytearray(octets)
        made[place] ^= 1
        return bytes(made)

    return change


def _every_record(name: str, octets: bytes) -> bytes:
    return octets[:-10] + bytes([octets[-10] ^ 1]) + octets[-9:] if name.endswith(".ers") else octets


def _without(target: str) -> Change:
    return lambda name, octets: None if name == target else octets


def _manifest(octets_from: bytes, to: bytes) -> Change:
    return lambda name, octets: octets.replace(octets_from, to) if "ASiCEvidence" in name else octets


BROKEN: dict[str, Change] = {
    "a document": _flipped("data/a.txt", 0),
    "a large document": _flipped("data/b/část <1>&.bin", 4_000_000),
    "the description": _flipped("description.json", 20),
    "the signatures of the tokens": _every_record,
    "a document is gone": _without("data/a.txt"),
    "the manifest speaks of another file": _manifest(b'URI="data/a.txt"', b'URI="data/other.txt"'),
}


def _changed(source: Path, out: Path, change: Change) -> Path:
    with zipfile.ZipFile(source) as given, zipfile.ZipFile(out, "w") as made:
        for entry in given.infolist():
            octets = change(entry.filename, given.read(entry))
            if octets is not None:
                made.writestr(entry, octets)
    return out


@pytest.fixture(scope="module")
def exported(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the container of one object, the test CA and its lists."""
    folder = tmp_path_factory.mktemp("asic")
    home = Home(folder)
    large = os.urandom(5 * 1024 * 1024)
    poid = home.deposit({"a.txt": b"hello", "b/část <1>&.bin": large, "twin.txt": b"hello"})
    home.preserve()
    ca = home.export_asic(poid, folder / "whole.asice")
    home.close()
    (folder / "ca.pem").write_bytes(ca)
    with zipfile.ZipFile(folder / "whole.asice") as container:
        for name in container.namelist():
            if name.endswith(".crl"):
                (folder / name.rpartition("/")[2]).write_bytes(container.read(name))
    return folder


def test_eu_dss_accepts_the_container_and_refuses_each_broken_one(exported: Path) -> None:
    """Both lines' records PASSED over every data object, with the test trust; never after a change, and not without
    trust."""
    trust = {"cas": [exported / "ca.pem"], "crls": sorted(exported.glob("*.crl"))}
    files = {"whole": exported / "whole.asice"}
    for number, (name, change) in enumerate(BROKEN.items()):
        files[name] = _changed(exported / "whole.asice", exported / f"broken-{number}.asice", change)
    questions = {name: Question(path, **trust) for name, path in files.items()}
    said = dss_says({**questions, "nobody is trusted": Question(exported / "whole.asice")})

    whole = said.pop("whole")
    assert (whole["error"], whole["records"]) == (None, len(LINES))
    assert [one["indication"] for one in whole["evidence"]] == ["PASSED"] * len(LINES)
    for record in whole["evidence"]:
        assert len(record["references"]) == 4  # description, chunks, two distinct documents
        assert all(one["found"] and one["intact"] for one in record["references"])
    assert all(one["valid"] and one["imprint_intact"] for one in whole["timestamps"])
    for name, answer in said.items():
        good = [one for one in answer["evidence"] if one["indication"] == "PASSED"]
        assert good == [], name


def test_our_verifier_says_the_same(exported: Path) -> None:
    """Exit 0 for the whole, never for a broken one; also where two documents changed places."""
    code, answer = run(exported / "whole.asice", "--trust", exported / "ca.pem")
    assert (code, answer["kind"], answer["test_trust"]) == (0, "asic-e", True)
    assert answer["proof_of_existence"]
    swapped = {"data/a.txt": "data/b/část <1>&.bin", "data/b/část <1>&.bin": "data/a.txt"}
    with zipfile.ZipFile(exported / "whole.asice") as whole:
        content = {name: whole.read(name) for name in swapped}
    changes: dict[str, Change] = {
        **BROKEN,
        "two documents changed places": lambda name, octets: content.get(swapped.get(name, ""), octets),
        "the description is gone": _without("description.json"),
        "no record": lambda name, octets: None if name.endswith(".ers") else octets,
        "the mimetype is another": _flipped("mimetype", 3),
    }
    for number, (name, change) in enumerate(changes.items()):
        broken = _changed(exported / "whole.asice", exported / f"theirs-{number}.asice", change)
        code, answer = run(broken, "--trust", exported / "ca.pem")
        assert code in (1, 3), name
        assert answer["proof_of_existence"] is None, name


def test_our_examination_says_the_same(exported: Path) -> None:
    """PASSED with the proven time; broken ones are not."""
    _label, _headers, ca = pem.unarmor((exported / "ca.pem").read_bytes())
    trust = ExaminationTrust((), algorithms=current_algorithms(), test_anchors=(ca,))
    at = datetime.now(UTC)
    found = examine(Document("whole", exported / "whole.asice"), trust=trust, at=at)

    assert found.verdict is Verdict.PASSED
    assert [one.proof_of_existence is not None for one in found.records] == [True, True]
    assert found.findings == ()
    for number, (name, change) in enumerate(BROKEN.items()):
        broken = _changed(exported / "whole.asice", exported / f"ours-{number}.asice", change)
        told = examine(Document(name, broken), trust=trust, at=at)
        assert told.verdict is not Verdict.PASSED, name
        assert not any(one.proof_of_existence for one in told.records), name
