"""What the product imports is declared, and what is declared is locked."""

import ast
import importlib.metadata
import re
import sys

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from tests.vectors import REPOSITORY

OURS = {"api", "archive_core", "policies", "signing", "storage_backends"}
LOCKS = ["requirements.txt", "requirements-dev.txt"]


def declared() -> dict[str, Requirement]:
    """Return the run-time requirements of the installed distribution by normalised name."""
    lines = importlib.metadata.requires("trusted-archive") or []
    requirements = [Requirement(line) for line in lines]
    return {canonicalize_name(requirement.name): requirement for requirement in requirements}


def locked(lock: str) -> dict[str, str]:
    """Return name and version of everything in a lock file."""
    text = (REPOSITORY / lock).read_text(encoding="utf-8")
    return {canonicalize_name(name): version for name, version in re.findall(r"^([\w.\-]+)==([^ \\]+)", text, re.M)}


def imported() -> dict[str, set[str]]:
    """Return each foreign top-level module that our packages import, with the files that do."""
    found: dict[str, set[str]] = {}
    for package in OURS:
        for path in (REPOSITORY / package).rglob("*.py"):
            for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
                names = []
                if isinstance(node, ast.Import):
                    names = [alias.name for alias in node.names]
                elif isinstance(node, ast.ImportFrom) and node.level == 0 and node.module:
                    names = [node.module]
                for name in (full.split(".")[0] for full in names):
                    if name not in sys.stdlib_module_names | OURS:
                        found.setdefault(name, set()).add(str(path.relative_to(REPOSITORY)))
    return found


def test_each_import_is_declared() -> None:
    """No module leans on a library that only happens to be installed with another."""
    distributions = importlib.metadata.packages_distributions()
    names = imported()

    undeclared = {
        name: files
        for name, files in names.items()
        if not {canonicalize_name(owner) for owner in distributions.get(name, [])} & set(declared())
    }

    assert "sqlalchemy" in names, "nothing was looked at"
    assert undeclared == {}


@pytest.mark.parametrize("lock", LOCKS)
def test_each_declared_library_is_locked_within_its_range(lock: str) -> None:
    """The version in the lock is one that setup.py says to work."""
    versions = locked(lock)

    assert declared(), "nothing was looked at"
    for name, requirement in declared().items():
        assert name in versions, f"{name} is not in {lock}; run: make lock"
        assert requirement.specifier.contains(versions[name]), f"{name} {versions[name]} is not {requirement.specifier}"


@pytest.mark.parametrize("lock", LOCKS)
def test_each_locked_library_has_hashes(lock: str) -> None:
    """Nothing is installed that was not pinned byte for byte, and no index is named."""
    text = (REPOSITORY / lock).read_text(encoding="utf-8")
    entries = re.split(r"^(?=[\w.\-]+==)", text, flags=re.M)[1:]

    assert len(entries) == len(locked(lock)) > 10
    assert [entry.split()[0] for entry in entries if "--hash=sha256:" not in entry] == []
    assert not re.search(r"index-url|find-links|https?://", text)


@pytest.mark.parametrize(("source", "lock"), [("requirements.in", LOCKS[0]), ("requirements-dev.in", LOCKS[1])])
def test_the_lock_was_made_from_its_source(source: str, lock: str) -> None:
    """Every pin of the source stands in the lock with the same version."""
    lines = (REPOSITORY / source).read_text(encoding="utf-8").splitlines()
    pins = [Requirement(re.sub(r"\s+#.*", "", line)) for line in lines if re.match(r"\w", line)]

    assert pins, "nothing was looked at"
    for pin in pins:
        assert pin.specifier.contains(locked(lock)[canonicalize_name(pin.name)]), f"{pin} is not in {lock}: make lock"


def test_both_locks_agree() -> None:
    """Tests run with the very versions that run in production."""
    production, development = (locked(lock) for lock in LOCKS)

    assert production.items() <= development.items()
