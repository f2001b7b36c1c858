"""Labels of all rows of a dataset at once."""

from __future__ import annotations

import numpy as np
from jaxtyping import Int

from jetkit.data.dataset import Dataset
from jetkit.data.ragged import Array
from jetkit.errors import JetkitError


def known_labels(dataset: Dataset) -> Array:
    """Return the label of each row, −1 if it is not a class.

    Raises:
        JetkitError: the dataset has no labels.
    """
    if "jet_label" not in dataset.columns:
        raise JetkitError(f"{dataset.card.name} has no column jet_label: train on data with labels")
    stored = np.asarray(dataset.read(["jet_label"])["jet_label"])
    known = np.isfinite(stored) & (stored >= 0) & (stored < len(dataset.classes)) & (stored == np.round(stored))
    return np.where(known, stored, -1).astype(np.int64)


def refuse_unlabelled(dataset: Dataset) -> None:
    """Raise unless every row has a class.

    Raises:
        JetkitError: rows have no class; the message counts them.
    """
    unknown = int((known_labels(dataset) < 0).sum())
    if unknown:
        raise JetkitError(
            f"{unknown} of {len(dataset)} jets of {dataset.card.name} have a label that is none of its "
            f"{len(dataset.classes)} classes: leave them out when the dataset is made"
        )


def refuse_missing(label: Int[np.ndarray, " B"], classes: tuple[str, ...]) -> None:
    """Raise unless every class has jets.

    Raises:
        JetkitError: classes have no jets; the message names them.
    """
    missing = [name for index, name in enumerate(classes) if index not in label]
    if missing:
        raise JetkitError(f"there are no training jets of {', '.join(missing)}: train on data with all classes")
