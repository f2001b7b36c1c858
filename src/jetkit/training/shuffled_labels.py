"""The control that must learn nothing: each jet gets a random label, the same in training and test."""

from __future__ import annotations

import numpy as np
import torch
from jaxtyping import Int

from jetkit.data.batch import Batch
from jetkit.data.dataset import Dataset
from jetkit.data.split import hash_share
from jetkit.errors import JetkitError

SEED = 0x5A0FF1E
"""Apart from the seeds of splits, so that a label says nothing of the part that a jet is in."""


def require_event_id(dataset: Dataset) -> None:
    """Raise unless the jets of a dataset have numbers of their events.

    Raises:
        JetkitError: they have not.
    """
    if "event_id" not in dataset.columns:
        raise JetkitError("labels=shuffled needs the column event_id, which this dataset lacks: use labels=true")


def random_labels(event_id: Int[np.ndarray, " B"], classes: int) -> Int[np.ndarray, " B"]:
    """A label drawn from the number of the event alone.

    A jet that is in the training and, by mistake, in the test as well has the same label in both: a tagger that does
    better than chance on these labels has seen its test jets.

    Example:
        >>> random_labels(np.array([7, 8, 7]), 10).tolist()
        [4, 2, 4]
    """
    return (hash_share(event_id, SEED) * classes).astype(np.int64)


def relabelled(batch: Batch, classes: int) -> Batch:
    """Return the batch with random labels; its index has the events."""
    assert batch.index.event is not None
    labels = random_labels(batch.index.event.cpu().numpy(), classes)
    return batch.with_targets(label=torch.from_numpy(labels).to(batch.weight.device))
