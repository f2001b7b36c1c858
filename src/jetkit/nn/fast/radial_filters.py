"""Sums over the particles of a jet with filters of a distance, of which none is stored."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

import torch
from jaxtyping import Complex, Float
from torch import Tensor, nn
from torch.autograd.function import once_differentiable

if TYPE_CHECKING:
    from jetkit.nn.pair_tables import PairTables


def radial_sums(
    squares: Float[Tensor, " P"],
    x: Sequence[Complex[Tensor, "D C M"]],
    tables: PairTables,
    bells: tuple[Float[Tensor, " K"], Float[Tensor, " K"], Float[Tensor, " K"]],
    mix: nn.Linear,
) -> list[Complex[Tensor, "D C M"]]:
    """Return the sums of `jetkit.nn.radial_filters.RadialFilters` from its a, b, c and its linear layer.

    The layer is linear in a + b/(1 + c²s): a goes into its bias, and b into its matrix.
    """
    a, b, c = bells
    shape = (len(x), 2, x[0].shape[1])
    weight = (mix.weight * b).view(*shape, -1)
    bias = (mix.bias + mix.weight @ a).view(shape)
    numbers = [torch.view_as_real(part.permute(1, 2, 0).contiguous()).flatten(2) for part in x]
    sums = _RadialSums.apply(tables, squares, c.square(), weight, bias, *numbers)  # type: ignore[no-untyped-call]
    return [torch.view_as_complex(part.view(*part.shape[:2], -1, 2)).permute(2, 0, 1) for part in sums]


class _RadialSums(torch.autograd.Function):
    """Nothing of the size of all pairs times bells is stored: the backward pass computes it again, in the cache.

    Complex numbers of particles are pairs of real ones, (C, M, 2D), so that f x = Re f x + i Im f x are real products.
    """

    @staticmethod
    def forward(
        ctx: Any, tables: PairTables, squares: Tensor, rate: Tensor, weight: Tensor, bias: Tensor, *x: Tensor
    ) -> tuple[Tensor, ...]:
        ctx.save_for_backward(squares, rate, weight, bias, *x)
        ctx.tables = tables
        sums = tuple(map(torch.empty_like, x))
        for (s,), terms, totals in _jets(tables, [squares], x, sums):
            filters = _filters(_bells(s, rate), weight, bias, s.shape)
            for f, term, total in zip(filters, terms, totals, strict=True):
                total.copy_(f[0] @ term + _times_i(f[1] @ term))
        return sums

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, *of_sums: Tensor) -> tuple[Tensor | None, ...]:
        squares, rate, weight, bias, *x = ctx.saved_tensors
        of_squares, of_rate, of_weight, of_bias, *of_x = map(torch.zeros_like, ctx.saved_tensors)
        for (s, of_s), terms, of_terms, of_totals in _jets(ctx.tables, [squares, of_squares], x, of_x, of_sums):
            bells = _bells(s, rate)
            filters = _filters(bells, weight, bias, s.shape)
            of_filters = torch.empty_like(filters)
            for f, of_f, term, of_term, of_total in zip(filters, of_filters, terms, of_terms, of_totals, strict=True):
                back = -_times_i(of_total)
                of_term.copy_(f[0] @ of_total + f[1] @ back)  # f is symmetric in i and j
                torch.matmul(of_total, term.mT, out=of_f[0])
                torch.matmul(back, term.mT, out=of_f[1])
            of_rows = of_filters.view(bias.numel(), -1)
            of_bias += of_rows.sum(1).view_as(bias)
            of_weight += (of_rows @ bells.T).view_as(weight)
            of_bells = (weight.flatten(0, 2).T @ of_rows).mul_(bells).mul_(bells).neg_()
            of_rate += of_bells @ s.flatten()
            of_s.copy_((rate @ of_bells).view_as(s))
        return None, of_squares, of_rate, of_weight, of_bias, *of_x


def _jets(
    tables: PairTables, pairs: Sequence[Float[Tensor, " P"]], *particles: Sequence[Float[Tensor, "C M D"]]
) -> Iterator[tuple[list[Tensor], ...]]:
    """Pairs as (G, n, n) and particles as (C, G, n, D), for a few jets of equal length at a time."""
    pair, particle = 0, 0
    for jets, n in tables.shapes:
        next_pair, next_particle = pair + jets * n * n, particle + jets * n
        of_pairs = [values[pair:next_pair].view(jets, n, n) for values in pairs]
        of_particles = [
            [values[:, particle:next_particle].view(len(values), jets, n, -1) for values in kind] for kind in particles
        ]
        yield of_pairs, *of_particles
        pair, particle = next_pair, next_particle


def _bells(s: Float[Tensor, "G n n"], rate: Float[Tensor, " K"]) -> Float[Tensor, "K P"]:
    """1/(1 + c²s)."""
    return (rate.unsqueeze(1) * s.flatten()).add_(1).reciprocal_()


def _filters(
    bells: Float[Tensor, "K P"], weight: Float[Tensor, "L 2 C K"], bias: Float[Tensor, "L 2 C"], shape: torch.Size
) -> Float[Tensor, "L 2 C G n n"]:
    """Real and imaginary parts of f."""
    filters = torch.addmm(bias.view(-1, 1), weight.flatten(0, 2), bells)
    return filters.view(*bias.shape, *shape)


def _times_i(x: Float[Tensor, "*batch D"]) -> Float[Tensor, "*batch D"]:
    """i x, for real and imaginary parts in turn."""
    real, imaginary = x.view(*x.shape[:-1], -1, 2).unbind(-1)
    return torch.stack([-imaginary, real], -1).flatten(-2)
