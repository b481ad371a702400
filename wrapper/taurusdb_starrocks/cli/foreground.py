"""A command in a process group of its own, which has the terminal while it runs.

The terminal sends Ctrl-C and Ctrl-Z to the group that is in its foreground: to the command alone,
and once. The command can also ask for a password there. When it is stopped, so is this process,
for the shell to notice; both go on together.
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
GATE = Path(__file__).with_name("gate.py")


class Signals:
    """What this process is sent while it is entered: kept, and handled when there is time.

    A signal that was ignored before stays so, as under nohup.
    """

    def __init__(self) -> None:
        self._received: list[int] = []
        self._before: dict[int, object] = {}
        self._wake, self._woken = os.pipe()

    def __enter__(self) -> Self:
        for end in (self._wake, self._woken):
            os.set_blocking(end, False)
        self._others = signal.set_wakeup_fd(self._woken, warn_on_full_buffer=False)
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            if signal.getsignal(number) is not signal.SIG_IGN:
                self._before[number] = signal.signal(number, self._keep)
        for number in (signal.SIGCHLD, signal.SIGCONT):  # They wake it, no more.
            self._before[number] = signal.signal(number, _nothing)
        return self

    def __exit__(self, *_exception: object) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)  # type: ignore[arg-type]  # It came from there.
        signal.set_wakeup_fd(self._others)
        os.close(self._wake)
        os.close(self._woken)

    def _keep(self, number: int, _frame: FrameType | None) -> None:
        self._received.append(number)

    def wait(self, seconds: float) -> list[int]:
        """What was received, once there is something, or some child changed, or time is over."""
        if not self._received:
            select.select([self._wake], [], [], seconds)
        with suppress(BlockingIOError):
            os.read(self._wake, 4096)
        received, self._received = self._received, []
        return received


def _nothing(_number: int, _frame: FrameType | None) -> None:
    """Handle a signal by waking up."""


class Foreground:
    """A command that is ready to run, behind a gate; it never runs if this process ends before.

    Args:
        command: The command and its arguments.

    Attributes:
        group: Its process group.
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
        try:
            self._terminal = os.open("/dev/tty", os.O_RDWR | os.O_NOCTTY)
        except OSError:  # There is none.
            self._terminal = -1

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_exception: object) -> None:
        self._close_gate()
        if self._process.returncode is None:
            # It was never let through, or something unforeseen ended this.
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
        stopped: Callable[[], None],
    ) -> int:
        """Let it through the gate and wait for its end; return its status as shells show it.

        SIGINT is passed on. SIGTERM and SIGHUP end its group: SIGTERM, and SIGKILL for what is left
        after the grace.

        Args:
            signals: What this process is sent.
            grace: Seconds between SIGTERM and SIGKILL.
            tick: Called whenever it wakes up; returns in how many seconds it is to be called next.
            stopped: Called when the command was stopped, before this process stops as well.
        """
        os.write(self._gate, b"!")
        self._close_gate()
        kill_at: float | None = None
        try:
            while True:
                self._hand_over()
                if self._look(stopped):
                    break
                seconds = tick()
                if kill_at is not None:
                    seconds = min(seconds, max(0.0, kill_at - time.monotonic()))
                for number in signals.wait(seconds):
                    if number == signal.SIGINT:
                        self.send(signal.SIGINT)
                    elif kill_at is None:
                        kill_at = time.monotonic() + grace
                        self.send(signal.SIGTERM)
                        self.send(signal.SIGCONT)
                if kill_at is not None and time.monotonic() >= kill_at:
                    self.send(signal.SIGKILL)
                    kill_at = time.monotonic() + AGAIN
        finally:
            self._take_back()
        if kill_at is not None:
            self.end_rest(kill_at - time.monotonic())
        code = self._process.returncode
        return code if code >= 0 else 128 - code

    def _look(self, stopped: Callable[[], None]) -> bool:
        """Whether it has ended; if it was stopped, stop and go on with it."""
        found, status = os.waitpid(self.group, os.WNOHANG | os.WUNTRACED)
        if not found:
            return False
        if not os.WIFSTOPPED(status):
            self._process.returncode = os.waitstatus_to_exitcode(status)
            return True
        self._take_back()
        stopped()
        os.kill(os.getpid(), signal.SIGSTOP)
        self._hand_over()
        self.send(signal.SIGCONT)
        return False

    def send(self, number: int) -> bool:
        """Send a signal to its group; return whether there is one that could be sent it."""
        try:
            os.killpg(self.group, number)
        except (ProcessLookupError, PermissionError):
            return False
        return True

    def end_rest(self, grace: float) -> None:
        """Wait until nothing is left of its group: after the grace, SIGKILL sees to that.

        What cannot be killed is not waited for.
        """
        kill_at = time.monotonic() + grace
        while self.send(0) and time.monotonic() < kill_at + AGAIN:
            if time.monotonic() >= kill_at:
                self.send(signal.SIGKILL)
            time.sleep(0.02)

    def _hand_over(self) -> None:
        """Give the terminal to the command, if it is this process's to give."""
        self._move(os.getpgrp(), self.group)

    def _take_back(self) -> None:
        self._move(self.group, os.getpgrp())

    def _move(self, source: int, target: int) -> None:
        if self._terminal < 0:
            return
        # Who is in the background is stopped for this, unless the signal is blocked.
        before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTTOU})
        try:
            if os.tcgetpgrp(self._terminal) == source:
                os.tcsetpgrp(self._terminal, target)
        except OSError:  # The terminal is gone, or the group is.
            pass
        finally:
            signal.pthread_sigmask(signal.SIG_SETMASK, before)
