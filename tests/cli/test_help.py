"""Help, completion, and how long it takes to begin."""

from __future__ import annotations

import atexit
import gc
import shlex
import subprocess
import sys
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path

import click
import pytest
from taurusdb_starrocks import __version__
from taurusdb_starrocks import cli as package
from taurusdb_starrocks.cli import main
from taurusdb_starrocks.cli import program as module
from taurusdb_starrocks.cli.program import program
from taurusdb_starrocks.durable import Journal
from taurusdb_starrocks_emulator import Emulator

from tests.cli.running import Run

FLEET = program.commands["fleet"]
assert isinstance(FLEET, click.Group)
# Every command, by what is written on the command line.
COMMANDS: dict[tuple[str, ...], click.Command] = {
    **{(name,): command for name, command in sorted(program.commands.items())},
    **{("fleet", name): command for name, command in sorted(FLEET.commands.items())},
}


@pytest.mark.parametrize("arguments", [(), *COMMANDS], ids=" ".join)
def test_example_of_the_help_works(
    run: Run, emulator: Emulator, tmp_path: Path, arguments: tuple[str, ...]
) -> None:
    """Each command's help has one, and it does what it says."""
    (tmp_path / "targets.csv").write_text(
        f"instance_id,task_name\n{emulator.instance_id},orders_sync\n", encoding="utf-8"
    )
    Journal(tmp_path / "state" / "taurusdb-starrocks" / "journal.sqlite").close()
    ran = run(*arguments, "--help")
    assert (ran.status, ran.err) == (0, "")
    begins, _, example = ran.out.partition("\n  Example:\n    taurusdb-starrocks ")
    assert begins.startswith("Usage: taurusdb-starrocks ")
    script = tmp_path / "migrate.sh"
    script.write_text("#!/bin/sh\ntouch migrated\n", encoding="utf-8")
    script.chmod(0o755)
    line, _, file = example.partition(" > ")
    ran = run(*shlex.split(line))
    assert ran.status == (6 if line.startswith("check") else 0), ran
    assert bool(file) <= bool(ran.out)
    assert script.with_name("migrated").exists() == ("window" in line)


def test_every_command_has_the_common_options() -> None:
    """They stand after the command, where people look for them."""
    for name in COMMANDS.keys() - {("completion",), ("fleet",)}:
        options = {option for each in COMMANDS[name].params for option in each.opts}
        assert {
            "--region",
            "--endpoint",
            "--profile",
            "--output",
            "--quiet",
            "--verbose",
        } <= options


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_completion(run: Run, shell: str) -> None:
    """A script for the shell, that calls the command."""
    ran = run("completion", shell)
    assert ran.status == 0
    assert "_TAURUSDB_STARROCKS_COMPLETE" in ran.out
    assert "taurusdb-starrocks" in ran.out


def test_completion_in_bash(tmp_path: Path) -> None:
    """Commands and options are completed."""
    script = (
        'source <("$0" completion bash); COMP_WORDS=(taurusdb-starrocks re); COMP_CWORD=1; '
        '_taurusdb_starrocks_completion "$0"; echo "${COMPREPLY[*]}"'
    )
    command = Path(sys.executable).with_name("taurusdb-starrocks")
    ran = subprocess.run(
        ["bash", "-c", script, str(command)], capture_output=True, text=True, check=True
    )
    assert ran.stdout == "recover resume\n"


def test_version(run: Run, capsys: pytest.CaptureFixture[str]) -> None:
    """It is the package's, whichever way it is asked for."""
    assert run("--version") == (0, f"taurusdb-starrocks {__version__}\n", "")
    assert run("-q", "--version").status == 2  # It has no options but this one.
    with pytest.raises(SystemExit):
        program.main(["--version"], "taurusdb-starrocks")
    assert capsys.readouterr().out == f"taurusdb-starrocks {__version__}\n"


def test_version_loads_nothing() -> None:
    """It is shown without what takes long to load."""
    code = (
        "import sys; from taurusdb_starrocks.cli import main; main(['--version']); "
        "print(*sys.modules)"
    )
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert not {"click", "rich", "attr", "inspect", "sqlite3"} & set(ran.stdout.split())


def test_a_table_in_a_pipe_needs_no_rich() -> None:
    """Nor does it load what others need. (That httpx loads rich, where it is, is its own.)"""
    code = (
        "import sys; from taurusdb_starrocks.cli.output import Output; "
        "Output('table', quiet=False).rows({'A': str}, [{}]); "
        "import taurusdb_starrocks.cli.program; print(*sys.modules)"
    )
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert not {"sqlite3", "asyncio", "rich", "httpx"} & set(ran.stdout.split())


@pytest.mark.parametrize("library", ["click", "rich"])
def test_without_the_extra(
    library: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """One line says what to install."""
    monkeypatch.setattr(
        package, "find_spec", lambda name: None if name == library else find_spec(name)
    )
    assert main(["tasks"]) == 2
    assert capsys.readouterr().err == (
        f"taurusdb-starrocks: The command needs {library}, which is not installed: "
        "pip install 'taurusdb-starrocks[cli]'\n"
    )


def test_ctrl_c_while_modules_are_loaded(monkeypatch: pytest.MonkeyPatch) -> None:
    """It ends the command without a traceback, as later."""

    def interrupted(_arguments: list[str]) -> int:
        raise KeyboardInterrupt

    monkeypatch.setattr(module, "run", interrupted)
    assert main(["tasks"]) == 130


def test_beginning_quickly(monkeypatch: pytest.MonkeyPatch) -> None:
    """What a process does that is over soon."""
    ends: list[object] = []
    before = gc.get_threshold()
    monkeypatch.setattr(atexit, "register", ends.append)
    package._begin_quickly()
    assert gc.get_threshold()[0] == 50_000
    assert ends == [gc.freeze]
    gc.set_threshold(*before)


def test_as_a_module(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """It is also run as python -m."""
    monkeypatch.setattr(sys, "argv", ["taurusdb-starrocks", "--version"])
    monkeypatch.setattr(package, "_begin_quickly", lambda: None)
    # Imported: where pytest rewrites the package's modules, runpy cannot find their code.
    monkeypatch.delitem(sys.modules, "taurusdb_starrocks.cli.__main__", raising=False)
    with pytest.raises(SystemExit) as ended:
        import_module("taurusdb_starrocks.cli.__main__")
    assert ended.value.code == 0
    assert capsys.readouterr().out == f"taurusdb-starrocks {__version__}\n"
