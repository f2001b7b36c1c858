"""What all boosted decision trees share."""

from __future__ import annotations

from typing import ClassVar, cast

import torch
from jaxtyping import Float
from torch import Tensor, nn

from jetkit.data.cloud import CloudSpec
from jetkit.errors import JetkitError
from jetkit.models.tagger import Tagger
from jetkit.nn.trees import Trees


class BoostedTrees(Tagger):
    """Gradient-boosted trees on the numbers that ``encode`` makes of a jet.

    Trees grow leaf by leaf on histograms of the numbers (LightGBM: A Highly Efficient Gradient Boosting Decision Tree,
    2017), as scikit-learn implements it; see `jetkit.train.boosting`. A model that was not trained gives all classes
    the same probability. No gradient reaches the trees or the particles.

    Args:
        trees: most rounds of boosting; a round adds one tree for two classes, else a tree a class
        leaves: most leaves of a tree
        rate: learning rate, a factor on every tree
        least: fewest jets in a leaf
        l2: penalty on the squared values of the leaves
    """

    learns_by: ClassVar[str] = "boosting"

    def __init__(
        self,
        spec: CloudSpec,
        *,
        trees: int = 200,
        leaves: int = 31,
        rate: float = 0.1,
        least: int = 20,
        l2: float = 0.0,
    ) -> None:
        super().__init__(spec)
        if trees < 1 or leaves < 2 or rate <= 0 or least < 1 or l2 < 0:
            raise JetkitError("boosted trees need trees >= 1, leaves >= 2, rate > 0, least >= 1 and l2 >= 0")
        self.rate, self.least, self.l2 = rate, least, l2
        classes = len(spec.classes)
        trained = Trees(rounds=trees, leaves=leaves, outputs=classes if classes > 2 else 1)
        self.head = nn.Sequential(trained, Halves() if classes == 2 else nn.Identity())

    @property
    def size(self) -> int:
        """Thresholds and values of the trees."""
        return self.trees.size

    @property
    def trees(self) -> Trees:
        """The ensemble."""
        return cast(Trees, cast(nn.Sequential, self.head)[0])


class Halves(nn.Module):
    """Logits (−s/2, s/2) of two classes whose ratio of probabilities is exp(s)."""

    def forward(self, score: Float[Tensor, "B 1"]) -> Float[Tensor, "B 2"]:
        """Two logits from one score."""
        return torch.cat([-score, score], 1) / 2
