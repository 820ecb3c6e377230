"""Memory of running processes, as the kernel tells it."""

from __future__ import annotations

import threading
from pathlib import Path
from types import TracebackType


def below(pid: int) -> list[int]:
    """A process and every process under it."""
    found = [pid]
    for task in Path(f"/proc/{pid}/task").glob("*/children"):
        try:
            children = task.read_text().split()
        except OSError:
            continue  # ended meanwhile
        for child in children:
            found += below(int(child))
    return found


def tree_bytes(pid: int) -> int:
    """Bytes that a process and all under it have resident; what they share is counted once for each."""
    return sum(_resident(one) for one in below(pid))


def _resident(pid: int) -> int:
    try:
        lines = Path(f"/proc/{pid}/status").read_text("ascii", "replace").splitlines()
    except OSError:
        return 0
    return next((int(line.split()[1]) * 1024 for line in lines if line.startswith("VmRSS")), 0)


class Peak:
    """The most that the tree of a process had resident while it was watched; the process may change."""

    def __init__(self) -> None:
        self.bytes = 0
        self.looks = 0
        self.pid: int | None = None
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._watch, name="memory", daemon=True)

    def __enter__(self) -> Peak:
        self._thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._over.set()
        self._thread.join()

    def _watch(self) -> None:
        while not self._over.wait(0.1):
            if self.pid is not None and (found := tree_bytes(self.pid)):
                self.looks += 1
                self.bytes = max(self.bytes, found)
