"""The model file: weights and all that is needed to use them, in one file that runs no code when it is read."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from pydantic import Field
from pydantic.dataclasses import dataclass
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode

import jetkit.models  # noqa: F401 - registers the models
from jetkit import __version__
from jetkit.config import build
from jetkit.data.cloud import CloudSpec
from jetkit.errors import JetkitError
from jetkit.registry import create
from jetkit.train.files import read_tensors, write_tensors

FORMAT = "jetkit model"
VERSION = 1
MODEL = "model.safetensors"
"""Name of the model file in a run folder."""
LARGEST = 65536
"""Largest integer that a hyperparameter in a file may have."""


@dataclass(frozen=True)
class ModelCard:
    """The header of a model file."""

    model: str
    """Registered name."""
    spec: dict[str, Any]
    """Features with units and standardisation, classes; see CloudSpec."""
    hyperparameters: dict[str, Any] = Field(default_factory=dict)
    kind: str = "tagger"
    preprocessing: dict[str, Any] = Field(default_factory=dict)
    """How clouds are made: the feature set, the most particles of a jet."""
    training: dict[str, Any] = Field(default_factory=dict)
    """Options, epochs done, best epoch."""
    data: dict[str, Any] = Field(default_factory=dict)
    """Name and hash of the dataset, jets in each part."""
    metrics: dict[str, Any] = Field(default_factory=dict)
    """Results with their errors."""
    parents: list[str] = Field(default_factory=list)
    """SHA-256 of the files that this model was made from."""
    format: str = FORMAT
    version: int = VERSION
    jetkit: str = __version__

    @property
    def classes(self) -> list[str]:
        """Names of the classes; the index is the label."""
        return list(self.spec["classes"])


def model_path(place: str | os.PathLike[str]) -> Path:
    """The model file of a run folder, or the file itself."""
    return Path(place) / MODEL if Path(place).is_dir() else Path(place)


def save_model(path: str | os.PathLike[str], model: nn.Module | Mapping[str, Tensor], card: ModelCard) -> None:
    """Write a model file, from a model or its weights by name, in one stroke.

    Raises:
        JetkitError: the file cannot be written.
    """
    header = {name: getattr(card, name) for name in ModelCard.__dataclass_fields__}
    write_tensors(Path(path), model.state_dict() if isinstance(model, nn.Module) else model, header)


def load_model(path: str | os.PathLike[str]) -> Any:
    """The model in a file, ready to evaluate: ``load_model(path)(cloud)`` gives logits.

    Raises:
        JetkitError: the file is absent, damaged, foreign, from a later version, or asks for what jetkit has not.

    Example:
        >>> from jetkit.train.model_file import load_model
        >>> load_model("runs/part/model.safetensors")
        Traceback (most recent call last):
        jetkit.errors.JetkitError: cannot read runs/part/model.safetensors: No such file or directory
    """
    return read_model(path)[0]


def read_model(path: str | os.PathLike[str]) -> tuple[Any, ModelCard]:
    """The model in a file, ready to evaluate, and its header.

    Raises:
        JetkitError: as `load_model`.
    """
    tensors, card = read_weights(path)
    model = _empty(card, len(tensors), path)
    _fill(model, tensors, path)
    return model.eval(), card


def read_card(path: str | os.PathLike[str]) -> ModelCard:
    """The header of a model file, whose weights are checked as well.

    Raises:
        JetkitError: as `load_model`.
    """
    return read_weights(path)[1]


def read_weights(path: str | os.PathLike[str]) -> tuple[dict[str, Tensor], ModelCard]:
    """The tensors of a model file and its header.

    Raises:
        JetkitError: as `load_model`.
    """
    tensors, header = read_tensors(path)
    return tensors, _card(header, path)


def annotate(path: str | os.PathLike[str], **fields: Any) -> None:
    """Change fields of the header of a model file, such as ``metrics``.

    Raises:
        JetkitError: as `load_model`.
    """
    assert fields.keys() <= ModelCard.__dataclass_fields__.keys()
    tensors, header = read_tensors(path)
    _card(header, path)
    write_tensors(Path(path), tensors, header | fields)


def _card(header: Mapping[str, Any], path: str | os.PathLike[str]) -> ModelCard:
    if header.get("format") != FORMAT:
        raise JetkitError(f"{path} is not a model file: it says {str(header.get('format'))[:40]!r}")
    version = header.get("version")
    if type(version) is not int or version < 1:
        raise JetkitError(f"{path} is not a model file: its version is {str(version)[:40]!r}")
    if version > VERSION:
        raise JetkitError(f"{path} was written by a later jetkit ({str(header.get('jetkit'))[:20]!r}): update jetkit")
    try:
        card = build(ModelCard, header, "the header")
        CloudSpec.from_dict(card.spec)
    except JetkitError as error:
        raise JetkitError(f"{path}: {_sentence(error)}") from None
    return card


def _empty(card: ModelCard, tensors: int, path: str | os.PathLike[str]) -> nn.Module:
    """The model without memory for its weights, so that no header can ask for too much."""
    for name, value in card.hyperparameters.items():
        if not _is_modest(value):
            raise JetkitError(f"{path}: hyperparameter {name[:40]!r} is out of range")
    try:
        with torch.device("meta"), _Bounded(500 + 20 * tensors):
            model: nn.Module = create(card.model, CloudSpec.from_dict(card.spec), card.hyperparameters, card.kind)
    except Exception as error:  # of many kinds: whatever a wrong hyperparameter does to a model
        raise JetkitError(f"{path}: no such model can be made ({_sentence(error)})") from None
    return model


def _is_modest(value: Any) -> bool:
    """Whether no number and no list in a value is too large."""
    if isinstance(value, dict):
        value = list(value.values())
    if isinstance(value, list):
        return len(value) <= 1000 and all(_is_modest(part) for part in value)
    return not isinstance(value, int) or abs(value) <= LARGEST


class _Bounded(TorchFunctionMode):
    """Within, torch may be called so many times, lest a header keep us busy with ten thousand layers."""

    def __init__(self, calls: int) -> None:
        super().__init__()
        self.calls = calls

    def __torch_function__(self, function: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        self.calls -= 1
        if self.calls < 0:
            raise JetkitError("it would have far more weights than the file")
        return function(*args, **(kwargs or {}))


def _fill(model: nn.Module, tensors: Mapping[str, Tensor], path: str | os.PathLike[str]) -> None:
    wanted = model.state_dict()
    for name in sorted(wanted.keys() | tensors.keys()):
        want = _described(wanted[name]) if name in wanted else "absent"
        have = _described(tensors[name]) if name in tensors else "none"
        if want != have:
            raise JetkitError(f"{path}: tensor {name[:80]!r} should be {want}, the file has {have}")
    model.load_state_dict({name: tensor.to(wanted[name].dtype) for name, tensor in tensors.items()}, assign=True)


def _described(tensor: Tensor) -> str:
    kind = "real" if tensor.is_floating_point() else str(tensor.dtype).removeprefix("torch.")
    return f"{kind} {tuple(tensor.shape)}"


def _sentence(error: Exception) -> str:
    return " ".join(str(error).split())[:300]
