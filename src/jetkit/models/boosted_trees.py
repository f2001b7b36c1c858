"""What all boosted decision trees share."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterable
from typing import ClassVar

import torch
from jaxtyping import Float
from torch import Tensor

from jetkit.data.batch import Batch
from jetkit.data.spec import Needs, Spec
from jetkit.errors import JetkitError
from jetkit.models.boosting import boost
from jetkit.models.model import Estimator, Fit, FitOptions
from jetkit.nn.trees import Trees
from jetkit.progress import Report, silent


class BoostedTrees(Estimator):
    """Gradient-boosted trees on ``observables`` of each row.

    Trees grow leaf by leaf on histograms of the numbers (LightGBM: A Highly Efficient Gradient Boosting Decision Tree,
    2017), as scikit-learn implements it; see `jetkit.models.boosting`. A model that was not fitted gives all classes
    the same probability. No gradient reaches the trees or the particles.

    Args:
        trees: most rounds of boosting; a round adds one tree for two classes, else a tree a class
        leaves: most leaves of a tree
        rate: learning rate, a factor on every tree
        least: fewest jets in a leaf
        l2: penalty on the squared values of the leaves
    """

    needs: ClassVar[Needs] = Needs(p4=True, targets=("label",))

    def __init__(
        self,
        spec: Spec,
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
        if classes < 2:
            raise JetkitError(f"boosted trees need two classes or more, the data have {classes}")
        self.encoded = classes
        self.trees = Trees(rounds=trees, leaves=leaves, outputs=classes if classes > 2 else 1)

    @property
    def size(self) -> int:
        """Thresholds and values of the trees."""
        return self.trees.size

    @abstractmethod
    def observables(self, batch: Batch) -> Float[Tensor, "B D"]:
        """Return the numbers of each row that the trees see."""

    def encode(self, batch: Batch) -> Float[Tensor, "B C"]:
        """Return a logit for each class: of two, (−s/2, s/2), whose ratio of probabilities is exp(s)."""
        score: Tensor = self.trees(self.observables(batch))
        return torch.cat([-score, score], 1) / 2 if self.encoded == 2 else score

    def fit(
        self,
        train: Iterable[Batch],
        validation: Iterable[Batch],
        options: FitOptions,
        report: Report = silent,
    ) -> Fit:
        """Boost; see `jetkit.models.boosting.boost`."""
        return boost(self, train, validation, options, report)
