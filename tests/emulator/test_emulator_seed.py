"""What the service holds at first, and what cannot be held."""

import copy
from pathlib import Path
from typing import Any

import pytest
from emulator_calls import ask, open_client
from taurusdb_starrocks_emulator import Emulator, SeedError

SEED = {
    "projects": [
        {
            "id": "1" * 32,
            "name": "one",
            "instances": [
                {"id": "a" * 32 + "in17", "tasks": [{"name": "tttt", "source_database": "db"}]}
            ],
        }
    ],
    "users": [{"name": "ann", "password": "secret", "account": "acme"}],
    "access_keys": [{"access_key": "AK", "secret_key": "SK"}],
}


def test_the_default_seed_is_what_the_examples_name() -> None:
    """The IDs of the vendor's examples, and dummy identities."""
    emulator = Emulator()
    assert emulator.project_id == "0483b6b16e954cb88930a360d2c4e663"
    assert emulator.region == "ap-southeast-3"
    assert emulator.instance_id == "9ac58f9b88744f8a87893d22f6ef9a28in17"
    assert emulator.task_name == "orders_sync"
    assert (emulator.account, emulator.user) == ("demo-account", "demo")
    assert emulator.password == "demo-password"
    assert (emulator.access_key, emulator.secret_key) == ("AKIDEXAMPLE", "SKEXAMPLE")
    tasks = [(task.instance_id[:4], task.name, task.stage) for task in emulator.tasks()]
    assert tasks == [
        ("9ac5", "orders_sync", "Incremental"),
        ("9ac5", "billing_sync", "Incremental"),
        ("9ac5", "events_sync", "Full"),
        ("9ac5", "archive_sync", "Paused"),
        ("b628", "orders_sync", "Incremental"),
        ("b628", "stock_sync", "Incremental"),
        ("bfc9", "users_sync", "Incremental"),
    ]


def test_a_mapping_seeds() -> None:
    """A mapping of the file's shape, and its firsts by name."""
    with Emulator(seed=SEED) as emulator, open_client(emulator) as client:
        assert emulator.task_name == "tttt"
        assert (emulator.account, emulator.user, emulator.password) == ("acme", "ann", "secret")
        assert ask(emulator, client).status_code == 200


def test_a_file_seeds(tmp_path: Path) -> None:
    """The same in YAML."""
    import yaml  # noqa: PLC0415 - used here alone

    path = tmp_path / "seed.yaml"
    path.write_text(yaml.safe_dump(SEED))
    assert [task.name for task in Emulator(seed=path).tasks()] == ["tttt"]
    assert [task.name for task in Emulator(seed=str(path)).tasks()] == ["tttt"]


def test_an_empty_service_is_possible() -> None:
    """No projects, no users: everything is refused, nothing falls."""
    with Emulator(seed={"projects": []}) as emulator, open_client(emulator) as client:
        assert (emulator.project_id, emulator.task_name, emulator.access_key) == ("", "", "")
        assert client.get("/v3/projects").json()["projects"] == []


def changed(*keys: Any, to: Any) -> Any:
    """The seed with one value replaced, or removed if `to` is Ellipsis."""
    seed = copy.deepcopy(SEED)
    place = seed
    for key in keys[:-1]:
        place = place[key]
    if to is ...:
        del place[keys[-1]]
    else:
        place[keys[-1]] = to
    return seed


PROJECT = SEED["projects"][0]
INSTANCE = PROJECT["instances"][0]
TASK = INSTANCE["tasks"][0]
TO_TASK = ("projects", 0, "instances", 0, "tasks", 0)
AT_TASK = r"seed\.projects\[0\]\.instances\[0\]\.tasks\[0\]"


@pytest.mark.parametrize(
    ("seed", "named"),
    [
        ({}, "seed: 'projects' is missing"),
        (changed("projects", to=...), "'projects' is missing"),
        (changed("projects", to=None), r"seed\.projects: a list"),
        (changed("projects", to={}), r"seed\.projects: a list"),
        (changed("projects", 0, to="one"), r"seed\.projects\[0\]: a mapping"),
        (changed("project", to=[]), "seed: 'project' is unknown"),
        (changed("projects", 0, "id", to=...), r"seed\.projects\[0\]: 'id' is missing"),
        (changed("projects", 0, "id", to=12345), r"seed\.projects\[0\]\.id: text.*quote"),
        (changed(*TO_TASK, "name", to=...), AT_TASK + ": 'name' is missing"),
        (changed(*TO_TASK, "stages", to="x"), AT_TASK + ": 'stages' is unknown"),
        (changed(*TO_TASK, "status", to=True), AT_TASK + r"\.status: text.*quote"),
        (changed(*TO_TASK, "percentage", to=[]), AT_TASK + r"\.percentage: text, a number or null"),
        (changed(*TO_TASK, "percentage", to=True), AT_TASK + r"\.percentage"),
        (changed(*TO_TASK, "percentage", to=float("nan")), AT_TASK + r"\.percentage.*nan"),
        (changed(*TO_TASK, "catchup_stage", to=float("-inf")), AT_TASK + r"\.catchup_stage.*inf"),
        (changed(*TO_TASK, "last_error_of_alter_table", to=5), AT_TASK + ".*table: text"),
        (changed("users", 0, "projects", to=["2" * 32]), r"seed\.users\[0\]\.projects: '2+' is no"),
        (changed("access_keys", 0, "projects", to=["x"]), r"seed\.access_keys\[0\]\.projects: 'x'"),
        (changed("access_keys", 0, "projects", to=[1]), r"access_keys\[0\]\.projects\[0\]: text"),
        (changed("projects", to=[PROJECT, PROJECT]), "is there twice"),
        (changed("projects", 0, "instances", to=[INSTANCE, INSTANCE]), "instances: .* twice"),
        (changed("projects", 0, "instances", 0, "tasks", to=[TASK, TASK]), "'tttt' is there twice"),
        (changed("users", to=SEED["users"] * 2), "'acme/ann' is there twice"),
        (changed("access_keys", to=SEED["access_keys"] * 2), "'AK' is there twice"),
    ],
)
def test_a_seed_that_cannot_be_is_refused(seed: Any, named: Any) -> None:
    """SeedError, a ValueError, that says where."""
    with pytest.raises(SeedError, match=named):
        Emulator(seed=seed)


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("[", "seed: not YAML"),
        ("- a", "a mapping"),
        ("", "a mapping"),
        ("x", "mapping"),
        ("users: [{name: \u00e9}]", "seed: not in UTF-8"),
        ("projects: []\nusers: []\nprojects: []", "'projects' twice(?s:.*) line 3"),
        ("projects: [{id: a, name: b, id: c}]", "'id' twice"),
    ],
)
def test_a_file_that_holds_no_seed_is_refused(tmp_path: Path, text: Any, named: Any) -> None:
    """The same for what stands in a file."""
    path = Path(tmp_path) / "seed.yaml"
    path.write_text(text, encoding="latin-1")
    with pytest.raises(SeedError, match=named):
        Emulator(seed=path)


def test_a_file_that_is_not_there_is_an_os_error(tmp_path: Path) -> None:
    """As with any file."""
    with pytest.raises(FileNotFoundError):
        Emulator(seed=tmp_path / "nowhere.yaml")
