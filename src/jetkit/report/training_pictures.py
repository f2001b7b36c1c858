"""Pictures of trainings: loss and accuracy, epoch by epoch."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from jaxtyping import Float

from jetkit.report.figure import COLOURS, drawing, legend, plain, stacked

if TYPE_CHECKING:
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
        accuracies.set(xlabel="epoch", ylabel="accuracy")
        accuracies.locator_params(axis="x", integer=True)
        accuracies.minorticks_off()
        losses.minorticks_off()
        legend(figure, names, handles)
    return figure


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
