"""How long to wait for a task, and when to poll meanwhile."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple, TypedDict

import attrs

from taurusdb_starrocks import _rules
from taurusdb_starrocks._decisions.recording import Recorder
from taurusdb_starrocks._errors import ConfigurationError, RateLimitError, ReplicationError
from taurusdb_starrocks._tasks import Job, Task

Progress = Callable[[Task], object]
Accepted = Callable[[str, Job], object]


@attrs.frozen
class Poll:
    """When to poll while waiting, in seconds; as the vendor's Terraform provider does it.

    Attributes:
        first: Until the first poll.
        interval: Between polls; each is spread by up to a tenth, so that many programs do not poll
            at once.
        longest: Between polls while the service throttles, where the doubling ends.
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
            error: What the last poll failed with, if it did.
            pause: Seconds before the last poll.
            chance: A random number from 0 to 1.
        """
        if isinstance(error, RateLimitError):
            return max(error.retry_after or 0.0, min(self.longest, max(pause, self.interval) * 2))
        return self.interval * (0.9 + 0.2 * chance)


class Waiting(TypedDict, total=False):
    """How to wait for tasks; all are optional, and a ``Client`` has the defaults.

    Attributes:
        timeout: Longest time to wait, in seconds. It bounds every request on the way.
        poll: When to poll while waiting.
        settle: Longest time in seconds to find out what became of a request whose response was
            lost, and to undo a pause that was never seen to take effect.
        progress: Called with each task as a poll shows it.
        accepted: Called with the name of a task and the job that the service accepted for it,
            whose IDs the vendor's support requests.
        recorder: Told of each request before it leaves and after its response.
    """

    timeout: float
    poll: Poll
    settle: float
    progress: Progress | None
    accepted: Accepted | None
    recorder: Recorder | None


@attrs.frozen
class Patience:
    """How to wait, complete and checked."""

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
    """Where a decision gets the time and chance from.

    Attributes:
        clock: Reads a monotonic clock, in seconds.
        chance: Gives a random number from 0 to 1.
    """

    clock: Callable[[], float]
    chance: Callable[[], float]
