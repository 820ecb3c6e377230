"""Bad input and bad places, at both edges: a precise problem, nothing stored, an event where somebody was refused.

What is tried, and where. `deposit` is `test_http_deposit.py: REFUSALS` for HTTP and `cli/test_deposit.py` for the
command line; `here` is this module; "–" means that an edge has no such input.

| input | HTTP | command line |
| --- | --- | --- |
| empty deposit | deposit: 422 empty-submission | deposit: exit 10 empty-submission |
| 0-byte file (allowed) | here | deposit |
| path traversal, absolute, NUL, control, reserved, > 255 bytes | deposit: 422 name-not-accepted | deposit, here |
| NFC/NFD and case collisions, a file that is a folder | deposit: 422 name-not-accepted | deposit: exit 10 |
| links, pipes, sockets, devices | – | deposit: exit 10 name-not-accepted |
| 100,000 files in one deposit | here: 413 size-limit | here: exit 10 size-limit |
| metadata not JSON, too deep | deposit: 422 metadata-not-accepted | deposit: exit 10 |
| metadata too big | deposit: 422 metadata-not-accepted | here: exit 10 |
| wrong client digest | deposit: 422 digest-mismatch | – |
| truncated upload | deposit, `test_http_server.py`: 400 truncated-submission | deposit: a file that cannot be read on |
| chunked upload that stalls | `test_http_server.py`: 408 stalled-upload | – |
| unknown field | deposit: 400 unknown-field | here: exit 2 |
| unknown profile | deposit: 404 unknown-profile | deposit: exit 11 |
| wrong key, wrong role | `test_http_door.py`: 401, 403 | – |
| another organisation's POID | deposit and `test_http_reading.py`: 404 unknown-object, as for none | – |
| disk full, read-only store | here: 503 store-unavailable | here: exit 75 |
| staging disk full | here: 503 staging-unavailable | – |
| catalogue's disk full | here: 503 catalogue-unavailable | here: exit 75 |
| store missing at start | here: the server does not start, exit 75 unavailable | `cli/test_deposit.py`: exit 75 |
| home of a newer schema | here: the server does not start, exit 78 | `cli/test_recovering.py`: exit 78 |
| two servers on one home | `test_http_server.py`: exit 75 lease-held | `cli/test_recovering.py` |
"""

from __future__ import annotations

import errno
import json
import os
import shutil
import sqlite3
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from sqlalchemy import Engine, event

from archive_core.errors import ArchiveError
from archive_core.measure import SMALL
from storage_backends.durable import DurableFiles
from tests.command_line import CommandLine, copied_home, run
from tests.integration.http_server import launch
from tests.integration.http_world import BOUNDARY, HttpWorld, file, http_world
from tests.integration.test_http_deposit import REFUSALS, problem
from tests.sampling import quick_first

Break = Callable[[pytest.MonkeyPatch], None]


@pytest.fixture
def world(tmp_path: Path) -> Iterator[HttpWorld]:
    with http_world(tmp_path) as made:
        yield made


@pytest.fixture(scope="module")
def made_home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    home = tmp_path_factory.mktemp("made") / "home"
    assert run("--home", str(home), "init").code == 0
    return home


@pytest.fixture
def line(made_home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> CommandLine:
    monkeypatch.setenv("LANGUAGE", "en")
    return copied_home(made_home, tmp_path)


def tree(*folders: Path) -> dict[str, bytes]:
    """Every file below the folders."""
    return {str(path): path.read_bytes() for folder in folders for path in folder.rglob("*") if path.is_file()}


def stored(home: Path) -> set[str]:
    """Every file of every deposited object in either store; objects of the system itself have other names."""
    return {path for path in tree(home / "stores") if "trusted-archive%3a0" in path}


# -- what is sent -----------------------------------------------------------------------------------


def test_a_file_without_a_byte_is_a_document(world: HttpWorld) -> None:
    """It is kept and given back."""
    poid = world.post(file("empty", b"")).json["poid"]

    assert world.get(f"/v1/preservation-objects/{poid}/files/empty").data == b""


@pytest.mark.parametrize("case", quick_first(REFUSALS, 8))
def test_every_refused_deposit_is_an_event(world: HttpWorld, case: str) -> None:
    """The attempt is in the trail with its code and the key that made it, whatever was wrong."""
    parts, _, code = REFUSALS[case]
    world.post(*parts)
    refusals = world.refusals()

    assert [found for _, found in refusals] == [code]
    assert all(actor for actor, _ in refusals)
    assert stored(world.home) == set()


def test_a_hundred_thousand_files_in_one_upload_are_refused(world: HttpWorld) -> None:
    """413 as soon as there are too many; nothing is kept, and the attempt is in the trail."""
    many = b"".join(
        f'--{BOUNDARY}\r\nContent-Disposition: form-data; name="file"; filename="{n}"\r\n\r\n\r\n'.encode()
        for n in range(100_000)
    )
    answer = world.post_raw(many + f"--{BOUNDARY}--\r\n".encode())

    assert (answer.status_code, problem(answer)) == (413, "size-limit")
    assert world.staged() == []
    assert stored(world.home) == set()
    assert [code for _, code in world.refusals()] == ["size-limit"]


def refused(line: CommandLine, *words: str | os.PathLike[str], code: int = 10) -> str:
    """The code of a refused deposit; nothing is stored but the event, whose number is looked at."""
    events = line.json("status")["trail"]["size"]
    said = line.run("--json", "deposit", *words)
    assert said.code == code, said
    assert stored(line.home) == set()
    assert line.json("status")["trail"]["size"] == events + 1
    return str(said.error["code"])


@pytest.mark.slow
def test_a_folder_of_a_hundred_thousand_files_is_refused(line: CommandLine, tmp_path: Path) -> None:
    """One refusal with its limit, not a hundred thousand files in the stores."""
    folder = tmp_path / "many"
    folder.mkdir()
    for number in range(100_000):
        os.close(os.open(folder / str(number), os.O_CREAT | os.O_WRONLY))

    assert refused(line, folder) == "size-limit"


@pytest.mark.parametrize("name", ["con", "a\x1bb", "back\\slash", "bad\udcffbyte"])
def test_a_refused_name_is_an_event(line: CommandLine, tmp_path: Path, name: str) -> None:
    """Also when the name itself cannot be written down as it is."""
    (tmp_path / name).write_bytes(b"1")

    assert refused(line, tmp_path / name) == "name-not-accepted"


@pytest.mark.parametrize(
    "content", [b'{"a":"' + b"x" * 4_200_000 + b'"}', b'{"a":' * 500 + b"1" + b"}" * 500], ids=["big", "deep"]
)
def test_metadata_beyond_its_bounds_is_refused(line: CommandLine, tmp_path: Path, content: bytes) -> None:
    """Larger or deeper than the profile takes."""
    (tmp_path / "letter.txt").write_bytes(b"1")
    (tmp_path / "about.json").write_bytes(content)

    assert refused(line, tmp_path / "letter.txt", "--metadata", tmp_path / "about.json") == "metadata-not-accepted"


def test_an_unknown_option_is_a_mistake_in_the_words(line: CommandLine, tmp_path: Path) -> None:
    """Exit 2; nothing is looked at."""
    said = line.run("--json", "deposit", tmp_path, "--colour", "red")

    assert said.code == 2
    assert stored(line.home) == set()


# -- where it is to go ------------------------------------------------------------------------------


def _full(code: int) -> Break:
    def fill(monkeypatch: pytest.MonkeyPatch) -> None:
        def write(*_: object) -> None:
            raise OSError(code, os.strerror(code))

        for verb in ("write", "make_directory"):
            monkeypatch.setattr(DurableFiles, verb, write)

    return fill


PLACES: dict[str, tuple[Break, str]] = {
    "disk full": (_full(errno.ENOSPC), "store-unavailable"),
    "over quota": (_full(errno.EDQUOT), "store-unavailable"),
    "read-only store": (_full(errno.EROFS), "store-unavailable"),
    "disk that fails": (_full(errno.EIO), "store-unavailable"),
}


@pytest.mark.parametrize("place", PLACES)
def test_a_store_that_takes_nothing_is_503_and_the_same_key_succeeds_later(
    world: HttpWorld, monkeypatch: pytest.MonkeyPatch, place: str
) -> None:
    """Nothing is acknowledged, listed or stored; when there is room again the retry is an ordinary deposit."""
    harm, code = PLACES[place]
    world.key("depositor")
    with monkeypatch.context() as harmed:
        harm(harmed)
        answer = world.post(file("a", b"x" * 10_000), Idempotency_Key="k")
        listed = world.get("/v1/preservation-objects").json["objects"]
    again = world.post(file("a", b"x" * 10_000), Idempotency_Key="k")

    assert (answer.status_code, problem(answer)) == (503, code)
    assert listed == []
    assert world.staged() == []
    assert again.status_code == 201
    assert stored(world.home)
    assert [one["poid"] for one in world.get("/v1/preservation-objects").json["objects"]] == [again.json["poid"]]


@pytest.mark.parametrize("place", PLACES)
def test_a_store_that_takes_nothing_is_exit_75(
    line: CommandLine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, place: str
) -> None:
    """The same from the command line, with one path and with several."""
    harm, code = PLACES[place]
    paths = [tmp_path / f"{number}.txt" for number in range(3)]
    for path in paths:
        path.write_bytes(path.name.encode())
    with monkeypatch.context() as harmed:
        harm(harmed)
        said = line.run("--json", "deposit", paths[0])
    assert said.code == 75
    assert said.error["code"] == code
    assert stored(line.home) == set()
    assert line.json("list")["objects"] == []

    assert line.run("deposit", *paths).code == 0
    assert line.json("audit")["findings"] == []


def test_a_staging_disk_that_is_full_is_503(world: HttpWorld, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever was staged is gone again."""
    world.key("depositor")
    real = Path.open

    def full(path: Path, mode: str = "r", *rest: object) -> object:
        if mode == "xb":
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        return real(path, mode, *rest)  # type: ignore[call-overload]

    with monkeypatch.context() as harmed:
        harmed.setattr(Path, "open", full)
        answer = world.post(file("a", b"x" * (SMALL + 1)))

    assert (answer.status_code, problem(answer)) == (503, "staging-unavailable")
    assert world.staged() == []
    assert world.get("/v1/preservation-objects").json["objects"] == []


@pytest.fixture
def full_catalogue() -> Iterator[None]:
    """SQLite may not take another page on any connection: it says what it says when the disk is full."""

    def limit(connection: sqlite3.Connection, _: object) -> None:
        (pages,) = connection.execute("PRAGMA page_count").fetchone()
        connection.execute(f"PRAGMA max_page_count = {pages}")

    event.listen(Engine, "connect", limit)
    yield
    event.remove(Engine, "connect", limit)


@pytest.mark.usefixtures("full_catalogue")
def test_a_catalogue_without_room_is_exit_75_and_nothing_is_acknowledged(line: CommandLine, tmp_path: Path) -> None:
    """Many deposits, until there is no page left: those that were acknowledged are listed, and nothing else."""
    told = []
    for number in range(2000):
        path = tmp_path / f"{number}.txt"
        path.write_bytes(b"%d" % number)
        said = line.run("--json", "deposit", path)
        if said.code:
            break
        told.append(said.json["objects"][0]["poid"])

    assert said.code == 75
    assert said.error["code"] == "catalogue-unavailable"
    assert [one["poid"] for one in line.json("list")["objects"]] == told


# -- a server that cannot start ---------------------------------------------------------------------


def _no_store(home: Path) -> None:
    shutil.rmtree(home / "stores" / "two")


def _newer_schema(home: Path) -> None:
    with sqlite3.connect(home / "catalogue.sqlite3") as database:
        database.execute("UPDATE alembic_version SET version_num = '9999'")


def _read_only_catalogue(home: Path) -> None:
    (home / "catalogue.sqlite3").unlink()
    (home / "catalogue.sqlite3").mkdir()


@pytest.mark.parametrize(
    ("harm", "exit_code", "code"),
    [
        (_no_store, 75, "unavailable"),
        (_newer_schema, 78, "schema-out-of-date"),
        (_read_only_catalogue, 75, "catalogue-unavailable"),
    ],
)
def test_a_server_does_not_start_over_a_home_that_it_cannot_serve(
    line: CommandLine, tmp_path: Path, harm: Callable[[Path], None], exit_code: int, code: str
) -> None:
    """It says why, in the form of every error, and changes nothing in the stores."""
    harm(line.home)
    before = tree(line.home / "stores")
    log = tmp_path / "server.log"
    process = launch(line.home, log)

    assert process.wait(60) == exit_code
    said = [json.loads(entry) for entry in log.read_text("utf-8").splitlines()]
    assert [entry["code"] for entry in said if entry["event"] == "refused"] == [code]
    assert tree(line.home / "stores") == before


def test_every_problem_of_this_table_is_an_error_of_ours() -> None:
    """The codes in the docstring above are codes that exist."""
    known: set[str] = set()
    waiting: list[type[ArchiveError]] = [ArchiveError]
    while waiting:
        kind = waiting.pop()
        known.add(kind("").code)
        waiting += kind.__subclasses__()
    told = {word.strip(".,:") for row in str(__doc__).splitlines() if row.startswith("|") for word in row.split()}
    codes = {
        word for word in told if word.endswith(("-submission", "-accepted", "-limit", "-unavailable", "-mismatch"))
    }

    assert codes
    assert codes <= known
