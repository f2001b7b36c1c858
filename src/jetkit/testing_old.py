"""Checks for models, of jetkit or of your own: which changes of a jet must leave the output alone, and which must not.

Everything is in float64, where an exact symmetry holds to 1e-9 and a broken one cannot hide behind rounding.

Example:
    >>> from jetkit.models import EFN, PFN
    >>> spec = CloudSpec(features=("part_pt_log", "part_deta", "part_dphi"), classes=("QCD", "top"))
    >>> cloud = random_cloud(spec, jets=4)
    >>> assert_invariant(EFN(spec), cloud, "collinear") < 1e-9
    True
    >>> assert_broken(PFN(spec), cloud, "collinear") > 1e-6
    True
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any

import numpy as np
import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn

from jetkit.data.cloud import Cloud, CloudSpec
from jetkit.data.features import SPECIES
from jetkit.data.kinematics import with_features
from jetkit.errors import JetkitError
from jetkit.physics import four_vectors as fv

Change = Callable[[Cloud, CloudSpec, np.random.Generator], Cloud]
"""A change of the jets of a cloud, whose features are named by the spec."""

PION_MASS = 0.13957
"""GeV. Particles have it because the mass of a massless one is nothing but rounding, which no symmetry survives."""
_CHARGED = (1, 0, 0, 1, 1)


def random_cloud(spec: CloudSpec, *, jets: int = 8, particles: tuple[int, int] = (4, 30), seed: int = 0) -> Cloud:
    """Labelled jets of some hundred GeV in float64; a jet of class c has c + 1 prongs.

    The features of ``jetkit.data.features`` agree with the momenta, the particles are ordered by pT as in a dataset,
    and a feature of any other name, of particles or jets, is a normal random number.

    Args:
        spec: what the cloud holds
        jets: number of jets
        particles: least and largest number of particles of a jet
        seed: of the random numbers

    Raises:
        JetkitError: the spec asks for targets.

    Example:
        >>> cloud = random_cloud(CloudSpec(features=("part_deta",), classes=("QCD", "top")), jets=3, particles=(1, 5))
        >>> cloud.x.dtype, cloud.label.tolist()
        (torch.float64, [0, 1, 0])
    """
    if spec.targets:
        raise JetkitError(f"random_cloud has no targets, the spec asks for {', '.join(spec.targets)}")
    random = np.random.default_rng(seed)
    counts = random.integers(particles[0], particles[1] + 1, jets)
    mask = np.arange(counts.max()) < counts[:, None]
    label = np.arange(jets) % max(len(spec.classes), 1)
    axis = np.stack([random.uniform(-2, 2, jets), random.uniform(-np.pi, np.pi, jets)], 1)
    angle = 2 * np.pi * random.integers(0, label[:, None] + 1, mask.shape) / (label[:, None] + 1)
    prong = np.where(label > 0, 0.3, 0.0)[:, None, None] * np.stack([np.cos(angle), np.sin(angle)], -1)
    eta, phi = np.moveaxis(axis[:, None] + prong + random.normal(0, 0.05, prong.shape), -1, 0)
    pt = -np.sort(-np.where(mask, 1 + random.exponential(20, mask.shape), 0.0), axis=1)
    p4 = fv.from_ptetaphim(pt, eta, phi, np.full(mask.shape, PION_MASS)) * mask[..., None]
    drawn = np.stack([_drawn(spec.features, random, len(row)) for row in mask])
    x, real, momenta, classes = (torch.from_numpy(array) for array in (drawn, mask, p4, label))
    of_jets = torch.from_numpy(random.normal(size=(jets, len(spec.jet_features))))
    return with_features(Cloud(x, real, momenta, of_jets, classes), spec)


def _drawn(names: tuple[str, ...], random: np.random.Generator, count: int) -> Float[np.ndarray, "count F"]:
    """Features that momenta do not fix: identity, displacement, and those that jetkit does not know."""
    kind = random.integers(0, len(SPECIES), count)
    values = {flag: kind == number for number, flag in enumerate(SPECIES)}
    values["part_charge"] = np.take(_CHARGED, kind) * random.choice([-1, 1], count)
    for name in ("part_d0", "part_dz"):
        values[name] = np.tanh(random.normal(0, 0.3, count))
        values[f"{name}err"] = random.uniform(0, 1, count)
    table = np.empty((count, len(names)))
    for column, name in zip(table.T, names, strict=True):
        column[:] = values[name] if name in values else random.normal(size=count)
    return table


def _permutation(cloud: Cloud, spec: CloudSpec, random: np.random.Generator) -> Cloud:
    """The real particles of each jet in another order."""
    order = np.where(cloud.mask.numpy(), random.random(cloud.mask.shape), 2.0).argsort(1)
    return _taken(cloud, torch.from_numpy(order))


def _padding(cloud: Cloud, spec: CloudSpec, random: np.random.Generator) -> Cloud:
    """Three more masked rows, filled with 99."""
    assert cloud.p4 is not None
    more = (0, 0, 0, 3)
    return cloud.replace(
        x=nn.functional.pad(cloud.x, more, value=99.0),
        p4=nn.functional.pad(cloud.p4, more, value=99.0),
        mask=nn.functional.pad(cloud.mask, (0, 3)),
    )


def _soft(cloud: Cloud, spec: CloudSpec, random: np.random.Generator) -> Cloud:
    """One more particle a jet, massless and of pT = 1e-9 GeV, at ΔR of about 0.2 from its hardest."""
    assert cloud.p4 is not None
    first = cloud.p4[:, 0]
    away = torch.from_numpy(random.normal(0, 0.2, (2, len(cloud))))
    tiny = torch.full_like(away[0], 1e-9)
    soft = fv.from_ptetaphim(tiny, fv.eta(first) + away[0], fv.phi(first) + away[1], torch.zeros_like(tiny))
    parent = torch.cat([torch.zeros(len(cloud), 1, dtype=torch.long), _places(cloud)], 1)
    changed = _taken(cloud, parent)
    assert changed.p4 is not None
    return _sorted(changed.replace(p4=torch.cat([soft[:, None], changed.p4[:, 1:]], 1)), spec)


def _collinear(cloud: Cloud, spec: CloudSpec, random: np.random.Generator) -> Cloud:
    """About half of the particles as two, z and 1 − z of each, with z drawn from 0.1 … 0.9.

    Were all of them split, a mean over the particles would not notice.
    """
    shape = tuple(cloud.mask.shape)
    split = torch.from_numpy(random.random(shape) < 0.5)
    z = torch.where(split, torch.from_numpy(random.uniform(0.1, 0.9, shape)), 1.0)
    changed = _taken(cloud, _places(cloud).repeat(1, 2))
    assert changed.p4 is not None
    mask = changed.mask & torch.cat([torch.ones_like(split), split], 1)
    return _sorted(changed.replace(p4=changed.p4 * torch.cat([z, 1 - z], 1)[..., None], mask=mask), spec)


def _rotation_about_beam(cloud: Cloud, spec: CloudSpec, random: np.random.Generator) -> Cloud:
    """Each jet at another azimuth."""
    angle = random.uniform(-np.pi, np.pi, len(cloud))
    turn = np.tile(np.eye(3), (len(cloud), 1, 1))
    turn[:, 0, 0] = turn[:, 1, 1] = np.cos(angle)
    turn[:, 1, 0], turn[:, 0, 1] = np.sin(angle), -np.sin(angle)
    return _transformed(cloud, spec, turn, np.zeros((len(cloud), 3)))


def _boost_along_beam(cloud: Cloud, spec: CloudSpec, random: np.random.Generator) -> Cloud:
    """Each jet boosted along z with |β| up to 0.66."""
    velocity = np.array([0.0, 0.0, 0.66]) * random.uniform(-1, 1, (len(cloud), 1))
    return _transformed(cloud, spec, np.tile(np.eye(3), (len(cloud), 1, 1)), velocity)


def _lorentz(cloud: Cloud, spec: CloudSpec, random: np.random.Generator) -> Cloud:
    """Each jet rotated about any axis, then boosted in any direction with |β| up to 0.66."""
    turn = np.linalg.qr(random.normal(size=(len(cloud), 3, 3))).Q
    turn *= np.sign(np.linalg.det(turn))[:, None, None]
    direction = random.normal(size=(len(cloud), 3))
    velocity = 0.66 * random.random((len(cloud), 1)) * direction / np.linalg.norm(direction, axis=1, keepdims=True)
    return _transformed(cloud, spec, turn, velocity)


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
"""Name → change of a cloud. The kinematic features follow the momenta; those of identity stay with the particle."""


def change_of_output(model: nn.Module, cloud: Cloud, change: str, seed: int = 0) -> float:
    """max |model(changed cloud) − model(cloud)| in float64, evaluated; the model itself is left as it is.

    Raises:
        JetkitError: an unknown change.
    """
    if change not in SYMMETRIES:
        raise JetkitError(f"unknown change {change!r}: choose one of {', '.join(SYMMETRIES)}")
    exact: Any = copy.deepcopy(model).to("cpu", torch.float64).eval()
    exact_cloud = cloud.to(device="cpu", dtype=torch.float64)
    with torch.no_grad():
        changed = SYMMETRIES[change](exact_cloud, exact.spec, np.random.default_rng(seed))
        return float((exact(changed) - exact(exact_cloud)).abs().max())


def assert_invariant(model: nn.Module, cloud: Cloud, change: str, tolerance: float = 1e-9, seed: int = 0) -> float:
    """The change of a model's output under a change of its jets, which is at most ``tolerance``.

    Args:
        model: anything with a ``spec`` that turns a cloud into numbers
        cloud: the jets, such as those of `random_cloud`
        change: a name in SYMMETRIES
        tolerance: the largest change that counts as rounding
        seed: of the random numbers of the change

    Raises:
        AssertionError: the output changes more.
        JetkitError: an unknown change.
    """
    size = change_of_output(model, cloud, change, seed)
    if not size <= tolerance:
        raise AssertionError(f"{type(model).__name__} should not notice {change}: its output changes by {size:.3g}")
    return size


def assert_broken(model: nn.Module, cloud: Cloud, change: str, tolerance: float = 1e-6, seed: int = 0) -> float:
    """The change of a model's output under a change of its jets, which is more than ``tolerance``.

    Raises:
        AssertionError: the output does not change.
        JetkitError: an unknown change.
    """
    size = change_of_output(model, cloud, change, seed)
    if not size > tolerance:
        raise AssertionError(f"{type(model).__name__} should notice {change}: its output changes by {size:.3g} only")
    return size


def _transformed(
    cloud: Cloud, spec: CloudSpec, turn: Float[np.ndarray, "B 3 3"], velocity: Float[np.ndarray, "B 3"]
) -> Cloud:
    """Each jet rotated, then boosted."""
    assert cloud.p4 is not None
    momentum = torch.einsum("bij,bnj->bni", torch.from_numpy(turn), cloud.p4[..., 1:])
    p4 = fv.boost(torch.cat([cloud.p4[..., :1], momentum], -1), torch.from_numpy(velocity)[:, None])
    return with_features(cloud.replace(p4=p4), spec)


def _places(cloud: Cloud) -> Int[Tensor, "B N"]:
    return torch.arange(cloud.mask.shape[1]).expand_as(cloud.mask)


def _taken(cloud: Cloud, places: Int[Tensor, "B M"]) -> Cloud:
    """The particles at these places of each jet."""
    assert cloud.p4 is not None
    rows = torch.arange(len(cloud))[:, None]
    mask: Bool[Tensor, "B M"] = cloud.mask[rows, places]
    return cloud.replace(x=cloud.x[rows, places], p4=cloud.p4[rows, places], mask=mask)


def _sorted(cloud: Cloud, spec: CloudSpec) -> Cloud:
    """Real particles first, the hardest of them leading; kinematic features of the momenta."""
    assert cloud.p4 is not None
    order = torch.where(cloud.mask, fv.pt(cloud.p4), -1.0).argsort(1, descending=True)
    return with_features(_taken(cloud, order), spec)
