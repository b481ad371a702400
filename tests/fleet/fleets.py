"""Instances with tasks, as many as wanted."""

from __future__ import annotations

from typing import Any

PROJECT = "0483b6b16e954cb88930a360d2c4e663"


def instance(number: int) -> str:
    """ID of an instance."""
    return f"{number:032x}in17"


def seed(instances: int, tasks: int) -> dict[str, Any]:
    """What the emulator holds: so many instances, with so many tasks each."""
    return {
        "projects": [
            {
                "id": PROJECT,
                "name": "ap-southeast-3",
                "instances": [
                    {
                        "id": instance(number),
                        "tasks": [
                            {"name": f"task_{n}", "source_database": "db"} for n in range(tasks)
                        ],
                    }
                    for number in range(instances)
                ],
            }
        ]
    }
