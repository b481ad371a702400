"""A time in which tasks are paused: opened before a block of code and closed after it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Literal

from taurusdb_starrocks._decisions.convergence import Convergence, not_resumed
from taurusdb_starrocks._decisions.listing import find_all
from taurusdb_starrocks._decisions.polling import Chances, Patience
from taurusdb_starrocks._decisions.recording import Earlier, WindowRecorder
from taurusdb_starrocks._decisions.steps import Read, Record, Steps
from taurusdb_starrocks._errors import AlreadyPausedError, NotResumedError, ReplicationError
from taurusdb_starrocks._operations import CONFIGURATION, PAUSE, RESUME
from taurusdb_starrocks._tasks import Stage, Task

AlreadyPaused = Literal["keep", "resume", "error"]


class WindowSteps:
    """The steps of one window.

    Args:
        instance_id: Instance of the tasks.
        names: The tasks, each once.
        patience: How long to wait; once for pausing all, and again for resuming. Its recorder, if
            any, is one of windows.
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
        self._taken: set[str] = set()  # Tasks that an earlier window of the record left.
        self._late: dict[str, float] = {}  # Until when a pause of that one may take effect.
        recorder = patience.recorder
        self._recorder = recorder if isinstance(recorder, WindowRecorder) else None
        self._recording = False  # Whether the record is to be told that the window is over.

    @property
    def touched(self) -> list[str]:
        """The tasks that are to be resumed: those that may be paused by this window."""
        ours = set(self._taken)
        if self._opening is not None:
            ours.update(name for name, sent in self._opening.sent.items() if sent)
            # One that ran, refused to be paused, and was paused all the same, ran before it.
            ours |= self._opening.reached
            if not self.keeps:
                ours.update(self.found_paused)
        return [name for name in self._names if name in ours]

    @property
    def unfinished(self) -> bool:
        """Whether it is to be closed."""
        return self._recording or bool(self.touched)

    def open(self) -> Steps[Any]:
        """Pause the tasks that are not paused yet, and wait until all are.

        Returns:
            The tasks as they were seen, or what the recorder gives in their place.
        """
        if self._recorder is not None:
            self._recording = True
            yield from self._take_over((yield Record(self._recorder.opening)))
        opening = Convergence(PAUSE, self.instance_id, self._names, self._patience, self._chances)
        before = yield from find_all(
            self.instance_id, self._names, self._patience, self._chances, opening.deadline
        )
        paused = [name for name in self._names if before[name].stage is Stage.PAUSED]
        self.found_paused = tuple(name for name in paused if name not in self._taken)
        if self.found_paused and self._refuses:
            raise AlreadyPausedError(self.instance_id, self.found_paused)
        self._opening = opening  # What was found paused may be ours to resume by now.
        opening.skip(before)
        if self._recorder is not None:
            yield from self._tell(self._recorder, before, opening.deadline)
        yield from opening.request_all()
        after = yield from opening.wait()
        tasks = [after[name] for name in self._names]
        if self._recorder is not None:
            return (yield Record(self._recorder.opened, (tasks,)))
        return tasks

    def _take_over(self, earlier: Earlier) -> Steps[None]:
        """Make the tasks that were left ours, and wait for those that are being resumed.

        A resume that is under way would let such a task run inside of the block.
        """
        self._taken = earlier.names
        latest = self._chances.clock() + self._patience.settle
        self._late = {name: latest + left for name, left in earlier.pauses.items()}
        resuming = [n for n in self._names if n in earlier.accepted or n in earlier.unknown]
        if resuming:
            effort = self._resuming(resuming, earlier=earlier.about(resuming))
            yield from effort.request_all()
            yield from effort.wait()
            for error in effort.failed.values():
                raise error

    def _tell(
        self, recorder: WindowRecorder, before: Mapping[str, Task], deadline: float
    ) -> Steps[None]:
        """Tell the recorder what the tasks are before the first of them is paused."""
        tasks = [before[name] for name in self._names]
        for name in (yield Record(recorder.found, (tasks, self.found_paused))):
            try:
                configuration = yield Read(CONFIGURATION, self.instance_id, name, deadline)
            except ReplicationError:
                continue  # Not every service has it, and it is not needed.
            yield Record(recorder.configured, (name, configuration))

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
        if not self.unfinished:
            return
        try:
            yield from self._resume(interrupted=interrupted)
        finally:  # Whatever came of it, it is over.
            self._opening, self._recording = None, False
            self._taken = set()

    def _resume(self, *, interrupted: bool) -> Steps[None]:
        effort: Convergence | None = None
        held: BaseException | None = None  # The interrupt that is raised once all tasks run.
        ended: BaseException | None = None  # What ended the effort before it was complete.
        while True:
            try:
                if effort is None:
                    effort = yield from self._begin_closing()
                if interrupted:
                    effort.hurry()
                yield from effort.request_all()
                yield from effort.wait()
            except BaseException as error:  # noqa: BLE001  # It is raised when all is recorded.
                if interrupted or isinstance(error, Exception | GeneratorExit):
                    ended = error
                    break
                interrupted, held = True, error
            else:
                break
        if not isinstance(ended, Exception | None):
            held = held or ended
        failed = self._failed(effort, ended)
        still = yield from self._end_closing(effort, failed, held, ended)
        if still:
            raise self._not_resumed(still, held) from ended or failed[still[0]]
        last = held or (None if isinstance(ended, ReplicationError) else ended)
        if last is not None:
            raise last

    def _failed(
        self, effort: Convergence | None, ended: BaseException | None
    ) -> Mapping[str, ReplicationError]:
        """The tasks that are not known to run again, and why."""
        failed = {} if effort is None else effort.failed
        if ended is None:
            return failed
        cause = ended
        if not isinstance(cause, ReplicationError):
            cause = ReplicationError(f"The resume was interrupted by {type(ended).__name__}.")
        left = (self.touched if effort is None else effort.left) or self._names
        return {name: failed.get(name, cause) for name in left}

    def _begin_closing(self) -> Steps[Convergence]:
        """Make the effort that resumes the tasks: those that the recorder leaves to this window."""
        names = self.touched
        if self._recorder is not None:
            ours = yield Record(self._recorder.closing, (names,))
            names = [name for name in names if name in ours]
        return self._closing(names)

    def _end_closing(
        self,
        effort: Convergence | None,
        failed: Mapping[str, ReplicationError],
        held: BaseException | None,
        ended: BaseException | None,
    ) -> Steps[list[str]]:
        """Tell the recorder how it ended; return the tasks that are not known to run."""
        left = list(failed)
        if self._recorder is None:
            return left
        seen = [] if effort is None else list(effort.seen.values())
        last = (failed, [task for task in seen if task.name not in failed])
        try:
            if isinstance(ended, GeneratorExit):  # Nothing can be awaited anymore.
                still = self._recorder.closed(*last)
            else:
                still = yield Record(self._recorder.closed, last)
        except ReplicationError as error:
            if held is not None:
                raise held from error
            raise
        except BaseException as interrupt:
            if left:
                raise self._not_resumed(left, held or interrupt) from interrupt
            raise
        return [name for name in left if name in still]

    def _closing(self, names: Sequence[str]) -> Convergence:
        if self._opening is None:
            return self._resuming(names)
        sent, reached = self._opening.sent, self._opening.reached
        return self._resuming(
            names,
            unseen=[name for name in names if sent[name] and name not in reached],
            late=self._late
            | {n: sent[n][-1] + self._patience.settle for n in names if sent[n][1:]},
        )

    def _resuming(self, names: Sequence[str], **known: Any) -> Convergence:
        return Convergence(
            RESUME,
            self.instance_id,
            names,
            self._patience,
            self._chances,
            stubborn=True,
            **known,
        )

    def left_open(self) -> NotResumedError:
        """The error of a window that cannot be closed any more."""
        return self._not_resumed(self.touched, None)

    def _not_resumed(
        self, names: Sequence[str], interrupt: BaseException | None
    ) -> NotResumedError:
        error = not_resumed(self.instance_id, names)
        error.block_error = interrupt
        return error


def with_block_error(failure: BaseException, block_error: BaseException | None) -> BaseException:
    """What closing a window came to, told what had ended the block."""
    if isinstance(failure, NotResumedError):
        failure.block_error = block_error or failure.block_error
        if failure.block_error is not None:
            failure.add_note(f"The block ended with {type(failure.block_error).__name__}.")
    return failure
