"""Random batches that agree with a spec, for checks and measurements."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from jaxtyping import Bool, Float, Int

from jetkit.data.batch import LABEL, Batch
from jetkit.data.cloud import Cloud
from jetkit.data.features import SPECIES
from jetkit.data.kinematics import with_features
from jetkit.data.spec import Spec
from jetkit.physics import four_vectors as fv

PION_MASS = 0.13957
"""GeV. Particles have it because the mass of a massless one is nothing but rounding, which no symmetry survives."""
_CHARGED = (1, 0, 0, 1, 1)


def random_batch(spec: Spec, *, jets: int = 8, particles: tuple[int, int] = (4, 30), seed: int = 0) -> Batch:
    """Return labelled jets of some hundred GeV in float64; a jet of class c has c + 1 prongs.

    The features of ``jetkit.data.features`` agree with the momenta, the particles are ordered by pT as in a dataset,
    and a feature of any other name, of objects or rows, is a normal random number; so are the objects of further
    collections, arrays and targets. Rows of a plain table have their features alone.

    Args:
        spec: what the batch holds
        jets: number of rows
        particles: least and largest number of objects of a row
        seed: of the random numbers

    Example:
        >>> batch = random_batch(Spec.of(("part_deta",), classes=("QCD", "top")), jets=3, particles=(1, 5))
        >>> batch.x.dtype, batch.label.tolist()
        (torch.float64, [0, 1, 0])
    """
    random = np.random.default_rng(seed)
    label = np.arange(jets) % max(len(spec.classes), 1)
    sets = {}
    for number, (name, one) in enumerate(spec.sets.items()):
        counts = random.integers(particles[0], particles[1] + 1, jets)
        mask = np.arange(counts.max()) < counts[:, None]
        p4 = _momenta(mask, label, random) if one.p4 or number == 0 else None
        x = np.stack([_drawn(one.features, random, len(row)) for row in mask]) * mask[..., None]
        momenta = torch.from_numpy(p4) if p4 is not None and one.p4 else None
        sets[name] = Cloud(torch.from_numpy(x), torch.from_numpy(mask), momenta)
    row = torch.from_numpy(random.normal(size=(jets, len(spec.row))))
    arrays = {name: torch.from_numpy(random.normal(size=(jets, *shape))) for name, shape in spec.arrays.items()}
    batch = _with_truth(Batch(sets, row, arrays, {LABEL: torch.from_numpy(label)}), spec, random)
    return with_features(batch, spec) if spec.cloud.p4 else batch


def _momenta(mask: Bool[np.ndarray, "B N"], label: Int[np.ndarray, " B"], random: np.random.Generator) -> Any:
    """Momenta of jets with label + 1 prongs, ordered by pT, 0 where padded."""
    axis = np.stack([random.uniform(-2, 2, len(mask)), random.uniform(-np.pi, np.pi, len(mask))], 1)
    angle = 2 * np.pi * random.integers(0, label[:, None] + 1, mask.shape) / (label[:, None] + 1)
    prong = np.where(label > 0, 0.3, 0.0)[:, None, None] * np.stack([np.cos(angle), np.sin(angle)], -1)
    eta, phi = np.moveaxis(axis[:, None] + prong + random.normal(0, 0.05, prong.shape), -1, 0)
    pt = -np.sort(-np.where(mask, 1 + random.exponential(20, mask.shape), 0.0), axis=1)
    return fv.from_ptetaphim(pt, eta, phi, np.full(mask.shape, PION_MASS)) * mask[..., None]


def _with_truth(batch: Batch, spec: Spec, random: np.random.Generator) -> Batch:
    """The batch with random targets and links."""
    sets, targets = dict(batch.sets), dict(batch.targets)
    for name, one in spec.targets.items():
        if name == LABEL:
            continue
        shape = tuple(sets[one.of].mask.shape) if one.of else (len(batch),)
        numbers = random.integers(0, max(len(one.classes), 3), shape)
        values = {"real": random.normal(size=shape), "flag": numbers > 0}.get(one.kind, numbers)
        if one.of:
            known = {**sets[one.of].targets, name: torch.from_numpy(values)}
            sets[one.of] = sets[one.of].replace(targets=known)
        else:
            targets[name] = torch.from_numpy(values)
    links = {}
    for a, b in spec.links:
        places = random.integers(-1, sets[b].mask.sum(1).numpy()[:, None], sets[a].mask.shape)
        links[a, b] = torch.from_numpy(places).where(sets[a].mask, -1)
    return batch.replace(sets=sets, targets=targets, links=links)


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
