"""`rebuild-catalogue` and `upgrade`: back from a loss, forward to a newer version."""

from __future__ import annotations

import fcntl
import shutil
import sqlite3
from pathlib import Path
from typing import Any

import pytest

from archive_core.catalogue import schema
from tests.command_line import CommandLine, copied_home, flip

CATALOGUE = "catalogue.sqlite3"
OTHER_LOSSES = ("missing", "empty", "garbage", "none")


def tree(folder: Path) -> dict[str, bytes]:
    """All files but the locks of staging sessions, which end when Python collects them."""
    paths = (path for path in folder.rglob("*") if path.is_file() and not path.match("staging/*/*/lock"))
    return {str(path.relative_to(folder)): path.read_bytes() for path in paths}


# -- rebuild-catalogue ------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def busy_home(proven_home: tuple[Path, str], tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, Any]]:
    """An archive with two versions, two profiles, two organisations, and one object that waits for evidence; and all
    that it tells."""
    home, poid = proven_home
    folder = tmp_path_factory.mktemp("busy")
    line = copied_home(home, folder)
    (folder / "second").write_bytes(b"second")
    line.json("update", poid, folder / "second")
    line.deposit(folder / "second", "--profile", "redundant-1", "--organisation", "70891508", "--key", "ř")
    line.preserve()
    line.deposit(folder / "second")
    return line.home, told(line)


@pytest.fixture
def busy(busy_home: tuple[Path, dict[str, Any]], tmp_path: Path) -> CommandLine:
    """A copy of the busy home."""
    return copied_home(busy_home[0], tmp_path)


def told(line: CommandLine) -> dict[str, Any]:
    """Everything that must be the same before and after."""
    objects = line.json("list")["objects"]
    answers: dict[str, Any] = {"list": objects}
    for view in objects:
        for version in line.json("show", view["poid"])["versions"]:
            words = [view["poid"], "--version", str(version)]
            answers[f"{view['poid']} v{version}"] = {
                "show": line.json("show", *words),
                "receipt": line.run("--json", "receipt", *words).out,
                "verdict": {**line.run("--json", "verify", *words).json, "steps": None},
            }
    return answers


@pytest.mark.parametrize("store", ["one", pytest.param("two", marks=pytest.mark.slow)])
@pytest.mark.parametrize("loss", ["torn", *(pytest.param(loss, marks=pytest.mark.slow) for loss in OTHER_LOSSES)])
def test_the_catalogue_comes_back_from_one_store(
    busy: CommandLine, busy_home: tuple[Path, dict[str, Any]], store: str, loss: str
) -> None:
    """Whatever happened to it; the old file is kept beside the new one."""
    _, before = busy_home
    file = busy.home / CATALOGUE
    if loss == "missing":
        file.unlink()
    elif loss == "empty":
        file.write_bytes(b"")
    elif loss == "garbage":
        file.write_bytes(b"garbage" * 4096)
    elif loss == "torn":
        file.write_bytes(file.read_bytes()[: file.stat().st_size // 2])
    old = file.read_bytes() if file.exists() else None
    report = busy.json("rebuild-catalogue", "--from", store)

    assert report["findings"] == []
    assert (report["objects"], report["versions"], report["batches"], report["store"]) == (3, 4, 3, store)
    assert told(busy) == before
    if old is None:
        assert report["backup"] is None
    else:
        assert Path(report["backup"]).read_bytes() == old
    assert busy.json("audit")["findings"] == []
    assert busy.json("doctor")["ok"] is True
    busy.preserve()
    assert busy.json("verify", "--all")["verdict"] == "PASSED"


@pytest.mark.slow
def test_a_rebuild_shows_progress_and_says_what_is_not_in_the_stores(busy: CommandLine) -> None:
    """API keys are only in the catalogue."""
    busy.json("keys", "create")
    said = busy.run("rebuild-catalogue", "--from", "one")

    assert "keys create" in said.out
    assert "3 objects, 4 versions" in said.out
    assert busy.json("keys", "list") == {"keys": []}
    progress = {one["progress"] for one in busy.run("--json", "rebuild-catalogue").progress}
    assert progress >= {"objects", "batches", "trail"}


@pytest.mark.parametrize("name", ["three", "", "stores", "../one"])
def test_a_store_that_is_not_there_is_exit_2(busy: CommandLine, name: str) -> None:
    """The names that there are, are told; the catalogue stays."""
    before = (busy.home / CATALOGUE).read_bytes()
    said = busy.run("--json", "rebuild-catalogue", "--from", name)

    assert said.code == 2
    assert not name or "one, two" in said.error["message"]
    assert (busy.home / CATALOGUE).read_bytes() == before


def test_a_store_may_be_named_by_its_folder(busy: CommandLine) -> None:
    """As people see it."""
    assert busy.json("rebuild-catalogue", "--from", busy.store("two"))["store"] == "two"


def test_without_a_name_the_fullest_store_is_read(busy: CommandLine) -> None:
    """One that lost an object is not chosen."""
    poid = busy.json("list")["objects"][0]["poid"]
    shutil.rmtree(min(busy.store("one").rglob(f"*{poid}"), key=lambda path: len(path.parts)))

    assert busy.json("rebuild-catalogue")["store"] == "two"


@pytest.mark.slow
def test_a_store_that_is_behind_says_what_it_lacks(busy: CommandLine) -> None:
    """Exit 1, each gap named; what it holds is in the catalogue all the same."""
    for name in ("ba0000000002", "tr0000000002"):
        shutil.rmtree(min(busy.store("one").rglob(f"*{name}"), key=lambda path: len(path.parts)))
    report = busy.json("rebuild-catalogue", "--from", "one", code=1)

    assert {finding["code"] for finding in report["findings"]} >= {"BATCH_MISSING", "TRAIL_SEGMENT_MISSING"}
    assert report["versions"] == 4
    assert "not complete" in busy.run("rebuild-catalogue", "--from", "one").out


def test_damage_in_the_store_is_named_and_the_rest_is_read(busy: CommandLine) -> None:
    """One description that does not have its digest costs one object."""
    poid = busy.json("list")["objects"][1]["poid"]
    (path,) = [path for path in busy.files("one", "content/description.json") if poid in str(path)]
    flip(path, 10)
    report = busy.json("rebuild-catalogue", "--from", "one", code=1)

    assert report["findings"][0]["code"] == "OBJECT_UNREADABLE"
    assert poid in str(report["findings"])
    assert report["versions"] == 3


def test_a_rebuild_from_a_store_that_is_away_changes_nothing(busy: CommandLine, tmp_path: Path) -> None:
    """Exit 75."""
    busy.store("one").rename(tmp_path / "away")
    before = (busy.home / CATALOGUE).read_bytes()
    said = busy.run("--json", "rebuild-catalogue", "--from", "one")

    assert said.code == 75
    assert (busy.home / CATALOGUE).read_bytes() == before


@pytest.mark.parametrize("words", [["rebuild-catalogue", "--from", "one"], ["serve", "--port", "0"]])
def test_one_server_or_one_rebuild_at_a_time(busy: CommandLine, words: list[str]) -> None:
    """While a server runs on the home nothing is swapped under it."""
    with (busy.home / "server.lock").open("a") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        said = busy.run("--json", *words)

    assert said.code == 75
    assert said.error["code"] == "lease-held"


# -- upgrade ----------------------------------------------------------------------------------------


@pytest.fixture
def newer(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """This program with one more migration than its homes know."""
    folder = tmp_path / "alembic"
    shutil.copytree(schema.migrations_folder(), folder)
    (folder / "versions" / "0099_next.py").write_text(
        '"""The next."""\nimport sqlalchemy as sa\nfrom alembic import op\n'
        f'revision = "0099"\ndown_revision = "{schema.head_revision()}"\n'
        'def upgrade():\n    op.add_column("meta", sa.Column("more", sa.Text()))\n',
        encoding="utf-8",
    )
    monkeypatch.setattr("archive_core.catalogue.schema.migrations_folder", lambda: folder)


def columns(catalogue: Path) -> set[str]:
    with sqlite3.connect(catalogue) as database:
        return {row[1] for row in database.execute("PRAGMA table_info(meta)")}


def test_a_current_home_has_nothing_to_upgrade(proven: tuple[CommandLine, str]) -> None:
    """And no backup is made of it."""
    line, _ = proven
    for words in (["upgrade"], ["upgrade", "--dry-run"]):
        assert line.json(*words) == {"home": str(line.home), "steps": [], "done": False}
    assert line.run("upgrade").out == "Nothing to upgrade.\n"
    assert list(line.home.glob("backup*")) == []


def test_a_store_that_nobody_added_yet_is_not_in_the_way_of_an_upgrade(proven: tuple[CommandLine, str]) -> None:
    """The settings name it so that `stores add` can fill it; what is published waits until then."""
    line, _ = proven
    with (line.home / "trusted-archive.toml").open("a") as settings:
        settings.write('\n[[store]]\nname = "three"\nscheme = "filesystem"\nroot = "stores/three"\n')
        settings.write('staging = "staging/three"\nrequired = false\n')

    assert line.json("upgrade")["steps"] == []
    assert not (line.home / "stores" / "three").exists()


@pytest.mark.usefixtures("newer")
def test_an_older_schema_is_refused_until_it_is_upgraded(proven: tuple[CommandLine, str]) -> None:
    """The dry run says what would be done and changes nothing; the upgrade backs up first."""
    line, poid = proven
    said = line.run("--json", "list")
    assert (said.code, said.error["code"]) == (78, "schema-out-of-date")
    assert "trusted-archive upgrade" in said.error["message"]
    assert line.run("--json", "init").code == 78

    before = tree(line.home)
    (step,) = line.json("upgrade", "--dry-run")["steps"]
    assert step["name"] == "catalogue"
    assert "0099 (The next.)" in step["about"]
    assert tree(line.home) == before

    done = line.json("upgrade")
    backup = Path(done["backup"])
    assert done["done"] is True
    assert (backup / "trusted-archive.toml").read_bytes() == before["trusted-archive.toml"]
    assert "more" in columns(line.home / CATALOGUE)
    assert "more" not in columns(backup / CATALOGUE)
    assert line.json("show", poid)["status"] == "evidenced"
    assert line.json("upgrade")["steps"] == []


@pytest.mark.parametrize("words", [["upgrade"], ["upgrade", "--dry-run"], ["list"], ["rebuild-catalogue"], ["init"]])
def test_a_newer_schema_is_refused(proven: tuple[CommandLine, str], words: list[str]) -> None:
    """Nothing is guessed about it, and nothing is changed; only a rebuild may put it aside."""
    line, _ = proven
    with sqlite3.connect(line.home / CATALOGUE) as database:
        database.execute("UPDATE alembic_version SET version_num = '9999'")
    before = tree(line.home / "stores")
    said = line.run("--json", *words)

    assert tree(line.home / "stores") == before
    if words == ["rebuild-catalogue"]:
        assert said.code == 0
        return
    assert (said.code, said.error["code"]) == (78, "schema-out-of-date")
    assert "newer" in said.error["message"]


@pytest.mark.parametrize("number", [0, 2, 99])
def test_settings_of_another_format_are_refused(line: CommandLine, number: int) -> None:
    """Older or newer: it says which program to use."""
    settings = line.home / "trusted-archive.toml"
    settings.write_text(settings.read_text().replace("format = 1", f"format = {number}"))
    for words in (["list"], ["upgrade"]):
        said = line.run("--json", *words)
        assert said.code == 78
        assert f"format {number}" in said.error["message"]


@pytest.mark.parametrize("store", ["one", "two"])
def test_a_policy_that_a_store_lacks_is_published(proven: tuple[CommandLine, str], store: str) -> None:
    """As after an update of the program that brings a new profile or table."""
    line, poid = proven
    for name in ("profile-redundant-1", "algorithms-2026-06"):
        shutil.rmtree(min(line.store(store).rglob(f"*{name}"), key=lambda path: len(path.parts)))
    assert line.run("audit").code == 1
    assert line.run("doctor").code == 1
    before = tree(line.home)
    (step,) = line.json("upgrade", "--dry-run")["steps"]
    assert tree(line.home) == before
    assert all(name in step["about"] for name in ("profile-redundant-1", "algorithms-2026-06"))

    line.json("upgrade")
    assert line.json("audit")["findings"] == []
    assert line.json("doctor")["ok"] is True
    assert line.json("verify", poid)["verdict"] == "PASSED"


@pytest.mark.usefixtures("newer")
def test_an_upgrade_waits_for_no_server(proven: tuple[CommandLine, str]) -> None:
    """Exit 75 while one runs, and nothing is changed."""
    line, _ = proven
    with (line.home / "server.lock").open("a") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        assert line.run("upgrade").code == 75
        assert line.run("upgrade", "--dry-run").code == 0
    assert list(line.home.glob("backup*")) == []


@pytest.mark.usefixtures("newer")
def test_two_upgrades_keep_two_backups(proven: tuple[CommandLine, str]) -> None:
    """An earlier backup is never written over."""
    line, _ = proven
    with sqlite3.connect(line.home / CATALOGUE) as database:
        (before,) = database.execute("SELECT version_num FROM alembic_version").fetchone()
    first = Path(line.json("upgrade")["backup"])
    kept = tree(first)
    with sqlite3.connect(line.home / CATALOGUE) as database:
        database.execute("ALTER TABLE meta DROP COLUMN more")
        database.execute("UPDATE alembic_version SET version_num = ?", [before])
    second = Path(line.json("upgrade")["backup"])

    assert first != second
    assert tree(first) == kept
