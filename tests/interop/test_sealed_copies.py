"""EU DSS and poppler on sealed copies of PDFs: the level, the seal, and that a changed copy is refused."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

from tests.interop.asked import Question, dss_says
from tests.interop.home import Home
from tests.unit.signing.examination.signing_world import World, plain_pdf
from tests.vectors import missing

pytestmark = [pytest.mark.interop, pytest.mark.slow]


def pdfsig(path: Path) -> list[str]:
    """What poppler says of each signature."""
    if shutil.which("pdfsig") is None:
        missing("the judge pdfsig (run tests/interop/install.sh)")
    done = subprocess.run(["pdfsig", "-nocert", str(path)], capture_output=True, text=True, timeout=60, check=False)
    said = done.stdout.splitlines()
    return [line.partition("Validation: ")[2] for line in said if "Signature Validation" in line]


@pytest.fixture(scope="module")
def copies(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with copies of a plain PDF and of one that somebody else had signed, and the test CA."""
    folder = tmp_path_factory.mktemp("copies")
    others = World.made(folder / "others")
    documents = {"plain.pdf": plain_pdf(), "signed.pdf": others.pdf()}
    home = Home(folder)
    poid = home.deposit(documents)
    for name, visible in (("plain.pdf", None), ("signed.pdf", "cs")):
        copy, ca = home.sealed_copy(poid, name, visible)
        assert copy.startswith(documents[name])
        (folder / name).write_bytes(copy)
        place = len(documents[name]) - 20
        (folder / f"broken-{name}").write_bytes(copy[:place] + bytes([copy[place] ^ 1]) + copy[place + 1 :])
    home.close()
    (folder / "ca.pem").write_bytes(ca)
    return folder


def test_eu_dss_finds_the_level_and_refuses_a_changed_copy(copies: Path) -> None:
    """PAdES-BASELINE-LTA, TOTAL_PASSED with nothing but the CA; a changed octet of the original ends that."""
    names = ("plain.pdf", "signed.pdf", "broken-plain.pdf", "broken-signed.pdf")
    said = dss_says({name: Question(copies / name, cas=[copies / "ca.pem"]) for name in names})
    for name in names[:2]:
        ours = said[name]["signatures"][-1]
        assert (ours["format"], ours["indication"]) == ("PAdES-BASELINE-LTA", "TOTAL_PASSED"), said[name]
        assert all(one["valid"] and one["imprint_intact"] for one in said[name]["timestamps"])
    assert len(said["signed.pdf"]["signatures"]) == 2
    assert all(one["intact"] for one in said["signed.pdf"]["signatures"])
    for name in names[2:]:
        for one in said[name]["signatures"]:
            assert one["indication"] != "TOTAL_PASSED", name
            assert not all(reference["intact"] for reference in one["references"])


def test_poppler_finds_the_seal_valid_and_a_changed_copy_not(copies: Path) -> None:
    """It says nothing of document time-stamps, which it cannot judge."""
    assert [one for one in pdfsig(copies / "plain.pdf") if one == "Signature is Valid."]
    assert len([one for one in pdfsig(copies / "signed.pdf") if one == "Signature is Valid."]) == 2
    for name in ("broken-plain.pdf", "broken-signed.pdf"):
        assert pdfsig(copies / name)
        assert "Signature is Valid." not in pdfsig(copies / name)
