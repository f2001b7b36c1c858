"""Latent Dirichlet allocation: two topics that a mixture of jets talks about, found without labels."""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import ClassVar

import numpy as np
import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn

from jetkit.data.batch import Batch, ragged_momenta
from jetkit.data.spec import Needs, Spec
from jetkit.errors import JetkitError
from jetkit.models.model import Estimator, Fit, FitOptions
from jetkit.models.topic_counting import find_topics, log_ratios
from jetkit.nn.topics import Topics
from jetkit.physics.mass_drops import mass_drops
from jetkit.progress import Report, silent
from jetkit.registry import register


@register(
    "lda",
    kind="estimator",
    paper="Uncovering latent jet substructure, 2019, arXiv:1904.04200",
    symmetries=("permutation", "rotation-about-beam", "boost-along-beam"),
    tiny={"bins": (3, 3, 2, 2, 2), "masses": (5.0, 50.0)},
)
class LDA(Estimator):
    """The share that each of some topics has in a jet, a topic being a distribution of splittings.

    A jet is a bag of words, a word being the bin of a splitting of its Cambridge/Aachen tree in five observables
    (`jetkit.physics.mass_drops`): m0, m1/m0, m2/m1, kT distance and cos θ. Heavier splittings than the last bin of m0
    have one more, lighter ones than the first are no words. The topics are learned from the mixture of all training
    jets without labels, see `jetkit.models.topic_counting`. Labels only say what the topics are: logits are linear in
    the logarithms of the topics' shares, ln γ_t − Σ_s ln γ_s/T, fitted as a logistic regression. A splitting that was
    not met in training does not count; a jet without words has equal shares.

    Masses and bins are those of the configuration in the code of the authors, who have α = (0.9, 0.1) where one jet in
    eleven is signal; the same α for all topics is a choice of jetkit. The vocabulary is the whole grid, 720,000 words,
    of which a training meets few: with fewer than 10⁵ jets wider bins are better, and the recipe has such. A model that
    was not trained gives all classes the same probability.
    No gradient reaches the topics or the particles.

    Args:
        topics: number of topics
        masses: least m0 and end of the last bin in GeV
        bins: of m0, m1/m0, m2/m1, kT distance and cos θ
        alpha: prior count α of each topic in a jet
        eta: prior count η of each word in a topic
        rounds: of the solution for a jet's shares

    Example:
        >>> model = LDA(Spec.of(features=(), classes=("QCD", "top")), masses=(30.0, 60.0), bins=(3, 1, 1, 1, 2))
        >>> p4 = torch.tensor([[[50.0, 50.0, 0.0, 0.0], [50.0, 30.0, 40.0, 0.0], [20.0, 20.0, 0.0, 0.0]]])
        >>> words, mask = model.words(Batch.of(x=torch.zeros(1, 3, 0), mask=torch.ones(1, 3, dtype=torch.bool), p4=p4))
        >>> words.tolist(), mask.tolist()
        ([[5]], [[True]])
    """

    needs: ClassVar[Needs] = Needs(p4=True, targets=("label",))

    def __init__(
        self,
        spec: Spec,
        *,
        topics: int = 2,
        masses: tuple[float, float] = (30.0, 200.0),
        bins: tuple[int, int, int, int, int] = (17, 20, 10, 10, 20),
        alpha: float = 0.5,
        eta: float = 0.5,
        rounds: int = 50,
    ) -> None:
        super().__init__(spec)
        if topics < 2 or not 0 <= masses[0] < masses[1] or min(bins) < 1 or min(alpha, eta) <= 0 or rounds < 1:
            raise JetkitError(
                "lda needs topics >= 2, rising masses, a bin or more of each, alpha > 0, eta > 0 and rounds >= 1"
            )
        self.masses, self.bins, self.eta = masses, bins, eta
        self.grid = (bins[0] + 1, *bins[1:])
        self.topics = Topics(topics=topics, vocabulary=math.prod(self.grid), alpha=alpha, rounds=rounds)
        self.encoded = len(spec.classes)
        self.naming = nn.Linear(topics, self.encoded)
        nn.init.zeros_(self.naming.weight)
        nn.init.zeros_(self.naming.bias)

    @property
    def size(self) -> int:
        """Probabilities of the words that were met, and the logistic regression."""
        return self.topics.size + super().size

    def encode(self, batch: Batch) -> Float[Tensor, "B C"]:
        """Return a logit for each class."""
        logits: Tensor = self.naming(self.shares(batch))
        return logits

    def shares(self, batch: Batch) -> Float[Tensor, "B T"]:
        """Return the logarithms of the topics' shares, less their mean."""
        return log_ratios(self.topics(*self.words(batch)))

    def fit(
        self,
        train: Iterable[Batch],
        validation: Iterable[Batch],
        options: FitOptions,
        report: Report = silent,
    ) -> Fit:
        """Find topics and name them; see `jetkit.models.topic_counting.find_topics`."""
        return find_topics(self, train, validation, options, report)

    def words(self, batch: Batch) -> tuple[Int[Tensor, "B W"], Bool[Tensor, "B W"]]:
        """The splittings of each jet as words, and where there is one; 0 where not."""
        low, high = self.masses
        found = mass_drops(*ragged_momenta(batch), mass_min=low)
        mass, angle = (found.mass - low) / (high - low), (found.helicity + 1) / 2
        shares = np.stack([mass, found.drop, found.balance, found.distance, angle]) * np.array(self.bins)[:, None]
        places = np.clip(shares, 0, np.array(self.grid)[:, None] - 1).astype(int)
        counts = np.diff(found.offsets)
        mask = np.arange(counts.max(initial=1)) < counts[:, None]
        words = np.zeros(mask.shape, dtype=int)
        words[mask] = np.ravel_multi_index(tuple(places), self.grid)
        device = batch.mask.device
        return torch.from_numpy(words).to(device), torch.from_numpy(mask).to(device)
