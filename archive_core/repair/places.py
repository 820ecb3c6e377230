"""A storage root's own files, and what lies in a root that belongs to no object of ours.

Rules kept here
 * A root's declaration and layout are the same words in every store of ours; they are put back only where the
   objects in it lie as that layout says.
 * A store of which nothing is left is made anew. A directory that is there and empty may be the mount point of a disk
   that is not there: whoever asks for a repair by hand answers for that, and nothing does it unasked.
 * What is strange is named by the walk and set aside by the caller; an object with an id of ours is never strange.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from archive_core.digests import Digest
from archive_core.errors import ArchiveError, SettingsError
from archive_core.identifiers import object_name
from archive_core.ocfl.layout import CONFIG_KEY, LAYOUT_KEY, HashAndIdLayout
from archive_core.ocfl.storage_root import MAX_DEPTH, ROOT_DECLARATION, StorageRoot, new_file
from archive_core.ocfl.vocabulary import is_object_root
from archive_core.ports import EntryKind, PutBack, Remakes, StoredEntry
from archive_core.repair.looking import FaultCode
from archive_core.repair.mending import Mended, Tell, Unmended

_SMALL = 64 * 1024


def layout_of(roots: Sequence[StorageRoot]) -> HashAndIdLayout:
    """The layout that the first sound root declares; that of new roots where none does."""
    for root in roots:
        try:
            return root.layout
        except ArchiveError:
            continue
    return HashAndIdLayout()


def mend_root(root: StorageRoot, layout: HashAndIdLayout, tell: Tell, *, dry_run: bool) -> bool:
    """Put right what makes a store a storage root; False when that is not done, or not possible. Raises
    `UnavailableError`."""
    store = root.store
    if not dry_run and isinstance(store, Remakes) and store.remake():
        tell(Mended(store.name, ".", "STORE_MISSING", None, None))
    files = {
        CONFIG_KEY: layout.config_file(),
        LAYOUT_KEY: layout.layout_file(),
        ROOT_DECLARATION: b"ocfl_1.1\n",
    }
    found = {key: root.read_optional(key, _SMALL) for key in files}
    wrong = {key: data for key, data in files.items() if found[key] != data}
    if not wrong:
        return True
    if any(layout.object_id(path) is None for path in _some_objects(root)):
        tell(Unmended(store.name, ".", "LAYOUT_UNKNOWN", "its objects do not lie as the other stores' layout says"))
        return False
    put = []
    for key, data in wrong.items():
        lies = found[key]
        before = None if lies is None else Digest.of("sha512", lies)
        put.append(PutBack(new_file(key, data), before))
        code = FaultCode.MISSING if lies is None else FaultCode.DAMAGED
        tell(Mended(store.name, key, code, before, Digest.of("sha512", data)))
    if not dry_run:
        store.put_back(put)
    return not dry_run


def _some_objects(root: StorageRoot) -> list[str]:
    paths = root.object_paths()
    return [path for path, _ in zip(paths, range(20), strict=False)]


def strays(root: StorageRoot) -> Iterator[StoredEntry]:
    """Every file, link and empty directory that is no part of the root or of an object with an id of ours."""
    try:
        layout = root.layout
    except SettingsError:
        return  # nothing can be told apart
    ours = {ROOT_DECLARATION, LAYOUT_KEY, CONFIG_KEY}
    waiting = [""]
    while waiting:
        directory = waiting.pop()
        names = root.store.children(directory)
        if directory and is_object_root(names):
            yield from root.store.list(directory)
            continue
        if directory and not names:
            yield StoredEntry(directory, 0, EntryKind.EMPTY_DIRECTORY)
        for name in names:
            key = f"{directory}/{name}".lstrip("/")
            if key == "extensions/":
                yield from (entry for entry in root.store.list("extensions") if entry.key not in ours)
            elif not name.endswith("/"):
                entry = root.store.stat(key)
                if key not in ours and entry is not None:
                    yield entry
            elif not _is_ours(layout, key.removesuffix("/")):
                if key.count("/") > MAX_DEPTH:
                    yield from root.store.list(key.removesuffix("/"))
                else:
                    waiting.append(key.removesuffix("/"))


def _is_ours(layout: HashAndIdLayout, path: str) -> bool:
    object_id = layout.object_id(path)
    if object_id is None:
        return False
    try:
        object_name(object_id)
    except ValueError:
        return False
    return True
