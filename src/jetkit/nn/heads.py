"""Heads: from what a model encodes to what a task asks, of a row, of an object, or of a pair of objects."""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor, nn


class RowHead(nn.Linear):
    """A linear layer from the vector of a row (B, E) to its outputs (B, K)."""


class TokenHead(nn.Linear):
    """A linear layer from the vectors of objects (B, N, D) to the outputs of each (B, N, K)."""


class PairHead(nn.Module):
    """A logit for each pair of objects, symmetric in the two: w · GELU(A (t_i + t_j) + B t_i ⊙ t_j).

    The construction is that of the vertex task of GN1 (Graph Neural Network Jet Flavour Tagging with the ATLAS
    Detector, 2022, ATL-PHYS-PUB-2022-027), which takes pairs of track embeddings, made independent of their order.

    Args:
        width: length D of the vectors of objects
        hidden: width of the hidden layer

    Example:
        >>> tokens = torch.randn(2, 5, 8)
        >>> logits = PairHead(8)(tokens)
        >>> logits.shape, torch.allclose(logits, logits.mT)
        (torch.Size([2, 5, 5]), True)
    """

    def __init__(self, width: int, hidden: int = 64) -> None:
        super().__init__()
        self.sum = nn.Linear(width, hidden)
        self.product = nn.Linear(width, hidden, bias=False)
        self.out = nn.Linear(hidden, 1)

    def forward(self, tokens: Float[Tensor, "B N D"]) -> Float[Tensor, "B N N"]:
        """Return a logit for each pair of objects."""
        i, j = tokens.unsqueeze(2), tokens.unsqueeze(1)
        hidden = torch.nn.functional.gelu(self.sum(i + j) + self.product(i * j))
        logits: Tensor = self.out(hidden).squeeze(-1)
        return logits


def head_for(encoded: int, outputs: int, *, decides: bool = False) -> nn.Module:
    """Return the head of a row: none where the model decides itself, and gives as many outputs as are asked for.

    Raises:
        ValueError: such a model gives another number of outputs.

    Example:
        >>> head_for(8, 2), head_for(2, 2, decides=True)
        (RowHead(in_features=8, out_features=2, bias=True), Identity())
    """
    if decides and encoded != outputs:
        raise ValueError(f"the model gives {encoded} outputs by itself, {outputs} are asked for")
    return nn.Identity() if decides else RowHead(encoded, outputs)
