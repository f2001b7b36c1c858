"""Pictures of trainings: losses, accuracy and health of embeddings, epoch by epoch."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from jaxtyping import Float

from jetkit.reporting.figure import COLOURS, drawing, legend, line_style, plain, stacked

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

Log = Sequence[Mapping[str, Any]]


def training_curves(taggers: Sequence[tuple[str, Sequence[Log]]]) -> Figure:
    """Cross-entropy of training (dashed) and validation, above the accuracy of the validation; a line a training.

    Raises:
        JetkitError: matplotlib or mplhep is absent.
    """
    with drawing():
        figure, (losses, accuracies) = stacked((1.25, 1.0), 4.6)
        names, handles = [], []
        for number, (name, logs) in enumerate(taggers):
            colour = COLOURS[number % len(COLOURS)]
            for log in logs:
                epoch = column(log, "epoch")
                marker = "o" if len(log) == 1 else ""
                losses.plot(epoch, column(log, "train", "cross_entropy"), "--", marker=marker, color=colour, lw=1.0)
                (handle,) = losses.plot(epoch, column(log, "validation", "loss"), marker=marker, color=colour)
                accuracies.plot(epoch, column(log, "validation", "accuracy"), marker=marker, color=colour)
            names.append(plain(name))
            handle.set_label(names[-1])
            handles.append(handle)
        losses.set_ylabel("cross-entropy")
        accuracies.set_ylabel("accuracy")
        _of_epochs((losses, accuracies))
        legend(figure, names, handles)
    return figure


def loss_panels(log: Log) -> Figure:
    """A panel for each part of the loss: of training (dashed) and of validation jets.

    Raises:
        JetkitError: matplotlib or mplhep is absent.
    """
    with drawing():
        parts = parts_of(log)
        figure, panels = stacked([1.0] * len(parts), 0.9 + 1.2 * len(parts))
        epoch = column(log, "epoch")
        for axes, part in zip(panels, parts, strict=True):
            axes.plot(epoch, column(log, "train", part), "--", color=COLOURS[0], lw=1.0, label="training")
            axes.plot(epoch, column(log, "validation", f"loss {part}"), color=COLOURS[0], label="validation")
            axes.set_ylabel(plain(part))
        _of_epochs(panels)
        legend(figure, ["training", "validation"], panels[0].get_lines())
    return figure


def parts_of(log: Log) -> list[str]:
    """Names of the parts of the loss.

    Example:
        >>> parts_of([{"validation": {"loss": 2.0, "loss particles": 1.5, "embedding_std": 1.0}}])
        ['particles']
    """
    return [name.removeprefix("loss ") for name in log[0]["validation"] if name.startswith("loss ")]


def health_panels(logs: Sequence[tuple[str, Log]], numbers: Mapping[str, str]) -> Figure:
    """A panel for each number of the validation jets, `numbers` being name → words; a line a training.

    Raises:
        JetkitError: matplotlib or mplhep is absent.
    """
    with drawing():
        figure, panels = stacked([1.0] * len(numbers), 0.9 + 1.3 * len(numbers))
        for axes, (name, words) in zip(panels, numbers.items(), strict=True):
            for number, (run, log) in enumerate(logs):
                values = column(log, "validation", name)
                axes.plot(column(log, "epoch"), values, label=plain(run), **line_style(number))
            axes.set_ylabel(words)
        _of_epochs(panels)
        legend(figure, [run for run, _ in logs], panels[0].get_lines())
    return figure


def watched_panels(logs: Sequence[tuple[str, Log]], names: Sequence[str]) -> Figure:
    """Draw a panel for each number that a task watches on the validation rows; a line a training.

    Raises:
        JetkitError: matplotlib or mplhep is absent.
    """
    return health_panels(logs, {name: plain(name) for name in names})


def _of_epochs(panels: Sequence[Axes]) -> None:
    """Whole epochs on the axis that stacked panels share."""
    for axes in panels:
        axes.minorticks_off()
    panels[-1].set_xlabel("epoch")
    panels[-1].locator_params(axis="x", integer=True)


def column(log: Log, *keys: str) -> Float[np.ndarray, " epochs"]:
    """A value of each line of a log; NaN where a line does not have it.

    Example:
        >>> column([{"epoch": 1, "train": {"cross_entropy": 0.4}}, {"epoch": 2}], "train", "cross_entropy").tolist()
        [0.4, nan]
    """
    values = []
    for line in log:
        found: Any = line
        for key in keys:
            found = found.get(key) if isinstance(found, Mapping) else None
        values.append(np.nan if found is None else float(found))
    return np.array(values, dtype=np.float64)
