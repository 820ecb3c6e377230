"""The inside of the process in which a document is examined (`signing.examination.sandbox` starts it).

Rules kept here
 * Limits on memory, processor time, files and cores are set before anything foreign is read.
 * The process connects to nobody, starts nothing and opens no file for writing: an audit hook refuses it, whatever
   library asks.
 * The answer is one JSON document on standard output: an examination, or why there is none. Nothing else is written
   there.
"""

from __future__ import annotations

import json
import os
import resource
import sys
from typing import Any

_FORBIDDEN = ("socket.connect", "socket.bind", "socket.getaddrinfo", "socket.gethostbyname", "socket.sendto")
_STARTING = (
    "os.exec",
    "os.fork",
    "os.forkpty",
    "os.posix_spawn",
    "os.spawn",
    "os.system",
    "subprocess.Popen",
    "pty.spawn",
)
_CHANGING = (
    "os.remove",
    "os.rename",
    "os.rmdir",
    "os.mkdir",
    "os.link",
    "os.symlink",
    "os.truncate",
    "os.chmod",
    "os.chown",
)


class ForbiddenError(RuntimeError):
    """Something in this process wanted to reach outside."""


def main(arguments: list[str]) -> int:
    """`arguments`: bytes of memory, seconds of processor time. The request comes on standard input."""
    memory, seconds = (int(word) for word in arguments)
    answer_to = os.dup(1)
    os.dup2(2, 1)  # what libraries print is no answer
    limit(memory, seconds)
    octets = sys.stdin.buffer.read()
    answer = _answered(octets)
    with os.fdopen(answer_to, "wb") as stream:
        stream.write(answer)
    return 0


def limit(memory: int, seconds: int, file_size: int = 0) -> None:
    """Bounds on address space (bytes), processor time and what may be written to an open file."""
    for kind, most in (
        (resource.RLIMIT_CORE, 0),
        (resource.RLIMIT_FSIZE, file_size),
        (resource.RLIMIT_NOFILE, 128),
        (resource.RLIMIT_CPU, seconds),
        (resource.RLIMIT_AS, memory),
    ):
        _, hard = resource.getrlimit(kind)
        bound = most if hard == resource.RLIM_INFINITY else min(most, hard)
        resource.setrlimit(kind, (bound, bound))


def _answered(octets: bytes) -> bytes:
    try:
        return json.dumps(_examined(octets)).encode("utf-8", "backslashreplace")
    except MemoryError:
        return b'{"stopped":"memory"}'
    except RecursionError:
        return b'{"stopped":"depth"}'
    except (OSError, ValueError) as error:
        return json.dumps({"failed": f"{type(error).__name__}: {error}"[:500]}).encode("utf-8", "backslashreplace")


def _examined(octets: bytes) -> dict[str, Any]:
    from signing.examination.registry import examine
    from signing.examination.report_json import to_json
    from signing.examination.request import Request

    request = Request.from_bytes(octets)
    trust = request.trust.built(at=request.at, existed=request.existed, strict=request.strict)
    document, detached = request.documents()
    sys.addaudithook(guard)
    found = examine(document, detached=detached, trust=trust, at=request.at)
    if request.answers is None:
        return {"examination": to_json(found)}
    from signing.examination.collecting import collect

    collected = collect(trust, dict(request.answers), at=request.at)
    if any((collected.material.certificates, collected.material.crls, collected.material.ocsps)):
        trust = request.trust.built(
            at=request.at, existed=request.existed, strict=request.strict, more=collected.material
        )
        found = examine(document, detached=detached, trust=trust, at=request.at)
    return {"examination": to_json(found), "collected": collected.to_json()}


def guard(event: str, arguments: tuple[Any, ...]) -> None:
    """An audit hook: whatever reaches outside of the process is refused."""
    if event in _FORBIDDEN or event in _STARTING or event in _CHANGING:
        raise ForbiddenError(f"an examination must not do {event}")
    if event == "open" and _writes(arguments):
        raise ForbiddenError("an examination must not write files")


def _writes(arguments: tuple[Any, ...]) -> bool:
    mode, flags = (arguments[1], arguments[2]) if len(arguments) > 2 else (None, 0)
    if arguments and isinstance(arguments[0], int):
        return False  # a file that is open already: the answer's pipe
    by_mode = isinstance(mode, str) and any(letter in mode for letter in "wax+")
    return by_mode or (isinstance(flags, int) and bool(flags & (os.O_WRONLY | os.O_RDWR | os.O_CREAT)))
