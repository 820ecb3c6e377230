"""Bundles that the archive exports pass the offline verifier and the commands of their README."""

from __future__ import annotations

import io
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.offline import flipped, members_of, packed, run, unpacked
from tests.world import OPERATOR, World


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> World:
    """One archive with an object of four versions, a large one and some others, all evidenced."""
    made = World(tmp_path_factory.mktemp("world"))
    kept, other = {"kept.txt": b"kept"}, {"other.txt": b"other"}
    first = made.deposit(kept, metadata=b'{"title": "Smlouva"}')
    made.deposit({f"folder/{number}.txt": b"%d" % number for number in range(20)})
    made.deposit({"large.bin": bytes(range(256)) * 40_000, "copy of large.bin": bytes(range(256)) * 40_000})
    made.preserve()
    for files in (other, kept, {**kept, **other}):
        made.update(first.poid, files)
        made.preserve()
    return made


def _exported(world: World, poid: str, version: int | None = None) -> bytes:
    out = io.BytesIO()
    world.archive.export(poid, version, out, actor=OPERATOR)
    return out.getvalue()


def _trust(world: World) -> Path:
    return world.home / "trust" / "test-ca.pem"


def _versions(world: World) -> list[tuple[str, int]]:
    return [(poid, told.version) for poid, versions in world.told.items() for told, _ in versions]


def test_every_exported_version_passes(world: World, tmp_path: Path) -> None:
    """All objects, all versions, with the time that the archive itself tells."""
    assert len(_versions(world)) == 6
    for poid, version in _versions(world):
        (tmp_path / "b.zip").write_bytes(_exported(world, poid, version))
        code, answer = run(tmp_path / "b.zip", "--trust", _trust(world))
        assert code == 0, [step for step in answer["steps"] if step["verdict"] != "PASSED"]
        assert (answer["poid"], answer["version"], answer["test_trust"]) == (poid, version, True)
        shown = world.archive.show(poid, version, actor=OPERATOR).to_json()
        assert answer["proof_of_existence"] == shown["proof_of_existence"]


def test_a_file_is_proven_since_the_first_version_that_held_it(world: World, tmp_path: Path) -> None:
    """Also across a version that did not hold it."""
    poid = next(poid for poid, versions in world.told.items() if len(versions) == 4)
    (tmp_path / "b.zip").write_bytes(_exported(world, poid))
    _, answer = run(tmp_path / "b.zip", "--trust", _trust(world))
    assert {file["path"]: file["proven_by_version"] for file in answer["files"]} == {"kept.txt": 1, "other.txt": 2}
    third = members_of(_exported(world, poid, 3))
    assert "earlier/v2/description.json" in third
    assert not [name for name in third if name.startswith("earlier/v2/evidence")]


def test_the_same_version_is_exported_as_the_same_bytes(world: World) -> None:
    """Whoever asks, whenever: what proves a version does not change until its evidence does."""
    poid, version = _versions(world)[0]
    assert _exported(world, poid, version) == _exported(world, poid, version)


@pytest.mark.slow
def test_one_changed_bit_in_any_member_of_an_exported_bundle_fails(world: World, tmp_path: Path) -> None:
    """Every member, the last byte."""
    poid, version = _versions(world)[-1]
    members = members_of(_exported(world, poid, version))
    assert len(members) > 15
    for name, content in members.items():
        changed = {**members, name: flipped(content, len(content) - 1)}
        (tmp_path / "b.zip").write_bytes(packed(changed, adapt_manifest=False))
        assert run(tmp_path / "b.zip", "--trust", _trust(world))[0] == 1, name


@pytest.mark.slow
def test_the_commands_of_an_exported_readme_work(world: World, tmp_path: Path) -> None:
    """OpenSSL agrees, by hand, for every version."""
    for poid, version in _versions(world):
        folder = unpacked(_exported(world, poid, version), tmp_path / f"{poid}-{version}")
        shutil.copy(_trust(world), folder / "trust.pem")
        text = (folder / "README.txt").read_text(encoding="utf-8")
        script = text[text.index("#!/bin/sh") :]
        ran = subprocess.run(
            ["/bin/sh"], input=script, cwd=folder, capture_output=True, text=True, timeout=60, check=False
        )
        assert ran.returncode == 0, ran.stderr
        assert "CMS Verification successful" in ran.stderr
