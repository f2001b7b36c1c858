"""A message-passing layer on four-vectors that is equivariant under Lorentz transformations."""

from __future__ import annotations

import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn
from torch.nn import functional as F

from jetkit.nn.backend import allows_fast
from jetkit.nn.fast.messages import lorentz_messages
from jetkit.nn.packing import pad
from jetkit.nn.precision import full_precision, product_dtype
from jetkit.nn.processes import processes


def signed_log(x: Float[Tensor, "*shape"]) -> Float[Tensor, "*shape"]:
    """ψ(x) = sign(x) ln(|x| + 1).

    Example:
        >>> signed_log(torch.tensor([-1.0, 0.0, 1.0]))
        tensor([-0.6931,  0.0000,  0.6931])
    """
    return x.sign() * x.abs().log1p()


def minkowski_square(p4: Float[Tensor, "*batch 4"]) -> Float[Tensor, "*batch"]:
    """E² − px² − py² − pz²."""
    squares = p4.square()
    return 2 * squares[..., 0] - squares.sum(-1)


def minkowski_products(p4: Float[Tensor, "B N 4"]) -> Float[Tensor, "B N N"]:
    """⟨p_i, p_j⟩ of all pairs."""
    lowered = torch.cat([p4[..., :1], -p4[..., 1:]], -1)
    return p4 @ lowered.mT


class LorentzBlock(nn.Module):
    """Lorentz group equivariant block: messages from invariants, an update of scalars h and of four-vectors x.

    m_ij = φ_e(h_i, h_j, ψ(‖x_i − x_j‖²), ψ(⟨x_i, x_j⟩)), gated by σ(w·m_ij + b);
    x_i ← x_i + c·mean_j φ_x(m_ij)(x_i − x_j);  h_i ← h_i + φ_h(h_i, Σ_j m_ij, s_i),
    over all other real particles j of the jet; s are the scalars of the input.

    Source: An efficient Lorentz equivariant graph neural network for jet tagging, 2022, arXiv:2201.08187.

    Args:
        width: channels of h and m
        scalars: channels of s
        c: size of the update of x
        moves: whether x is updated (not in the last block)
    """

    def __init__(self, width: int, scalars: int, c: float, *, moves: bool) -> None:
        super().__init__()
        self.c, self.moves = c, moves
        self.edge_in = nn.Linear(2 * width + 2, width, bias=False)
        self.edge_norm = nn.BatchNorm1d(width)
        self.edge_out = nn.Linear(width, width)
        self.gate = nn.Linear(width, 1)
        self.node_in = nn.Linear(2 * width + scalars, width)
        self.node_norm = nn.BatchNorm1d(width)
        self.node_out = nn.Linear(width, width)
        if moves:
            self.move_in = nn.Linear(width, width)
            self.move_out = nn.Linear(width, 1, bias=False)
            nn.init.xavier_uniform_(self.move_out.weight, gain=1e-3)

    def forward(
        self,
        h: Float[Tensor, "B N D"],
        x: Float[Tensor, "B N 4"],
        s: Float[Tensor, "B N S"],
        mask: Bool[Tensor, "B N"],
    ) -> tuple[Float[Tensor, "B N D"], Float[Tensor, "B N 4"]]:
        """Return new h (0 where padded) and x."""
        pairs = mask.unsqueeze(1) & mask.unsqueeze(2) & ~torch.eye(mask.shape[1], dtype=torch.bool, device=mask.device)
        collected, sizes = self.messages(h, x, pairs)
        if sizes is not None:
            with full_precision(x):
                x = x + self.c * self.mean_shift(x, sizes, pairs)
        changed = self.node_in(torch.cat([h, collected, s], -1)[mask])
        changed = self.node_out(F.relu(self.node_norm(changed)))
        return h + pad(changed, mask), x

    def messages(
        self, h: Float[Tensor, "B N D"], x: Float[Tensor, "B N 4"], pairs: Bool[Tensor, "B N N"]
    ) -> tuple[Float[Tensor, "B N D"], Float[Tensor, "B N N"] | None]:
        """Return Σ_j m_ij, and φ_x(m_ij) of each pair if the block moves x."""
        layers = [self.edge_in, self.edge_norm, self.edge_out, self.gate]
        layers += [self.move_in, self.move_out] if self.moves else []
        with full_precision(x):
            squares = minkowski_square(x.unsqueeze(2) - x.unsqueeze(1))
            quantity = torch.stack([signed_log(squares), signed_log(minkowski_products(x))], -1)
        if allows_fast(*layers) and processes() == 1:
            return lorentz_messages(h.to(x.dtype), quantity, pairs, product_dtype(x), layers)
        jet, i, j = pairs.nonzero(as_tuple=True)
        with full_precision(x):
            edges = torch.cat([h[jet, i].to(x.dtype), h[jet, j].to(x.dtype), quantity[jet, i, j]], 1)
            edges = F.relu(self.edge_norm(self.edge_in(edges)))
        message = F.relu(self.edge_out(edges))
        message = message * torch.sigmoid(self.gate(message))
        collected = torch.zeros_like(h, dtype=x.dtype).index_put((jet, i), message.to(x.dtype), accumulate=True)
        if not self.moves:
            return collected, None
        size = self.move_out(F.relu(self.move_in(message))).squeeze(1)
        return collected, quantity.new_zeros(pairs.shape).index_put((jet, i, j), size.to(x.dtype))

    def mean_shift(
        self, x: Float[Tensor, "B N 4"], sizes: Float[Tensor, "B N N"], pairs: Bool[Tensor, "B N N"]
    ) -> Float[Tensor, "B N 4"]:
        """mean_j sizes_ij (x_i − x_j)."""
        mean = sizes * pairs / pairs.sum(2, keepdim=True).clamp(min=1)
        return x * mean.sum(2, keepdim=True) - mean @ x


class ClampedLorentzBlock(LorentzBlock):
    """The block as its authors' code computes it: each component of a shift is held within ±100 GeV.

    That component depends on the frame, so this block is not exactly equivariant.
    """

    def mean_shift(
        self, x: Float[Tensor, "B N 4"], sizes: Float[Tensor, "B N N"], pairs: Bool[Tensor, "B N N"]
    ) -> Float[Tensor, "B N 4"]:
        """mean_j of sizes_ij (x_i − x_j), each component within ±100."""
        shifts = ((x.unsqueeze(2) - x.unsqueeze(1)) * sizes.unsqueeze(-1)).clamp(-100, 100)
        return (shifts * pairs.unsqueeze(-1)).sum(2) / pairs.sum(2).clamp(min=1).unsqueeze(-1)
