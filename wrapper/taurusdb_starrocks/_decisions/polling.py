"""How long to wait for tasks, and when to poll."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple, TypedDict

import attrs

from taurusdb_starrocks import _rules
from taurusdb_starrocks._decisions.recording import Recorder
from taurusdb_starrocks._errors import (
    AuthenticationError,
    ConfigurationError,
    RateLimitError,
    ReplicationError,
)
from taurusdb_starrocks._tasks import Job, Task

Progress = Callable[[Task], object]
Accepted = Callable[[str, Job], object]


@attrs.frozen
class Poll:
    """When to poll while waiting. The defaults match Huawei Cloud's Terraform provider.

    Attributes:
        first: Seconds until the first poll.
        interval: Seconds between polls, plus or minus up to 10 %, so that many programs do not poll
            at the same time.
        longest: Maximum time between polls, in seconds. While the service throttles, or rejects the
            credentials, the time between polls doubles up to this limit. A longer ``Retry-After``
            is capped at this value.
    """

    first: float = 5.0
    interval: float = 10.0
    longest: float = 60.0

    def __attrs_post_init__(self) -> None:
        _rules.seconds("Poll.interval", self.interval)
        _rules.seconds("Poll.longest", self.longest)
        _rules.seconds("Poll.first", self.first, zero=True)
        if self.interval > self.longest:
            raise ConfigurationError("Poll.interval must not be longer than Poll.longest.")

    def after(self, error: ReplicationError | None, pause: float, chance: float) -> float:
        """Seconds until the next poll.

        Args:
            error: Error of the last poll, if it failed.
            pause: Seconds waited before the last poll.
            chance: A random number from 0 to 1.
        """
        if isinstance(error, RateLimitError | AuthenticationError):
            return min(self.longest, max(error.retry_after or 0.0, pause * 2, self.interval * 2))
        return self.interval * (0.9 + 0.2 * chance)


class Waiting(TypedDict, total=False):
    """How to wait for tasks. All keys are optional; the client has the defaults.

    Attributes:
        timeout: Maximum time to wait, in seconds, including all requests except one last poll of at
            most 5 seconds.
        poll: When to poll.
        settle: Maximum time, in seconds, to find out what happened to a request whose response was
            lost, and to undo a pause that no poll showed.
        progress: Called with each task that a poll shows.
        accepted: Called with the name of a task and its accepted job. Log the IDs of the job and
            the request for support tickets.
        recorder: Object whose methods are called before each request is sent and after its
            response. ``paused`` requires a ``WindowRecorder``.
    """

    timeout: float
    poll: Poll
    settle: float
    progress: Progress | None
    accepted: Accepted | None
    recorder: Recorder | None


@attrs.frozen
class Patience:
    """The complete and checked settings for waiting."""

    timeout: float = 1800.0
    poll: Poll = Poll()
    settle: float = 60.0
    progress: Progress | None = None
    accepted: Accepted | None = None
    recorder: Recorder | None = None

    def __attrs_post_init__(self) -> None:
        _rules.seconds("timeout", self.timeout)
        _rules.seconds("settle", self.settle)
        if not isinstance(self.poll, Poll):
            raise ConfigurationError("poll must be a Poll.")
        if self.progress is not None and not callable(self.progress):
            raise ConfigurationError("progress must be callable with a Task.")
        if self.accepted is not None and not callable(self.accepted):
            raise ConfigurationError("accepted must be callable with a name and a Job.")
        if self.recorder is not None and not isinstance(self.recorder, Recorder):
            raise ConfigurationError("recorder must have the methods of a Recorder.")


class Chances(NamedTuple):
    """Source of time and randomness for decisions.

    Attributes:
        clock: Reads a monotonic clock, in seconds.
        chance: Returns a random number from 0 to 1.
    """

    clock: Callable[[], float]
    chance: Callable[[], float]
