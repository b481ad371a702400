"""The task that the suite pauses and resumes: what is known about it after each exchange."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Literal

from .contract import LANGUAGES, operations
from .exchange import Exchange, Reply, Request
from .target import Target

Change = Literal["pause", "resume"]
CHANGES: tuple[Change, Change] = ("pause", "resume")
PLAIN_JSON = re.compile(r"application/json(; ?charset=utf-8)?", re.IGNORECASE)
# Methods that change nothing, by RFC 9110, 9.2.1.
SAFE = {"GET", "HEAD", "OPTIONS", "TRACE"}
DOCUMENTED = frozenset.union(*(operation.documented for operation in operations().values()))
# One way to read the list. Other ways may return older data, which is another fault.
PAGE = re.compile(r"limit=\d+&offset=\d+")
# The stages of the contract that a paused task and a resumed task cannot be in.
NOT_PAUSED = {"wait", "full", "incremental", "cancelled"}
NOT_RESUMED = {"paused", "cancelled"}
# How often a target may need a longer time between two changes than observed before.
MOST_SURPRISES = 3


def opposite(change: Change) -> Change:
    """The opposite change."""
    return "resume" if change == "pause" else "pause"


def contradicts(stage: str | None, change: str) -> bool:
    """Whether a stage shows that a change has not taken effect or was undone.

    A stage that is not in the contract can mean anything.
    """
    wrong = NOT_PAUSED if change == "pause" else NOT_RESUMED
    return (stage or "").lower() in wrong


@dataclass
class TaskOnTarget:
    """What is known of the named task.

    Attributes:
        last: The change that was accepted last; None if that is not certain.
        at: When that was.
        needs: How long after a change the target refuses another one, in seconds.
        slowest_effect: The longest time after which the list showed a change, in seconds.
        shown: Whether the list has shown the last change, and only GET came since.
    """

    last: Change | None = None
    at: float = 0.0
    needs: float = 0.0
    surprises: int = 0
    slowest_effect: float = 0.0
    shown: bool = False
    jobs: dict[str, int] = field(default_factory=dict)

    @property
    def may_be_under_way(self) -> bool:
        """Whether the reason of a refusal may be an earlier change in progress.

        Such a target needs about the same time for each change. A target that sometimes refuses
        even after this time has a fault.
        """
        return self.surprises < MOST_SURPRISES

    def is_busy(self, request: Request, reply: Reply, target: Target) -> bool:
        """Whether to send again to a target that refuses changes for some time after a change."""
        return (
            self.needs > 0
            and reply.status == 400
            and self.may_be_under_way
            and change_of(request, target) is not None
        )

    def learn(self, seconds: float) -> None:
        """Remember how long a change took, with a margin for the next time."""
        self.surprises += self.needs > 0
        self.needs = max(self.needs, 1.2 * seconds + 0.02)

    def note(
        self,
        exchange: Exchange,
        target: Target,
        now: float,
        report: Callable[[str, str, Exchange], None],
    ) -> None:
        """Record the change of an exchange. Two changes must not have the same job."""
        reply, request = exchange.reply, exchange.request
        change = change_of(request, target)
        if request.method != "GET":
            self.shown = False
        if change is None:
            self._note_list(exchange, target, report)
            if reply is not None and reply.accepted and request.method not in SAFE:
                # The response is missing or has a fault, so the effect is unknown.
                self.last, self.at = None, now
            return
        if reply is None or reply.status != 200:
            if reply is None or reply.status >= 500:
                self.last = None
            return
        effective = self.last not in (None, change)
        document = reply.document
        job_id = document.get("job_id") if isinstance(document, dict) else None
        if isinstance(job_id, str) and job_id:
            first = self.jobs.setdefault(job_id, exchange.number)
            # A target may return the existing job for a repeated change.
            if first != exchange.number and effective:
                text = f"the job ID {job_id!r} was given before, in exchange {first}"
                report("job_id_is_new", text, exchange)
        self.last, self.at = change, now

    def _note_list(
        self, exchange: Exchange, target: Target, report: Callable[[str, str, Exchange], None]
    ) -> None:
        """Check a list with the task: a change that was seen must still be visible."""
        found = exchange.request.operation(target.base)
        if found is None or found[0].verb != "list" or found[2] != target.instance_id:
            return
        if not PAGE.fullmatch(exchange.request.query) or exchange.request.header("X-Language"):
            return
        reply = exchange.reply
        document = reply.document if reply is not None and reply.status == 200 else None
        if self.last is None or not isinstance(document, dict):
            return
        for stage in stages_of(document, target.task_name):
            if not contradicts(stage, self.last):
                self.shown = True
            elif self.shown:
                text = f"{self.last} had taken effect; now, with no other change, it is {stage!r}"
                report("change_lasts", text, exchange)
                self.last, self.shown = None, False
                return


def stages_of(document: dict[str, Any], name: str) -> list[str]:
    """The stages of a task in one page of a list."""
    rows = document.get("replications")
    return [
        row["stage"]
        for row in (rows if isinstance(rows, list) else [])
        if isinstance(row, dict)
        and row.get("task_name") == name
        and isinstance(row.get("stage"), str)
    ]


def has_credentials(request: Request, target: Target) -> bool:
    """Whether a request has valid credentials and nothing else that is unusual."""
    return (
        request.header("X-Auth-Token") == target.token and request.header("Authorization") is None
    )


def change_of(request: Request, target: Target) -> Change | None:
    """The change that a correct request makes to the named task, or None."""
    found = request.operation(target.base)
    if found is None or not has_credentials(request, target):
        return None
    operation, project_id, instance_id = found
    document = request.document
    right = (
        operation.method == "POST"
        and (project_id, instance_id) == (target.project_id, target.instance_id)
        and PLAIN_JSON.fullmatch(request.header("Content-Type") or "") is not None
        and request.header("X-Language") in (None, *LANGUAGES)
        and isinstance(document, dict)
        and document.get("task_name") == target.task_name
    )
    if not right:
        return None
    return next((change for change in CHANGES if change == operation.verb), None)


def refused_change(change: Change, reply: Reply | None) -> tuple[str, str]:
    """The check and message for a change that was not accepted but must be."""
    said = f"returned {reply.status}" if reply else "there was no response"
    text = f"{change} of a task that allows it: {said}, expected 200"
    if reply is not None and reply.status != 400:
        known = reply.status in DOCUMENTED
        return ("positive_data_acceptance" if known else "status_code_conformance"), text
    return ("resume_after_pause" if change == "resume" else "pause_after_resume"), text
