"""Boosted decision trees on jet observables: the baseline that a network has to beat."""

from __future__ import annotations

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from jetkit.data.cloud import Cloud
from jetkit.models.boosted_trees import BoostedTrees
from jetkit.models.jet_observables import jet_observables
from jetkit.registry import register


@register(
    "observables-bdt",
    paper="Greedy function approximation: a gradient boosting machine, 2001, doi:10.1214/aos/1013203451",
    symmetries=("permutation", "rotation-about-beam"),
    tiny={"trees": 10, "leaves": 8},
)
class ObservablesBDT(BoostedTrees):
    """Gradient-boosted trees on the table of `jet_observables`, which follows the feature set.

    Example:
        >>> from jetkit import CloudSpec
        >>> model = ObservablesBDT(CloudSpec(features=(), classes=("QCD", "top")), trees=10)
        >>> p4 = torch.tensor([[[5.0, 3.0, 4.0, 0.0], [5.0, 3.0, -4.0, 0.0]]])
        >>> pair = Cloud(x=torch.zeros(1, 2, 0), mask=torch.ones(1, 2, dtype=torch.bool), p4=p4)
        >>> model(pair).softmax(1).tolist(), model.encode(pair).shape
        ([[0.5, 0.5]], torch.Size([1, 16]))
    """

    def encode(self, cloud: Cloud) -> Float[Tensor, "B D"]:
        """The observables, in the order of `jet_observables`."""
        table = np.stack(list(jet_observables(cloud, self.spec).values()), axis=1)
        return torch.from_numpy(table).to(cloud.mask.device, cloud.x.dtype)
