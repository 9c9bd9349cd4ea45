"""pytest plugin: in CI a test that was not run is a failure.

Loaded by ``make test`` with ``-p tests.no_skips``. A skipped test, a skipped module and a test
expected to fail all leave something unproven. Where the environment says ``CI=true`` any of them
fails the session; elsewhere they are pytest's to report.
"""

import os

import pytest


class NoSkips:
    """Collects what was skipped or expected to fail, and fails a session that has any."""

    def __init__(self) -> None:
        self.unproven: list[str] = []

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        if report.skipped or hasattr(report, "wasxfail"):
            self.unproven.append(report.nodeid)

    def pytest_collectreport(self, report: pytest.CollectReport) -> None:
        if report.skipped:
            self.unproven.append(report.nodeid)

    def pytest_sessionfinish(self, session: pytest.Session) -> None:
        if self.unproven and session.exitstatus == pytest.ExitCode.OK:
            session.exitstatus = pytest.ExitCode.TESTS_FAILED

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        if self.unproven:
            terminalreporter.section("not proven: in CI a skip is a failure", red=True)
            for nodeid in self.unproven:
                terminalreporter.line(nodeid)


def pytest_configure(config: pytest.Config) -> None:
    # An xdist worker reports to the controller, which alone decides.
    if os.environ.get("CI") == "true" and not hasattr(config, "workerinput"):
        config.pluginmanager.register(NoSkips(), "no-skips")
