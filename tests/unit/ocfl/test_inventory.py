"""Inventories: deterministic, complete, and never accepted when a MUST of OCFL is broken."""

import json
import time
from typing import Any

import pytest

from archive_core.digests import Digest
from archive_core.errors import InventoryCorruptError, UnknownObjectError, UsageError
from archive_core.ocfl.inventory import Inventory, sidecar_digest
from archive_core.ocfl.inventory_rules import read_inventory
from archive_core.ocfl.package import PackageFile
from tests.unit.ocfl.objects import FIRST, OBJECT, SECOND, package


def two_versions() -> Inventory:
    return package(SECOND, version=2, previous=package().inventory, message="update").inventory


def document() -> dict[str, Any]:
    loaded: dict[str, Any] = json.loads(two_versions().document)
    return loaded


def codes(raw: bytes | dict[str, Any]) -> set[str]:
    data = raw if isinstance(raw, bytes) else json.dumps(raw).encode()
    return {finding.code for finding in read_inventory(data, "here").findings}


def test_a_written_inventory_has_no_fault_and_reads_back() -> None:
    """What we write is valid, without a warning, and is found again."""
    inventory = two_versions()

    assert codes(inventory.document) == set()
    again = Inventory.parse(inventory.document)
    assert again == inventory
    assert again.digest == Digest.of("sha512", inventory.document)
    assert (again.object_id, again.head, again.head_number) == (OBJECT, "v2", 2)


def test_an_inventory_that_was_met_is_not_read_again() -> None:
    """A small one; other bytes are another one."""
    inventory = two_versions()

    assert Inventory.parse(inventory.document) is Inventory.parse(bytes(bytearray(inventory.document)), "elsewhere")
    assert Inventory.parse(package().inventory.document) != Inventory.parse(inventory.document)


@pytest.mark.parametrize("where", ["here", "there"])
def test_a_bad_inventory_is_refused_where_it_lies(where: str) -> None:
    """Each time, with its own place."""
    for _ in range(2):
        with pytest.raises(InventoryCorruptError) as refused:
            Inventory.parse(two_versions().document[:-9], where)
        assert refused.value.facts["where"] == where


def test_the_same_package_gives_the_same_bytes() -> None:
    """Whatever the order of the files: a retry finds its own work."""
    backwards = dict(reversed(FIRST.items()))

    assert package(backwards).inventory.document == package().inventory.document
    assert package(message="another").inventory.document != package().inventory.document


def test_unchanged_files_are_not_stored_again() -> None:
    """The second version refers to the bytes of the first."""
    second = package(SECOND, version=2, previous=package().inventory)

    assert sorted(second.new_content) == ["v2/content/data/c.txt", "v2/content/description.json"]
    assert second.inventory.content_path(2, "data/a.txt") == "v1/content/data/a.txt"
    assert second.inventory.content_path(2, "data/c.txt") == "v2/content/data/c.txt"
    assert set(second.inventory.state(1)) == set(FIRST)
    assert set(second.inventory.state(2)) == set(SECOND)


def test_equal_files_of_one_deposit_each_lie_under_their_own_name() -> None:
    """The store is readable without us: nothing that was deposited at once is merged."""
    inventory = package({"data/1": b"same", "data/2": b"same"}).inventory

    assert sorted(inventory.manifest) == ["v1/content/data/1", "v1/content/data/2"]
    assert inventory.content_path(1, "data/2") == "v1/content/data/2"


@pytest.mark.parametrize(("version", "path"), [(3, "data/a.txt"), (0, "data/a.txt"), (2, "data/b.txt"), (1, "nothing")])
def test_what_is_not_there_is_said_to_be_unknown(version: int, path: str) -> None:
    """A version or file that the inventory does not have."""
    with pytest.raises(UnknownObjectError):
        two_versions().content_path(version, path)


@pytest.mark.parametrize(
    "path", ["", "/a", "a/", "a//b", ".", "..", "../a", "a/../b", "a/./b", "a\0b", "data/a.txt/below"]
)
def test_a_package_takes_no_path_that_ocfl_forbids(path: str) -> None:
    """Traversal, empty elements and a file below a file cannot be packaged."""
    with pytest.raises(UsageError):
        package({**FIRST, path: b"1"})


def test_a_package_is_refused_that_could_not_become_a_version() -> None:
    """No files, a wrong number, another object's history, another algorithm."""
    first = package().inventory
    with pytest.raises(UsageError):
        package({})
    with pytest.raises(UsageError):
        package(version=2)
    with pytest.raises(UsageError):
        package(version=3, previous=first)
    with pytest.raises(UsageError):
        package(version=2, previous=first, object_id="urn:trusted-archive:another")
    with pytest.raises(UsageError):
        package(message="")
    with pytest.raises(UsageError):
        PackageFile(b"1", Digest.of("sha256", b"1"), 1)


def _set(path: str, value: Any) -> Any:
    def change(inventory: dict[str, Any]) -> None:
        *parents, last = path.split("|")
        for part in parents:
            inventory = inventory[part]
        if value is ...:
            del inventory[last]
        else:
            inventory[last] = value

    return change


def _all(*changes: Any) -> Any:
    def change(inventory: dict[str, Any]) -> None:
        for one in changes:
            one(inventory)

    return change


def _rename_digest(new: Any, *, state: bool = False, keep: bool = False) -> Any:
    """Change (or with `keep` repeat) the manifest's first digest, or the first of the newest state."""

    def change(inventory: dict[str, Any]) -> None:
        block = inventory["versions"]["v2"]["state"] if state else inventory["manifest"]
        old = next(iter(sorted(key for key in block if key != key.upper())))
        block[new(old)] = block[old]
        if not keep:
            del block[old]

    return change


def _first_paths(paths: Any, *, state: bool = False) -> Any:
    def change(inventory: dict[str, Any]) -> None:
        block = inventory["versions"]["v2"]["state"] if state else inventory["manifest"]
        block[min(block)] = paths

    return change


@pytest.mark.parametrize(
    ("change", "code"),
    [
        (_set("id", ...), "E036"),
        (_set("type", ...), "E036"),
        (_set("digestAlgorithm", ...), "E036"),
        (_set("head", ...), "E036"),
        (_set("id", ""), "E037"),
        (_set("id", 7), "E037"),
        (_set("id", "no-uri"), "W005"),
        (_set("type", "https://ocfl.io/2.0/spec/#inventory"), "E038"),
        (_set("type", "https://ocfl.io/1.1/spec/"), "E038"),
        (_set("type", None), "E038"),
        (_set("digestAlgorithm", "md5"), "E025"),
        (_set("digestAlgorithm", ["sha512"]), "E025"),
        (_set("digestAlgorithm", "sha256"), "E025"),  # then the digests have not its form
        (_set("contentDirectory", "a/b"), "E017"),
        (_set("contentDirectory", 1), "E017"),
        (_set("contentDirectory", ".."), "E018"),
        (_set("contentDirectory", "."), "E108"),
        (_set("contentDirectory", "other"), "E042"),
        (_set("head", "v1"), "E040"),
        (_set("head", "v3"), "E040"),
        (_set("head", 2), "E040"),
        (_set("head", "v02"), "E013"),
        (_set("manifest", ...), "E041"),
        (_set("manifest", []), "E106"),
        (_set("versions", ...), "E043"),
        (_set("versions", []), "E044"),
        (_set("versions", {}), "E008"),
        (_set("versions|v1", ...), "E009"),
        (_set("versions|v4", {"created": "2026-01-01T00:00:00Z", "state": {}}), "E010"),
        (_set("versions|3", {"created": "2026-01-01T00:00:00Z", "state": {}}), "E104"),
        (_set("versions|v0", {"created": "2026-01-01T00:00:00Z", "state": {}}), "E105"),
        (_set("versions|vx", {"created": "2026-01-01T00:00:00Z", "state": {}}), "E046"),
        (_set("versions|v03", {"created": "2026-01-01T00:00:00Z", "state": {}}), "E012"),
        (_set("versions|v03", {"created": "2026-01-01T00:00:00Z", "state": {}}), "E011"),
        (_set("versions|v02", {"created": "2026-01-01T00:00:00Z", "state": {}}), "E012"),
        (_set("versions|v2", "text"), "E047"),
        (_set("versions|v2|created", ...), "E048"),
        (_set("versions|v2|state", ...), "E048"),
        (_set("versions|v2|created", "2026-03-01T12:00:00"), "E049"),
        (_set("versions|v2|created", "2026-03-01T12:00Z"), "E049"),
        (_set("versions|v2|created", "2026-03-01"), "E049"),
        (_set("versions|v2|created", "2026-02-30T12:00:00Z"), "E049"),
        (_set("versions|v2|created", "2026-03-01T25:00:00Z"), "E049"),
        (_set("versions|v2|created", "2026-03-01T12:00:00+25:00"), "E049"),
        (_set("versions|v2|created", 1), "E049"),
        (_set("versions|v2|state", []), "E050"),
        (_rename_digest(str.upper, state=True), "E050"),
        (_rename_digest(lambda old: "0" * 128, state=True), "E050"),
        (_rename_digest(str.upper), "E050"),
        (_first_paths("text", state=True), "E050"),
        (_first_paths([1], state=True), "E051"),
        (_first_paths(["a/../b"], state=True), "E052"),
        (_first_paths(["a//b"], state=True), "E052"),
        (_first_paths(["/a"], state=True), "E053"),
        (_first_paths(["a/"], state=True), "E053"),
        (_set("versions|v2|user", "me"), "E054"),
        (_set("versions|v2|user", {"address": "mailto:a@b"}), "E054"),
        (_set("versions|v2|user", {"name": "x", "address": 1}), "E054"),
        (_set("versions|v2|message", 1), "E094"),
        (_first_paths(["x", "x"], state=True), "E095"),
        (_first_paths(["x", "x/y"], state=True), "E095"),
        (_first_paths([]), "E092"),
        (_first_paths("v1/content/x"), "E092"),
        (_first_paths(["v1/content/x", "v1/content/x"]), "E101"),
        (_first_paths(["v1/content/x", "v1/content/x/y"]), "E101"),
        (_first_paths(["v1/content/../x"]), "E099"),
        (_first_paths(["/v1/content/x"]), "E100"),
        (_first_paths(["v9/content/x"]), "E042"),
        (_first_paths(["v01/content/x"]), "E014"),
        (_first_paths(["v1/x"]), "E042"),
        (_first_paths(["content/x"]), "E042"),
        (_rename_digest(lambda old: old[:-1]), "E025"),
        (_rename_digest(lambda old: "g" + old[1:]), "E031"),
        (_rename_digest(str.upper, keep=True), "E096"),
        (_rename_digest(lambda old: "0" * 128, keep=True), "E107"),
        (_set("surprise", 1), "E102"),
        (_set("versions|v2|surprise", 1), "E102"),
        (_set("versions|v2|user|surprise", 1), "E102"),
        (_set("fixity", []), "E111"),
        (_set("fixity", {"crc32": {}}), "E056"),
        (_set("fixity", {"md5": []}), "E057"),
        (_set("fixity", {"md5": {"xyz": ["v1/content/data/a.txt"]}}), "E057"),
        (_set("fixity", {"md5": {"0" * 32: "v1/content/data/a.txt"}}), "E057"),
        (_set("fixity", {"md5": {"0" * 32: ["v1/content/not/there"]}}), "E057"),
        (_set("fixity", {"md5": {"a" * 32: ["v1/content/data/a.txt"], "A" * 32: ["v1/content/data/b.txt"]}}), "E097"),
        (_set("fixity", {"md5": {"a" * 32: ["v1/content/data/a.txt"], "b" * 32: ["v1/content/data/a.txt"]}}), "E093"),
        (_set("fixity", {"md5": {"0" * 32: ["v1/content/../a"]}}), "E099"),
        (_set("fixity", {"md5": {"0" * 32: ["/v1/content/data/a.txt"]}}), "E100"),
        (_set("versions|v2|message", ...), "W007"),
        (_set("versions|v2|user", ...), "W007"),
        (_set("versions|v2|user", {"name": "x"}), "W008"),
        (_set("versions|v2|user", {"name": "x", "address": "home"}), "W009"),
    ],
)
def test_each_fault_has_its_code(change: Any, code: str) -> None:
    """One broken rule at a time; what breaks a MUST never becomes an Inventory."""
    inventory = document()
    change(inventory)
    raw = json.dumps(inventory).encode()

    assert code in codes(raw)
    if code.startswith("E"):
        with pytest.raises(InventoryCorruptError):
            Inventory.parse(raw)
    else:
        assert Inventory.parse(raw).object_id


@pytest.mark.parametrize("created", ["2026-03-01T12:00:00.5+01:00", "2026-03-01t12:00:00z", "2016-12-31T23:59:60Z"])
def test_every_time_of_rfc_3339_is_taken(created: str) -> None:
    """Fractions, zones, small letters, leap seconds."""
    inventory = document()
    inventory["versions"]["v2"]["created"] = created

    assert codes(inventory) == set()


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        b"null",
        b"[]",
        b'"text"',
        b"{",
        b"\xff\xfe{}",
        b"\xef\xbb\xbf{}",
        b'{"id":NaN}',
        b'{"id":1e400}'[:-1],
        b"[" * 500_000,
        b'{"a":' * 100_000,
        b"9" * 10_000,
        b'{"id":"a","id":"b"}',
    ],
    ids=lambda raw: repr(raw[:20]),
)
def test_what_is_not_an_inventory_is_e033(raw: bytes) -> None:
    """No JSON object in UTF-8 with keys that appear once."""
    assert "E033" in codes(raw)


def test_a_monstrous_inventory_is_refused_quickly() -> None:
    """Size, number of lists and number of values are bounded before anything is parsed."""
    for raw in (b" " * (64 * 1024 * 1024 + 1), b"[" + b"[]," * 2_100_000 + b"[]]", b"[" + b"1," * 8_100_000 + b"1]"):
        started = time.monotonic()
        assert codes(raw) == {"E033"}
        assert time.monotonic() - started < 2


@pytest.mark.parametrize(
    ("sidecar", "good"),
    [
        (b"AB12 inventory.json\n", True),
        (b"ab12\t \tinventory.json", True),
        (b"ab12 inventory.json\r\n", True),
        (b"ab12", False),
        (b"ab12 \n", False),
        (b"ab12 other.json\n", False),
        (b" inventory.json\n", False),
        (b"ab12inventory.json", False),
        (b"ab12 inventory.json more", False),
        (b"", False),
        (b"\xff inventory.json", False),
        (b"a" * 5000 + b" inventory.json", False),
    ],
)
def test_a_sidecar_is_a_digest_and_the_inventorys_name(sidecar: bytes, good: bool) -> None:
    """The form of OCFL 3.6 and nothing else."""
    assert (sidecar_digest(sidecar) is not None) is good


def test_mixed_case_in_a_sidecar_is_a_changed_byte() -> None:
    """All small or all capital letters are one digest; a single changed letter is not."""
    digest = two_versions().digest.hex
    letter = next(position for position, digit in enumerate(digest) if digit.isalpha())
    mixed = digest[:letter] + digest[letter].upper() + digest[letter + 1 :]

    assert sidecar_digest(f"{digest.upper()} inventory.json\n".encode()) == digest
    assert sidecar_digest(f"{mixed} inventory.json\n".encode()) != digest


def test_a_written_sidecar_states_the_digest() -> None:
    """The sidecar that we write is read as we mean it."""
    inventory = two_versions()

    assert sidecar_digest(inventory.sidecar) == inventory.digest.hex
    assert inventory.sidecar_name == "inventory.json.sha512"
