"""What the README tells people to type works as it stands there."""

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.ports import free_port
from tests.vectors import REPOSITORY

pytestmark = pytest.mark.slow

ENVIRONMENT = Path(sys.executable).parent.parent
PATIENCE = 120.0
"""Seconds for the server to answer (its first start makes keys), and for a block of commands (evidence takes 30)."""


def block(after: str) -> str:
    """Return the first shell block that follows the words `after` in the README."""
    text = (REPOSITORY / "README.md").read_text(encoding="utf-8")
    found = re.search(r"```sh\n(.*?)```", text[text.index(after) :], re.S)
    assert found is not None
    return found.group(1)


def type_in(directory: Path, commands: str) -> subprocess.CompletedProcess[str]:
    """Run `commands` as somebody who typed them there would, stopping at the first that fails.

    Commands that take longer than PATIENCE end with code 124, as under timeout(1), and keep what they said.
    """
    return subprocess.run(
        ["timeout", str(PATIENCE), "bash", "-euo", "pipefail", "-c", commands],
        cwd=directory,
        env={name: value for name, value in os.environ.items() if not name.startswith("TRUSTED_ARCHIVE")},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )


def checkout_in(directory: Path) -> Path:
    """Make `directory` look like a checkout after `make setup`."""
    (directory / ".venv").symlink_to(ENVIRONMENT)
    (directory / "examples").symlink_to(REPOSITORY / "examples")
    return directory


@pytest.fixture(scope="module")
def checkout(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the server of this module runs."""
    return checkout_in(tmp_path_factory.mktemp("checkout"))


def answers(url: str) -> bool:
    """Say whether the server at `url` is ready."""
    try:
        with urllib.request.urlopen(url, timeout=5) as answer:
            return bool(answer.status == 200)
    except (urllib.error.URLError, ConnectionError):
        return False


@pytest.fixture(scope="module")
def port(checkout: Path) -> Iterator[int]:
    """The port of a server that `make run` started; its set-up is taken as done."""
    number = free_port()
    command = ["make", "-f", str(REPOSITORY / "Makefile"), "-o", ".venv/.installed", "run", f"ARGS=--port {number}"]
    log = checkout / "server.log"
    with log.open("w") as output:
        server = subprocess.Popen(
            command,
            cwd=checkout,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        try:
            deadline = time.monotonic() + PATIENCE
            while not answers(f"http://127.0.0.1:{number}/v1/ready"):
                assert server.poll() is None, log.read_text()
                assert time.monotonic() < deadline, log.read_text()
                time.sleep(0.2)
            yield number
        finally:
            os.killpg(server.pid, signal.SIGINT)  # what Ctrl-C in its terminal sends
            server.wait(60)


@pytest.mark.skipif(shutil.which("curl") is None, reason="curl is absent")
def test_the_curl_lines_lead_from_a_deposit_to_a_verified_bundle(checkout: Path, port: int) -> None:
    """A newcomer deposits, waits, takes the bundle, and the offline verifier accepts it."""
    done = type_in(checkout, block("## Try it").replace("8080", str(port)))

    assert done.returncode == 0, done.stdout + done.stderr + (checkout / "server.log").read_text()
    assert "PASSED" in done.stdout
    assert json.loads((checkout / "answer.json").read_text())["status"] == "replicated"


def test_the_first_key_is_readable_by_its_owner_alone(checkout: Path, port: int) -> None:
    """The key file that `serve` names has mode 0600."""
    assert answers(f"http://127.0.0.1:{port}/v1/health")
    key = checkout / "archive-home" / "first-key"

    assert key.stat().st_mode & 0o777 == 0o600
    assert str(key) in (checkout / "server.log").read_text()


def test_the_commands_without_a_server_work(tmp_path: Path) -> None:
    """init, deposit, preserve and verify, in that order, from nothing."""
    done = type_in(checkout_in(tmp_path), block("The same without a server"))

    assert done.returncode == 0, done.stdout + done.stderr
    assert "PASSED" in done.stdout


def test_each_make_target_that_is_named_exists() -> None:
    """README, CONTRIBUTING and the CI script name no target that the Makefile lacks."""
    targets = set(re.findall(r"^([a-z]+):", (REPOSITORY / "Makefile").read_text(encoding="utf-8"), re.M))
    named = set()
    for name in ("README.md", "CONTRIBUTING.md", ".ci/run"):
        text = (REPOSITORY / name).read_text(encoding="utf-8")
        for words in re.findall(r"(?:^|`)make ([a-z][a-z ]*)", text, re.M):
            named.update(words.split())

    assert {"run", "test", "setup", "check"} <= named <= targets
