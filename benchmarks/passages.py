"""Passages of the docs that a script writes: what stands between two comments that name it."""

from __future__ import annotations

import re
from pathlib import Path

ROOT = Path(__file__).parents[1]


def write_passage(page: str, name: str, text: str) -> None:
    """Put `text` between `<!-- NAME -->` and `<!-- end of NAME -->` of a page, named from the project's root."""
    path = ROOT / page
    start, end = f"<!-- {name} -->", f"<!-- end of {name} -->"
    found, count = re.subn(
        f"{re.escape(start)}.*?{re.escape(end)}",
        lambda _: f"{start}\n{text.strip()}\n{end}",
        path.read_text("utf-8"),
        flags=re.DOTALL,
    )
    if count != 1:
        raise SystemExit(f"{page} has {count} passages called {name}; expected one, between {start} and {end}")
    path.write_text(found, "utf-8")


def table(rows: list[list[str]], are_numbers: bool = False) -> str:
    """Rows of cells as a table in Markdown, the first one its head.

    are_numbers: whether what stands right of the first column is set flush right.
    """
    head, *body = rows
    lines = [head, ["---", *["---:" if are_numbers else "---"] * (len(head) - 1)], *body]
    return "\n".join(f"| {' | '.join(row)} |" for row in lines)
