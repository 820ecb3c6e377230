"""An OCFL object judged by its bytes alone (OCFL 1.1, section 3): every fault, with its code.

Rules kept here
 * Every content byte is read and hashed, once, with every algorithm that any inventory of the
   object records for it; every inventory and sidecar is read.
 * A check never stops at the first fault and never raises for what it finds; what cannot be read is
   a finding. Only a store that does not answer at all raises.
 * An object that is not there is not valid: E003 and E063.
 * Codes are those of the specification; `where` is `store:path`.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from typing import BinaryIO

from archive_core.digests import CHUNK, read_chunks
from archive_core.errors import StoreUnavailableError, UnknownObjectError
from archive_core.findings import Finding
from archive_core.ocfl.inventory import sidecar_digest
from archive_core.ocfl.inventory_rules import MAX_INVENTORY_BYTES, Reading, read_inventory
from archive_core.ocfl.prior_versions import compare_with_prior
from archive_core.ocfl.vocabulary import (
    FIXITY_ALGORITHMS,
    INVENTORY,
    OBJECT_EXTENSIONS,
    shown,
    version_number,
)
from archive_core.ports import EntryKind, ObjectStore, StoredEntry

_DECLARATION = re.compile(r"0=ocfl_object_(1\.[01])")
_SMALL = 64 * 1024


@dataclass
class ObjectExamination:
    """What was found in one object, and how much was looked at to find it."""

    path: str
    object_id: str | None = None
    spec_version: str | None = None
    findings: list[Finding] = field(default_factory=list)
    files: int = 0
    size: int = 0

    @property
    def errors(self) -> list[Finding]:
        """The findings that make the object invalid; the others are warnings."""
        return [finding for finding in self.findings if not finding.code.startswith("W")]


def assess_object(store: ObjectStore, object_path: str) -> list[Finding]:
    """All that is wrong with the object at a path of the store; `""` where the store is one object."""
    return examine_object(store, object_path).findings


def examine_object(store: ObjectStore, object_path: str) -> ObjectExamination:
    """`assess_object` with what was looked at: content files and their bytes."""
    return _Examiner(store, object_path).run()


class _Examiner:
    def __init__(self, store: ObjectStore, object_path: str) -> None:
        self._store = store
        self._root = object_path
        self._result = ObjectExamination(object_path)
        self._entries: dict[str, StoredEntry] = {}
        self._by_top: dict[str, dict[str, StoredEntry]] = {}
        self._inventory = Reading()
        self._wanted: dict[str, set[tuple[str, str, str]]] = {}
        """Per content path: (algorithm, expected value, code of the fault)."""

    def run(self) -> ObjectExamination:
        start = f"{self._root}/" if self._root else ""
        self._entries = {entry.key[len(start) :]: entry for entry in self._store.list(self._root)}
        for path, entry in self._entries.items():
            self._by_top.setdefault(path.partition("/")[0], {})[path] = entry
        self._check_kinds()
        self._check_declaration()
        raw = self._read(INVENTORY, MAX_INVENTORY_BYTES)
        if raw is None:
            self._say("E063", "the object has no inventory", INVENTORY)
            self._check_root_entries()
            return self._result
        self._inventory = self._read_inventory(raw, INVENTORY)
        self._result.object_id = self._inventory.object_id
        self._check_type()
        self._check_sidecar("", raw, self._inventory)
        self._check_root_entries()
        self._check_version_directories()
        self._check_version_inventories(raw)
        self._check_content()
        return self._result

    def _say(self, code: str, message: str, path: str = "", clause: str = "OCFL 1.1 3") -> None:
        key = "/".join(part for part in (self._root, path) if part)
        self._result.findings.append(Finding(code, message, shown(f"{self._store.name}:{key}", 400), clause))

    def _read(self, path: str, limit: int) -> bytes | None:
        """The bytes of a file, at most one over the limit; None when there is no file. One that the device does not
        give is as good as empty, and a finding of its own."""
        try:
            with self._open(path) as stream:
                pieces, size = [], 0
                while size <= limit and (piece := stream.read(min(CHUNK, limit + 1 - size))):
                    pieces.append(piece)
                    size += len(piece)
                return b"".join(pieces)
        except UnknownObjectError:
            return None
        except StoreUnavailableError as error:
            if not error.of_the_medium:
                raise
            self._say("UNREADABLE", shown(f"the device does not give this file: {error}", 200), path)
            return b""

    def _open(self, path: str) -> AbstractContextManager[BinaryIO]:
        return self._store.open(f"{self._root}/{path}" if self._root else path)

    def _read_inventory(self, raw: bytes, path: str) -> Reading:
        reading = read_inventory(raw, shown(f"{self._store.name}:{self._root}/{path}", 400))
        self._result.findings += reading.findings
        return reading

    # -- what lies in the object root (3.1, 3.2, 3.8, 3.9) --------------------------------------

    def _check_kinds(self) -> None:
        for path, entry in self._entries.items():
            if entry.kind is EntryKind.OTHER:
                self._say("E090", "a link or special file", path, "OCFL 1.1 4.6")

    def _check_declaration(self) -> None:
        declarations = sorted(path for path in self._entries if path.startswith("0=") and "/" not in path)
        if len(declarations) != 1:
            self._say("E003", f"the object has {len(declarations)} version declarations", "", "OCFL 1.1 3.2")
        for path in declarations:
            match = _DECLARATION.fullmatch(path)
            if match is None:
                self._say("E004", f"{shown(path)} does not declare OCFL 1.0 or 1.1", path, "OCFL 1.1 3.2")
                self._say("E006", f"{shown(path)} is not 0=ocfl_object_ and a version", path, "OCFL 1.1 3.2")
                continue
            self._result.spec_version = max(match[1], self._result.spec_version or match[1])
            if self._read(path, _SMALL) != f"{path[2:]}\n".encode():
                self._say("E007", "the declaration's content is not its name and a newline", path, "OCFL 1.1 3.2")
        if declarations and self._result.spec_version is None:
            self._say("E003", "no version of OCFL is declared", "", "OCFL 1.1 3.2")

    def _check_type(self) -> None:
        declared, stated = self._result.spec_version, self._inventory.spec_version
        if declared and stated and declared != stated:
            self._say("E038", f"the inventory is of OCFL {stated}, the object declares {declared}", INVENTORY)

    def _top(self) -> dict[str, bool]:
        """Names in the object root; True for a directory."""
        return {
            name: any("/" in path or entry.kind is EntryKind.EMPTY_DIRECTORY for path, entry in below.items())
            for name, below in self._by_top.items()
        }

    def _check_root_entries(self) -> None:
        versions = self._inventory.versions
        known = bool(versions)
        sidecars = self._sidecar_names()
        for name, directory in sorted(self._top().items()):
            if not directory:
                if name != INVENTORY and not name.startswith("0=") and name not in sidecars:
                    self._say("E001", f"unexpected file {shown(name)}", name, "OCFL 1.1 3.1")
                continue
            if name in versions or (version_number(name) and self._result.object_id is None and not known):
                continue  # of an inventory that cannot be read nothing is said here
            if name == "extensions":
                self._check_extensions()
            elif version_number(name):
                self._say("E046", f"the inventory does not know the version directory {name}", name)
                self._say("E001", f"unexpected directory {name}", name, "OCFL 1.1 3.1")
            elif name != "logs":
                self._say("E001", f"unexpected directory {shown(name)}", name, "OCFL 1.1 3.1")
        self._check_directory_names()

    def _check_directory_names(self) -> None:
        """The names of the version directories, whatever the inventory says of them (3.3)."""
        names = [name for name, directory in self._top().items() if directory and version_number(name)]
        numbers = {version_number(name) for name in names}
        if names and numbers != set(range(1, len(numbers) + 1)):
            self._say("E010", "the version directories are not continuous", "", "OCFL 1.1 3.3")
        forms = {(name[1] == "0", len(name) if name[1] == "0" else 0) for name in names}
        if len(forms) > 1:
            self._say("E012", "the version directories are not all named in one form", "", "OCFL 1.1 3.3")
            self._say("E013", "a version directory does not follow the naming of those before", "", "OCFL 1.1 3.3")

    def _sidecar_names(self) -> set[str]:
        """The names of sidecars in the object root that are no surprise."""
        algorithm = self._inventory.digest_algorithm
        if algorithm:
            return {f"{INVENTORY}.{algorithm}"}
        return {path for path in self._entries if path.startswith(f"{INVENTORY}.") and "/" not in path}

    def _check_extensions(self) -> None:
        for path, entry in self._entries.items():
            first, _, rest = path.partition("/")
            if first != "extensions" or not rest:
                continue
            name, below, _ = rest.partition("/")
            if not below and entry.kind is not EntryKind.EMPTY_DIRECTORY:
                self._say("E067", f"{shown(name)} in extensions is not a directory", path, "OCFL 1.1 3.9")
        names = {p.split("/")[1] for p in self._entries if p.startswith("extensions/") and p.count("/") > 1}
        names |= {
            path.split("/")[1]
            for path, entry in self._entries.items()
            if path.startswith("extensions/") and entry.kind is EntryKind.EMPTY_DIRECTORY
        }
        for name in sorted(names - OBJECT_EXTENSIONS):
            self._say("W013", f"the extension {shown(name)} is not registered", f"extensions/{name}", "OCFL 1.1 3.9")

    # -- version directories (3.3) ----------------------------------------------------------------

    def _check_version_directories(self) -> None:
        directories = {name for name, directory in self._top().items() if directory}
        for name in self._inventory.versions:
            if name not in directories:
                self._say("E046", f"there is no directory of version {name}", name, "OCFL 1.1 3.5.3")
                self._say("E010", f"the version directory {name} is missing", name, "OCFL 1.1 3.3")
                continue
            self._check_version_directory(name)

    def _check_version_directory(self, version: str) -> None:
        content = self._inventory.content_directory
        others, files, has_content = set(), 0, False
        for path, entry in self._under(version):
            name, below, rest = path.partition("/")
            if name == content and (below or entry.kind is EntryKind.EMPTY_DIRECTORY):
                has_content = True
                files += entry.kind is EntryKind.FILE
                if entry.kind is EntryKind.EMPTY_DIRECTORY and rest:
                    self._say("E024", "an empty directory among the content", f"{version}/{path}", "OCFL 1.1 3.3.1")
            elif below or (entry.kind is EntryKind.EMPTY_DIRECTORY and path):
                others.add(name)
            elif path and not (name == INVENTORY or self._is_version_sidecar(version, name)):
                self._say("E015", f"unexpected file {shown(name)} in {version}", f"{version}/{path}", "OCFL 1.1 3.3")
        for name in sorted(others):
            self._say("W002", f"the version directory has the directory {shown(name)}", f"{version}/{name}")
        if has_content and not files:
            self._say("W003", "the content directory is empty", f"{version}/{content}", "OCFL 1.1 3.3.1")
        if not has_content and any(path.startswith(f"{version}/") for path in self._inventory.manifest):
            self._say("E016", "the version has files but no content directory", version, "OCFL 1.1 3.3.1")

    def _under(self, directory: str) -> Iterator[tuple[str, StoredEntry]]:
        """What lies below a directory of the object root, relative to it; the directory itself, as
        `""`, when it is empty."""
        for path, entry in self._by_top.get(directory, {}).items():
            yield path[len(directory) + 1 :], entry

    def _is_version_sidecar(self, version: str, name: str) -> bool:
        has_inventory = f"{version}/{INVENTORY}" in self._entries
        return has_inventory and name in {f"{INVENTORY}.{algorithm}" for algorithm in FIXITY_ALGORITHMS}

    # -- inventories of versions and sidecars (3.6, 3.7) -------------------------------------------

    def _check_sidecar(self, directory: str, raw: bytes, reading: Reading) -> None:
        base = f"{directory}/{INVENTORY}" if directory else INVENTORY
        sidecars = [path for path in self._entries if path.startswith(f"{base}.") and "/" not in path[len(base) :]]
        algorithm = reading.digest_algorithm
        if algorithm is None:  # an inventory that does not say which: whatever is there must be right
            named = [path for path in sidecars if path[len(base) + 1 :] in FIXITY_ALGORITHMS]
            if not named:
                self._say("E058", "an inventory has no sidecar", base, "OCFL 1.1 3.6")
            for path in named:
                self._compare_sidecar(path, raw, path[len(base) + 1 :])
            return
        own = f"{base}.{algorithm}"
        if own in sidecars:
            self._compare_sidecar(own, raw, algorithm)
        else:
            self._say("E058", f"the inventory has no sidecar for {algorithm}", base, "OCFL 1.1 3.6")
        for path in sidecars:
            if path == own:
                continue
            if own not in sidecars:
                self._say("E059", f"a sidecar is not named for {algorithm}", path, "OCFL 1.1 3.6")
            elif directory:
                self._say("E015", "a second sidecar", path, "OCFL 1.1 3.3")

    def _compare_sidecar(self, path: str, raw: bytes, algorithm: str) -> None:
        stated = sidecar_digest(self._read(path, _SMALL) or b"")
        hasher = FIXITY_ALGORITHMS[algorithm].new()
        hasher.update(raw)
        if stated is None:
            self._say("E061", "the sidecar is not a digest and inventory.json", path, "OCFL 1.1 3.6")
        elif stated != hasher.hexdigest():
            self._say("E060", "the sidecar does not state the inventory's digest", path, "OCFL 1.1 3.6")

    def _check_version_inventories(self, root_document: bytes) -> None:
        if not self._inventory.versions:
            self._compare_with_newest_directory(root_document)
        earlier: Reading | None = None
        for name in self._inventory.versions:
            path = f"{name}/{INVENTORY}"
            raw = self._read(path, MAX_INVENTORY_BYTES)
            if raw is None:
                if any(True for _ in self._under(name)):
                    self._say("W010", f"version {name} has no inventory", name, "OCFL 1.1 3.7")
                continue
            if name == self._inventory.versions[-1]:
                if raw != root_document:
                    self._say("E064", "the inventory differs from that of the newest version", path, "OCFL 1.1 3.7")
                    self._check_sidecar(name, raw, read_inventory(raw))
                else:
                    self._check_sidecar(name, raw, self._inventory)
                reading = self._inventory if raw == root_document else read_inventory(raw)
            else:
                reading = self._read_inventory(raw, path)
                self._check_sidecar(name, raw, reading)
            self._compare(name, path, reading, earlier)
            earlier = reading

    def _compare_with_newest_directory(self, root_document: bytes) -> None:
        """A root inventory of which nothing can be said is at least not the newest version's."""
        numbered = {version_number(name) or 0: name for name, directory in self._top().items() if directory}
        newest = numbered.get(max(numbered, default=0), "")
        raw = self._read(f"{newest}/{INVENTORY}", MAX_INVENTORY_BYTES) if version_number(newest) else None
        if raw is not None and raw != root_document:
            path = f"{newest}/{INVENTORY}"
            self._say("E064", "the inventory differs from that of the newest version", path, "OCFL 1.1 3.7")

    def _compare(self, name: str, path: str, reading: Reading, earlier: Reading | None) -> None:
        where = shown(f"{self._store.name}:{self._root}/{path}", 400)
        self._result.findings += compare_with_prior(self._inventory, reading, name, earlier, where)
        for content in self._content_files(set(reading.versions)):
            if content not in reading.manifest:
                self._say("E023", f"the inventory of {name} does not know {shown(content)}", path, "OCFL 1.1 3.3.1")
        if reading is not self._inventory:
            self._want(reading)

    def _want(self, reading: Reading) -> None:
        """Remember every value that an inventory records for a content file."""
        if reading.digest_algorithm:
            for path, digest in reading.manifest.items():
                self._wanted.setdefault(path, set()).add((reading.digest_algorithm, digest, "E092"))
        for algorithm, values in reading.fixity.items():
            for path, value in values.items():
                self._wanted.setdefault(path, set()).add((algorithm, value, "E093"))

    # -- content (3.3.1, 3.4, 3.5.2) ---------------------------------------------------------------

    def _content_files(self, versions: set[str]) -> list[str]:
        content = self._inventory.content_directory
        return [
            path
            for path, entry in self._entries.items()
            if entry.kind is EntryKind.FILE
            and path.count("/") > 1
            and path.split("/", 2)[0] in versions
            and path.split("/", 2)[1] == content
        ]

    def _check_content(self) -> None:
        self._want(self._inventory)
        present = set(self._content_files(set(self._inventory.versions)))
        for path in sorted(present - self._inventory.manifest.keys()):
            self._say("E023", "a content file is not in the manifest", path, "OCFL 1.1 3.3.1")
        for path in sorted(self._wanted):
            if path in present:
                self._check_file(path, self._wanted[path])
                continue
            self._say("E092", "a file of the manifest is not there", path, "OCFL 1.1 3.5.2")
            self._say("E023", "a file of the manifest is not there", path, "OCFL 1.1 3.3.1")
            if any(code == "E093" for _, _, code in self._wanted[path]):
                self._say("E093", "a file with fixity values is not there", path, "OCFL 1.1 3.5.4")

    def _check_file(self, path: str, wanted: set[tuple[str, str, str]]) -> None:
        hashers = {algorithm: FIXITY_ALGORITHMS[algorithm].new() for algorithm, _, _ in wanted}
        try:
            with self._open(path) as stream:
                for chunk in read_chunks(stream):
                    self._result.size += len(chunk)
                    for hasher in hashers.values():
                        hasher.update(chunk)
        except (UnknownObjectError, StoreUnavailableError) as error:
            self._say("E092", f"a content file cannot be read: {shown(error)}", path, "OCFL 1.1 3.5.2")
            return
        self._result.files += 1
        found = {algorithm: hasher.hexdigest() for algorithm, hasher in hashers.items()}
        for algorithm, value, code in sorted(wanted):
            if found[algorithm] != value:
                self._say(code, f"the file does not have its recorded {algorithm} digest", path, "OCFL 1.1 3.5")
