"""Kinematic features of particles and jets, recomputed from modified momenta."""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor

from jetkit.data.batch import Batch, four_momenta
from jetkit.data.features import FEATURE_SETS
from jetkit.data.spec import Spec
from jetkit.physics import four_vectors as fv

_FEATURES = {feature.name: feature for feature in FEATURE_SETS["full"]}


def with_features(batch: Batch, spec: Spec, axis: Float[Tensor, "B 4"] | None = None) -> Batch:
    """Return a copy whose kinematic features of particles and jets are recomputed from ``p4`` in its precision.

    The features are those of ``jetkit.data.features`` for a jet of momentum ``axis`` (default: the sum of its
    particles). All other features are unchanged.
    """
    p4, mask = four_momenta(batch), batch.mask
    jet = fv.total(p4, mask) if axis is None else axis
    of_jet = {f"jet_{name}": getattr(fv, name)(jet) for name in ("pt", "eta", "phi", "energy", "mass")}
    real = _kinematics(torch.where(mask[..., None], p4, jet[:, None]), jet[:, None])
    x = [real.get(name, batch.x[..., place]) for place, name in enumerate(spec.features)]
    table = [of_jet.get(name, batch.row[:, place]) for place, name in enumerate(spec.row)]
    changed = batch.with_cloud(x=torch.stack(x, -1) * mask[..., None] if x else batch.x)
    return changed.replace(row=torch.stack(table, -1)) if table else changed


def about_axis(
    p4: Float[Tensor, "B N 4"], jet: Float[Tensor, "B 1 4"]
) -> tuple[Float[Tensor, "B N"], Float[Tensor, "B N"]]:
    """Compute Δη = sign(η_jet) (η − η_jet), with sign(0) = −1, and Δφ in [−π, π)."""
    deta = torch.where(fv.eta(jet) > 0, 1.0, -1.0) * (fv.eta(p4) - fv.eta(jet))
    return deta, fv.delta_phi(fv.phi(p4), fv.phi(jet))


def _kinematics(p4: Float[Tensor, "B N 4"], jet: Float[Tensor, "B 1 4"]) -> dict[str, Tensor]:
    """Compute the standardised kinematic features of `jetkit.data.features`."""
    pt, energy = fv.pt(p4), fv.energy(p4)
    deta, dphi = about_axis(p4, jet)
    quantities = {
        "part_pt_log": pt.log(),
        "part_e_log": energy.log(),
        "part_logptrel": (pt / fv.pt(jet)).log(),
        "part_logerel": (energy / fv.energy(jet)).log(),
        "part_deltaR": torch.hypot(deta, dphi),
        "part_deta": deta,
        "part_dphi": dphi,
    }
    return {name: _standardised(name, quantity) for name, quantity in quantities.items()}


def _standardised(name: str, quantity: Float[Tensor, "B N"]) -> Float[Tensor, "B N"]:
    feature = _FEATURES[name]
    if feature.center is None:
        return quantity
    return ((quantity - feature.center) * feature.scale).clamp(feature.low, feature.high)
