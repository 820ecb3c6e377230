"""The single-file verifier runs under a plain Python, outside of any environment of ours."""

from __future__ import annotations

import json
import os
import stat
import subprocess
import sys
import zipfile
from pathlib import Path
from typing import Any

import pytest

from tests.bundles import START, Workshop
from tests.offline import flipped, members_of, packed
from tests.vectors import REPOSITORY

pytestmark = pytest.mark.slow

PLAIN = Path(sys.base_prefix) / "bin" / f"python{sys.version_info[0]}.{sys.version_info[1]}"
AT = START.replace(day=START.day + 1).isoformat()


@pytest.fixture(scope="module")
def verifier(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Built by the tool that ships it."""
    out = tmp_path_factory.mktemp("dist") / "trusted-archive-verify.pyz"
    tool = REPOSITORY / "tools" / "build_verifier.py"
    ran = subprocess.run([sys.executable, tool, "--out", out], capture_output=True, text=True, timeout=300, check=False)
    assert ran.returncode == 0, ran.stderr
    return out


@pytest.fixture(scope="module")
def case(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """A bundle and what to trust."""
    folder = tmp_path_factory.mktemp("case")
    workshop = Workshop(folder / "trust")
    version = workshop.deposit({"a.txt": b"contents"})
    (folder / "good.zip").write_bytes(workshop.batch(version).bundle(version))
    members = members_of((folder / "good.zip").read_bytes())
    members["data/a.txt"] = flipped(members["data/a.txt"], 0)
    (folder / "bad.zip").write_bytes(packed(members, adapt_manifest=True))
    return folder, workshop.anchor_file


def _run(verifier: Path, cache: Path, *arguments: object) -> tuple[int, dict[str, Any], str]:
    ran = subprocess.run(
        [PLAIN, verifier, "--json", *map(str, arguments)],
        cwd="/",
        env={"PATH": "/usr/bin:/bin", "HOME": str(cache), "XDG_CACHE_HOME": str(cache)},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert ran.stdout, ran.stderr
    return ran.returncode, json.loads(ran.stdout), ran.stderr


def _unpacked(cache: Path) -> Path:
    (folder,) = (cache / "trusted-archive-verify").iterdir()
    return folder


def test_it_judges_a_bundle(verifier: Path, case: tuple[Path, Path], tmp_path: Path) -> None:
    """PASSED for the good one, FAILED for the changed one, from the first start on and again."""
    folder, trust = case
    for _ in range(2):
        code, answer, errors = _run(verifier, tmp_path, folder / "good.zip", "--trust", trust, "--at", AT)
        assert (code, answer["verdict"], answer["test_trust"], errors) == (0, "PASSED", True, "")
    code, answer, _ = _run(verifier, tmp_path, folder / "bad.zip", "--trust", trust, "--at", AT)
    assert (code, answer["verdict"]) == (1, "FAILED")


def test_wrong_use_is_answered_in_json(verifier: Path, tmp_path: Path) -> None:
    """The file answers as the installed command does."""
    assert _run(verifier, tmp_path, "absent.zip")[0] == 2


def test_what_it_unpacks_is_private_and_checked_at_each_start(
    verifier: Path, case: tuple[Path, Path], tmp_path: Path
) -> None:
    """Changed, additional and linked files in the cache are not run: the folder is made anew."""
    folder, trust = case
    arguments = (folder / "good.zip", "--trust", trust, "--at", AT)
    assert _run(verifier, tmp_path, *arguments)[0] == 0
    place = _unpacked(tmp_path)
    assert stat.S_IMODE(place.stat().st_mode) == 0o700
    assert stat.S_IMODE(place.parent.stat().st_mode) == 0o700
    target = place / "api" / "offline" / "cli.py"
    good = target.read_bytes()
    for spoil in (
        lambda: target.write_text("raise SystemExit(99)"),
        lambda: (place / "asn1crypto" / "injected.py").write_text("raise SystemExit(99)"),
        lambda: (target.unlink(), target.symlink_to("/dev/null")),
        lambda: target.unlink(),
    ):
        spoil()
        assert _run(verifier, tmp_path, *arguments)[0] == 0
        assert target.read_bytes() == good
        assert not (place / "asn1crypto" / "injected.py").exists()


@pytest.mark.parametrize("mode", [0o770, 0o707])
def test_a_cache_that_others_can_write_is_not_used(
    verifier: Path, case: tuple[Path, Path], tmp_path: Path, mode: int
) -> None:
    """Then everything is unpacked for this one run, and removed."""
    folder, trust = case
    shared = tmp_path / "trusted-archive-verify"
    shared.mkdir()
    shared.chmod(mode)
    assert _run(verifier, tmp_path, folder / "good.zip", "--trust", trust, "--at", AT)[0] == 0
    assert list(shared.iterdir()) == []


def test_a_damaged_file_does_not_run(verifier: Path, case: tuple[Path, Path], tmp_path: Path) -> None:
    """A changed member is noticed before anything of it runs."""
    damaged = tmp_path / "damaged.pyz"
    with zipfile.ZipFile(verifier) as source, zipfile.ZipFile(damaged, "w") as target:
        for name in source.namelist():
            content = source.read(name)
            target.writestr(name, content + b"#" if name == "payload/api/offline/cli.py" else content)
    ran = subprocess.run(
        [PLAIN, damaged, "--json"], env={"HOME": str(tmp_path)}, capture_output=True, text=True, timeout=60, check=False
    )
    assert ran.returncode == 1
    assert "damaged at api/offline/cli.py" in ran.stderr


def test_it_holds_no_server_and_no_client(verifier: Path) -> None:
    """Only what the verifier can reach by its imports, and the notices of what it brings along."""
    with zipfile.ZipFile(verifier) as archive:
        names = archive.namelist()
    tops = {name.split("/")[1] for name in names if name.startswith("payload/")}
    assert {"api", "archive_core", "policies", "signing", "asn1crypto", "cryptography"} <= tops
    forbidden = {"flask", "sqlalchemy", "alembic", "pyhanko", "boto3", "aiohttp", "requests", "storage_backends"}
    assert not {top.lower() for top in tops} & forbidden
    assert not [name for name in names if "fetchers/aiohttp" in name or "fetchers/requests" in name]
    assert not [name for name in names if name.startswith(("payload/api/views", "payload/archive_core/catalogue"))]
    assert [name for name in names if "LICENSE" in name.upper() and "cryptography" in name]


def test_another_python_is_refused_in_one_sentence(verifier: Path, tmp_path: Path) -> None:
    """Machine code is for one version and platform; the file says so instead of failing with a riddle."""
    other = tmp_path / "other.pyz"
    with zipfile.ZipFile(verifier) as source, zipfile.ZipFile(other, "w") as target:
        for name in source.namelist():
            content = source.read(name)
            if name == "payload.json":
                content = json.dumps({**json.loads(content), "python": [3, 99]}).encode()
            target.writestr(name, content)
    code, answer, _ = _run(other, tmp_path)
    assert code == 2
    assert "is for Python 3.99" in answer["findings"][0]["message"]
    assert os.listdir(tmp_path) == ["other.pyz"]
