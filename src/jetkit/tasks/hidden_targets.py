"""What is to be said of a hidden particle: its numbers, their distribution, or the cluster that they are in."""

from __future__ import annotations

from abc import ABC, abstractmethod
from itertools import pairwise

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn
from torch.nn import functional as F

from jetkit.errors import JetkitError

SMOOTHING = 0.1
"""Label smoothing of the clusters."""
ROUNDS = 30
"""Of Lloyd's algorithm."""


class Target(nn.Module, ABC):
    """A loss of particles of F standardised numbers, given a vector of C numbers for each."""

    def prepare(self, values: Float[Tensor, "M F"]) -> None:
        """Look at particles before the training begins."""

    @abstractmethod
    def loss(self, given: Float[Tensor, "M C"], values: Float[Tensor, "M F"]) -> Float[Tensor, ""]:
        """Mean over the particles."""


class Regression(Target):
    """⟨|x̂ − x|⟩ over particles and numbers."""

    def __init__(self, channels: int, numbers: int) -> None:
        super().__init__()
        self.net = nn.Linear(channels, numbers)

    def loss(self, given: Float[Tensor, "M C"], values: Float[Tensor, "M F"]) -> Float[Tensor, ""]:
        """Mean absolute error."""
        return F.l1_loss(self.net(given).float(), values)


class FlowMatching(Target):
    """⟨|v(x_t, t, c) − (x₁ − x₀)|²⟩ with x_t = (1 − t) x₀ + t x₁ between noise x₀ and the particle x₁.

    t = σ(N(0, 1)). The velocity v is a perceptron. Integrated from 0 to 1 it carries N(0, 1) to the particles that the
    vectors c allow.

    Source: Flow Matching for Generative Modeling, 2022, arXiv:2210.02747; Is Tokenization Needed for Masked Particle
    Modelling?, 2024, arXiv:2409.12589.
    """

    def __init__(self, channels: int, numbers: int, width: int = 256) -> None:
        super().__init__()
        self.numbers = numbers
        widths = [channels + numbers + 1, width, width]
        layers = [part for a, b in pairwise(widths) for part in (nn.Linear(a, b), nn.SiLU())]
        self.velocity = nn.Sequential(*layers, nn.Linear(width, numbers))

    def loss(self, given: Float[Tensor, "M C"], values: Float[Tensor, "M F"]) -> Float[Tensor, ""]:
        """Mean square error of the velocity at a random time."""
        noise = torch.randn_like(values)
        time = torch.randn_like(values[:, :1]).sigmoid()
        here = (1 - time) * noise + time * values
        found = self.velocity(torch.cat([given.float(), here, time], 1)).float()
        return F.mse_loss(found, values - noise)

    @torch.no_grad()
    def sample(self, given: Float[Tensor, "M C"], steps: int = 50) -> Float[Tensor, "M F"]:
        """Particles drawn by the midpoint rule."""
        x = torch.randn(len(given), self.numbers, dtype=given.dtype, device=given.device)
        for step in range(steps):
            now = torch.full_like(x[:, :1], step / steps)
            half = x + self.velocity(torch.cat([given, x, now], 1)) / (2 * steps)
            x = x + self.velocity(torch.cat([given, half, now + 0.5 / steps], 1)) / steps
        return x


class Clusters(Target):
    """Cross entropy of the nearest of K centres, which Lloyd's algorithm finds before the training begins.

    Source: Masked Particle Modeling on Sets, 2024, arXiv:2401.13537; label smoothing 0.1 as in arXiv:2409.12589.
    """

    centres: Float[Tensor, "K F"]

    def __init__(self, channels: int, numbers: int, clusters: int) -> None:
        super().__init__()
        self.register_buffer("centres", torch.zeros(clusters, numbers))
        self.net = nn.Linear(channels, clusters)

    def prepare(self, values: Float[Tensor, "M F"]) -> None:
        """Put the centres where the particles are.

        Raises:
            JetkitError: there are fewer different particles than clusters.
        """
        self.centres.copy_(k_means(values, len(self.centres)))

    def loss(self, given: Float[Tensor, "M C"], values: Float[Tensor, "M F"]) -> Float[Tensor, ""]:
        """Cross entropy with label smoothing."""
        return F.cross_entropy(self.net(given).float(), nearest(values, self.centres), label_smoothing=SMOOTHING)


def nearest(values: Float[Tensor, "M F"], centres: Float[Tensor, "K F"]) -> Int[Tensor, " M"]:
    """Number of the centre nearest to each row."""
    found: Tensor = torch.cdist(values, centres.to(values.dtype)).argmin(1)
    return found


def k_means(values: Float[Tensor, "M F"], clusters: int) -> Float[Tensor, "K F"]:
    """Centres of clusters by Lloyd's algorithm; one that loses all rows begins again at a far one.

    It begins at random rows, each drawn in proportion to the square of its distance from those drawn before.

    Source: Least squares quantization in PCM, 1982, doi:10.1109/TIT.1982.1056489; k-means++: The Advantages of Careful
    Seeding, 2007, SODA.

    Raises:
        JetkitError: there are fewer different rows than clusters.

    Example:
        >>> _ = torch.manual_seed(0)
        >>> k_means(torch.tensor([[0.0], [0.2], [9.0], [9.2]]), 2).sort(0).values.flatten()
        tensor([0.1000, 9.1000])
    """
    different = torch.unique(values, dim=0)
    if len(different) < clusters:
        raise JetkitError(f"{len(different)} different particles are too few for {clusters} clusters: ask for fewer")
    centres = _scattered(values, clusters)
    for _ in range(ROUNDS):
        distance, place = torch.cdist(values, centres).min(1)
        counts = torch.bincount(place, minlength=clusters)
        sums = torch.zeros_like(centres).index_add_(0, place, values)
        centres = sums / counts.clamp(min=1).unsqueeze(1)
        lost = counts == 0
        centres[lost] = values[distance.argsort(descending=True)[: int(lost.sum())]]
    return centres


def _scattered(values: Float[Tensor, "M F"], count: int) -> Float[Tensor, "K F"]:
    """Rows far from each other."""
    chosen = [int(torch.randint(len(values), ()))]
    square = torch.full((len(values),), torch.inf, dtype=values.dtype)
    for _ in range(count - 1):
        square = torch.minimum(square, (values - values[chosen[-1]]).square().sum(1))
        heights = square.double().cumsum(0)
        chosen.append(int(torch.searchsorted(heights, heights[-1] * torch.rand((), dtype=heights.dtype), right=True)))
    return values[torch.tensor(chosen).clamp(max=len(values) - 1)].clone()
