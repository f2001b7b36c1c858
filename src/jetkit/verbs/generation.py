"""Jets drawn from a model that has learned their distribution, as a dataset, and how like real ones they are."""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import torch
from jaxtyping import Bool, Float, Int
from pydantic.dataclasses import dataclass as checked_dataclass

from jetkit.data.atomic import write_bytes
from jetkit.data.batch import LABEL, Batch
from jetkit.data.building import claim
from jetkit.data.card import Card, write_card
from jetkit.data.columns import COLUMNS
from jetkit.data.dataset import Dataset
from jetkit.data.shards import write_shard
from jetkit.data.spec import Spec, columns
from jetkit.errors import JetkitError
from jetkit.evaluation.auc import auc
from jetkit.evaluation.jet_sets import JetSet
from jetkit.evaluation.number import Number
from jetkit.evaluation.ranking import rank
from jetkit.evaluation.set_metrics import LEAST, SetDistance, set_metrics
from jetkit.models.boosting import held_out_scores
from jetkit.models.model import Encoder, Generator
from jetkit.observables.jet_observables import jet_observables
from jetkit.physics import four_vectors as fv
from jetkit.progress import Report, silent
from jetkit.store.model_file import MODEL, model_in, read_model
from jetkit.store.options import option
from jetkit.store.run_folder import run_options
from jetkit.store.tensor_file import weights_hash
from jetkit.training.data_parts import split_data
from jetkit.training.machine import threads_of

METRICS = "metrics.json"
SHARD = "00000.parquet"


@checked_dataclass(frozen=True)
class GenerateOptions:
    """How many jets, and where to write them."""

    jets: Annotated[int, option("to draw", ge=1)] = 10_000
    out: Annotated[str, option("folder of the dataset to write; default: generated/RUN")] = ""
    longest: Annotated[int, option("most particles of a jet", ge=1)] = 128
    batch: Annotated[int, option("jets drawn at once", ge=1)] = 500
    steps: Annotated[int, option("in which omni-learn takes the noise off", ge=1)] = 100
    judge: Annotated[bool, option("compare them with the test jets of the training")] = True
    seed: Annotated[int, option("of the jets", ge=0)] = 1
    threads: Annotated[int, option("of the computation", ge=1)] = os.cpu_count() or 1


@dataclass(frozen=True)
class Jets:
    """Jets about an axis at η = φ = 0, of massless particles (pT/GeV, Δη, Δφ); `mask` tells the real ones.

    Attributes:
        label: class of each, where the model drew it first.
    """

    particles: Float[np.ndarray, "J N 3"]
    mask: Bool[np.ndarray, "J N"]
    label: Int[np.ndarray, " J"] | None = None

    @cached_property
    def p4(self) -> Float[np.ndarray, "J N 4"]:
        """Momenta in GeV, 0 where padded."""
        pt, eta, phi = np.moveaxis(self.particles, -1, 0)
        return np.asarray(fv.from_ptetaphim(pt, eta, phi, np.zeros_like(pt)) * self.mask[..., None])

    @property
    def total(self) -> Float[np.ndarray, "J 4"]:
        """Momenta of the jets in GeV."""
        return np.asarray(self.p4.sum(axis=1))

    @property
    def set(self) -> JetSet:
        """In units of the pT of each jet."""
        scale = np.stack([fv.pt(self.total), *np.ones((2, len(self.mask)))], axis=1)
        return JetSet(self.particles / scale[:, None], self.mask)

    @property
    def observables(self) -> Float[np.ndarray, "J D"]:
        """Mass, pT, substructure and multiplicity of each jet."""
        nothing = torch.zeros(*self.mask.shape, 0, dtype=torch.float64)
        batch = Batch.of(nothing, torch.from_numpy(self.mask), torch.from_numpy(self.p4))
        return np.stack(list(jet_observables(batch, Spec.of(())).values()), axis=1)


@dataclass(frozen=True)
class Generated:
    """A dataset of drawn jets.

    Attributes:
        distances: name → distance from real jets, with that of other real ones; empty where nobody asked.
        jets: of each sample in the comparison.
    """

    folder: Path
    distances: dict[str, SetDistance]
    jets: int


def generate(run: str | Path, options: GenerateOptions | None = None, report: Report = silent) -> Generated:
    """Draw jets from the model of a run, write them as a dataset, and compare them with the test jets of its training.

    The distances are those of `compared`; they are written into ``metrics.json``.

    Raises:
        JetkitError: the run has no finished epoch, its model draws no jets, too few jets, or a folder that holds
            something else.
    """
    folder, options = Path(run), options or GenerateOptions()
    out = Path(options.out or f"generated/{folder.name}")
    model = model_in(read_model(folder / MODEL)[0])
    if not isinstance(model, Generator) or not isinstance(model, Encoder):
        raise JetkitError(f"{folder} holds a model that draws no jets: pretrain one, such as jet-gpt or omni-learn")
    trained = run_options(folder)
    test = split_data(trained).test
    if options.judge and (options.jets < LEAST or len(test) < 2 * LEAST):
        raise JetkitError(
            f"{options.jets} drawn and {len(test)} real jets are too few to be compared: draw {LEAST} or more from a "
            f"model whose test has {2 * LEAST} or more, or say judge=false"
        )
    card = Card(
        f"drawn from {folder.name}",
        recipe={
            "model": weights_hash(folder / MODEL),
            "jets": options.jets,
            "longest": options.longest,
            "steps": options.steps,
        },
        seed=options.seed,
        notes=[f"jets as a model has learned them from {trained.data.path}; the axis of each is at eta = phi = 0"],
    )
    claim(out, card)
    with threads_of(options.threads), torch.random.fork_rng():
        drawn = draw(model, options, report)
    write(out, card if drawn.label is None else replace(card, classes=list(model.spec.classes)), drawn)
    if not options.judge:
        return Generated(out, {}, 0)
    distances, jets = compared(real_jets(test, trained.data.length), drawn, options)
    record = {
        name: {"generated": one.generated.to_dict(), "real": one.real.to_dict()} for name, one in distances.items()
    }
    write_bytes(out / METRICS, json.dumps({"jets": jets, "seed": options.seed, **record}, indent=1).encode())
    return Generated(out, distances, jets)


def draw(model: Generator, options: GenerateOptions, report: Report = silent) -> Jets:
    """New jets; of equal options the same ones."""
    torch.manual_seed(options.seed)
    pieces, labels = [], []
    for done in range(0, options.jets, options.batch):
        drawn = model.sample(
            None,
            min(options.batch, options.jets - done),
            longest=options.longest,
            steps=options.steps,
            report=lambda ready, _, done=done: report(done + ready, options.jets, "draw"),  # type: ignore[misc]
        )
        pieces.append((drawn.x.double().numpy(), drawn.mask.numpy()))
        labels += [drawn.label.numpy()] if LABEL in drawn.targets else []
    return replace(_joined(pieces), label=np.concatenate(labels) if labels else None)


def real_jets(dataset: Dataset, length: int) -> Jets:
    """The usable jets of a dataset, of the hardest particles so many."""
    pieces, direction = [], columns(dataset.spec("kin"), "part_deta", "part_dphi")
    for batch in dataset.batches(features="kin", length=length, shuffle=False):
        assert batch.p4 is not None
        pt = torch.hypot(batch.p4[..., 1], batch.p4[..., 2])
        particles = torch.cat([pt[..., None], batch.x[..., direction]], -1)
        pieces.append((particles.double().numpy(), batch.mask.numpy()))
    return _joined(pieces)


def _joined(pieces: Sequence[tuple[Float[np.ndarray, "J N 3"], Bool[np.ndarray, "J N"]]]) -> Jets:
    longest = max(mask.shape[1] for _, mask in pieces)
    padded = [
        (np.pad(x, ((0, 0), (0, longest - x.shape[1]), (0, 0))), np.pad(mask, ((0, 0), (0, longest - mask.shape[1]))))
        for x, mask in pieces
    ]
    particles, mask = (np.concatenate(column) for column in zip(*padded, strict=True))
    return Jets(particles, mask)


def write(folder: Path, card: Card, jets: Jets) -> None:
    """A shard with particles and jets, and the card."""
    total, offsets = jets.total, np.concatenate([[0], np.cumsum(jets.mask.sum(axis=1))])
    energy, *momentum = np.moveaxis(jets.p4[jets.mask], -1, 0)
    particles = dict(zip(("part_px", "part_py", "part_pz", "part_energy"), (*momentum, energy), strict=True))
    particles |= {"part_deta": jets.particles[jets.mask][:, 1], "part_dphi": jets.particles[jets.mask][:, 2]}
    columns: dict[str, Any] = {name: (values.astype(np.float32), offsets) for name, values in particles.items()}
    flat = {"pt": fv.pt(total), "energy": fv.energy(total), "mass": fv.mass(total)}
    columns |= {f"jet_{name}": values.astype(np.float32) for name, values in flat.items()}
    columns |= {name: np.zeros(len(total), np.float32) for name in ("jet_eta", "jet_phi")}
    columns |= {"jet_nparticles": np.diff(offsets), "event_id": np.arange(len(total))}
    columns |= {} if jets.label is None else {"jet_label": jets.label}
    shard = write_shard(folder / SHARD, columns)
    known = {name: COLUMNS[name]._asdict() for name in columns}
    write_card(folder, replace(card, columns=known).with_shards([shard], complete=True))


def compared(real: Jets, drawn: Jets, options: GenerateOptions) -> tuple[dict[str, SetDistance], int]:
    """Distances of drawn from real jets, each beside that of other real ones, and the jets of each sample.

    Those of `jetkit.evaluation.set_metrics`, and ``classifier_auc``: of boosted trees on observables that are to tell
    the two apart, one half where they cannot.
    """
    half = len(real.mask) // 2
    order = np.random.default_rng(options.seed).permutation(len(real.mask))
    first, second = (Jets(real.particles[rows], real.mask[rows]) for rows in (order[:half], order[half:]))
    metrics = set_metrics(first.set, drawn.set, second.set, seed=options.seed)
    count = min(half, len(drawn.mask))
    tables = [jets.observables[:count] for jets in (first, drawn, second)]
    distances = {name: value for name, value in vars(metrics).items() if isinstance(value, SetDistance)}
    distances["classifier_auc"] = SetDistance(*(_told_apart(tables[0], other, options) for other in tables[1:]))
    return distances, metrics.jets


def _told_apart(first: Float[np.ndarray, "A D"], second: Float[np.ndarray, "B D"], options: GenerateOptions) -> Number:
    score, label = held_out_scores(first, second, seed=options.seed, threads=options.threads)
    return auc(rank(score, label == 1))
