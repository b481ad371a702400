"""The operations of the service."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from typing import Literal
from urllib.parse import parse_qs
from uuid import uuid4

from .auth import Authenticator, UnauthenticatedError
from .contract import Contract
from .details import configuration, instances
from .exchange import Exchange
from .faults import OnList, OnTask
from .listing import list_tasks
from .records import PAUSED, Change, Row
from .response import Refused, Response, gateway_error, json_response, service_error
from .state import State
from .strict_json import Malformed

__all__ = ["Mode", "Operations"]

Mode = Literal["lenient", "strict"]

# In lowercase: Huawei Cloud writes stages in both ways, and so may a seed.
_RUNNING = ("incremental", "full", "wait")
_PAUSED = (PAUSED.lower(),)


class Operations:
    """The operations of the contract.

    Args:
        state: The state that they read and change.
        authenticator: Authenticates the callers.
        contract: Validates calls and responses.
        mode: Whether a paused task can be paused again.
        delay: Returns the seconds until a change takes effect.
        clock: Returns the time.
    """

    def __init__(
        self,
        *,
        state: State,
        authenticator: Authenticator,
        contract: Contract,
        mode: Mode,
        delay: Callable[[], float],
        clock: Callable[[], float],
    ) -> None:
        self._state = state
        self._authenticator = authenticator
        self._contract = contract
        self._mode = mode
        self._delay = delay
        self._clock = clock
        self.handlers: Mapping[str | None, Callable[[Exchange], Response]] = {
            "pause": self._pause,
            "resume": self._resume,
            "list": self._list,
            "configuration": self._configuration,
            "instances": self._instances,
        }

    def _pause(self, exchange: Exchange) -> Response:
        """Pause a task."""
        task, now = self._task(exchange), self._clock()
        return self._change(exchange, task, now, possible=_RUNNING, target=PAUSED)

    def _resume(self, exchange: Exchange) -> Response:
        """Resume a task."""
        task, now = self._task(exchange), self._clock()
        if task.holds_at(now) == "refused":
            message = "The task is about to be paused, which does not allow it."
            raise Refused(service_error(400, "DBS.200086", message))
        return self._change(exchange, task, now, possible=_PAUSED, target=task.resumes_to)

    def _change(
        self, exchange: Exchange, task: Row, now: float, *, possible: Collection[str], target: str
    ) -> Response:
        """Change the stage of a task. Strict mode allows this only from certain stages."""
        if self._mode == "strict" and task.target.lower() not in possible:
            message = f"The stage of the task ({task.target}) does not allow it."
            raise Refused(service_error(400, "DBS.200086", message))
        change = Change(target=None if task.holds_at(now) else target, delay=self._delay())
        if (effect := exchange.met.effect) is not None and isinstance(effect.behavior, OnTask):
            change = effect.behavior.act(effect, change)
        exchange.job_id = str(uuid4())
        self._state.change(task, change, now=now)
        return json_response({"job_id": exchange.job_id})

    def _list(self, exchange: Exchange) -> Response:
        """One page of the tasks of an instance."""
        instance_id = self._instance(exchange)
        query = parse_qs(exchange.query)
        listing = list_tasks(
            self._state.tasks(instance_id),
            now=self._clock(),
            limit=int(query.get("limit", ["100"])[0]),
            offset=int(query.get("offset", ["0"])[0]),
        )
        fault, chance = exchange.met.fault, exchange.met.chance
        if fault is not None and chance is not None and isinstance(fault.behavior, OnList):
            fault.behavior.act(fault, listing, chance)
        return json_response(listing.document())

    def _configuration(self, exchange: Exchange) -> Response:
        """The configuration of a task."""
        task = self._task(exchange)
        return json_response(configuration(task, self._state.source_of(task.instance_id)))

    def _instances(self, exchange: Exchange) -> Response:
        """The instances that replicate from a TaurusDB instance."""
        path = self._admit(exchange)
        rows = self._state.instances(path["instance_id"], path["project_id"])
        if not rows:
            raise Refused(service_error(400, "DBS.200022", "Instance not found."))
        return json_response(instances(rows))

    def _task(self, exchange: Exchange) -> Row:
        """The task of a call."""
        instance_id = self._instance(exchange)
        assert exchange.task_name is not None
        task = self._state.task(instance_id, exchange.task_name)
        if task is None:
            raise Refused(service_error(400, "DBS.05000091", "Synchronization task not found."))
        return task

    def _instance(self, exchange: Exchange) -> str:
        """The StarRocks instance of a call."""
        path = self._admit(exchange)
        if self._state.project_of(path["instance_id"]) != path["project_id"]:
            raise Refused(service_error(400, "DBS.200022", "Instance not found."))
        return path["instance_id"]

    def _admit(self, exchange: Exchange) -> Mapping[str, str]:
        """Authenticate and validate a call; return the identifiers in its path."""
        path = exchange.route.path
        try:
            self._authenticate(exchange, path["project_id"])
            exchange.read_body()
            exchange.task_name = exchange.named_task()
            self._contract.check(
                exchange.route,
                query=exchange.query,
                headers=exchange.headers,
                document=lambda: exchange.document,
            )
        except UnauthenticatedError as error:
            message = f"Incorrect IAM authentication information: {error}"
            refusal = gateway_error(401, "APIGW.0301", message, exchange.request_id)
            raise Refused(refusal) from error
        except Malformed as error:
            message = f"Parameter error: {error}."
            raise Refused(service_error(400, "DBS.280001", message)) from error
        return path

    def _authenticate(self, exchange: Exchange, project_id: str) -> None:
        """Check that the caller is authenticated and has access to the project."""
        caller = self._authenticator.caller(exchange.signed())
        exchange.caller = caller.name
        well_formed = self._contract.is_well_formed("project_id", project_id)
        if well_formed and project_id not in caller.scope:
            raise UnauthenticatedError("decrypt token fail")
