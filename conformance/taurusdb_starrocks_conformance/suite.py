"""The suite as an object, for pytest and other programs."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import Any

from .apps import served
from .reports import write
from .run import EXAMPLES, Outcome, Run, drawn_seed
from .target import Target


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
        settings: More attributes of `Target`.
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
        **settings: Any,
    ) -> None:
        self.strict = strict
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

        Raises:
            CannotRunError: The server could not be tested.
            RuntimeError: The app does not start.
        """
        seed = drawn_seed() if self._seed is None else self._seed
        with self._setup() or nullcontext(), self._url() as url:
            target = Target(url=url, **self._settings)
            outcome = Run(target, seed=seed, examples=self._examples).go()
        if self._reports is not None:
            write(outcome, self._reports, strict=self.strict)
        return outcome

    def _url(self) -> AbstractContextManager[str]:
        return (
            nullcontext(self._app.rstrip("/")) if isinstance(self._app, str) else served(self._app)
        )
