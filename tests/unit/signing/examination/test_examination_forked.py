"""The process of which others are forked: many documents at once, none of which another one sees."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from archive_core import processes
from archive_core.findings import Verdict
from signing.examination import forking, sandbox
from signing.examination.forking import Template
from signing.examination.request import NamedPath, Request, TrustGiven
from signing.examination.sandbox import Limits, examine_and_ask
from tests.unit.signing.examination.signing_world import NOW, World
from tests.vectors import REPOSITORY


@pytest.fixture
def template() -> Iterator[Template]:
    made = Template()
    yield made
    made.close()


@pytest.fixture
def asked(world: World, tmp_path: Path) -> Request:
    """A signed PDF that is trusted."""
    path = tmp_path / "signed.pdf"
    path.write_bytes(world.pdf())
    trust = TrustGiven(test_anchors=(world.local.anchor,), material=world.trust().extra)
    return Request(NamedPath(path, path.name), NOW, trust=trust)


def soon(true: Callable[[], bool]) -> None:
    until = time.monotonic() + 30
    while not true():
        assert time.monotonic() < until
        time.sleep(0.01)


def descriptors() -> int:
    return len(os.listdir("/proc/self/fd"))


def below(pid: int) -> list[int]:
    """The processes that a process has forked."""
    with contextlib.suppress(FileNotFoundError):
        return [int(word) for word in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
    return []


def pid_of(template: Template) -> int:
    assert template._process is not None
    return template._process.pid


def test_many_at_once_each_in_a_process_of_its_own(template: Template, asked: Request) -> None:
    """One template serves all threads; nothing is left of any of them."""
    first = examine_and_ask(asked, run=template.run).examination
    pid, held = pid_of(template), descriptors()
    with ThreadPoolExecutor(8) as pool:
        found = list(pool.map(lambda _: examine_and_ask(asked, run=template.run).examination, range(24)))

    assert {one.verdict for one in found} == {Verdict.PASSED}
    assert all(one.signatures == first.signatures for one in found)
    assert (pid_of(template), descriptors()) == (pid, held)
    soon(lambda: below(pid) == [])


@pytest.mark.slow
def test_what_a_document_does_to_its_process_the_next_one_does_not_see(
    asked: Request, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A process that was taken over has neither the template's socket nor another's memory, and is gone at the end."""
    taken_over = (
        "import os, signing.examination.child as child\n"
        "real = child._examined\n"
        "def examined(octets):\n"
        "    links = [os.readlink(f'/proc/self/fd/{one}') for one in range(3, 256)"
        " if os.path.exists(f'/proc/self/fd/{one}')]\n"
        "    assert not [one for one in links if one.startswith('socket')], links\n"
        "    assert not hasattr(child, 'seen'), 'a document before this one was here'\n"
        "    child.seen = True\n"
        "    return real(octets)\n"
        "child._examined = examined\n"
    )
    start = sandbox._START.replace("raise SystemExit", f"exec({taken_over!r}); raise SystemExit")
    monkeypatch.setattr(sandbox, "_START", start)
    template = Template()
    for _ in range(3):
        assert examine_and_ask(asked, run=template.run).examination.verdict is Verdict.PASSED
    template.close()


@pytest.mark.slow
def test_one_that_takes_too_long_is_ended_with_its_group(
    asked: Request, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """The keeper sees that nobody waits any more."""
    taken_over = (
        "import os, time, signing.examination.child as child\n"
        "def examined(octets):\n"
        "    if os.fork() == 0: time.sleep(600)\n"
        "    time.sleep(600)\n"
        "child._examined = examined\n"
    )
    start = sandbox._START.replace("raise SystemExit", f"exec({taken_over!r}); raise SystemExit")
    monkeypatch.setattr(sandbox, "_START", start)
    template = Template()
    limits = Limits(wall_seconds=8.0)
    slow = threading.Thread(target=examine_and_ask, args=(asked, limits), kwargs={"run": template.run})
    slow.start()
    soon(lambda: template._process is not None and below(pid_of(template)) != [])
    (keeper,) = below(pid_of(template))
    soon(lambda: [one for child in below(keeper) for one in below(child)] != [])
    (child,) = below(keeper)
    (grandchild,) = below(child)
    slow.join()

    soon(lambda: not any(os.path.exists(f"/proc/{pid}") for pid in (keeper, child)))
    soon(lambda: "State:\tZ" in _status(grandchild) or not _status(grandchild))
    template.close()


def _status(pid: int) -> str:
    with contextlib.suppress(FileNotFoundError, ProcessLookupError):
        return Path(f"/proc/{pid}/status").read_text()
    return ""


@pytest.mark.slow
def test_a_template_that_is_gone_is_started_anew(template: Template, asked: Request) -> None:
    for _ in range(2):
        assert examine_and_ask(asked, run=template.run).examination.verdict is Verdict.PASSED
        os.kill(pid_of(template), signal.SIGKILL)
    assert template._process is not None
    template._process.wait()
    assert examine_and_ask(asked, run=template.run).examination.verdict is Verdict.PASSED


def test_no_process_is_an_error_and_no_verdict(asked: Request, monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither of the template itself nor of one that it cannot fork."""
    refusing = "import os\ndef none(): raise OSError('no process is left')\nos.fork = none\n"
    start = sandbox._START.replace("raise SystemExit", f"exec({refusing!r}); raise SystemExit")
    with monkeypatch.context() as patch:
        patch.setattr(sandbox, "_START", start)
        template = Template()
        with pytest.raises(OSError, match="no process is left"):
            examine_and_ask(asked, run=template.run)
        template.close()
    with monkeypatch.context() as patch:
        patch.setattr(sandbox, "_START", "raise SystemExit(3)")
        with pytest.raises(OSError, match="again and again"):
            examine_and_ask(asked, run=Template().run)
    monkeypatch.setattr(forking, "started", _cannot)
    with pytest.raises(OSError, match="none can be started"):
        examine_and_ask(asked, run=Template().run)


def _cannot(*_: object, **__: object) -> None:
    raise OSError("none can be started")


_OWNER = """
import sys
from pathlib import Path
from archive_core.processes import this_process
from signing.examination.forking import Template
from signing.examination.request import NamedPath, Request
from signing.examination.sandbox import examine_and_ask
from tests.unit.signing.examination.signing_world import NOW
template = Template()
examine_and_ask(Request(NamedPath(Path(sys.argv[1]), "a.pdf"), NOW), run=template.run)
boot, space, _, _ = this_process().split(":")
began = Path(f"/proc/{template._process.pid}/stat").read_text().rpartition(")")[2].split()[19]
print(f"{boot}:{space}:{template._process.pid}:{began}|", flush=True)
sys.stdin.read()
"""


@pytest.mark.slow
def test_it_ends_with_the_process_that_started_it(asked: Request) -> None:
    """Also when that one is killed."""
    words = [sys.executable, "-c", _OWNER, str(asked.document.path)]
    with subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=REPOSITORY) as owner:
        assert owner.stdout is not None
        template = owner.stdout.readline().strip()
        assert not processes.is_gone(template)
        owner.kill()
    soon(lambda: processes.is_gone(template))
