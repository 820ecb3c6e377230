"""The inside of the process from which those are forked that examine documents (`signing.examination.forking`).

Rules kept here
 * Everything that examinations load is loaded once, before the first is asked for. This process itself never reads a
   document: what it is told are bounds, and descriptors that it passes on. It has one thread.
 * Each document gets a process of its own, which has this one's code and none of its descriptors, and is gone
   afterwards: what a document did to it is gone with it.
 * A keeper stands between the two: it tells how the process ended, and ends it with all its group as soon as
   whoever asked is gone or has waited enough.
"""

from __future__ import annotations

import gc
import json
import os
import pkgutil
import select
import signal
import socket
import sys
import traceback
from datetime import UTC, datetime
from importlib import import_module
from types import FrameType

MESSAGE = 4096
DESCRIPTORS = 4
"""The question, the answer, the last words, and the line to whoever asked."""
REFUSED = "!"
"""What the line says before the reason why no process can be had; else it is an exit code."""
_MOST = 256
_WHEN_USED = (
    "_strptime",
    "encodings.cp1252",
    "encodings.utf_8_sig",
    "cryptography.hazmat.backends.openssl.backend",
    "pyhanko.pdf_utils.filters",
    "pyhanko.pdf_utils.reader",
    "pyhanko.sign.diff_analysis",
    "pyhanko.sign.validation",
    "signing.trusted_lists.files",
)
"""What libraries and the examination load when they first need it."""


def main(arguments: list[str]) -> int:
    """`arguments`: the descriptor of the socket on which examinations are asked for; ends when that is closed."""
    connection = socket.socket(fileno=int(arguments[0]))
    load()
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # keepers tell what is to be told, and are waited for by nobody
    gc.collect()
    gc.freeze()  # what is shared stays shared
    while True:
        message, descriptors, _, _ = socket.recv_fds(connection, MESSAGE, DESCRIPTORS)
        if not message:
            return 0
        try:
            if len(descriptors) == DESCRIPTORS and os.fork() == 0:
                _apart(json.loads(message), descriptors)
        except OSError as error:  # no process can be had
            os.write(descriptors[-1], f"{REFUSED}{error}".encode()[:MESSAGE])
        for descriptor in descriptors:
            os.close(descriptor)


def load() -> None:
    """Load every module of examinations, and what these load when they are first used."""
    package = import_module("signing.examination")
    for module in pkgutil.iter_modules(package.__path__, "signing.examination."):
        import_module(module.name)
    for name in _WHEN_USED:
        import_module(name)
    from signing.examination.request import TrustGiven

    TrustGiven().built(at=datetime.now(UTC))  # the table of algorithms is read once


def _apart(words: list[str], descriptors: list[int]) -> None:
    """The keeper's life; never returns."""
    try:
        _keep(words, *descriptors)
    except BaseException:  # noqa: BLE001 - nothing may go on as if it were the template
        traceback.print_exc()
    finally:
        os._exit(0)


def _keep(words: list[str], question: int, answer: int, last_words: int, line: int) -> None:
    ended, ends = os.pipe()
    os.set_blocking(ends, False)
    signal.signal(signal.SIGCHLD, _nothing)
    signal.set_wakeup_fd(ends, warn_on_full_buffer=False)
    child = os.fork()
    if child == 0:
        _become(words, question, answer, last_words)
    os.close(answer)
    os.close(last_words)
    while True:
        ready, _, _ = select.select([line, ended], [], [])
        if line in ready:  # who asked is gone, or has waited enough
            _end(child)
            return
        os.read(ended, 64)
        number, status = os.waitpid(child, os.WNOHANG)
        if number:
            os.write(line, str(os.waitstatus_to_exitcode(status)).encode("ascii"))
            return


def _nothing(_signal: int, _frame: FrameType | None) -> None:
    """That it came is enough: it wakes the keeper."""


def _end(child: int) -> None:
    try:
        os.killpg(child, signal.SIGKILL)
    except ProcessLookupError:  # it has not begun yet
        os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)


def _become(words: list[str], question: int, answer: int, last_words: int) -> None:
    """The examining process; never returns."""
    code = 1
    try:
        signal.set_wakeup_fd(-1)
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        os.setsid()
        for number, descriptor in enumerate((question, answer, last_words)):
            os.dup2(descriptor, number)
        os.closerange(3, _MOST)
        from signing.examination import child

        code = child.main(words)
    except BaseException:  # noqa: BLE001 - as above; the code tells
        traceback.print_exc()
    finally:
        sys.stderr.flush()
        os._exit(code)
