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
    "ignored_auth": Check(
        "security", "Nothing is done for a caller who has not proved who they are."
    ),
    "unknown_is_refused": Check(
        "security", "No 2xx answers for a project, an instance or a task that is not there."
    ),
    "headers_keep_meaning": Check(
        "security", "No header and no query makes a request mean another one."
    ),
    "token_not_echoed": Check("security", "No response carries a token."),
    "internals_not_leaked": Check(
        "security", "No response shows a traceback, a query or a path of the program."
    ),
    "object_level_authorization": Check(
        "security", "One caller does not see the objects of another."
    ),
    "path_is_exact": Check("security", "No 2xx answers a path that the contract does not have."),
    # State: a task is not in the stage that callers expect.
    "refusal_changes_nothing": Check("state", "What was refused has changed nothing."),
    "other_tasks_untouched": Check("state", "No other task is paused or resumed."),
    "change_takes_effect": Check("state", "The list shows in the end what was accepted."),
    "change_lasts": Check("state", "A change stays until the next one."),
    "resume_after_pause": Check("state", "A paused task can be resumed."),
    "pause_after_resume": Check("state", "A resumed task can be paused."),
    "same_for_all_readers": Check("state", "Every way to read the list shows the same stage."),
    "task_is_listed": Check("state", "The list shows the task."),
    "pages_fit": Check("state", "Pages keep to their limit, show each task once, and count all."),
    "job_id_is_new": Check("state", "No two changes have the same job ID."),
    "job_has_id": Check("state", "Every accepted change has a job ID."),
    "use_after_free": Check("state", "What was deleted is gone."),
    "ensure_resource_availability": Check("state", "What was created is there."),
    # Requests: which requests are accepted and which are refused.
    "answers": Check("requests", "Every request is answered."),
    "not_a_server_error": Check("requests", "No response is a 5xx."),
    "invalid_accepted": Check(
        "requests", "No 2xx answers an identifier or a name that breaks the rules."
    ),
    "negative_data_rejection": Check("requests", "A malformed request is refused."),
    "positive_data_acceptance": Check("requests", "A right request is accepted."),
    "content_type_is_checked": Check("requests", "A body that is said not to be JSON is refused."),
    "missing_required_header": Check("requests", "A request without a required header is refused."),
    "unsupported_method": Check("requests", "A method that the contract does not have is refused."),
    "same_every_time": Check("requests", "The same request is answered the same way every time."),
    "connection_is_reusable": Check(
        "requests", "A connection that was used before answers like a new one."
    ),
    "at_once": Check("requests", "Requests at the same time are answered like one by one."),
    "response_time": Check("requests", "Every response comes in time."),
    # Responses: the format of responses.
    "status_code_conformance": Check("responses", "Every status is documented."),
    "content_type_conformance": Check(
        "responses", "Every response has the documented content type."
    ),
    "response_schema_conformance": Check("responses", "Every body fits its schema."),
    "response_headers_conformance": Check("responses", "Documented headers fit their schema."),
    "refusal_is_explained": Check("responses", "Every refusal has a code and a text."),
    "request_id": Check("responses", "Every response has an `X-Request-Id` of its own."),
    "allow_header_conformance": Check("responses", "A 405 has an `Allow` with the right methods."),
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
