"""Symmetries: which changes of a jet must leave the output of a model alone, and which must not.

Everything is in float64, where an exact symmetry holds to 1e-9 and a broken one cannot hide behind rounding.

Example:
    >>> from jetkit.models import EFN, PFN
    >>> from jetkit.testing import random_batch
    >>> spec = Spec.of(features=("part_pt_log", "part_deta", "part_dphi"), classes=("QCD", "top"))
    >>> batch = random_batch(spec, jets=4)
    >>> assert_invariant(EFN(spec), batch, "collinear") < 1e-9
    True
    >>> assert_broken(PFN(spec), batch, "collinear") > 1e-6
    True
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from jetkit.data.batch import Batch, four_momenta
from jetkit.data.cloud import Cloud
from jetkit.data.kinematics import with_features
from jetkit.data.spec import Spec
from jetkit.errors import JetkitError
from jetkit.physics import four_vectors as fv

Change = Callable[[Batch, Spec, np.random.Generator], Batch]
"""A change of the jets of a batch, whose features are named by the spec."""


def _permutation(batch: Batch, spec: Spec, random: np.random.Generator) -> Batch:
    """The real particles of each jet in another order."""
    order = np.where(batch.mask.numpy(), random.random(batch.mask.shape), 2.0).argsort(1)
    return _taken(batch, torch.from_numpy(order))


def _padding(batch: Batch, spec: Spec, random: np.random.Generator) -> Batch:
    """Three more masked places, filled with 99."""

    def longer(table: Tensor) -> Tensor:
        value = 99 if table.is_floating_point() else 0
        return torch.cat([table, table.new_full((len(table), 3, *table.shape[2:]), value)], 1)

    return _with_objects(batch, batch.cloud.map(longer))


def _soft(batch: Batch, spec: Spec, random: np.random.Generator) -> Batch:
    """One more particle a jet, massless and of pT = 1e-9 GeV, at ΔR of about 0.2 from its hardest."""
    first = four_momenta(batch)[:, 0]
    away = torch.from_numpy(random.normal(0, 0.2, (2, len(batch))))
    tiny = torch.full_like(away[0], 1e-9)
    soft = fv.from_ptetaphim(tiny, fv.eta(first) + away[0], fv.phi(first) + away[1], torch.zeros_like(tiny))
    parent = torch.cat([torch.zeros(len(batch), 1, dtype=torch.long), _places(batch)], 1)
    changed = _taken(batch, parent)
    return _sorted(changed.with_cloud(p4=torch.cat([soft[:, None], four_momenta(changed)[:, 1:]], 1)), spec)


def _collinear(batch: Batch, spec: Spec, random: np.random.Generator) -> Batch:
    """About half of the particles as two, z and 1 − z of each, with z drawn from 0.1 … 0.9.

    Were all of them split, a mean over the particles would not notice.
    """
    shape = tuple(batch.mask.shape)
    split = torch.from_numpy(random.random(shape) < 0.5)
    z = torch.where(split, torch.from_numpy(random.uniform(0.1, 0.9, shape)), 1.0)
    changed = _taken(batch, _places(batch).repeat(1, 2))
    mask = changed.mask & torch.cat([torch.ones_like(split), split], 1)
    p4 = four_momenta(changed) * torch.cat([z, 1 - z], 1)[..., None]
    return _sorted(changed.with_cloud(p4=p4, mask=mask), spec)


def _rotation_about_beam(batch: Batch, spec: Spec, random: np.random.Generator) -> Batch:
    """Each jet at another azimuth."""
    angle = random.uniform(-np.pi, np.pi, len(batch))
    turn = np.tile(np.eye(3), (len(batch), 1, 1))
    turn[:, 0, 0] = turn[:, 1, 1] = np.cos(angle)
    turn[:, 1, 0], turn[:, 0, 1] = np.sin(angle), -np.sin(angle)
    return _transformed(batch, spec, turn, np.zeros((len(batch), 3)))


def _boost_along_beam(batch: Batch, spec: Spec, random: np.random.Generator) -> Batch:
    """Each jet boosted along z with |β| up to 0.66."""
    velocity = np.array([0.0, 0.0, 0.66]) * random.uniform(-1, 1, (len(batch), 1))
    return _transformed(batch, spec, np.tile(np.eye(3), (len(batch), 1, 1)), velocity)


def _lorentz(batch: Batch, spec: Spec, random: np.random.Generator) -> Batch:
    """Each jet rotated about any axis, then boosted in any direction with |β| up to 0.66."""
    turn = np.linalg.qr(random.normal(size=(len(batch), 3, 3))).Q
    turn *= np.sign(np.linalg.det(turn))[:, None, None]
    direction = random.normal(size=(len(batch), 3))
    velocity = 0.66 * random.random((len(batch), 1)) * direction / np.linalg.norm(direction, axis=1, keepdims=True)
    return _transformed(batch, spec, turn, velocity)


SYMMETRIES: Mapping[str, Change] = MappingProxyType(
    {
        "permutation": _permutation,
        "padding": _padding,
        "soft": _soft,
        "collinear": _collinear,
        "rotation-about-beam": _rotation_about_beam,
        "boost-along-beam": _boost_along_beam,
        "lorentz": _lorentz,
    }
)
"""Name → change of the first collection. Kinematic features follow the momenta; others stay with the particle."""


def change_of_output(model: nn.Module, batch: Batch, change: str, seed: int = 0) -> float:
    """max |model(changed batch) − model(batch)| in float64, evaluated; the model itself is left as it is.

    Raises:
        JetkitError: an unknown change.
    """
    if change not in SYMMETRIES:
        raise JetkitError(f"unknown change {change!r}: choose one of {', '.join(SYMMETRIES)}")
    exact: Any = copy.deepcopy(model).to("cpu", torch.float64).eval()
    exact_batch = batch.to(device="cpu", dtype=torch.float64)
    with torch.no_grad():
        changed = SYMMETRIES[change](exact_batch, exact.spec, np.random.default_rng(seed))
        return float((exact(changed) - exact(exact_batch)).abs().max())


def assert_invariant(model: nn.Module, batch: Batch, change: str, tolerance: float = 1e-9, seed: int = 0) -> float:
    """The change of a model's output under a change of its jets, which is at most ``tolerance``.

    Args:
        model: anything with a ``spec`` that turns a batch into numbers
        batch: the jets, such as those of `random_batch`
        change: a name in SYMMETRIES
        tolerance: the largest change that counts as rounding
        seed: of the random numbers of the change

    Raises:
        AssertionError: the output changes more.
        JetkitError: an unknown change.
    """
    size = change_of_output(model, batch, change, seed)
    if not size <= tolerance:
        raise AssertionError(f"{type(model).__name__} should not notice {change}: its output changes by {size:.3g}")
    return size


def assert_broken(model: nn.Module, batch: Batch, change: str, tolerance: float = 1e-6, seed: int = 0) -> float:
    """The change of a model's output under a change of its jets, which is more than ``tolerance``.

    Raises:
        AssertionError: the output does not change.
        JetkitError: an unknown change.
    """
    size = change_of_output(model, batch, change, seed)
    if not size > tolerance:
        raise AssertionError(f"{type(model).__name__} should notice {change}: its output changes by {size:.3g} only")
    return size


def _transformed(
    batch: Batch, spec: Spec, turn: Float[np.ndarray, "B 3 3"], velocity: Float[np.ndarray, "B 3"]
) -> Batch:
    """Each jet rotated, then boosted."""
    p4 = four_momenta(batch)
    momentum = torch.einsum("bij,bnj->bni", torch.from_numpy(turn), p4[..., 1:])
    p4 = fv.boost(torch.cat([p4[..., :1], momentum], -1), torch.from_numpy(velocity)[:, None])
    return with_features(batch.with_cloud(p4=p4), spec)


def _places(batch: Batch) -> Int[Tensor, "B N"]:
    return torch.arange(batch.mask.shape[1]).expand_as(batch.mask)


def _taken(batch: Batch, places: Int[Tensor, "B M"]) -> Batch:
    """The particles at these places of each jet."""
    rows = torch.arange(len(batch))[:, None]
    return _with_objects(batch, batch.cloud.map(lambda table: table[rows, places]))


def _with_objects(batch: Batch, cloud: Cloud) -> Batch:
    """The batch with other objects in its first collection, whose links to other collections are left out."""
    first = next(iter(batch.sets))
    links = {ends: link for ends, link in batch.links.items() if first not in ends}
    return batch.replace(sets={**batch.sets, first: cloud}, links=links)


def _sorted(batch: Batch, spec: Spec) -> Batch:
    """Real particles first, the hardest of them leading; kinematic features of the momenta."""
    order = torch.where(batch.mask, fv.pt(four_momenta(batch)), -1.0).argsort(1, descending=True)
    return with_features(_taken(batch, order), spec)
