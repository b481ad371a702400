"""A file of targets becomes one mapped task per instance."""

from __future__ import annotations

from pathlib import Path

import pytest
from taurusdb_starrocks.airflow import read_targets


def test_by_instance(tmp_path: Path) -> None:
    """In the order of the file; further columns, a byte order mark and blanks do not matter."""
    path = tmp_path / "targets.csv"
    path.write_text(
        "\ufefftask_name,instance_id,owner\nb,one,x\n a ,one,y\nb,two,z\n", encoding="utf-8"
    )
    assert read_targets(path) == [
        {"instance_id": "one", "task_name": ["b", "a"]},
        {"instance_id": "two", "task_name": ["b"]},
    ]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "no column instance_id, task_name in the first line"),
        ("instance_id,name\n1,2\n", "no column task_name in the first line"),
        (
            "instance_id,task_name,region,project_id\none,a,here,p\n",
            "remove the columns project_id, region: the connection sets them",
        ),
        (
            "instance_id,task_name\none,a\none,\none\none,a\n",
            "line 3 lacks a value; line 4 lacks a value; line 5 repeats a of one",
        ),
    ],
)
def test_faults(tmp_path: Path, text: str, said: str) -> None:
    """All faulty lines are named at once."""
    path = tmp_path / "targets.csv"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(ValueError, match=f"targets.csv: {said}$"):
        read_targets(path)
