"""`init`, `status`, `doctor`, `keys`: the operator's own."""

from __future__ import annotations

import os
import shutil
import sqlite3
import stat
from pathlib import Path
from typing import Any

import pytest

from api.settings import ArchiveSettings
from api.wiring import build_archive
from archive_core.errors import UnauthenticatedError
from tests.command_line import CommandLine, run


def snapshot(folder: Path) -> dict[str, tuple[int, bytes]]:
    """Mode and content of every file, but for what SQLite keeps beside a database in use."""
    return {
        str(path.relative_to(folder)): (path.stat().st_mode, path.read_bytes())
        for path in folder.rglob("*")
        if path.is_file() and not path.name.endswith(("-wal", "-shm", ".lock"))
    }


# -- init -----------------------------------------------------------------------------------------


def test_a_new_home_has_what_is_promised(made_home: Path) -> None:
    """Settings, catalogue, two OCFL 1.1 storage roots, the test CA; nobody else can look into it."""
    for name in ("trusted-archive.toml", "catalogue.sqlite3", "trust/test-ca.pem"):
        assert (made_home / name).is_file()
    for name in ("one", "two"):
        assert (made_home / "stores" / name / "0=ocfl_1.1").read_bytes() == b"ocfl_1.1\n"
    assert stat.S_IMODE(made_home.stat().st_mode) == 0o700
    for key in (made_home / "trust").glob("*-key.pem"):
        assert stat.S_IMODE(key.stat().st_mode) == 0o600
    assert ArchiveSettings.load(made_home).stores[1].name == "two"


def test_init_says_where_and_what_next(tmp_path: Path) -> None:
    """And that its trust is for tests; the second time only that it is there."""
    home = tmp_path / "a" / "b" / "home"
    first = run("--home", str(home), "init")
    assert first.code == 0
    for fact in (str(home), "TEST TRUST", "trusted-archive deposit"):
        assert fact in first.out
    again = run("--home", str(home), "init")
    assert again.out == f"The home is ready: {home}\n"


def test_init_may_be_repeated(proven: tuple[CommandLine, str]) -> None:
    """Nothing that is there is changed."""
    line, poid = proven
    before = snapshot(line.home)
    told = line.json("init")

    assert told["created"] is False
    assert set(told["stores"]) == {"one", "two"}
    assert snapshot(line.home) == before
    assert line.json("show", poid)["status"] == "evidenced"


@pytest.mark.parametrize("what", ["file-in-it", "is-a-file", "below-a-file", "foreign-catalogue"])
def test_init_takes_no_strange_place(tmp_path: Path, what: str) -> None:
    """A folder with somebody's files stays as it is."""
    home = tmp_path / "home"
    if what == "file-in-it":
        home.mkdir()
        (home / "thesis.odt").write_bytes(b"mine")
    elif what == "foreign-catalogue":
        home.mkdir()
        (home / "catalogue.sqlite3").write_bytes(b"not a database at all, but more than one page of it" * 200)
    else:
        home.write_bytes(b"mine")
    before = snapshot(tmp_path)
    said = run("--home", str(home / "below" if what == "below-a-file" else home), "--json", "init")

    assert said.code in (78, 90), said
    assert {path: value for path, value in snapshot(tmp_path).items() if path in before} == before


def test_an_interrupted_init_is_completed(tmp_path: Path) -> None:
    """At every place where it can stop."""
    home = tmp_path / "home"
    assert run("--home", str(home), "init").code == 0
    for lost in (["catalogue.sqlite3"], ["catalogue.sqlite3", "stores/two"], ["catalogue.sqlite3", "stores"]):
        for name in lost:
            place = home / name
            shutil.rmtree(place) if place.is_dir() else place.unlink()
        assert run("--home", str(home), "init").code == 0
        assert run("--home", str(home), "--json", "doctor").json["ok"] is True


@pytest.mark.parametrize("how", ["missing", "empty"])
def test_a_lost_catalogue_is_never_replaced_by_an_empty_one(proven: tuple[CommandLine, str], how: str) -> None:
    """Not by `init`, not by `upgrade`, not by looking: it is rebuilt from what the stores hold."""
    line, poid = proven
    catalogue = line.home / "catalogue.sqlite3"
    catalogue.unlink()
    if how == "empty":
        catalogue.touch()
    for words in (["init"], ["upgrade"], ["upgrade", "--dry-run"], ["list"], ["status"], ["show", poid], ["doctor"]):
        said = line.run("--json", *words)
        assert said.code == (1 if words == ["doctor"] else 90), said
        assert "rebuild-catalogue" in said.out
        assert not catalogue.exists() or catalogue.stat().st_size == 0

    line.json("rebuild-catalogue", "--from", "one")
    assert line.json("verify", poid)["verdict"] == "PASSED"


def test_a_lost_store_is_never_replaced_by_an_empty_one(proven: tuple[CommandLine, str], tmp_path: Path) -> None:
    """`init` says that it is away."""
    line, _ = proven
    line.store("two").rename(tmp_path / "away")
    said = line.run("--json", "init")

    assert said.code == 75
    assert "two" in said.error["message"]
    assert not line.store("two").exists()


# -- status ---------------------------------------------------------------------------------------


def test_status_tells_states_stores_and_warnings(proven: tuple[CommandLine, str], letter: Path) -> None:
    """Each fact for machines, a line for people, and what to do next."""
    line, _ = proven
    line.deposit(letter)
    told = line.json("status")

    assert told["objects"] == {"objects": 2, "versions": 2, "replicated": 1, "evidenced": 1, "destroyed": 0}
    assert [(store["name"], store["ok"]) for store in told["stores"]] == [("one", True), ("two", True)]
    assert told["test_trust"] is True
    assert told["trail"]["pending"] == 0
    said = line.run("status").out
    for fact in ("2 objects", "1 evidenced", "1 replicated", "store one: in order", "test trust", "preserve"):
        assert fact in said


# -- doctor ---------------------------------------------------------------------------------------


def checks(line: CommandLine, code: int) -> dict[str, list[dict[str, Any]]]:
    """What the doctor found, by name; the same verdict must reach people."""
    said = line.run("--json", "doctor")
    assert said.code == code, said
    assert line.run("doctor").code == code
    found: dict[str, list[dict[str, Any]]] = {}
    for check in said.json["checks"]:
        found.setdefault(check["name"], []).append(check)
    assert said.json["ok"] is (code == 0) is all(check["ok"] for group in found.values() for check in group)
    assert all(check["mend"] for group in found.values() for check in group if not check["ok"])
    return found


def bad(found: dict[str, list[dict[str, Any]]]) -> set[str]:
    return {name for name, group in found.items() if not all(check["ok"] for check in group)}


def test_a_healthy_home_is_found_healthy(proven: tuple[CommandLine, str]) -> None:
    """Every part is tried: a stamp from both authorities, a seal, both stores."""
    line, _ = proven
    before = snapshot(line.home)
    found = checks(line, 0)

    assert set(found) >= {"settings", "store", "catalogue", "agreement", "time-stamp authority", "seal", "clock"}
    assert len(found["store"]) == len(found["agreement"]) == len(found["time-stamp authority"]) == 2
    assert all("sha512" in check["message"] for check in found["time-stamp authority"])
    assert snapshot(line.home) == before


def test_a_home_that_is_not_there_is_named(tmp_path: Path) -> None:
    """Exit 1, where it was looked for, what to do; and it is not made."""
    line = CommandLine(tmp_path / "nowhere")
    found = checks(line, 1)

    assert bad(found) == {"settings"}
    assert str(line.home) in found["settings"][0]["message"]
    assert "init" in found["settings"][0]["mend"]
    assert not line.home.exists()


def sick_store(line: CommandLine) -> None:
    shutil.rmtree(line.store("two"))


def sick_declaration(line: CommandLine) -> None:
    (line.store("one") / "0=ocfl_1.1").unlink()


def sick_catalogue(line: CommandLine) -> None:
    (line.home / "catalogue.sqlite3").write_bytes(b"garbage" * 1000)


def sick_schema(line: CommandLine) -> None:
    with sqlite3.connect(line.home / "catalogue.sqlite3") as database:
        database.execute("UPDATE alembic_version SET version_num = '9999'")


def sick_seal(line: CommandLine) -> None:
    (line.home / "trust" / "local-seal-key.pem").write_bytes(b"no key")


def sick_anchor(line: CommandLine) -> None:
    (line.home / "trust" / "test-ca.pem").unlink()


def sick_key_mode(line: CommandLine) -> None:
    (line.home / "trust" / "local-seal-key.pem").chmod(0o644)


def sick_settings(line: CommandLine) -> None:
    (line.home / "trusted-archive.toml").write_text("format = \n")


def sick_clock(line: CommandLine) -> None:
    with sqlite3.connect(line.home / "catalogue.sqlite3") as database:
        (stamp,) = database.execute("SELECT formed_at FROM batches").fetchone()
        moved = stamp + 10**12 if isinstance(stamp, int) else "2099" + str(stamp)[4:]
        database.execute("UPDATE batches SET formed_at = ?", (moved,))


def sick_behind(line: CommandLine) -> None:
    shutil.rmtree(min(line.store("two").rglob("*ba0000000001"), key=lambda path: len(path.parts)))


def sick_restored(line: CommandLine) -> None:
    with sqlite3.connect(line.home / "catalogue.sqlite3") as database:
        database.execute("PRAGMA foreign_keys = OFF")
        database.execute("DELETE FROM segments WHERE number = (SELECT max(number) FROM segments)")


@pytest.mark.parametrize(
    ("harm", "named"),
    [
        (sick_store, {"store", "published policies", "agreement"}),
        (sick_declaration, {"store", "published policies", "agreement"}),
        (sick_catalogue, {"catalogue"}),
        (sick_schema, {"catalogue"}),
        (sick_seal, {"keys and trust anchors"}),
        (sick_anchor, {"keys and trust anchors"}),
        (sick_key_mode, {"key file"}),
        (sick_settings, {"settings"}),
        (sick_clock, {"clock"}),
        (sick_behind, {"agreement"}),
        (sick_restored, {"agreement"}),
    ],
)
def test_each_sickness_is_named_with_its_mend(proven: tuple[CommandLine, str], harm: Any, named: set[str]) -> None:
    """And the other parts are still looked at."""
    line, _ = proven
    harm(line)
    found = checks(line, 1)

    assert bad(found) == named


def test_the_doctor_needs_no_unlocked_home(proven: tuple[CommandLine, str]) -> None:
    """It works beside a running server."""
    import fcntl

    line, _ = proven
    with (line.home / "server.lock").open("a") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        checks(line, 0)


# -- keys -----------------------------------------------------------------------------------------


def test_a_key_is_made_shown_once_listed_and_revoked(line: CommandLine) -> None:
    """Its secret opens the door until then, and is kept nowhere."""
    made = line.json("keys", "create", "--label", "spisovka", "--role", "depositor", "--organisation", "70891508")
    secret = made.pop("secret")
    (listed,) = line.json("keys", "list")["keys"]

    assert made == {key: listed[key] for key in made}
    assert (listed["organisation"], listed["role"], listed["revoked"]) == ("70891508", "depositor", None)
    with _archive(line) as archive:
        assert archive.authenticate(secret).originator == "70891508"
    assert all(secret.encode() not in path.read_bytes() for path in line.home.rglob("*") if path.is_file())

    revoked = line.json("keys", "revoke", made["key_id"])
    assert revoked["revoked"]
    assert line.json("keys", "revoke", made["key_id"]) == revoked
    assert line.json("keys", "list")["keys"][0]["revoked"] == revoked["revoked"]
    with _archive(line) as archive, pytest.raises(UnauthenticatedError):
        archive.authenticate(secret)


@pytest.mark.parametrize(
    ("words", "role", "organisation"),
    [
        ([], "depositor", "default"),
        (["--role", "depositor", "--organisation", "1"], "depositor", "1"),
        (["--role", "auditor"], "auditor", None),
        (["--role", "operator"], "operator", None),
        (["--role", "operator", "--organisation", "1"], "operator", "1"),
    ],
)
def test_no_option_of_a_key_is_required(
    line: CommandLine, words: list[str], role: str, organisation: str | None
) -> None:
    """A depositor's key is never one for everybody's documents."""
    made = line.json("keys", "create", *words)

    assert (made["role"], made["organisation"]) == (role, organisation)


def test_people_see_keys_in_a_table(line: CommandLine) -> None:
    """And the secret with a hint how to use it."""
    assert "trusted-archive keys create" in line.run("keys", "list").out
    said = line.run("keys", "create", "--label", "control \x1b[2J", "--role", "auditor")
    key_id, secret = said.out.splitlines()[0].split()[0], said.out.splitlines()[1]
    listed = line.run("keys", "list").out

    assert secret not in listed
    assert "Authorization: Bearer" in said.out
    assert "\x1b" not in said.out + listed
    assert listed.splitlines()[0].split() == [
        "key",
        "role",
        "organisation",
        "created",
        "last",
        "used",
        "ends",
        "state",
        "label",
    ]
    assert "revoked" in line.run("keys", "revoke", key_id).out
    assert "revoked" in line.run("keys", "list").out


def test_an_unknown_key_is_exit_11(line: CommandLine) -> None:
    """Nothing is revoked."""
    said = line.run("--json", "keys", "revoke", "key-0000000000000000")

    assert said.code == 11
    assert said.error["code"] == "not-found"


@pytest.mark.parametrize("words", [["--label", ""], ["--label", "x" * 201], ["--organisation", ""]])
def test_a_key_that_says_nothing_is_not_made(line: CommandLine, words: list[str]) -> None:
    """An empty or endless label, an empty organisation."""
    assert line.run("--json", "keys", "create", *words).code == 2
    assert line.json("keys", "list") == {"keys": []}


def test_the_secret_is_new_each_time(line: CommandLine) -> None:
    """And hard to guess."""
    secrets = {line.json("keys", "create")["secret"] for _ in range(3)}

    assert len(secrets) == 3
    assert all(len(secret) >= 40 for secret in secrets)


def _archive(line: CommandLine) -> Any:
    import contextlib

    return contextlib.closing(build_archive(ArchiveSettings.load(line.home)))


def test_the_home_may_be_a_relative_path(
    made_home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, letter: Path
) -> None:
    """Also one with a strange but legal name."""
    name = "domov úložiště č. 1"
    shutil.copytree(made_home, tmp_path / name)
    monkeypatch.chdir(tmp_path)
    said = run("--home", name, "--json", "deposit", letter.name)

    assert said.code == 0, said
    assert run("--home", name, "--json", "audit").json["findings"] == []
    assert os.getcwd() == str(tmp_path)
