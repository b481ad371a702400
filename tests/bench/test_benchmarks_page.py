"""The page about benchmarks shows what `make bench` measures, under the same names."""

from __future__ import annotations

from pathlib import Path

from bench.measures import MUSTS

PAGE = Path(__file__).parents[2] / "docs" / "benchmarks.md"


def test_page_has_every_ratio() -> None:
    """Each ratio stands there, in order, with its bound and whether it was met."""
    page = PAGE.read_text(encoding="utf-8")
    table = page[page.index("| measure |") :].partition("\n\n")[0]
    rows = [[cell.strip() for cell in row.strip("|").split("|")] for row in table.splitlines()[2:]]
    assert [row[0] for row in rows] == [must.label for must in MUSTS]
    for (_, seen, bound, met), must in zip(rows, MUSTS, strict=True):
        assert bound == must.bound_text
        assert met == ("yes" if must.met_by(float(seen)) else "**no**")
