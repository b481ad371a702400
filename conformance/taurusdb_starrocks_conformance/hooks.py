"""What schemathesis does not do by itself; shared by `make fuzz` and the tests.

`schema_for` gives a schema that is ready to be used against a target: settings from
`schemathesis.toml`, identifiers pinned or not, near-misses mixed in, and the further checks.
"""

from __future__ import annotations

import random
import re
from collections.abc import Callable, Sequence
from collections.abc import Set as AbstractSet
from pathlib import Path
from typing import Any, Literal
from urllib.parse import parse_qsl

import schemathesis
from schemathesis.config import PositiveDataAcceptanceConfig, SchemathesisConfig
from schemathesis.core import NOT_SET
from schemathesis.core.failures import AcceptedNegativeData, Failure, ServerError
from schemathesis.openapi.checks import UndefinedStatusCode, UnsupportedMethodResponse

from .contract import IDENTIFIERS, LANGUAGES, SPEC, Operation, at
from .judge import JSON, Judge, is_http_of_its_own, may_be_dropped
from .near_misses import near_miss
from .target import Target
from .wire import UNKNOWN_TASK, Exchange, Reply, Request, is_task_name

Pass = Literal["pinned", "not pinned"]
SETTINGS = Path(__file__).with_name("schemathesis.toml")
# Of the right bodies, this part gets a name that is nearly right.
NEAR_MISSES = 0.1
_INTEGER = re.compile(r"\s*[+-]?\d[\d_]*(?:\.0*)?\s*")


class Bound:
    """What a schema is used for."""

    def __init__(self, target: Target, which: Pass, seed: int) -> None:
        self.target = target
        self.which = which
        self.random = random.Random(seed)


def bound_of(case: Any) -> Bound | None:
    """What the schema of a case is used for; None for a schema that is not from here."""
    return getattr(case.operation.schema, "taurusdb_bound", None)


def schema_for(
    target: Target,
    which: Pass,
    *,
    seed: int,
    examples: int | None = None,
    without: Sequence[str] = (),
) -> Any:
    """The contract as a schema of schemathesis, to be used against a target.

    Args:
        target: The target.
        which: Whether identifiers are pinned to those that exist.
        seed: What everything drawn depends on.
        examples: How many examples are drawn; if not as many as the settings say.
        without: IDs of operations to leave out.
    """
    config = SchemathesisConfig.from_path(SETTINGS)
    config.update(seed=seed, max_failures=None)
    project = config.projects.default
    project.update(base_url=target.url, headers={"X-Auth-Token": target.token})
    if examples is not None:
        project.generation.update(max_examples=examples)
    if which == "not pinned":
        # What is asked for is not there, and the contract's answer to that is 400, or 401 or 403
        # for somebody else's project. `unknown_is_refused` demands that it is not accepted.
        project.checks.positive_data_acceptance = PositiveDataAcceptanceConfig(
            expected_statuses=["400", "401", "403", "200"]
        )
    schema: Any = schemathesis.openapi.from_path(SPEC, config=config)
    for operation_id in without:
        schema = schema.exclude(operation_id=operation_id)
    schema.taurusdb_bound = Bound(target, which, seed)
    schema.hook("filter_failure")(filter_failure)
    return schema


@schemathesis.hook
def before_call(context: Any, case: Any, kwargs: dict[str, Any]) -> None:
    """Put identifiers in that exist, or that surely do not; and now and then a near-miss.

    Only what is well-formed is replaced, so that a case stays what it was made to be.
    """
    bound = bound_of(case)
    if bound is None:
        return
    chance, operation = bound.random, at(case.operation.method, case.operation.path)
    # In the pass that pins nothing, one thing after another is real, so that each is reached.
    real = {"project_id", "instance_id", "task_name"}
    if bound.which == "not pinned":
        real = chance.choice([set(), {"project_id"}, {"project_id", "task_name"}])
        names_task = operation.names_task or operation.method == "POST"
        if names_task and chance.random() < 0.3:
            real = {"project_id", "instance_id"}
    # Always new dictionaries: schemathesis uses those of one case for others too.
    case.path_parameters = {
        name: _identifier(name, value, name in real, bound, operation)
        for name, value in (case.path_parameters or {}).items()
    }
    if operation.names_task and is_task_name((case.query or {}).get("task_name")):
        name = _task_name(case.query["task_name"], real, bound, case)
        # Only text can stand in a query as it is meant.
        case.query = {**case.query, "task_name": name if isinstance(name, str) else "-"}
    body = case.body
    if body is not NOT_SET and isinstance(body, dict) and is_task_name(body.get("task_name")):
        case.body = {**body, "task_name": _task_name(body["task_name"], real, bound, case)}


def _task_name(name: str, real: AbstractSet[str], bound: Bound, case: Any) -> Any:
    """The name of the target's task, or now and then nearly so; or one that is no task's."""
    if "task_name" not in real:
        # A name that is made up could be that of a task by chance.
        return f"{name[:90]}_{UNKNOWN_TASK}"
    # The two phases that look at a case again once a hook has changed it. In the others it
    # would still count as one that must be accepted.
    drawn = case.meta is not None and case.meta.phase.name.value in ("fuzzing", "stateful")
    if bound.which == "pinned" and drawn and bound.random.random() < NEAR_MISSES:
        return near_miss(bound.target.task_name, bound.random)
    return bound.target.task_name


def _identifier(name: str, value: Any, real: bool, bound: Bound, operation: Operation) -> Any:
    """The target's identifier, or one that is not the target's; or what cannot be one as it is."""
    if not isinstance(value, str) or not IDENTIFIERS[name].fullmatch(value):
        return value
    target = bound.target
    own = target.project_id if name == "project_id" else target.instance(operation)
    if real or value != own:
        return own if real else value
    return f"{bound.random.getrandbits(128):032x}" + own[32:]


def _exchange(case: Any, response: Any) -> Exchange:
    """What schemathesis sent and got, as the checks know it."""
    prepared = response.request
    body = prepared.body or b""
    target = target_of(case)
    request = Request(
        prepared.method,
        prepared.url.removeprefix(target.url[: len(target.url) - len(target.base)]),
        tuple((str(name), _text(value)) for name, value in prepared.headers.items()),
        body.encode() if isinstance(body, str) else bytes(body),
    )
    headers = tuple((name, value) for name, values in response.headers.items() for value in values)
    reply = Reply(response.status_code, headers, response.content or b"")
    return Exchange(0, "schemathesis", request, reply, None, response.elapsed, 0.0, case=True)


def _text(value: str | bytes) -> str:
    return value.decode("latin-1") if isinstance(value, bytes) else value


def target_of(case: Any) -> Target:
    """The target of a case whose schema is from here."""
    bound = bound_of(case)
    assert bound is not None
    return bound.target


class Refused(Failure):
    """A check of ours has failed."""


def _fail(case: Any, title: str, message: str) -> None:
    raise Refused(operation=case.operation.label, title=title, message=message)


@schemathesis.check
def invalid_accepted(ctx: Any, response: Any, case: Any) -> None:
    """No 2xx ever answers an identifier or a name that breaks the contract's rules."""
    bound = bound_of(case)
    if bound is None or not 200 <= response.status_code < 300:
        return
    request = _exchange(case, response).request
    found = request.operation(bound.target.base)
    if found is None:
        return
    operation, *identifiers = found
    for rule, value in zip(IDENTIFIERS.values(), identifiers, strict=True):
        if not rule.fullmatch(value):
            _fail(case, "invalid identifier accepted", f"{response.status_code} for {value!r}")
    if operation.names_task or operation.method == "POST":
        name = request.task_name
        if not is_task_name(name):
            _fail(case, "invalid task name accepted", f"{response.status_code} for {name!r}")


@schemathesis.check
def unknown_is_refused(ctx: Any, response: Any, case: Any) -> None:
    """No 2xx ever answers for a project, an instance or a task that is not there."""
    bound = bound_of(case)
    if bound is None or not 200 <= response.status_code < 300:
        return
    request = _exchange(case, response).request
    found = request.operation(bound.target.base)
    if found is None:
        return
    operation, project_id, instance_id = found
    target = bound.target
    if project_id != target.project_id or instance_id != target.instance(operation):
        _fail(case, "unknown instance accepted", f"{response.status_code} for {instance_id!r}")
    name = request.task_name
    if is_task_name(name) and name != target.task_name:
        _fail(case, "unknown task accepted", f"{response.status_code} for {name!r}")


def _every_answer(name: str) -> Callable[[Any, Any, Any], None]:
    """A check of schemathesis out of one of those that look at every answer."""

    def check(ctx: Any, response: Any, case: Any) -> None:
        bound = bound_of(case)
        if bound is None:
            return
        for found, message in Judge(bound.target).faults(_exchange(case, response)):
            if found == name:
                _fail(case, name.replace("_", " "), message)

    check.__name__ = name
    return check


for _name in (
    "request_id",
    "token_not_echoed",
    "internals_not_leaked",
    "refusal_is_explained",
    "job_has_id",
):
    schemathesis.check(_every_answer(_name))


def filter_failure(  # noqa: PLR0911 - a list of exceptions, each with its reason
    context: Any, failure: Failure, case: Any, response: Any
) -> bool:
    """Whether a failure of a standard check is the target's fault."""
    exchange = _exchange(case, response)
    request, status = exchange.request, response.status_code
    if status < 500 and may_be_dropped(request) and not 200 <= status < 300:
        # HTTP lets any server refuse what is too long or holds bytes it does not allow.
        return False
    target = target_of(case)
    if isinstance(failure, ServerError):
        return not is_http_of_its_own(exchange, target.base)
    if isinstance(failure, UnsupportedMethodResponse):
        # 404 and 501 refuse a method as well as 405 does: RFC 9110 asks a resource for a 405 only
        # if it knows the method, and a gateway may route by the method.
        return not (failure.failure_reason == "wrong_status" and status in (404, 501))
    found = request.operation(target.base)
    intact = found is not None and all(
        rule.fullmatch(value) for rule, value in zip(IDENTIFIERS.values(), found[1:], strict=True)
    )
    if isinstance(failure, UndefinedStatusCode) and not intact and 300 <= status < 500:
        # A path with a malformed identifier need not lead to the operation: a router that knows
        # the rule answers 404, one that repairs paths redirects.
        return False
    kind = request.header("Content-Type") or ""
    if isinstance(failure, UndefinedStatusCode) and status == 415 and not JSON.fullmatch(kind):
        # As in `probes`: not in the contract, but what HTTP has for it.
        return False
    if isinstance(failure, AcceptedNegativeData):
        return not _reads_as_valid(request, found is None)
    return True


def _reads_as_valid(request: Request, elsewhere: bool) -> bool:
    """Whether a server that reads leniently sees nothing wrong in a request.

    Numbers with a sign, spaces or digits of other scripts, a parameter given twice or without a
    value, and a language in capitals: the contract's schema refuses them as values, but between the
    text that is sent and the value stands a reading that it does not describe.
    """
    if elsewhere or request.method != "GET":
        return False
    sent = parse_qsl(request.path.partition("?")[2], keep_blank_values=True)
    names = [value for name, value in sent if name == "task_name"]
    if request.path.partition("?")[0].endswith("/configuration"):
        return any(map(is_task_name, names))
    for name, value in sent:
        bounds = {"limit": (1, 100), "offset": (0, 2147483647)}.get(name)
        if bounds and value and not (_INTEGER.fullmatch(value) and _within(value, *bounds)):
            return False
    language = request.header("X-Language")
    return language is None or language.strip().lower() in LANGUAGES | {""}


def _within(text: str, least: int, most: int) -> bool:
    try:
        return least <= int(float(text)) <= most
    except (ValueError, OverflowError):
        return False
