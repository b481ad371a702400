"""The suite in pytest: a hook returns what to test, and each check is a test.

In a `conftest.py`:

    def pytest_starrocks_conformance():
        return Suite(app, token=…, project_id=…, instance_id=…, task_name=…)

The suite is imported only if the hook is implemented.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from .run import Outcome
    from .suite import Suite

OUTCOMES = pytest.StashKey[list["Outcome"]]()


class Hooks:
    """The hook that a `conftest.py` implements."""

    def pytest_starrocks_conformance(self) -> Suite:
        """Return the suite to run, with the app or the URL to test."""
        raise NotImplementedError


def pytest_addhooks(pluginmanager: pytest.PytestPluginManager) -> None:
    """Register the hook."""
    pluginmanager.add_hookspecs(Hooks)


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the option."""
    group = parser.getgroup("starrocks conformance")
    group.addoption(
        "--conformance-strict",
        action="store_true",
        help="also fail on warnings (common habits of web frameworks)",
    )


def pytest_configure(config: pytest.Config) -> None:
    """Register the marker, which selects or deselects the suite."""
    config.addinivalue_line("markers", "conformance: a check of the StarRocks conformance suite.")
    config.stash[OUTCOMES] = []


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(
    session: pytest.Session, config: pytest.Config, items: list[pytest.Item]
) -> None:
    """Add the checks, unless single files or tests are selected."""
    if all("::" in argument or argument.endswith(".py") for argument in config.args):
        return
    for number, suite in enumerate(config.hook.pytest_starrocks_conformance()):
        name = "conformance" if number == 0 else f"conformance-{number + 1}"
        items += Checks.from_parent(session, name=name, suite=suite).collect()


class Checks(pytest.Collector):
    """The checks of one suite. The suite runs once, with the first check."""

    def __init__(self, *, suite: Suite, **settings: Any) -> None:
        super().__init__(**settings)
        self.suite = suite
        self._outcome: Outcome | None = None
        self._error: Exception | None = None

    def collect(self) -> Iterator[pytest.Item]:
        """A test for each check."""
        from .checks import CHECKS  # noqa: PLC0415 - only where the suite is used

        for check in CHECKS:
            item = Check.from_parent(self, name=check)
            item.add_marker("conformance")
            yield item

    @property
    def strict(self) -> bool:
        """Whether warnings are failures."""
        return self.suite.strict or bool(self.config.getoption("--conformance-strict"))

    def outcome(self) -> Outcome:
        """The outcome of the run. If the run fails, each check raises the error."""
        from .suite import NotRestoredError  # noqa: PLC0415 - only where the suite is used

        if self._error is not None:
            raise self._error
        if self._outcome is None:
            try:
                self._refuse_workers()
                self._outcome = self.suite.run()
            except NotRestoredError as error:
                self._outcome = error.outcome
            except Exception as error:
                self._error = error
                raise
            self.config.stash[OUTCOMES].append(self._outcome)
        return self._outcome

    def _refuse_workers(self) -> None:
        """Several workers of pytest-xdist would pause and resume the same task at the same time."""
        from .target import CannotRunError  # noqa: PLC0415 - only where the suite is used

        workers = getattr(self.config, "workerinput", {}).get("workercount", 1)
        if workers > 1 and self.suite.url is not None:
            raise CannotRunError(
                f"{workers} workers would test {self.suite.url} at the same time. Run pytest with "
                "-n 0, or leave the suite out with -m 'not conformance'"
            )


class Check(pytest.Item):
    """One check. It fails if any of its findings is a failure.

    If the task could not be restored, every check fails and says so.
    """

    parent: Checks

    def runtest(self) -> None:
        """Fail with all findings of the check."""
        from .findings import Level  # noqa: PLC0415 - only where the suite is used
        from .reports import shown  # noqa: PLC0415 - as above

        outcome = self.parent.outcome()
        found = [finding for finding in outcome.findings if finding.check == self.name]
        if warnings := [finding for finding in found if finding.level is Level.WARNING]:
            self.add_report_section("call", "conformance warnings", shown(outcome, warnings))
        failing = found if self.parent.strict else [f for f in found if f not in warnings]
        reasons = [shown(outcome, failing)] if failing else []
        if outcome.not_restored is not None:
            reasons.append(outcome.not_restored)
        if reasons:
            pytest.fail("\n".join(reasons), pytrace=False)

    def reportinfo(self) -> tuple[Any, None, str]:
        """The name in reports."""
        return self.path, None, f"{self.parent.name}: {self.name}"


def pytest_terminal_summary(terminalreporter: Any, config: pytest.Config) -> None:
    """Print the result of each run and its warnings."""
    for outcome in config.stash[OUTCOMES]:
        strict = bool(config.getoption("--conformance-strict"))
        terminalreporter.write_line(f"{outcome.verdict(strict=strict)}, seed {outcome.seed}")
        for finding in outcome.warnings:
            terminalreporter.write_line(f"  warning: {finding.title} ({finding.message})")
