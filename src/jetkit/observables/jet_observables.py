"""The observables of a jet that physicists make by hand, as one table for a batch."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from jaxtyping import Bool, Float, Int

from jetkit.data.batch import Batch, ragged_momenta
from jetkit.data.features import SPECIES
from jetkit.data.spec import Spec
from jetkit.physics import four_vectors as fv
from jetkit.physics.energy_correlators import three_point_ratios
from jetkit.physics.grooming import soft_drop
from jetkit.physics.ragged import jet_of, ratio, sum_per_jet
from jetkit.physics.shapes import angularity, jet_charge, momentum_dispersion, multiplicity, width
from jetkit.physics.subjettiness import n_subjettiness

DISPLACED = 3.0
"""Significance |d0|/σ from which a track is displaced."""
LISTED = 3
"""Tracks whose significances are observables, from the largest down."""


class Jets(NamedTuple):
    """The real particles of a batch, jet after jet."""

    p4: Float[np.ndarray, "M 4"]
    offsets: Int[np.ndarray, "bounds"]
    features: dict[str, Float[np.ndarray, "M"]]

    def sum(self, values: Float[np.ndarray, "M"]) -> Float[np.ndarray, "J"]:
        """Sum over the particles of each jet."""
        return sum_per_jet(values, self.offsets)

    def momentum(self, chosen: Bool[np.ndarray, "M"] | bool = True) -> Float[np.ndarray, "J 4"]:
        """Summed momentum of the chosen particles of each jet."""
        return np.stack([self.sum(component * chosen) for component in self.p4.T], axis=1)


def jet_observables(batch: Batch, spec: Spec) -> dict[str, Float[np.ndarray, "B"]]:
    """Name → observable of each jet in double precision, finite for every jet; those that the spec has features for.

    From the momenta: ``mass``, ``pt``, ``sdmass`` (GeV; soft drop with β = 0, z_cut = 0.1), ``z_g`` and ``R_g`` (−1
    where no splitting passes), ``multiplicity``, ``pTD``, ``width``, ``LHA`` (the Les Houches angularity), ``tau21``,
    ``tau32``, ``tau43`` (one-pass kT axes, β = 1), ``C2``, ``D2``, ``N2``, ``M2`` (β = 1). A ratio 0/0 is 0.

    With ``part_charge``: ``charged``, the number of charged particles, and ``charge03``, ``charge05``, ``charge10``,
    the jet charge with κ = 0.3, 0.5 and 1. With a flag such as ``part_isMuon``: the number of such particles and their
    share of Σ pT, ``isMuon`` and ``isMuon_pt``.

    With ``part_d0`` = tanh(d0/mm) and ``part_d0err`` (mm): ``displaced``, the number of tracks with |d0|/σ > 3, their
    share of Σ pT, ``displaced_pt``, and their mass, ``displaced_mass`` (GeV); ``d0sig1``, ``d0sig2``, ``d0sig3``, the
    largest values of |d0|/σ, 0 where there are fewer tracks: without a sign, since a jet of many prongs has no one
    direction of flight. With ``part_dz``, ``part_dzerr``: ``displaced_z``, the number of tracks with |dz|/σ > 3.

    Source: Jet Substructure at the Large Hadron Collider, 2017, arXiv:1709.04464; Identification of heavy-flavour jets
    with the CMS detector in pp collisions at 13 TeV, 2017, arXiv:1712.07158.

    Raises:
        JetkitError: the batch has no four-momenta.

    Example:
        >>> import torch
        >>> p4 = torch.tensor([[[5.0, 3.0, 4.0, 0.0], [5.0, 3.0, -4.0, 0.0]]])
        >>> pair = Batch.of(x=torch.zeros(1, 2, 0), mask=torch.ones(1, 2, dtype=torch.bool), p4=p4)
        >>> table = jet_observables(pair, Spec.of(features=()))
        >>> table["mass"].tolist(), table["pt"].tolist(), table["tau21"].tolist()
        ([8.0], [6.0], [0.0])
    """
    features = batch.x.detach().double().cpu()[batch.mask.cpu()].numpy()
    jets = Jets(*ragged_momenta(batch), dict(zip(spec.features, features.T, strict=True)))
    return _kinematic(jets) | _identity(jets) | _displacement(jets)


def _kinematic(jets: Jets) -> dict[str, Float[np.ndarray, "B"]]:
    particles = (jets.p4, jets.offsets)
    summed, groomed = jets.momentum(), soft_drop(*particles)
    tau, ratios = n_subjettiness(*particles, largest=4), three_point_ratios(*particles)
    return {
        "mass": fv.mass(summed),
        "pt": fv.pt(summed),
        "sdmass": groomed.mass,
        "z_g": groomed.symmetry,
        "R_g": groomed.delta_r,
        "multiplicity": multiplicity(jets.offsets).astype(np.float64),
        "pTD": momentum_dispersion(*particles),
        "width": width(*particles),
        "LHA": angularity(*particles, kappa=1.0, beta=0.5),
        "tau21": ratio(tau[:, 1], tau[:, 0]),
        "tau32": ratio(tau[:, 2], tau[:, 1]),
        "tau43": ratio(tau[:, 3], tau[:, 2]),
        "C2": ratios.C2,
        "D2": ratios.D2,
        "N2": ratios.N2,
        "M2": ratios.M2,
    }


def _identity(jets: Jets) -> dict[str, Float[np.ndarray, "B"]]:
    table = {}
    if "part_charge" in jets.features:
        charge = jets.features["part_charge"]
        table["charged"] = jets.sum(charge != 0)
        for name, kappa in (("charge03", 0.3), ("charge05", 0.5), ("charge10", 1.0)):
            table[name] = jet_charge(jets.p4, jets.offsets, charge, kappa=kappa)
    pt = fv.pt(jets.p4)
    for species in SPECIES:
        if species in jets.features:
            flag, name = jets.features[species], species.removeprefix("part_")
            table |= {name: jets.sum(flag), f"{name}_pt": ratio(jets.sum(flag * pt), jets.sum(pt))}
    return table


def _displacement(jets: Jets) -> dict[str, Float[np.ndarray, "B"]]:
    table = {}
    if {"part_d0", "part_d0err"} <= jets.features.keys():
        significance = _significance(jets, "d0")
        displaced, pt = significance > DISPLACED, fv.pt(jets.p4)
        table = {
            "displaced": jets.sum(displaced),
            "displaced_pt": ratio(jets.sum(displaced * pt), jets.sum(pt)),
            "displaced_mass": fv.mass(jets.momentum(displaced)),
        }
        largest = _largest(significance, jets, LISTED)
        table |= {f"d0sig{rank + 1}": column for rank, column in enumerate(largest.T)}
    if {"part_dz", "part_dzerr"} <= jets.features.keys():
        table["displaced_z"] = jets.sum(_significance(jets, "dz") > DISPLACED)
    return table


def _significance(jets: Jets, name: str) -> Float[np.ndarray, "M"]:
    """Size of the impact parameter over its uncertainty, 0 for particles without a track.

    Features hold tanh of the parameter, which single precision saturates at 9 mm.
    """
    saturated = 1 - np.finfo(np.float32).epsneg
    parameter = np.arctanh(np.abs(jets.features[f"part_{name}"]).clip(max=saturated))
    return ratio(parameter, jets.features[f"part_{name}err"])


def _largest(values: Float[np.ndarray, "M"], jets: Jets, count: int) -> Float[np.ndarray, "J count"]:
    """The largest values of each jet, from the top; 0 where there are fewer."""
    ordered = values[np.lexsort((-values, jet_of(jets.offsets)))]
    places = jets.offsets[:-1, None] + np.arange(count)
    there = places < jets.offsets[1:, None]
    padded = np.append(ordered, 0.0)
    return padded[np.where(there, places, len(ordered))]
