"""Which process this is, said so that others can find out whether it still lives.

Rules kept here
 * A name says the running of the machine, the name space of process numbers, the number, and when the process began: so
   it is nobody else's, after a restart and in containers as well.
 * Whoever cannot be seen from here is never said to be gone. Where the system does not tell (no `/proc`), a process has
   no name.
"""

from __future__ import annotations

import os
from functools import cache
from pathlib import Path

_PROC = Path("/proc")
_END = "|"


def this_process() -> str:
    """The name of this process, ending in a mark; empty where the system does not tell."""
    return _name(os.getpid())


@cache
def _name(pid: int) -> str:
    try:
        return f"{_machine()}:{pid}:{_began(pid)}{_END}"
    except OSError:
        return ""


def is_gone(name: str) -> bool:
    """Whether the process of that name is known to have ended."""
    try:
        boot, space, pid, began = name.removesuffix(_END).split(":")
        if not name.endswith(_END) or f"{boot}:{space}" != _machine():
            return False
    except (ValueError, OSError):
        return False
    try:
        return _began(int(pid)) != began
    except (FileNotFoundError, ProcessLookupError):
        return True
    except (ValueError, OSError):
        return False


def _machine() -> str:
    boot = (_PROC / "sys/kernel/random/boot_id").read_text("ascii").strip()
    space = os.readlink(_PROC / "self/ns/pid")  # `pid:[4026531836]`
    return f"{boot}:{space.partition('[')[2].rstrip(']')}"


def _began(pid: int) -> str:
    """When a process began, in ticks since the machine did (field 22 of proc(5) `stat`). One that has ended and was not
    waited for yet is gone as well."""
    fields = (_PROC / str(pid) / "stat").read_text("ascii", "replace").rpartition(")")[2].split()
    if fields[0] in ("Z", "X"):
        raise ProcessLookupError(pid)
    return fields[19]
