"""A client that was generated from the description, in another language, sees what our client sees."""

from __future__ import annotations

import json
import shutil
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from trusted_archive_client import Client, NewObject, ProblemError, check_receipt

from tests.integration.http_server import Server, running_server
from tests.integration.http_world import made_home
from tests.vectors import REPOSITORY, missing

pytestmark = [pytest.mark.interop, pytest.mark.slow, pytest.mark.timeout(280)]

BUILT = REPOSITORY / "build" / "interop" / "generated-client"
CLASS_PATH = f"{BUILT / 'classes'}:{BUILT / 'lib'}/*"


def followed(archive: Client, since: str, poid: str) -> list[str]:
    """What became of an object, up to the evidence of its second version: a change is told when the trail holds it."""
    told: list[str] = []
    deadline = time.monotonic() + 60
    while "evidenced 2" not in told and time.monotonic() < deadline:
        for page in archive.follow(since):
            told += [f"{one.change} {one.version}" for one in page.changes if one.poid == poid]
            since = page.next
        time.sleep(0.1)
    return told


def ours(server: Server, folder: Path, keys: str) -> dict[str, Any]:
    """The scenario of `Scenario.java`, by our client; what it saw."""
    a, b = folder / "a.txt", folder / "b.txt"
    metadata = (folder / "metadata.json").read_bytes()
    seen: dict[str, Any] = {}

    def refused(call: Callable[[], object]) -> str:
        with pytest.raises(ProblemError) as problem:
            call()
        return f"{problem.value.status} {problem.value.code}"

    with Client(f"http://{server.host}:{server.port}", server.key) as archive:
        begun = list(archive.follow())[-1].next
        made = archive.deposit({"a.txt": a, "b.txt": b}, key=f"{keys}1", metadata=metadata)
        seen["deposit"] = [made.status, made.version, made.size, made.replayed]
        again = archive.deposit({"a.txt": a, "b.txt": b}, key=f"{keys}1", metadata=metadata)
        seen["again"] = [again.poid == made.poid, again.replayed]
        seen["conflict"] = refused(lambda: archive.deposit({"a.txt": a}, key=f"{keys}1"))
        seen["unknown"] = refused(lambda: archive.show("0199b0c27d3e7000800000000000abcd"))
        second = archive.update(made.poid, {"b.txt": b}, key=f"{keys}2")
        seen["update"] = [second.poid == made.poid, second.version]
        told: list[Any] = []
        objects = [NewObject(f"{keys}m1", {"č/1.txt": a}), NewObject(f"{keys}m2", {"../x": b})]
        for one in archive.deposit_many(objects):
            told += [one.key.removeprefix(keys), one.problem.code if one.problem else 201]
        seen["many"] = told
        sent = archive.deposit_uploads({"a.txt": archive.upload(a)}, key=f"{keys}3")
        seen["uploaded"] = [sent.size, sent.replayed]
        server.wait_for_nothing(minutes=20)
        shown = archive.wait_for_evidence(made.poid, 1, within=120, every=0.2)
        archive.wait_for_evidence(made.poid, 2, within=120, every=0.2)
        seen["evidenced"] = [shown.status, shown.test_trust, len(shown.files)]
        seen["changes"] = followed(archive, begun, made.poid)
        archive.download(made.poid, "a.txt", folder / "back", version=1)
        seen["bytes"] = -1 if (folder / "back").read_bytes() == a.read_bytes() else 0
        receipt = check_receipt(archive.receipt(made.poid, 1), acknowledged=made)
        seen["receipt"] = receipt.poid == made.poid
        archive.bundle(made.poid, folder / "bundle", version=1)
        seen["bundle"] = (folder / "bundle").read_bytes()[:2].decode()
        seen["record"] = archive.evidence(made.poid, 1)[0]
    return seen


def test_the_generated_client_sees_what_ours_sees(tmp_path: Path) -> None:
    """Deposit, again, conflict, update, many at once, upload, status, changes, bytes, receipt, bundle, record: the same
    from the same server."""
    if not (BUILT / ".built").exists() or shutil.which("java") is None:
        missing("the generated client: run tests/interop/install.sh")
    folder = tmp_path / "folder"
    folder.mkdir()
    (folder / "a.txt").write_bytes(bytes(range(256)) * 2000)
    (folder / "b.txt").write_text("Příliš žluťoučký kůň")
    (folder / "metadata.json").write_text('{"věc": "ž", "n": 1.5}', "utf-8")
    with running_server(made_home(tmp_path / "home")) as server:
        url = f"http://{server.host}:{server.port}"
        java = ["java", "-XX:TieredStopAtLevel=1", "-XX:+UseSerialGC", "-cp", CLASS_PATH, "Scenario"]
        theirs = subprocess.Popen(
            [*java, url, server.key, str(folder), "java-"], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        )
        assert theirs.stderr is not None
        waiting = theirs.stderr.readline()  # everything is deposited; or it failed, and says why below
        server.wait_for_nothing(minutes=10)
        said, complaint = theirs.communicate(timeout=200)
        assert theirs.returncode == 0, waiting + complaint
        mine = ours(server, folder, "python-")

    assert json.loads(said) == mine
    assert mine["changes"] == ["replicated 1", "replicated 2", "evidenced 1", "evidenced 2"]
    assert mine["many"] == ["m1", 201, "m2", "name-not-accepted"]
    assert mine["conflict"] == "409 idempotency-conflict"
