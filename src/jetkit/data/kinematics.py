"""The kinematic features of particles and jets, from momenta that were changed."""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor

from jetkit.data.cloud import Cloud, CloudSpec
from jetkit.data.features import FEATURE_SETS
from jetkit.physics import four_vectors as fv

_FEATURES = {feature.name: feature for feature in FEATURE_SETS["full"]}


def with_features(cloud: Cloud, spec: CloudSpec, axis: Float[Tensor, "B 4"] | None = None) -> Cloud:
    """Copy whose kinematic features, of particles and jets, are computed from ``p4`` in its own precision.

    They are those of ``jetkit.data.features`` for a jet of momentum ``axis`` (default: the sum of its particles).
    Other features stay.
    """
    assert cloud.p4 is not None
    jet = fv.total(cloud.p4, cloud.mask) if axis is None else axis
    of_jet = {f"jet_{name}": getattr(fv, name)(jet) for name in ("pt", "eta", "phi", "energy", "mass")}
    real = _kinematics(torch.where(cloud.mask[..., None], cloud.p4, jet[:, None]), jet[:, None])
    x = [real.get(name, cloud.x[..., place]) for place, name in enumerate(spec.features)]
    table = [of_jet.get(name, cloud.jet[:, place]) for place, name in enumerate(spec.jet_features)]
    return cloud.replace(
        x=torch.stack(x, -1) * cloud.mask[..., None],
        jet=torch.stack(table, -1) if table else cloud.jet,
    )


def about_axis(
    p4: Float[Tensor, "B N 4"], jet: Float[Tensor, "B 1 4"]
) -> tuple[Float[Tensor, "B N"], Float[Tensor, "B N"]]:
    """Δη = sign(η_jet) (η − η_jet), with sign(0) = −1, and Δφ in [−π, π)."""
    deta = torch.where(fv.eta(jet) > 0, 1.0, -1.0) * (fv.eta(p4) - fv.eta(jet))
    return deta, fv.delta_phi(fv.phi(p4), fv.phi(jet))


def _kinematics(p4: Float[Tensor, "B N 4"], jet: Float[Tensor, "B 1 4"]) -> dict[str, Tensor]:
    """The standardised kinematic features, as `jetkit.data.features` has them in float32."""
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
