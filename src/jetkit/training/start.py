"""Initial weights of a training: fresh or pretrained, with parts that are frozen or learn more slowly."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar, cast

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn.utils import parametrize

from jetkit.data.batch import Batch
from jetkit.data.dataset import Dataset
from jetkit.errors import JetkitError
from jetkit.models.model import Backbone, Encoder, Model, among
from jetkit.store.model_file import model_path, read_backbone
from jetkit.store.options import RunOptions, StartOptions
from jetkit.store.tensor_file import weights_hash
from jetkit.tasks.task import Task
from jetkit.training.data_parts import refuse_known_jets
from jetkit.training.optimisers import decay_groups
from jetkit.training.seeds import mix

FROZEN = ("freeze", "random-freeze")
PRETRAINED = ("finetune", "freeze")
MODEL = "model."
"""Prefix of the names of a model's parameters in its task; those of heads have other prefixes."""


class Frozen(Encoder):
    """An encoder without learning or dropout, whose vectors are computed once and come as plain tables."""

    precomputes: ClassVar[bool] = True

    def __init__(self, encoder: Encoder) -> None:
        super().__init__(encoder.spec)
        self.encoder, self.encoded = encoder.requires_grad_(False), encoder.encoded

    def precomputed(self, batch: Batch) -> Float[Tensor, "B E"]:
        """Encode rows as vectors, once."""
        return frozen_encoding(self.encoder, batch)

    def encode(self, batch: Batch) -> Float[Tensor, "B E"]:
        """Return the vectors computed before."""
        return batch.row


@torch.no_grad()
def frozen_encoding(model: Encoder, batch: Batch) -> Float[Tensor, "B D"]:
    """Encode rows with the encoder in evaluation mode and without gradients."""
    device = next(model.parameters()).device
    return model.eval().encode(batch.to(device=device)).cpu()


def weights_seed(options: RunOptions) -> int:
    """Return the seed of the initial weights, changed for a pretrained encoder to give it another head than before."""
    pretrained = bool(options.start.file) and options.start.mode in PRETRAINED
    return mix(options.seed, 1) if pretrained else options.seed


def started(model: Model, options: RunOptions, jets: Dataset) -> tuple[Model, list[str]]:
    """Initialise a model as the options ask; return the module to train and the hashes of the files used.

    Raises:
        JetkitError: the file has another model or other features, its training may include test jets, or ``aggregator``
            or ``lora`` does not fit the model.
    """
    start = options.start
    if not start.file:
        return model, []
    path = model_path(start.file)
    tensors, card = read_backbone(path)
    refuse_known_jets(card.data, jets, options)
    if list(card.spec_of.features) != list(model.spec.features) or card.spec_of.row != model.spec.row:
        raise JetkitError(f"{path} knows other features than the data give: leave features= out")
    if start.mode in PRETRAINED:
        fresh = _fresh(model, start)
        body = {name: value for name, value in tensors.items() if not among(name, fresh)}
        fit = model.load_state_dict(body, strict=False)
        if fit.unexpected_keys or any(not among(name, fresh) for name in fit.missing_keys):
            raise JetkitError(f"{path} holds another model than {options.model.name}: adapt it with its own sizes")
    if start.mode in FROZEN:
        model = Frozen(cast(Encoder, model))
    elif start.lora:
        add_low_rank(model, start.lora)
    return model, [weights_hash(path)] if start.mode in PRETRAINED else []


def _fresh(model: nn.Module, start: StartOptions) -> tuple[str, ...]:
    """Return the prefixes of the model's parameters that are not taken from the pretrained model."""
    if start.mode != "finetune" or start.aggregator == "pretrained":
        return ()
    if not isinstance(model, Backbone) or not model.aggregator or start.lora:
        what = "lora=" if start.lora else "this model"
        raise JetkitError(f"{what} cannot have a fresh aggregator: leave aggregator= out")
    return model.aggregator


class LowRank(nn.Module):
    """Low-rank update W + B A of a frozen matrix W, where A and B have rank r and B starts at 0.

    Source: LoRA: Low-Rank Adaptation of Large Language Models, 2021, arXiv:2106.09685.

    Args:
        weight: W
        rank: r
    """

    def __init__(self, weight: Tensor, rank: int) -> None:
        super().__init__()
        rows, columns = weight.shape
        self.down = nn.Parameter(torch.randn(rank, columns) / columns**0.5)
        self.up = nn.Parameter(torch.zeros(rows, rank))

    def forward(self, weight: Tensor) -> Tensor:
        """Return the changed matrix."""
        return weight + self.up @ self.down


def add_low_rank(model: nn.Module, rank: int) -> None:
    """Restrict learning to updates of rank ``rank`` to the matrices with more rows and columns than that.

    All other parameters of the model are frozen.

    Raises:
        JetkitError: there is no such matrix.
    """
    layers = [layer for _, layer in model.named_modules() if isinstance(layer, nn.Linear)]
    layers = [layer for layer in layers if min(layer.weight.shape) > rank]
    if not layers:
        raise JetkitError(f"no matrix of the model is larger than lora={rank}: choose a smaller rank")
    model.requires_grad_(False)
    for layer in layers:
        parametrize.register_parametrization(layer, "weight", LowRank(layer.weight, rank))


def plain_weights(model: nn.Module) -> dict[str, Tensor]:
    """Return the weights of a model (of a frozen one, those inside) with low-rank updates merged into the matrices."""
    inner = model.encoder if isinstance(model, Frozen) else model
    found = {name: value for name, value in inner.state_dict().items() if ".parametrizations." not in name}
    for name, layer in inner.named_modules():
        if isinstance(layer, nn.Linear) and parametrize.is_parametrized(layer):
            found[f"{name}.weight"] = layer.weight.detach()
    return found


def parameter_groups(task: Task, options: RunOptions) -> list[dict[str, Any]]:
    """Return parameter groups for an optimiser, each with its learning-rate factor and its first epoch.

    Fresh parameters have the factor 1; without ``start=``, or in any mode but ``finetune``, no parameter has another.
    Otherwise the top stage of the backbone has the factor ``backbone_rate``, and each stage below has ``layer_decay``
    times the factor above.
    """
    start, decay = options.start, options.optim.weight_decay
    if not start.file or start.mode != "finetune":
        return decay_groups(task.named_parameters(), decay)
    model = task.model
    stages: Sequence[Sequence[str]] = model.stages if isinstance(model, Backbone) else ((),)
    fresh = _fresh(model, start)
    groups: dict[int, list[tuple[str, nn.Parameter]]] = {}
    for name, weight in task.named_parameters():
        if weight.requires_grad:
            inner = name.removeprefix(MODEL)
            new = not name.startswith(MODEL) or among(inner, fresh)
            groups.setdefault(len(stages) if new else _stage(inner, stages), []).append((name, weight))
    found = []
    for stage, named in sorted(groups.items()):
        own = stage < len(stages)
        factor = start.backbone_rate * start.layer_decay ** (len(stages) - 1 - stage) if own else 1.0
        begins = start.frozen_epochs if own else 0
        found += [group | {"factor": factor, "begins": begins} for group in decay_groups(named, decay)]
    return found


def _stage(name: str, stages: Sequence[Sequence[str]]) -> int:
    """Return the stage number of a parameter."""
    return next((number for number, starts in enumerate(stages) if among(name, starts)), 0)
