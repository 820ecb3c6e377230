"""Nothing is left out in silence: the plugin of tests/completeness.py, in runs of its own."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.sampling import quick_first
from tests.vectors import REPOSITORY

CONFTEST = """
from tests import completeness

def pytest_addoption(parser):
    completeness.add_options(parser)

def pytest_configure(config):
    config.addinivalue_line("markers", "slow: slow")
    config.addinivalue_line("markers", "soak: soak")
    config.pluginmanager.register(completeness.Completeness(config), "completeness")
"""

LEFT_OUT = {
    "skip while running": "import pytest\ndef test_it():\n    pytest.skip('no printer here')\n",
    "skip mark": "import pytest\n@pytest.mark.skip(reason='no printer here')\ndef test_it():\n    pass\n",
    "skip in set-up": (
        "import pytest\n@pytest.fixture\ndef printer():\n    pytest.skip('no printer here')\n"
        "def test_it(printer):\n    pass\n"
    ),
    "skip of a module": (
        "import pytest\npytest.skip('no printer here', allow_module_level=True)\ndef test_it():\n    pass\n"
    ),
    "import or skip": (
        "import pytest\npytest.importorskip('no_printer', reason='no printer here')\ndef test_it():\n    pass\n"
    ),
    "expected failure": (
        "import pytest\n@pytest.mark.xfail(reason='no printer here')\ndef test_it():\n    assert False\n"
    ),
    "failure expected while running": "import pytest\ndef test_it():\n    pytest.xfail('no printer here')\n",
    "absent vectors": "from tests.vectors import suite\ndef test_it():\n    suite('no printer here')\n",
}
RUNNERS = {"alone": [], "under xdist": ["-p", "xdist", "-n", "1"]}


def run(directory: Path, source: str, *arguments: str, ci: bool) -> subprocess.CompletedProcess[str]:
    """Run pytest on `source` beside one test that passes, in a directory of its own."""
    (directory / "conftest.py").write_text(CONFTEST, encoding="utf-8")
    (directory / "test_other.py").write_text("def test_other():\n    pass\n", encoding="utf-8")
    (directory / "test_source.py").write_text(source, encoding="utf-8")
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("PYTEST", "CI"))}
    environment |= {"PYTHONPATH": str(REPOSITORY), "COLUMNS": "200"} | ({"CI": "true"} if ci else {})
    environment["PYTEST_DISABLE_PLUGIN_AUTOLOAD"] = "1"  # only what is under test, which is also much faster
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", f"--rootdir={directory}", *arguments]
    return subprocess.run(command, cwd=directory, env=environment, capture_output=True, text=True, check=False)


@pytest.mark.parametrize("runner", quick_first(RUNNERS))
@pytest.mark.parametrize("what", LEFT_OUT)
def test_in_ci_what_is_left_out_fails(tmp_path: Path, what: str, runner: str) -> None:
    """With CI=true no way of leaving a test out ends well, and the reason is shown."""
    result = run(tmp_path, LEFT_OUT[what], *RUNNERS[runner], ci=True)

    assert result.returncode in {1, 2}, result.stdout + result.stderr
    assert "no printer here" in result.stdout


@pytest.mark.parametrize("what", LEFT_OUT)
def test_elsewhere_what_is_left_out_is_named(tmp_path: Path, what: str) -> None:
    """Locally the run passes and its last section names the reason."""
    result = run(tmp_path, LEFT_OUT[what], ci=False)

    assert result.returncode == 0, result.stdout + result.stderr
    assert "no printer here" in result.stdout.partition("Not run, and why")[2]


@pytest.mark.parametrize("runner", quick_first(RUNNERS))
@pytest.mark.parametrize("ci", [False, True])
def test_soaks_are_left_out_everywhere_and_counted(tmp_path: Path, runner: str, ci: bool) -> None:
    """Also where nothing else is left out; the run says how to run them."""
    source = "import pytest\n@pytest.mark.soak\ndef test_it():\n    assert False\n"
    result = run(tmp_path, source, *RUNNERS[runner], ci=ci)

    assert result.returncode == 0, result.stdout + result.stderr
    assert "1  soak" in result.stdout.partition("Not run, and why")[2]


def test_a_soak_that_is_asked_for_runs_in_a_slow_module_too(tmp_path: Path) -> None:
    """`make soak` does not ask for the slow tests, and leaves out no soak because all of its module is slow."""
    source = (
        "import pytest\npytestmark = pytest.mark.slow\n@pytest.mark.soak\ndef test_it():\n    assert False, 'it ran'\n"
    )

    result = run(tmp_path, source, "--soak", "-m", "soak", ci=False)

    assert result.returncode == 1
    assert "it ran" in result.stdout


@pytest.mark.parametrize("runner", RUNNERS)
def test_elsewhere_slow_tests_are_counted(tmp_path: Path, runner: str) -> None:
    """A slow test is left out of the quick suite, with a number and the way to run it."""
    source = "import pytest\n@pytest.mark.slow\ndef test_it():\n    assert False\n"

    result = run(tmp_path, source, *RUNNERS[runner], ci=False)

    assert result.returncode == 0, result.stdout + result.stderr
    assert "1  slow (run them with" in result.stdout


@pytest.mark.parametrize(("arguments", "ci"), [(["--slow"], False), ([], True)], ids=["asked for", "in CI"])
def test_slow_tests_run_when_asked_for_and_in_ci(tmp_path: Path, arguments: list[str], ci: bool) -> None:
    """--slow and CI=true both run the slow tests."""
    source = "import pytest\n@pytest.mark.slow\ndef test_it():\n    assert False, 'it ran'\n"

    result = run(tmp_path, source, *arguments, ci=ci)

    assert result.returncode == 1
    assert "it ran" in result.stdout


def test_an_expected_failure_that_passes_fails_in_ci(tmp_path: Path) -> None:
    """A test that no longer fails must lose its mark."""
    source = "import pytest\n@pytest.mark.xfail(reason='no printer here')\ndef test_it():\n    pass\n"

    result = run(tmp_path, source, ci=True)

    assert result.returncode == 1
    assert "no printer here" in result.stdout


@pytest.mark.parametrize("runner", RUNNERS)
def test_a_run_without_tests_fails(tmp_path: Path, runner: str) -> None:
    """Looking at nothing is no success."""
    result = run(tmp_path, "", "test_source.py", *RUNNERS[runner], ci=True)

    assert result.returncode == 5


def test_a_complete_run_passes_in_ci(tmp_path: Path) -> None:
    """What leaves nothing out is good."""
    result = run(tmp_path, "def test_it():\n    pass\n", ci=True)

    assert result.returncode == 0, result.stdout + result.stderr
    assert "2 passed" in result.stdout
