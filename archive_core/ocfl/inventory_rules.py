"""What one inventory must be, seen alone (OCFL 1.1, 3.5): every fault found, with its code.

Rules kept here
 * Nothing is raised for a bad inventory: each fault is a finding, and reading goes on as far as
   anything can still be said, so that one inventory shows all its faults.
 * What is handed on in a `Reading` is only what was well-formed.
 * The input is bounded before it is parsed (`inventory_json`).
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Any

from archive_core.findings import Finding
from archive_core.ocfl.inventory_json import MAX_INVENTORY_BYTES, parse_inventory_json
from archive_core.ocfl.version_names import order_version_names
from archive_core.ocfl.vocabulary import (
    CONTENT_ALGORITHMS,
    FIXITY_ALGORITHMS,
    SPEC_VERSIONS,
    VERSION_NAME,
    conflicts,
    is_rfc3339,
    shown,
    unsafe_parts,
    version_number,
)

_MAX_FINDINGS = 10_000
_TYPE = re.compile(r"https://ocfl\.io/(\d+\.\d+)/spec/#inventory")
_URI = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*:\S+")
_KEYS = {"id", "type", "digestAlgorithm", "head", "contentDirectory", "manifest", "versions", "fixity"}
_VERSION_KEYS = {"created", "state", "message", "user"}


@dataclass
class Reading:
    """What could be read from an inventory, and all that is wrong with it alone.

    Digests are in lower case. `manifest` maps content paths to digests, `states` maps, per version,
    logical paths to digests, `fixity` maps, per algorithm, content paths to values.
    """

    object_id: str | None = None
    spec_version: str | None = None
    digest_algorithm: str | None = None
    content_directory: str = "content"
    content_directory_set: bool = False
    head: str | None = None
    versions: list[str] = field(default_factory=list)
    manifest: dict[str, str] = field(default_factory=dict)
    states: dict[str, dict[str, str]] = field(default_factory=dict)
    blocks: dict[str, dict[str, Any]] = field(default_factory=dict)
    fixity: dict[str, dict[str, str]] = field(default_factory=dict)
    findings: list[Finding] = field(default_factory=list)

    @property
    def errors(self) -> list[Finding]:
        return [finding for finding in self.findings if finding.code.startswith("E")]


def read_inventory(raw: bytes, where: str = "") -> Reading:
    """Read an inventory and say all that is wrong with it, as seen alone."""
    reader = _Reader(where)
    document, faults = parse_inventory_json(raw)
    for fault in faults:
        reader.say("E033", fault)
    if document is not None:
        reader.read(document)
    return reader.reading


class _Reader:
    def __init__(self, where: str) -> None:
        self._where = where
        self.reading = Reading()

    def say(self, code: str, message: str) -> None:
        finding = Finding(code, message, self._where, "OCFL 1.1 3.5")
        if len(self.reading.findings) < _MAX_FINDINGS and finding not in self.reading.findings[-50:]:
            self.reading.findings.append(finding)

    # -- basic structure (3.5.1) --------------------------------------------------------------

    def read(self, document: dict[str, Any]) -> None:
        for key in sorted(document.keys() - _KEYS):
            self.say("E102", f"the inventory has the key {shown(key)}, which is not described")
        for key in ("id", "type", "digestAlgorithm", "head"):
            if key not in document:
                self.say("E036", f"the inventory has no {key}")
        self._read_id(document)
        self._read_type(document)
        self._read_algorithm(document)
        self._read_content_directory(document)
        versions = self._read_version_names(document)
        digests = self._read_manifest(document)
        self._read_head(document)
        used = self._read_versions(versions, digests)
        self._check_use(digests, used)
        if "fixity" in document:
            self._read_fixity(document["fixity"])

    def _read_id(self, document: dict[str, Any]) -> None:
        if "id" not in document:
            return
        value = document["id"]
        if not isinstance(value, str) or not value:
            self.say("E037", "the id is not a text")
            return
        self.reading.object_id = value
        if not _URI.fullmatch(value):
            self.say("W005", f"the id {shown(value)} is not a URI")

    def _read_type(self, document: dict[str, Any]) -> None:
        if "type" not in document:
            return
        match = _TYPE.fullmatch(document["type"]) if isinstance(document["type"], str) else None
        if match is None or match[1] not in SPEC_VERSIONS:
            self.say("E038", f"the type {shown(document['type'])} is not an inventory of OCFL 1.0 or 1.1")
            return
        self.reading.spec_version = match[1]

    def _read_algorithm(self, document: dict[str, Any]) -> None:
        if "digestAlgorithm" not in document:
            return
        value = document["digestAlgorithm"]
        if value not in CONTENT_ALGORITHMS:
            self.say("E025", f"the digest algorithm {shown(value)} is neither sha512 nor sha256")
            return
        self.reading.digest_algorithm = value
        if value != "sha512":
            self.say("W004", "the digest algorithm is not sha512")

    def _read_content_directory(self, document: dict[str, Any]) -> None:
        if "contentDirectory" not in document:
            return
        value = document["contentDirectory"]
        if not isinstance(value, str) or "/" in value or not value:
            self.say("E017", f"the content directory {shown(value)} is not a name without /")
            self.say("E108", "the content directory is not a child of the version directory")
        elif value in {".", ".."}:
            self.say("E018", f"the content directory is {value}")
            self.say("E108", "the content directory is not a child of the version directory")
        else:
            self.reading.content_directory = value
            self.reading.content_directory_set = True

    def _read_head(self, document: dict[str, Any]) -> None:
        if "head" not in document:
            return
        head, names = document["head"], self.reading.versions
        if not isinstance(head, str):
            self.say("E040", "the head is not a text")
            return
        self.reading.head = head
        if names and head != names[-1]:
            self.say("E040", f"the head is {shown(head)}, the highest version {names[-1]}")
            self._check_head_form(head, names[-1])
        elif not names:
            self.say("E040", f"the head {shown(head)} is not a version of the inventory")

    def _check_head_form(self, head: str, highest: str) -> None:
        """A head that is the highest version in another form breaks the naming convention too."""
        number = version_number(head)
        if number is None or number != version_number(highest):
            return
        if highest[1] == "0" and head[1] != "0":
            self.say("E011", f"the head {head} has no zero after the v, the versions have")
        self.say("E012", f"the head {head} is not named as the versions are")
        self.say("E013", f"the head {head} does not follow the naming of the versions")

    # -- versions (3.3, 3.5.3) ----------------------------------------------------------------

    def _read_version_names(self, document: dict[str, Any]) -> dict[str, Any]:
        if "versions" not in document:
            self.say("E041", "the inventory has no versions")
            self.say("E043", "the inventory has no versions")
            self.say("E008", "the inventory has no version")
            return {}
        versions = document["versions"]
        if not isinstance(versions, dict):
            self.say("E044", "versions is not a JSON object")
            self.say("E045", "versions is not a JSON object")
            return {}
        if not versions:
            self.say("E008", "the inventory has no version")
        self.reading.versions, faults = order_version_names(versions)
        for code, message in faults:
            self.say(code, message)
        return versions

    def _read_versions(self, versions: dict[str, Any], digests: set[str]) -> set[str]:
        used: set[str] = set()
        for name, block in versions.items():
            if not isinstance(block, dict):
                self.say("E047", f"version {shown(name)} is not a JSON object")
                self.say("E048", f"version {shown(name)} has no creation time and no state")
                continue
            for key in sorted(block.keys() - _VERSION_KEYS):
                self.say("E102", f"version {shown(name)} has the key {shown(key)}, which is not described")
            self._read_created(name, block)
            self._read_message_and_user(name, block)
            if "state" not in block:
                self.say("E048", f"version {shown(name)} has no state")
                continue
            state = self._read_state(name, block["state"], digests, used)
            if VERSION_NAME.fullmatch(name):
                self.reading.states[name] = state
                self.reading.blocks[name] = block
        return used

    def _read_created(self, name: str, block: dict[str, Any]) -> None:
        if "created" not in block:
            self.say("E048", f"version {shown(name)} has no creation time")
        elif not is_rfc3339(block["created"]):
            self.say(
                "E049",
                f"version {shown(name)}: {shown(block['created'])} is not a time of RFC 3339 with seconds and zone",
            )

    def _read_message_and_user(self, name: str, block: dict[str, Any]) -> None:
        if "message" not in block:
            self.say("W007", f"version {shown(name)} has no message")
        elif not isinstance(block["message"], str):
            self.say("E094", f"the message of version {shown(name)} is not a text")
        if "user" not in block:
            self.say("W007", f"version {shown(name)} has no user")
            return
        user = block["user"]
        if not isinstance(user, dict) or not isinstance(user.get("name"), str):
            self.say("E054", f"the user of version {shown(name)} has no name")
        if not isinstance(user, dict):
            return
        for key in sorted(user.keys() - {"name", "address"}):
            self.say("E102", f"the user of version {shown(name)} has the key {shown(key)}, which is not described")
        if "address" not in user:
            self.say("W008", f"the user of version {shown(name)} has no address")
        elif not isinstance(user["address"], str):
            self.say("E054", f"the address of the user of version {shown(name)} is not a text")
        elif not _URI.fullmatch(user["address"]):
            self.say("W009", f"the address of the user of version {shown(name)} is not a URI")

    def _read_state(self, name: str, state: Any, digests: set[str], used: set[str]) -> dict[str, str]:
        if not isinstance(state, dict):
            self.say("E050", f"the state of version {shown(name)} is not a JSON object")
            return {}
        logical: dict[str, str] = {}
        stored = set(self.reading.manifest.values())
        for digest, paths in state.items():
            if digest not in digests or digest.lower() not in stored:  # exactly, case included
                self.say("E050", f"version {shown(name)} has the digest {shown(digest, 40)}, the manifest has not")
            if isinstance(paths, list):
                used.add(digest.lower())
            else:
                self.say("E050", f"version {shown(name)}: the value of {shown(digest, 40)} is not a list")
                self.say("E051", f"version {shown(name)}: the value of {shown(digest, 40)} is not a list of paths")
                continue
            for path in paths:
                if self._good_logical_path(name, path, logical):
                    logical[path] = digest.lower()
        for path in conflicts(set(logical)):
            self.say("E095", f"version {shown(name)}: {shown(path)} is a file and a directory")
        return logical

    def _good_logical_path(self, name: str, path: Any, known: dict[str, str]) -> bool:
        if not isinstance(path, str):
            self.say("E051", f"version {shown(name)}: {shown(path)} is not a path")
            return False
        good = True
        if path.startswith("/") or path.endswith("/"):
            self.say("E053", f"version {shown(name)}: {shown(path)} begins or ends with /")
            good = False
        if unsafe_parts(path):
            self.say("E052", f"version {shown(name)}: {shown(path)} has an empty, . or .. element")
            good = False
        if path in known:
            self.say("E095", f"version {shown(name)}: {shown(path)} appears twice")
            good = False
        return good

    # -- manifest and fixity (3.5.2, 3.5.4) -----------------------------------------------------

    def _read_manifest(self, document: dict[str, Any]) -> set[str]:
        """Fills `manifest`; the digests exactly as they are written."""
        if "manifest" not in document:
            self.say("E041", "the inventory has no manifest")
            return set()
        manifest = document["manifest"]
        if not isinstance(manifest, dict):
            self.say("E041", "the manifest is not a JSON object")
            self.say("E106", "the manifest is not a JSON object")
            return set()
        algorithm = self.reading.digest_algorithm
        if algorithm:
            pattern = FIXITY_ALGORITHMS[algorithm].pattern
            for digest in manifest:
                if not pattern.fullmatch(digest):
                    self.say("E025", f"{shown(digest, 40)} in the manifest is not a {algorithm} digest")
                    self.say("E031" if algorithm == "sha512" else "E030", f"{shown(digest, 40)} is not hexadecimal")
        self.reading.manifest = self._read_paths(manifest, "the manifest", "E092", "E096")
        self._check_places([path for paths in manifest.values() if isinstance(paths, list) for path in paths])
        for path in conflicts(set(self.reading.manifest)):
            self.say("E101", f"{shown(path)} in the manifest is a file and a directory")
        return set(manifest)

    def _read_paths(self, block: dict[str, Any], where: str, not_a_list: str, twice: str) -> dict[str, str]:
        """Content path to lower-case digest, from a block of digests with lists of paths."""
        found: dict[str, str] = {}
        seen: set[str] = set()
        for digest, paths in block.items():
            if digest.lower() in seen:
                self.say(twice, f"the digest {shown(digest, 40)} appears twice in {where}")
            seen.add(digest.lower())
            if not isinstance(paths, list) or not (paths or twice == "E097"):
                self.say(not_a_list, f"{where}: the value of {shown(digest, 40)} is not a list of paths")
                continue
            for path in paths:
                if not isinstance(path, str):
                    self.say(not_a_list, f"{where}: {shown(path)} is not a path")
                elif self._good_content_path(path, where):
                    self._check_once(path, digest.lower(), where, found, fixity=twice == "E097")
                    found[path] = digest.lower()
        return found

    def _check_once(self, path: str, digest: str, where: str, known: dict[str, str], *, fixity: bool) -> None:
        """A content path appears once in the manifest, and in fixity never with two values."""
        if path not in known:
            return
        if not fixity:
            self.say("E101", f"{where}: {shown(path)} appears twice")
        elif known[path] != digest:
            self.say("E093", f"{where}: {shown(path)} has two values, of which one is wrong")

    def _good_content_path(self, path: str, where: str) -> bool:
        good = True
        if path.startswith("/") or path.endswith("/"):
            self.say("E100", f"{where}: {shown(path)} begins or ends with /")
            good = False
        if unsafe_parts(path):
            self.say("E099", f"{where}: {shown(path)} has an empty, . or .. element")
            good = False
        return good

    def _check_places(self, paths: list[Any]) -> None:
        """Each content path lies in the content directory of one of the versions."""
        names = set(self.reading.versions)
        for path in paths:
            if not isinstance(path, str):
                continue
            version, _, rest = path.partition("/")
            directory, _, below = rest.partition("/")
            if version not in names:
                self.say("E042", f"the manifest's {shown(path)} does not lie in a version of the inventory")
                if version_number(version):
                    self.say("E014", f"the manifest's {shown(path)} does not use a version directory's actual name")
            elif directory != self.reading.content_directory or not below:
                self.say("E042", f"the manifest's {shown(path)} does not lie in the content directory")

    def _check_use(self, digests: set[str], used: set[str]) -> None:
        for digest in sorted(digests):
            if digest.lower() not in used:
                self.say("E107", f"the digest {shown(digest, 40)} in the manifest is used in no version")

    def _read_fixity(self, fixity: Any) -> None:
        if not isinstance(fixity, dict):
            self.say("E111", "fixity is not a JSON object")
            if self.reading.spec_version == "1.0":
                self.say("E056", "fixity is not a JSON object")
            return
        for name, block in fixity.items():
            algorithm = FIXITY_ALGORITHMS.get(name)
            if algorithm is None:
                self.say("E056", f"{shown(name)} is not a known fixity algorithm")
                self.say("E026", f"{shown(name)} is not in the list of digest algorithms")
                continue
            if not isinstance(block, dict):
                self.say("E057", f"the fixity block of {name} is not a JSON object")
                continue
            for value in block:
                if not algorithm.pattern.fullmatch(value):
                    self.say("E057", f"{shown(value, 40)} is not a {name} value")
            paths = self._read_paths(block, f"the fixity block of {name}", "E057", "E097")
            for path in sorted(paths.keys() - self.reading.manifest.keys()):
                self.say("E057", f"the fixity block of {name} has {shown(path)}, the manifest has not")
            self.reading.fixity[name] = {p: v for p, v in paths.items() if p in self.reading.manifest}


__all__ = ["MAX_INVENTORY_BYTES", "Reading", "read_inventory"]
