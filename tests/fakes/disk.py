"""A disk that can lose its power: what was not synced is gone, in the worst way that POSIX allows.

The rules this module keeps
 * `FaultyFiles` does every operation of `DurableFiles` for real, each as a step of a plan, and writes
   down what it did. After a power cut `settle` makes the directory what a disk would then hold.
 * A file's contents survive when the file was synced after they were written; a name survives when its
   directory was synced after it was given; a rename needs both directories.
 * What was not synced may survive or not, in any combination: `Loss` says which. A name without
   contents is an empty file, and whatever lies in a directory whose own name is lost is lost.
"""

from __future__ import annotations

import enum
import errno
import os
import random
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from storage_backends.durable import DurableFiles, SyncGroup
from tests.fakes.faults import FaultPlan

Before = dict[str, bytes | bool]
"""What lies under a path: a file's bytes, True for a directory, False for nothing."""


class Loss(enum.StrEnum):
    """What a power cut takes of that which was not synced."""

    EVERYTHING = "everything unsynced is lost"
    CONTENTS = "names stay, unsynced contents are lost"
    NAMES = "contents stay, unsynced names are lost"
    SOME = "an arbitrary part is lost"


@dataclass(eq=False)
class _Inode:
    content: bytes
    synced: bool = False

    def after(self, loss: Loss, chance: random.Random) -> bytes:
        if self.synced or loss is Loss.NAMES:
            return self.content
        if loss is Loss.SOME:
            return self.content[: chance.choice((0, len(self.content) // 2, len(self.content)))]
        return b""


@dataclass(eq=False)
class _Change:
    """One change of names. `pending` are the directories that it needs synced and that were not yet."""

    removed: str | None
    added: str | None
    inode: _Inode | None  # None: a directory
    pending: set[str] = field(default_factory=set)
    tree: bool = False  # a directory that took everything in it along


class Journal:
    """What happened on one file system since it was last known to be durable as a whole."""

    def __init__(self) -> None:
        self._changes: list[_Change] = []
        self._inodes: dict[str, _Inode] = {}
        self._before: Before = {}

    def change(self, removed: str | None, added: str | None, before: Before, content: bytes | None = None) -> None:
        """Write a change down. `before` is what the paths held, `content` that of a new file."""
        for path, held in before.items():
            self._before.setdefault(path, held)
        inode = self._inodes.pop(removed, None) if removed else None
        if removed and inode is None and isinstance(before[removed], bytes):
            inode = _Inode(bytes(before[removed]), synced=True)
        if content is not None:
            inode = _Inode(content)
        if added and inode:
            self._inodes[added] = inode
        parents = {os.path.dirname(path) for path in (removed, added) if path}
        self._changes.append(_Change(removed, added, inode, parents))

    def moved_tree(self, staged: str, final: str) -> None:
        """Write down that a directory with everything in it has got another name."""
        self._before.setdefault(staged, True)
        self._before.setdefault(final, False)
        for path in [path for path in self._inodes if path.startswith(f"{staged}/")]:
            self._inodes[final + path[len(staged) :]] = self._inodes.pop(path)
        for change in self._changes:
            inner = {path for path in change.pending if f"{path}/".startswith(f"{staged}/")}
            change.pending = (change.pending - inner) | {final + path[len(staged) :] for path in inner}
        parents = {os.path.dirname(staged), os.path.dirname(final)}
        self._changes.append(_Change(staged, final, None, parents, tree=True))

    def synced_file(self, path: str) -> None:
        if path in self._inodes:
            self._inodes[path].synced = True

    def synced_directory(self, path: str) -> None:
        for change in self._changes:
            change.pending.discard(path)

    def synced_everything(self) -> None:
        for inode in self._inodes.values():
            inode.synced = True
        for change in self._changes:
            change.pending.clear()

    def settle(self, loss: Loss, seed: int = 0) -> None:
        """Make the real directory what the disk holds after the power came back."""
        chance = random.Random(f"{loss}-{seed}")
        state: Before = dict(self._before)
        for change in self._changes:
            kept = not change.pending or loss is Loss.CONTENTS or (loss is Loss.SOME and chance.random() < 0.5)
            if not kept:
                continue
            if change.tree:
                self._move(state, change)
                continue
            if change.removed:
                state[change.removed] = False
            if change.added and self._stands(os.path.dirname(change.added), state):
                state[change.added] = True if change.inode is None else change.inode.after(loss, chance)
        for path, wanted in sorted(state.items()):
            _make(path, wanted if self._stands(os.path.dirname(path), state) else False)

    def _move(self, state: Before, change: _Change) -> None:
        """A tree has its new name, with what is left of its contents, or none at all."""
        staged, final = str(change.removed), str(change.added)
        if state[staged] is False:
            return  # its own name was lost
        inside = {path[len(staged) :]: state[path] for path in state if path.startswith(f"{staged}/")}
        state.update({staged + rest: False for rest in inside}, **{staged: False})
        if self._stands(os.path.dirname(final), state):
            state.update({final + rest: held for rest, held in inside.items()}, **{final: True})

    def _stands(self, path: str, state: Before) -> bool:
        """Whether a directory and all above it have their names."""
        while path != os.path.dirname(path):
            if state.get(path, True) is False:
                return False
            path = os.path.dirname(path)
        return True


class FaultyFiles(DurableFiles):
    """Files of one store, every operation a step of the plan, all of them in a journal."""

    def __init__(self, name: str, plan: FaultPlan) -> None:
        super().__init__()
        self._name = name
        self._plan = plan
        self.journal = Journal()

    def _step(self, what: str, path: str) -> str:
        return f"{self._name} {what} {path.rpartition('/stores/')[2] or path}"

    def write(self, path: str, source: bytes | Path) -> None:
        def act() -> None:
            super(FaultyFiles, self).write(path, source)
            content = source if isinstance(source, bytes) else Path(source).read_bytes()
            self.journal.change(None, path, {path: False}, content)

        self._plan.do(self._step("write", path), act)

    def make_directory(self, path: str) -> None:
        self._changing("make directory", None, path, lambda: super(FaultyFiles, self).make_directory(path))

    def publish(self, staged: str, final: str) -> None:
        self._changing("publish", staged, final, lambda: super(FaultyFiles, self).publish(staged, final))

    def publish_tree(self, staged: str, final: str) -> None:
        def act() -> None:
            super(FaultyFiles, self).publish_tree(staged, final)
            self.journal.moved_tree(staged, final)

        self._plan.do(self._step("publish tree", final), act)

    def replace(self, staged: str, final: str) -> None:
        self._changing("replace", staged, final, lambda: super(FaultyFiles, self).replace(staged, final))

    def remove(self, path: str) -> None:
        self._changing("remove", path, None, lambda: super(FaultyFiles, self).remove(path))

    def remove_directory(self, path: str) -> None:
        self._changing("remove directory", path, None, lambda: super(FaultyFiles, self).remove_directory(path))

    def _changing(self, what: str, removed: str | None, added: str | None, action: Callable[[], None]) -> None:
        def act() -> None:
            before = {path: _look(path) for path in (removed, added) if path}
            action()  # raises without a trace in the journal when the name is taken
            self.journal.change(removed, added, before)

        self._plan.do(self._step(what, added or removed or ""), act)

    @contextmanager
    def group(self, root: str) -> Iterator[SyncGroup]:
        self._plan.alive()
        with super().group(root) as group:
            yield group

    def sync_file_system(self, descriptor: int) -> bool:
        def act() -> bool:
            done = super(FaultyFiles, self).sync_file_system(descriptor)
            if done:
                self.journal.synced_everything()
            return done

        return self._plan.do(f"{self._name} sync file system", act)

    def sync_path(self, path: str, *, directory: bool) -> None:
        def act() -> None:
            super(FaultyFiles, self).sync_path(path, directory=directory)
            if directory:
                self.journal.synced_directory(path)
            else:
                self.journal.synced_file(path)

        self._plan.do(self._step("sync directory" if directory else "sync", path), act)


def io_error(step: str) -> None:
    """What a dying disk says."""
    raise OSError(errno.EIO, f"broken on purpose at {step}")


def _look(path: str) -> bytes | bool:
    found = Path(path)
    if found.is_dir():
        return True
    return found.read_bytes() if found.is_file() else False


def _make(path: str, wanted: bytes | bool) -> None:
    """Make a path what it is to be; parents come before their children."""
    found = Path(path)
    if wanted is False:
        if found.is_dir():
            shutil.rmtree(found)
        else:
            found.unlink(missing_ok=True)
    elif wanted is True:
        found.mkdir(exist_ok=True, parents=True)
    else:
        found.parent.mkdir(exist_ok=True, parents=True)
        if found.is_dir():
            shutil.rmtree(found)
        if not found.is_file() or found.read_bytes() != wanted:
            found.unlink(missing_ok=True)
            found.write_bytes(wanted)
