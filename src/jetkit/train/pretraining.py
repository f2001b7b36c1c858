"""Options of a pretraining, and the task that it trains."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Annotated, Any, Literal

from pydantic import Field
from pydantic.dataclasses import dataclass

import jetkit.tasks.methods  # noqa: F401 - registers the methods
from jetkit.config import ConfigError, load, names, parse
from jetkit.models.tagger import Backbone
from jetkit.registry import create, entry, hyperparameters
from jetkit.tasks.pretext import Pretext
from jetkit.train.files import weights_hash
from jetkit.train.model_file import load_model, model_path, read_card
from jetkit.train.options import TrainOptions, gathered, option

PRETEXT = "pretext"
"""Kind of a registered method."""
UNLABELLED = ("unlabelled", "other")
"""Classes of a backbone that was pretrained on jets without any, until it is adapted to some."""


@dataclass(frozen=True)
class PretrainOptions(TrainOptions):
    """What to learn without labels, with which backbone, on what, and how."""

    pretext: Annotated[str, option("registered name of a method; see `jetkit pretrain --help`")] = ""
    method: Annotated[dict[str, Any], option("options of the method; written method.NAME=VALUE")] = Field(
        default_factory=dict
    )
    tokeniser: Annotated[
        str, option("run folder, or model file, of a vq-vae; for mpm with method.target=tokens, and for omnijet")
    ] = ""
    select: Annotated[
        Literal["accuracy", "loss", "last"], option("what makes an epoch the best; last: that it is the last")
    ] = "last"


def pretrain_options(name: str, words: Sequence[str]) -> PretrainOptions:
    """Options from a recipe and ``key=value`` words, which have the last say; ``model.NAME=VALUE`` sets a
    hyperparameter of the backbone, ``method.NAME=VALUE`` an option of the method.

    ``name`` is a recipe of `jetkit list`, the name of a method, or a .yaml file.

    Raises:
        ConfigError: an unknown name or option, or a wrong type.
        JetkitError: the tokeniser cannot be read.

    Example:
        >>> options = pretrain_options("p-jepa", ["data=data/jets", "model.width=64", "method.depth=2"])
        >>> options.model, options.hyperparameters, options.pretext, options.method
        ('part', {'width': 64}, 'p-jepa', {'depth': 2})
    """
    recipe = name.endswith((".yaml", ".yml")) or name in names("pretraining")
    values: dict[str, Any] = {"model": "part", **(load("pretraining", name) if recipe else {"pretext": name})}
    values.pop("description", None)
    own, rest = gathered(words, "model", values.pop("hyperparameters", {}), f"hyperparameters of {values['model']}")
    method, rest = gathered(rest, "method", values.pop("method", {}), f"options of {values.get('pretext', name)}")
    given = {"hyperparameters": own, "method": method, "out": f"runs/{values.get('pretext', name)}"}
    options = parse(PretrainOptions, rest, f"jetkit pretrain {name}", values | given)
    if not options.pretext:
        raise ConfigError(f"{name} names no method: add pretext=p-jepa or another of jetkit pretrain --help")
    if options.tokeniser and "tokeniser" in hyperparameters(options.model, own):
        sizes = read_card(model_path(options.tokeniser)).hyperparameters
        options = replace(options, hyperparameters={"tokeniser": sizes} | own)
    hyperparameters(options.model, options.hyperparameters)
    hyperparameters(options.pretext, method, PRETEXT)
    return options


def pretext_of(model: Backbone, options: PretrainOptions) -> Pretext:
    """The method that pretrains a backbone, with its tokeniser if it has one.

    Raises:
        JetkitError: options, backbone or tokeniser do not fit, or the tokeniser cannot be read.
    """
    method: Pretext = create(options.pretext, model, options.method, PRETEXT)
    if options.tokeniser:
        method.take_tokeniser(load_model(model_path(options.tokeniser)))
    return method


def probed_jets(pretext: str, validation: int) -> int:
    """Jets that the probe of a method is tested on, of so many for validation: every other one, without their twins.

    Example:
        >>> probed_jets("p-jepa", 100), probed_jets("rs3l", 100)
        (50, 25)
    """
    return validation // (4 if entry(pretext, PRETEXT).cls.twins else 2)


def parents_of(options: PretrainOptions) -> list[str]:
    """Hashes of the files that the backbone will be made from.

    Raises:
        JetkitError: the tokeniser cannot be read.
    """
    return [weights_hash(model_path(options.tokeniser))] if options.tokeniser else []
