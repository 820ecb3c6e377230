"""`stores …` on the command line: joining, leaving, comparing, and what is refused."""

from __future__ import annotations

from tests.command_line import CommandLine

THIRD = '\n[[store]]\nname = "three"\nscheme = "filesystem"\nroot = "stores/three"\n'


def with_third(line: CommandLine) -> None:
    """Another store in the settings, which nobody added yet."""
    settings = line.home / "trusted-archive.toml"
    settings.write_text(settings.read_text() + THIRD)


def states(line: CommandLine) -> list[tuple[str, str]]:
    return [(store["name"], store["state"]) for store in line.json("stores", "list")["stores"]]


def test_a_store_joins_and_another_leaves(proven: tuple[CommandLine, str]) -> None:
    """Each step says what it did, to people and machines, and an audit afterwards finds nothing."""
    line, poid = proven
    with_third(line)
    assert states(line) == [("one", "member"), ("two", "member"), ("three", "new")]
    added = line.json("stores", "add", "three")
    assert added["state"] == "member"
    assert added["payments"][0]["owed"] == 0
    assert line.json("stores", "compare")["same"] is True
    assert line.run("stores", "drain", "one").code == 0
    refused = line.run("stores", "retire", "one")
    assert (refused.code, "--yes" in refused.err) == (2, True)
    assert line.run("stores", "retire", "one", "--yes").code == 0
    assert states(line) == [("one", "retired"), ("two", "member"), ("three", "member")]
    assert "retired" in line.run("stores", "list").out
    assert line.run("audit").code == 0
    assert line.run("doctor").code == 0
    assert line.run("verify", poid).code == 0


def test_what_cannot_be_meant_is_refused(proven: tuple[CommandLine, str]) -> None:
    """Unknown stores, stores in the wrong state, one store compared with nothing."""
    line, _ = proven
    assert line.run("stores", "add", "nowhere").code == 11
    assert line.run("stores", "drain", "nowhere").code == 11
    assert line.run("stores", "compare", "one").code == 2
    undrained = line.run("stores", "retire", "one", "--yes")
    assert (undrained.code, "drain" in undrained.err) == (12, True)
    assert line.run("stores", "drain", "one").code == 0
    assert line.run("stores", "drain", "two").code == 12
    assert line.run("stores", "retire", "two", "--lost", "--yes").code == 12


def test_stores_that_differ_end_with_one(proven: tuple[CommandLine, str]) -> None:
    """And the first object that is missing is named."""
    line, poid = proven
    (root,) = [path.parent for path in line.store("two").rglob("0=ocfl_object_1.1") if poid in str(path)]
    root.rename(line.home / "gone")
    said = line.run("stores", "compare")

    assert said.code == 1
    assert poid in said.out


def test_without_locks_there_is_nothing_to_probe(proven: tuple[CommandLine, str]) -> None:
    """And nothing to pay where nothing is owed."""
    line, _ = proven
    assert line.json("stores", "probe") == {"probed": {}}
    assert line.json("stores", "pay") == {"owed": {}, "payments": []}
