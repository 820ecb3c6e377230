"""What the inventories of one object must be to each other (OCFL 1.1, 3.5.1, 3.7).

Rules kept here
 * An inventory in a version directory speaks of that version and all before it, in the same words as
   the root inventory: id, content directory, states; only digests may be of another algorithm.
 * Where algorithms differ, states are compared by the content files that digests stand for.
"""

from __future__ import annotations

from archive_core.findings import Finding
from archive_core.ocfl.inventory_rules import Reading
from archive_core.ocfl.vocabulary import shown


def compare_with_prior(
    root: Reading, reading: Reading, version: str, earlier: Reading | None, where: str
) -> list[Finding]:
    """All in which the inventory of a version directory contradicts the root inventory, or the
    inventory of the version directory before it (`earlier`)."""
    comparison = _Comparison(root, reading, version, where)
    comparison.identity(earlier)
    comparison.paths(earlier)
    comparison.states()
    return comparison.findings


class _Comparison:
    def __init__(self, root: Reading, reading: Reading, version: str, where: str) -> None:
        self._root = root
        self._reading = reading
        self._version = version
        self._where = where
        self.findings: list[Finding] = []

    def _say(self, code: str, message: str, clause: str = "OCFL 1.1 3.7") -> None:
        self.findings.append(Finding(code, message, self._where, clause))

    def identity(self, earlier: Reading | None) -> None:
        """Same id, same content directory, head named as the directory, no older specification."""
        root, reading, version = self._root, self._reading, self._version
        if reading.object_id and root.object_id and reading.object_id != root.object_id:
            self._say("E037", f"the id in version {version} is {shown(reading.object_id)}", "OCFL 1.1 3.5.1")
            self._say("E110", "the id changed between versions", "OCFL 1.1 3.5.1")
        if reading.head is not None and reading.head != version:
            self._say("E040", f"the head in version {version} is {shown(reading.head)}", "OCFL 1.1 3.5.1")
        first = self._root.versions[0] == version
        if first and root.content_directory_set and not reading.content_directory_set:
            self._say("E019", "the content directory is set, but not in the first version", "OCFL 1.1 3.3.1")
        if earlier and reading.content_directory_set and not earlier.content_directory_set:
            self._say("E019", f"the content directory is set only from version {version} on", "OCFL 1.1 3.3.1")
        if reading.content_directory != root.content_directory:
            self._say(
                "E019",
                f"version {version} has another content directory than the root",
                "OCFL 1.1 3.3.1",
            )
            self._say("E020", f"version {version} has another content directory", "OCFL 1.1 3.3.1")
        if earlier and (reading.spec_version or "9") < (earlier.spec_version or "0"):
            self._say("E103", f"version {version} is of an older specification than the one before", "OCFL 1.1 3.7.1")
        if root.spec_version and (reading.spec_version or "0") > root.spec_version:
            self._say("E103", f"version {version} is of a newer specification than the object", "OCFL 1.1 3.7.1")

    def paths(self, earlier: Reading | None) -> None:
        """No content file is forgotten by a later inventory."""
        if earlier:
            for path in sorted(earlier.manifest.keys() - self._reading.manifest.keys()):
                self._say("E023", f"version {self._version} no longer knows {shown(path)}", "OCFL 1.1 3.3.1")
        for path in sorted(self._reading.manifest.keys() - self._root.manifest.keys()):
            self._say("E023", f"the root inventory does not know {shown(path)}", "OCFL 1.1 3.3.1")

    def states(self) -> None:
        """Each version block represents the same state as in the root inventory."""
        root, reading = self._root, self._reading
        if reading is root:
            return
        known = root.versions[: root.versions.index(self._version) + 1]
        if reading.versions != known:
            self._say("E066", f"version {self._version} does not have the versions {known[0]} to {known[-1]}")
        for name in reading.versions:
            if name in root.states and name in reading.states:
                self._compare_state(name)
                self._compare_block(name)

    def _compare_state(self, name: str) -> None:
        ours, theirs = self._root.states[name], self._reading.states[name]
        for path in sorted(ours.keys() ^ theirs.keys()):
            self._say("E066", f"{shown(path)} of {name} is only in one of the inventories")
        same = self._root.digest_algorithm == self._reading.digest_algorithm
        ours_by, theirs_by = _by_digest(self._root.manifest), _by_digest(self._reading.manifest)
        for path in sorted(ours.keys() & theirs.keys()):
            mine, other = ours_by.get(ours[path], set()), theirs_by.get(theirs[path], set())
            if (same and ours[path] != theirs[path]) or not other <= mine:
                self._say("E066", f"{shown(path)} of {name} is not the same file in both inventories")

    def _compare_block(self, name: str) -> None:
        ours, theirs = self._root.blocks[name], self._reading.blocks[name]
        for key in ("created", "message", "user"):
            if ours.get(key) != theirs.get(key):
                self._say("W011", f"{key} of {name} is not the same in both inventories")


def _by_digest(manifest: dict[str, str]) -> dict[str, set[str]]:
    grouped: dict[str, set[str]] = {}
    for path, digest in manifest.items():
        grouped.setdefault(digest, set()).add(path)
    return grouped
