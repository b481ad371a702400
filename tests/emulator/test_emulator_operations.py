"""Pause, resume and list: what they change, and what they answer."""

from typing import Any

import httpx
import pytest
from emulator_calls import Clock, ask, open_client, path_of, stages
from taurusdb_starrocks_emulator import Emulator


def test_a_pause_starts_a_job_and_shows_in_the_list(
    emulator: Emulator, client: httpx.Client
) -> None:
    """After a pause the list shows `Paused`; a resume takes it back; each job is new."""
    pause = ask(emulator, client, "pause")
    assert pause.status_code == 200
    assert list(pause.json()) == ["job_id"]
    assert stages(emulator, client)["orders_sync"] == "Paused"
    resume = ask(emulator, client, "resume")
    assert stages(emulator, client)["orders_sync"] == "Incremental"
    assert resume.json()["job_id"] != pause.json()["job_id"]
    assert emulator.task(emulator.instance_id, "orders_sync").changes == 2


def test_a_resume_leads_to_the_stage_that_the_seed_says(
    emulator: Emulator, client: httpx.Client
) -> None:
    """A task that copies in full goes on copying in full."""
    ask(emulator, client, "pause", "events_sync")
    ask(emulator, client, "resume", "events_sync")
    assert stages(emulator, client)["events_sync"] == "Full"


def test_a_task_of_the_same_name_elsewhere_is_another_task(
    emulator: Emulator, client: httpx.Client
) -> None:
    """A pause touches the task of the instance in the path and no other."""
    ask(emulator, client, "pause", "orders_sync")
    paused = {(t.instance_id, t.name) for t in emulator.tasks() if t.changes}
    assert paused == {(emulator.instance_id, "orders_sync")}


@pytest.mark.parametrize(("verb", "task"), [("pause", "archive_sync"), ("resume", "orders_sync")])
def test_lenient_accepts_what_is_so_already(
    emulator: Emulator, client: httpx.Client, verb: str, task: str
) -> None:
    """A paused task may be paused and a running one resumed: a job like any other."""
    first, second = ask(emulator, client, verb, task), ask(emulator, client, verb, task)
    assert first.status_code == second.status_code == 200
    assert first.json() != second.json()


@pytest.mark.parametrize(("verb", "task"), [("pause", "archive_sync"), ("resume", "orders_sync")])
def test_strict_refuses_what_is_so_already(verb: str, task: str) -> None:
    """In strict mode the same is a 400 `DBS.200086`, and nothing changes."""
    with Emulator(mode="strict") as emulator, open_client(emulator) as client:
        answer = ask(emulator, client, verb, task)
        assert (answer.status_code, answer.json()["error_code"]) == (400, "DBS.200086")
        assert emulator.task(emulator.instance_id, task).changes == 0
        other = "resume" if verb == "pause" else "pause"
        assert ask(emulator, client, other, task).status_code == 200


@pytest.mark.parametrize(("stage", "verb"), [("incremental", "pause"), ("paused", "resume")])
def test_strict_reads_a_stage_in_any_case(stage: str, verb: Any) -> None:
    """Lowercase, as in the vendor's table of fields."""
    with Emulator(mode="strict") as emulator, open_client(emulator) as client:
        emulator.set_stage(emulator.instance_id, "orders_sync", stage)
        assert ask(emulator, client, verb).status_code == 200
        refused = ask(emulator, client, verb)
        assert (refused.status_code, refused.json()["error_code"]) == (400, "DBS.200086")


def test_strict_looks_at_the_stage_that_is_to_come(clock: Clock) -> None:
    """A task that is on its way to `Paused` counts as paused."""
    with Emulator(mode="strict", delay=60, clock=clock) as emulator:
        with open_client(emulator) as client:
            assert ask(emulator, client, "pause").status_code == 200
            assert ask(emulator, client, "pause").status_code == 400
            assert ask(emulator, client, "resume").status_code == 200


def test_a_stage_comes_after_the_delay(clock: Clock) -> None:
    """Until the delay is over the old stage shows; the target is known to the tester."""
    with Emulator(delay=30, clock=clock) as emulator, open_client(emulator) as client:
        ask(emulator, client, "pause")
        clock.now += 29.9
        assert stages(emulator, client)["orders_sync"] == "Incremental"
        state = emulator.task(emulator.instance_id, "orders_sync")
        assert (state.stage, state.target) == ("Incremental", "Paused")
        clock.now += 0.1
        assert stages(emulator, client)["orders_sync"] == "Paused"


def test_a_later_call_supersedes_an_earlier_one(clock: Clock) -> None:
    """A resume before the pause took effect: the task never pauses."""
    with Emulator(delay=30, clock=clock) as emulator, open_client(emulator) as client:
        ask(emulator, client, "pause")
        clock.now += 10
        ask(emulator, client, "resume")
        for _ in range(5):
            clock.now += 10
            assert stages(emulator, client)["orders_sync"] == "Incremental"


def test_a_repeated_call_does_not_postpone_the_first(clock: Clock) -> None:
    """A pause takes effect after the delay, no matter how often it is sent meanwhile."""
    with Emulator(delay=5, clock=clock) as emulator, open_client(emulator) as client:
        for _ in range(2):
            ask(emulator, client, "pause")
            assert stages(emulator, client)["orders_sync"] == "Incremental"
            clock.now += 3
        assert stages(emulator, client)["orders_sync"] == "Paused"
        ask(emulator, client, "resume")
        clock.now += 3
        assert stages(emulator, client)["orders_sync"] == "Paused"
        clock.now += 2
        assert stages(emulator, client)["orders_sync"] == "Incremental"


@pytest.mark.parametrize("verb", ["pause", "resume", None])
def test_an_unknown_instance_is_not_found(
    emulator: Emulator, client: httpx.Client, verb: str
) -> None:
    """Also when the ID is one of another project."""
    for instance_id in ("f" * 32 + "in17", "bfc970d8e9b34a399b4c422aabe11409in17"):
        path = path_of(emulator, verb, instance_id)
        answer = client.post(path, json={"task_name": "users_sync"}) if verb else client.get(path)
        assert answer.status_code == 400
        assert answer.json() == {"error_code": "DBS.200022", "error_msg": "Instance not found."}


@pytest.mark.parametrize("verb", ["pause", "resume"])
def test_an_unknown_task_is_not_found(emulator: Emulator, client: httpx.Client, verb: str) -> None:
    """An instance that is there and a task that is not: 400 `DBS.05000091`, no job."""
    answer = ask(emulator, client, verb, "no_such_task")
    assert (answer.status_code, answer.json()["error_code"]) == (400, "DBS.05000091")
    assert emulator.journal()[-1].job_id is None


def test_every_answer_has_an_id_and_json(emulator: Emulator, client: httpx.Client) -> None:
    """`X-Request-Id` of 32 hexadecimal digits, and a body of JSON, whatever the answer."""
    answers = [
        ask(emulator, client),
        ask(emulator, client, task_name="no_such_task"),
        client.get(path_of(emulator)),
        client.get("/nowhere"),
        client.put(path_of(emulator)),
        client.get(path_of(emulator), headers={"X-Auth-Token": "wrong"}),
        client.post("/v3/auth/tokens", json={}),
        client.get("/v3/projects"),
    ]
    ids = [answer.headers["X-Request-Id"] for answer in answers]
    assert all(len(bytes.fromhex(request_id)) == 16 for request_id in ids)
    assert len(set(ids)) == len(ids)
    assert all(answer.headers["Content-Type"] == "application/json" for answer in answers)
    assert all(isinstance(answer.json(), dict) for answer in answers)
    assert [call.request_id for call in emulator.journal()] == ids


@pytest.mark.parametrize("method", ["GET", "PUT", "PATCH", "DELETE", "OPTIONS", "HEAD", "TRACE"])
def test_a_wrong_method_is_told_the_right_one(
    emulator: Emulator, client: httpx.Client, method: str
) -> None:
    """405 with `Allow`, and nothing is done."""
    answer = client.request(method, path_of(emulator, "pause"))
    assert (answer.status_code, answer.headers["Allow"]) == (405, "POST")
    assert client.post(path_of(emulator)).headers["Allow"] == "GET"
    assert emulator.task(emulator.instance_id, emulator.task_name).changes == 0


@pytest.mark.parametrize("path", ["/", "/v3", "/v3/auth", "/v2/auth/tokens", "/v3/projects/"])
def test_an_unknown_path_is_not_found(emulator: Emulator, client: httpx.Client, path: str) -> None:
    """404 `APIGW.0101` in the gateway's shape."""
    answer = client.get(path)
    assert (answer.status_code, answer.json()["error_code"]) == (404, "APIGW.0101")
    assert answer.json()["request_id"] == answer.headers["X-Request-Id"]


# The list


def test_the_list_has_the_vendors_fields_and_loose_types(
    emulator: Emulator, client: httpx.Client
) -> None:
    """Numbers, texts and nulls mixed, as in the vendor's own example."""
    page = client.get(path_of(emulator)).json()
    assert (page["total_count"], page["ext_text"]) == (4, None)
    assert page["replications"][0] == {
        "source_database": "orders",
        "target_database": "orders",
        "task_name": "orders_sync",
        "status": "Yes",
        "stage": "Incremental",
        "percentage": 100,
        "catchup_stage": None,
        "catchup_percentage": None,
        "is_need_repair": "false",
        "is_main_task": "true",
    }
    assert page["replications"][1]["percentage"] == "100"
    assert page["replications"][2]["percentage"] == 42.5


@pytest.mark.parametrize("limit", [1, 3, 4, 100])
def test_pages_add_up_to_the_whole(emulator: Emulator, client: httpx.Client, limit: int) -> None:
    """Whatever the size of a page, all tasks come once, in the order they were added."""
    for number in range(7):
        emulator.add_task(emulator.instance_id, f"added_{number}")
    seen = []
    while page := client.get(
        path_of(emulator), params={"limit": limit, "offset": len(seen)}
    ).json()["replications"]:
        assert len(page) <= limit
        seen += [task["task_name"] for task in page]
    assert seen == [task.name for task in emulator.tasks(emulator.instance_id)]
    assert seen[-1] == "added_6"


@pytest.mark.parametrize(
    "query",
    [
        "limit=0", "limit=101", "limit=-1", "limit=abc", "limit=", "limit=1.0", "limit=%201",
        "limit=1_0", "limit=%EF%BC%91", "limit=1&limit=2", "limit=01", "limit=+1", "limit=1e1",
        "offset=-1", "offset=abc", "offset=2147483648", "offset=1&offset=1", "offset=%00",
        "limit=" + "9" * 5000,
    ],
)  # fmt: skip
def test_a_malformed_page_is_refused(emulator: Emulator, client: httpx.Client, query: str) -> None:
    """400 `DBS.280001`; a number is written in ASCII digits and nothing else."""
    answer = client.get(f"{path_of(emulator)}?{query}")
    assert (answer.status_code, answer.json()["error_code"]) == (400, "DBS.280001")


@pytest.mark.parametrize("query", ["limit=1", "limit=100", "offset=0", "offset=2147483647", "x=y"])
def test_the_ends_of_the_ranges_are_accepted(
    emulator: Emulator, client: httpx.Client, query: str
) -> None:
    """What the contract allows is answered with 200."""
    assert client.get(f"{path_of(emulator)}?{query}").status_code == 200


# In process


async def _ask_in_process(emulator: Emulator) -> Any:
    transport = httpx.ASGITransport(app=emulator.app)
    async with httpx.AsyncClient(transport=transport, base_url="http://emulator") as client:
        return await client.post(
            path_of(emulator, "pause"),
            json={"task_name": "orders_sync"},
            headers={"X-Auth-Token": emulator.token},
        )


def test_the_application_works_without_a_server() -> None:
    """`app` answers in process, before the emulator is ever entered."""
    import asyncio  # noqa: PLC0415 - used here alone

    emulator = Emulator()
    assert asyncio.run(_ask_in_process(emulator)).status_code == 200
    assert emulator.task(emulator.instance_id, "orders_sync").stage == "Paused"
    assert emulator.journal()[0].operation == "pause"


def test_an_answer_that_does_not_fit_is_the_emulators_own_fault(
    emulator: Emulator, client: httpx.Client, caplog: pytest.LogCaptureFixture
) -> None:
    """An answer outside the contract is a 500 in its shape, said in the log, and undone."""
    emulator.set_stage(emulator.instance_id, "orders_sync", "Incremental")
    emulator._state.do("UPDATE task SET progress = '{\"percentage\": []}'")
    answer = client.get(path_of(emulator))
    assert (answer.status_code, answer.json()["error_code"]) == (500, "DBS.108000")
    assert "Misfit" in caplog.text
    assert emulator.journal()[-1].status == 500
