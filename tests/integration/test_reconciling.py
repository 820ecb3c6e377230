"""`audit --reconcile`: the catalogue is put right by what the stores say, both ways, and by nothing else."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import text

from archive_core.audit_result import AuditResult
from archive_core.digests import Digest
from archive_core.findings import Verdict
from tests.integration.test_repair import flip, the_file, write
from tests.world import OPERATOR, World

pytestmark = pytest.mark.timeout(180)


@pytest.fixture(scope="module")
def sound(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two batches, an update, and something that waits for evidence."""
    world = World(tmp_path_factory.mktemp("sound"))
    told = world.deposit({"a.txt": b"alpha"})
    world.deposit({"b.txt": b"beta"})
    world.preserve()
    world.update(told.poid, {"a.txt": b"alpha again"})
    world.preserve()
    world.deposit({"c.txt": b"gamma"})
    world.archive.flush_trail()
    world.archive.close()
    return world.folder


@pytest.fixture
def world(sound: Path, tmp_path: Path) -> Iterator[World]:
    shutil.copytree(sound, tmp_path, dirs_exist_ok=True, symlinks=True)
    made = World(tmp_path)
    made.clock.advance(hours=1)
    yield made
    made.archive.close()


def reconcile(world: World) -> AuditResult:
    return world.archive.audit(actor=OPERATOR, reconcile=True)


def sql(world: World, statement: str, **values: Any) -> None:
    """Behind everybody's back."""
    with world.archive.catalogue.engine.begin() as connection:
        assert connection.execute(text(statement), values).rowcount


def codes(result: AuditResult) -> set[str]:
    return {note.code for note in result.notes}


def test_there_is_nothing_to_reconcile_where_stores_and_catalogue_agree(world: World) -> None:
    found = reconcile(world)

    assert (found.findings, found.notes) == ([], [])
    assert found.checked["objects"] > 0


WRONG = {
    "whose it is": "update versions set originator = 'somebody' where version = 1",
    "when it came": "update versions set received = '2001-01-01 00:00:00.000000'",
    "which batch it is in": "update versions set leaf = 7 where batch = 1 and leaf = 0",
    "that it has a batch": "update versions set batch = null, leaf = null where batch = 2",
    "how large it is": "update files set size = 99 where path = 'data/a.txt'",
    "what its digest is": "update files set content_digest = :zeros where path = 'data/a.txt'",
    "which statement was sealed": "update batches set statement_digest = :zeros where number = 1",
    "which time-stamp there is": "update stamps set token_digest = :zeros where batch = 1",
    "since when it exists": "update stamps set gen_time = '1999-01-01 00:00:00.000000' where batch = 2",
    "what happened": "update events set code = 'nothing' where type = 'ingestion'",
    "the trail's leaves": "update events set leaf_hash = x'00' where seq = 1",
}


_SOME = ("which batch it is in", "what its digest is", "which time-stamp there is", "the trail's leaves")
"""Those of the suite; all of them are soak."""


@pytest.mark.parametrize(
    "what",
    [
        pytest.param(one, marks=[] if one == "whose it is" else pytest.mark.slow if one in _SOME else pytest.mark.soak)
        for one in WRONG
    ],
)
def test_what_the_catalogue_says_otherwise_is_put_right(world: World, what: str) -> None:
    """A note, and afterwards everything proves itself, and there is nothing more to note."""
    values = {"zeros": "0" * 128} if ":zeros" in WRONG[what] else {}
    sql(world, WRONG[what], **values)
    found = reconcile(world)

    assert codes(found) == {"ROW_CORRECTED"}
    assert found.findings == []
    again = reconcile(world)
    assert (again.findings, again.notes) == ([], [])
    world.check()


@pytest.mark.slow
def test_a_server_s_catalogue_is_put_right_as_well(tmp_path: Path, postgresql_url: str) -> None:
    """The stores' side is a file, the other one PostgreSQL: rows come in one order from both."""
    world = World(tmp_path, postgresql_url)
    for number in range(3):
        world.deposit({"á.txt": b"%d" % number}, key=f"Ž {number}")
    world.preserve()
    world.archive.flush_trail()
    assert (reconcile(world).findings, reconcile(world).notes) == ([], [])
    sql(world, "update versions set originator = 'somebody'")
    sql(world, "update files set size = 7 where path = 'data/á.txt'")
    found = reconcile(world)

    assert (found.findings, codes(found), len(found.notes)) == ([], {"ROW_CORRECTED"}, 6)
    assert reconcile(world).notes == []
    world.archive.close()


@pytest.mark.slow
def test_a_batch_that_the_catalogue_lost_is_entered_again(world: World) -> None:
    """With its time-stamps, its members and what they are called; the documents are evidenced as before."""
    for statement in (
        "update versions set batch = null, leaf = null where batch = 2",
        "delete from stamps where batch = 2",
        "delete from lines where batch = 2",
        "delete from batches where number = 2",
    ):
        sql(world, statement)
    found = reconcile(world)

    assert codes(found) == {"ROW_ENTERED", "ROW_CORRECTED"}
    assert found.findings == []
    views = world.archive.objects(actor=OPERATOR)
    assert [view.batch for view in views] == [2, 1, None]
    assert world.archive.verify(views[0].poid, 2, actor=OPERATOR).verdict is Verdict.PASSED
    assert world.archive.preserve(actor=OPERATOR)[0].number == 3


@pytest.mark.slow
def test_an_object_that_the_catalogue_does_not_know_is_adopted(world: World) -> None:
    """From the only store that has it, to every store."""
    poid = world.archive.objects(actor=OPERATOR)[2].poid
    shutil.rmtree(the_file(world, "one", f"{poid}/inventory.json").parent)
    for statement in ("delete from files where poid = :p", "delete from versions where poid = :p"):
        sql(world, statement, p=poid)
    found = reconcile(world)

    assert (codes(found), found.findings) == ({"OBJECT_ADOPTED"}, [])
    assert world.read(poid, "c.txt") == b"gamma"
    assert the_file(world, "one", f"{poid}/inventory.json").exists()


@pytest.mark.slow
def test_a_row_without_bytes_is_a_finding(world: World) -> None:
    """The catalogue is not believed, and nothing of it is removed."""
    poid = world.archive.objects(actor=OPERATOR)[2].poid
    for store in ("one", "two"):
        shutil.rmtree(the_file(world, store, f"{poid}/inventory.json").parent)
    found = reconcile(world)

    assert {"ROW_WITHOUT_BYTES", "OBJECT_MISSING"} <= {entry.code for entry in found.findings}
    assert world.archive.show(poid, actor=OPERATOR).poid == poid


@pytest.mark.slow
def test_stores_that_disagree_are_not_believed(world: World) -> None:
    """One of them holds a whole object that says something else: nothing is changed, and it is named."""
    poid = world.archive.objects(actor=OPERATOR)[2].poid
    description = the_file(world, "two", f"{poid}/v1/content/description.json")
    old = Digest.of("sha512", description.read_bytes()).hex
    write(description, description.read_bytes().replace(b'"originator":"default"', b'"originator":"defauIt"'))
    new = Digest.of("sha512", description.read_bytes()).hex
    folder = description.parent.parent.parent
    for path in (folder / "inventory.json", folder / "v1" / "inventory.json"):
        write(path, path.read_bytes().replace(old.encode(), new.encode()))
        stated = f"{Digest.of('sha512', path.read_bytes()).hex} inventory.json\n"
        write(path.with_name("inventory.json.sha512"), stated.encode())
    found = reconcile(world)

    assert "STORES_DISAGREE" in {entry.code for entry in found.findings}
    assert "ROW_CORRECTED" not in codes(found)
    assert world.archive.show(poid, actor=OPERATOR).originator == "default"


@pytest.mark.slow
def test_a_store_that_is_behind_does_not_take_anything_away(world: World) -> None:
    """What it lacks and the other has is the other's to say; damage there is a finding as ever."""
    sql(world, "update versions set originator = 'somebody' where version = 1")
    for folder in world.store("one").glob("*/urn*"):
        shutil.rmtree(folder)
    flip(the_file(world, "two", "data/b.txt"), 0)
    found = reconcile(world)

    assert {view.originator for view in world.archive.objects(actor=OPERATOR)} == {"default"}
    assert {"E092", "OBJECT_MISSING"} <= {entry.code for entry in found.findings}
