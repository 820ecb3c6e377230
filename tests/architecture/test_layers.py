"""Who may import whom, and whose the top-level names are."""

import ast
import importlib.metadata
import subprocess
import sys
from pathlib import Path

import pytest

from tests.vectors import REPOSITORY

TOP_LEVEL = ["api", "archive_core", "policies", "signing", "storage_backends"]
PORTLESS = {"flask", "boto3", "botocore", "pyhanko", "pyhanko_certvalidator", "apscheduler", "requests", "gunicorn"}


def lint_imports(directory: Path) -> subprocess.CompletedProcess[str]:
    """Run import-linter with the contracts of the repository on the packages in `directory`."""
    program = Path(sys.executable).parent / "lint-imports"
    return subprocess.run(
        [str(program), "--config", str(REPOSITORY / ".importlinter"), "--no-cache"],
        cwd=directory,
        env={"PYTHONPATH": str(directory), "PATH": "/usr/bin:/bin"},
        capture_output=True,
        text=True,
        check=False,
    )


def test_imports_point_inward() -> None:
    """Every contract of .importlinter is kept by the five packages."""
    result = lint_imports(REPOSITORY)

    assert result.returncode == 0, result.stdout + result.stderr
    assert "0 broken" in result.stdout


@pytest.mark.parametrize(
    ("module", "line", "contract"),
    [
        ("archive_core/wrong.py", "import signing", "Dependencies point inward"),
        ("archive_core/wrong.py", "import flask", "The core and the policies"),
        ("policies/wrong.py", "import archive_core", "Dependencies point inward"),
        ("policies/wrong.py", "import sqlalchemy", "Policies are pure"),
        ("signing/wrong.py", "import storage_backends", "Dependencies point inward"),
        ("storage_backends/wrong.py", "import api", "Dependencies point inward"),
        ("api/wrong.py", "import storage_backends", "Only the wiring"),
    ],
)
def test_an_import_that_points_outward_is_found(tmp_path: Path, module: str, line: str, contract: str) -> None:
    """The contracts can fail: one forbidden import in otherwise empty packages breaks the one that forbids it."""
    for name in TOP_LEVEL:
        (tmp_path / name).mkdir()
        (tmp_path / name / "__init__.py").touch()
    (tmp_path / "api" / "cli").mkdir()
    for name in (
        "wiring",
        "wiring_examination",
        "wiring_people",
        "wiring_lists",
        "wiring_signing",
        "wiring_webhooks",
        "home",
        "offline",
        "drill_world",
        "cli/__init__",
        "cli/examining",
    ):
        (tmp_path / "api" / f"{name}.py").touch()
    (tmp_path / module).write_text(f"{line}\n", encoding="utf-8")

    result = lint_imports(tmp_path)

    assert result.returncode == 1, result.stdout + result.stderr
    assert [said for said in result.stdout.splitlines() if said.startswith(contract) and said.endswith("BROKEN")]


def imported_names(source: str) -> set[str]:
    """Return the first component of every absolute import in `source`, wherever it stands."""
    names: set[str] = set()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            names.update(alias.name.split(".")[0] for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.level == 0 and node.module:
            names.add(node.module.split(".")[0])
    return names


@pytest.mark.parametrize("package", ["archive_core", "policies"])
def test_the_core_names_no_library_of_the_outside(package: str) -> None:
    """Not even a delayed import inside a function reaches for a network, a web server or pyHanko."""
    sources = sorted((REPOSITORY / package).rglob("*.py"))

    offenders = {
        str(path.relative_to(REPOSITORY)): names
        for path in sources
        if (names := imported_names(path.read_text(encoding="utf-8")) & PORTLESS)
    }

    assert sources, f"{package} holds no module: nothing was looked at"
    assert offenders == {}


@pytest.mark.parametrize("name", TOP_LEVEL)
def test_no_other_distribution_owns_our_name(name: str) -> None:
    """Each top-level package belongs to us alone, so no import can go astray."""
    owners = set(importlib.metadata.packages_distributions()[name])

    assert owners == {"trusted-archive"}


def test_the_migrations_folder_is_no_package() -> None:
    """alembic/ has no __init__.py, which would shadow the library of the same name."""
    assert (REPOSITORY / "alembic").is_dir()
    assert not (REPOSITORY / "alembic" / "__init__.py").exists()


def test_alembic_means_the_library() -> None:
    """From the root of the checkout, `import alembic.config` finds the installed library."""
    code = "import alembic.config, sys; sys.stdout.write(alembic.config.__file__)"
    done = subprocess.run([sys.executable, "-c", code], cwd=REPOSITORY, capture_output=True, text=True, check=True)

    assert not Path(done.stdout).is_relative_to(REPOSITORY / "alembic")
