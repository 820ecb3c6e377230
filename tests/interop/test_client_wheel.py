"""The client as others get it: a wheel of its own in an environment that has nothing else, and the example with it."""

from __future__ import annotations

import json
import shutil
import sqlite3
import subprocess
import sys
import time
import venv
import zipfile
from contextlib import closing
from pathlib import Path

import pytest

from tests.integration.http_server import running_server
from tests.integration.http_world import made_home
from tests.vectors import REPOSITORY

pytestmark = [pytest.mark.interop, pytest.mark.slow, pytest.mark.timeout(280)]


def run(*words: object, at: Path, expected: int = 0) -> str:
    done = subprocess.run([str(word) for word in words], cwd=at, capture_output=True, text=True, check=False)
    assert done.returncode == expected, done.stdout + done.stderr
    return done.stdout


def built(place: Path) -> Path:
    """A wheel of the client, made of a copy of its sources and without an index."""
    source = shutil.copytree(
        REPOSITORY / "clients" / "python",
        place / "client",
        ignore=shutil.ignore_patterns("__pycache__", "build", "*.egg-info"),
    )
    pip = (sys.executable, "-m", "pip", "wheel", "-q", "--no-index", "--no-deps", "--no-build-isolation")
    run(*pip, "-w", place / "wheels", source, at=place)
    (wheel,) = (place / "wheels").iterdir()
    return wheel


def recorded(book: Path) -> int:
    """How many records the filing service's book says were taken."""
    if not book.exists():
        return 0
    with closing(sqlite3.connect(f"file:{book}?mode=ro", uri=True)) as database:
        try:
            return int(database.execute("SELECT count(*) FROM records").fetchone()[0])
        except sqlite3.OperationalError:  # it is just being made
            return 0


def test_the_client_s_wheel_deposits_a_day_s_records_from_a_fresh_environment(tmp_path: Path) -> None:
    """It needs nothing but Python: records go in, are proven, and their receipts checked."""
    wheel = built(tmp_path)
    with zipfile.ZipFile(wheel) as archive:
        assert {name.split("/")[0].partition("-")[0] for name in archive.namelist()} == {"trusted_archive_client"}
        assert "trusted_archive_client/py.typed" in archive.namelist()
    venv.create(tmp_path / "venv", with_pip=False)
    python = tmp_path / "venv" / "bin" / "python"
    run(sys.executable, "-m", "pip", "--python", python, "install", "-q", "--no-index", wheel, at=tmp_path)
    found = run(python, "-I", "-c", "import trusted_archive_client as it; print(it.__file__)", at=tmp_path).strip()
    assert Path(found).is_relative_to(tmp_path / "venv")
    for number, document in enumerate(sorted((REPOSITORY / "examples" / "documents").iterdir())[:2]):
        record = tmp_path / "2026-11-23" / f"{number:03}"
        record.mkdir(parents=True)
        shutil.copy(document, record)
        (record / "metadata.json").write_text(json.dumps({"číslo": number}))
    with running_server(made_home(tmp_path / "home")) as server:
        words = [
            python,
            "-I",
            REPOSITORY / "examples" / "filing_service.py",
            "--url",
            f"http://{server.host}:{server.port}",
        ]
        words += ["--key-file", server.home / "first-key", "--records", tmp_path / "2026-11-23"]
        words += ["--book", tmp_path / "book.sqlite3", "--receipts", tmp_path / "receipts"]
        words += ["--trust", server.home / "trust" / "test-ca.pem", "--patience", "200", "--pause", "0.2"]
        process = subprocess.Popen(
            [str(word) for word in words], cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
        )
        deadline = time.monotonic() + 100
        while recorded(tmp_path / "book.sqlite3") < 2:
            assert process.poll() is None, process.communicate()[0]
            assert time.monotonic() < deadline
            time.sleep(0.05)
        server.wait_for_nothing(minutes=10)  # the batch is due
        said, _ = process.communicate(timeout=200)
    assert process.returncode == 0, said
    assert len(list((tmp_path / "receipts").rglob("*.json"))) >= 2, said
