"""Which store serves which location: one table, read by the wiring only.

A location is a path or a URL; its scheme picks the row. A backend that needs a library imports it in
its own module, so that nobody pays for a store he does not use.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from urllib.parse import unquote, urlsplit

from archive_core.errors import SettingsError
from archive_core.ports import ObjectStore
from storage_backends.filesystem import FilesystemStore
from storage_backends.memory import MemoryStore

Opener = Callable[[str, str, bool], ObjectStore]
"""Name of the store, location, whether to make it."""


def _open_directory(name: str, location: str, create: bool) -> ObjectStore:
    parts = urlsplit(location)
    if parts.scheme == "file" and parts.netloc not in {"", "localhost"}:
        raise SettingsError("a file: location has no host", store=name, location=location)
    root = Path(unquote(parts.path) if parts.scheme == "file" else location)
    return FilesystemStore.create(name, root) if create else FilesystemStore(name, root)


def _open_memory(name: str, location: str, create: bool) -> ObjectStore:
    return MemoryStore(name)


STORE_FOR_SCHEME: dict[str, Opener] = {
    "": _open_directory,
    "file": _open_directory,
    "memory": _open_memory,
}


def open_store(name: str, location: str, *, create: bool = False) -> ObjectStore:
    """The store at a location (`/srv/a`, `file:///srv/a`, `memory:`); with `create`, made if it is
    not there yet. Raises `SettingsError` for a scheme that nobody serves."""
    scheme = urlsplit(location).scheme
    opener = STORE_FOR_SCHEME.get(scheme)
    if opener is None:
        raise SettingsError(f"no store for locations of scheme {scheme!r}", store=name, location=location)
    return opener(name, location, create)
