"""What is to be said of a hidden particle: its numbers, their distribution, the cluster that they are in, its code."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from itertools import pairwise

import torch
from jaxtyping import Float, Int, Num
from torch import Tensor, nn
from torch.nn import functional as F

from jetkit.nn.clusters import k_means, nearest
from jetkit.nn.precision import full_precision
from jetkit.nn.processes import shared_mean
from jetkit.nn.spline_flow import SplineFlow

SMOOTHING = 0.1
"""Label smoothing of the clusters."""
NOISE = 0.05
"""Spread of the noise on numbers that may be discrete, in units of their own spread."""


class Target(nn.Module, ABC):
    """A loss of particles, of F standardised numbers or a code each, given a vector of C numbers for each."""

    def prepare(self, values: Float[Tensor, "M F"]) -> None:
        """Look at particles before the training begins."""

    @abstractmethod
    def loss(self, given: Float[Tensor, "M C"], values: Num[Tensor, "M *F"]) -> Float[Tensor, ""]:
        """Mean over the particles of all processes."""


class Regression(Target):
    """⟨|x̂ − x|⟩ over particles and numbers."""

    def __init__(self, channels: int, numbers: int) -> None:
        super().__init__()
        self.net = nn.Linear(channels, numbers)

    def loss(self, given: Float[Tensor, "M C"], values: Float[Tensor, "M F"]) -> Float[Tensor, ""]:
        """Mean absolute error."""
        return shared_mean((self.net(given).float() - values).abs())


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
        return shared_mean((found - values + noise).square())

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
        logits, wanted = self.net(given).float(), nearest(values, self.centres)
        return shared_mean(F.cross_entropy(logits, wanted, reduction="none", label_smoothing=SMOOTHING))


class Splines(Target):
    """⟨−ln p(x | c)⟩ of a conditional flow of splines (`jetkit.nn.spline_flow`).

    A density of numbers that are discrete, such as the impact parameters of neutral particles, which all are 0, would
    grow without bound: to these, Gaussian noise of 0.05 is added.

    Source: Is Tokenization Needed for Masked Particle Modelling?, 2024, arXiv:2409.12589.
    """

    noise: Float[Tensor, " F"]

    def __init__(self, channels: int, numbers: int, noisy: Sequence[int] = ()) -> None:
        super().__init__()
        self.flow = SplineFlow(numbers, channels)
        self.register_buffer("noise", torch.zeros(numbers))
        self.noise[list(noisy)] = NOISE

    def loss(self, given: Float[Tensor, "M C"], values: Float[Tensor, "M F"]) -> Float[Tensor, ""]:
        """Mean of −ln p."""
        with full_precision(values):
            seen = values + self.noise * torch.randn_like(values)
            return -shared_mean(self.flow.log_prob(seen, given.to(values.dtype)))


class Tokens(Target):
    """Cross entropy of the code of a particle.

    Source: Masked Particle Modeling on Sets, 2024, arXiv:2401.13537.
    """

    def __init__(self, channels: int, codes: int) -> None:
        super().__init__()
        self.net = nn.Linear(channels, codes)

    def loss(self, given: Float[Tensor, "M C"], values: Int[Tensor, " M"]) -> Float[Tensor, ""]:
        """Cross entropy."""
        return shared_mean(F.cross_entropy(self.net(given).float(), values, reduction="none"))
