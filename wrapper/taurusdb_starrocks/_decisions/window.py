"""A time in which tasks are paused: opened before a block of code and closed after it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

from taurusdb_starrocks._decisions.convergence import Convergence
from taurusdb_starrocks._decisions.listing import find_all
from taurusdb_starrocks._decisions.polling import Chances, Patience
from taurusdb_starrocks._decisions.steps import Steps
from taurusdb_starrocks._errors import AlreadyPausedError, NotResumedError
from taurusdb_starrocks._operations import PAUSE, RESUME
from taurusdb_starrocks._tasks import Stage, Task

AlreadyPaused = Literal["keep", "resume", "error"]


class WindowSteps:
    """The steps of one window.

    Args:
        instance_id: Instance of the tasks.
        names: The tasks, each once.
        patience: How long to wait; once for pausing all, and again for resuming.
        chances: Where time and chance come from.
        already_paused: What becomes of tasks that are found paused: they stay so, they are resumed
            with the others, or the window does not open.

    Attributes:
        found_paused: Names of the tasks that were found paused.
        keeps: Whether these stay paused.
    """

    def __init__(
        self,
        instance_id: str,
        names: Sequence[str],
        patience: Patience,
        chances: Chances,
        already_paused: AlreadyPaused,
    ) -> None:
        self.instance_id = instance_id
        self.found_paused: tuple[str, ...] = ()
        self.keeps = already_paused != "resume"
        self._refuses = already_paused == "error"
        self._names = names
        self._patience = patience
        self._chances = chances
        self._opening: Convergence | None = None  # Only while tasks may be paused by this window.

    @property
    def touched(self) -> list[str]:
        """The tasks that are to be resumed: those that may be paused by this window."""
        if self._opening is None:
            return []
        ours = {name for name, sent in self._opening.sent.items() if sent}
        # One that ran, refused to be paused, and was paused all the same, ran before the window.
        ours |= self._opening.reached
        if not self.keeps:
            ours.update(self.found_paused)
        return [name for name in self._names if name in ours]

    def open(self) -> Steps[list[Task]]:
        """Pause the tasks that are not paused yet, and wait until all are."""
        opening = Convergence(PAUSE, self.instance_id, self._names, self._patience, self._chances)
        before = yield from find_all(
            self.instance_id, self._names, self._patience, self._chances, opening.deadline
        )
        self.found_paused = tuple(n for n in self._names if before[n].stage is Stage.PAUSED)
        if self.found_paused and self._refuses:
            raise AlreadyPausedError(self.instance_id, self.found_paused)
        self._opening = opening  # What was found paused may be ours to resume by now.
        opening.skip(before)
        yield from opening.request_all()
        after = yield from opening.wait()
        return [after[name] for name in self._names]

    def close(self, *, interrupted: bool) -> Steps[None]:
        """Resume the tasks that may have been paused here, and wait until they run.

        The first interrupt or cancellation does not stop it: a request to resume is still sent for
        every task, and then it waits for ``settle`` seconds at most. The next one ends it.

        Args:
            interrupted: Whether an interrupt ended the block, so that the next one ends this.

        Raises:
            NotResumedError: A task is not known to run again.
            BaseException: The interrupt that was held back, when all tasks run.
        """
        if not self.touched:
            return
        try:
            yield from self._resume(interrupted=interrupted)
        finally:
            self._opening = None  # Whatever came of it, it is over.

    def _resume(self, *, interrupted: bool) -> Steps[None]:
        effort = self._closing()
        held: BaseException | None = None
        if interrupted:
            effort.hurry()
        while True:
            try:
                yield from effort.request_all()
                yield from effort.wait()
                break
            except Exception as error:  # Whatever it is, the tasks must be named.
                raise self._not_resumed(effort.left, held) from error
            except BaseException as interrupt:  # Raised again, or as the cause.
                if interrupted or isinstance(interrupt, GeneratorExit):
                    raise self._not_resumed(effort.left, held or interrupt) from interrupt
                interrupted, held = True, interrupt
                effort.hurry()
        if effort.failed:
            first = next(iter(effort.failed.values()))
            raise self._not_resumed(effort.left, held) from first
        if held is not None:
            raise held

    def _closing(self) -> Convergence:
        assert self._opening is not None
        sent, reached = self._opening.sent, self._opening.reached
        return Convergence(
            RESUME,
            self.instance_id,
            self.touched,
            self._patience,
            self._chances,
            stubborn=True,
            unseen=[name for name, times in sent.items() if times and name not in reached],
            late={n: times[-1] + self._patience.settle for n, times in sent.items() if times[1:]},
        )

    def left_open(self) -> NotResumedError:
        """The error of a window that cannot be closed any more."""
        return self._not_resumed(self.touched, None)

    def _not_resumed(
        self, names: Sequence[str], interrupt: BaseException | None
    ) -> NotResumedError:
        lines = "; ".join(
            f"client.ensure_running({self.instance_id!r}, {name!r})" for name in names
        )
        error = NotResumedError(
            f"May still be paused: {', '.join(names)}. A task that stays paused longer than the "
            "source keeps its binary log cannot catch up. Read its stage, and resume it by hand, "
            "once more if a pause that is under way stops it afterwards: "
            f"{lines}",
            instance_id=self.instance_id,
            task_names=names,
        )
        error.task_name = names[0]
        error.block_error = interrupt
        return error


def with_block_error(failure: BaseException, block_error: BaseException | None) -> BaseException:
    """What closing a window came to, told what had ended the block."""
    if isinstance(failure, NotResumedError):
        failure.block_error = block_error or failure.block_error
        if failure.block_error is not None:
            failure.add_note(f"The block ended with {type(failure.block_error).__name__}.")
    return failure
