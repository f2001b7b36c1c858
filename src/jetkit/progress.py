"""Callbacks of what takes long: who calls says how far the work is, who is called may draw a bar."""

from __future__ import annotations

from collections.abc import Callable

Report = Callable[[int, int, str], None]
"""Called with (steps done, steps in all, what happens)."""
Count = Callable[[int, int], None]
"""Called with (done, in all)."""


def silent(done: int, total: int, what: str = "") -> None:
    """Report nothing: the default of each `Report` and `Count`."""
