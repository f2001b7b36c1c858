"""The table of all comparisons, for ``docs/speed.md``, and their picture.

    python -m benchmarks page FOLDER [out=docs/speed.png]

FOLDER holds what the comparisons wrote with ``out=FOLDER``.
"""

from __future__ import annotations

import statistics
from collections.abc import Iterable
from pathlib import Path

import matplotlib.pyplot as plt

from benchmarks.interleaved import Comparison
from benchmarks.words import Words


def main(arguments: list[str]) -> None:
    """Print the table and draw the picture."""
    words = Words(arguments, ("out",))
    (folder,) = words.folders
    found = [Comparison.read(path) for path in sorted(folder.glob("*.json"))]
    print("\n".join(table(found)))
    if "out" in words.options:
        draw(found, Path(words.options["out"]))


def table(found: list[Comparison]) -> list[str]:
    """Lines of Markdown; rates are medians."""
    titles = ("", "jetkit, a second", "peer, a second", "limit, a second", "ratio (lowest to highest)")
    lines = [_row(titles), _row("---" for _ in titles)]
    for one in found:
        ours, theirs, *_ = one.seconds.values()
        limit = f"{_rate(one, next(iter(one.limits.values())))} ({next(iter(one.limits))})" if one.limits else ""
        ratio = f"**{one.ratio.replace(' (', '** (')}"
        lines.append(_row((_title(one), f"{_rate(one, ours)} {one.unit}", _rate(one, theirs), limit, ratio)))
    return lines


def _rate(one: Comparison, times: tuple[float, ...]) -> str:
    rate = statistics.median(one.amount / time for time in times)
    return f"{rate:,.0f}" if rate >= 100 else f"{rate:.3g}"


def _row(cells: Iterable[str]) -> str:
    return f"| {' | '.join(cells)} |"


def draw(found: list[Comparison], path: Path) -> None:
    """Median and range of each ratio, on a logarithmic axis."""
    figure, axes = plt.subplots(figsize=(7, 0.34 * len(found) + 1))
    for row, one in enumerate(reversed(found)):
        axes.plot([min(one.ratios), max(one.ratios)], [row, row], color="0.6", lw=4, solid_capstyle="round")
        axes.plot(statistics.median(one.ratios), row, "o", color="C0")
    axes.axvline(1, color="black", lw=0.8)
    axes.set(xscale="log", xlabel="peer's time over jetkit's, median and range", yticks=range(len(found)))
    axes.set_yticklabels([_title(one) for one in reversed(found)])
    axes.xaxis.set_major_formatter("{x:g}")
    figure.savefig(path, dpi=110, bbox_inches="tight")


def _title(one: Comparison) -> str:
    """Name and settings, of which the peer stands behind the line."""
    said = one.setting.replace("exported true", "exported").split(", ")
    settings = [part for part in said if part and not part.startswith("peer ")]
    return f"{', '.join([one.name, *settings])} / {list(one.seconds)[1]}"
