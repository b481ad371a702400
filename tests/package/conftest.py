"""The wheel and the sdist to test, and an empty environment."""

from __future__ import annotations

from email.message import Message
from email.parser import Parser
from pathlib import Path

import pytest
from wheels import Environment, built, inside


@pytest.fixture
def environment(tmp_path: Path) -> Environment:
    return Environment(tmp_path)


@pytest.fixture(scope="session")
def wheel() -> Path:
    return built("*.whl")


@pytest.fixture(scope="session")
def sdist() -> Path:
    return built("*.tar.gz")


@pytest.fixture(scope="session")
def metadata(wheel: Path) -> Message:
    return Parser().parsestr(inside(wheel, "METADATA"))
