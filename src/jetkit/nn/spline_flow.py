"""A density of vectors, given others, by splines that are carried to a Gaussian."""

from __future__ import annotations

from functools import partial
from typing import cast

import torch
from jaxtyping import Float
from torch import Tensor, nn

BOUND = 4.0
"""Beyond, the splines are the identity."""
LARGEST = 4096
"""Most units of a layer, lest a model file ask for too much memory."""


class SplineFlow(nn.Module):
    """p(x | c) = N(f(x); 0, 1) |∂f/∂x|, f a chain of coupling transforms.

    Each maps every other number by a monotonic rational-quadratic spline, whose knots a perceptron makes of the rest
    and of c; by turns the even and the odd ones. The splines map [−4, 4] to itself.

    Source: Neural Spline Flows, 2019, arXiv:1906.04032, in the library zuko.

    Args:
        numbers: F, of x
        channels: C, of c
        transforms: length of the chain
        width: of the two hidden layers of a perceptron
        bins: of a spline

    Example:
        >>> import torch
        >>> SplineFlow(2, 3).log_prob(torch.zeros(5, 2), torch.randn(5, 3)).shape
        torch.Size([5])
    """

    def __init__(self, numbers: int, channels: int, *, transforms: int = 6, width: int = 64, bins: int = 8) -> None:
        super().__init__()
        from zuko.flows import NICE
        from zuko.transforms import MonotonicRQSTransform

        if max(transforms, width, bins) > LARGEST:
            raise ValueError(f"a spline flow has at most {LARGEST} transforms, bins and units of a layer")
        with torch.device("cpu"):  # zuko reads its masks, which have no values on the meta device of a model file
            self.flow = NICE(
                numbers,
                channels,
                transforms=transforms,
                univariate=partial(MonotonicRQSTransform, bound=BOUND),
                shapes=((bins,), (bins,), (bins - 1,)),
                hidden_features=(width, width),
            )

    def log_prob(self, x: Float[Tensor, "M F"], given: Float[Tensor, "M C"]) -> Float[Tensor, " M"]:
        """ln p(x | c)."""
        return cast(Tensor, self.flow(given).log_prob(x))

    def sample(self, given: Float[Tensor, "M C"]) -> Float[Tensor, "M F"]:
        """A vector drawn for each c."""
        return cast(Tensor, self.flow(given).sample())
