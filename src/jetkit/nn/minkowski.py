"""A message-passing layer on four-vectors that is equivariant under Lorentz transformations."""

from __future__ import annotations

import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn
from torch.nn import functional as F

from jetkit.nn.messages import Message, Pairs, Size, gated_messages
from jetkit.nn.packing import pad
from jetkit.nn.precision import full_precision, product_dtype


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


class PairNorm(nn.BatchNorm1d):
    """Batch normalisation of a linear function of pairs, over the real pairs, without writing that function down.

    Mean and variance of a_i + b_j + Σ_f w_f q_ijf are sums over particles: the cost is that of the particles, not of
    their pairs. Equal to batch normalisation of the written-down function. Parameters and state are BatchNorm1d's.
    """

    def forward(self, pairs: Pairs, mask: Bool[Tensor, "B N N"]) -> Pairs:  # type: ignore[override]
        """The normalised function, again in its parts."""
        mean, variance = self._moments(pairs, mask) if self.training else (self.running_mean, self.running_var)
        assert mean is not None
        assert variance is not None
        scale = self.weight * torch.rsqrt(variance + self.eps)
        return Pairs(
            pairs.row * scale + (self.bias - mean * scale), pairs.column * scale, pairs.weight * scale, pairs.quantity
        )

    def _moments(self, pairs: Pairs, mask: Bool[Tensor, "B N N"]) -> tuple[Tensor, Tensor]:
        """Mean and variance over the real pairs; updates the running ones."""
        real = mask.to(pairs.row.dtype)
        out, into = real.sum(2), real.sum(1)  # pairs that a particle begins and ends
        count = out.sum()
        q = pairs.quantity * real.unsqueeze(-1)
        of_row = torch.einsum("bn,bnd->d", out, pairs.row) / count
        of_column = torch.einsum("bn,bnd->d", into, pairs.column) / count
        of_quantity = q.sum((0, 1, 2)) / count
        mean = of_row + of_column + of_quantity @ pairs.weight
        row, column = pairs.row - of_row, pairs.column - of_column
        q = (pairs.quantity - of_quantity) * real.unsqueeze(-1)
        # Covariances; i and j: particles, f and g: quantities, d: channels.
        squares = torch.einsum("bi,bid->d", out, row.square()) + torch.einsum("bj,bjd->d", into, column.square())
        mixed = torch.einsum("bid,bid->d", row, real @ column)
        with_row = torch.einsum("bid,bif->fd", row, q.sum(2)) + torch.einsum("bjd,bjf->fd", column, q.sum(1))
        of_q = torch.einsum("bijf,bijg->fg", q, q)
        own = torch.einsum("fd,fg,gd->d", pairs.weight, of_q, pairs.weight)
        variance = ((squares + 2 * mixed + 2 * (pairs.weight * with_row).sum(0) + own) / count).clamp(min=0)
        self._remember(mean, variance, count)
        return mean, variance

    @torch.no_grad()
    def _remember(self, mean: Tensor, variance: Tensor, count: Tensor) -> None:
        assert self.running_mean is not None
        assert self.running_var is not None
        assert self.num_batches_tracked is not None
        assert self.momentum is not None
        self.num_batches_tracked += 1
        self.running_mean.lerp_(mean.to(self.running_mean.dtype), self.momentum)
        unbiased = variance * (count / (count - 1).clamp(min=1))
        self.running_var.lerp_(unbiased.to(self.running_var.dtype), self.momentum)


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
        self.c = c
        self.edge_in = nn.Linear(2 * width + 2, width, bias=False)
        self.edge_norm = PairNorm(width)
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
        """New h (0 where padded) and x."""
        pairs = mask.unsqueeze(1) & mask.unsqueeze(2) & ~torch.eye(mask.shape[1], dtype=torch.bool, device=mask.device)
        dtype = product_dtype(x)
        with full_precision(x):
            linear = self.edge_norm(self._linear(h.to(x.dtype), x), pairs)
            collected, sizes = gated_messages(linear, *self._messages(), pairs, dtype)
            if hasattr(self, "move_in"):
                x = x + self.c * self.mean_shift(x, sizes, pairs)
        changed = self.node_in(torch.cat([h, collected, s], -1)[mask])
        changed = self.node_out(F.relu(self.node_norm(changed)))
        return h + pad(changed, mask), x

    def _linear(self, h: Float[Tensor, "B N D"], x: Float[Tensor, "B N 4"]) -> Pairs:
        """The first layer of φ_e, which is linear in what it gets."""
        width = h.shape[-1]
        squares = minkowski_square(x.unsqueeze(2) - x.unsqueeze(1))
        quantity = torch.stack([signed_log(squares), signed_log(minkowski_products(x))], -1)
        of_row, of_column, of_quantity = torch.split(self.edge_in.weight, [width, width, 2], dim=1)
        return Pairs(h @ of_row.T, h @ of_column.T, of_quantity.T, quantity)

    def _messages(self) -> tuple[Message, Size | None]:
        """What follows the first layer of φ_e; and φ_x, which is linear at first, so that the gate may come before."""
        message = Message(self.edge_out.weight, self.edge_out.bias, self.gate.weight, self.gate.bias)
        if not hasattr(self, "move_in"):
            return message, None
        return message, Size(self.move_in.weight, self.move_in.bias, self.move_out.weight)

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
