"""The kT trees of a batch of jets as tensors, with seven features a node."""

from __future__ import annotations

import numpy as np
import torch
from jaxtyping import Float

from jetkit.data.batch import Batch, four_momenta
from jetkit.nn.recursion import TreeLevels
from jetkit.physics import four_vectors as fv
from jetkit.physics.clustering import KT, cluster, levels
from jetkit.physics.ragged import jet_of, ragged_from_padded, ratio

FEATURES = 7
"""Of a node: |p|, η, φ, E, E/E_jet, pT, θ."""


def kt_trees(batch: Batch) -> TreeLevels:
    """The kT tree of each jet, its child of larger transverse momentum being the left one.

    Features are |p|, η, φ, E, E/E_jet, pT and θ of the momentum of a node (GeV, radians), in the frame in which the
    jet's rapidity and azimuth are 0, and not the one of the detector. A jet without particles is a leaf at rest.

    Source: QCD-Aware Recursive Neural Networks for Jet Physics, 2017, arXiv:1702.00748.

    Raises:
        JetkitError: the batch has no four-momenta.

    Example:
        >>> p4 = torch.tensor([[[70.0, 70.0, 0.0, 0.0], [30.0, 0.0, 30.0, 0.0]]])
        >>> trees = kt_trees(Batch.of(x=torch.zeros(1, 2, 0), mask=torch.ones(1, 2, dtype=torch.bool), p4=p4))
        >>> trees.sizes, trees.leaf.tolist(), trees.x[:, 4].tolist()
        ((1, 2), [False, True, True], [1.0, 0.699999988079071, 0.30000001192092896])
    """
    mask = batch.mask.cpu().numpy()
    p4 = np.where(mask[..., None], four_momenta(batch).detach().cpu().double().numpy(), 0.0)
    mask = mask | ((np.arange(mask.shape[1]) == 0) & ~mask.any(axis=1, keepdims=True))
    trees = cluster(*ragged_from_padded(p4, mask), power=KT)
    found = levels(trees)
    order, device = np.concatenate(found), batch.mask.device
    jet = trees.p4[found[0]][jet_of(trees.offsets)]
    return TreeLevels(
        torch.from_numpy(_features(trees.p4, jet)[order]).to(batch.x.dtype).to(device),
        torch.from_numpy(trees.children[order, 0] < 0).to(device),
        tuple(map(len, found)),
    )


def _features(p4: Float[np.ndarray, "K 4"], jet: Float[np.ndarray, "K 4"]) -> Float[np.ndarray, "K 7"]:
    y, phi = fv.rapidity(p4) - fv.rapidity(jet), fv.delta_phi(fv.phi(p4), fv.phi(jet))
    pt, transverse_mass = fv.pt(p4), _transverse_mass(p4)
    energy, pz = transverse_mass * np.cosh(y), transverse_mass * np.sinh(y)
    turned = np.stack([energy, pt * np.cos(phi), pt * np.sin(phi), pz], axis=1)
    share = ratio(energy, _transverse_mass(jet))
    return np.stack([np.hypot(pt, pz), fv.eta(turned), phi, energy, share, pt, np.arctan2(pt, pz)], axis=1)


def _transverse_mass(p4: Float[np.ndarray, "K 4"]) -> Float[np.ndarray, "K"]:
    """√(pT² + max(m², 0)), the energy where the rapidity is 0."""
    transverse_mass: Float[np.ndarray, "K"] = np.hypot(fv.pt(p4), fv.mass(p4))
    return transverse_mass
