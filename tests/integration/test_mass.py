"""Very many versions are proven by reading each once; what is said of them is what is said of one by itself."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from archive_core import plain_reading
from archive_core.archive import Archive
from archive_core.assessment import Assessment
from archive_core.catalogue.rows import VersionRow
from archive_core.findings import Report, Verdict
from archive_core.measure import CHUNK_SIZE
from tests.sampling import quick_first
from tests.world import OPERATOR, World


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    made = World(tmp_path)
    try:
        yield made
    finally:
        made.archive.close()


class Counted:
    """How often a version was assessed by itself."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.poids: list[str] = []
        by_itself = Assessment.assess

        def assess(this: Assessment, row: VersionRow, **rest: object) -> Report:
            self.poids.append(row.poid)
            return by_itself(this, row, **rest)  # type: ignore[arg-type]

        monkeypatch.setattr(Assessment, "assess", assess)


def fill(world: World) -> list[str]:
    """Objects of every shape, in two batches and two profiles; their POIDs."""
    poids = [world.deposit({"a.bin": bytes([n]) * 100}).poid for n in range(5)]
    poids.append(world.deposit({"a": b"same", "b/c": b"same", "č": b""}, metadata=b'{"a": 1}').poid)
    poids.append(world.deposit({"large": b"x" * (CHUNK_SIZE + 3), "small": b"y"}).poid)
    world.preserve()
    poids += [world.deposit({"r": bytes([n])}, profile="redundant-1").poid for n in range(3)]
    poids += [world.deposit({"s": bytes([n])}).poid for n in range(2)]
    world.preserve()
    return poids


def verified(archive: Archive) -> dict[tuple[str, int], Report | None]:
    return {(poid, version): report for poid, version, report in archive.verify_all(actor=OPERATOR)}


def test_the_report_is_the_one_of_a_version_by_itself(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """Word for word, for every shape of object and both profiles; and few were assessed by themselves."""
    poids = fill(world)
    counted = Counted(monkeypatch)
    found = verified(world.archive)

    assert len(counted.poids) == 3  # the first of each batch
    assert sorted(found) == sorted((poid, 1) for poid in poids)
    for (poid, version), report in found.items():
        assert report is not None
        alone = world.archive.verify(poid, version, actor=OPERATOR)
        times = {report.to_json()["proof_of_existence"], alone.to_json()["proof_of_existence"]}
        assert len(times) == 1
        assert _without_instants(report) == _without_instants(alone)


def _without_instants(report: Report) -> dict[str, object]:
    """The two were judged a moment apart."""
    told = report.to_json()
    for step in told["steps"]:  # type: ignore[attr-defined]
        step.pop("at", None)
    return told


def test_updated_and_waiting_versions_are_told_as_ever(world: World) -> None:
    """Each version of an updated object by itself; None for what has no evidence yet."""
    (first, *_) = fill(world)
    world.update(first, {"a.bin": b"new"})
    found = verified(world.archive)
    assert (found[first, 1], found[first, 2]) != (None, None)
    assert found[first, 2] is None
    world.preserve()

    again = verified(world.archive)
    assert all(report is not None and report.verdict is Verdict.PASSED for report in again.values())
    assert again[first, 2] is not None


@pytest.mark.parametrize(
    "what", quick_first(["data/a.bin", "description.json", "inventory.json", "inventory.json.sha512"])
)
def test_damage_of_one_copy_is_told_and_the_other_proves(world: World, what: str) -> None:
    """The damaged object is assessed by itself, from the good copy."""
    poid = fill(world)[2]
    path = next(path for path in world.files("one", what) if poid in str(path))
    path.write_bytes(path.read_bytes()[:-1] + b"?")
    report = verified(world.archive)[poid, 1]

    assert report is not None
    assert report.verdict is Verdict.PASSED
    assert any(poid in finding.path for finding in world.audit().findings)


def test_damage_of_every_copy_fails(world: World) -> None:
    """One FAILED among those that passed."""
    poid = fill(world)[2]
    for store in ("one", "two"):
        (path,) = (path for path in world.files(store, "data/a.bin") if poid in str(path))
        path.write_bytes(b"?" * 100)
    found = verified(world.archive)

    assert {at: report.verdict for at, report in found.items() if report and report.verdict is not Verdict.PASSED} == {
        (poid, 1): Verdict.FAILED
    }


def test_an_object_that_is_sound_but_was_never_deposited_so_is_found(world: World) -> None:
    """A whole object exchanged on both stores for another that is sound in itself."""
    poid, other = fill(world)[1:3]
    archive = world.archive
    for root in archive.copies.roots:
        here = Path(world.store(root.store.name)) / root.object_path(f"urn:trusted-archive:{poid}")
        there = Path(world.store(root.store.name)) / root.object_path(f"urn:trusted-archive:{other}")
        for file in ("v1/content/data/a.bin", "v1/content/description.json"):
            (here / file).write_bytes((there / file).read_bytes())
        for place in (here, here / "v1"):
            for name in ("inventory.json", "inventory.json.sha512"):
                (place / name).write_bytes((there / name).read_bytes())
    found = verified(archive)[poid, 1]

    assert found is not None
    assert found.verdict is Verdict.FAILED
    assert any(poid in finding.path for finding in world.audit().findings)


def test_a_catalogue_that_says_otherwise_is_found(world: World) -> None:
    """A file's digest changed in the catalogue: the object is sound, and not what commit A says."""
    poid = fill(world)[1]
    with world.archive.catalogue.engine.begin() as connection:
        connection.exec_driver_sql("UPDATE files SET stored_digest = ? WHERE poid = ?", ("0" * 128, poid))
    found = verified(world.archive)[poid, 1]

    assert found is not None
    assert found.verdict is Verdict.FAILED


def test_a_damaged_tree_proves_nothing_by_itself(world: World) -> None:
    """An inner node flipped in both stores, its OCFL digests made to fit: what it leads to is found to be wrong."""
    import hashlib
    import json

    fill(world)
    for store in ("one", "two"):
        (tree,) = (path for path in world.files(store, "sha512/tree.bin") if "ba0000000001" in str(path))
        data = bytearray(tree.read_bytes())
        old = hashlib.sha512(data).hexdigest()
        data[7 * 64 + 3] ^= 1  # behind seven leaves: the second level
        tree.write_bytes(bytes(data))
        home = tree.parents[4]
        for place in (home, *home.glob("v*")):
            document = json.loads((place / "inventory.json").read_text("utf-8"))
            text = json.dumps(document, sort_keys=True, ensure_ascii=False, separators=(",", ":")) + "\n"
            changed = text.replace(old, hashlib.sha512(data).hexdigest()).encode()
            (place / "inventory.json").write_bytes(changed)
            sidecar = f"{hashlib.sha512(changed).hexdigest()} inventory.json\n"
            (place / "inventory.json.sha512").write_text(sidecar, "ascii")
    verdicts = [report.verdict for (_, _), report in verified(world.archive).items() if report]

    assert Verdict.FAILED in verdicts or any(f.code == "EVIDENCE_BROKEN" for f in world.audit().findings)


def test_an_audit_reads_each_object_once_from_every_store(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """Counts are those of all objects; evidence was proven by the reading."""
    poids = fill(world)
    counted = Counted(monkeypatch)
    result = world.audit()

    assert result.findings == []
    assert result.checked["versions"] == len(poids)
    assert result.checked["stores"] == 2
    assert len(counted.poids) == 3
    content = sum(
        file.stat().st_size for s in ("one", "two") for file in world.files(s, "") if "/content/" in str(file)
    )
    assert result.checked["bytes"] == content


@pytest.mark.slow
def test_a_process_beside_this_one_reads_the_same(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """The same reports and counts, and none of the objects was read here."""
    fill(world)
    here, counts = verified(world.archive), world.audit().checked
    monkeypatch.setattr(plain_reading, "WORTH_A_PROCESS", 1)
    monkeypatch.setattr(plain_reading, "read_plain", _never)
    monkeypatch.setattr(plain_reading, "SMALL", 1 << 40)
    beside = verified(world.archive)

    assert {at: _without_instants(report) for at, report in beside.items() if report} == {
        at: _without_instants(report) for at, report in here.items() if report
    }
    checked = world.audit().checked
    assert {name: checked[name] for name in ("objects", "versions", "stores")} == {
        name: counts[name] for name in ("objects", "versions", "stores")
    }


def _never(*_: object, **__: object) -> None:
    raise AssertionError("an object was read in this process")


@pytest.mark.slow
def test_a_reading_process_that_dies_hides_nothing(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """What it did not read is assessed by itself, and damage is found as ever."""
    poid = fill(world)[2]
    monkeypatch.setattr(plain_reading, "WORTH_A_PROCESS", 1)
    monkeypatch.setattr("storage_backends.reader.sys.executable", "/bin/false")
    for store in ("one", "two"):
        (path,) = (path for path in world.files(store, "data/a.bin") if poid in str(path))
        path.write_bytes(b"?" * 100)
    found = verified(world.archive)

    assert [at for at, report in found.items() if report is None or report.verdict is not Verdict.PASSED] == [(poid, 1)]
    assert any(poid in finding.path for finding in world.audit().findings)


def _validations(world: World) -> list[tuple[str | None, str, str]]:
    return [
        (row.poid, row.outcome, row.code)
        for row in world.archive.catalogue.pending_events(1000)
        if row.type == "validation"
    ]


def test_a_run_is_one_event_and_each_bad_version_another(world: World) -> None:
    """The good ones are counted, as an audit counts them."""
    poids = fill(world)
    world.archive.flush_trail()
    for path in world.files("one", "data/a.bin") + world.files("two", "data/a.bin"):
        if path.read_bytes()[:1] == b"\x03":
            path.write_bytes(b"\x04" * 100)
    found = verified(world.archive)
    (bad,) = [poid for (poid, _), report in found.items() if report and report.verdict is Verdict.FAILED]

    assert _validations(world) == [(bad, "failure", "HASH_FAILURE"), (None, "failure", f"checked-{len(poids)}")]


def test_a_run_over_good_versions_is_one_event(world: World) -> None:
    """It says how many there were."""
    poids = fill(world)
    world.archive.flush_trail()
    verified(world.archive)

    assert _validations(world) == [(None, "success", f"checked-{len(poids)}")]


def test_a_run_that_was_stopped_says_so(world: World) -> None:
    """Whoever stops has no verdict over everything, and the trail does not claim one."""
    fill(world)
    world.archive.flush_trail()
    run = world.archive.verify_all(actor=OPERATOR)
    next(iter(run))
    run.close()  # type: ignore[attr-defined]
    ((poid, outcome, code),) = _validations(world)

    assert (poid, outcome) == (None, "failure")
    assert code.startswith("stopped-")
