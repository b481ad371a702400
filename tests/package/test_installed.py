"""The wheel, installed in empty environments, with the sources out of reach."""

from __future__ import annotations

import json
import re
import shutil
import tomllib
from configparser import ConfigParser
from email.message import Message
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from packaging.version import Version
from wheels import ROOT, Environment, copy_checkout, inside

USES = Path(__file__).parent / "uses"
# Tests of the checkout that need nothing but the packages, the contract and the group "test".
SUITES = ("wrapper", "waiting", "emulator", "cli")
NOT_THOSE = (
    "__pycache__",
    "test_screen.py",  # Needs a terminal emulation.
    "test_telemetry.py",  # Needs OpenTelemetry.
    # Minutes of clocks and processes, in which other versions of dependencies change nothing.
    "test_deadline.py",
    "test_emulator_command.py",
    "test_emulator_database.py",
    "test_fleet_commands.py",
    "test_interrupts.py",
    "test_secrets.py",
    "test_state_machine.py",
    "test_wait_bounds.py",
    "test_window.py",
    "test_window_holds.py",
)
PLUGIN = Path(__file__).parent / "imported_from_wheel.py"
# What is installed into somebody's Airflow: alone, and not beside the rest.
IN_A_HOST = "airflow"
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))


def usual(metadata: Message) -> list[str]:
    """The extras that are installed with each other."""
    return [extra for extra in metadata.get_all("Provides-Extra", []) if extra != IN_A_HOST]


def required(metadata: Message) -> list[str]:
    """What the base install and these extras require."""
    texts = metadata.get_all("Requires-Dist", [])
    return [text for text in texts if f"extra == '{IN_A_HOST}'" not in text]


def with_extras(wheel: Path, *extras: str) -> str:
    return f"{wheel}[{','.join(extras)}]" if extras else str(wheel)


def test_every_extra_is_used(metadata: Message) -> None:
    """There is a script for the base and for each extra."""
    extras = set(metadata.get_all("Provides-Extra", []))
    assert {path.stem for path in USES.glob("*.py")} == extras | {"base"}


@pytest.mark.parametrize("use", sorted(USES.glob("*.py")), ids=lambda path: path.stem)
def test_extra_alone(use: Path, wheel: Path, environment: Environment) -> None:
    """What an extra is for works with nothing else installed."""
    extras = () if use.stem == "base" else (use.stem,)
    environment.install(with_extras(wheel, *extras))
    ran = environment.run("-I", shutil.copy(use, environment.folder))
    assert ran.returncode == 0, ran.stderr


def test_installs_from_a_checkout(environment: Environment) -> None:
    """As the README has it, while there is no release: with the stand-in, by pip alone."""
    checkout = copy_checkout(environment.folder / "checkout")
    environment.install(with_extras(checkout, "emulator"))
    shutil.rmtree(checkout)
    ran = environment.run("-I", shutil.copy(USES / "emulator.py", environment.folder))
    assert ran.returncode == 0, ran.stderr


def test_base_with_pytest(wheel: Path, environment: Environment) -> None:
    """Without any extra, nothing that the wheel registers stands in another tool's way."""
    environment.install(wheel, "pytest")
    (environment.folder / "test_it.py").write_text("def test_it(): pass\n", encoding="utf-8")
    ran = environment.run("-W", "error", "-m", "pytest", "-q")
    assert ran.returncode == 0, ran.stdout + ran.stderr
    assert "1 passed" in ran.stdout


ADVICE = "which is not installed: pip install 'taurusdb-starrocks[emulator]'"


def test_base_says_what_the_emulator_needs(wheel: Path, environment: Environment) -> None:
    """Without its extra, the command, the package and the fixtures each name it in one line."""
    environment.install(wheel, "pytest")
    command = environment.python.parent / "taurusdb-starrocks-emulator"
    for ran in (
        environment.run(command),
        environment.run("-m", "taurusdb_starrocks_emulator", "--port", "0"),
    ):
        assert ran.returncode == 2
        assert re.fullmatch(rf"taurusdb-starrocks-emulator: .*{re.escape(ADVICE)}\n", ran.stderr)
    assert environment.run(command, "--help").returncode == 0
    assert environment.run("-c", "import taurusdb_starrocks_emulator").returncode == 0
    ran = environment.run("-c", "from taurusdb_starrocks_emulator import Emulator")
    assert ran.stderr.splitlines()[-1].endswith(ADVICE)
    assert ran.stderr.count("Traceback") == 1
    (environment.folder / "test_it.py").write_text(PYTEST, encoding="utf-8")
    ran = environment.run("-m", "pytest", "-q", "test_it.py")
    assert ran.returncode == 1
    assert ADVICE in ran.stdout
    assert "import Emulator" not in ran.stdout  # No source, so no traceback.


def test_base_says_what_the_command_needs(wheel: Path, environment: Environment) -> None:
    """Without its extra, the command is there, and says in one line what to install."""
    environment.install(wheel)
    command = environment.python.parent / "taurusdb-starrocks"
    for ran in (
        environment.run(command, "tasks"),
        environment.run("-m", "taurusdb_starrocks.cli", "tasks"),
    ):
        assert ran.returncode == 2
        assert ran.stderr == (
            "taurusdb-starrocks: The command needs click, which is not installed: "
            "pip install 'taurusdb-starrocks[cli]'\n"
        )
    assert environment.run(command, "--version").returncode == 0


PYTEST = """
def test_fixtures(starrocks_emulator, starrocks_client):
    starrocks_client.pause(starrocks_emulator.instance_id, "orders_sync")
    assert [call.operation for call in starrocks_emulator.journal()] == ["pause"]
"""


def test_entry_points_work(wheel: Path, environment: Environment, metadata: Message) -> None:
    """Each console script is on the path and shows its help; pytest finds the fixtures."""
    environment.install(with_extras(wheel, *usual(metadata)), "pytest")
    (environment.folder / "test_it.py").write_text(PYTEST, encoding="utf-8")
    ran = environment.run("-m", "pytest", "-q")
    assert ran.returncode == 0, ran.stdout + ran.stderr
    declared = ConfigParser()
    declared.read_string(inside(wheel, "entry_points.txt"))
    for command in declared["console_scripts"]:
        ran = environment.run(environment.python.parent / command, "--help")
        assert ran.returncode == 0, ran.stderr
        assert command in ran.stdout


def lowest(environment: Environment, wheel: Path, extras: list[str]) -> None:
    """Install the wheel with the lowest versions that its metadata allows, as they are locked."""
    locked = ROOT / "requirements" / "lowest.txt"
    environment.install("--no-deps", "--require-hashes", "-r", locked)
    environment.install("--no-deps", with_extras(wheel, *extras))
    environment.check()


def newest(environment: Environment, wheel: Path, extras: list[str]) -> None:
    """Install the wheel with the newest versions that its metadata allows."""
    environment.install(
        "--upgrade", with_extras(wheel, *extras), *PROJECT["dependency-groups"]["test"]
    )


def installed_versions(environment: Environment) -> dict[str, Version]:
    script = (
        "import json; from importlib.metadata import distributions; "
        "print(json.dumps({d.name: d.version for d in distributions()}))"
    )
    told = json.loads(environment.run("-c", script).stdout)
    return {canonicalize_name(name): Version(version) for name, version in told.items()}


def floor(requirement: Requirement) -> Version:
    (found,) = [part.version for part in requirement.specifier if part.operator in {">=", "=="}]
    return Version(found)


@pytest.mark.parametrize("install", [lowest, newest])
def test_suite_passes(
    install: object, wheel: Path, environment: Environment, metadata: Message
) -> None:
    """The tests of the client and the stand-in pass on what is released, not on the checkout."""
    assert callable(install)
    install(environment, wheel, usual(metadata))
    versions = installed_versions(environment)
    for text in required(metadata):
        requirement = Requirement(text)
        if install is lowest:
            assert versions[canonicalize_name(requirement.name)] == floor(requirement), text
    tests = environment.folder / "tests"
    for suite in SUITES:
        ignore = shutil.ignore_patterns(*NOT_THOSE)
        shutil.copytree(ROOT / "tests" / suite, tests / suite, ignore=ignore)
    for file, folder in [
        *[(path, tests) for path in (ROOT / "tests").glob("*.py")],
        (ROOT / "openapi.yaml", environment.folder),
        (ROOT / "pyproject.toml", environment.folder),
        (PLUGIN, environment.folder),
    ]:
        shutil.copy(file, folder)
    ran = environment.run(
        *("-m", "pytest", "-q", "-p", PLUGIN.stem, "-p", "no:cacheprovider", "tests")
    )
    assert ran.returncode == 0, ran.stdout[-20_000:] + ran.stderr
    assert "imported from the wheel" in ran.stdout
