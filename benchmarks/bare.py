"""The bare loops: what the same bytes cost with nothing around them.

python -m benchmarks.bare grouped|fsync SOURCE TARGET TARGET   small files, two copies
python -m benchmarks.bare copies SOURCE TARGET TARGET          one large file: hashed, two copies, synced
python -m benchmarks.bare copy SOURCE TARGET                   one large file: hashed, one copy
python -m benchmarks.bare copy-synced SOURCE TARGET            the same, synced
python -m benchmarks.bare tree COUNT                           a plain hash tree over random leaves
python -m benchmarks.bare digest ALGORITHM SOURCE              one digest of every file below (sha512, sha3_512)
python -m benchmarks.bare digests SOURCE                       SHA-512 and SHA3-512 of every file, by two processes
python -m benchmarks.bare pieces SOURCE TIMES                  each piece of one file read and hashed, by two threads

Small files lie 1,000 to a directory, in their order: the cheapest shape. `grouped` makes both targets
durable 200 files at a time, side by side; `fsync` each file and its directory at once.
"""

from __future__ import annotations

import ctypes
import hashlib
import itertools
import os
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path

GROUP = 200
PIECE = 4 * 2**20
_libc = ctypes.CDLL(None, use_errno=True)


def grouped(source: str, *targets: str) -> None:
    with ThreadPoolExecutor(len(targets)) as pool:
        for number, name in enumerate(sorted(os.listdir(source))):
            _put(source, name, number, targets)
            if number % GROUP == GROUP - 1:
                list(pool.map(sync_file_system, targets))
        list(pool.map(sync_file_system, targets))


def fsync(source: str, *targets: str) -> None:
    for number, name in enumerate(sorted(os.listdir(source))):
        for path in _put(source, name, number, targets):
            _fsync(path)
            _fsync(os.path.dirname(path))


def _put(source: str, name: str, number: int, targets: tuple[str, ...]) -> list[str]:
    with open(f"{source}/{name}", "rb") as stream:
        data = stream.read()
    hashlib.sha512(data).digest()
    paths = []
    for target in targets:
        folder = f"{target}/{number // 1000:05}"
        if number % 1000 == 0:
            os.mkdir(folder)
        with open(f"{folder}/{name}", "xb") as stream:
            stream.write(data)
        paths.append(f"{folder}/{name}")
    return paths


def copies(source: str, *targets: str) -> None:
    _copy(source, targets, synced=True)


def copy(source: str, target: str) -> None:
    _copy(source, (target,), synced=False)


def copy_synced(source: str, target: str) -> None:
    _copy(source, (target,), synced=True)


def _copy(source: str, targets: tuple[str, ...], *, synced: bool) -> None:
    hasher = hashlib.sha512()
    with ExitStack() as opened:
        streams = [opened.enter_context(Path(target, "copy").open("xb", buffering=0)) for target in targets]
        with open(source, "rb", buffering=0) as stream:
            while piece := stream.read(PIECE):
                hasher.update(piece)
                for out in streams:
                    view = memoryview(piece)
                    while view:
                        view = view[out.write(view) :]
        for out in streams:
            if synced:
                os.fsync(out.fileno())


def tree(count: str) -> None:
    new, row = hashlib.sha512, [os.urandom(64) for _ in range(int(count))]
    while len(row) > 1:
        above = [new(a + b if a < b else b + a).digest() for a, b in zip(row[::2], row[1::2], strict=False)]
        row = above + row[len(above) * 2 :]


def digest(algorithm: str, source: str) -> None:
    for path in _below(source):
        _digested(path, (algorithm,))


def digests(source: str) -> None:
    paths = list(_below(source))
    with ProcessPoolExecutor(2) as pool:
        for _ in pool.map(
            _digested, paths, itertools.repeat(("sha512", "sha3_512")), chunksize=max(1, len(paths) // 64)
        ):
            pass


def pieces(source: str, times: str) -> None:
    """The file as many times as that; the digests of its pieces are looked at by nobody."""
    with ThreadPoolExecutor(2) as pool:
        for _ in pool.map(_hashed_pieces, [source] * int(times)):
            pass


def _hashed_pieces(source: str) -> None:
    with open(source, "rb", buffering=0) as stream:
        while piece := stream.read(PIECE):
            hashlib.sha512(piece).digest()


def _below(source: str) -> Iterator[str]:
    for folder, folders, names in os.walk(source):
        folders.sort()
        yield from (f"{folder}/{name}" for name in sorted(names))


def _digested(path: str, algorithms: tuple[str, ...]) -> list[bytes]:
    hashers = [hashlib.new(name) for name in algorithms]
    with open(path, "rb", buffering=0) as stream:
        while piece := stream.read(PIECE):
            for hasher in hashers:
                hasher.update(piece)
    return [hasher.digest() for hasher in hashers]


def sync_file_system(path: str) -> None:
    descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
    try:
        if _libc.syncfs(descriptor):
            raise OSError(ctypes.get_errno(), "syncfs", path)
    finally:
        os.close(descriptor)


def _fsync(path: str) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def command(what: str, *words: str | Path) -> list[str | Path]:
    """The command line of a bare loop."""
    return [sys.executable, "-m", "benchmarks.bare", what, *words]


LOOPS: dict[str, Callable[..., None]] = {
    "grouped": grouped,
    "fsync": fsync,
    "copies": copies,
    "copy": copy,
    "copy-synced": copy_synced,
    "tree": tree,
    "digest": digest,
    "digests": digests,
    "pieces": pieces,
}

if __name__ == "__main__":
    LOOPS[sys.argv[1]](*sys.argv[2:])
