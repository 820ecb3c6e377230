"""One writer at a time, where a server honours no conditions on writes.

Rules kept here
 * A versioned bucket puts the versions of one key in one order that everybody sees. Who wants to write puts a version
   of the lease's key; the holder is whose version is the oldest that is left. To let go is to delete one's version.
 * Nobody's clock is compared with another's. A waiter that has watched one and the same holder for `LIFE` takes it
   for dead; a holder stops believing itself `MARGIN` before the earliest moment at which that can be.
 * A holder that died on this machine is seen to be dead at once, and so is what this process could not take back when
   it let go, because the server was away.
 * The lease lies beside the root, never in it.
"""

from __future__ import annotations

import json
import os
import random
import threading
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from archive_core.errors import StoreUnavailableError
from storage_backends.s3_bucket import Bucket, Kept
from storage_backends.s3_client import NotThereError

LIFE = 30.0
"""Seconds for which one holder may hold."""
MARGIN = 10.0
PATIENCE = 60.0
"""Seconds that a writer waits for its turn."""
_PAUSE = 0.01
_RETRY = 0.5

_STANDING: set[str] = set()
"""The nonces of this process's leases that somebody still holds or waits for."""


class Lease:
    """The right to write; also between the threads of this process. Re-entrant."""

    def __init__(self, bucket: Bucket, key: str) -> None:
        self._bucket = bucket
        self._key = key
        self._lock = threading.RLock()
        self._depth = 0
        self._until = 0.0

    @contextmanager
    def held(self) -> Iterator[None]:
        """Wait for the lease and hold it; raises `StoreUnavailableError` when it cannot be had."""
        with self._lock:
            if self._depth:
                yield
                return
            ourselves = _ourselves()
            _STANDING.add(ourselves["nonce"])
            try:
                mine = self._bucket.put(self._key, json.dumps(ourselves).encode()).version
            except BaseException:
                _STANDING.discard(ourselves["nonce"])  # if it was put all the same, it counts for nothing
                raise
            try:
                self._until = self._wait(mine) + LIFE - MARGIN
                self._depth = 1
                yield
            finally:
                self._depth = 0
                _STANDING.discard(ourselves["nonce"])
                self._let_go(mine)

    def require(self) -> None:
        """Raises `StoreUnavailableError` when the lease may have been taken from us."""
        if time.monotonic() >= self._until:
            raise StoreUnavailableError("writing took longer than the lease of the store", store=self._bucket.name)

    def _wait(self, mine: str) -> float:
        """The monotonic moment before which nobody can have taken us for the holder."""
        before = started = time.monotonic()
        seen, since, pause = "", started, _PAUSE
        while True:
            asked = time.monotonic()
            queue = [one for one in self._bucket.versions(self._key, exact=True) if not one.deleted][::-1]
            if not any(one.version == mine for one in queue):
                raise StoreUnavailableError("another writer took this one for dead", store=self._bucket.name)
            holder = queue[0]
            if holder.version == mine:
                return before
            if holder.version != seen:
                seen, since = holder.version, asked
            if asked - since >= LIFE or self._is_dead(holder):
                self._bucket.delete(self._key, holder.version)
                continue
            if asked - started >= PATIENCE:
                raise StoreUnavailableError("other writers held the store for too long", store=self._bucket.name)
            before = asked
            time.sleep(pause * random.uniform(0.5, 1.5))  # noqa: S311 - only spreads the waiting
            pause = min(0.5, pause * 1.5)

    def _is_dead(self, holder: Kept) -> bool:
        try:
            owner = json.loads(self._bucket.read(self._key, version=holder.version, limit=4096))
        except (NotThereError, ValueError):
            return False
        ours = _ourselves()
        if not isinstance(owner, dict) or not ours["machine"] or owner.get("machine") != ours["machine"]:
            return False
        number = owner.get("process")
        if (number, owner.get("started")) == (ours["process"], ours["started"]):
            return owner.get("nonce") not in _STANDING
        return isinstance(number, int) and _started(number) != owner.get("started")

    def _let_go(self, mine: str) -> None:
        try:
            self._bucket.delete(self._key, mine)
        except StoreUnavailableError:  # what was written was written; we know it for dead, the others must be told
            threading.Thread(target=self._give_back, args=(mine,), name="lease", daemon=True).start()

    def _give_back(self, mine: str) -> None:
        """Let go as soon as the server answers again; when it does not in time, the others take us for dead."""
        end = time.monotonic() + LIFE
        while time.monotonic() < end:
            time.sleep(_RETRY)
            try:
                self._bucket.delete(self._key, mine)
                return
            except StoreUnavailableError:
                continue


def _ourselves() -> dict[str, Any]:
    number = os.getpid()
    return {"machine": _machine(), "process": number, "started": _started(number), "nonce": uuid.uuid4().hex}


def _machine() -> str:
    """What tells this boot of this machine, and the space of its process numbers; empty where there is no telling."""
    try:
        boot = Path("/proc/sys/kernel/random/boot_id").read_text("ascii").strip()
        return f"{boot} {os.readlink('/proc/self/ns/pid')}"
    except OSError:
        return ""


def _started(number: int) -> str:
    """When a process started, in the kernel's ticks; empty when there is none of that number."""
    try:
        return Path(f"/proc/{number}/stat").read_text("ascii", "replace").rpartition(")")[2].split()[19]
    except OSError:
        return ""
