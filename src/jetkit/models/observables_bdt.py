"""Boosted decision trees on jet observables: the baseline that a network has to beat."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from jetkit.data.batch import Batch
from jetkit.data.spec import Spec
from jetkit.models.boosted_trees import BoostedTrees
from jetkit.observables.jet_observables import jet_observables
from jetkit.registry import entry, register


@register(
    "observables-bdt",
    kind="estimator",
    paper="Greedy function approximation: a gradient boosting machine, 2001, doi:10.1214/aos/1013203451",
    symmetries=("permutation", "rotation-about-beam"),
    tiny={"trees": 10, "leaves": 8},
)
class ObservablesBDT(BoostedTrees):
    """Gradient-boosted trees on the table of `jet_observables`, which follows the feature set.

    A user's own observable is a function ``f(batch, spec)`` → (B,), registered with ``kind="observable"``.

    Args:
        extra: names of further registered observables

    Example:
        >>> from jetkit import Spec
        >>> model = ObservablesBDT(Spec.of(features=(), classes=("QCD", "top")), trees=10)
        >>> p4 = torch.tensor([[[5.0, 3.0, 4.0, 0.0], [5.0, 3.0, -4.0, 0.0]]])
        >>> pair = Batch.of(x=torch.zeros(1, 2, 0), mask=torch.ones(1, 2, dtype=torch.bool), p4=p4)
        >>> model(pair).softmax(1).tolist(), model.observables(pair).shape
        ([[0.5, 0.5]], torch.Size([1, 16]))
    """

    def __init__(self, spec: Spec, *, extra: tuple[str, ...] = (), **options: Any) -> None:
        super().__init__(spec, **options)
        self.extra = {name: entry(name, "observable").cls for name in extra}

    def observables(self, batch: Batch) -> Float[Tensor, "B D"]:
        """Return the observables, in the order of `jet_observables`, then the further ones."""
        known = jet_observables(batch, self.spec)
        further = {name: np.asarray(compute(batch, self.spec), np.float64) for name, compute in self.extra.items()}
        table = np.stack(list((known | further).values()), axis=1)
        return torch.from_numpy(table).to(batch.mask.device, batch.x.dtype)
