"""`deposit` and `update`: what goes in, what is refused, and what is told."""

from __future__ import annotations

import os
import socket
import threading
from pathlib import Path

import pytest

from api.cli import depositing
from archive_core import bulk
from tests.command_line import CommandLine, process

FIELDS = {"poid", "status", "path", "version", "originator", "profile", "received", "size", "stores", "replayed"}


def held(line: CommandLine) -> list[str]:
    """The POIDs that the archive lists."""
    return [view["poid"] for view in line.json("list")["objects"]]


def refused(line: CommandLine, *words: str | os.PathLike[str], code: int = 10) -> dict[str, object]:
    """The error of a deposit of one PATH that must be refused and leave nothing in any store."""
    before = [path.name for path in line.files("one") if "description.json" in path.name]
    said = line.run("--json", "deposit", *words)
    assert said.code == code, said
    (answer,) = said.json["objects"]
    assert answer["status"] == "refused"
    assert said.error == answer["error"]
    assert "poid" not in answer
    assert [path.name for path in line.files("one") if "description.json" in path.name] == before
    error: dict[str, object] = answer["error"]
    return error


# -- what goes in ---------------------------------------------------------------------------------


def test_each_path_is_one_object_told_in_the_order_of_the_words(line: CommandLine, tmp_path: Path) -> None:
    """With its POID, its status, and the path as it was given."""
    for name in ("b", "a", "c"):
        (tmp_path / name).write_bytes(name.encode())
    paths = [str(tmp_path / "b"), f"{tmp_path}/./a", f"{tmp_path}//c"]
    answers = line.json("deposit", *paths)["objects"]

    assert [answer["path"] for answer in answers] == paths
    assert all(set(answer) >= FIELDS for answer in answers)
    assert {answer["status"] for answer in answers} == {"replicated"}
    assert [answer["stores"] for answer in answers] == [["one", "two"]] * 3
    assert held(line) == [answer["poid"] for answer in answers]


def test_people_get_a_line_for_each_path(line: CommandLine, letter: Path) -> None:
    """POID, version, state, path."""
    said = line.run("deposit", letter, letter)
    first, second = said.out.splitlines()

    assert said.err == ""
    assert first.split()[1:] == second.split()[1:] == ["v1", "replicated", str(letter)]
    assert len({first.split()[0], second.split()[0]}) == 2


def test_a_folder_is_one_object_with_its_files(line: CommandLine, tmp_path: Path) -> None:
    """Under their paths below the folder, at any depth; empty folders in it are no files."""
    folder = tmp_path / "case"
    (folder / "deep" / "er").mkdir(parents=True)
    (folder / "empty").mkdir()
    (folder / "a.txt").write_bytes(b"a")
    (folder / "deep" / "er" / "b.txt").write_bytes(b"b")
    poid = line.deposit(f"{folder}/")

    assert [file["path"] for file in line.json("show", poid)["files"]] == ["a.txt", "deep/er/b.txt"]


def test_the_current_folder_can_be_named(line: CommandLine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """By a dot, and a file by its bare name."""
    folder = tmp_path / "case"
    folder.mkdir()
    (folder / "a.txt").write_bytes(b"a")
    monkeypatch.chdir(folder)

    assert [file["path"] for file in line.json("show", line.deposit("."))["files"]] == ["a.txt"]
    assert [file["path"] for file in line.json("show", line.deposit("a.txt"))["files"]] == ["a.txt"]


def test_an_empty_file_is_a_document(line: CommandLine, tmp_path: Path) -> None:
    """Deposited, evidenced, verified and given back empty."""
    (tmp_path / "empty").touch()
    poid = line.deposit(tmp_path / "empty")
    line.preserve()

    assert line.json("verify", poid)["verdict"] == "PASSED"
    line.json("retrieve", poid, "--out", tmp_path / "out")
    assert (tmp_path / "out" / "empty").read_bytes() == b""


@pytest.mark.parametrize(
    "name",
    [
        "x" * 255,
        "ř" * 127,
        "x" * 251 + ".pdf",
        "příloha č. 1 (kopie).pdf",
        "日本",
        "-rf",
        "a b\u00a0c",
        "😀",
        ".hidden",
    ],
)
def test_names_are_kept_as_they_are(line: CommandLine, tmp_path: Path, name: str) -> None:
    """Up to 255 bytes of UTF-8, with any character that a file system takes and people can see."""
    (tmp_path / name).write_bytes(b"content")
    poid = line.deposit("--", tmp_path / name)
    line.json("retrieve", poid, "--out", tmp_path / "out")

    assert os.listdir(tmp_path / "out") == [name]


def test_a_large_file_with_a_name_of_255_bytes_goes_in_and_out(line: CommandLine, tmp_path: Path) -> None:
    """Its chunk list has no name of its own then."""
    path = tmp_path / ("x" * 255)
    path.write_bytes(bytes(5 * 1024 * 1024))
    poid = line.deposit(path)
    line.preserve()
    line.json("retrieve", poid, "--out", tmp_path / "out")

    assert (tmp_path / "out" / path.name).read_bytes() == path.read_bytes()
    assert line.json("verify", poid)["verdict"] == "PASSED"


def test_metadata_and_organisation_are_kept(line: CommandLine, tmp_path: Path, letter: Path) -> None:
    """The metadata byte for byte; the organisation is the home's own unless one is named."""
    about = tmp_path / "about.json"
    about.write_bytes(b'{ "Subject" : "\xc5\x99",  "n": 1.50 }\r\n')
    poid = line.deposit(letter, "--metadata", about, "--organisation", "70891508")
    line.json("retrieve", poid, "--out", tmp_path / "out", "--whole")

    assert (tmp_path / "out" / "metadata.json").read_bytes() == about.read_bytes()
    assert line.json("show", poid)["originator"] == "70891508"
    assert line.json("show", line.deposit(letter))["originator"] == "default"


# -- idempotency keys -------------------------------------------------------------------------------


@pytest.mark.parametrize("key", ["k", "ř" * 127 + "x", "x" * 255, "a b\n\t'\"\\", "😀" * 63, " ", "0", "-dash", "/../"])
def test_a_key_is_any_utf8_up_to_255_bytes(line: CommandLine, letter: Path, key: str) -> None:
    """Repeating with it gives the same POID, and says so; another content is a conflict."""
    first = line.json("deposit", letter, f"--key={key}")["objects"][0]
    again = line.json("deposit", letter, f"--key={key}")["objects"][0]
    assert again == {**first, "replayed": True}
    assert held(line) == [first["poid"]]
    assert line.json("list")["objects"][0]["idempotency_key"] == key

    letter.write_bytes(b"another letter")
    error = refused(line, letter, f"--key={key}", code=12)
    assert error["code"] == "idempotency-conflict"
    assert error["poid"] == first["poid"]
    assert held(line) == [first["poid"]]


@pytest.mark.parametrize("key", ["", "x" * 256, "ř" * 128, "bad\udcff"])
def test_other_keys_are_refused(line: CommandLine, letter: Path, key: str) -> None:
    """Empty, longer than 255 bytes, or no UTF-8."""
    error = refused(line, letter, f"--key={key}")

    assert error["code"] == "submission"
    assert "key" in str(error["message"])


def test_one_key_is_for_one_object(line: CommandLine, letter: Path) -> None:
    """Several PATHs under one key would be one or several: it is refused before anything is taken."""
    said = line.run("--json", "deposit", letter, letter, "--key", "k")

    assert said.code == 2
    assert held(line) == []


def test_the_same_key_of_another_organisation_is_another_key(line: CommandLine, letter: Path) -> None:
    """Keys are each organisation's own."""
    first = line.deposit(letter, "--key", "k", "--organisation", "1")
    second = line.deposit(letter, "--key", "k", "--organisation", "2")

    assert first != second


def test_the_same_file_without_key_is_deposited_anew(line: CommandLine, letter: Path) -> None:
    """Only a key makes it a repetition."""
    assert line.deposit(letter) != line.deposit(letter)


def test_a_key_holds_across_evidence_and_rebuild(line: CommandLine, letter: Path) -> None:
    """The stores remember what was deposited under it."""
    poid = line.deposit(letter, "--key", "k")
    line.preserve()
    line.json("rebuild-catalogue", "--from", "two")

    assert line.deposit(letter, "--key", "k") == poid


# -- what is refused --------------------------------------------------------------------------------


def test_one_bad_path_does_not_keep_the_others_out(line: CommandLine, letter: Path, tmp_path: Path) -> None:
    """Each is told by itself; the exit code is that of the first refusal."""
    (tmp_path / "link").symlink_to(letter)
    said = line.run("--json", "deposit", letter, tmp_path / "nowhere", letter, tmp_path / "link")
    answers = said.json["objects"]

    assert said.code == 10
    assert [answer["status"] for answer in answers] == ["replicated", "refused", "replicated", "refused"]
    assert said.error["code"] == "submission"
    assert held(line) == [answers[0]["poid"], answers[2]["poid"]]
    people = line.run("deposit", letter, tmp_path / "nowhere")
    assert people.code == 10
    assert "REFUSED: cannot read" in people.out.splitlines()[1]


def test_an_empty_folder_is_refused(line: CommandLine, tmp_path: Path) -> None:
    """Also one that holds only folders."""
    (tmp_path / "empty" / "er").mkdir(parents=True)

    assert refused(line, tmp_path / "empty")["code"] == "empty-submission"


def test_links_are_refused_and_not_followed(line: CommandLine, tmp_path: Path, letter: Path) -> None:
    """To a file, to a folder, dangling, in a circle, named or found in a folder."""
    (tmp_path / "folder").mkdir()
    for name, target in {"file": letter, "dir": tmp_path, "dangling": "nowhere", "self": "self"}.items():
        link = tmp_path / "folder" / name
        link.symlink_to(target)
        assert refused(line, link)["code"] == "name-not-accepted"
        assert refused(line, tmp_path / "folder")["code"] == "name-not-accepted"
        link.unlink()


def test_special_files_are_refused_at_once(line: CommandLine, tmp_path: Path) -> None:
    """A pipe that nobody writes, a socket, a device: none is waited for."""
    folder = tmp_path / "folder"
    folder.mkdir()
    os.mkfifo(folder / "pipe")
    assert refused(line, folder / "pipe")["code"] == "name-not-accepted"
    assert refused(line, folder)["code"] == "name-not-accepted"
    assert refused(line, "/dev/null")["code"] == "name-not-accepted"
    (folder / "pipe").unlink()
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(folder / "s"))
        assert refused(line, folder)["code"] == "name-not-accepted"


def test_what_cannot_be_read_is_refused(line: CommandLine, tmp_path: Path) -> None:
    """Absent, below a file, with a name that is too long or holds a NUL."""
    (tmp_path / "file").write_bytes(b"1")
    for path in (tmp_path / "nowhere", tmp_path / "file" / "below", tmp_path / ("x" * 256), f"{tmp_path}/nul\0name"):
        assert refused(line, path)["code"] == "submission"


def test_a_file_that_fails_while_it_is_read_is_refused(line: CommandLine) -> None:
    """A regular file whose first byte already is an input/output error: this process's memory."""
    assert "Input/output error" in str(refused(line, "/proc/self/mem")["message"])


@pytest.mark.parametrize(
    "name", ["con", "NUL.txt", "lpt1.pdf", "a\nb", "a\x1bb", "back\\slash", "line\u2028end", "bad\udcffbyte"]
)
def test_names_that_others_cannot_keep_are_refused(line: CommandLine, tmp_path: Path, name: str) -> None:
    """Alone and inside a folder; what is told can be shown and parsed."""
    folder = tmp_path / "folder"
    folder.mkdir()
    (folder / name).write_bytes(b"1")

    assert refused(line, folder / name)["code"] == "name-not-accepted"
    assert refused(line, folder)["code"] == "name-not-accepted"


@pytest.mark.parametrize("pair", [("A.txt", "a.txt"), ("\u00e9", "e\u0301"), ("Straße", "STRASSE")])
def test_names_that_would_become_one_are_refused(line: CommandLine, tmp_path: Path, pair: tuple[str, str]) -> None:
    """On a file system without case or with its own form of Unicode."""
    folder = tmp_path / "folder"
    folder.mkdir()
    for name in pair:
        (folder / name).write_bytes(b"1")

    assert refused(line, folder)["code"] == "name-not-accepted"


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"{",
        b"[]",
        b"1",
        b'"text"',
        b"null",
        b'{"a":1}{',
        b'{"a":1,"a":2}',
        b'{"a":NaN}',
        b"\xff\xfe{}",
        b"[" * 9999,
    ],
)
def test_metadata_that_is_no_json_object_is_refused(
    line: CommandLine, tmp_path: Path, letter: Path, content: bytes
) -> None:
    """Also with a name twice, with a number that JSON does not know, or nested without end."""
    (tmp_path / "about.json").write_bytes(content)

    assert refused(line, letter, "--metadata", tmp_path / "about.json")["code"] == "metadata-not-accepted"


def test_metadata_that_is_no_file_is_refused_at_once(line: CommandLine, tmp_path: Path, letter: Path) -> None:
    """A folder, a pipe, nothing."""
    os.mkfifo(tmp_path / "pipe")
    for path in (tmp_path, tmp_path / "pipe", tmp_path / "nowhere"):
        assert refused(line, letter, "--metadata", path)["code"] == "metadata-not-accepted"


def test_an_unknown_profile_is_exit_11(line: CommandLine, letter: Path) -> None:
    """There is none by that name."""
    assert refused(line, letter, "--profile", "gold-9", code=11)["code"] == "unknown-profile"


@pytest.mark.parametrize("name", ["x" * 256, "ř" * 128, "line\nend", "bad\udcff"])
def test_an_organisation_is_one_line_of_at_most_255_bytes(line: CommandLine, letter: Path, name: str) -> None:
    """It stands in every description, statement and list for decades."""
    assert refused(line, letter, f"--organisation={name}")["code"] == "submission"


def test_a_refusal_is_an_event(line: CommandLine, tmp_path: Path) -> None:
    """Attempts are recorded too."""
    before = line.json("status")["trail"]["size"]
    (tmp_path / "con").write_bytes(b"1")
    refused(line, tmp_path / "con")

    assert line.json("status")["trail"]["size"] == before + 1


@pytest.mark.parametrize("store", ["one", "two"])
def test_a_store_that_is_away_refuses_the_deposit(line: CommandLine, letter: Path, store: str) -> None:
    """Nothing is acknowledged that is not on every copy; when it is back, the same key succeeds."""
    line.store(store).rename(line.home / "away")
    said = line.run("--json", "deposit", letter, "--key", "k")

    assert said.code == 75
    assert said.error["code"] == "store-unavailable"
    assert store in str(said.error)
    assert held(line) == []
    assert line.json("status")["stores"][("one", "two").index(store)]["ok"] is False

    (line.home / "away").rename(line.store(store))
    poid = line.deposit(letter, "--key", "k")
    assert held(line) == [poid]


# -- update -----------------------------------------------------------------------------------------


def test_an_update_is_the_complete_new_content(line: CommandLine, tmp_path: Path, letter: Path) -> None:
    """What is not named is not in it; the old version stays as it was."""
    (tmp_path / "case").mkdir()
    for name in ("stays", "goes"):
        (tmp_path / "case" / name).write_bytes(name.encode())
    poid = line.deposit(tmp_path / "case")
    (tmp_path / "case" / "goes").unlink()
    told = line.json("update", poid, tmp_path / "case", letter)

    assert (told["poid"], told["version"], told["status"]) == (poid, 2, "replicated")
    assert [file["path"] for file in line.json("show", poid)["files"]] == ["letter.txt", "stays"]
    assert [file["path"] for file in line.json("show", poid, "--version", "1")["files"]] == ["goes", "stays"]
    assert line.json("show", poid)["versions"] == [1, 2]
    assert held(line) == [poid]


def test_an_update_keeps_organisation_and_profile(line: CommandLine, letter: Path) -> None:
    """They are the object's."""
    poid = line.deposit(letter, "--organisation", "70891508", "--profile", "redundant-1")
    told = line.json("update", poid, letter)

    assert (told["originator"], told["profile"]) == ("70891508", "redundant-1")


def test_an_update_with_a_key_happens_once(line: CommandLine, letter: Path) -> None:
    """And its key is not the deposit's: another request under either is a conflict."""
    poid = line.deposit(letter, "--key", "deposit")
    letter.write_bytes(b"second")
    first = line.json("update", poid, letter, "--key", "update")
    again = line.json("update", poid, letter, "--key", "update")
    assert again == {**first, "replayed": True}
    assert line.json("show", poid)["versions"] == [1, 2]

    letter.write_bytes(b"third")
    for words in (["update", poid, letter, "--key", "update"], ["update", poid, letter, "--key", "deposit"]):
        said = line.run("--json", *words)
        assert said.code == 12, said
        assert said.error["code"] == "idempotency-conflict"


@pytest.mark.parametrize("what", ["nowhere", "empty"])
def test_an_update_that_is_refused_changes_nothing(line: CommandLine, tmp_path: Path, letter: Path, what: str) -> None:
    """The version before stays the newest."""
    (tmp_path / "empty").mkdir()
    poid = line.deposit(letter)
    said = line.run("--json", "update", poid, tmp_path / what)

    assert said.code == 10
    assert line.json("show", poid)["versions"] == [1]


def test_an_update_of_what_is_not_there_is_exit_11(line: CommandLine, letter: Path) -> None:
    """It makes no object."""
    said = line.run("--json", "update", "01a206fbbf46744db6dc2a5fe0c13254", letter)

    assert said.code == 11
    assert held(line) == []


def test_two_paths_with_one_name_are_refused(line: CommandLine, tmp_path: Path, letter: Path) -> None:
    """Neither wins in silence."""
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / letter.name).write_bytes(b"other")
    poid = line.deposit(letter)

    assert line.run("--json", "update", poid, letter, tmp_path / "other" / letter.name).code == 10


# -- several at once --------------------------------------------------------------------------------


@pytest.mark.slow
def test_two_processes_with_one_key_deposit_once(line: CommandLine, letter: Path) -> None:
    """Both are told the same POID."""
    words = ["--home", str(line.home), "--json", "deposit", str(letter), "--key", "k"]
    running = [process(words) for _ in range(2)]
    outcomes: list[tuple[bytes, bytes]] = [one.communicate(timeout=60) for one in running]

    assert [one.returncode for one in running] == [0, 0], outcomes
    assert len(held(line)) == 1
    assert line.run("audit").code == 0


@pytest.mark.slow
def test_a_deposit_goes_on_beside_preserve(line: CommandLine, tmp_path: Path) -> None:
    """Threads that deposit and one that proves: everything is there and proven at the end."""
    poids: list[str] = []

    def deposit(number: int) -> None:
        path = tmp_path / f"{number}"
        path.write_bytes(str(number).encode())
        running = process(["--home", str(line.home), "--json", "deposit", str(path)])
        out, err = running.communicate(timeout=120)
        assert running.returncode == 0, (out, err)
        poids.append(path.name)

    threads = [threading.Thread(target=deposit, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    preserving = process(["--home", str(line.home), "preserve"])
    assert preserving.wait(120) == 0
    for thread in threads:
        thread.join()
    line.preserve()

    assert len(poids) == len(held(line)) == 4
    assert line.json("verify", "--all")["verdict"] == "PASSED"


# -- progress ---------------------------------------------------------------------------------------


def test_progress_is_json_lines_on_stderr(line: CommandLine, letter: Path) -> None:
    """From nothing to everything, with rate and remaining time; stdout stays one document."""
    said = line.run("--json", "deposit", letter, letter, letter)
    first, last = said.progress[0], said.progress[-1]

    assert (first["progress"], first["done"], first["total"]) == ("depositing", 0, 3)
    assert (last["progress"], last["done"], last["total"], last["remaining_seconds"]) == ("depositing", 3, 3, 0)
    assert last["rate"] > 0
    assert len(said.json["objects"]) == 3
    assert line.run("deposit", letter).err == ""
    assert "depositing: 1/1" in line.run("deposit", letter, "--verbose").err


def test_what_was_acknowledged_is_told_when_the_rest_is_cancelled(
    line: CommandLine, letter: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Ctrl-C at the third of four PATHs: exit 130, what was begun is finished, and no POID is lost."""
    real, calls = depositing.submission_of, []

    def cancelled(*words: object) -> object:
        calls.append(words)
        if len(calls) == 3:
            raise KeyboardInterrupt
        return real(*words)  # type: ignore[arg-type]

    monkeypatch.setattr(bulk, "GROUP", 1)
    monkeypatch.setattr(depositing, "submission_of", cancelled)
    said = line.run("--json", "deposit", letter, letter, letter, letter)

    assert said.code == 130
    assert [answer["poid"] for answer in said.json["objects"]] == held(line)
    assert len(held(line)) == 2
    assert said.error["code"] == said.progress[-1]["code"] == "cancelled"


def test_a_command_that_deposits_once_may_be_repeated(line: CommandLine, tmp_path: Path) -> None:
    """Interrupted after the first of three and said again: three objects, the first answered as before."""
    paths = []
    for name in ("a", "b", "c"):
        paths.append(tmp_path / name)
        paths[-1].write_text(name)
    first = line.json("deposit", "--once", paths[0])["objects"][0]
    again = line.json("deposit", "--once", *paths)["objects"]

    assert [answer["replayed"] for answer in again] == [True, False, False]
    assert again[0]["poid"] == first["poid"]
    assert held(line) == [answer["poid"] for answer in again]
    paths[0].write_text("changed")
    assert line.json("deposit", "--once", paths[0])["objects"][0]["replayed"] is False
    assert line.json("deposit", paths[1])["objects"][0]["replayed"] is False
    assert len(held(line)) == 5


def test_once_and_a_key_of_ones_own_do_not_go_together(line: CommandLine, letter: Path) -> None:
    """Which of the two counts would be a guess."""
    assert line.run("deposit", letter, "--once", "--key", "k").code == 2


def test_what_is_deposited_once_is_known_after_a_rebuild(line: CommandLine, letter: Path) -> None:
    """The key lies in the stores."""
    (first,) = line.json("deposit", "--once", letter)["objects"]
    line.json("rebuild-catalogue", "--from", "two")
    (again,) = line.json("deposit", "--once", letter)["objects"]

    assert (again["poid"], again["replayed"]) == (first["poid"], True)
