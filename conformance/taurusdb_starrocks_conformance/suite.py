"""The suite as an object, for pytest and other programs."""

from __future__ import annotations

import signal
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import Any

from .apps import served
from .reports import write
from .run import EXAMPLES, Outcome, Run, drawn_seed
from .target import CannotRunError, Target, checked_target


class NotRestoredError(CannotRunError):
    """The task could not be restored to its original stage. The text says what to do.

    Attributes:
        outcome: The result of the run.
    """

    def __init__(self, outcome: Outcome) -> None:
        super().__init__(outcome.not_restored)
        self.outcome = outcome


class Suite:
    """The conformance suite for one server.

    Args:
        app: An ASGI or WSGI app, which is served from this process, or the URL of a server.
        token: Value of `X-Auth-Token`.
        project_id: The project of the token.
        instance_id: A StarRocks instance of the project.
        task_name: A task of the instance. It is paused and resumed many times.
        setup: Returns a context manager that surrounds the run. Create your test data in it.
        strict: Whether warnings fail the run.
        seed: Seed of all random values; random by default.
        examples: Number of random examples for each operation. Fewer are faster.
        reports: Folder for reports; by default none are written.
        confirm: Whether a server on another machine may be tested. It is then sent two requests per
            second, and gets more time, unless the settings say otherwise.
        settings: More attributes of `Target`.

    Attributes:
        strict: Whether warnings are failures.
        url: URL of the server; None for an app.
    """

    def __init__(
        self,
        app: Any,
        *,
        token: str,
        project_id: str,
        instance_id: str,
        task_name: str,
        setup: Callable[[], AbstractContextManager[Any] | None] = nullcontext,
        strict: bool = False,
        seed: int | None = None,
        examples: int = EXAMPLES,
        reports: str | Path | None = None,
        confirm: bool = False,
        **settings: Any,
    ) -> None:
        self.strict = strict
        self.url = app.rstrip("/") if isinstance(app, str) else None
        self._confirm = confirm
        self._app = app
        self._setup = setup
        self._seed = seed
        self._examples = examples
        self._reports = None if reports is None else Path(reports)
        self._settings = settings | {
            "token": token,
            "project_id": project_id,
            "instance_id": instance_id,
            "task_name": task_name,
        }

    def __repr__(self) -> str:
        return f"Suite({self._app!r})"

    def run(self) -> Outcome:
        """Serve the app, run all tests, and return the outcome.

        If a signal interrupted the run, it is raised again after the task was restored.

        Raises:
            CannotRunError: The server could not be tested.
            NotRestoredError: The task could not be restored to its original stage.
            RuntimeError: The app does not start.
        """
        seed = drawn_seed() if self._seed is None else self._seed
        if self.url is not None:
            self._target(self.url)  # Raises before the setup.
        with self._setup() or nullcontext(), self._served() as url:
            target = self._target(url)
            run = Run(target, seed=seed, examples=self._examples)
            try:
                run.go()
            finally:
                if self._reports is not None and run.began:
                    write(run.outcome, self._reports, strict=self.strict)
        outcome = run.outcome
        if outcome.not_restored is not None:
            raise NotRestoredError(outcome)
        if outcome.interrupted is not None:
            signal.raise_signal(outcome.interrupted)
        return outcome

    def _target(self, url: str) -> Target:
        return checked_target(url, confirm=self._confirm, **self._settings)

    def _served(self) -> AbstractContextManager[str]:
        return served(self._app) if self.url is None else nullcontext(self.url)
