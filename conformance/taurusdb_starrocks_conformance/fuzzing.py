"""Run schemathesis against a target: settings, hooks, and which of its failures are faults.

Schemathesis generates cases from the schema and almost correct names from a dictionary. It runs its
standard checks. The requirements for all responses are checked on the wire, see `judge`.
"""

from __future__ import annotations

import random
import tomllib
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, Literal

import schemathesis
from schemathesis.config import PositiveDataAcceptanceConfig, SchemathesisConfig
from schemathesis.core import NOT_SET
from schemathesis.core.failures import AcceptedNegativeData, Failure, ServerError
from schemathesis.engine import events, from_schema
from schemathesis.openapi.checks import UndefinedStatusCode, UnsupportedMethodResponse

from .contract import IDENTIFIERS, SPEC, Operation, at
from .exchange import UNKNOWN_TASK, Exchange, Reply, Request, is_task_name
from .judge import Misfit
from .leniency import JSON, is_http_of_its_own, may_be_dropped, reads_as_valid
from .near_misses import ODD, wrong_names
from .oddity import oddity
from .target import CannotRunError, Target

SETTINGS = Path(__file__).with_name("schemathesis.toml")
Pass = Literal["pinned", "not pinned"]


class Fuzzing:
    """One pass of schemathesis.

    Args:
        target: The target.
        which: Whether only existing identifiers are used.
        seed: Seed of all random values.
        examples: Number of examples; by default that of the settings.
        without: IDs of operations to leave out.
    """

    def __init__(
        self,
        target: Target,
        which: Pass,
        *,
        seed: int,
        examples: int | None = None,
        without: Sequence[str] = (),
    ) -> None:
        self._target = target
        self._which = which
        self._random = random.Random(seed)
        self.phase = ""
        self.schema = self._schema(seed, examples, without)

    def _schema(self, seed: int, examples: int | None, without: Sequence[str]) -> Any:
        settings = tomllib.loads(SETTINGS.read_text(encoding="utf-8"))
        nearly = [
            name
            for name in wrong_names(self._target.task_name).values()
            if isinstance(name, str) and ODD["lone surrogate"] not in name and len(name) < 1000
        ]
        settings["dictionaries"] = {"nearly right names": {"values": nearly}}
        if self._target.is_remote:
            # See `Operation.may_have_siblings`.
            settings["phases"]["coverage"] = {"unexpected-methods": ["TRACE"]}
        config = SchemathesisConfig.from_dict(settings)
        config.update(seed=seed, max_failures=None)
        project = config.projects.default
        token = {"X-Auth-Token": self._target.token}
        project.update(base_url=self._target.url, headers=token)
        if examples is not None:
            project.generation.update(max_examples=examples)
        if self._which == "not pinned":
            # The identifiers do not exist. The contract requires 400, or 401 or 403 for a project
            # of another user. `unknown_is_refused` checks that the request is not accepted.
            project.checks.positive_data_acceptance = PositiveDataAcceptanceConfig(
                expected_statuses=["400", "401", "403", "200"]
            )
        schema: Any = schemathesis.openapi.from_path(SPEC, config=config)
        for operation_id in without:
            schema = schema.exclude(operation_id=operation_id)
        schema.taurusdb_fuzzing = self
        schema.hook("filter_failure")(
            lambda context, failure, case, response: self._is_fault(failure, response)
        )
        return schema

    def run(self, is_stopped: Callable[[], bool]) -> Iterator[tuple[str, Failure, Any]]:
        """Send all cases; yield each failure with its check and the recorded interaction.

        Raises:
            CannotRunError: Schemathesis failed.
        """
        stream = from_schema(self.schema).execute()
        for event in stream:
            if is_stopped():
                stream.stop()
            elif isinstance(event, events.PhaseStarted):
                self.phase = event.phase.name.value
            elif isinstance(event, events.NonFatalError):
                raise CannotRunError(f"schemathesis: {event.info.title}: {event.info.message}")
            elif isinstance(event, events.ScenarioFinished):
                for case_id, nodes in event.recorder.checks.items():
                    for node in nodes:
                        if node.failure_info is not None:
                            interaction = event.recorder.interactions.get(case_id)
                            yield node.name, node.failure_info.failure, interaction

    # Before a case is sent

    def pin(self, case: Any) -> None:
        """Insert identifiers that exist, or that certainly do not.

        Only well-formed identifiers are replaced, so that the purpose of a case does not change.
        """
        chance, operation = self._random, at(case.operation.method, case.operation.path)
        # In the pass with unknown identifiers, some are real, so that each check is reached.
        real = {"project_id", "instance_id", "task_name"}
        if self._which == "not pinned":
            real = chance.choice([set(), {"project_id"}, {"project_id", "task_name"}])
            names_task = operation.names_task or operation.method == "POST"
            if names_task and chance.random() < 0.3:
                real = {"project_id", "instance_id"}
        # Always create new dictionaries, because schemathesis shares them between cases.
        case.path_parameters = {
            name: self._identifier(name, value, name in real, operation)
            for name, value in (case.path_parameters or {}).items()
        }
        if operation.names_task and is_task_name((case.query or {}).get("task_name")):
            name = self._task_name(case.query["task_name"], "task_name" in real)
            case.query = {**case.query, "task_name": name}
        body = case.body
        if body is not NOT_SET and isinstance(body, dict) and is_task_name(body.get("task_name")):
            name = self._task_name(body["task_name"], "task_name" in real)
            case.body = {**body, "task_name": name}

    def _task_name(self, name: str, real: bool) -> str:
        """The task name of the target; or a name that no task has, unless by chance."""
        return self._target.task_name if real else f"{name[:90]}_{UNKNOWN_TASK}"

    def _identifier(self, name: str, value: Any, real: bool, operation: Operation) -> Any:
        """The target's identifier, or another one. Malformed values are not changed."""
        if not isinstance(value, str) or not IDENTIFIERS[name].fullmatch(value):
            return value
        target = self._target
        own = target.project_id if name == "project_id" else target.instance(operation)
        if real or value != own:
            return own if real else value
        return f"{self._random.getrandbits(128):032x}" + own[32:]

    # After a check of schemathesis has failed

    def _is_fault(  # noqa: PLR0911 - a list of exceptions, each with its reason
        self, failure: Failure, response: Any
    ) -> bool:
        """Whether a failure of a standard check is a fault of the target."""
        # Use the request that was sent, not the intended one.
        exchange = _exchange(self._target, response)
        request, status = exchange.request, response.status_code
        if status < 500 and may_be_dropped(request) and not 200 <= status < 300:
            # HTTP allows any server to reject requests that are too long or have invalid bytes.
            return False
        if isinstance(failure, ServerError):
            return not is_http_of_its_own(exchange, self._target.base)
        if isinstance(failure, UnsupportedMethodResponse):
            # 404 and 501 reject a method as well as 405: RFC 9110 requires 405 only if the resource
            # knows the method, and a gateway may route by the method.
            return not (failure.failure_reason == "wrong_status" and status in (404, 501))
        found = request.operation(self._target.base)
        intact = found is not None and all(
            rule.fullmatch(value)
            for rule, value in zip(IDENTIFIERS.values(), found[1:], strict=True)
        )
        if isinstance(failure, UndefinedStatusCode) and not intact and 300 <= status < 500:
            # A path with a malformed identifier need not match the operation: a router that knows
            # the rule returns 404, and one that repairs paths redirects.
            return False
        kind = request.header("Content-Type") or ""
        if isinstance(failure, UndefinedStatusCode) and status == 415 and not JSON.fullmatch(kind):
            # Not in the contract, but allowed by HTTP, see `probes`.
            return False
        if isinstance(failure, AcceptedNegativeData):
            return found is None or not reads_as_valid(request)
        return True


@schemathesis.hook
def before_call(context: Any, case: Any, kwargs: dict[str, Any]) -> None:
    """Prepare a case of our schemas. Schemathesis has no such hook for a single schema."""
    fuzzing: Fuzzing | None = getattr(case.operation.schema, "taurusdb_fuzzing", None)
    if fuzzing is not None:
        fuzzing.pin(case)


def misfit_of(check: str, failure: Failure, exchange: Exchange | None, target: Target) -> Misfit:
    """A failure of schemathesis in the words of the suite."""
    title, _, _ = str(failure.title).partition("\n")
    text = f"{title}: {failure.message}"
    if isinstance(failure, UndefinedStatusCode):
        return Misfit(check, text, str(failure.status_code))
    if isinstance(failure, UnsupportedMethodResponse) and failure.failure_reason != "wrong_status":
        return Misfit("allow_header_conformance", text, "405 without Allow", tolerated=True)
    if check == "allow_header_conformance":
        return Misfit(check, text, "wrong methods", tolerated=True)
    return Misfit(check, text, oddity(exchange.request, target) if exchange else "")


def _exchange(target: Target, response: Any) -> Exchange:
    """The request and response of schemathesis as an exchange."""
    prepared = response.request
    body = prepared.body or b""
    request = Request(
        prepared.method,
        prepared.url.removeprefix(target.url[: len(target.url) - len(target.base)]),
        tuple((str(name), _text(value)) for name, value in prepared.headers.items()),
        body.encode() if isinstance(body, str) else bytes(body),
    )
    headers = tuple((name, value) for name, values in response.headers.items() for value in values)
    reply = Reply(response.status_code, headers, response.content or b"")
    return Exchange(0, "schemathesis", request, reply)


def _text(value: str | bytes) -> str:
    return value.decode("latin-1") if isinstance(value, bytes) else value
