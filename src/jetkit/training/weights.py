"""Weights of jets that make classes, or their spectra, equal."""

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
"""Weight of each jet, by which its own is multiplied."""


@dataclass(frozen=True)
class ClassWeights:
    """A weight per class."""

    table: Float[Tensor, " C"]

    def __call__(self, batch: Batch) -> Float[Tensor, " B"]:
        """Weight of each jet."""
        return self.table.to(batch.weight.device)[batch.label]


@dataclass(frozen=True)
class KinematicWeights:
    """A weight per class and bin of jet pT and soft-drop mass, which batches hold as targets."""

    edges: tuple[Float[Tensor, " E"], ...]
    """Inner edges of the bins in each quantity."""
    table: Float[Tensor, "C P M"]

    def __call__(self, batch: Batch) -> Float[Tensor, " B"]:
        """Weight of each jet."""
        device = batch.weight.device
        bins = [
            torch.bucketize(batch.targets[name].float().contiguous(), edges.to(device), right=True)
            for name, edges in zip(KINEMATICS, self.edges, strict=True)
        ]
        return self.table.to(device)[(batch.label, *bins)]


def class_weights(dataset: Dataset) -> ClassWeights:
    """w_c = N/(C N_c): each class has the same sum of weights, and the mean weight is 1.

    Raises:
        JetkitError: a class has no jets.
    """
    labels = known_labels(dataset)
    counts = np.bincount(labels[labels >= 0], minlength=len(dataset.classes))
    _refuse_empty(counts, dataset)
    return ClassWeights(torch.tensor(counts.sum() / len(counts) / counts, dtype=torch.float32))


def kinematic_weights(dataset: Dataset) -> KinematicWeights:
    """w = r_b/h_cb: in each bin b of (pT, soft-drop mass) every class c has the same sum of weights.

    h_cb is the histogram of class c, normalised; r_b the mean over the classes; bins hold equal shares of all jets. As
    weaver-core's reweighting to a common spectrum, but by weights in the loss instead of by leaving jets out. Where r/h
    is above 10 it is set to 10, so that a few jets in the tail of a class do not rule; then the weights of each class
    are scaled to equal sums.

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
    """Inner edges of bins with equal shares of the values."""
    return np.unique(np.quantile(values, np.linspace(0, 1, BINS + 1)[1:-1]).astype(np.float32))


def _refuse_empty(counts: Array, dataset: Dataset) -> None:
    empty = [name for name, count in zip(dataset.classes, counts, strict=True) if not count]
    if empty:
        raise JetkitError(f"there are no training jets of {', '.join(empty)}: reweight=none would work")
