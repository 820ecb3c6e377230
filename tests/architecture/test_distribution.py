"""What is installed is what is in the checkout."""

import shutil
import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path

import pytest

from tests.vectors import REPOSITORY

PACKAGES = ["api", "archive_core", "policies", "signing", "storage_backends"]
SOURCES = [*PACKAGES, "alembic", "setup.py", "pyproject.toml", "MANIFEST.in", "README.md", "LICENSE"]


def held(folder: str) -> set[str]:
    """Return the paths of all files that `folder` of the checkout holds, without what Python caches."""
    files = (path for path in (REPOSITORY / folder).rglob("*") if path.is_file())
    return {str(path.relative_to(REPOSITORY)) for path in files if "__pycache__" not in path.parts}


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> set[str]:
    """The names inside a wheel built from a copy of the checkout, with no access to an index."""
    source, target = tmp_path_factory.mktemp("source"), tmp_path_factory.mktemp("wheel")
    for name in SOURCES:
        origin = REPOSITORY / name
        if origin.is_dir():
            shutil.copytree(origin, source / name, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy(origin, source / name)
    return names_of_wheel(source, target)


def names_of_wheel(source: Path, target: Path) -> set[str]:
    command = [sys.executable, "-m", "pip", "wheel", "-q", "--no-index", "--no-deps", "--no-build-isolation"]
    done = subprocess.run(
        [*command, "-w", str(target), str(source)], cwd=target, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    (built,) = target.glob("trusted_archive-*.whl")
    with zipfile.ZipFile(built) as archive:
        return set(archive.namelist())


@pytest.mark.parametrize("package", PACKAGES)
def test_the_wheel_holds_every_file_of_a_package(wheel: set[str], package: str) -> None:
    """Modules, published profiles, texts: nothing that a package reads at run time stays behind."""
    expected = held(package)

    assert expected, f"{package} is empty: nothing was looked at"
    assert expected - wheel == set()


def test_the_wheel_holds_the_migrations_as_data(wheel: set[str]) -> None:
    """Migrations arrive under share/, since alembic/ must not be a package."""
    prefix = next(name for name in wheel if name.endswith("/alembic/env.py")).removesuffix("alembic/env.py")
    expected = held("alembic")

    assert prefix.endswith(".data/data/share/trusted-archive/")
    assert any(name.startswith("alembic/versions/") for name in expected)
    assert {prefix + name for name in expected} - wheel == set()


def test_the_wheel_holds_nothing_but_our_packages(wheel: set[str]) -> None:
    """No tests and no stray top-level module are installed into somebody's environment."""
    top_level = {Path(name).parts[0] for name in wheel}

    assert {name for name in top_level if not name.startswith("trusted_archive-")} == set(PACKAGES)


NOT_FOR_PACKAGERS = {".ci", ".git", ".gitattributes", ".gitignore", ".pre-commit-config.yaml"}
"""What serves a checkout only."""
MADE = ("__pycache__", "build", "dist", "*.egg-info", ".venv", ".*_cache", "site", ".git", ".hypothesis", "*.pyc")


@pytest.mark.slow
def test_the_source_distribution_holds_what_a_packager_needs(wheel: set[str], tmp_path: Path) -> None:
    """Everything of the checkout: sources, tests, documentation, deployment, clients; and the wheel that is built of it
    is the one that is built of the checkout."""
    if not (REPOSITORY / ".git").exists():
        pytest.skip("needs a checkout to compare with")
    source = tmp_path / "checkout"
    shutil.copytree(REPOSITORY, source, ignore=shutil.ignore_patterns(*MADE), symlinks=True)
    build = "import sys; from setuptools import build_meta; build_meta.build_sdist(sys.argv[1])"
    done = subprocess.run(
        [sys.executable, "-c", build, str(tmp_path)], cwd=source, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    (made,) = tmp_path.glob("trusted_archive-*.tar.gz")
    with tarfile.open(made) as archive:
        archive.extractall(tmp_path / "unpacked", filter="data")
    (root,) = (tmp_path / "unpacked").iterdir()
    there = {str(path.relative_to(root)) for path in root.rglob("*") if path.is_file()}
    listed = subprocess.run(
        ["git", "ls-files", "-z"], cwd=REPOSITORY, capture_output=True, text=True, check=True
    ).stdout.split("\0")
    expected = {name for name in listed if name and name.split("/")[0] not in NOT_FOR_PACKAGERS}

    assert {"deploy", "docs", "clients", "examples", "tests"} <= {name.split("/")[0] for name in expected}
    assert expected - there == set()
    (tmp_path / "wheels").mkdir()
    assert names_of_wheel(root, tmp_path / "wheels") == wheel
