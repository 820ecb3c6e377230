"""Examining a document in a process of its own, with limits on time, memory and the answer's size.

Rules kept here
 * The child is a fresh interpreter, not a fork of this process: it inherits no memory, no threads, no open files but
   three. Whoever examines many documents has them examined by forks of such an interpreter (`forking`).
 * Whatever becomes of the child (killed, crashed, silent, talking too much), the caller gets an `Examination`: one
   that says "not examined" and why, never an exception over bad input and never a good verdict.
 * When the wall clock has run out, the child's whole process group is killed.
"""

from __future__ import annotations

import contextlib
import json
import os
import selectors
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace

from archive_core.findings import Finding
from signing.examination.asks import Collected
from signing.examination.report_json import from_json
from signing.examination.request import Request
from signing.examination.values import DocumentFormat, Examination, not_examined

STOPPED = "EXAMINATION_STOPPED"
"""The finding of an examination that did not come to its end."""

_MIB = 1024 * 1024
_START = (
    "import sys; paths, module, words = sys.argv[1], sys.argv[2], sys.argv[3:]; "
    "sys.path[:] = paths.split(chr(10)); "
    "from importlib import import_module; raise SystemExit(import_module(module).main(words))"
)
_LAST_WORDS = 20_000


@dataclass(frozen=True, slots=True)
class Limits:
    """`memory` is address space in bytes, on top of the document's own size (large documents are mapped);
    `cpu_seconds` and `wall_seconds` bound time; `answer` is the size of the answer in bytes."""

    memory: int = 1024 * _MIB
    cpu_seconds: int = 60
    wall_seconds: float = 120.0
    answer: int = 32 * _MIB


@dataclass(frozen=True)
class Outcome:
    """What a child answered, or None and why it did not."""

    answer: bytes | None
    why: str = ""


Runs = Callable[[Sequence[str], bytes, Limits], Outcome]
"""Has `child.main(words)` run in a process of its own, with what is asked on its standard input."""


@dataclass(frozen=True)
class Apart:
    """What a process found, and what it would ask for; nothing where nobody wanted to know."""

    examination: Examination
    collected: Collected = field(default_factory=Collected)


def examine_apart(request: Request, limits: Limits | None = None) -> Examination:
    """As `examine_and_ask`, for whoever collects nothing."""
    return examine_and_ask(request, limits).examination


def examine_and_ask(request: Request, limits: Limits | None = None, *, run: Runs | None = None) -> Apart:
    """What a process of its own says of a document; `run` has the child's `main` run, by default in a fresh
    interpreter. Raises OSError when the document or its detached data cannot be read, or no process can be started, and
    ValueError when what is to be trusted cannot be read. Never for what is in the document."""
    limits = limits or Limits()
    size = request.document.path.stat().st_size
    for one in (request.document, *request.detached):
        with one.path.open("rb"):
            pass
    words = [str(limits.memory + 2 * size), str(limits.cpu_seconds)]
    outcome = (run or _fresh)(words, request.to_bytes(), limits)
    if outcome.answer is None:
        return Apart(_not_examined(request, size, outcome.why))
    return _read(request, size, outcome.answer)


def _read(request: Request, size: int, answer: bytes) -> Apart:
    try:
        document = json.loads(answer)
        if "stopped" in document:
            return Apart(_not_examined(request, size, f"its limit of {document['stopped']} was reached"))
        if "failed" in document:
            raise _Failed(str(document["failed"]))
        if request.answers is None:
            return Apart(from_json(document["examination"]))
        return Apart(from_json(document["examination"]), Collected.from_json(document["collected"]))
    except _Failed as failed:
        raise ValueError(str(failed)) from None
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        why = f"its process gave no answer that can be read ({type(error).__name__})"
        return Apart(_not_examined(request, size, why))


class _Failed(Exception):  # noqa: N818 - carries what the child could not begin with
    pass


def _not_examined(request: Request, size: int, why: str) -> Examination:
    examination = not_examined(
        request.document.name, DocumentFormat.UNKNOWN, f"not examined: {why}", at=request.at, size=size
    )
    return replace(examination, complete=False, findings=(Finding(STOPPED, why),))


def _fresh(words: Sequence[str], asked: bytes, limits: Limits) -> Outcome:
    return run_apart("signing.examination.child", words, asked, limits)


def run_apart(
    module: str, words: Sequence[str], asked: bytes, limits: Limits, *, descriptors: Sequence[int] = ()
) -> Outcome:
    """Run `main(words)` of a module in a fresh interpreter, with what is asked on its standard input. It inherits the
    descriptors given and no others; limits on its own memory and time are for itself to set."""
    with tempfile.TemporaryFile() as given:
        given.write(asked)
        given.seek(0)
        with _living(started(module, words, given.fileno(), subprocess.PIPE, descriptors=descriptors)) as child:
            assert child.stdout is not None
            assert child.stderr is not None
            answer, said, why = listen(child.stdout.fileno(), child.stderr.fileno(), limits)
            if why:
                return Outcome(None, why)
            code = child.wait(timeout=5)
    if code == 0:
        return Outcome(answer)
    return Outcome(None, why_it_ended(code, said))


def why_it_ended(code: int, said: bytes) -> str:
    """Why a child with this exit code (negative: the signal's number) and these last words gave no answer."""
    if code == -signal.SIGXCPU or code == -signal.SIGKILL:
        return "its limit of processor time was reached"
    if code < 0:
        with contextlib.suppress(ValueError):
            return f"its process ended by {signal.Signals(-code).name}"
    lines = said.decode("utf-8", "backslashreplace").strip().splitlines()
    return f"its process ended with code {code}{f' ({lines[-1][:200]})' if lines else ''}"


def started(
    module: str,
    words: Sequence[str],
    asked: int = subprocess.DEVNULL,
    answers: int | None = subprocess.DEVNULL,
    *,
    descriptors: Sequence[int] = (),
) -> subprocess.Popen[bytes]:
    """A fresh interpreter that runs `main(words)` of a module; it has a session of its own."""
    return subprocess.Popen(  # noqa: S603 - this interpreter and words of ours
        [sys.executable, "-I", "-B", "-c", _START, "\n".join(sys.path), module, *words],
        stdin=asked,
        stdout=answers,
        stderr=answers,
        env={"LANG": "C.UTF-8", "PYTHONHASHSEED": "random", "PATH": os.defpath},
        cwd="/",
        start_new_session=True,
        pass_fds=tuple(descriptors),
    )


@contextlib.contextmanager
def _living(child: subprocess.Popen[bytes]) -> Iterator[subprocess.Popen[bytes]]:
    """The child, which is gone when the block ends."""
    try:
        yield child
    finally:
        if child.poll() is None:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(child.pid, signal.SIGKILL)
        child.wait()
        for stream in (child.stdout, child.stderr):
            if stream is not None:
                stream.close()


def listen(answers: int, says: int, limits: Limits) -> tuple[bytes, bytes, str]:
    """What comes on two descriptors: the child's answer, and its last words on standard error; and why it was not
    listened to any longer."""
    until = time.monotonic() + limits.wall_seconds
    answer, said = bytearray(), bytearray()
    with selectors.DefaultSelector() as waiting:
        waiting.register(answers, selectors.EVENT_READ)
        waiting.register(says, selectors.EVENT_READ)
        while waiting.get_map():
            left = until - time.monotonic()
            if left <= 0:
                return b"", b"", f"its limit of {limits.wall_seconds:g} s was reached"
            for key, _ in waiting.select(left):
                piece = os.read(key.fd, 65536)
                if not piece:
                    waiting.unregister(key.fileobj)
                elif key.fd == answers:
                    answer += piece
                else:
                    said = (said + piece)[-_LAST_WORDS:]
            if len(answer) > limits.answer:
                return b"", b"", f"its report has more than {limits.answer} bytes"
    return bytes(answer), bytes(said), ""
