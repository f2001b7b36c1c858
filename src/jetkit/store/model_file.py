"""Model files: weights and everything needed to use them, in one file that runs no code when read."""

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

import jetkit.models
import jetkit.tasks.registered  # noqa: F401 - registers models and tasks
from jetkit import __version__, plugins
from jetkit.config import build
from jetkit.data.spec import Spec
from jetkit.errors import JetkitError
from jetkit.models.model import MODELS, Model
from jetkit.plugins import is_reference
from jetkit.registry import create, entry
from jetkit.store.first_format import renamed, task_of
from jetkit.store.tensor_file import read_tensors, write_tensors
from jetkit.tasks.task import TASK, Task

FORMAT = "jetkit model"
VERSION = 2
MODEL = "model.safetensors"
"""Name of the model file in a run folder."""
LARGEST = 65536
"""Largest integer accepted for a hyperparameter in a file."""


@dataclass(frozen=True)
class ModelCard:
    """Header of a model file."""

    model: str
    """Registered name of the model."""
    spec: dict[str, Any]
    """Collections, features with units and standardisation, targets; see `Spec`."""
    hyperparameters: dict[str, Any] = Field(default_factory=dict)
    kind: str = ""
    """Kind of the model: encoder, generator, estimator or ensemble."""
    task: str = ""
    """Registered name of the task it was trained for, if the file contains its heads; empty for a bare model."""
    task_options: dict[str, Any] = Field(default_factory=dict)
    plugins: list[dict[str, str]] = Field(default_factory=list)
    """Users' files or modules, with hashes, that define the model or the task."""
    preprocessing: dict[str, Any] = Field(default_factory=dict)
    """Preparation of batches: the features, the largest number of particles per jet."""
    training: dict[str, Any] = Field(default_factory=dict)
    """Options, number of epochs and best epoch of the training."""
    data: dict[str, Any] = Field(default_factory=dict)
    """Name and hash of the dataset, and the number of jets in each part."""
    metrics: dict[str, Any] = Field(default_factory=dict)
    """Results with their uncertainties."""
    parents: list[str] = Field(default_factory=list)
    """SHA-256 of the files from which this model was made."""
    format: str = FORMAT
    version: int = VERSION
    jetkit: str = __version__

    @property
    def spec_of(self) -> Spec:
        """Spec of the data, as an object."""
        return Spec.from_dict(self.spec)

    @property
    def classes(self) -> list[str]:
        """Names of the classes; the index is the label."""
        return list(self.spec_of.classes)


def model_path(place: str | os.PathLike[str]) -> Path:
    """Return the path of the model file in a run folder; the path of a model file is returned unchanged.

    Raises:
        JetkitError: no epoch of the run is finished.
    """
    path = Path(place)
    if path.is_dir() and not (path / MODEL).is_file():
        raise JetkitError(f"{path} has no finished epoch yet: go on with the same jetkit train command")
    return path / MODEL if path.is_dir() else path


def save_model(path: str | os.PathLike[str], model: nn.Module | Mapping[str, Tensor], card: ModelCard) -> None:
    """Write a model file atomically, from a task, a model, or tensors by name.

    Raises:
        JetkitError: the file cannot be written.
    """
    header = {name: getattr(card, name) for name in ModelCard.__dataclass_fields__}
    write_tensors(Path(path), model if isinstance(model, Mapping) else tensors_of(model), header)


def tensors_of(module: nn.Module, weights: Mapping[str, Tensor] | None = None) -> dict[str, Tensor]:
    """Return the tensors that a model file stores for a task or model: ``model.…`` and, for heads, ``heads.NAME.…``.

    ``weights`` replace the weights of the model, for example by their average.
    """
    model = module.model if isinstance(module, Task) else module
    found = {f"model.{name}": value for name, value in (weights or model.state_dict()).items()}
    for head, part in module.heads.items() if isinstance(module, Task) else ():
        found |= {f"heads.{head}.{name}": value for name, value in part.state_dict().items()}
    return found


def load_model(path: str | os.PathLike[str]) -> Any:
    """Load a task or model for evaluation; for a classifier, ``load_model(path)(batch)`` returns logits.

    Raises:
        JetkitError: the file is absent, damaged, not from jetkit or from a later version, or needs a model, task or
            plug-in that is not available.

    Example:
        >>> from jetkit.store.model_file import load_model
        >>> load_model("runs/part/model.safetensors")
        Traceback (most recent call last):
        jetkit.errors.JetkitError: cannot read runs/part/model.safetensors: No such file or directory
    """
    return read_model(path)[0]


def read_model(path: str | os.PathLike[str]) -> tuple[Any, ModelCard]:
    """Load the task in a file, or the bare model, for evaluation, and return it with the header.

    Raises:
        JetkitError: as `load_model`.
    """
    tensors, card = read_weights(path)
    module = _empty(card, len(tensors), path)
    _fill(module, tensors, path)
    return module.eval(), card


def read_backbone(path: str | os.PathLike[str]) -> tuple[dict[str, Tensor], ModelCard]:
    """Read the tensors of the model in a file, without heads, and the header.

    Raises:
        JetkitError: as `load_model`.
    """
    tensors, card = read_weights(path)
    return {name.removeprefix("model."): value for name, value in tensors.items() if name.startswith("model.")}, card


def model_in(module: nn.Module) -> Model:
    """Return the model of a task, or the bare model itself."""
    found: Model = module.model if isinstance(module, Task) else module  # type: ignore[assignment]
    return found


def read_card(path: str | os.PathLike[str]) -> ModelCard:
    """Read the header of a model file; the weights are verified too.

    Raises:
        JetkitError: as `load_model`.
    """
    return read_weights(path)[1]


def read_weights(path: str | os.PathLike[str]) -> tuple[dict[str, Tensor], ModelCard]:
    """Read the tensors of a model file, under today's names, and the header.

    Raises:
        JetkitError: as `load_model`.
    """
    tensors, header = read_tensors(path)
    card = _card(header, path)
    return (renamed(tensors, card.model, bare=not card.task) if card.version == 1 else tensors), card


def annotate(path: str | os.PathLike[str], **fields: Any) -> None:
    """Change fields in the header of a model file, such as ``metrics``.

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
        values = dict(header) | ({"task": task_of(header), "kind": ""} if version == 1 else {})
        card = build(ModelCard, values, "the header")
        Spec.from_dict(card.spec)
        _refuse_code(card)
    except JetkitError as error:
        raise JetkitError(f"{path}: {_sentence(error)}") from None
    return card


def _refuse_code(card: ModelCard) -> None:
    """Raise if a header refers to a file or module instead of a registered name."""
    for name in (card.model, card.task, card.preprocessing.get("features")):
        if isinstance(name, str) and is_reference(name):
            raise JetkitError(f"{name[:80]!r} names code, which a model file may not")


def _empty(card: ModelCard, tensors: int, path: str | os.PathLike[str]) -> nn.Module:
    """Build the task or model without memory for its weights, so that no header can request too much."""
    for name, value in {**card.hyperparameters, **card.task_options}.items():
        if not _is_modest(value):
            raise JetkitError(f"{path}: hyperparameter {name[:40]!r} is out of range")
    ask_for_plugins(card, path)
    try:
        known = entry(card.model, MODELS)
        if card.kind not in ("", known.kind):
            raise JetkitError(f"{known.name} is of the kind {known.kind}, not {card.kind[:40]!r}")
        with torch.device("meta"), _Bounded(500 + 20 * tensors), plugins.forbidden():
            model: nn.Module = create(card.model, card.spec_of, card.hyperparameters, MODELS)
            if not card.task:
                return model
            made: nn.Module = create(card.task, (model, card.spec_of), card.task_options, TASK)
            return made
    except Exception as error:  # of many kinds: whatever a wrong hyperparameter does to a model
        if card.plugins and not isinstance(error, JetkitError):
            raise
        raise JetkitError(f"{path}: no such model can be made ({_sentence(error)})") from None


def ask_for_plugins(card: ModelCard, path: str | os.PathLike[str]) -> None:
    """Raise if a file needs a user's plug-in that is not imported or has changed.

    Raises:
        JetkitError: a plug-in is missing or differs; the message names it.
    """
    for name, kind in ((card.model, MODELS), (card.task, (TASK,))):
        if not name or not card.plugins:
            continue
        asked = ", ".join(one["source"] for one in card.plugins)
        try:
            found = entry(name, kind).plugin
        except JetkitError:
            raise JetkitError(
                f"{path} needs the plug-in of {name}, which was in {asked}: add plugins=[{asked}] to the command, or "
                "import it first"
            ) from None
        known = {one.get("sha256") for one in card.plugins}
        if found is not None and found.sha256 and found.sha256 not in known:
            raise JetkitError(f"{path} was made with another version of {asked}: give plugins= of that version")


def _is_modest(value: Any) -> bool:
    """Return whether all numbers and lists in a value are small enough."""
    if isinstance(value, dict):
        value = list(value.values())
    if isinstance(value, list):
        return len(value) <= 1000 and all(_is_modest(part) for part in value)
    return not isinstance(value, int) or abs(value) <= LARGEST


class _Bounded(TorchFunctionMode):
    """Limit the number of torch calls within a ``with`` block, so that a header cannot request ten thousand layers."""

    def __init__(self, calls: int) -> None:
        super().__init__()
        self.calls = calls

    def __torch_function__(self, function: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        self.calls -= 1
        if self.calls < 0:
            raise JetkitError("it would have far more weights than the file")
        return function(*args, **(kwargs or {}))


def _fill(module: nn.Module, tensors: Mapping[str, Tensor], path: str | os.PathLike[str]) -> None:
    wanted = tensors_of(module)
    for name in sorted(wanted.keys() | tensors.keys()):
        want = _described(wanted[name]) if name in wanted else "absent"
        have = _described(tensors[name]) if name in tensors else "none"
        if want != have:
            raise JetkitError(f"{path}: tensor {name[:80]!r} should be {want}, the file has {have}")
    heads = module.heads if isinstance(module, Task) else {}
    parts = {"model.": model_in(module), **{f"heads.{name}.": head for name, head in heads.items()}}
    for prefix, part in parts.items():
        own = {
            name.removeprefix(prefix): tensor.to(wanted[name].dtype)
            for name, tensor in tensors.items()
            if name.startswith(prefix)
        }
        part.load_state_dict(own, assign=True)


def _described(tensor: Tensor) -> str:
    kind = "real" if tensor.is_floating_point() else str(tensor.dtype).removeprefix("torch.")
    return f"{kind} {tuple(tensor.shape)}"


def _sentence(error: Exception) -> str:
    return " ".join(str(error).split())[:300]
