"""OCFL: inventories, sidecars, and a whole object of which one file is damaged."""

from __future__ import annotations

from datetime import UTC, datetime
from functools import cache

from archive_core.audit_result import AuditEntry
from archive_core.errors import DamageError, InventoryCorruptError, SettingsError, UnknownObjectError
from archive_core.fixity.state import StoreState
from archive_core.ocfl.check import assess_object
from archive_core.ocfl.check_root import assess_root
from archive_core.ocfl.inventory import Inventory, sidecar_digest
from archive_core.ocfl.inventory_rules import read_inventory
from archive_core.ocfl.layout import CONFIG_KEY, LAYOUT_KEY
from archive_core.ocfl.storage_root import ROOT_DECLARATION, StorageRoot
from tests.fuzz import corpus
from tests.fuzz.mutation import MEMBER_MARK
from tests.fuzz.target import target
from tests.unit.ocfl.objects import FIRST, OBJECT, SECOND, root_with_two_versions

CONTENTS = {1: FIRST, 2: SECOND}


def _states() -> dict[str, bytes]:
    at, poid = datetime(2026, 1, 1, tzinfo=UTC), "0199b0c27d3e7abc8def0123456789ab"
    state = StoreState()
    cycle = state.begin("run", at)
    cycle.cursor = poid
    cycle.sample.append(poid)
    cycle.mark(at)
    cycle.find(AuditEntry("one", "a/b", "E092", "damaged"))
    state.finish(at)
    state.begin("schedule", at)
    return {"none": StoreState().to_text().encode(), "two cycles": state.to_text().encode()}


@target("fixity-state", _states, refusals=(ValueError,), kind="json", tokens=(b"1e999", b"-1", b"[" * 2000))
def fixity_state(data: bytes) -> None:
    """What is read is written the same, and is of use."""
    state = StoreState.parse(data.decode("utf-8"))
    assert StoreState.parse(state.to_text()) == state
    oldest = state.oldest_check()
    assert oldest is None or datetime.fromisoformat(oldest).tzinfo is not None


@cache
def _object() -> tuple[str, dict[str, bytes]]:
    """The path of a good object, and its files below that path."""
    root, store = root_with_two_versions()
    path = root.object_path(OBJECT)
    return path, {
        entry.key.removeprefix(f"{path}/"): store.open(entry.key).__enter__().read() for entry in store.list(path)
    }


def _inventories() -> dict[str, bytes]:
    made = {name: data for name, data in _object()[1].items() if name.endswith("inventory.json")}
    return made | corpus.vectors("ocfl-fixtures-1.1", "inventory.json", most=60)


@target("inventory", _inventories, refusals=(InventoryCorruptError,), kind="json", tokens=(b"9" * 5000, b"[" * 2000))
def inventory(data: bytes) -> None:
    """All faults are found without an error; what has none is written and read the same."""
    reading = read_inventory(data, "here")
    read = Inventory.parse(data)
    assert not reading.errors
    for version in range(1, read.head_number + 1):
        for path in read.state(version):
            assert read.manifest[read.content_path(version, path)] == read.state(version)[path]
    own = Inventory(read.object_id, read.manifest, read.versions, read.digest_algorithm, read.content_directory)
    again = Inventory.parse(own.document)
    assert (again.manifest, again.versions) == (read.manifest, read.versions)
    assert sidecar_digest(own.sidecar) is not None


@target(
    "sidecar",
    lambda: {"ours": _object()[1]["inventory.json.sha512"]},
    kind="text",
    tokens=(b"inventory.json", b"\t", b" " * 100),
)
def sidecar(data: bytes) -> bool:
    """A sidecar gives one digest or none."""
    found = sidecar_digest(data)
    assert found is None or (found.isalnum() and found.isascii())
    return found is not None


def _files() -> dict[str, bytes]:
    return {name: name.encode() + MEMBER_MARK + data for name, data in _object()[1].items()}


@target("object", _files, kind="member")
def damaged_object(data: bytes) -> bool:
    """One file of an object changed: a finding, and no reader ever gets wrong bytes."""
    raw_name, mark, content = data.partition(MEMBER_MARK)
    name = raw_name.decode("utf-8", "replace")
    path, files = _object()
    if not mark or name not in files:
        return False
    root, store = root_with_two_versions()
    store.damage(f"{path}/{name}", content)
    changed = content != files[name]
    findings = [finding for finding in assess_object(store, path) if finding.code.startswith("E")]
    if name.endswith("sha512") and sidecar_digest(content) == sidecar_digest(files[name]):
        changed = False  # white space in a sidecar says nothing else
    assert changed == bool(findings), (name, findings)
    for version, contents in CONTENTS.items():
        for logical, expected in contents.items():
            try:
                assert root.read_file(OBJECT, version, logical, 1 << 20) == expected
            except (DamageError, UnknownObjectError):
                assert changed
    return not changed


ROOT_FILES = (ROOT_DECLARATION, LAYOUT_KEY, CONFIG_KEY)


def _root_files() -> dict[str, bytes]:
    _, store = root_with_two_versions()
    return {name: name.encode() + MEMBER_MARK + store.open(name).__enter__().read() for name in ROOT_FILES}


@target("root-file", _root_files, kind="member", tokens=(b"9" * 5000, b"[" * 2000))
def damaged_root_file(data: bytes) -> bool:
    """A file of the storage root changed: every reader refuses or finds it, none stumbles."""
    raw_name, _, content = data.partition(MEMBER_MARK)
    name = raw_name.decode("utf-8", "replace")
    if name not in ROOT_FILES:
        return False
    _, store = root_with_two_versions()
    same = store.open(name).__enter__().read() == content
    store.damage(name, content)
    root = StorageRoot(store)
    examined = assess_root(store)
    try:
        found = [*examined.errors, *root.assess_root_files()]
        root.read_inventory(OBJECT)
        list(root.object_ids())
    except SettingsError:
        return False
    assert same == (not found), found
    return same
