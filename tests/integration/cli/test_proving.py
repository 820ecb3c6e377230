"""`preserve`, `verify`, `audit`: evidence made, judged, and damage named."""

from __future__ import annotations

import shutil
import sqlite3
from pathlib import Path
from typing import Any

import pytest

from archive_core.errors import TimestampAuthorityUnavailableError
from signing.tsa import TsaClient
from tests.command_line import CommandLine, flip, overwrite
from tests.sampling import quick_first


def of_object(line: CommandLine, store: str, poid: str, ending: str) -> Path:
    """The one stored file of an object whose path ends so."""
    (path,) = [path for path in line.files(store, ending) if poid in str(path)]
    return path


@pytest.fixture
def away(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    """No time-stamp authority answers, until `undo`."""

    def timestamp(self: TsaClient, _: object) -> None:
        raise TimestampAuthorityUnavailableError(f"{self.name} does not answer")

    patch = pytest.MonkeyPatch()
    patch.setattr(TsaClient, "timestamp", timestamp)
    monkeypatch.undo_extra = patch.undo  # type: ignore[attr-defined]
    return patch


# -- preserve -------------------------------------------------------------------------------------


def test_preserve_proves_everything_that_waits_at_once(line: CommandLine, letter: Path) -> None:
    """One batch for all of one profile; the answer says since when."""
    poids = [line.deposit(letter) for _ in range(3)]
    told = line.json("preserve")
    (batch,) = told["batches"]

    assert (batch["batch"], batch["objects"], batch["error"]) == (1, 3, None)
    assert told["test_trust"] is True
    assert {line.json("show", poid)["proof_of_existence"] for poid in poids} == {batch["evidenced_at"]}
    assert line.json("status")["objects"]["evidenced"] == 3


def test_each_profile_has_its_batch(line: CommandLine, letter: Path) -> None:
    """What was promised differs, so the evidence does."""
    line.deposit(letter)
    line.deposit(letter, "--profile", "redundant-1")

    assert sorted(batch["profile"] for batch in line.json("preserve")["batches"]) == ["basic-1", "redundant-1"]


def test_when_nothing_waits_preserve_says_so(line: CommandLine) -> None:
    """Exit 0: there is nothing to do."""
    assert line.json("preserve") == {"batches": [], "test_trust": False}
    assert line.run("preserve").out == "Nothing awaits evidence.\n"


def test_an_authority_that_is_away_is_waited_for(line: CommandLine, letter: Path, away: pytest.MonkeyPatch) -> None:
    """Exit 75, the state stays *replicated*, `status` warns; when it is back the same batch is stamped."""
    poid = line.deposit(letter)
    try:
        said = line.run("--json", "preserve")
        assert said.code == 75
        (batch,) = said.json["batches"]
        assert "does not answer" in batch["error"]
        assert batch["evidenced_at"] is None
        assert "waits: " in line.run("preserve").out
        assert line.json("show", poid)["status"] == "replicated"
        assert any("waits for its time-stamp" in warning for warning in line.json("status")["warnings"])
        assert line.deposit(letter) != poid
    finally:
        away.undo()
    numbers = [batch["batch"] for batch in line.json("preserve")["batches"]]
    assert numbers == [1, 2]
    assert line.json("verify", "--all")["verdict"] == "PASSED"


# -- verify -----------------------------------------------------------------------------------------


def test_an_evidenced_object_passes_on_test_trust(proven: tuple[CommandLine, str]) -> None:
    """With each step, and since when it exists."""
    line, poid = proven
    found = line.json("verify", poid)

    assert (found["verdict"], found["poid"], found["version"]) == ("PASSED", poid, 1)
    assert found["test_trust"] is True
    assert found["proof_of_existence"] == line.json("show", poid)["proof_of_existence"]
    assert len(found["steps"]) >= 5
    said = line.run("verify", poid).out
    assert said.startswith(f"{poid}  v1  PASSED  exists since ")
    assert "TEST TRUST" in said


def test_what_is_not_evidenced_yet_is_indeterminate(line: CommandLine, letter: Path) -> None:
    """Exit 3: nothing is wrong, and nothing is proven."""
    poid = line.deposit(letter)
    found = line.json("verify", poid, code=3)

    assert (found["verdict"], found["sub_indication"], found["proof_of_existence"]) == ("INDETERMINATE", "NO_POE", None)
    assert line.json("verify", "--all", code=3)["verdict"] == "INDETERMINATE"
    assert "not evidenced yet" in line.run("verify", poid).out


def test_over_nothing_nothing_is_proven(line: CommandLine) -> None:
    """`verify --all` of an empty archive is not PASSED."""
    assert line.json("verify", "--all", code=3) == {"verdict": "INDETERMINATE", "checked": 0, "objects": []}


def test_several_objects_have_the_worst_verdict(proven: tuple[CommandLine, str], letter: Path) -> None:
    """In the order of the words, each with its own."""
    line, good = proven
    waiting = line.deposit(letter)
    found = line.json("verify", waiting, good, code=3)

    assert found["verdict"] == "INDETERMINATE"
    assert [(one["poid"], one["verdict"]) for one in found["objects"]] == [
        (waiting, "INDETERMINATE"),
        (good, "PASSED"),
    ]
    assert "2 versions checked: INDETERMINATE" in line.run("verify", waiting, good).out


def test_every_version_is_verified(proven: tuple[CommandLine, str], letter: Path) -> None:
    """`--all` takes all of them, `--version` one."""
    line, poid = proven
    line.json("update", poid, letter)
    line.preserve()
    found = line.json("verify", "--all")

    assert [(one["poid"], one["version"], one["verdict"]) for one in found["objects"]] == [
        (poid, 1, "PASSED"),
        (poid, 2, "PASSED"),
    ]
    assert line.json("verify", poid, "--version", "1")["version"] == 1
    assert line.json("verify", poid)["version"] == 2
    assert line.run("verify", poid, "--version", "3").code == 11


def test_damage_on_every_copy_fails(proven: tuple[CommandLine, str]) -> None:
    """Exit 1 for a changed document: its evidence does not cover what is there."""
    line, poid = proven
    for store in ("one", "two"):
        flip(of_object(line, store, poid, "content/data/letter.txt"))
    found = line.run("--json", "verify", poid)

    assert found.code == 1
    assert found.json["verdict"] == "FAILED"
    assert line.json("verify", "--all", code=1)["verdict"] == "FAILED"
    assert "FAILED" in line.run("verify", poid).out


def test_evidence_that_is_gone_on_every_copy_fails(proven: tuple[CommandLine, str]) -> None:
    """A token with a changed bit proves nothing."""
    line, poid = proven
    for store in ("one", "two"):
        (token,) = line.files(store, "token.tst")
        flip(token, 400)
    found = line.run("--json", "verify", poid)

    assert found.code in (1, 90)
    assert found.code == 90 or found.json["verdict"] == "FAILED"


def test_one_good_copy_is_enough_to_prove(proven: tuple[CommandLine, str]) -> None:
    """Documents from one store, evidence from the other."""
    line, poid = proven
    flip(of_object(line, "one", poid, "content/data/letter.txt"))
    (token,) = line.files("two", "token.tst")
    token.unlink()

    assert line.json("verify", poid)["verdict"] == "PASSED"


# -- audit ------------------------------------------------------------------------------------------


def test_a_sound_archive_has_no_findings(proven: tuple[CommandLine, str]) -> None:
    """And the audit says how much it looked at."""
    line, _ = proven
    found = line.json("audit")

    assert set(found) == {"findings", "notes", "checked"}
    assert (found["findings"], found["notes"]) == ([], [])
    assert found["checked"]["stores"] == 2
    assert found["checked"]["versions"] == 1
    assert found["checked"]["bytes"] > 20_000
    assert line.run("audit").out.startswith("0 findings; checked: 2 stores")


def harm_flip(path: Path) -> None:
    flip(path, 3)


def harm_truncate(path: Path) -> None:
    overwrite(path, path.read_bytes()[:-1])


def harm_delete(path: Path) -> None:
    path.unlink()


def harm_replace(path: Path) -> None:
    overwrite(path, b"something else")


@pytest.mark.parametrize("harm", quick_first([harm_flip, harm_truncate, harm_delete, harm_replace]))
@pytest.mark.parametrize("ending", ["content/data/letter.txt", "content/description.json", "/inventory.json"])
def test_damage_is_named_by_store_path_and_code(proven: tuple[CommandLine, str], harm: Any, ending: str) -> None:
    """Exit 1; only the store that was harmed is named, and the object in it."""
    line, poid = proven
    path = min((path for path in line.files("two", ending) if poid in str(path)), key=lambda path: len(path.parts))
    harm(path)
    found = line.json("audit", code=1)["findings"]

    assert found
    for finding in found:
        assert set(finding) == {"store", "path", "code", "message"}
        assert finding["store"] == "two"
        assert poid in finding["path"]
        assert finding["code"]
    assert any(finding["code"] in line.run("audit").out for finding in found)


def test_a_flipped_byte_has_the_code_of_ocfl(proven: tuple[CommandLine, str]) -> None:
    """E092: content that does not have its digest."""
    line, poid = proven
    path = of_object(line, "one", poid, "content/data/letter.txt")
    flip(path)
    findings = line.json("audit", code=1)["findings"]

    assert "E092" in {finding["code"] for finding in findings}
    assert str(path.relative_to(line.store("one"))) in {finding["path"] for finding in findings}


@pytest.mark.parametrize("what", ["object", "batch", "segment", "stranger-file", "stranger-object", "declaration"])
def test_what_is_missing_or_strange_is_named(proven: tuple[CommandLine, str], what: str) -> None:
    """A whole object gone, evidence gone, trail gone, files that nobody put there."""
    line, poid = proven
    store = line.store("one")
    name = {"object": poid, "batch": "ba0000000001", "segment": "tr0000000001"}.get(what)
    if name is not None:
        folder = min((path for path in store.rglob(f"*{name}")), key=lambda path: len(path.parts))
        shutil.rmtree(folder)
    elif what == "stranger-file":
        of_object(line, "one", poid, "content/data/letter.txt").with_name("stranger").write_bytes(b"1")
    elif what == "stranger-object":
        (store / "stranger").mkdir()
        (store / "stranger" / "file").write_bytes(b"1")
    else:
        (store / "0=ocfl_1.1").unlink()
    findings = line.json("audit", code=1)["findings"]

    assert {finding["store"] for finding in findings} == {"one"}
    assert all(finding["path"] for finding in findings), findings


def test_a_store_that_is_away_is_a_finding(proven: tuple[CommandLine, str], tmp_path: Path) -> None:
    """Not a crash, and not silence: the other store is looked at."""
    line, _ = proven
    line.store("two").rename(tmp_path / "away")
    found = line.json("audit", code=1)

    assert found["checked"]["stores"] == 1
    assert "STORE_UNAVAILABLE" in {finding["code"] for finding in found["findings"]}
    assert all(finding["store"] and finding["path"] for finding in found["findings"])


def test_leftovers_of_a_crash_are_notes(proven: tuple[CommandLine, str]) -> None:
    """They are cleared, and told; the archive is sound."""
    line, _ = proven
    staging = line.home / "staging" / "one"
    assert staging.is_dir()
    session = staging / "20260101T000000-1-dead"
    session.mkdir()
    (session / "half").write_bytes(b"half a file")
    found = line.json("audit")

    assert found["findings"] == []
    assert [(note["store"], note["code"]) for note in found["notes"]] == [("one", "STAGING_CLEARED")]
    assert not session.exists()
    assert line.json("audit")["notes"] == []


def test_a_catalogue_that_lies_is_found_out(proven: tuple[CommandLine, str]) -> None:
    """Whoever changes a digest or drops a row in the database contradicts the stores."""
    line, poid = proven
    with sqlite3.connect(line.home / "catalogue.sqlite3") as database:
        database.execute("UPDATE versions SET description_digest = ?", ("0" * 128,))
    codes = {finding["code"] for finding in line.json("audit", code=1)["findings"]}

    assert "CONTENT_DIFFERS" in codes
    line.json("rebuild-catalogue", "--from", "one")
    assert line.json("audit")["findings"] == []
    assert line.json("verify", poid)["verdict"] == "PASSED"


def test_an_audit_is_an_event_and_shows_its_progress(proven: tuple[CommandLine, str]) -> None:
    """JSON lines on stderr, what is looked at and how far."""
    line, _ = proven
    before = line.json("status")["trail"]["size"]
    said = line.run("--json", "audit")

    assert {told["progress"] for told in said.progress} >= {"reading one", "reading two", "verifying evidence"}
    assert line.json("status")["trail"]["size"] == before + 1
