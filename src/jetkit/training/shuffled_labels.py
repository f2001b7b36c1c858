"""Random labels, the same in training and test, as a control from which nothing can be learned."""

from __future__ import annotations

import numpy as np
import torch
from jaxtyping import Int

from jetkit.data.batch import Batch
from jetkit.data.dataset import Dataset
from jetkit.data.split import hash_share
from jetkit.errors import JetkitError

SEED = 0x5A0FF1E
"""Seed distinct from those of splits, so that a label is independent of the part that contains the jet."""


def require_event_id(dataset: Dataset) -> None:
    """Raise unless the jets of a dataset have event numbers.

    Raises:
        JetkitError: they have none.
    """
    if "event_id" not in dataset.columns:
        raise JetkitError("labels=shuffled needs the column event_id, which this dataset lacks: use labels=true")


def random_labels(event_id: Int[np.ndarray, " B"], classes: int) -> Int[np.ndarray, " B"]:
    """Draw a label from the event number alone.

    A jet that by mistake is in both training and test has the same label in both. A tagger that beats chance on these
    labels has therefore seen its test jets.

    Example:
        >>> random_labels(np.array([7, 8, 7]), 10).tolist()
        [4, 2, 4]
    """
    return (hash_share(event_id, SEED) * classes).astype(np.int64)


def relabelled(batch: Batch, classes: int) -> Batch:
    """Return the batch with random labels, drawn from the events in its index."""
    assert batch.index.event is not None
    labels = random_labels(batch.index.event.cpu().numpy(), classes)
    return batch.with_targets(label=torch.from_numpy(labels).to(batch.weight.device))
