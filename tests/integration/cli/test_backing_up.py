"""`backup` and `restore`: a home from one file and the stores, never wrong, never half, never a step too far."""

from __future__ import annotations

import os
import shutil
import signal
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyrage
import pytest

from api.backup import restoring
from archive_core.errors import UnavailableError
from archive_core.identifiers import storage_object_for, tombstone_object
from archive_core.ocfl.storage_root import StorageRoot
from storage_backends.filesystem import FilesystemStore
from tests.command_line import CommandLine, copied_home, flip, run

SECRET = "an unlikely secret of a service"


@dataclass(frozen=True)
class Lost:
    """A home that is lost: its backup, what the backup said, the identity that opens it, and the stores as they were
    afterwards; beside it how the home was in the end."""

    folder: Path
    file: Path
    digest: str
    stores: Path
    older: Path
    line: CommandLine
    before: str
    later: str
    destroyed: str
    revoked: str

    def words(self, *more: str) -> list[str]:
        identity = f"file:{self.folder / 'identity.txt'}"
        return ["restore", str(self.file), "--identity", identity, "--digest", self.digest, *more]


@pytest.fixture(scope="module")
def lost(proven_home: tuple[Path, str], tmp_path_factory: pytest.TempPathFactory) -> Lost:
    """Deposits, a destruction and a revocation happen after the backup."""
    folder = tmp_path_factory.mktemp("lost")
    line = copied_home(proven_home[0], folder)
    (line.home / "keys").mkdir()
    (line.home / "keys" / "service").write_text(SECRET)
    (folder / "file").write_bytes(b"to be destroyed")
    doomed = line.deposit(folder / "file")
    line.preserve()
    revoked = line.json("keys", "create", "--label", "filing")["key_id"]
    identity = pyrage.x25519.Identity.generate()
    (folder / "identity.txt").write_text(f"# made for a test\n{identity}\n")
    made = line.json("backup", "--out", folder / "b", "--recipient", str(identity.to_public()))
    assert "home/keys/service" in made["files"]
    assert not any("stores" in path for path in made["files"])

    shutil.copytree(line.store("two"), folder / "older")

    (folder / "file").write_bytes(b"later")
    later = line.deposit(folder / "file")
    line.json("update", proven_home[1], folder / "file")
    line.json("preserve")
    line.json("destroy", doomed, "--reason", "the law says so", "--yes")
    line.json("keys", "revoke", revoked)
    line.json("keys", "create", "--label", "made later")
    line.preserve()
    stores, older = line.home / "stores", folder / "older"
    return Lost(folder, folder / "b", made["sha512"], stores, older, line, proven_home[1], later, doomed, revoked)


@pytest.fixture
def empty(lost: Lost, tmp_path: Path) -> CommandLine:
    """A folder with the stores in it, and no home."""
    shutil.copytree(lost.stores, tmp_path / "home" / "stores", symlinks=True)
    return CommandLine(tmp_path / "home")


@pytest.mark.slow
def test_a_restored_home_holds_what_the_lost_one_held(lost: Lost, empty: CommandLine) -> None:
    """What came after the backup too: deposits, versions, proofs, destructions, revocations; new keys are named."""
    said = empty.json(*lost.words())
    assert said["agree"]
    assert said["read_only"]
    assert said["entered"]["versions"] == 2
    codes = {(note["code"], note["where"]) for note in said["notes"]}
    assert ("KEY_REVOKED", lost.revoked) in codes
    assert any(code == "NOT_REPEATED" for code, _ in codes)
    assert empty.json("restore", "--release", "--yes")["agree"]
    empty.preserve()  # each store is asked once more to purge what was destroyed

    mine, theirs = empty.json("list")["objects"], lost.line.json("list")["objects"]
    assert mine == theirs
    assert empty.json("show", lost.destroyed)["status"] == "destroyed"
    assert empty.run("--json", "retrieve", lost.destroyed, "--out", str(empty.home.parent / "out")).code == 11
    [key] = [key for key in empty.json("keys", "list")["keys"] if key["key_id"] == lost.revoked]
    assert key["revoked"]
    assert empty.json("verify", "--all", code=0)
    assert empty.json("audit")["findings"] == []
    assert (empty.home / "keys" / "service").read_text() == SECRET
    assert (empty.home / "keys" / "service").stat().st_mode & 0o777 == 0o600
    assert not (empty.home / ".restoring").exists()
    assert empty.deposit(lost.folder / "file")


@pytest.mark.slow
def test_a_restored_home_is_read_only_until_it_is_released(lost: Lost, empty: CommandLine) -> None:
    """Everything that writes is refused, everything that reads works."""
    empty.json(*lost.words())
    before = sorted(path for path in (empty.home / "stores").rglob("*"))
    writes: list[list[str]] = [
        ["deposit", str(lost.file)],
        ["update", lost.before, str(lost.file)],
        ["preserve"],
        ["repair"],
        ["destroy", lost.later, "--reason", "no", "--yes"],
        ["stores", "drain", "two"],
    ]
    for words in writes:
        said = empty.run("--json", *words)
        assert (said.code, said.error["code"]) == (75, "read-only"), (words, said)
    assert empty.json("verify", lost.later)["verdict"] == "PASSED"
    assert any("read-only" in warning for warning in empty.json("status")["warnings"])
    assert empty.run("--json", "restore", "--release").code == 2
    assert sorted(path for path in (empty.home / "stores").rglob("*")) == before


@pytest.mark.slow
def test_a_tombstone_in_any_store_wins(lost: Lost, empty: CommandLine) -> None:
    """One store is older, with the object and without its tombstone: it is destroyed all the same, and purged there."""
    two = StorageRoot(FilesystemStore("two", empty.store("two"), empty.home / "staging"))
    shutil.rmtree(empty.store("two") / two.object_path(tombstone_object(lost.destroyed)))
    older = empty.store("two") / two.object_path(storage_object_for(lost.destroyed))
    shutil.copytree(lost.older / older.relative_to(empty.store("two")), older)

    assert empty.json(*lost.words())["agree"]
    assert empty.json("show", lost.destroyed)["status"] == "destroyed"
    empty.json("restore", "--release", "--yes")
    empty.preserve()
    assert not older.exists()
    assert empty.json("show", lost.destroyed)["status"] == "destroyed"
    empty.json("repair")
    assert empty.json("audit")["findings"] == []
    assert not older.exists()


# -- what is refused ----------------------------------------------------------------------------


def refused(empty: CommandLine, words: list[str], code: int) -> Any:
    """Refused with that exit code, and no home was made."""
    said = empty.run("--json", *words)
    assert said.code == code, said
    assert not (empty.home / "trusted-archive.toml").exists()
    assert not (empty.home / "catalogue.sqlite3").exists()
    assert not (empty.home / ".restoring").exists()
    return said.error


@pytest.fixture
def bare(tmp_path: Path) -> CommandLine:
    """A folder with nothing in it."""
    (tmp_path / "home").mkdir()
    return CommandLine(tmp_path / "home")


def test_a_backup_to_recipients_is_not_believed_without_its_digest(lost: Lost, bare: CommandLine) -> None:
    """Anybody could have made it."""
    words = lost.words()
    assert "--digest" in refused(bare, words[:4], 2)["message"]
    refused(bare, [*words[:5], "0" * 128], 1)


def test_a_backup_is_opened_by_its_own_key_only(lost: Lost, bare: CommandLine, tmp_path: Path) -> None:
    """Another identity, none, and words that are no address; what is refused is not shown."""
    (tmp_path / "other").write_text(str(pyrage.x25519.Identity.generate()))
    words = ["restore", str(lost.file), "--digest", lost.digest]
    refused(bare, [*words, "--identity", f"file:{tmp_path / 'other'}"], 1)
    refused(bare, words, 2)
    said = bare.run("--json", *words, "--identity", "AGE-SECRET-KEY-1SECRET")
    assert said.code == 2
    assert "1SECRET" not in said.out + said.err


@pytest.mark.parametrize("place", [0, 600, 1100, 1300, -30000, -5000, "cut", "added"])
def test_a_changed_backup_is_refused(lost: Lost, bare: CommandLine, tmp_path: Path, place: int | str) -> None:
    """A bit anywhere, a tail that is gone, one that was added: nothing of it is placed, with or without its digest."""
    changed = tmp_path / "changed"
    shutil.copy(lost.file, changed)
    data = changed.read_bytes()
    if place == "cut":
        changed.write_bytes(data[: len(data) // 2])
    elif place == "added":
        changed.write_bytes(data + b"x" * 512)
    else:
        assert isinstance(place, int)
        flip(changed, place)
    words = lost.words()
    words[1] = str(changed)
    said = bare.run("--json", *words)
    assert said.code == 1, said
    assert not list(bare.home.glob("[!s]*"))


def test_a_home_that_is_there_is_not_touched(lost: Lost, line: CommandLine) -> None:
    """Neither a whole one nor a file that would be overwritten."""
    before = (line.home / "trusted-archive.toml").read_bytes(), (line.home / "catalogue.sqlite3").read_bytes()
    assert line.run("--json", *lost.words()).error["code"] == "conflict"
    assert before == ((line.home / "trusted-archive.toml").read_bytes(), (line.home / "catalogue.sqlite3").read_bytes())
    (line.home / "trusted-archive.toml").unlink()
    assert line.run("--json", *lost.words()).error["code"] == "conflict"
    assert (line.home / "catalogue.sqlite3").read_bytes() == before[1]


def test_a_dry_run_writes_nothing(lost: Lost, bare: CommandLine) -> None:
    """And says what stands in the way."""
    said = bare.json(*lost.words("--dry-run"))
    assert said["stores"].keys() == {"one", "two"}
    assert said["in_the_way"] == []
    (bare.home / "trust").mkdir()
    (bare.home / "trust" / "test-ca.pem").write_text("another")
    assert bare.json(*lost.words("--dry-run"), code=1)["in_the_way"] == ["trust/test-ca.pem"]
    assert [path.name for path in bare.home.iterdir()] == ["trust"]
    refused(bare, ["restore"], 2)


def test_a_backup_replaces_nothing_and_shows_no_secret(lost: Lost, line: CommandLine, tmp_path: Path) -> None:
    """A file of that name stays; passphrases are given by address and long enough; the file holds no plain text."""
    assert SECRET.encode() not in lost.file.read_bytes()
    assert b"BEGIN" not in lost.file.read_bytes()
    assert lost.file.stat().st_mode & 0o777 == 0o600
    (tmp_path / "there").write_text("mine")
    (tmp_path / "short").write_text("short")
    recipient = str(pyrage.x25519.Identity.generate().to_public())
    assert line.run("--json", "backup", "--out", tmp_path / "there", "--recipient", recipient).code == 12
    assert (tmp_path / "there").read_text() == "mine"
    for words in (
        ["--passphrase", "correct horse battery"],
        ["--passphrase", f"file:{tmp_path / 'short'}"],
        ["--recipient", "age1nobody"],
        [],
    ):
        said = line.run("--json", "backup", "--out", tmp_path / "new", *words)
        assert said.code == 2, said
        assert "horse" not in said.out + said.err
    assert not list(tmp_path.glob("new*"))


def test_addresses_of_what_is_elsewhere_are_named(line: CommandLine, tmp_path: Path) -> None:
    """And what lies in the home and cannot be taken."""
    settings = line.home / "trusted-archive.toml"
    text = settings.read_text()
    changed = text.replace('key = "local:"', 'key = "pkcs11:token=a;object=b?pin-value=1234"\npin = "env:SEAL_PIN"')
    settings.write_text(changed)
    (line.home / "link").symlink_to("/etc/passwd")
    said = line.json("backup", "--dry-run", "--out", tmp_path / "none")
    assert said["named"] == ["env:SEAL_PIN", "pkcs11:token=a;object=b"]
    assert said["left_out"] == ["link: no regular file"]
    assert "link" not in said["files"]


# -- stores that do not fit -----------------------------------------------------------------------


@pytest.mark.slow
def test_stores_that_are_older_than_the_backup_are_told_of(lost: Lost, bare: CommandLine, made_home: Path) -> None:
    """It is never released over them."""
    shutil.copytree(made_home / "stores", bare.home / "stores")
    said = bare.json(*lost.words(), code=1)
    assert [one["code"] for one in said["findings"]] == ["STORES_BEHIND"]
    assert not said["agree"]
    bare.json("restore", "--release", "--yes", code=1)
    assert bare.run("--json", "deposit", str(lost.file)).error["code"] == "read-only"


@pytest.mark.slow
def test_a_store_that_is_away_is_waited_for_or_left_out_by_name(lost: Lost, empty: CommandLine) -> None:
    """The other store's damage is made up for by none."""
    shutil.move(empty.store("two"), empty.home / "elsewhere")
    said = empty.json(*lost.words(), code=75)
    assert list(said["away"]) == ["two"]
    assert not said["agree"]
    assert empty.json("restore", "--release", "--yes", code=75)["read_only"]
    assert empty.json("restore", "--without", "two")["agree"]
    shutil.move(empty.home / "elsewhere", empty.store("two"))
    [segment] = list(empty.files("one", "events.jsonl"))[-1:]
    flip(segment)
    assert empty.json("restore")["agree"]


# -- killed in the middle ---------------------------------------------------------------------------


def steps() -> Iterator[int]:
    yield from range(1, 40)


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_a_restore_that_is_killed_anywhere_is_finished_by_the_next(lost: Lost, tmp_path: Path) -> None:
    """Killed before each rename: there is no home yet, or a whole one that is read-only."""
    killed = 0
    for step in steps():
        home = tmp_path / str(step)
        shutil.copytree(lost.stores, home / "stores", copy_function=os.link)
        line = CommandLine(home)
        child = os.fork()
        if child == 0:
            _restore_until(step, line, lost)
        _, status = os.waitpid(child, 0)
        if not os.WIFSIGNALED(status):
            assert os.WEXITSTATUS(status) == 0
            break
        killed += 1
        if (home / "trusted-archive.toml").exists():
            assert line.run("--json", "deposit", str(lost.file)).error["code"] == "read-only"
        said = line.json(*lost.words())
        assert said["agree"]
        assert said["read_only"]
        shown = [(view["poid"], view["version"], view["status"]) for view in line.json("list")["objects"]]
        assert shown == [(one["poid"], one["version"], one["status"]) for one in lost.line.json("list")["objects"]]
        shutil.rmtree(home)
    assert killed > 8


def _restore_until(step: int, line: CommandLine, lost: Lost) -> None:
    """In a process of its own, which dies at that rename."""
    done = 0
    rename = os.replace

    def counted(*words: Any, **options: Any) -> None:
        nonlocal done
        done += 1
        if done == step:
            os.kill(os.getpid(), signal.SIGKILL)
        rename(*words, **options)

    restoring.os.replace = counted  # type: ignore[assignment]
    os._exit(line.run("--json", *lost.words()).code)


# -- a server's database ------------------------------------------------------------------------------


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_a_server_s_catalogue_goes_both_ways(tmp_path: Path, postgresql_url: str) -> None:
    """From PostgreSQL into the file, and back into an empty database; numbers are counted on behind what was there."""
    home = tmp_path / "home"
    line = CommandLine(home)
    assert run("--home", str(home), "init").code == 0
    settings = home / "trusted-archive.toml"
    settings.write_text(settings.read_text().replace("sqlite:///catalogue.sqlite3", postgresql_url))
    (home / "catalogue.sqlite3").unlink()
    assert line.run("init").code == 0
    (tmp_path / "file").write_bytes(b"one")
    poid = line.deposit(tmp_path / "file")
    line.preserve()
    identity = pyrage.x25519.Identity.generate()
    (tmp_path / "identity").write_text(str(identity))
    made = line.json("backup", "--out", tmp_path / "b", "--recipient", str(identity.to_public()))
    words = ["restore", str(tmp_path / "b"), "--identity", f"file:{tmp_path / 'identity'}", "--digest", made["sha512"]]

    other = CommandLine(tmp_path / "other")
    shutil.copytree(home / "stores", other.home / "stores")
    said = other.run("--json", *words)
    assert said.code == 12, said  # the database is not empty
    _empty(postgresql_url)
    assert other.json(*words)["agree"]
    other.json("restore", "--release", "--yes")
    assert other.json("verify", poid)["verdict"] == "PASSED"
    assert other.deposit(tmp_path / "file")
    assert other.json("audit")["findings"] == []


def _empty(url: str) -> None:
    from sqlalchemy import text

    from archive_core.catalogue.session import open_engine

    engine = open_engine(url)
    with engine.begin() as connection:
        connection.execute(text("DROP SCHEMA public CASCADE"))
        connection.execute(text("CREATE SCHEMA public"))
    engine.dispose()


def test_who_is_read_only_is_unavailable() -> None:
    """So that clients try again later."""
    from archive_core.errors import ReadOnlyError

    assert issubclass(ReadOnlyError, UnavailableError)
