"""Everything that makes something durable, as work that is begun in a world of its own and judged when it has ended.

The rules this module keeps
 * Stories of one archive, repairs, and the filling and emptying of stores have one form here, so that a fault is
   written down once and tried on all of them.
 * `act` may raise `ArchiveError`; `ended` does the same work again, as people do, and judges by bytes alone.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import make_url

from archive_core.errors import ArchiveError
from tests.fault_matrix import Operation
from tests.lifetimes import test_crash_moving as moving
from tests.lifetimes import test_crash_repair as repairing
from tests.lifetimes.crash_world import OPERATIONS, SAME, STORIES, Databases, Prepared, judge
from tests.world import SQLITE

WORKS: Mapping[str, Operation] = {
    **{name: OPERATIONS[name] for name in OPERATIONS if name not in ("deposit", "update")},
    "repair": Operation.REPAIR,
    "fill": Operation.FILL,
    "drain": Operation.DRAIN,
}
"""By name; deposits and updates are those with a key, which can be asked for again."""


@dataclass(frozen=True)
class Begun:
    """Some work in its world."""

    world: Any
    act: Callable[[Any], Any]
    ended: Callable[[], None]

    def attempt(self) -> bool:
        """Do it, or meet an error; whether it was done."""
        with suppress(ArchiveError):
            self.act(self.world)
            return True
        return False

    def by_another(self, work: Callable[[Any], Any] | None = None) -> None:
        """Another process does the same, or something else, beside it; what it says counts too."""
        other = copy.copy(self.world)
        other.archive = self.world.open()
        try:
            with suppress(ArchiveError):
                (work or self.act)(other)
        finally:
            other.archive.close()


class Works:
    """Homes that are made once, each on first use, and copied for each trial; on the database of `prepared`."""

    def __init__(self, prepared: Prepared, folders: pytest.TempPathFactory) -> None:
        self._prepared = prepared
        self._folders = folders
        self._homes: dict[str, tuple[Any, str]] = {}
        self._databases = ExitStack()

    def _home(self, name: str, make: Callable[[Path, str], Any]) -> tuple[Any, str]:
        """The home that the work needs, and its database."""
        if name not in self._homes:
            server = self._prepared.server
            url = SQLITE if server is None else self._databases.enter_context(server.database())
            self._homes[name] = make(self._folders.mktemp(name), url), url
        return self._homes[name]

    @contextmanager
    def _copied(self, url: str) -> Iterator[Databases]:
        """A copy of a database, and its original; a file is copied with its home."""
        if self._prepared.server is None:
            yield SAME
            return
        with self._prepared.server.database(template=str(make_url(url).database)) as copied:
            yield url, copied

    def close(self) -> None:
        """The databases of the homes go; the homes go with their folders."""
        self._databases.close()

    @contextmanager
    def begin(self, name: str, folder: Path) -> Iterator[Begun]:
        """A copy of the home that the work needs, opened."""
        if name in STORIES:
            story = STORIES[name]
            with self._prepared.trial(folder) as trial:
                trial.tries = 6  # after one fault another one, and others at the same time
                yield Begun(trial, story.act, lambda: judge(trial, story, retry=True, restart=False))
        elif name == "repair":
            harmed, url = self._home(name, repairing.harm)
            with self._copied(url) as databases, repairing.copy_of(harmed, folder, databases) as world:
                harms = repairing.snapshot(world, "one")
                yield Begun(world, repairing.act, lambda: repairing.ended_by_the_next(world, harmed, harms))
        else:
            made, url = self._home(name, lambda place, url: moving.prepare(place, name, url))
            with self._copied(url) as databases, moving.copy_of({name: made}, name, folder, databases) as world:
                before = {store: moving.held(world, store) for store in moving.STORES}
                yield Begun(world, moving.ACTS[name], lambda: moving.ended_by_the_next(world, name, before))
