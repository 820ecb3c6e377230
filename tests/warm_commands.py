"""Our commands for a shell, without the second that each would take to import everything.

A folder for PATH holds `trusted-archive` and `trusted-archive-verify`. Each hands its words, folder, environment and
standard streams to one process that has everything imported, which forks for it and tells its exit code: what a page
tells people to type is run as it stands there, by a real shell, many commands in the time of one.
"""

from __future__ import annotations

import contextlib
import importlib
import json
import os
import socket
import subprocess
import sys
import time
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.vectors import REPOSITORY

COMMANDS = {"trusted-archive": "api.cli", "trusted-archive-verify": "api.offline.cli"}
WARM = ("api.wiring", "api.cli.run", *COMMANDS.values())

SHIM = """\
#!{python} -IS
import json, os, socket, sys
line = socket.socket(socket.AF_UNIX)
line.connect({address!r})
told = json.dumps([{module!r}, sys.argv[1:], os.getcwd(), dict(os.environ)]).encode()
socket.send_fds(line, [len(told).to_bytes(8, "big")], [0, 1, 2])
line.sendall(told)
sys.exit(int(line.recv(8)))
"""


@contextmanager
def warm_commands(folder: Path) -> Iterator[Path]:
    """A folder for PATH with the commands, good for the block."""
    folder.mkdir()
    address = str(folder / "line")
    for name, module in COMMANDS.items():
        (folder / name).write_text(SHIM.format(python=sys.executable, address=address, module=module))
        (folder / name).chmod(0o755)
    process = subprocess.Popen([sys.executable, "-m", "tests.warm_commands", address], cwd=REPOSITORY)
    try:
        deadline = time.monotonic() + 120
        while not (folder / "line").exists():
            assert process.poll() is None, "the process for commands ended"
            assert time.monotonic() < deadline
            time.sleep(0.02)
        yield folder
    finally:
        process.terminate()
        process.wait()


def _serve(address: str) -> None:
    mains: dict[str, Callable[[], int]] = {}
    for name in WARM:
        importlib.import_module(name)
    for name in COMMANDS.values():
        mains[name] = importlib.import_module(name).main
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(f"{address}.new")
    listener.listen()
    os.rename(f"{address}.new", address)
    while True:
        line, _ = listener.accept()
        size, streams, _, _ = socket.recv_fds(line, 8, 3)
        with line.makefile("rb") as incoming:
            told = json.loads(incoming.read(int.from_bytes(size, "big")))
        child = os.fork()
        if child == 0:
            _run(mains, told, streams)
        for stream in streams:
            os.close(stream)
        _, status = os.waitpid(child, 0)
        with contextlib.suppress(BrokenPipeError):
            line.sendall(str(os.waitstatus_to_exitcode(status)).encode())
        line.close()


def _run(
    mains: dict[str, Callable[[], int]], told: tuple[str, list[str], str, dict[str, str]], streams: list[int]
) -> None:
    module, words, folder, environment = told
    code = 70
    try:
        for number, stream in enumerate(streams):
            os.dup2(stream, number)
        sys.stdin, sys.stdout, sys.stderr = os.fdopen(0), os.fdopen(1, "w"), os.fdopen(2, "w", 1)
        os.chdir(folder)
        os.environ.clear()
        os.environ.update(environment)
        sys.argv = [next(name for name, of in COMMANDS.items() if of == module), *words]
        code = mains[module]()
    except SystemExit as ending:
        code = ending.code if isinstance(ending.code, int) else 1
    except Exception:  # noqa: BLE001 - told as a fault, as the command itself would
        traceback.print_exc()
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code or 0)


if __name__ == "__main__":
    _serve(sys.argv[1])
