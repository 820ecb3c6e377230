"""`list`, `show`, `retrieve`, `evidence`, `receipt`, `export`, `trace`: what is given back."""

from __future__ import annotations

import json
import os
import sqlite3
import zipfile
from contextlib import closing
from pathlib import Path

import pytest

from archive_core.evidence.record import parse_record
from tests.command_line import CommandLine, flip, overwrite
from tests.sampling import quick_first

FILES = {"letter.txt": b"Dear Sir,\n", "annex.bin": bytes(range(256)) * 40}


def tree(folder: Path) -> dict[str, bytes]:
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def of_object(line: CommandLine, store: str, poid: str, ending: str) -> Path:
    """The one stored file of an object whose path ends so."""
    (path,) = [path for path in line.files(store, ending) if poid in str(path)]
    return path


@pytest.fixture
def updated(proven: tuple[CommandLine, str], tmp_path: Path) -> tuple[CommandLine, str]:
    """An object whose second version has other content and no evidence yet."""
    line, poid = proven
    (tmp_path / "second.txt").write_bytes(b"second")
    line.json("update", poid, tmp_path / "second.txt")
    return line, poid


# -- list, show -----------------------------------------------------------------------------------


def test_an_empty_archive_lists_nothing_and_says_how_to_begin(line: CommandLine) -> None:
    """An empty list for machines."""
    assert line.json("list") == {"objects": []}
    assert "trusted-archive deposit PATH" in line.run("list").out


def test_a_list_has_a_heading_and_a_line_for_each_object(proven: tuple[CommandLine, str], letter: Path) -> None:
    """In the order of deposit, columns under their headings."""
    line, first = proven
    second = line.deposit(letter)
    head, *rows = line.run("list").out.splitlines()

    assert head.split() == ["POID", "version", "status", "received", "files", "bytes", "organisation", "key"]
    assert [row.split()[0] for row in rows] == [first, second]
    assert [row[head.index("status") :].split()[0] for row in rows] == ["evidenced", "replicated"]
    assert rows[0].endswith("letter/1")


def test_a_list_tells_only_what_rebuilds_from_the_stores(proven: tuple[CommandLine, str], letter: Path) -> None:
    """Byte for byte the same after each store alone gave the catalogue back."""
    line, _ = proven
    line.deposit(letter, "--organisation", "1")
    before = line.run("--json", "list").out
    for store in ("one", "two"):
        line.json("rebuild-catalogue", "--from", store)
        assert line.run("--json", "list").out == before


def test_show_tells_files_with_size_and_digest(proven: tuple[CommandLine, str]) -> None:
    """And since when the object is proven; people get the same facts."""
    line, poid = proven
    shown = line.json("show", poid)

    assert {file["path"]: file["size"] for file in shown["files"] if file["role"] == "document"} == {
        name: len(content) for name, content in FILES.items()
    }
    assert shown["status"] == "evidenced"
    assert shown["idempotency_key"] == "letter/1"
    assert shown["proof_of_existence"]
    assert shown["test_trust"] is True
    said = line.run("show", poid).out
    for fact in ("letter/1", shown["proof_of_existence"], shown["files"][0]["sha512"], "TEST TRUST"):
        assert fact in said


def test_every_version_can_be_shown(updated: tuple[CommandLine, str]) -> None:
    """The newest unless another is named; one that is not there is exit 11."""
    line, poid = updated

    assert line.json("show", poid)["version"] == line.json("show", poid, "--version", "2")["version"] == 2
    assert line.json("show", poid, "--version", "1")["status"] == "evidenced"
    assert line.json("show", poid)["status"] == "replicated"
    assert "not proven yet" in line.run("show", poid).out
    assert line.run("show", poid, "--version", "3").code == 11


# -- retrieve ---------------------------------------------------------------------------------------


def test_documents_come_back_under_their_paths(proven: tuple[CommandLine, str], tmp_path: Path) -> None:
    """Into a new folder, made with those above it; the answer names every file."""
    line, poid = proven
    out = tmp_path / "a" / "b"
    told = line.json("retrieve", poid, "--out", out)

    assert tree(out) == FILES
    assert sorted(told["files"]) == sorted(str(out / name) for name in FILES)
    assert (told["poid"], told["version"]) == (poid, 1)
    assert line.run("retrieve", poid, "--out", tmp_path / "c").out.splitlines() == sorted(
        str(tmp_path / "c" / name) for name in FILES
    )


def test_an_older_version_comes_back_as_it_was(updated: tuple[CommandLine, str], tmp_path: Path) -> None:
    """And the newest as it is."""
    line, poid = updated
    line.json("retrieve", poid, "--out", tmp_path / "one", "--version", "1")
    line.json("retrieve", poid, "--out", tmp_path / "two")

    assert tree(tmp_path / "one") == FILES
    assert tree(tmp_path / "two") == {"second.txt": b"second"}
    assert line.run("retrieve", poid, "--out", tmp_path / "three", "--version", "3").code == 11


def test_the_whole_package_comes_back_on_wish(proven: tuple[CommandLine, str], tmp_path: Path) -> None:
    """Description and metadata beside the documents."""
    line, poid = proven
    line.json("retrieve", poid, "--out", tmp_path / "out", "--whole")
    found = tree(tmp_path / "out")

    assert set(found) == {"description.json", "metadata.json", *(f"data/{name}" for name in FILES)}
    assert json.loads(found["description.json"])["poid"] == poid


def test_what_is_in_the_folder_is_left_alone(proven: tuple[CommandLine, str], tmp_path: Path) -> None:
    """Other files stay; a file of the same name with the same bytes is no conflict, with others it is one."""
    line, poid = proven
    out = tmp_path / "full"
    out.mkdir()
    (out / "mine").write_bytes(b"mine")
    line.json("retrieve", poid, "--out", out)
    line.json("retrieve", poid, "--out", f"{out}/")
    assert tree(out) == {"mine": b"mine", **FILES}

    (out / "letter.txt").write_bytes(b"my letter")
    (out / "annex.bin").unlink()
    said = line.run("--json", "retrieve", poid, "--out", out)
    assert said.code == 12
    assert said.error["code"] == "already-exists"
    assert tree(out) == {"mine": b"mine", "letter.txt": b"my letter"}
    assert line.run("retrieve", poid, "--out", out / "mine").code == 2
    assert [path.name for path in tmp_path.iterdir() if path.name.startswith(".")] == []


def test_the_current_folder_is_taken(
    proven: tuple[CommandLine, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """`--out .` is a folder like any other."""
    line, poid = proven
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    line.json("retrieve", poid, "--out", ".")

    assert tree(tmp_path / "here") == FILES


@pytest.mark.parametrize("place", ["/dev/null/below", "/proc/nowhere", "/sys/nowhere", "x" * 300])
def test_a_place_that_cannot_be_written_is_exit_2(
    proven: tuple[CommandLine, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, place: str
) -> None:
    """With the place and the reason; nothing is left."""
    line, poid = proven
    monkeypatch.chdir(tmp_path)
    before = set(os.listdir(tmp_path))
    for command in ("retrieve", "evidence", "export", "receipt"):
        said = line.run("--json", command, poid, "--out", place)
        assert said.code == 2, said
        assert place[:100] in said.error["message"]
    assert set(os.listdir(tmp_path)) == before


@pytest.mark.parametrize("store", ["one", "two"])
@pytest.mark.parametrize("harm", quick_first(["flip", "no-store", "truncate", "delete", "swap"], 2))
def test_one_good_copy_is_enough(proven: tuple[CommandLine, str], tmp_path: Path, store: str, harm: str) -> None:
    """Whatever happened to the other: right bytes come back, and the damage is an event."""
    line, poid = proven
    path = of_object(line, store, poid, "content/data/annex.bin")
    if harm == "flip":
        flip(path, 5000)
    elif harm == "truncate":
        overwrite(path, path.read_bytes()[:-1])
    elif harm == "delete":
        path.unlink()
    elif harm == "swap":
        overwrite(path, FILES["letter.txt"])
    else:
        line.store(store).rename(tmp_path / "away")
    line.json("retrieve", poid, "--out", tmp_path / "out")

    assert tree(tmp_path / "out") == FILES
    if harm != "no-store":
        assert line.run("audit").code == 1


def test_damage_on_all_copies_gives_nothing_back(proven: tuple[CommandLine, str], tmp_path: Path) -> None:
    """Exit 90, the file named, and no folder with half of the documents."""
    line, poid = proven
    for store in ("one", "two"):
        flip(of_object(line, store, poid, "content/data/letter.txt"))
    said = line.run("--json", "retrieve", poid, "--out", tmp_path / "out")

    assert said.code == 90
    assert said.error["code"] == "fixity"
    assert "letter.txt" in said.error["message"]
    assert not (tmp_path / "out").exists()
    assert [path.name for path in tmp_path.iterdir() if path.name.startswith(".out")] == []


# -- evidence, receipt, export ----------------------------------------------------------------------


@pytest.mark.parametrize("command", ["evidence", "receipt", "export"])
def test_before_the_evidence_there_is_nothing_to_take(
    updated: tuple[CommandLine, str], tmp_path: Path, command: str
) -> None:
    """Exit 11 and no file, for the version that waits; the version before has it all."""
    line, poid = updated
    out = tmp_path / "taken"
    said = line.run("--json", command, poid, "--out", out)

    assert said.code == 11
    assert said.error["code"] == "evidence-pending"
    assert not out.exists()
    assert line.run(command, poid, "--out", out, "--version", "1").code == 0
    assert out.stat().st_size > 500


def test_the_record_is_an_evidence_record(proven: tuple[CommandLine, str], tmp_path: Path) -> None:
    """The same bytes each time; what a file of that name held before is replaced by them."""
    line, poid = proven
    out = tmp_path / "proof.ers"
    told = line.json("evidence", poid, "--out", out)
    der = out.read_bytes()

    assert parse_record(der).version == 1
    assert told["records"] == [{"line": "sha512", "digest": "sha512", "path": str(out), "test_trust": True}]
    assert told["test_trust"] is True
    assert "TEST TRUST" in line.run("evidence", poid, "--out", out).out
    assert out.read_bytes() == der
    out.write_bytes(b"older")
    assert line.run("evidence", poid, "--out", out).code == 0
    assert out.read_bytes() == der


def test_all_records_of_a_redundant_profile_are_written(line: CommandLine, tmp_path: Path, letter: Path) -> None:
    """The first under the name that was given, the others beside it; without the option a hint."""
    poid = line.deposit(letter, "--profile", "redundant-1")
    line.preserve()
    out = tmp_path / "proof.ers"
    told = line.json("evidence", poid, "--all-records", "--out", out)
    paths = [Path(record["path"]) for record in told["records"]]

    assert paths[0] == out
    assert len(paths) == len({path.read_bytes() for path in paths}) == 2
    assert len({record["digest"] for record in told["records"]}) == 2
    assert all(parse_record(path.read_bytes()).version == 1 for path in paths)
    said = line.run("evidence", poid, "--out", tmp_path / "one.ers").out
    assert all(name in said for name in told["lines"])
    assert "--all-records" in said
    assert (tmp_path / "one.ers").read_bytes() == out.read_bytes()


def test_all_records_are_written_all_or_none(line: CommandLine, tmp_path: Path, letter: Path) -> None:
    """A name that is taken is found before the first is written."""
    poid = line.deposit(letter, "--profile", "redundant-1")
    line.preserve()
    told = line.json("evidence", poid, "--all-records", "--out", tmp_path / "a.ers")
    second = Path(told["records"][1]["path"]).name.replace("a.", "b.", 1)
    (tmp_path / second).mkdir()

    assert line.run("evidence", poid, "--all-records", "--out", tmp_path / "b.ers").code == 12
    assert not (tmp_path / "b.ers").exists()


def test_one_line_is_all_records_of_a_basic_profile(proven: tuple[CommandLine, str], tmp_path: Path) -> None:
    """Exactly the file that was named."""
    line, poid = proven
    line.json("evidence", poid, "--all-records", "--out", tmp_path / "proof.ers")

    assert [path.name for path in tmp_path.glob("*.ers")] == ["proof.ers"]


def test_the_receipt_is_the_same_on_stdout_and_in_a_file(proven: tuple[CommandLine, str], tmp_path: Path) -> None:
    """And names what it stands for."""
    line, poid = proven
    line.json("receipt", poid, "--out", tmp_path / "receipt.json")
    written = (tmp_path / "receipt.json").read_bytes()

    assert line.run("receipt", poid).out.encode() == written
    assert line.json("receipt", poid) == json.loads(written)
    assert json.loads(written)["poid"] == poid
    assert json.loads(written)["test_trust"] is True


def test_the_bundle_is_a_container_with_everything(proven: tuple[CommandLine, str], tmp_path: Path) -> None:
    """Also over an older one; the hint says how to check it."""
    line, poid = proven
    out = tmp_path / "letter.zip"
    told = line.json("export", poid, "--out", out)
    with zipfile.ZipFile(out) as bundle:
        names = set(bundle.namelist())

    named = {"poid": poid, "version": 1, "path": str(out), "size": out.stat().st_size}
    assert told == {**named, "format": "bundle", "test_trust": True}
    assert {"README.txt", "description.json", "metadata.json", "receipt.json", "data/letter.txt"} <= names
    assert line.run("export", poid, "--out", out).code == 0
    assert f"trusted-archive-verify {tmp_path / 'b.zip'}" in line.run("export", poid, "--out", tmp_path / "b.zip").out


def test_an_export_that_fails_leaves_no_file(proven: tuple[CommandLine, str], tmp_path: Path) -> None:
    """Not even a hidden part."""
    line, poid = proven
    for store in ("one", "two"):
        flip(of_object(line, store, poid, "content/data/annex.bin"), 100)

    assert line.run("export", poid, "--out", tmp_path / "b.zip").code == 90
    assert [path.name for path in tmp_path.iterdir() if path.is_file()] == []


# -- trace ------------------------------------------------------------------------------------------


def test_the_trace_tells_everything_that_happened_in_order(updated: tuple[CommandLine, str], tmp_path: Path) -> None:
    """Deposit, proof, update, and who took a copy; numbered without a gap."""
    line, poid = updated
    line.json("retrieve", poid, "--out", tmp_path / "out")
    told = line.json("trace", poid)
    kinds = [event["type"] for event in told["events"]]

    assert told["poid"] == poid
    assert [event["object_event"] for event in told["events"]] == list(range(1, len(kinds) + 1))
    assert kinds == ["ingestion", "replication", "update", "replication", "dissemination"]
    head, *rows = line.run("trace", poid).out.splitlines()
    assert head.split() == ["number", "time", "event", "outcome", "code", "who"]
    assert len(rows) == len(kinds)


def test_damage_that_a_reader_met_is_in_the_trail(proven: tuple[CommandLine, str], tmp_path: Path) -> None:
    """The reader got right bytes from the other copy; the operator can see why."""
    line, poid = proven
    before = line.json("status")["trail"]["size"]
    flip(of_object(line, "one", poid, "content/data/letter.txt"))
    line.json("retrieve", poid, "--out", tmp_path / "out")

    assert line.json("status")["trail"]["size"] == before + 2


@pytest.mark.parametrize("command", ["evidence", "receipt", "export"])
def test_a_file_is_replaced_only_by_a_whole_one(proven: tuple[CommandLine, str], tmp_path: Path, command: str) -> None:
    """An empty file made by `mktemp` is filled; after an error the old one is there, and nothing beside it."""
    line, poid = proven
    out = tmp_path / "out"
    out.write_bytes(b"")
    assert line.run(command, poid, "--out", out).code == 0
    assert out.stat().st_size > 500

    out.write_bytes(b"older")
    for store in ("one", "two"):
        for path in line.files(store):
            if path.name in ("statement.json", "statement.json.p7s", "token.tst"):
                flip(path)
    assert line.run(command, poid, "--out", out).code == 90
    assert out.read_bytes() == b"older"
    assert [path.name for path in tmp_path.iterdir() if path.name.endswith(".part")] == []


@pytest.mark.parametrize("command", ["evidence", "receipt", "export"])
@pytest.mark.parametrize("kind", ["folder", "link", "pipe"])
def test_what_is_no_file_is_never_replaced(
    proven: tuple[CommandLine, str], tmp_path: Path, command: str, kind: str
) -> None:
    """Exit 12, and it is there as it was."""
    line, poid = proven
    out = tmp_path / "out"
    if kind == "folder":
        out.mkdir()
    elif kind == "link":
        (tmp_path / "target").write_bytes(b"mine")
        out.symlink_to(tmp_path / "target")
    else:
        os.mkfifo(out)
    said = line.run("--json", command, poid, "--out", out)

    assert (said.code, said.error["code"]) == (12, "already-exists")
    assert kind != "link" or (tmp_path / "target").read_bytes() == b"mine"


def test_trace_verify_proves_the_whole_trail(updated: tuple[CommandLine, str]) -> None:
    """Exit 0 over every store and every row; 1 when a row says something else than what was chained."""
    line, _ = updated
    good = line.json("trace", "verify")
    with closing(sqlite3.connect(line.home / "catalogue.sqlite3")) as connection:
        connection.execute("UPDATE events SET actor = 'somebody else' WHERE seq = 1")
        connection.commit()
    bad = line.json("trace", "verify", code=1)

    assert good["findings"] == []
    assert good["checked"]["stores"] == 2
    assert 0 < 2 * good["checked"]["rows"] == good["checked"]["events"]
    assert [(one["store"], one["path"], one["code"]) for one in bad["findings"]] == [
        ("catalogue", "event 1", "ROW_EDITED")
    ]
    assert "event 1  ROW_EDITED" in line.run("trace", "verify").out
