"""Measure, print the tables, and write them to reports/bench.md and reports/bench.json."""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path

from bench.measures import measure
from bench.table import document, markdown

BEGIN, END = "<!-- Written by make bench -->\n", "\n<!-- Until here -->"


def main() -> None:
    """Take the options of the command line."""
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="three short rounds: one minute")
    parser.add_argument("--reports", type=Path, default=Path("reports"), help="folder to write to")
    parser.add_argument("--page", type=Path, help="page whose tables are replaced")
    options = parser.parse_args()
    rounds, share = (3, 0.5) if options.quick else (9, 1.0)
    results = measure(
        rounds=rounds, share=share, say=lambda what: print(f"bench: {what}", file=sys.stderr)
    )
    options.reports.mkdir(exist_ok=True)
    text = markdown(results)
    (options.reports / "bench.md").write_text(text, encoding="utf-8")
    (options.reports / "bench.json").write_text(
        json.dumps(document(results), indent=1), encoding="utf-8"
    )
    if options.page:
        before, _, rest = options.page.read_text(encoding="utf-8").partition(BEGIN)
        after = rest.partition(END)[2]
        options.page.write_text(f"{before}{BEGIN}\n{text}{END}{after}", encoding="utf-8")
    print(text)


if __name__ == "__main__":
    main()
