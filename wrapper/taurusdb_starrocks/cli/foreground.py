"""A command in its own process group, which has the terminal while it runs.

The terminal sends Ctrl-C and Ctrl-Z to the process group in its foreground: only the command gets
them, and once. The command can also read a password from the terminal. When Ctrl-Z stops the
command, this process stops too, so that the shell shows a stopped job; ``fg`` and ``bg`` continue
both.
"""

from __future__ import annotations

import os
import select
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from types import FrameType
from typing import Self

AGAIN = 2.0  # Seconds after which SIGKILL is sent again, or taken to have done what it can.
NOTICED = 1.0  # Seconds in which this process notices that it was continued.
GATE = Path(__file__).with_name("gate.py")


class Signals:
    """Collects the signals that this process receives in a ``with`` block.

    A signal that was ignored before stays ignored, as under nohup.
    """

    def __init__(self) -> None:
        self._received: list[int] = []
        self._continued = False
        self._before: dict[int, object] = {}
        self._wake, self._woken = os.pipe()

    def __enter__(self) -> Self:
        for end in (self._wake, self._woken):
            os.set_blocking(end, False)
        self._others = signal.set_wakeup_fd(self._woken, warn_on_full_buffer=False)
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            if signal.getsignal(number) is not signal.SIG_IGN:
                self._before[number] = signal.signal(number, self._keep)
        # These two only end a wait.
        self._before[signal.SIGCHLD] = signal.signal(signal.SIGCHLD, _nothing)
        self._before[signal.SIGCONT] = signal.signal(signal.SIGCONT, self._go_on)
        return self

    def __exit__(self, *_exception: object) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)  # type: ignore[arg-type]  # It came from there.
        signal.set_wakeup_fd(self._others)
        os.close(self._wake)
        os.close(self._woken)

    def _keep(self, number: int, _frame: FrameType | None) -> None:
        self._received.append(number)

    def _go_on(self, _number: int, _frame: FrameType | None) -> None:
        self._continued = True

    def suspend(self) -> bool:
        """Stop this job, as Ctrl-Z in the terminal would; return after it is continued.

        The whole process group is stopped, because the shell waits for all of a pipeline or script.

        Returns:
            Whether it was stopped. Without a shell that could continue the job, the system does
            not stop it: as the only command of ``ssh -t``, or as process 1 of a container.
        """
        self._continued = False
        os.killpg(os.getpgrp(), signal.SIGTSTP)
        # It stops in this call, or not at all. Another thread may receive what continues it.
        limit = time.monotonic() + NOTICED
        while not self._continued and time.monotonic() < limit:
            time.sleep(0.01)
        return self._continued

    def wait(self, seconds: float) -> list[int]:
        """Wait for a signal or a change of a child, for so many seconds at most.

        Returns:
            The signals received since the last call.
        """
        if not self._received:
            select.select([self._wake], [], [], seconds)
        with suppress(BlockingIOError):
            os.read(self._wake, 4096)
        received, self._received = self._received, []
        return received


def _nothing(_number: int, _frame: FrameType | None) -> None:
    """Handle a signal that only ends a wait."""


class Foreground:
    """A command that is ready to start. It never starts if this process ends first.

    Args:
        command: The command and its arguments.

    Attributes:
        group: ID of its process group.
    """

    def __init__(self, command: Sequence[str]) -> None:
        read, self._gate = os.pipe()
        try:
            self._process = subprocess.Popen(  # noqa: S603  # It is what the user asked for.
                [sys.executable, "-I", "-S", GATE, str(read), *command],
                pass_fds=(read,),
                process_group=0,
            )
        finally:
            os.close(read)
        self.group = self._process.pid
        self._stopped = False  # Whether it was stopped although this process could not be.
        try:
            self._terminal = os.open("/dev/tty", os.O_RDWR | os.O_NOCTTY)
        except OSError:  # There is none.
            self._terminal = -1

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_exception: object) -> None:
        self._close_gate()
        if self._process.returncode is None:
            # It was never started, or an unexpected error ended this.
            self.send(signal.SIGKILL)
            self._process.wait()
        if self._terminal >= 0:
            os.close(self._terminal)

    def _close_gate(self) -> None:
        if self._gate >= 0:
            os.close(self._gate)
            self._gate = -1

    def run(
        self,
        signals: Signals,
        *,
        grace: float,
        tick: Callable[[], float],
        stopped: Callable[[bool], None],
    ) -> int:
        """Start the command, wait until it ends, and return its status as shells show it.

        SIGINT is passed on. SIGTERM and SIGHUP end its process group: SIGTERM first, then SIGKILL
        for what is still there after the grace.

        Args:
            signals: The signals that this process receives.
            grace: Seconds between SIGTERM and SIGKILL.
            tick: Called before each check whether the command has ended; returns the seconds until
                the next call.
            stopped: Called with True when the command was stopped, before this process stops as
                well; with False if this process cannot be stopped, so that the command continues.
        """
        os.write(self._gate, b"!")
        self._close_gate()
        kill_at: float | None = None
        try:
            while True:
                if not self._stopped:
                    self._hand_over()
                seconds = tick()
                if self._ended(signals, stopped):
                    break
                if kill_at is not None:
                    seconds = min(seconds, max(0.0, kill_at - time.monotonic()))
                for number in signals.wait(seconds):
                    if number == signal.SIGINT:
                        self.send(signal.SIGINT)
                    elif kill_at is None:
                        kill_at = time.monotonic() + grace
                        self.send(signal.SIGTERM)
                    self.send(signal.SIGCONT)  # A stopped process handles no other signal.
                if kill_at is not None and time.monotonic() >= kill_at:
                    self.send(signal.SIGKILL)
                    kill_at = time.monotonic() + AGAIN
        finally:
            self._take_back()
        if kill_at is not None:
            self.end_rest(kill_at - time.monotonic())
        code = self._process.returncode
        return code if code >= 0 else 128 - code

    def _ended(self, signals: Signals, stopped: Callable[[bool], None]) -> bool:
        """Whether the command has ended. If it was stopped, stop and continue with it."""
        changes = os.WNOHANG | os.WUNTRACED | os.WCONTINUED
        found, status = os.waitpid(self.group, changes)
        if not found:
            return False
        if os.WIFCONTINUED(status):
            self._stopped = False
        elif os.WIFSTOPPED(status):
            self._stop(signals, stopped, by=os.WSTOPSIG(status))
        else:
            self._process.returncode = os.waitstatus_to_exitcode(status)
            return True
        return False

    def _stop(self, signals: Signals, stopped: Callable[[bool], None], *, by: int) -> None:
        self._take_back()
        stopped(True)
        if not signals.suspend():
            if by != signal.SIGTSTP:
                # It wants a terminal that it cannot have, or somebody stopped it on purpose.
                self._stopped = True
                return
            stopped(False)
        self._hand_over()
        self.send(signal.SIGCONT)

    def send(self, number: int) -> bool:
        """Send a signal to its process group; return whether that was possible."""
        try:
            os.killpg(self.group, number)
        except (ProcessLookupError, PermissionError):
            return False
        return True

    def end_rest(self, grace: float) -> None:
        """Wait until its process group is empty; send SIGKILL after the grace.

        It does not wait for a process that cannot be killed.
        """
        kill_at = time.monotonic() + grace
        while self.send(0) and time.monotonic() < kill_at + AGAIN:
            if time.monotonic() >= kill_at:
                self.send(signal.SIGKILL)
            time.sleep(0.02)

    def _hand_over(self) -> None:
        """Give the terminal to the command, if this process has it."""
        self._move(os.getpgrp(), self.group)

    def _take_back(self) -> None:
        self._move(self.group, os.getpgrp())

    def _move(self, source: int, target: int) -> None:
        if self._terminal < 0:
            return
        # This stops a process in the background, unless the signal is blocked.
        before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTTOU})
        try:
            if os.tcgetpgrp(self._terminal) == source:
                os.tcsetpgrp(self._terminal, target)
        except OSError:  # The terminal is gone, or the group is.
            pass
        finally:
            signal.pthread_sigmask(signal.SIG_SETMASK, before)
