"""Documents that are meant to exhaust an examiner, deposited at a real server: it answers on, by each profile's rule.

Each document is read in a process of its own with narrow limits.
"""

from __future__ import annotations

import http.client
import json
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from api.settings import SETTINGS_FILE
from api.wiring import build_archive
from tests.integration.hostile_documents import HOSTILE, MIB
from tests.integration.http_server import Server, running_server
from tests.integration.http_world import BOUNDARY, Part, body_of, file, new_home

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]

SAMPLE = ("objects-inflate.pdf", "inflates.asice", "pieces.p7m", "transforms.xml")
"""A bomb in a PDF and in a container, structure without end in a CMS, and work without end."""
OBJECTS = "/v1/preservation-objects"


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    settings = new_home(tmp_path_factory.mktemp("hostile") / "home")
    build_archive(settings, create=True).close()
    limits = "\n[examination]\nmemory_mib = 256\ncpu_seconds = 2\nwall_seconds = 90\n"
    with (settings.home / SETTINGS_FILE).open("a") as file:
        file.write(limits)
    with running_server(settings.home, patience=120) as started:
        yield started


def ask(server: Server, method: str, address: str, body: bytes | None = None) -> tuple[int, Any]:
    connection = http.client.HTTPConnection(server.host, server.port, timeout=250)
    headers = {"Authorization": f"Bearer {server.key}", "Content-Type": f"multipart/form-data; boundary={BOUNDARY}"}
    connection.request(method, address, body, headers)
    answer = connection.getresponse()
    found = answer.status, json.loads(answer.read())
    connection.close()
    return found


def deposit(server: Server, profile: str, documents: dict[str, bytes]) -> tuple[int, Any]:
    parts = [file(name, content) for name, content in documents.items()]
    return ask(server, "POST", OBJECTS, body_of(Part("profile", profile.encode()), *parts))


def children_of(pid: int) -> list[int]:
    return [int(one) for one in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


def most_memory(server: Server) -> int:
    """What the server's processes held at most so far, in bytes."""
    lines = [
        line
        for pid in (server.process.pid, *children_of(server.process.pid))
        for line in Path(f"/proc/{pid}/status").read_text().splitlines()
    ]
    return max(int(line.split()[1]) * 1024 for line in lines if line.startswith("VmHWM:"))


@pytest.mark.parametrize(
    "names",
    [
        SAMPLE,
        pytest.param(tuple(HOSTILE)[::2], marks=pytest.mark.soak),
        pytest.param(tuple(HOSTILE)[1::2], marks=pytest.mark.soak),
    ],
    ids=["sample", "one half", "the other"],
)
def test_the_server_answers_while_it_examines_them_and_calls_none_good(server: Server, names: tuple[str, ...]) -> None:
    """Set aside, each with its reason; nobody else waits for it, and the server's own processes stay small."""
    documents = {name: HOSTILE[name]() for name in names} | {"letter.txt": b"a letter"}
    before = most_memory(server)
    told: list[tuple[int, Any]] = []
    depositing = threading.Thread(target=lambda: told.append(deposit(server, "signed-quarantined-1", documents)))
    depositing.start()
    answered, slowest = 0, 0.0
    while depositing.is_alive():
        began = time.monotonic()
        assert ask(server, "GET", "/v1/ready")[0] == 200
        slowest = max(slowest, time.monotonic() - began)
        answered += depositing.is_alive()
        time.sleep(0.2)
    ((status, made),) = told
    report = ask(server, "GET", f"{OBJECTS}/{made['poid']}/examination")[1]
    found = {one["path"]: one for one in report["files"]}

    assert (status, made["status"]) == (201, "quarantined")
    assert answered >= 2
    assert slowest < 10
    for name in names:
        assert found[name]["verdict"] in ("INDETERMINATE", "FAILED"), name
        assert found[name]["reason"] or found[name]["signatures"], name
    for name, limit in (("transforms.xml", "processor time"), ("pieces.p7m", "memory")):
        assert name not in names or limit in found[name]["reason"]
    assert (found["letter.txt"]["verdict"], found["letter.txt"]["examined"]) == (None, False)
    assert set(report["because"]) == set(names)
    trail = ask(server, "GET", f"{OBJECTS}/{made['poid']}/trace")[1]
    assert any("signature" in one["type"] and one["code"].startswith("quarantine") for one in trail["events"])
    assert most_memory(server) - before < 150 * MIB
    assert server.process.poll() is None
    assert deposit(server, "basic-1", {"after.txt": b"all is well"})[0] == 201


def test_what_must_be_good_is_refused_and_what_is_recorded_is_taken(server: Server) -> None:
    """By the rule of the profile; a refusal is in the trail, and leaves nothing."""
    documents = {"inflates.asice": HOSTILE["inflates.asice"]()}
    count = len(ask(server, "GET", OBJECTS)[1]["objects"])
    status, refused = deposit(server, "signed-required-1", documents)
    assert (status, refused["type"]) == (422, "urn:trusted-archive:problem:signatures-not-accepted")
    assert [one["path"] for one in refused["facts"]["documents"]] == ["inflates.asice"]
    assert "unpacks to more than" in refused["facts"]["documents"][0]["reason"]
    assert len(ask(server, "GET", OBJECTS)[1]["objects"]) == count
    status, made = deposit(server, "signed-recorded-1", documents)
    assert (status, made["status"]) == (201, "replicated")
    (line,) = ask(server, "GET", f"{OBJECTS}/{made['poid']}/examination")[1]["files"]
    assert (line["verdict"], line["examined"]) == ("INDETERMINATE", False)
