"""A window: tasks are paused before a block of code, and resumed after it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Literal

from taurusdb_starrocks._decisions.convergence import Convergence
from taurusdb_starrocks._decisions.ensuring import not_resumed, raise_last
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
        chances: Clock and random numbers.
        already_paused: What to do with tasks that are paused before: leave them paused, resume them
            with the others, or do not open the window.

    Attributes:
        found_paused: Names of the tasks that were paused before.
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
        self._opening: Convergence | None = None  # None unless this window may have paused tasks.
        self._taken: set[str] = set()  # Tasks that an earlier window of the record left paused.
        self._late: dict[str, float] = {}  # Until when a pause of that window may take effect.
        recorder = patience.recorder
        self._recorder = recorder if isinstance(recorder, WindowRecorder) else None
        self._recording = False  # Whether the recorder must be told when the window ends.

    @property
    def touched(self) -> list[str]:
        """The tasks that must be resumed: those that this window may have paused."""
        ours = set(self._taken)
        if self._opening is not None:
            ours.update(name for name, sent in self._opening.sent.items() if sent)
            # A task that ran, and was paused although the request failed, must be resumed.
            ours |= self._opening.reached
            if not self.keeps:
                ours.update(self.found_paused)
        return [name for name in self._names if name in ours]

    @property
    def unfinished(self) -> bool:
        """Whether it must be closed."""
        return self._recording or bool(self.touched)

    def open(self) -> Steps[Any]:
        """Pause the tasks that are not paused yet, and wait until all are.

        Returns:
            The tasks as last polled, or what the recorder returns instead.
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
        self._opening = (
            opening  # From here on, tasks that were paused before may have to be resumed.
        )
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
        """Take over the tasks that an earlier window left, and wait for pending resumes.

        Otherwise such a resume could take effect inside the block.
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
            raise_last(None, effort.callback_error)

    def _tell(
        self, recorder: WindowRecorder, before: Mapping[str, Task], deadline: float
    ) -> Steps[None]:
        """Tell the recorder what the tasks are before the first of them is paused."""
        tasks = [before[name] for name in self._names]
        for name in (yield Record(recorder.found, (tasks, self.found_paused))):
            try:
                configuration = yield Read(CONFIGURATION, self.instance_id, name, deadline)
            except ReplicationError:
                continue  # Not every service has this call, and it is optional.
            yield Record(recorder.configured, (name, configuration))

    def close(self, *, interrupted: bool) -> Steps[None]:
        """Resume the tasks that may have been paused here, and wait until they run.

        The first interrupt or cancellation does not stop this: each task still gets a request to
        resume, and the wait is shortened to ``settle`` seconds. The next one stops it.

        Args:
            interrupted: Whether an interrupt ended the block, so that the next one stops this.

        Raises:
            NotResumedError: Tasks may still be paused.
            BaseException: The interrupt that was held back, once all tasks run.
        """
        if not self.unfinished:
            return
        try:
            yield from self._resume(interrupted=interrupted)
        finally:  # In any case, the window has ended.
            self._opening, self._recording = None, False
            self._taken = set()

    def _resume(self, *, interrupted: bool) -> Steps[None]:
        effort: Convergence | None = None
        held: BaseException | None = None  # An interrupt, to be raised once all tasks run.
        ended: BaseException | None = None  # What stopped the effort before it was complete.
        while True:
            try:
                if effort is None:
                    effort = yield from self._begin_closing()
                if interrupted:
                    effort.hurry()
                yield from effort.request_all()
                yield from effort.wait()
            except BaseException as error:  # noqa: BLE001  # Raised after the recorder was told.
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
        last = held or (None if isinstance(ended, ReplicationError) else ended)
        if still:
            last = self._not_resumed(still, held)
            last.__cause__ = ended or failed[still[0]]
        raise_last(last, None if effort is None else effort.callback_error)

    def _failed(
        self, effort: Convergence | None, ended: BaseException | None
    ) -> Mapping[str, ReplicationError]:
        """The tasks that may still be paused, and why."""
        failed = {} if effort is None else effort.failed
        if ended is None:
            return failed
        cause = ended
        if not isinstance(cause, ReplicationError):
            cause = ReplicationError(f"The resume was interrupted by {type(ended).__name__}.")
        left = (self.touched if effort is None else effort.left) or self._names
        return {name: failed.get(name, cause) for name in left}

    def _begin_closing(self) -> Steps[Convergence]:
        """Start to resume the tasks: those that the recorder leaves to this window."""
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
        """Tell the recorder that the window ended; return the tasks that may still be paused."""
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
            if left:
                raise self._not_resumed(left, held) from error
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
        """The error about a window that can no longer be closed."""
        return self._not_resumed(self.touched, None)

    def _not_resumed(
        self, names: Sequence[str], interrupt: BaseException | None
    ) -> NotResumedError:
        error = not_resumed(self.instance_id, names)
        error.block_error = interrupt
        return error


def with_block_error(failure: BaseException, block_error: BaseException | None) -> BaseException:
    """Add what ended the block to the error of closing its window."""
    if isinstance(failure, NotResumedError):
        failure.block_error = block_error or failure.block_error
        if failure.block_error is not None:
            failure.add_note(f"The block ended with {type(failure.block_error).__name__}.")
    return failure
