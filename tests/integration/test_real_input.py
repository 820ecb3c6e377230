"""Every real file of the public suites goes in and comes back, proven, and survives the loss of the catalogue."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path
from typing import Any

import pytest

from tests.command_line import CommandLine, run
from tests.vectors import suite

pytestmark = pytest.mark.slow

SUITES = ("pdf-ordinary", "pdf-hostile", "cz-zfo", "cz-sip")


@pytest.fixture
def line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> CommandLine:
    """A fresh home."""
    monkeypatch.setenv("LANGUAGE", "en")
    home = CommandLine(tmp_path / "home")
    assert home.run("init").code == 0
    return home


def inputs() -> list[Path]:
    """Every file of every suite, and each package folder of the Czech ones."""
    found: list[Path] = []
    for name in SUITES:
        files = sorted(path for path in (suite(name) / "files").rglob("*") if path.is_file())
        assert files, f"{name} holds no file"
        found += files
    return found + packages()


def packages() -> list[Path]:
    """The folders of those cases of the manifest that consist of several files."""
    folder = suite("cz-sip")
    cases = json.loads((folder / "MANIFEST.json").read_bytes())["cases"]
    several = [case["principal"] for case in cases if len(case["principal"]) > 1]
    found = sorted({folder / os.path.commonpath(names) for names in several})
    assert len(found) >= 10, "the manifest shows too few packages"
    assert all(path.is_dir() for path in found)
    return found


def contents(path: Path) -> dict[str, bytes]:
    """What a deposit of the path holds, by the paths under which it must come back."""
    if path.is_file():
        return {path.name: path.read_bytes()}
    return {file.relative_to(path).as_posix(): file.read_bytes() for file in path.rglob("*") if file.is_file()}


def everything(line: CommandLine, poids: list[str], out: Path) -> dict[str, Any]:
    """All that anybody was told about the objects, for comparing before with after."""
    told: dict[str, Any] = {"list": line.json("list")}
    for poid in poids:
        assert line.run("evidence", poid, "--out", out / f"{poid}.ers").code == 0
        told[poid] = {
            "show": line.json("show", poid),
            "receipt": line.json("receipt", poid),
            "record": (out / f"{poid}.ers").read_bytes(),
        }
    return told


def verdicts(document: Any) -> dict[tuple[str, int], tuple[str, str]]:
    return {(one["poid"], one["version"]): (one["verdict"], one["proof_of_existence"]) for one in document["objects"]}


def without_reading(events: list[Any]) -> list[Any]:
    """The events of an object, but for those that looking at it made meanwhile."""
    return [event for event in events if event["type"] not in ("dissemination", "validation")]


def test_every_real_file_is_kept_proven_given_back_and_found_again(line: CommandLine, tmp_path: Path) -> None:
    """Deposited bit-exact, evidenced in one batch, returned identical, verified, and rebuilt from either store."""
    paths = inputs()
    deposited = line.json("deposit", *paths)["objects"]
    assert [answer["path"] for answer in deposited] == [str(path) for path in paths]
    assert {answer["status"] for answer in deposited} == {"replicated"}
    poids = [answer["poid"] for answer in deposited]
    assert len(set(poids)) == len(paths)

    (batch,) = line.json("preserve")["batches"]
    assert batch["objects"] == len(paths)
    assert batch["error"] is None

    for path, poid in zip(paths, poids, strict=True):
        out = tmp_path / "out"
        assert line.run("retrieve", poid, "--out", out).code == 0
        assert contents(out) == contents(path)
        shutil.rmtree(out)

    checked = line.json("verify", "--all")
    assert checked["verdict"] == "PASSED"
    assert checked["checked"] == len(paths)
    assert line.json("audit")["findings"] == []

    _lose_the_catalogue_and_find_all_again(line, poids, verdicts(checked), tmp_path)


def _lose_the_catalogue_and_find_all_again(
    line: CommandLine, poids: list[str], proven: dict[tuple[str, int], tuple[str, str]], tmp_path: Path
) -> None:
    sample = poids[:: max(1, len(poids) // 12)]
    records = tmp_path / "records"
    records.mkdir()
    before = everything(line, sample, records)
    events = {poid: line.json("trace", poid)["events"] for poid in sample}
    for store in ("one", "two"):
        for file in line.home.glob("catalogue.sqlite3*"):
            file.unlink()
        report = line.json("rebuild-catalogue", "--from", store)
        assert report["findings"] == []
        assert report["objects"] == len(poids)

        assert everything(line, sample, records) == before
        assert verdicts(line.json("verify", "--all")) == proven
        for poid in sample:
            found = line.json("trace", poid)["events"]
            assert found[: len(events[poid])] == events[poid]
            assert without_reading(found) == without_reading(events[poid])
    assert line.json("audit")["findings"] == []


def test_a_home_that_is_not_there_takes_nothing(tmp_path: Path) -> None:
    """The way above can fail."""
    said = run("--home", str(tmp_path / "nowhere"), "--json", "deposit", __file__)

    assert said.code == 78
    assert said.error["code"] == "settings"
