"""The process apart: hostile input costs bounded time and memory, and always gives an answer that is not good."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from archive_core.findings import Verdict
from signing.examination import sandbox
from signing.examination.forking import Template
from signing.examination.request import NamedPath, Request, TrustGiven
from signing.examination.sandbox import STOPPED, Limits, Runs, examine_and_ask, examine_apart
from signing.examination.values import Examination
from tests.unit.signing.examination.signing_world import NOW, World, plain_pdf
from tests.vectors import REPOSITORY

MIB = 1024 * 1024


@pytest.fixture(params=["fresh", pytest.param("forked", marks=pytest.mark.slow)])
def run(request: pytest.FixtureRequest) -> Iterator[Runs | None]:
    """Both ways to have a process of one's own."""
    if request.param == "fresh":
        yield None
        return
    template = Template()
    yield template.run
    template.close()


def request_for(path: Path, trust: TrustGiven | None = None) -> Request:
    """As the command line asks."""
    return Request(NamedPath(path, path.name), NOW, trust=trust or TrustGiven())


@pytest.fixture
def signed(world: World, tmp_path: Path) -> Path:
    """A signed PDF in a file."""
    path = tmp_path / "signed.pdf"
    path.write_bytes(world.pdf())
    return path


def _why(examination: Examination) -> str:
    assert [finding.code for finding in examination.findings] == [STOPPED]
    assert not examination.examined
    assert not examination.complete
    assert examination.verdict is Verdict.INDETERMINATE
    return examination.reason


def test_the_process_answers_as_the_program_does(world: World, signed: Path, run: Runs | None) -> None:
    """Trust, time and document travel to the child and the values back."""
    trust = TrustGiven(test_anchors=(world.local.anchor,), material=world.trust().extra)
    apart = examine_and_ask(request_for(signed, trust), run=run).examination

    assert apart.verdict is Verdict.PASSED
    assert apart.signatures == world.examined(signed.read_bytes()).signatures
    assert (apart.document, apart.size) == ("signed.pdf", signed.stat().st_size)


@pytest.mark.parametrize(
    ("body", "limits", "why"),
    [
        ("while True: pass", Limits(cpu_seconds=1), "processor time"),
        ("import time; time.sleep(60)", Limits(wall_seconds=1.0), "1 s was reached"),
        ("bytes(4 << 30)", Limits(memory=512 * MIB), "memory"),
        ("os.write(answer, bytes(1 << 20)); os._exit(0)", Limits(answer=4096), "more than 4096 bytes"),
        ("import signal; os.kill(os.getpid(), signal.SIGSEGV)", Limits(), "SIGSEGV"),
        ("os._exit(9)", Limits(), "code 9"),
        (
            'os.write(answer, b\'{"examination": {"verdict": "PASSED"}}\'); os._exit(0)',
            Limits(),
            "no answer",
        ),
        ("os.write(answer, b'[' * 100000); os._exit(0)", Limits(), "no answer"),
        ("os._exit(0)", Limits(), "no answer"),
    ],
    ids=["busy", "asleep", "greedy", "talkative", "crash", "exit", "liar", "deep", "silent"],
)
def test_whatever_becomes_of_the_process_there_is_an_answer(
    signed: Path, monkeypatch: pytest.MonkeyPatch, run: Runs | None, body: str, limits: Limits, why: str
) -> None:
    """It is "not examined", with the reason; the child is gone, and soon."""
    taken_over = (
        "import sys, os, signing.examination.child as child\n"
        f"def examined(octets):\n    answer = {_ANSWER}\n    {body}\n"
        "child._examined = examined\n"
    )
    start = sandbox._START.replace("raise SystemExit", f"exec({taken_over!r}); raise SystemExit")
    monkeypatch.setattr(sandbox, "_START", start)
    begun = time.monotonic()

    assert why in _why(examine_and_ask(request_for(signed), limits, run=run).examination)
    assert time.monotonic() - begun < 20


_ANSWER = (
    "next(fd for fd in range(3, 60) if os.path.exists(f'/proc/self/fd/{fd}')"
    " and 'pipe' in os.readlink(f'/proc/self/fd/{fd}'))"
)
"""The descriptor of the pipe that the child answers on."""


@pytest.mark.parametrize(
    "body",
    [
        "import socket; socket.create_connection(('127.0.0.1', 9))",
        "import subprocess; subprocess.run(['true'])",
        "import os; os.system('true')",
        "open('/tmp/examined-and-written', 'w')",
        "import os; os.remove('/nowhere')",
    ],
    ids=["connects", "starts", "shell", "writes", "removes"],
)
def test_the_process_reaches_nothing_outside(body: str) -> None:
    """The audit hook refuses before the system is asked."""
    program = (
        "import sys; from signing.examination import child; sys.addaudithook(child.guard)\n"
        f"try:\n    {body}\nexcept child.ForbiddenError: print('refused')"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)

    assert done.stdout == "refused\n", done.stderr


_MEASURED = """
import resource, sys
from pathlib import Path
from signing.examination.request import NamedPath, Request
from signing.examination.sandbox import Limits, examine_apart
from tests.unit.signing.examination.signing_world import NOW
found = examine_apart(Request(NamedPath(Path(sys.argv[1]), "large.pdf"), NOW), Limits(memory=256 << 20))
print([one.signature_intact for one in (*found.signatures, *found.timestamps)], found.complete)
print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss * 1024)
"""


@pytest.mark.slow
def test_a_pdf_of_100_megabytes_needs_little_memory(world: World, tmp_path: Path) -> None:
    """Signed and stamped later, so that changes are judged, too. Its pages may be mapped; it is not held."""
    path = tmp_path / "large.pdf"
    path.write_bytes(world.document_stamped(world.pdf(plain_pdf(100_000_000))))
    words = [sys.executable, "-c", _MEASURED, str(path)]  # a small parent: a child begins with its parent's maximum
    done = subprocess.run(words, capture_output=True, text=True, check=True, cwd=REPOSITORY)
    said, most = done.stdout.splitlines()

    assert said == "[True, True] True"
    assert int(most) < 300 * MIB


def test_a_missing_file_is_told_as_such(tmp_path: Path) -> None:
    """It is no answer about a document."""
    with pytest.raises(FileNotFoundError):
        examine_apart(request_for(tmp_path / "nowhere"))


def test_trust_that_cannot_be_read_is_told_as_such(signed: Path) -> None:
    """An anchor that is none must not make an examination without trust of it."""
    with pytest.raises(ValueError, match="certificate"):
        examine_apart(request_for(signed, TrustGiven(anchors=(b"no certificate",))))
