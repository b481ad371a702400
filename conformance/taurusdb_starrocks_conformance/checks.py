"""The checks: their requirement and their importance."""

from __future__ import annotations

from dataclasses import dataclass

# In the order in which findings are reported.
AREAS = ("security", "state", "requests", "responses")


@dataclass(frozen=True)
class Check:
    """One requirement for a server.

    Attributes:
        area: The area, see `AREAS`.
        demand: The requirement.
    """

    area: str
    demand: str


CHECKS = {
    # Security: the server does or shows something that the caller must not get.
    "ignored_auth": Check("security", "Requests without valid credentials are rejected."),
    "unknown_is_refused": Check(
        "security", "A nonexistent project, instance, or task never gets a 2xx."
    ),
    "headers_keep_meaning": Check(
        "security", "Headers and query parameters do not change the meaning of a request."
    ),
    "token_not_echoed": Check("security", "No response contains a token."),
    "internals_not_leaked": Check(
        "security", "No response contains a traceback, a database query, or a path of the program."
    ),
    "object_level_authorization": Check(
        "security", "One caller does not see the objects of another."
    ),
    "path_is_exact": Check("security", "A path that is not in the specification never gets a 2xx."),
    # State: a task is not in the stage that callers expect.
    "refusal_changes_nothing": Check("state", "A rejected request changes nothing."),
    "other_tasks_untouched": Check("state", "No other task is paused or resumed."),
    "change_takes_effect": Check("state", "An accepted change appears in the list."),
    "change_lasts": Check("state", "A change persists until the next one."),
    "resume_after_pause": Check("state", "A paused task can be resumed."),
    "pause_after_resume": Check("state", "A resumed task can be paused."),
    "same_for_all_readers": Check("state", "Every way to read the list shows the same stage."),
    "task_is_listed": Check("state", "The list shows the task."),
    "pages_fit": Check(
        "state", "Pages respect their limit, contain each task once, and count all tasks."
    ),
    "job_id_is_new": Check("state", "No two changes have the same job ID."),
    "job_has_id": Check("state", "Every accepted change has a job ID."),
    "use_after_free": Check("state", "A deleted resource no longer exists."),
    "ensure_resource_availability": Check("state", "A created resource exists."),
    # Requests: which requests are accepted and which are refused.
    "answers": Check("requests", "Every request gets a response."),
    "not_a_server_error": Check("requests", "No response is a 5xx."),
    "invalid_accepted": Check("requests", "An invalid ID or name never gets a 2xx."),
    "negative_data_rejection": Check("requests", "Malformed requests are rejected."),
    "positive_data_acceptance": Check("requests", "Valid requests are accepted."),
    "content_type_is_checked": Check(
        "requests", "A body with a content type other than JSON is rejected."
    ),
    "missing_required_header": Check(
        "requests", "A request without a required header is rejected."
    ),
    "unsupported_method": Check(
        "requests", "A method that is not in the specification is rejected."
    ),
    "same_every_time": Check("requests", "The same request always gets the same response."),
    "connection_is_reusable": Check(
        "requests", "A reused connection gets the same responses as a new one."
    ),
    "at_once": Check("requests", "Concurrent requests get the same responses as sequential ones."),
    "response_time": Check("requests", "Every response arrives in time."),
    # Responses: the format of responses.
    "status_code_conformance": Check("responses", "Every status is documented."),
    "content_type_conformance": Check(
        "responses", "Every response has the documented content type."
    ),
    "response_schema_conformance": Check("responses", "Every body matches its schema."),
    "response_headers_conformance": Check("responses", "Documented headers match their schema."),
    "refusal_is_explained": Check("responses", "Every rejection has an error code and a message."),
    "request_id": Check("responses", "Every response has its own `X-Request-Id`."),
    "allow_header_conformance": Check(
        "responses", "A 405 has an `Allow` header with the right methods."
    ),
}
# Checks that compare two exchanges. A failure of one exchange alone is a better finding.
COMPARING = frozenset({"same_every_time", "connection_is_reusable", "at_once"})
# If a check has failed for an exchange, these other checks would only repeat it.
SAID_BY: dict[str, frozenset[str]] = {
    check: frozenset(others)
    for others, checks in (
        (
            ("status_code_conformance", "not_a_server_error", "answers"),
            (
                "negative_data_rejection",
                "positive_data_acceptance",
                "unsupported_method",
                "missing_required_header",
                "ignored_auth",
                "response_headers_conformance",
            ),
        ),
        (
            ("invalid_accepted", "unknown_is_refused", "ignored_auth", "content_type_is_checked"),
            ("negative_data_rejection", "status_code_conformance"),
        ),
        (
            ("content_type_conformance", "response_schema_conformance"),
            ("refusal_is_explained", "job_has_id"),
        ),
        (("not_a_server_error",), ("status_code_conformance",)),
    )
    for check in checks
}
