"""Options of a training."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Field
from pydantic.dataclasses import dataclass

import jetkit.models  # noqa: F401 - registers the models
from jetkit.config import ConfigError, load, names, pairs, parse, read_yaml
from jetkit.errors import JetkitError
from jetkit.registry import hyperparameters

Share = Annotated[float, Field(ge=0, le=1)]


def option(text: str, **bounds: Any) -> Any:
    """What an option means, for its help page, and its bounds."""
    return Field(description=text, **bounds)


@dataclass(frozen=True)
class TrainOptions:
    """What to train, on what, and how."""

    model: Annotated[str, option("registered name of a tagger; see `jetkit list`")]
    data: Annotated[str, option("folder of a dataset, or Parquet files")]
    hyperparameters: Annotated[dict[str, Any], option("of the model; written model.NAME=VALUE")] = Field(
        default_factory=dict
    )
    out: Annotated[str, option("run folder to write; default: runs/MODEL")] = ""
    features: Annotated[Literal["momentum", "kin", "kinpid", "full"], option("features of a particle")] = "kin"
    length: Annotated[int, option("most particles of a jet", ge=1)] = 128
    fractions: Annotated[
        tuple[Share, Share, Share], option("shares of the dataset for training, validation and test")
    ] = (0.8, 0.1, 0.1)
    only: Annotated[tuple[str, ...], option("classes of the jets, such as [QCD]; default: all")] = ()
    train_jets: Annotated[int | None, option("jets to train on, of those in the training share", ge=1)] = None
    balanced: Annotated[bool, option("take as many train_jets of each class")] = False
    subset: Annotated[int, option("another number takes other train_jets", ge=0)] = 0
    epochs: Annotated[int, option("parts of the training, each followed by a validation", ge=1)] = 20
    passes: Annotated[int, option("times that an epoch goes through the training jets", ge=1)] = 1
    batch: Annotated[int, option("jets in a batch, per process", ge=1)] = 128
    lr: Annotated[
        Annotated[float, Field(gt=0)] | Literal["auto"],
        option("highest learning rate; auto: from a test of 200 steps"),
    ] = 1e-3
    optimiser: Annotated[Literal["adamw", "radam", "ranger", "lion"], option("ranger is RAdam with Lookahead")] = (
        "adamw"
    )
    weight_decay: Annotated[float, option("of matrices; not of biases, normalisations and tokens", ge=0)] = 0.01
    schedule: Annotated[
        Literal["constant", "one-cycle", "flat-decay", "cosine", "warm-restarts"],
        option("of the learning rate"),
    ] = "one-cycle"
    clip: Annotated[float | None, option("largest norm of the gradient", gt=0)] = None
    ema: Annotated[float | None, option("decay a step of the averaged weights, such as 0.999", gt=0, lt=1)] = None
    patience: Annotated[int | None, option("stop after so many epochs without a better one", ge=1)] = None
    select: Annotated[
        Literal["accuracy", "loss", "last"], option("what makes an epoch the best; last: that it is the last")
    ] = "accuracy"
    smoothing: Annotated[float, option("label smoothing", ge=0, lt=1)] = 0.0
    reweight: Annotated[
        Literal["none", "classes", "kinematics"],
        option("classes: equal sums of weights; kinematics: equal spectra of jet pT and soft-drop mass, too"),
    ] = "none"
    labels: Annotated[Literal["true", "shuffled"], option("shuffled: a control, which must not learn")] = "true"
    precision: Annotated[
        Literal["32-true", "bf16-mixed", "16-mixed", "64-true"],
        option("of numbers; bf16-mixed needs less memory and may be faster"),
    ] = "32-true"
    accelerator: Annotated[str, option("cpu, gpu, mps, tpu or auto")] = "auto"
    devices: Annotated[int, option("processes on this machine, one a device", ge=1)] = 1
    nodes: Annotated[int, option("machines", ge=1)] = 1
    threads: Annotated[int | None, option("of each process; default: the cores of the machine", ge=1)] = None
    seed: Annotated[int, option("fixes weights, order of jets and dropout", ge=0)] = 1
    seeds: Annotated[int, option("train so many models, with seed, seed + 1, …", ge=1)] = 1
    checkpoint: Annotated[float, option("seconds between checkpoints", gt=0)] = 60.0

    def __post_init__(self) -> None:
        if not 0 < sum(self.fractions) < 1 + 1e-9 or not self.fractions[0] or not self.fractions[1]:
            raise JetkitError(f"option fractions should be three shares of at most 1 in total, got {self.fractions}")

    @property
    def rate(self) -> float:
        """Highest learning rate; 0 while it is still to be found."""
        return 0.0 if self.lr == "auto" else self.lr

    @property
    def folder(self) -> Path:
        """The run folder."""
        return Path(self.out or f"runs/{self.model}")


def train_options(name: str, words: Sequence[str]) -> TrainOptions:
    """Options from a recipe and ``key=value`` words, which have the last say; ``model.NAME=VALUE`` sets a
    hyperparameter.

    ``name`` is a recipe of `jetkit list`, the name of a model, or a .yaml file.

    Raises:
        ConfigError: an unknown name or option, a wrong type, or a hyperparameter that the model does not have.

    Example:
        >>> import jetkit.models
        >>> options = train_options("part", ["data=data/top", "model.width=64", "epochs=3"])
        >>> options.hyperparameters, options.epochs, options.optimiser
        ({'width': 64}, 3, 'ranger')
    """
    where = f"jetkit train {name}"
    values = load("runs", name) if name.endswith((".yaml", ".yml")) or name in names("runs") else {"model": name}
    values.pop("description", None)
    own, rest = gathered(words, "model", values.pop("hyperparameters", {}), f"hyperparameters of {name}")
    known = hyperparameters(str(values.get("model", name)), {})
    for key in (word.partition("=")[0] for word in rest):
        if key in known and key not in TrainOptions.__dataclass_fields__:
            raise ConfigError(f"{key} is a hyperparameter of {name}; write model.{key}=VALUE")
    options = parse(TrainOptions, rest, where, values | {"hyperparameters": own})
    hyperparameters(options.model, own)
    return options


def gathered(words: Sequence[str], prefix: str, preset: Any, what: str) -> tuple[dict[str, Any], list[str]]:
    """Values by name of the words ``PREFIX.NAME=VALUE``, on top of a preset, and the other words.

    Raises:
        ConfigError: the preset is no mapping, or a word is none of these.

    Example:
        >>> gathered(["model.width=64", "epochs=3"], "model", {"depth": 2}, "hyperparameters")
        ({'depth': 2, 'width': 64}, ['epochs=3'])
    """
    if not isinstance(preset, dict):
        raise ConfigError(f"{what} should be a mapping of names to values")
    dotted = f"{prefix}."
    given = [word.removeprefix(dotted) for word in words if word.startswith(dotted)]
    texts = pairs(given, f"{what} are written {dotted}NAME=VALUE", dotted)
    own = {key: read_yaml(text, f"option {dotted}{key}") for key, text in texts.items()}
    return preset | own, [word for word in words if not word.startswith(dotted)]
