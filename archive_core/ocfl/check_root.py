"""A storage root judged by its bytes alone (OCFL 1.1, section 4): hierarchy, declaration, objects.

Rules kept here
 * Every directory is walked, every object examined (`check.examine_object`), and the report says how
   many objects, files and bytes that were: a root in which nothing was looked at shows that.
 * Files directly in the root that are not understood are ignored (E087); anything else that is not
   an object, an extension or on the way to an object is a finding.
 * Where the layout is one that we know, each object must lie where its id puts it (E083).
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from archive_core.errors import SettingsError, UnknownObjectError
from archive_core.findings import Finding
from archive_core.ocfl.check import ObjectExamination, examine_object
from archive_core.ocfl.layout import CONFIG_KEY, EXTENSION, LAYOUT_KEY, HashAndIdLayout
from archive_core.ocfl.vocabulary import ROOT_EXTENSIONS, SPEC_VERSIONS, is_object_root, shown
from archive_core.ports import EntryKind, ObjectStore

_DECLARATION = re.compile(r"0=ocfl_(\d+\.\d+)")
_SMALL = 64 * 1024
_MAX_DEPTH = 100


@dataclass
class RootExamination:
    """What was found in a storage root, and how much was looked at to find it."""

    findings: list[Finding] = field(default_factory=list)
    objects: int = 0
    files: int = 0
    size: int = 0

    @property
    def errors(self) -> list[Finding]:
        return [finding for finding in self.findings if not finding.code.startswith("W")]


def assess_root(
    store: ObjectStore,
    *,
    progress: Callable[[ObjectExamination], None] | None = None,
    under_way: Callable[[str], bool] | None = None,
    passed: Callable[[str], bool] | None = None,
    layout: HashAndIdLayout | None = None,
) -> RootExamination:
    """All that is wrong with the storage root in a store and with every object in it.

    `progress` is called with each object's examination as it ends. `under_way` says of an object
    path whether a write of that object may be going on: then its faults are nobody's fault yet and
    it is left out of the report and its counts. What is faulty is examined once more, whole, before
    it is believed: a write may have ended in between.

    `passed` says of an object path that this very object was read whole and found plain (`plain`) where `layout`
    puts it: it is not read again and not counted. It is asked only while the root declares OCFL 1.1 and that layout.
    """
    return _RootExaminer(store, progress, under_way, passed, layout).run()


class _RootExaminer:
    def __init__(
        self,
        store: ObjectStore,
        progress: Callable[[ObjectExamination], None] | None,
        under_way: Callable[[str], bool] | None,
        passed: Callable[[str], bool] | None,
        layout: HashAndIdLayout | None,
    ) -> None:
        self._store = store
        self._progress = progress
        self._under_way = under_way or (lambda path: False)
        self._passed = passed or (lambda path: False)
        self._passed_layout = layout
        self._empty: list[str] = []
        self._result = RootExamination()
        self._spec_version: str | None = None
        self._layout: HashAndIdLayout | None = None
        self._places: dict[str, str] = {}
        self._depths: set[int] = set()

    def run(self) -> RootExamination:
        names = list(self._store.children())
        self._check_declaration([name for name in names if name.startswith("0=") and not name.endswith("/")])
        self._check_layout()
        for name in names:
            if name == "extensions/":
                self._check_extensions()
            elif name.endswith("/"):
                self._walk(name.removesuffix("/"))
            else:
                self._check_kind(name)
        for path in self._empty:
            self._check_empty(path)
        if len(self._depths) > 1:
            code = "W015" if 0 in self._depths else "W014"
            self._say(code, "objects lie at different depths of the hierarchy", "", "OCFL 1.1 4.3")
        return self._result

    def _say(self, code: str, message: str, path: str, clause: str) -> None:
        self._result.findings.append(Finding(code, message, shown(f"{self._store.name}:{path}", 400), clause))

    def _read(self, key: str) -> bytes | None:
        try:
            with self._store.open(key) as stream:
                return stream.read(_SMALL)
        except UnknownObjectError:
            return None

    # -- the root's own files (4.1, 4.2) ----------------------------------------------------------

    def _check_declaration(self, declarations: list[str]) -> None:
        if not declarations:
            self._say("E069", "the storage root has no declaration", "", "OCFL 1.1 4.1")
            self._say("E076", "the storage root has no declaration", "", "OCFL 1.1 4.2")
        elif len(declarations) > 1:
            self._say("E076", "the storage root has several declarations", "", "OCFL 1.1 4.2")
        for name in declarations:
            match = _DECLARATION.fullmatch(name)
            if match is None or match[1] not in SPEC_VERSIONS:
                self._say("E075", f"{shown(name)} is not a declaration of OCFL 1.0 or 1.1", name, "OCFL 1.1 4.2")
                self._say("E079", f"{shown(name)} is not 0=ocfl_ and a version", name, "OCFL 1.1 4.2")
                continue
            self._spec_version = max(match[1], self._spec_version or match[1])
            if self._read(name) != f"{name[2:]}\n".encode():
                self._say("E080", "the declaration's content is not its name and a newline", name, "OCFL 1.1 4.2")

    def _check_layout(self) -> None:
        raw = self._read(LAYOUT_KEY)
        if raw is None:
            return
        try:
            layout: Any = json.loads(raw.decode("utf-8"))
        except (ValueError, RecursionError) as error:
            self._say("E070", f"ocfl_layout.json is not JSON: {shown(error)}", LAYOUT_KEY, "OCFL 1.1 4.1")
            return
        texts = [layout.get(key) for key in ("extension", "description")] if isinstance(layout, dict) else []
        if len(texts) != 2 or not all(isinstance(text, str) for text in texts):
            self._say("E070", "ocfl_layout.json lacks extension or description", LAYOUT_KEY, "OCFL 1.1 4.1")
        elif texts[0] not in ROOT_EXTENSIONS:
            self._say("E071", f"the layout {shown(texts[0])} is not registered", LAYOUT_KEY, "OCFL 1.1 4.1")
        elif texts[0] == EXTENSION:
            self._read_layout_config()

    def _read_layout_config(self) -> None:
        raw = self._read(CONFIG_KEY)
        try:
            # Without a configuration the extension's own defaults hold: three tuples of three.
            self._layout = HashAndIdLayout("sha256", 3, 3) if raw is None else HashAndIdLayout.of_config(raw)
        except SettingsError as error:
            self._say("E071", f"the layout's configuration is not usable: {error}", CONFIG_KEY, "OCFL 1.1 4.1")

    def _check_extensions(self) -> None:
        for name in self._store.children("extensions"):
            path = f"extensions/{name}"
            if not name.endswith("/"):
                self._say("E112", f"{shown(name)} in extensions is not a directory", path, "OCFL 1.1 4.4")
                self._check_kind(path)
            elif name.removesuffix("/") not in ROOT_EXTENSIONS:
                self._say("W016", f"the extension {shown(name)} is not registered", path, "OCFL 1.1 4.4")
        for entry in self._store.list("extensions"):
            if entry.kind is EntryKind.EMPTY_DIRECTORY:
                self._say("E073", "an empty directory", entry.key, "OCFL 1.1 4.1")

    def _check_kind(self, path: str) -> None:
        entry = self._store.stat(path)
        if entry is not None and entry.kind is EntryKind.OTHER:
            self._say("E090", "a link or special file", path, "OCFL 1.1 4.6")

    # -- the hierarchy (4.3) ----------------------------------------------------------------------

    def _walk(self, start: str) -> None:
        passing = self._spec_version == "1.1" and self._layout is not None and self._layout == self._passed_layout
        waiting = [start]
        while waiting:
            directory = waiting.pop()
            if passing and self._passed(directory):
                self._depths.add(directory.count("/"))
                continue
            names = self._store.children(directory)
            files = [name for name in names if not name.endswith("/")]
            if is_object_root(names):
                self._examine(directory)
                continue
            if not names:
                self._empty.append(directory)
            for name in files:
                self._say("E072", "a file that is no part of an object", f"{directory}/{name}", "OCFL 1.1 4.1")
                self._say("E084", "a file in a directory of the hierarchy", f"{directory}/{name}", "OCFL 1.1 4.3")
                self._check_kind(f"{directory}/{name}")
            if directory.count("/") >= _MAX_DEPTH:
                self._say("E085", "the hierarchy is deeper than this program walks", directory, "OCFL 1.1 4.3")
                continue
            waiting += [f"{directory}/{name.removesuffix('/')}" for name in reversed(names) if name.endswith("/")]

    def _check_empty(self, directory: str) -> None:
        """Looked at a second time, at the end: a writer makes a directory just before it fills it."""
        if self._store.children(directory) or not self._is_there(directory):
            return
        self._say("E073", "an empty directory", directory, "OCFL 1.1 4.1")
        self._say("E085", "the hierarchy does not end in an object", directory, "OCFL 1.1 4.3")

    def _is_there(self, directory: str) -> bool:
        parent, _, name = directory.rpartition("/")
        return f"{name}/" in self._store.children(parent)

    def _examine(self, path: str) -> None:
        examination = examine_object(self._store, path)
        if examination.errors:
            if self._under_way(path):
                return
            examination = examine_object(self._store, path)
        self._result.findings += examination.findings
        self._result.objects += 1
        self._result.files += examination.files
        self._result.size += examination.size
        self._depths.add(path.count("/"))
        self._check_place(examination)
        if self._progress:
            self._progress(examination)

    def _check_place(self, examination: ObjectExamination) -> None:
        path, object_id = examination.path, examination.object_id
        if self._spec_version and (examination.spec_version or "0") > self._spec_version:
            self._say("E081", f"the object is of OCFL {examination.spec_version}", path, "OCFL 1.1 4.2")
        if object_id is None:
            return
        if self._layout and self._layout.object_path(object_id) != path:
            self._say("E083", f"the object {shown(object_id)} does not lie where the layout puts it", path, "4.3")
        elif self._layout is None and self._places.setdefault(object_id, path) != path:
            self._say("E037", f"{shown(object_id)} is also the id of {self._places[object_id]}", path, "3.5.1")
