"""An ensemble of decision trees as tensors."""

from __future__ import annotations

import torch
from jaxtyping import Float, Int8, Int16, Shaped
from torch import Tensor, nn

from jetkit.nn.precision import full_precision

CELLS = 1 << 19
"""Pairs of jet and leaf that are looked at together."""


class Trees(nn.Module):
    """Sum of decision trees, evaluated without walking down: all questions of a tree are asked at once.

    Question q has the answer a_q = 1 (go left) where x[feature_q] ≤ threshold_q, else 0. With side_lq = 1 for a leaf l
    in the left subtree of q, −1 in the right one, and 0 in neither, a jet is in the leaf for which Σ_q side_lq a_q is
    the number of left turns on the way to it: one product of matrices for many jets. A tree of L leaves has L − 1
    questions; one that has fewer fills up with sides and values 0, as does the whole of a new ensemble. There are only
    buffers, nothing that a gradient could change.

    Source: A Tensor Compiler for Unified Machine Learning Prediction Serving, 2020, arXiv:2010.04804.

    Args:
        rounds: trees for each output
        leaves: most leaves of a tree
        outputs: numbers that come out

    Example:
        >>> trees = Trees(rounds=1, leaves=2, outputs=1)
        >>> one = {"feature": torch.tensor([0]), "threshold": torch.tensor([0.5], dtype=torch.float64)}
        >>> trees.plant(0, 0, **one, side=torch.tensor([[1], [-1]]), value=torch.tensor([-1.0, 1.0]))
        >>> trees(torch.tensor([[0.5], [0.6]])).tolist()
        [[-1.0], [1.0]]
    """

    feature: Int16[Tensor, "outputs rounds questions"]
    threshold: Float[Tensor, "outputs rounds questions"]
    side: Int8[Tensor, "outputs rounds leaves questions"]
    value: Float[Tensor, "outputs rounds leaves"]
    bias: Float[Tensor, " outputs"]
    """Output without any tree."""

    def __init__(self, *, rounds: int, leaves: int, outputs: int) -> None:
        super().__init__()
        self.register_buffer("feature", torch.zeros(outputs, rounds, leaves - 1, dtype=torch.int16))
        self.register_buffer("threshold", torch.zeros(outputs, rounds, leaves - 1))
        self.register_buffer("side", torch.zeros(outputs, rounds, leaves, leaves - 1, dtype=torch.int8))
        self.register_buffer("value", torch.zeros(outputs, rounds, leaves))
        self.register_buffer("bias", torch.zeros(outputs))

    @property
    def size(self) -> int:
        """Thresholds and values of the trees that were planted."""
        used = self.side != 0
        return int(used.any(-2).sum() + used.any(-1).sum())

    def clear(self) -> None:
        """Fell all trees."""
        for buffer in self.buffers():
            buffer.zero_()

    def plant(
        self,
        output: int,
        number: int,
        *,
        feature: Shaped[Tensor, " questions"],
        threshold: Float[Tensor, " questions"],
        side: Shaped[Tensor, "leaves questions"],
        value: Float[Tensor, " leaves"],
    ) -> None:
        """Set one tree.

        A threshold in double precision is rounded down, which moves no number in single precision to its other side.
        """
        rounded = threshold.to(self.threshold.dtype)
        below = torch.nextafter(rounded, rounded.new_tensor(-torch.inf))
        questions, leaves = len(feature), len(value)
        self.feature[output, number, :questions] = feature.to(self.feature)
        self.threshold[output, number, :questions] = torch.where(rounded > threshold, below, rounded)
        self.side[output, number, :leaves, :questions] = side.to(self.side)
        self.value[output, number, :leaves] = value.to(self.value)

    def forward(self, x: Float[Tensor, "B D"]) -> Float[Tensor, "B outputs"]:
        """Bias and sum of the leaves that each jet is in."""
        with full_precision(x):
            return torch.stack([self._sum(x, output) for output in range(len(self.bias))], 1) + self.bias

    def _sum(self, x: Float[Tensor, "B D"], output: int) -> Float[Tensor, " B"]:
        """Sum of the trees of one output."""
        grown = (self.value[output] != 0).any(1)
        feature, threshold = self.feature[output, grown].flatten().int(), self.threshold[output, grown].view(-1, 1)
        side, value = self.side[output, grown].to(x.dtype), self.value[output, grown].to(x.dtype).flatten()
        turns, (trees, leaves, questions) = side.clamp(min=0).sum(2, keepdim=True), side.shape
        sums = []
        for jets in torch.split(x, max(1, CELLS // max(1, trees * leaves))):
            left = jets.t().contiguous().index_select(0, feature).le_(threshold)
            here = torch.bmm(side, left.view(trees, questions, len(jets))).eq_(turns)
            sums.append(value @ here.view(trees * leaves, len(jets)))
        return torch.cat(sums)
