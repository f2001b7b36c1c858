"""Options of a training: data, task, model, start, optimisation and machine, in one record.

On the command line and as keyword arguments each option has a flat name (``epochs=3``), which may carry its group
(``optim.epochs=3``). ``model.NAME`` sets a hyperparameter of the model, ``task.NAME`` (or ``method.NAME``) an option of
the task.
"""

from __future__ import annotations

from dataclasses import MISSING, asdict, fields, make_dataclass, replace
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Field
from pydantic.dataclasses import dataclass

from jetkit.config import ConfigError, build

Share = Annotated[float, Field(ge=0, le=1)]


def option(text: str, **bounds: Any) -> Any:
    """Return a pydantic field with a help text and bounds."""
    return Field(description=text, **bounds)


@dataclass(frozen=True)
class Choice:
    """A registered name with its options.

    Attributes:
        name: as registered.
        options: hyperparameters of a model, or options of a task; the others have their defaults.
    """

    name: str = ""
    options: dict[str, Any] = Field(default_factory=dict)


@dataclass(frozen=True)
class DataOptions:
    """Options of the data: dataset, features, targets and selection of rows."""

    path: Annotated[str, option("folder of a dataset, or Parquet files")]
    features: Annotated[
        Any,
        option(
            "momentum, kin, kinpid or full; a list of columns of objects and of the row; or a .yaml table of columns "
            "with transform, shift, scale and clip"
        ),
    ] = "kin"
    row: Annotated[tuple[Any, ...] | None, option("features of the row; default: pT, mass, … of the jet")] = None
    length: Annotated[int, option("largest number of particles per jet", ge=1)] = 128
    targets: Annotated[
        Any, option("further columns to learn, of rows or objects; a mapping also gives their kind or class names")
    ] = ()
    arrays: Annotated[Any, option("list columns of fixed length, such as voxels; a mapping also gives shapes")] = ()
    links: Annotated[tuple[str, ...], option("columns that link objects of two kinds, such as hit_particle")] = ()
    weight: Annotated[str | None, option("column with the weight of the row; may be negative")] = None
    fractions: Annotated[
        tuple[Share, Share, Share], option("shares of the dataset for training, validation and test")
    ] = (0.8, 0.1, 0.1)
    only: Annotated[tuple[str, ...], option("classes of the jets, such as [QCD]; default: all")] = ()
    train_jets: Annotated[int | None, option("jets to train on, of those in the training share", ge=1)] = None
    balanced: Annotated[bool, option("take equally many train_jets of each class")] = False
    subset: Annotated[int, option("seed of the choice of train_jets", ge=0)] = 0
    reweight: Annotated[
        Literal["none", "classes", "kinematics"],
        option("classes: equal sums of weights; kinematics: equal spectra of jet pT and soft-drop mass, too"),
    ] = "none"
    labels: Annotated[Literal["true", "shuffled"], option("shuffled: a control that must learn nothing")] = "true"

    def __post_init__(self) -> None:
        for name in ("features", "targets", "arrays"):
            if isinstance(getattr(self, name), list):
                object.__setattr__(self, name, tuple(getattr(self, name)))
        if not 0 < sum(self.fractions) < 1 + 1e-9 or not self.fractions[0] or not self.fractions[1]:
            raise ConfigError(f"option fractions should be three shares of at most 1 in total, got {self.fractions}")


@dataclass(frozen=True)
class StartOptions:
    """Options of the initial weights, and of the learning rates of pretrained ones."""

    file: Annotated[str, option("model file, or run folder, of a pretrained model to begin with")] = ""
    mode: Annotated[
        Literal["finetune", "freeze", "scratch", "random-freeze"],
        option(
            "of start=: finetune: all weights learn; freeze: the head alone; scratch and random-freeze: the same, but "
            "untrained"
        ),
    ] = "finetune"
    backbone_rate: Annotated[
        float, option("of start=: learning rate of the backbone, relative to the head's", gt=0)
    ] = 0.1
    layer_decay: Annotated[
        float, option("of start=: factor on the learning rate from a stage to the one below", gt=0, le=1)
    ] = 1.0
    frozen_epochs: Annotated[
        int, option("of start=: epochs in which only the head learns, before the backbone does", ge=0)
    ] = 0
    lora: Annotated[
        int, option("of start=: rank of the changes to the backbone's matrices (LoRA); 0: no bound", ge=0)
    ] = 0
    aggregator: Annotated[
        Literal["pretrained", "fresh"],
        option(
            "of start=: fresh: mode=finetune takes over what makes the vectors of particles alone; the rest begins "
            "with the head"
        ),
    ] = "pretrained"


@dataclass(frozen=True)
class OptimOptions:
    """Options of the optimisation: epochs, learning rate, optimiser and choice of the best epoch."""

    epochs: Annotated[int, option("number of epochs, each followed by a validation", ge=1)] = 20
    passes: Annotated[int, option("passes through the training jets per epoch", ge=1)] = 1
    batch: Annotated[int, option("jets in a batch, per process", ge=1)] = 128
    lr: Annotated[
        Annotated[float, Field(gt=0)] | Literal["auto"],
        option("highest learning rate; auto: found by a test of 200 steps"),
    ] = 1e-3
    optimiser: Annotated[str, option("adamw, radam, ranger (RAdam with Lookahead), lion, or yours")] = "adamw"
    weight_decay: Annotated[float, option("decay of matrices; not of biases, normalisations and tokens", ge=0)] = 0.01
    schedule: Annotated[
        str, option("learning rate: constant, one-cycle, flat-decay, cosine, warm-restarts, or yours")
    ] = "one-cycle"
    clip: Annotated[float | None, option("largest gradient norm; larger ones are clipped", gt=0)] = None
    ema: Annotated[float | None, option("decay per step of the averaged weights, e.g. 0.999", gt=0, lt=1)] = None
    patience: Annotated[int | None, option("stop after this many epochs without improvement", ge=1)] = None
    select: Annotated[str, option("metric that selects the best epoch, such as accuracy or loss, or last")] = ""

    @property
    def rate(self) -> float:
        """Highest learning rate; 0 before the test of ``lr="auto"`` has found it."""
        return 0.0 if self.lr == "auto" else float(self.lr)


@dataclass(frozen=True)
class MachineOptions:
    """Options of the machine: precision, devices, processes and threads."""

    precision: Annotated[
        Literal["32-true", "bf16-mixed", "16-mixed", "64-true"],
        option("precision of numbers; bf16-mixed saves memory and may be faster"),
    ] = "32-true"
    accelerator: Annotated[str, option("cpu, gpu, mps, tpu or auto")] = "auto"
    devices: Annotated[int, option("processes on this machine, one per device", ge=1)] = 1
    nodes: Annotated[int, option("number of machines", ge=1)] = 1
    threads: Annotated[int | None, option("threads per process; default: all cores", ge=1)] = None
    checkpoint: Annotated[float, option("seconds between checkpoints", gt=0)] = 60.0


@dataclass(frozen=True)
class RunOptions:
    """All options of a training.

    Example:
        >>> options = RunOptions(DataOptions("data/top"), Choice("pfn"))
        >>> options.changed(epochs=3, seed=2).optim.epochs
        3
    """

    data: DataOptions
    model: Choice
    task: Choice = Choice("classify")
    start: StartOptions = StartOptions()
    parts: dict[str, str] = Field(default_factory=dict)
    """Further trained models that the task uses: name → model file or run folder."""
    optim: OptimOptions = OptimOptions()
    machine: MachineOptions = MachineOptions()
    plugins: tuple[str, ...] = ()
    """Users' files and modules that are imported first."""
    out: str = ""
    seed: int = 1
    seeds: int = 1

    @property
    def folder(self) -> Path:
        """Path of the run folder."""
        return Path(self.out or f"runs/{self.model.name}")

    def of_each_seed(self) -> list[RunOptions]:
        """Return the options of each single training: ``seeds`` of them, with seed, seed + 1, …."""
        if self.seeds == 1:
            return [self]
        seeds = range(self.seed, self.seed + self.seeds)
        return [replace(self, seed=seed, seeds=1, out=str(self.folder / f"seed-{seed}")) for seed in seeds]

    @property
    def recorded(self) -> dict[str, Any]:
        """Plain values of the options, without those that do not affect the result."""
        values = asdict(self)
        values["machine"].pop("checkpoint")
        return {name: value for name, value in values.items() if name not in ("out", "seeds", "plugins")}

    def changed(self, **values: Any) -> RunOptions:
        """Return a copy with some options changed, by their flat names.

        Raises:
            ConfigError: an unknown name, a wrong type or bound.
        """
        return nested(flat(self) | values, "a training")


GROUPS: dict[str, type[Any]] = {
    "data": DataOptions,
    "start": StartOptions,
    "optim": OptimOptions,
    "machine": MachineOptions,
}
OWN_NAMES = {("data", "path"): "data", ("start", "file"): "start"}
"""Group and field → flat name, if it differs from the name of the field."""
TOP: tuple[tuple[str, Any, Any], ...] = (
    ("model", Annotated[str, option("registered name of a model, or file.py:Class; see `jetkit list`")], MISSING),
    (
        "hyperparameters",
        Annotated[dict[str, Any], option("hyperparameters, as model.NAME=VALUE")],
        Field(default_factory=dict),
    ),
    (
        "task",
        Annotated[str, option("task: classify, regress, density, a pretraining method, or yours")],
        "classify",
    ),
    (
        "method",
        Annotated[dict[str, Any], option("options of the task, as task.NAME=VALUE or method.NAME=VALUE")],
        Field(default_factory=dict),
    ),
    ("smoothing", Annotated[float, option("label smoothing of classify", ge=0, lt=1)], 0.0),
    (
        "tokeniser",
        Annotated[str, option("run folder, or model file, of a vq-vae; for mpm with task.target=tokens, and omnijet")],
        "",
    ),
    (
        "parts",
        Annotated[dict[str, str], option("further models that the task uses")],
        Field(default_factory=dict),
    ),
    ("plugins", Annotated[tuple[str, ...], option("files and modules of yours to import first")], ()),
    ("out", Annotated[str, option("run folder to write; default: runs/MODEL")], ""),
    ("seed", Annotated[int, option("seed of weights, order of jets and dropout", ge=0)], 1),
    ("seeds", Annotated[int, option("number of models, with seed, seed + 1, …", ge=1)], 1),
)


def _flat_class() -> type[Any]:
    """Build the dataclass of all options under flat names, required ones first."""
    found: list[tuple[str, Any, Any]] = list(TOP)
    for group, cls in GROUPS.items():
        for one in fields(cls):
            name = OWN_NAMES.get((group, one.name), one.name)
            found.append((name, cls.__annotations__[one.name], one.default))
    required = [(name, kind) for name, kind, default in found if default is MISSING]
    others = [(name, kind, default) for name, kind, default in found if default is not MISSING]
    made = make_dataclass("TrainOptions", [*required, *others], frozen=True, namespace={"__doc__": RunOptions.__doc__})
    made.__module__ = __name__
    checked: type[Any] = dataclass(frozen=True)(made)
    return checked


FlatOptions = _flat_class()
"""Options of a training under flat names, as on the command line and in keyword arguments."""


def nested(values: dict[str, Any], where: str) -> RunOptions:
    """Build the options of a training from values under flat names.

    Raises:
        ConfigError: an unknown name, a missing one, a wrong type or bound.

    Example:
        >>> nested({"model": "pfn", "data": "data/top", "epoch": 3}, "train()")
        Traceback (most recent call last):
        jetkit.config.ConfigError: unknown option 'epoch' in train(); did you mean epochs?
    """
    return nest(build(FlatOptions, values, where))


def nest(given: Any) -> RunOptions:
    """Sort checked flat options into their groups."""
    groups = {
        group: cls(**{one.name: getattr(given, OWN_NAMES.get((group, one.name), one.name)) for one in fields(cls)})
        for group, cls in GROUPS.items()
    }
    method = dict(given.method)
    if given.smoothing:
        method.setdefault("smoothing", given.smoothing)
    parts = dict(given.parts) | ({"tokeniser": given.tokeniser} if given.tokeniser else {})
    return RunOptions(
        model=Choice(given.model, dict(given.hyperparameters)),
        task=Choice(given.task, method),
        parts=parts,
        plugins=given.plugins,
        out=given.out,
        seed=given.seed,
        seeds=given.seeds,
        **groups,
    )


def flat(options: RunOptions) -> dict[str, Any]:
    """Return the values of options under flat names; the inverse of `nested`."""
    found: dict[str, Any] = {
        "model": options.model.name,
        "hyperparameters": options.model.options,
        "task": options.task.name,
        "method": options.task.options,
    }
    found |= {name: getattr(options, name) for name in ("parts", "plugins", "out", "seed", "seeds")}
    for group, cls in GROUPS.items():
        for one in fields(cls):
            found[OWN_NAMES.get((group, one.name), one.name)] = getattr(getattr(options, group), one.name)
    return found


def rebuilt(values: dict[str, Any]) -> RunOptions:
    """Rebuild options from the mapping stored in a run folder, also in the first format.

    Raises:
        ConfigError: the mapping does not hold the options of a training.
    """
    if "optim" in values:
        return build(RunOptions, values, "the run")
    renamed = {("task" if name == "pretext" else name): value for name, value in values.items()}
    if values.get("model") == "part-supervised":
        renamed.setdefault("task", "supervised-attention")
    return nested(renamed, "the run")
