"""Another program reads and proves a store by the page on the storage format alone, and sees what was changed in it."""

from __future__ import annotations

import ast
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

from api.wiring import build_archive
from tests.command_line import CommandLine
from tests.integration.http_world import new_home
from tests.vectors import REPOSITORY

pytestmark = [pytest.mark.interop, pytest.mark.slow]

READER = REPOSITORY / "tests" / "interop" / "store_reader.py"


@dataclass
class Kept:
    home: Path
    poids: list[str]

    def read(self, room: Path, poid: str, store: Path | None = None) -> subprocess.CompletedProcess[str]:
        room.mkdir(exist_ok=True)
        words = [store or self.home / "stores" / "one", poid, self.home / "trust" / "test-ca.pem", room]
        command = [sys.executable, "-IS", str(READER), *map(str, words)]
        return subprocess.run(command, capture_output=True, text=True, timeout=120, cwd=room)


@pytest.fixture(scope="module")
def kept(tmp_path_factory: pytest.TempPathFactory) -> Kept:
    """Five documents in one batch, one of them with several files and metadata."""
    folder = tmp_path_factory.mktemp("kept")
    build_archive(new_home(folder / "home"), create=True).close()
    line = CommandLine(folder / "home")
    (folder / "metadata.json").write_text('{"title": "Smlouva"}')
    several = folder / "several"
    (several / "below").mkdir(parents=True)
    (several / "a.txt").write_bytes(b"a")
    (several / "below" / "b.txt").write_bytes(b"b" * (5 * 1024 * 1024))
    poids = [line.deposit(several, "--metadata", folder / "metadata.json")]
    for number in range(4):
        (folder / f"{number}.txt").write_bytes(b"document %d" % number)
        poids.append(line.deposit(folder / f"{number}.txt"))
    line.preserve()
    return Kept(folder / "home", poids)


def test_the_reader_knows_nothing_of_ours() -> None:
    """It imports the standard library alone, and runs without what is installed."""
    tree = ast.parse(READER.read_text("utf-8"))
    named = [one.module or "" for one in ast.walk(tree) if isinstance(one, ast.ImportFrom)]
    named += [name.name for one in ast.walk(tree) if isinstance(one, ast.Import) for name in one.names]
    assert {name.split(".")[0] for name in named} <= set(sys.stdlib_module_names)


def test_every_document_is_read_and_proven_by_the_page_alone(kept: Kept, tmp_path: Path) -> None:
    """From either store."""
    for poid in (kept.poids[0], kept.poids[4]):
        for store in ("one", "two"):
            done = kept.read(tmp_path / "room", poid, kept.home / "stores" / store)
            assert (done.returncode, done.stderr) == (0, ""), done
            assert f"{poid} v1" in done.stdout
            assert "batch 1" in done.stdout


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("data/0.txt", "data/0.txt"),
        ("description.json", "description.json"),
        ("tree.bin", "tree.bin"),
        ("statement.json", "statement.json"),
        ("events.jsonl", "events.jsonl"),
        ("inventory.json", "sidecar"),
    ],
)
def test_a_changed_octet_is_seen(kept: Kept, tmp_path: Path, name: str, said: str) -> None:
    """In content, description, tree, statement, trail and inventory."""
    store = tmp_path / "store"
    shutil.copytree(kept.home / "stores" / "one", store)
    poid = kept.poids[1]
    about = {"data/0.txt": poid, "description.json": poid, "inventory.json": poid}
    about |= {"tree.bin": "ba0000000001", "statement.json": "ba0000000001", "events.jsonl": "tr0000000001"}
    places = [
        one for one in store.rglob("*") if one.is_file() and str(one).endswith(f"/{name}") and about[name] in str(one)
    ]
    place = min(places, key=lambda one: len(one.parts))
    place.chmod(0o600)
    octets = bytearray(place.read_bytes())
    octets[len(octets) // 2] ^= 1
    place.write_bytes(octets)
    done = kept.read(tmp_path / "room", poid, store)
    assert done.returncode == 1
    assert said in done.stderr
