"""Exponential moving average of the weights.

``torch.optim.swa_utils.AveragedModel`` with its own average has one fixed decay, rounds a mean of counters down to an
integer, and keeps a second module, where a dictionary of tensors is all that a checkpoint needs.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from torch import Tensor, nn

from jetkit.nn.moving_average import follow


class Average:
    """average ← d·average + (1 − d)·weights after each step, with d = min(decay, (1 + n)/(10 + n)) at step n.

    The running statistics of normalisations are averaged alike; counters are copied.

    Source: Acceleration of Stochastic Approximation by Averaging, B. Polyak, A. Juditsky, 1992; the warm-up is
    TensorFlow's.
    """

    def __init__(self, model: nn.Module, decay: float) -> None:
        self.decay, self.steps = decay, 0
        self.weights = {name: value.detach().clone() for name, value in model.state_dict().items()}

    def update(self, model: nn.Module) -> None:
        """Take in the weights after a step."""
        decay = min(self.decay, (1 + self.steps) / (10 + self.steps))
        self.steps += 1
        follow(self.weights, model.state_dict(), decay)

    @contextmanager
    def applied(self, model: nn.Module) -> Iterator[None]:
        """Within, the model has the averaged weights."""
        own = {name: value.detach().clone() for name, value in model.state_dict().items()}
        model.load_state_dict(self.weights)
        try:
            yield
        finally:
            model.load_state_dict(own)

    def load(self, weights: dict[str, Tensor], steps: int) -> None:
        """Go on from stored averages."""
        for name, value in self.weights.items():
            value.copy_(weights[name])
        self.steps = steps
