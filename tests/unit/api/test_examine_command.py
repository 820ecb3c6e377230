"""`trusted-archive examine`: words in, one answer out, and its exit codes."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest
from lxml import etree

from tests.command_line import run
from tests.unit.signing.examination.signing_world import NOW, World

AT = f"{NOW:%Y-%m-%dT%H:%M:%SZ}"


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> World:
    """A local test trust, whose CA and revocation list lie in `trusted`."""
    folder = tmp_path_factory.mktemp("examined")
    made = World.made(folder / "trust")
    (folder / "trusted").mkdir()
    (folder / "trusted" / "ca.cer").write_bytes(made.local.anchor)
    (folder / "trusted" / "ca.crl").write_bytes(made.local.crl(NOW))
    return made


@pytest.fixture(scope="module")
def files(world: World, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A detached signature, its data, and a plain text."""
    folder = tmp_path_factory.mktemp("files")
    (folder / "letter.txt").write_bytes(b"the letter")
    (folder / "other.txt").write_bytes(b"another letter")
    (folder / "letter.p7s").write_bytes(world.cms(b"the letter", detached=True, stamped=True))
    return folder


def test_a_detached_signature_with_its_data_and_trust(world: World, files: Path, tmp_path: Path) -> None:
    """One document on stdout, a report where it was asked for, exit 0, and no home made."""
    trusted = world.local.directory.parent / "trusted"
    words = ["examine", files / "letter.p7s", "--detached", files / "other.txt", files / "letter.txt"]
    words += ["--trust", trusted, "--at", AT, "--xml", tmp_path / "report.xml", "--json"]
    said = run("--home", str(tmp_path / "home"), *map(os.fspath, words))

    assert said.code == 0, said
    answer = json.loads(said.out)
    assert (answer["verdict"], answer["document"]) == ("PASSED", "letter.p7s")
    assert [one["covers"] for one in answer["signatures"]] == [["letter.txt"]]
    assert etree.parse(tmp_path / "report.xml").getroot().tag.endswith("ValidationReport")
    assert not (tmp_path / "home").exists()


def test_without_trust_people_are_told_so(files: Path) -> None:
    """In words, with the standard's own beside them."""
    said = run("examine", str(files / "letter.p7s"), "--detached", str(files / "letter.txt"))

    assert said.code == 0, said
    assert "INDETERMINATE/NO_CERTIFICATE_CHAIN_FOUND" in said.out
    assert "signature: intact" in said.out
    assert "nobody is trusted" in said.out


def test_other_data_is_said_in_czech_to_czechs(files: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A broken signature is a completed examination: exit 0."""
    monkeypatch.setenv("LANGUAGE", "cs")
    said = run("examine", str(files / "letter.p7s"), "--detached", str(files / "other.txt"))

    assert said.code == 0, said
    assert "porušeno (FAILED/HASH_FAILURE)" in said.out


def test_a_format_that_is_not_examined_is_named(files: Path) -> None:
    """An empty list, and never a good verdict."""
    said = run("examine", str(files / "letter.txt"), "--json")

    assert said.code == 0, said
    answer = json.loads(said.out)
    assert (answer["examined"], answer["signatures"], answer["verdict"]) == (False, [], "INDETERMINATE")
    assert answer["reason"].startswith("not examined")


@pytest.mark.parametrize(
    "words",
    [
        ["nowhere.pdf"],
        ["."],
        [""],
        [],
        ["letter.p7s", "--detached", "nowhere.txt"],
        ["letter.p7s", "--trust", "nowhere.pem"],
        ["letter.p7s", "--trust", "letter.txt"],
        ["letter.p7s", "--trusted-list", "nowhere.xml"],
        ["letter.p7s", "--at", "yesterday"],
    ],
    ids=str,
)
def test_a_mistake_in_the_words_is_a_usage_error(
    files: Path, monkeypatch: pytest.MonkeyPatch, words: list[str]
) -> None:
    """Exit 2 and one document, before any process is started."""
    monkeypatch.chdir(files)
    said = run("examine", *words, "--json")

    assert said.code == 2, said
    assert json.loads(said.out)["error"]["code"] == "usage"
