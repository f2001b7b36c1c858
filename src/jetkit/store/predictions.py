"""Files of predictions."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch

from jetkit.errors import JetkitError
from jetkit.evaluation.result import Predicted
from jetkit.store.tensor_file import read_tensors, write_tensors

FORMAT = "jetkit predictions"
GROUPS = ("values", "targets", "columns")


def save_predictions(path: str | os.PathLike[str], predicted: Predicted) -> None:
    """Write predictions to a file atomically.

    Raises:
        JetkitError: the file cannot be written.
    """
    arrays = {f"{group}.{name}": array for group in GROUPS for name, array in getattr(predicted, group).items()}
    arrays |= {"weight": predicted.weight, "row": predicted.row}
    tensors = {name: torch.from_numpy(np.ascontiguousarray(array)) for name, array in arrays.items()}
    classes = {name: list(known) for name, known in predicted.classes.items()}
    header = {"format": FORMAT, "classes": classes, "weighted": predicted.weighted, "card": dict(predicted.card)}
    write_tensors(Path(path), tensors, header)


def load_predictions(path: str | os.PathLike[str]) -> Predicted:
    """Read predictions from a file.

    Raises:
        JetkitError: the file is absent, damaged or not one of predictions.
    """
    tensors, header = read_tensors(path)
    if header.get("format") != FORMAT:
        raise JetkitError(f"{path} holds no predictions: give the file that jetkit evaluate wrote")
    arrays = {name: tensor.numpy() for name, tensor in tensors.items()}
    groups: dict[str, Mapping[str, Any]] = {
        group: {name.removeprefix(f"{group}."): array for name, array in arrays.items() if name.startswith(f"{group}.")}
        for group in GROUPS
    }
    classes = {name: tuple(known) for name, known in header["classes"].items()}
    return Predicted(
        **groups,
        weight=arrays["weight"],
        row=arrays["row"],
        weighted=header["weighted"],
        classes=classes,
        card=header["card"],
    )
