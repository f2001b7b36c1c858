"""Changes of a jet that leave its physics alone, as random views for contrastive learning.

A view is a jet of massless particles at (pT, Δη, Δφ) about a fixed axis, that of the jet as it was.

Source: Symmetries, Safety, and Self-Supervision, 2021, arXiv:2108.04253.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from jetkit.data.batch import Batch, four_momenta
from jetkit.data.kinematics import about_axis, with_features
from jetkit.data.spec import Spec
from jetkit.nn.hardest import ranking
from jetkit.physics import four_vectors as fv


class View(NamedTuple):
    """Constituents of a batch of jets."""

    pt: Float[Tensor, "B N"]
    """GeV; 0 where padded."""
    deta: Float[Tensor, "B N"]
    dphi: Float[Tensor, "B N"]
    x: Float[Tensor, "B N F"]
    """Features that the momenta do not fix are taken from these."""
    mask: Bool[Tensor, "B N"]


def view_of(batch: Batch) -> View:
    """The jets as they are."""
    p4, jet = four_momenta(batch), fv.total(four_momenta(batch), batch.mask).unsqueeze(1)
    deta, dphi = about_axis(torch.where(batch.mask[..., None], p4, jet), jet)
    return View(fv.pt(p4) * batch.mask, deta * batch.mask, dphi * batch.mask, batch.x, batch.mask)


def batch_of(view: View, batch: Batch, spec: Spec) -> Batch:
    """Return a view as a batch with features of this spec, about the axis of the jets; padding is at the end."""
    axis = fv.total(four_momenta(batch), batch.mask)
    sign = torch.where(fv.eta(axis) > 0, 1.0, -1.0).unsqueeze(1)
    eta, phi = fv.eta(axis).unsqueeze(1) + sign * view.deta, fv.phi(axis).unsqueeze(1) + view.dphi
    p4 = fv.from_ptetaphim(view.pt, eta, phi, torch.zeros_like(eta)) * view.mask.unsqueeze(2)
    found = Batch.of(view.x, view.mask, p4, row=batch.row, label=batch.label, weight=batch.weight)
    return with_features(found.cut(view.mask), spec, axis)


def joined(first: View, second: View) -> View:
    """The jets of one view, then those of the other.

    Example:
        >>> one = View(*torch.ones(3, 1, 2), torch.ones(1, 2, 0), torch.ones(1, 2, dtype=torch.bool))
        >>> joined(one, split(one, 4)).mask.sum(1)
        tensor([2, 4])
    """
    jets, length = len(first.mask), max(first.mask.shape[1], second.mask.shape[1])

    def together(a: Tensor, b: Tensor) -> Tensor:
        found = a.new_zeros(2 * jets, length, *a.shape[2:])
        found[:jets, : a.shape[1]], found[jets:, : b.shape[1]] = a, b
        return found

    return View(*(together(a, b) for a, b in zip(first, second, strict=True)))


def rotated(view: View) -> View:
    """All constituents turned about the axis by θ ~ U(0, 2π), another θ for each jet."""
    angle = 2 * math.pi * torch.rand(len(view.pt), 1, dtype=view.pt.dtype, device=view.pt.device)
    cos, sin = angle.cos(), angle.sin()
    return view._replace(deta=view.deta * cos - view.dphi * sin, dphi=view.deta * sin + view.dphi * cos)


def translated(view: View, width: float) -> View:
    """All constituents moved by U(−w, w) times the extent of the jet, in each of the two directions."""

    def moved(values: Float[Tensor, "B N"]) -> Float[Tensor, "B N"]:
        low = values.masked_fill(~view.mask, math.inf).amin(1, keepdim=True)
        high = values.masked_fill(~view.mask, -math.inf).amax(1, keepdim=True)
        extent = (high - low).nan_to_num(0.0, 0.0, 0.0)
        return (values + width * extent * (2 * torch.rand_like(extent) - 1)) * view.mask

    return view._replace(deta=moved(view.deta), dphi=moved(view.dphi))


def softened(view: View, scale: float) -> View:
    """Constituents at directions smeared by N(0, scale/pT), scale in GeV, pT of at least 0.1 GeV; pT stays."""
    spread = scale / view.pt.clamp(min=0.1) * view.mask
    return view._replace(
        deta=view.deta + spread * torch.randn_like(spread), dphi=view.dphi + spread * torch.randn_like(spread)
    )


def split(view: View, length: int) -> View:
    """Random constituents split in two collinear ones of pT shares r ~ U(0, 1) and 1 − r.

    Of a jet of n constituents min(n, L − max(n, L/2)) are split, where L is ``length``.
    """
    count = view.mask.sum(1)
    wanted = torch.minimum(count, length - count.clamp(min=length // 2)).clamp(min=0)
    places = ranking(torch.rand_like(view.pt), view.mask)[:, : max(int(wanted.amax()), 1)]
    chosen = torch.arange(places.shape[1], device=places.device) < wanted.unsqueeze(1)
    share = torch.where(chosen, torch.rand(places.shape, dtype=view.pt.dtype, device=view.pt.device), 0.0)
    taken = view.pt.gather(1, places) * share
    return View(
        torch.cat([view.pt.scatter_add(1, places, -taken), taken], 1),
        torch.cat([view.deta, view.deta.gather(1, places) * chosen], 1),
        torch.cat([view.dphi, view.dphi.gather(1, places) * chosen], 1),
        torch.cat([view.x, view.x.take_along_dim(places.unsqueeze(2), 1) * chosen.unsqueeze(2)], 1),
        torch.cat([view.mask, chosen], 1),
    )
