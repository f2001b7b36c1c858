"""Jet weights that balance classes or their spectra."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from jetkit.data.batch import Batch
from jetkit.data.dataset import Dataset
from jetkit.data.known_labels import known_labels
from jetkit.data.ragged import Array
from jetkit.errors import JetkitError

KINEMATICS = ("jet_pt", "jet_sdmass")
BINS = 20
Weight = Callable[[Batch], Float[Tensor, " B"]]
"""Function that returns a weight per jet, by which the jet's own weight is multiplied."""


@dataclass(frozen=True)
class ClassWeights:
    """Weight per class."""

    table: Float[Tensor, " C"]

    def __call__(self, batch: Batch) -> Float[Tensor, " B"]:
        """Return the weight of each jet."""
        return self.table.to(batch.weight.device)[batch.label]


@dataclass(frozen=True)
class KinematicWeights:
    """Weight per class and per bin of jet pT and soft-drop mass, which batches carry as targets."""

    edges: tuple[Float[Tensor, " E"], ...]
    """Inner edges of the bins in each quantity."""
    table: Float[Tensor, "C P M"]

    def __call__(self, batch: Batch) -> Float[Tensor, " B"]:
        """Return the weight of each jet."""
        device = batch.weight.device
        bins = [
            torch.bucketize(batch.targets[name].float().contiguous(), edges.to(device), right=True)
            for name, edges in zip(KINEMATICS, self.edges, strict=True)
        ]
        return self.table.to(device)[(batch.label, *bins)]


def class_weights(dataset: Dataset) -> ClassWeights:
    """Compute w_c = N/(C N_c), which gives all classes the same sum of weights and a mean weight of 1.

    Raises:
        JetkitError: a class has no jets.
    """
    labels = known_labels(dataset)
    counts = np.bincount(labels[labels >= 0], minlength=len(dataset.classes))
    _refuse_empty(counts, dataset)
    return ClassWeights(torch.tensor(counts.sum() / len(counts) / counts, dtype=torch.float32))


def kinematic_weights(dataset: Dataset) -> KinematicWeights:
    """Compute w = r_b/h_cb, which gives all classes the same sum of weights in each bin of (pT, soft-drop mass).

    h_cb is the normalised histogram of class c, and r_b its mean over the classes. Bins contain equal shares of all
    jets. This follows weaver-core's reweighting to a common spectrum, but with weights in the loss instead of dropped
    jets. Ratios above 10 are set to 10, so that a few jets in the tail of a class do not dominate. Then the weights of
    each class are scaled to equal sums.

    Raises:
        JetkitError: a class has no jets, or the jets have no pT or soft-drop mass.
    """
    missing = [name for name in KINEMATICS if name not in dataset.columns]
    if missing:
        raise JetkitError(f"reweight=kinematics needs the columns {', '.join(missing)}: use reweight=classes")
    columns = dataset.read(list(KINEMATICS))
    labels = known_labels(dataset)
    values = [np.asarray(columns[name], np.float32) for name in KINEMATICS]
    usable = (labels >= 0) & np.isfinite(values).all(axis=0)
    labels, values = labels[usable], [value[usable] for value in values]
    if not len(labels):
        raise JetkitError("no training jet has a label, a pT and a soft-drop mass: reweight=none would work")
    edges = [_edges(value) for value in values]
    bins = [np.searchsorted(edge, value, side="right") for edge, value in zip(edges, values, strict=True)]
    shape = (len(dataset.classes), *(len(edge) + 1 for edge in edges))
    histogram = np.zeros(shape)
    np.add.at(histogram, (labels, *bins), 1.0)
    _refuse_empty(histogram.sum((1, 2)), dataset)
    density = histogram / histogram.sum((1, 2), keepdims=True)
    weight = np.divide(density.mean(0), density, out=np.zeros(shape), where=density > 0).clip(max=10.0)
    class_mean = (weight * density).sum((1, 2), keepdims=True) * shape[0]
    share = histogram.sum((1, 2), keepdims=True) / histogram.sum()
    table = torch.tensor(weight / class_mean / share, dtype=torch.float32)
    return KinematicWeights(tuple(torch.tensor(edge, dtype=torch.float32) for edge in edges), table)


def _edges(values: Array) -> Array:
    """Return the inner edges of bins with equal shares of the values."""
    return np.unique(np.quantile(values, np.linspace(0, 1, BINS + 1)[1:-1]).astype(np.float32))


def _refuse_empty(counts: Array, dataset: Dataset) -> None:
    empty = [name for name, count in zip(dataset.classes, counts, strict=True) if not count]
    if empty:
        raise JetkitError(f"there are no training jets of {', '.join(empty)}: reweight=none would work")
