"""Nothing is left out in silence: a pytest plugin.

The rules this module keeps:

* With CI=true a skip or an expected failure is a failure, wherever it was raised (test, set-up, collection).
* With CI=true the slow tests run as well; elsewhere only with --slow. Soaks, which take hours, run only with
  --soak (`make soak`), never as a part of anything else.
* Elsewhere the run ends with a section that names what was not run, how often, and why.
* A run in which nothing was tested fails, as pytest's exit code 5.
"""

from collections import Counter
from collections.abc import Generator

import pytest

from tests.vectors import VECTORS, in_ci

_LEFT_OUT = "tests_left_out_because_slow"
_SOAKS = "soaks_left_out"


def add_options(parser: pytest.Parser) -> None:
    """Declare --slow."""
    parser.addoption("--slow", action="store_true", help="run the slow tests too (always so with CI=true)")
    parser.addoption("--soak", action="store_true", help="run the soaks too, which take hours (make soak)")


def fail_if_left_out(report: pytest.TestReport | pytest.CollectReport) -> None:
    """Turn a skip, an expected failure or an unexpected pass into a failure that keeps its reason."""
    expected_failure = getattr(report, "wasxfail", None)
    if expected_failure is not None:
        del report.wasxfail
        reason = f"expected failure: {expected_failure}"
    elif report.outcome == "skipped":
        reason = skip_reason(report)
    else:
        return
    report.outcome = "failed"
    report.longrepr = f"with CI=true nothing may be left out, but this was: {reason}"


def skip_reason(report: pytest.TestReport | pytest.CollectReport) -> str:
    """Return why `report` was skipped, without pytest's prefix."""
    longrepr = report.longrepr
    text = longrepr[2] if isinstance(longrepr, tuple) else str(longrepr)
    return text.removeprefix("Skipped: ").strip()


def _only_slow(item: pytest.Item) -> bool:
    """Whether a test is slow and no soak: a soak that was asked for runs, also where its whole module is slow."""
    return bool(item.get_closest_marker("slow")) and not item.get_closest_marker("soak")


class Completeness:
    """Enforces the rules above in one pytest session; with xdist, in the controller and in each worker."""

    def __init__(self, config: pytest.Config) -> None:
        self._config = config
        self._ci = in_ci()
        self._with_slow = self._ci or bool(config.getoption("--slow"))
        self._with_soak = bool(config.getoption("--soak"))
        self._left_out = 0
        self._soaks = 0

    def pytest_collection_modifyitems(self, config: pytest.Config, items: list[pytest.Item]) -> None:
        """Leave out the slow tests unless they were asked for, and the soaks unless they were."""
        if not self._with_soak and (soaks := [item for item in items if item.get_closest_marker("soak")]):
            self._soaks = len(soaks)
            items[:] = [item for item in items if not item.get_closest_marker("soak")]
            config.hook.pytest_deselected(items=soaks)
        if self._with_slow:
            return
        if slow := [item for item in items if _only_slow(item)]:
            self._left_out = len(slow)
            items[:] = [item for item in items if not _only_slow(item)]
            config.hook.pytest_deselected(items=slow)

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_makereport(self) -> Generator[None, pytest.TestReport, pytest.TestReport]:
        """With CI=true, fail what was skipped while it ran."""
        report = yield
        if self._ci:
            fail_if_left_out(report)
        return report

    @pytest.hookimpl(wrapper=True)
    def pytest_make_collect_report(self) -> Generator[None, pytest.CollectReport, pytest.CollectReport]:
        """With CI=true, fail what was skipped while it was collected."""
        report = yield
        if self._ci:
            fail_if_left_out(report)
        return report

    def pytest_sessionfinish(self, session: pytest.Session) -> None:
        """Tell the xdist controller what this worker left out."""
        output = getattr(session.config, "workeroutput", None)
        if output is not None:
            output[_LEFT_OUT] = self._left_out
            output[_SOAKS] = self._soaks

    @pytest.hookimpl(optionalhook=True)
    def pytest_testnodedown(self, node: object) -> None:
        """Hear from a worker; all workers collect the same tests, so the counts are equal and not added."""
        output = getattr(node, "workeroutput", {})
        self._left_out = max(self._left_out, output.get(_LEFT_OUT, 0))
        self._soaks = max(self._soaks, output.get(_SOAKS, 0))

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        """Name what was not run, and why."""
        reasons: Counter[str] = Counter()
        for outcome in ("skipped", "xfailed"):
            for report in terminalreporter.stats.get(outcome, []):
                reasons[getattr(report, "wasxfail", None) or skip_reason(report)] += 1
        if self._left_out:
            reasons["slow (run them with: make test SLOW=1)"] += self._left_out
        if self._soaks:
            reasons["soak, minutes to hours each (run them with: make soak)"] += self._soaks
        if not VECTORS.is_dir():
            terminalreporter.write_line(f"The third-party vectors are not there ({VECTORS}).", yellow=True)
        if not reasons:
            terminalreporter.write_line("Nothing was left out of what was asked for.")
            return
        terminalreporter.section("Not run, and why", sep="-", yellow=True)
        for reason, count in reasons.most_common():
            terminalreporter.write_line(f"{count:5d}  {reason}")
