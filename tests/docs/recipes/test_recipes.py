"""Every recipe runs as a program, against an emulator that says what became of the tasks."""

from __future__ import annotations

import importlib
import json
import os
import re
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from threading import Thread

import pytest
import yaml
from taurusdb_starrocks import (
    AlreadyPausedError,
    AuthenticationError,
    BadRequestError,
    ConfigurationError,
    ConflictError,
    NotFoundError,
    NotResumedError,
    NotSentError,
    OutcomeUnknownError,
    PermissionDeniedError,
    RateLimitError,
    ServerError,
    Stage,
    Task,
    TaskFailedError,
    UnsupportedOperationError,
    WaitTimeoutError,
)
from taurusdb_starrocks.cli import statuses
from taurusdb_starrocks_emulator import Emulator, Fault

from docs import http_reference

ROOT = Path(__file__).resolve().parents[3]
RECIPES = ROOT / "examples" / "recipes"
CONTAINER = ROOT / "examples" / "container"
ORDERS = "9ac58f9b88744f8a87893d22f6ef9a28in17"
STOCK = "b6280c323ce449f2ad02af74e21f3dc5in17"
# In a program that imports this, as Python does by itself, a second is the 25th of one.
HURRY = """
import asyncio, time
sleep, asleep, now, start = time.sleep, asyncio.sleep, time.monotonic, time.monotonic()
time.sleep = lambda seconds: sleep(seconds / 25)
asyncio.sleep = lambda seconds: asleep(seconds / 25)
time.monotonic = lambda: start + (now() - start) * 25
"""
Run = Callable[..., subprocess.CompletedProcess[str]]
Chat = tuple[str, list[str]]
OK = [sys.executable, "-c", "print('loaded')"]


@pytest.fixture(scope="module")
def server() -> Iterator[Emulator]:
    with Emulator(token="a-token") as emulator:
        yield emulator


@pytest.fixture
def emulator(server: Emulator) -> Emulator:
    server.reset()
    return server


@pytest.fixture
def environ(emulator: Emulator, tmp_path: Path) -> dict[str, str]:
    """The variables that the recipes read, and short waits."""
    (tmp_path / "hurry").mkdir()
    (tmp_path / "hurry" / "sitecustomize.py").write_text(HURRY)
    kept = {name: value for name, value in os.environ.items() if "proxy" not in name.lower()}
    return kept | {
        "TAURUSDB_STARROCKS_ENDPOINT": emulator.url,
        "TAURUSDB_STARROCKS_AUTH_TOKEN": emulator.token,
        "HUAWEICLOUD_SDK_PROJECT_ID": emulator.project_id,
        "PYTHONPATH": str(tmp_path / "hurry"),
    }


@pytest.fixture
def run(environ: dict[str, str], tmp_path: Path) -> Run:
    """Run a recipe to its end."""

    def run(name: str, *arguments: str, **more: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, RECIPES / name, *arguments],
            env=environ | more,
            cwd=tmp_path,
            capture_output=True,
            text=True,
            check=False,
            timeout=60,
        )

    return run


def stages(emulator: Emulator, instance: str, *names: str) -> list[str]:
    return [emulator.task(instance, name).stage for name in names]


def changes(emulator: Emulator) -> list[str]:
    return [one.operation for one in emulator.journal() if one.operation in {"pause", "resume"}]


@pytest.fixture
def chat() -> Iterator[Chat]:
    """Where alerts are posted, and what they said."""
    said: list[str] = []

    class Answers(BaseHTTPRequestHandler):
        def do_POST(self) -> None:  # As http.server calls it.
            length = int(self.headers["Content-Length"])
            said.append(json.loads(self.rfile.read(length))["text"])
            self.send_response(204)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            pass

    with HTTPServer(("127.0.0.1", 0), Answers) as server:
        Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}", said
        server.shutdown()


def test_nightly_load(run: Run, emulator: Emulator) -> None:
    """The load runs while both tasks are paused, and they run again."""
    done = run("nightly_load.py", *OK)
    assert (done.returncode, done.stdout) == (0, "loaded\n")
    assert sorted(changes(emulator)) == ["pause", "pause", "resume", "resume"]
    assert stages(emulator, ORDERS, "orders_sync", "billing_sync") == ["Incremental"] * 2


def test_nightly_load_after_a_crash(run: Run, emulator: Emulator, chat: Chat) -> None:
    """Tasks that a killed run left paused are reported and resumed by the next run."""
    url, said = chat
    killer = "import os, signal; os.kill(os.getppid(), signal.SIGKILL)"
    assert run("nightly_load.py", sys.executable, "-c", killer).returncode == -signal.SIGKILL
    assert stages(emulator, ORDERS, "orders_sync", "billing_sync") == ["Paused"] * 2
    assert run("nightly_load.py", *OK, ALERT_URL=url).returncode == 0
    assert said == ["left paused by an earlier run: orders_sync, billing_sync"]
    assert stages(emulator, ORDERS, "orders_sync", "billing_sync") == ["Incremental"] * 2


def test_nightly_load_that_fails(run: Run, emulator: Emulator, chat: Chat) -> None:
    """A load that fails is reported, and the tasks are running."""
    url, said = chat
    done = run("nightly_load.py", sys.executable, "-c", "raise SystemExit(9)", ALERT_URL=url)
    assert done.returncode == 1
    assert "nightly load failed; this run left no task paused" in said[0]
    assert stages(emulator, ORDERS, "orders_sync", "billing_sync") == ["Incremental"] * 2


def test_nightly_load_that_leaves_a_task_paused(run: Run, emulator: Emulator, chat: Chat) -> None:
    """A task that may still be paused is named, with a status of its own."""
    url, said = chat
    emulator.faults.add(Fault("error", operation="resume", status=403, code="DBS.200010"))
    assert run("nightly_load.py", *OK, ALERT_URL=url).returncode == 122
    assert said[0].startswith("MAY STILL BE PAUSED: ")
    assert "orders_sync" in said[0]


def test_nightly_load_that_cannot_open_its_window(run: Run, emulator: Emulator, chat: Chat) -> None:
    """The alert does not claim that tasks run which an earlier run left paused."""
    url, said = chat
    for name in ("orders_sync", "billing_sync"):
        emulator.set_stage(ORDERS, name, "Paused")
    expired = {"TAURUSDB_STARROCKS_AUTH_TOKEN": "expired"}
    assert run("nightly_load.py", *OK, ALERT_URL=url, **expired).returncode == 1
    assert "An earlier run may have left tasks paused: 401" in said[0]


def test_nightly_load_with_no_one_to_alert(run: Run, emulator: Emulator) -> None:
    """A broken alert changes neither the exit status nor what is done."""
    nobody = "http://127.0.0.1:9/"
    for name in ("orders_sync", "billing_sync"):
        emulator.set_stage(ORDERS, name, "Paused")
    done = run("nightly_load.py", *OK, ALERT_URL=nobody)
    assert (done.returncode, done.stdout) == (0, "loaded\n"), done.stderr
    emulator.faults.add(Fault("error", operation="resume", status=403, code="DBS.200010"))
    done = run("nightly_load.py", *OK, ALERT_URL=nobody)
    assert done.returncode == 122
    assert "the alert was not delivered" in done.stderr


@pytest.fixture
def in_background() -> Iterator[None]:
    """Children ignore SIGINT, like the programs that a script starts with ``&``."""
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.mark.usefixtures("in_background")
def test_nightly_load_resumes_on_sigterm(run: Run, emulator: Emulator) -> None:
    """As when the machine is shut down at night."""
    stop = "import os, signal, time; os.kill(os.getppid(), signal.SIGTERM); time.sleep(60)"
    assert run("nightly_load.py", sys.executable, "-c", stop).returncode == 130
    assert stages(emulator, ORDERS, "orders_sync", "billing_sync") == ["Incremental"] * 2


FAILING = """
import asyncio, os, signal, sys
sys.argv = ["many_instances.py", *sys.argv[2:]]
sys.path.insert(0, {folder!r})
import many_instances

async def work(instance_id):
    print("working on", instance_id, flush=True)
    if instance_id.startswith("b6"):
        await asyncio.sleep(10)
        {event}
    await asyncio.sleep(60)

many_instances.work = work
signal.signal(signal.SIGINT, signal.default_int_handler)
signal.signal(signal.SIGTERM, lambda *_: signal.raise_signal(signal.SIGINT))
sys.exit(asyncio.run(many_instances.main(sys.argv[1:])))
"""


@pytest.mark.parametrize(
    ("event", "status", "told"),
    [
        ('raise OSError("disk full")', 1, ["b62", "OSError('disk full')"]),
        ("os.kill(os.getpid(), signal.SIGTERM)", 1, []),
    ],
    ids=["work fails", "SIGTERM"],
)
def test_many_instances_of_which_one_fails(
    environ: dict[str, str], emulator: Emulator, event: str, status: int, told: list[str]
) -> None:
    """The other windows resume their tasks before the client is closed."""
    before = {(task.instance_id, task.name): task.stage for task in emulator.tasks()}
    program = FAILING.format(folder=str(RECIPES), event=event)
    done = subprocess.run(
        [sys.executable, "-c", program, "", ORDERS, STOCK],
        env=environ,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert done.returncode in (status, -signal.SIGINT, 130), done.stderr
    assert changes(emulator).count("pause") == 5
    assert {(task.instance_id, task.name): task.stage for task in emulator.tasks()} == before
    assert all(text in done.stdout for text in told), done.stdout


def test_many_instances(run: Run, emulator: Emulator) -> None:
    """Each instance is paused, worked on and resumed; tasks that were paused stay so."""
    done = run("many_instances.py", ORDERS, STOCK)
    assert done.returncode == 0, done.stderr
    assert sorted(done.stdout.splitlines()) == sorted(
        [f"working on {ORDERS}", f"working on {STOCK}", f"{ORDERS} done", f"{STOCK} done"]
    )
    assert changes(emulator).count("pause") == changes(emulator).count("resume") == 5
    assert stages(emulator, ORDERS, "archive_sync", "events_sync") == ["Paused", "Full"]


def seeded(folder: Path, instances: dict[str, list[str]]) -> Path:
    """A file for an emulator that holds these tasks of these instances."""
    held = [
        {
            "id": instance,
            "name": instance[:8],
            "tasks": [{"name": name, "source_database": "a"} for name in names],
        }
        for instance, names in instances.items()
    ]
    project = {"id": "0483b6b16e954cb88930a360d2c4e663", "name": "here", "instances": held}
    path = folder / "seed.yaml"
    path.write_text(yaml.safe_dump({"projects": [project]}))
    return path


def test_many_instances_that_may_stay_paused(run: Run, emulator: Emulator) -> None:
    """The exit status is the one that the command has, too."""
    emulator.faults.add(Fault("error", operation="resume", status=403, code="DBS.200010"))
    done = run("many_instances.py", STOCK)
    assert done.returncode == 122
    assert f"{STOCK} MAY STILL BE PAUSED: orders_sync, stock_sync" in done.stdout


def test_twenty_instances(tmp_path: Path, environ: dict[str, str]) -> None:
    """Twenty instances are paused at the same time."""
    instances = [f"{number:032x}in17" for number in range(20)]
    path = seeded(tmp_path, {one: ["a_task"] for one in instances})
    with Emulator(seed=path, token="a-token", delay=0.5) as emulator:
        done = subprocess.run(
            [sys.executable, RECIPES / "many_instances.py", *instances],
            env=environ | {"TAURUSDB_STARROCKS_ENDPOINT": emulator.url},
            capture_output=True,
            text=True,
            check=False,
            timeout=60,
        )
        assert done.returncode == 0, done.stderr
        assert done.stdout.count(" done\n") == 20
        order = changes(emulator)
        assert order[:20] == ["pause"] * 20  # All, before the first is resumed.
        assert order[20:] == ["resume"] * 20


def test_two_hundred_tasks_from_a_file(tmp_path: Path, environ: dict[str, str]) -> None:
    """All are paused and resumed; what fails is a file for the next run."""
    held = {
        f"{number:032x}in17": [f"task_{number}_{one}" for one in range(50)] for number in range(4)
    }
    rows = [(instance, name) for instance, names in held.items() for name in names]
    tasks = tmp_path / "tasks.csv"
    # As Excel writes it, with a byte order mark.
    tasks.write_text("\ufeffinstance_id,task_name\n" + "".join(f"{i},{name}\n" for i, name in rows))

    with Emulator(seed=seeded(tmp_path, held), token="a-token") as emulator:

        def run(*arguments: str) -> tuple[int, str]:
            done = subprocess.run(
                [sys.executable, RECIPES / "tasks_from_csv.py", *arguments],
                env=environ | {"TAURUSDB_STARROCKS_ENDPOINT": emulator.url},
                cwd=tmp_path,
                capture_output=True,
                text=True,
                check=False,
                timeout=120,
            )
            return done.returncode, done.stdout

        # One that is not there: the others of its instance are paused one by one.
        with tasks.open("a") as file:
            file.write(f"{rows[-1][0]},no_such_task\n")
        assert run("pause", "tasks.csv") == (1, "pause: 200 of 201 done\n")
        assert (tmp_path / "failed.csv").read_text().splitlines() == [
            "instance_id,task_name",
            f"{rows[-1][0]},no_such_task",
        ]
        assert {emulator.task(*row).stage for row in rows} == {"Paused"}
        tasks.write_text(tasks.read_text().replace(f"{rows[-1][0]},no_such_task\n", ""))
        assert run("resume", "tasks.csv") == (0, "resume: 200 of 200 done\n")
        assert {emulator.task(*row).stage for row in rows} == {"Incremental"}
        with tasks.open("a") as file:
            file.write(f"{rows[-1][0]},no_such_task\n")
        assert run("resume", "tasks.csv") == (122, "resume: 200 of 201 done\n")
        # A file for fleets, whose region would be ignored.
        tasks.write_text("instance_id,task_name,region\n")
        assert run("pause", "tasks.csv") == (1, "")


@pytest.mark.usefixtures("in_background")
def test_service_stops_on_sigterm(environ: dict[str, str], emulator: Emulator) -> None:
    """SIGTERM resumes the task before the process ends."""
    del environ["PYTHONPATH"]  # Its work is a sleep.
    service = subprocess.Popen(
        [sys.executable, RECIPES / "service.py"], env=environ, stdout=subprocess.PIPE, text=True
    )
    try:
        assert service.stdout is not None
        assert service.stdout.readline() == "paused\n"
        assert stages(emulator, ORDERS, "orders_sync") == ["Paused"]
        service.terminate()
        told, _ = service.communicate(timeout=30)
    finally:
        service.kill()
    assert (service.returncode, told) == (0, "stopped, the task is running\n")
    assert stages(emulator, ORDERS, "orders_sync") == ["Incremental"]


@pytest.mark.parametrize(
    ("status", "fault", "task"),
    [
        (0, None, "orders_sync"),
        (1, None, "no_such_task"),
        (2, None, "not-a-name"),
        (3, Fault("error", operation="pause", status=500), "orders_sync"),
        (3, Fault("abnormal"), "orders_sync"),
        (4, Fault("expired-token", times=9), "orders_sync"),
        (5, Fault("never-settles"), "orders_sync"),
    ],
    ids=["paused", "no task", "no name", "failure", "abnormal", "no token", "no effect"],
)
def test_exit_statuses(
    run: Run, emulator: Emulator, status: int, fault: Fault | None, task: str
) -> None:
    """Each kind of failure has the status that the page says."""
    if fault:
        emulator.faults.add(fault)
    done = run("exit_status.py", ORDERS, task)
    assert done.returncode == status, done.stderr
    assert bool(done.stderr) == bool(status)


def test_exit_statuses_are_those_of_the_command(monkeypatch: pytest.MonkeyPatch) -> None:
    """A script and the command line say the same about an error."""
    monkeypatch.syspath_prepend(str(RECIPES))
    recipe = importlib.import_module("exit_status")
    task = Task("orders_sync", Stage.PAUSED, "Paused", "No", None, None, None)
    errors = [
        ConfigurationError("no"),
        NotSentError("no"),
        *(
            kind("no", status=400)
            for kind in (
                AuthenticationError,
                BadRequestError,
                ConflictError,
                NotFoundError,
                PermissionDeniedError,
                RateLimitError,
                UnsupportedOperationError,
            )
        ),
        *(OutcomeUnknownError("no", harmless=harmless) for harmless in (True, False)),
        *(ServerError("no", status=500, harmless=harmless) for harmless in (True, False)),
        WaitTimeoutError("no", task=task),
        TaskFailedError("no", task=task),
        AlreadyPausedError(ORDERS, ["orders_sync"]),
        NotResumedError("no", instance_id=ORDERS, task_names=("orders_sync",)),
    ]
    assert [recipe.status_of(error) for error in errors] == [
        statuses.status_of(error) for error in errors
    ]


def test_check_tells_what_is_paused(run: Run, emulator: Emulator) -> None:
    """A paused task is a line and status 6; what could not be checked is a line, too."""
    done = run("check_paused.py", ORDERS, STOCK)
    assert (done.returncode, done.stdout) == (6, f"PAUSED: archive_sync on {ORDERS}\n")
    done = run("check_paused.py", STOCK)
    assert (done.returncode, done.stdout) == (0, "")
    done = run("check_paused.py", "f" * 32 + "in17")
    assert done.returncode == 1
    assert "could not check" in done.stdout


def test_logs_and_alerts(run: Run) -> None:
    """Each change is a line of JSON, and a task that was paused before is an alert."""
    done = run("logs_and_alerts.py")
    assert done.returncode == 0
    lines = [json.loads(line) for line in done.stdout.splitlines() if line.startswith("{")]
    told = [line["message"].partition(" ")[0] for line in lines if line["level"] == "INFO"]
    assert told == ["pause", "resume"]
    (alert,) = done.stderr.splitlines()
    assert alert.startswith("alert: WARNING: ")
    assert "archive_sync" in alert


def test_an_alert_that_fails_prevents_no_resume(
    environ: dict[str, str], emulator: Emulator
) -> None:
    """The service that takes alerts is down, and the first resume fails."""
    emulator.set_stage(ORDERS, "archive_sync", "Incremental")
    emulator.faults.add(Fault("unavailable", operation="resume", times=1))
    program = (
        f"import sys; sys.path.insert(0, {str(RECIPES)!r})\n"
        "import logs_and_alerts\n"
        "def send(text): raise OSError('down')\n"
        "logs_and_alerts.main(send)"
    )
    done = subprocess.run(
        [sys.executable, "-c", program],
        env=environ,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert done.returncode == 0, done.stderr
    assert "OSError: down" in done.stderr
    assert stages(emulator, ORDERS, "orders_sync", "archive_sync") == ["Incremental"] * 2


def test_rate_limits(run: Run, emulator: Emulator) -> None:
    """Throttled again and again, the tasks are paused in the end."""
    emulator.faults.add(Fault("throttle", operation="pause", times=8, retry_after=0))
    done = run("rate_limits.py", ORDERS, "orders_sync", "billing_sync")
    assert (done.returncode, done.stdout) == (0, "orders_sync Paused\nbilling_sync Paused\n")


def test_schema_change(run: Run, emulator: Emulator) -> None:
    """A change that cannot be synchronized is told; one that can is not."""
    done = run("schema_change.py", ORDERS, "orders_sync", *OK)
    assert done.returncode == 0, done.stderr
    assert "orders_sync is running; no problem was reported within 120 s" in done.stdout
    assert changes(emulator) == ["pause", "resume"]


LATER = """
import sys
from attrs import evolve
sys.path.insert(0, {folder!r})
import schema_change

class Later(schema_change.Client):
    reads = 0

    def configuration(self, *arguments):
        self.reads += 1
        error = {first!r} if self.reads < 4 else {later!r}
        return evolve(super().configuration(*arguments), last_error_of_alter_table=error)

schema_change.Client = Later
sys.exit(schema_change.main({instance!r}, "orders_sync", sys.executable, "-c", ""))
"""


@pytest.mark.parametrize(
    ("first", "later", "status", "told"),
    [
        ("", "MODIFY: not supported", 1, "needs a repair: MODIFY: not supported"),
        ("MODIFY: old", "MODIFY: old", 0, "no problem was reported"),
    ],
    ids=["late", "of an earlier change"],
)
def test_a_problem_of_a_schema_change_shows_late(
    environ: dict[str, str], first: str, later: str, status: int, told: str
) -> None:
    """It shows some time after the task was resumed. An error of an earlier change is none."""
    program = LATER.format(folder=str(RECIPES), first=first, later=later, instance=ORDERS)
    done = subprocess.run(
        [sys.executable, "-c", program],
        env=environ,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert done.returncode == status, done.stderr
    assert told in done.stdout + done.stderr


def test_no_schema_is_changed_while_a_task_needs_a_repair(run: Run, emulator: Emulator) -> None:
    done = run("schema_change.py", ORDERS, "archive_sync", *OK)
    assert done.returncode == 1
    assert "already needs a repair. Nothing was changed" in done.stderr
    assert changes(emulator) == []


def test_fixtures(tmp_path: Path) -> None:
    """The tests of the recipe pass, beside the code that they test."""
    for name in ("nightly_load.py", "test_nightly_load.py"):
        shutil.copy(RECIPES / name, tmp_path)
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "--rootdir", tmp_path],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "3 passed" in done.stdout


def test_another_language(environ: dict[str, str], emulator: Emulator) -> None:
    """A program in JavaScript pauses a task, and tells why it cannot."""
    node = shutil.which("node")
    assert node, "Node.js runs the recipe"

    def pause(task: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [node, RECIPES / "pause.mjs", ORDERS, task],
            env={
                "PATH": environ["PATH"],
                "ENDPOINT": emulator.url,
                "PROJECT_ID": emulator.project_id,
                "TOKEN": emulator.token,
            },
            capture_output=True,
            text=True,
            check=False,
            timeout=60,
        )

    done = pause("orders_sync")
    assert done.returncode == 0, done.stderr
    assert re.fullmatch(r"accepted as job \S+\norders_sync is paused\n", done.stdout)
    assert stages(emulator, ORDERS, "orders_sync") == ["Paused"]
    assert "DBS.05000091" in pause("no_such_task").stderr


def test_container(tmp_path: Path) -> None:
    """The image's command serves, its health check tells, and it is published to this machine."""
    text = (CONTAINER / "Dockerfile").read_text(encoding="utf-8")
    told = text.replace("\\\n", " ")
    assert "UNTESTED" in text
    assert int(re.findall(r"^USER (\d+)$", told, re.MULTILINE)[-1]) > 0
    command, health = (
        json.loads(found)
        for found in (
            re.search(r"^CMD (\[.*\])$", told, re.MULTILINE)[1],  # type: ignore[index]
            re.search(r"^HEALTHCHECK .*CMD (\[.*\])$", told, re.MULTILINE)[1],  # type: ignore[index]
        )
    )
    compose = yaml.safe_load((CONTAINER / "compose.yaml").read_text(encoding="utf-8"))
    service = compose["services"]["emulator"]
    assert service["ports"] == ["127.0.0.1:8080:8080"]
    assert (CONTAINER / service["build"]["context"]).resolve() == ROOT
    assert (ROOT / service["build"]["dockerfile"]).is_file()

    # On loopback and a free port, which is what a container has in place of a network of its own.
    with Emulator() as free:
        port = free.url.rpartition(":")[2]
    here = {"0.0.0.0": "127.0.0.1", "8080": port, "python": sys.executable}
    there = [here.get(word, word) for word in command]
    there[0] = str(Path(sys.executable).with_name(there[0]))
    probe = [sys.executable, *(word.replace("8080", port) for word in health[1:])]
    assert subprocess.run(probe, capture_output=True, check=False).returncode != 0
    with subprocess.Popen(
        there, env=os.environ | service["environment"], stdout=subprocess.PIPE, text=True
    ) as emulator:
        try:
            assert emulator.stdout is not None
            assert emulator.stdout.readline() == f"http://127.0.0.1:{port}\n"
            assert subprocess.run(probe, capture_output=True, check=False).returncode == 0
            emulator.send_signal(getattr(signal, service["stop_signal"]))
            assert emulator.wait(20) == 0
        finally:
            emulator.kill()


def test_every_recipe_is_on_a_page() -> None:
    """Each file is shown as a whole, so what is tested is what is read."""
    pages = "".join(path.read_text("utf-8") for path in (ROOT / "docs/recipes").glob("*.md"))
    shown = set(re.findall(r"\{literalinclude\} \.\./\.\./examples/(\S+)", pages))
    here = {
        path.relative_to(ROOT / "examples").as_posix()
        for folder in (RECIPES, CONTAINER)
        for path in folder.iterdir()
        if path.is_file()
    }
    assert shown == here


def test_commands_of_the_http_reference(environ: dict[str, str], tmp_path: Path) -> None:
    """The samples of the command line run, one after the other, and do what the page says."""
    contract = yaml.safe_load((ROOT / "openapi.yaml").read_text(encoding="utf-8"))
    page = http_reference.render(contract)["calls"]
    del environ["PYTHONPATH"]  # The guardian of a pause has a clock of its own.
    environ |= {
        "HOME": str(tmp_path),
        "PATH": f"{Path(sys.executable).parent}:{environ['PATH']}",
    }
    environ.pop("XDG_STATE_HOME", None)
    shown = {}
    with Emulator(token="a-token") as emulator:
        environ |= {
            "TAURUSDB_STARROCKS_ENDPOINT": emulator.url,
            "INSTANCE_ID": emulator.instance_id,
            "SOURCE_INSTANCE_ID": emulator.source_instance_id,
        }
        for command in re.findall(r"^\$ (taurusdb-starrocks .*)$", page, re.MULTILINE):
            done = subprocess.run(
                ["bash", "-c", command],
                env=environ,
                capture_output=True,
                text=True,
                check=False,
            )
            assert done.returncode == 0, (command, done.stdout + done.stderr)
            shown[command.split()[1]] = done.stdout
        task = emulator.task(emulator.instance_id, "orders_sync")
        assert (task.stage, task.changes) == ("Incremental", 2)
    assert shown.keys() == {"pause", "resume", "tasks", "status", "instances"}
    assert "billing_sync" in shown["tasks"]
    assert emulator.instance_id in shown["instances"]
