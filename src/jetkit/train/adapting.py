"""Adapting a pretrained backbone to a task: what starts where, what is frozen, and how fast each stage learns."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any, Literal, cast

import torch
from jaxtyping import Float
from pydantic.dataclasses import dataclass
from torch import Tensor, nn
from torch.nn.utils import parametrize

from jetkit.config import ConfigError, parse
from jetkit.data.cloud import Cloud
from jetkit.data.dataset import Dataset
from jetkit.errors import JetkitError
from jetkit.models.tagger import Backbone, Tagger
from jetkit.registry import hyperparameters
from jetkit.train.data_parts import refuse_known_jets
from jetkit.train.files import weights_hash
from jetkit.train.model_file import model_path, read_card, read_weights
from jetkit.train.optimisers import decay_groups
from jetkit.train.options import TrainOptions, gathered, option

FROZEN = ("freeze", "random-freeze")
PRETRAINED = ("finetune", "freeze")


@dataclass(frozen=True)
class AdaptOptions(TrainOptions):
    """What to make of which pretrained model, on what, and how."""

    start: Annotated[str, option("model file, or run folder, of the pretrained model")] = ""
    mode: Annotated[
        Literal["finetune", "freeze", "scratch", "random-freeze"],
        option(
            "finetune: all weights learn; freeze: the head alone; scratch and random-freeze: the same, but untrained"
        ),
    ] = "finetune"
    backbone_rate: Annotated[float, option("learning rate of the backbone, in units of the head's", gt=0)] = 0.1
    layer_decay: Annotated[float, option("factor on the learning rate from a stage to the one below", gt=0, le=1)] = 1.0
    frozen_epochs: Annotated[int, option("epochs in which the head alone learns, before the backbone does", ge=0)] = 0
    lora: Annotated[int, option("rank of the changes to the backbone's matrices (LoRA); 0: no bound", ge=0)] = 0
    aggregator: Annotated[
        Literal["pretrained", "fresh"],
        option(
            "fresh: mode=finetune takes over what makes the vectors of particles alone; the rest begins with the head"
        ),
    ] = "pretrained"


def adapt_options(start: str, words: Sequence[str]) -> AdaptOptions:
    """Options from a model file and ``key=value`` words; model, hyperparameters and features are those of the file.

    Raises:
        JetkitError: the file cannot be read, or an unknown option.
    """
    card = read_card(model_path(start))
    own, rest = gathered(words, "model", dict(card.hyperparameters), f"hyperparameters of {card.model}")
    if own != card.hyperparameters:
        raise ConfigError(f"the sizes of {card.model} are those of {start}: leave model.NAME=VALUE out")
    known = {key: card.preprocessing[key] for key in ("features", "length") if key in card.preprocessing}
    preset = {"model": card.model, "hyperparameters": own, "start": start, "out": f"runs/{card.model}-adapted"} | known
    options = parse(AdaptOptions, rest, f"jetkit adapt {start}", preset)
    hyperparameters(options.model, own)
    return options


def started(model: Tagger, options: AdaptOptions, jets: Dataset) -> list[str]:
    """Take over the weights of the pretrained model but its head, as the mode asks, and freeze what it says.

    Gives the hashes of the files that the model is made from.

    Raises:
        JetkitError: the file is not of this model, or of other features, or it may know jets of the test.
    """
    path = model_path(options.start)
    tensors, card = read_weights(path)
    refuse_known_jets(card.data, jets, options)
    if list(card.spec["features"]) != list(model.spec.features):
        raise JetkitError(f"{path} knows other features than the data give: leave features= out")
    if options.mode in PRETRAINED:
        fresh = _fresh(model, options)
        body = {name: value for name, value in tensors.items() if not _among(name, fresh)}
        fit = model.load_state_dict(body, strict=False)
        if fit.unexpected_keys or any(not _among(name, fresh) for name in fit.missing_keys):
            raise JetkitError(f"{path} holds another model than {options.model}: adapt it with its own sizes")
    if options.mode in FROZEN:
        for name, weight in model.named_parameters():
            weight.requires_grad_(name.startswith("head."))
    elif options.lora:
        add_low_rank(model, options.lora)
    return [weights_hash(path)] if options.mode in PRETRAINED else []


def _fresh(model: nn.Module, options: AdaptOptions) -> tuple[str, ...]:
    """Beginnings of the names of the parameters that are not taken over."""
    if options.mode != "finetune" or options.aggregator == "pretrained":
        return ("head",)
    if not isinstance(model, Backbone) or not model.aggregator or options.lora:
        what = "lora=" if options.lora else options.model
        raise JetkitError(f"{what} cannot have a fresh aggregator: leave aggregator= out")
    return ("head", *model.aggregator)


def _among(name: str, starts: Sequence[str]) -> bool:
    """Whether a parameter is one of these, or within one of them."""
    return any(f"{name}.".startswith(f"{start}.") for start in starts)


@torch.no_grad()
def frozen_encoding(model: Tagger, cloud: Cloud) -> Float[Tensor, "B D"]:
    """What the encoder makes of jets while it does not learn, nor drops anything."""
    device = next(model.parameters()).device
    return model.eval().encode(cloud.to(device=device)).cpu()


class LowRank(nn.Module):
    """W + B A, of which W does not learn: changes of rank r to a matrix; B begins as 0.

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
        """The changed matrix."""
        return weight + self.up @ self.down


def add_low_rank(model: nn.Module, rank: int) -> None:
    """Let the matrices of the blocks, of more than ``rank`` rows and columns, change by matrices of this rank alone.

    All other parameters but those of the head stay as they are.

    Raises:
        JetkitError: there is no such matrix.
    """
    layers = [layer for name, layer in model.named_modules() if isinstance(layer, nn.Linear) and name != "head"]
    layers = [layer for layer in layers if min(layer.weight.shape) > rank]
    if not layers:
        raise JetkitError(f"no matrix of the model is larger than lora={rank}: choose a smaller rank")
    for name, weight in model.named_parameters():
        weight.requires_grad_(name.startswith("head."))
    for layer in layers:
        parametrize.register_parametrization(layer, "weight", LowRank(layer.weight, rank))


def plain_weights(model: nn.Module) -> dict[str, Tensor]:
    """The weights of a model, with its low-rank changes added to its matrices."""
    found = {name: value for name, value in model.state_dict().items() if ".parametrizations." not in name}
    for name, layer in model.named_modules():
        if isinstance(layer, nn.Linear) and parametrize.is_parametrized(layer):
            found[f"{name}.weight"] = layer.weight.detach()
    return found


def rate_groups(model: nn.Module, options: AdaptOptions) -> list[dict[str, Any]]:
    """Groups of parameters for an optimiser, each with the factor on its learning rate and the epoch when it begins.

    What begins fresh has the factor 1; with ``mode=scratch`` that is everything. Else the upper stage of the backbone
    has ``backbone_rate``, and each below ``layer_decay`` times the one above.
    """
    tagger = cast(Tagger, model)
    stages = tagger.stages if isinstance(tagger, Backbone) else ((),)
    fresh = _fresh(model, options)
    adapted = options.mode == "finetune"
    groups: dict[int, list[tuple[str, nn.Parameter]]] = {}
    for name, weight in model.named_parameters():
        if weight.requires_grad:
            stage = len(stages) if _among(name, fresh) else _stage(name, stages)
            groups.setdefault(stage, []).append((name, weight))
    found = []
    for stage, named in sorted(groups.items()):
        own = adapted and stage < len(stages)
        factor = options.backbone_rate * options.layer_decay ** (len(stages) - 1 - stage) if own else 1.0
        begins = options.frozen_epochs if own else 0
        found += [group | {"factor": factor, "begins": begins} for group in decay_groups(named, options.weight_decay)]
    return found


def _stage(name: str, stages: Sequence[Sequence[str]]) -> int:
    """Number of the stage that a parameter belongs to."""
    return next((number for number, starts in enumerate(stages) if _among(name, starts)), 0)
