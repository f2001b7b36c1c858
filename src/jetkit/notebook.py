"""Tables for notebooks."""

from __future__ import annotations

import html
from collections.abc import Sequence


def html_table(title: str, header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Return a small table for a notebook; everything in it is escaped.

    Example:
        >>> html_table("a<b", ["x"], [["1"]])
        '<b>a&lt;b</b><table><tr><th>x</th></tr><tr><td>1</td></tr></table>'
    """
    head = "".join(f"<th>{html.escape(cell)}</th>" for cell in header)
    body = "".join("<tr>" + "".join(f"<td>{html.escape(cell)}</td>" for cell in row) + "</tr>" for row in rows)
    return f"<b>{html.escape(title)}</b><table><tr>{head}</tr>{body}</table>"
