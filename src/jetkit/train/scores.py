"""What a model says of each jet, stored beside what is needed to judge it."""

from __future__ import annotations

import os
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor

from jetkit.data.batch import Batch
from jetkit.data.dataset import Dataset
from jetkit.data.fingerprint import data_hash
from jetkit.errors import JetkitError
from jetkit.memory import FreedMemory
from jetkit.progress import Report, silent
from jetkit.store.model_file import read_model
from jetkit.store.tensor_file import read_tensors, weights_hash, write_tensors
from jetkit.train.side_by_side import side_by_side

FORMAT = "jetkit scores"
QUANTITIES = ("jet_pt", "jet_eta", "jet_mass", "jet_sdmass", "jet_nparticles")
"""Columns of the jet that are kept where the dataset has them."""


@dataclass(frozen=True)
class Scores:
    """Logits of B jets for C classes."""

    logits: Float[np.ndarray, "B C"]
    label: Int[np.ndarray, " B"]
    row: Int[np.ndarray, " B"]
    """Place of the jet in the part of the dataset that was scored."""
    classes: tuple[str, ...]
    jets: dict[str, Float[np.ndarray, " B"]] = field(default_factory=dict)
    """Name of a quantity of the jet → its values."""
    card: dict[str, Any] = field(default_factory=dict)
    """Model, hash of its weights, hash of the data, the selections made of them, and the seconds that it took."""
    weight: Float[np.ndarray, " B"] | None = None
    """Weight of each row; None where all are 1."""


def score(
    model_path: str | os.PathLike[str],
    dataset: Dataset,
    *,
    batch: int = 128,
    report: Report = silent,
) -> Scores:
    """Logits of every usable jet, in the order of the dataset; the same bits each time.

    Raises:
        JetkitError: the model cannot be read or names no classes, or the data have other classes or lack its features.
    """
    model, card = read_model(model_path)
    if getattr(model, "result", "") != "classification":
        raise JetkitError(f"{model_path} names no classes: adapt it first, with jetkit train start={model_path}")
    if list(dataset.classes) != card.classes:
        raise JetkitError(
            f"{model_path} knows the classes {', '.join(card.classes)}, "
            f"{dataset.card.name} has {', '.join(dataset.classes)}: score other data, or train a model on these"
        )
    quantities = tuple(name for name in QUANTITIES if name in dataset.columns)
    loader = dataset.batches(batch=batch, **card.preprocessing, targets=quantities)
    begun, memory = time.monotonic(), FreedMemory()
    parts: dict[str, list[Tensor]] = {name: [] for name in ("logits", "label", "row", "weight", *quantities)}

    @torch.inference_mode()
    def judged(batch: Batch) -> tuple[Tensor, Batch]:
        return model(batch).float(), batch

    for done, (logits, judged_batch) in enumerate(side_by_side(judged, loader), start=1):
        assert judged_batch.index.row is not None
        known = {"logits": logits, "label": judged_batch.label, "row": judged_batch.index.row}
        known |= {"weight": judged_batch.weight, **{name: judged_batch.targets[name] for name in quantities}}
        for name, values in known.items():
            parts[name].append(values)
        report(done, len(loader), "score")
        memory.after_step()
    order = torch.cat(parts["row"]).argsort()
    found = {name: torch.cat(values)[order].numpy() for name, values in parts.items()}
    return Scores(
        found["logits"], found["label"], found["row"], dataset.classes,
        {name: found[name].astype(np.float64) for name in quantities},
        {
            "model": card.model,
            "weights_sha256": weights_hash(model_path),
            "data_sha256": data_hash(dataset),
            "selection": list(dataset.history),
            "seconds": time.monotonic() - begun,
        },
        found["weight"] if "weight" in card.preprocessing else None,
    )  # fmt: skip


def save_scores(path: str | os.PathLike[str], scores: Scores) -> None:
    """Write scores to a file, in one stroke.

    Raises:
        JetkitError: the file cannot be written.
    """
    arrays = {"logits": scores.logits, "label": scores.label, "row": scores.row}
    arrays |= {f"jet.{name}": values for name, values in scores.jets.items()}
    arrays |= {} if scores.weight is None else {"weight": scores.weight}
    tensors = {name: torch.from_numpy(np.ascontiguousarray(values)) for name, values in arrays.items()}
    write_tensors(Path(path), tensors, {"format": FORMAT, "classes": list(scores.classes), "card": scores.card})


def load_scores(path: str | os.PathLike[str]) -> Scores:
    """Scores from a file.

    Raises:
        JetkitError: the file is absent, damaged or not one of scores.
    """
    tensors, header = read_tensors(path)
    if header.get("format") != FORMAT:
        raise JetkitError(f"{path} holds no scores: give the file that jetkit evaluate wrote")
    arrays = {name: tensor.numpy() for name, tensor in tensors.items()}
    jets = {name.removeprefix("jet."): values for name, values in arrays.items() if name.startswith("jet.")}
    return Scores(
        arrays["logits"],
        arrays["label"],
        arrays["row"],
        tuple(header["classes"]),
        jets,
        header["card"],
        arrays.get("weight"),
    )
