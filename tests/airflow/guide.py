"""The files that the guide's page has, as a reader copies them."""

from __future__ import annotations

import re
from pathlib import Path

PAGE = Path(__file__).parents[2] / "docs" / "guides" / "airflow.md"
FENCE = re.compile(r"^```(python|text)\n(.*?)^```$", re.MULTILINE | re.DOTALL)


def install(folder: Path) -> list[str]:
    """Write the page's files into a folder; return the names of those in Python."""
    text = PAGE.read_text(encoding="utf-8")
    blocks = [block for kind, block in FENCE.findall(text) if kind == "python"]
    names = [re.match(r"# (\w+\.py)\n", block) for block in blocks]
    assert len(blocks) == 2
    for name, block in zip(names, blocks, strict=True):
        assert name, "every block of this page is a file"
        (folder / name[1]).write_text(block, encoding="utf-8")
    (targets,) = [block for kind, block in FENCE.findall(text) if kind == "text"]
    (folder / "targets.csv").write_text(targets, encoding="utf-8")
    return [name[1] for name in names if name]
