"""Several servers and workers at once over one catalogue on PostgreSQL and the same stores: real processes."""

from __future__ import annotations

import sqlite3
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

import pytest

from api.home import initialise_home
from api.settings import ArchiveSettings
from api.wiring import build_archive
from archive_core.archive import Archive
from archive_core.lifecycle import Actor
from tests.postgres import PostgreSQL
from tests.soak.processes import Answer, Standing, ask, command, post_files, server, worker
from tests.templates import lay_catalogue

pytestmark = [pytest.mark.slow, pytest.mark.postgresql]

OPERATOR = Actor("test", "operator", None)
QUICK = "interval = 0.2\n"


@contextmanager
def all_ended(*processes: Standing) -> Iterator[None]:
    try:
        yield
    finally:
        for process in processes:
            if process.alive:
                process.kill()


def new_home(place: Path, url: str) -> Path:
    settings = initialise_home(place / "home", at=datetime.now(UTC), catalogue_url=url)
    with (settings.home / "trusted-archive.toml").open("a") as out:
        out.write(QUICK)
    build_archive(settings, create=True).close()
    return settings.home


@contextmanager
def opened(home: Path) -> Iterator[Archive]:
    archive = build_archive(ArchiveSettings.load(home))
    try:
        yield archive
    finally:
        archive.close()


def insist(standing: list[Standing], key: str, number: int, until: float) -> Answer:
    """Ask one server after the other until one has kept it, as a client with an idempotency key does."""
    turn = number
    while time.monotonic() < until:
        one = standing[turn % len(standing)]
        answer = post_files(one.address, key, {"a.txt": b"document %d" % number}, idempotency_key=f"k{number}")
        if answer.status in (200, 201):
            return answer
        assert answer.status in (0, 503), answer
        turn += 1
        time.sleep(0.1)
    raise AssertionError("nobody keeps the document")


def evidenced(home: Path, log: Path) -> int:
    """Prove what waits, beside the workers; how many objects are evidenced then."""
    code, found = command(home, "preserve", log=log)
    assert code == 0, found
    _, said = command(home, "status", log=log)
    assert said["objects"]["replicated"] == 0
    return int(said["objects"]["evidenced"])


def eventually(condition: Callable[[], bool], what: str, seconds: float = 60) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, f"never: {what}"
        time.sleep(0.1)


def test_two_servers_a_scheduler_and_a_worker_share_an_archive_and_any_may_be_killed(
    postgresql_url: str, tmp_path: Path
) -> None:
    """Deposits through two servers at once, the same keys at both; each of the four is killed and the others go on;
    nothing is lost, nothing is there twice. (Ten minutes of it: tests/soak/four.py.)"""
    home = new_home(tmp_path, postgresql_url)
    log = tmp_path / "commands.log"
    servers = [server(home, name, tmp_path, "--no-work") for name in ("a", "b")]
    scheduler = Standing(home, "scheduler", ["work", "--except", "run jobs"], tmp_path)
    helper = worker(home, "worker", tmp_path, "run jobs")
    with all_ended(*servers, scheduler, helper):
        for one in (*servers, scheduler, helper):
            one.launch()
        for one in (*servers, scheduler, helper):
            one.wait()
        key = (home / "first-key").read_text().strip()
        both = [post_files(one.address, key, {"a.txt": b"same"}, idempotency_key="same") for one in servers]
        assert [answer.status for answer in both] == [201, 200]
        assert len({answer.json["poid"] for answer in both}) == 1

        until = time.monotonic() + 90
        with ThreadPoolExecutor(8) as clients:
            # Each document is sent by two clients at the same time, to different servers first.
            told = [
                clients.submit(insist, order, key, number, until)
                for number in range(20)
                for order in (servers, servers[::-1])
            ]
            time.sleep(0.3)
            assert servers[0].kill()
            assert scheduler.kill()
            assert helper.kill()
            servers[0].start()
            scheduler.launch()
            helper.launch()
            assert servers[1].kill()
            servers[1].start()
            poids = [one.result().json["poid"] for one in told]
        assert poids[::2] == poids[1::2]
        assert len(set(poids)) == 20

        job = ask(
            servers[1].address, key, "POST", "/v1/verifications", b'{"all": true}', Content_Type="application/json"
        )
        assert job.status == 202, job
        place = f"/v1/verifications/{job.json['id']}"
        eventually(lambda: ask(servers[0].address, key, "GET", place).json["state"] == "done", "the job is done")
        eventually(lambda: command(home, "status", log=log)[1]["trail"]["pending"] == 0, "the trail is written")
        assert evidenced(home, log) == 21
        for one in (*servers, scheduler, helper):
            one.stop()
    code, found = command(home, "audit", log=tmp_path / "audit.log")
    assert (code, found["findings"]) == (0, [])
    assert found["checked"]["objects"] > 21


def test_connections_that_are_ended_lose_and_double_nothing(
    postgresql_server: PostgreSQL, postgresql_url: str, tmp_path: Path
) -> None:
    """`pg_terminate_backend` for every connection, again and again, while clients deposit and a worker works."""
    home = new_home(tmp_path, postgresql_url)
    one, working = server(home, "a", tmp_path, "--no-work"), worker(home, "w", tmp_path)
    with all_ended(one, working):
        one.launch()
        working.launch()
        one.wait()
        working.wait()
        key = (home / "first-key").read_text().strip()
        done, ended = threading.Event(), []

        def terminate() -> None:
            while not done.wait(0.15):
                ended.append(postgresql_server.terminate_connections(postgresql_url))

        ending = threading.Thread(target=terminate)
        ending.start()
        try:
            until = time.monotonic() + 90
            with ThreadPoolExecutor(4) as clients:
                told = [clients.submit(insist, [one], key, number, until) for number in range(40)]
                poids = [answer.result().json["poid"] for answer in told]
        finally:
            done.set()
            ending.join()
        assert sum(ended) > 5
        assert len(set(poids)) == 40
        assert evidenced(home, tmp_path / "commands.log") == 40
        assert one.alive
        assert working.alive
        one.stop()
        working.stop()
    code, found = command(home, "audit", log=tmp_path / "audit.log")
    assert (code, found["findings"], found["notes"]) == (0, [], [])


def test_on_a_file_there_is_one_server_and_no_worker_beside_it(tmp_path: Path) -> None:
    """SQLite belongs to one serving process: the second server and a worker are refused while it lives."""
    home = initialise_home(tmp_path / "home", at=datetime.now(UTC)).home
    lay_catalogue(home / "catalogue.sqlite3")
    with opened_with_stores(home), sqlite3.connect(home / "catalogue.sqlite3"):
        pass
    first = server(home, "first", tmp_path)
    with all_ended(first):
        first.start()
        for words in (["serve", "--port", "0"], ["work"], ["rebuild-catalogue"]):
            code, said = command(home, *words, log=tmp_path / "refused.log", seconds=60)
            assert code == 75, said
        first.stop()
    code, _ = command(home, "status", log=tmp_path / "refused.log")
    assert code == 0


def test_while_a_server_or_worker_runs_nobody_rebuilds_or_upgrades(postgresql_url: str, tmp_path: Path) -> None:
    """Several may serve; who changes the catalogue as a whole must be alone."""
    home = new_home(tmp_path, postgresql_url)
    working = worker(home, "w", tmp_path)
    with all_ended(working):
        working.start()
        code, said = command(home, "rebuild-catalogue", log=tmp_path / "refused.log")
        assert (code, said["error"]["code"]) == (75, "lease-held")
        working.stop()
    code, said = command(home, "work", "--only", "nothing", log=tmp_path / "refused.log")
    assert code == 2
    assert "preserve" in said["error"]["message"]


@contextmanager
def opened_with_stores(home: Path) -> Iterator[Archive]:
    archive = build_archive(ArchiveSettings.load(home), create=True)
    try:
        yield archive
    finally:
        archive.close()
