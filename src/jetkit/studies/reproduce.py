"""A published number, the training behind it, and whether ours is on its way there."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic.dataclasses import dataclass as checked_dataclass

from jetkit.config import build, load
from jetkit.data.dataset import open_dataset
from jetkit.errors import JetkitError
from jetkit.evaluation.number import Number
from jetkit.progress import Report, silent
from jetkit.reporting.tagger_page import write_page
from jetkit.store.options import RunOptions, nested, option
from jetkit.studies.simulation import simulated
from jetkit.training.run import train
from jetkit.verbs.results import tagger_result

MARGIN = 1.05
"""More jets than needed, since a random split does not hit a count."""


@checked_dataclass(frozen=True)
class ReproductionCard:
    """A published result.

    Attributes:
        source: title, year, arXiv number and table.
        recipe: of the dataset.
        train_jets: that the published number was trained on.
        epochs: of the published training.
        run: options of the training.
        expected: published accuracy and AUC.
        tolerance: by which ours may differ beyond twice its error; our jets are simulated anew.
    """

    description: str
    source: str
    recipe: str
    train_jets: int
    epochs: int
    run: dict[str, Any]
    expected: dict[Literal["accuracy", "auc"], float]
    tolerance: dict[Literal["accuracy", "auc"], float]


@checked_dataclass(frozen=True)
class ReproduceOptions:
    """How much of the published training to do, and where."""

    budget: Annotated[float, option("share of the published epochs", gt=0, le=1)] = 1.0
    data: Annotated[str, option("folder of a dataset; default: simulate one")] = ""
    test_jets: Annotated[int, option("jets to test on", ge=100)] = 40_000
    validation_jets: Annotated[int, option("jets to choose the best epoch by", ge=100)] = 4_000
    out: Annotated[str, option("folder to write; default: reproduce/NAME")] = ""
    precision: Annotated[Literal["32-true", "bf16-mixed", "16-mixed"], option("of numbers")] = "32-true"
    threads: Annotated[int | None, option("of the training", ge=1)] = None
    workers: Annotated[int, option("processes that simulate", ge=1)] = os.cpu_count() or 1
    seed: Annotated[int, option("of the simulation and the first training", ge=0)] = 1
    seeds: Annotated[int, option("train so many models", ge=1)] = 1


@dataclass(frozen=True)
class Line:
    """One published number beside ours."""

    quantity: str
    published: float
    found: Number
    verdict: str


@dataclass(frozen=True)
class Reproduction:
    """Verdicts on a card, and the page with everything."""

    card: ReproductionCard
    epochs: int
    lines: list[Line] = field(default_factory=list)
    page: Path = Path()


def read_reproduction_card(name: str) -> ReproductionCard:
    """A card that comes with jetkit, or one in a .yaml file.

    Raises:
        ConfigError: there is none, or it is not right.

    Example:
        >>> read_reproduction_card("top-lorentz-net-12110").expected["auc"]
        0.9812
    """
    return build(ReproductionCard, load("cards", name), f"the card {name}")


def reproduce(name: str, options: ReproduceOptions | None = None, report: Report = silent) -> Reproduction:
    """Simulate, train, evaluate and compare with the published number; goes on where it stopped.

    Raises:
        JetkitError: the data given have too few jets.
    """
    options, card = options or ReproduceOptions(), read_reproduction_card(name)
    out = Path(options.out or f"reproduce/{name}")
    total = round(MARGIN * (card.train_jets + options.validation_jets + options.test_jets))
    data = options.data or str(simulated(card.recipe, total, options, out / "data", report))
    epochs = max(1, round(card.epochs * options.budget))
    training = _training(card, options, data, epochs, str(out / "run"))
    train(training, report)
    result = tagger_result(out / "run", report=report)
    first = result.trainings[0].evaluation
    found: Mapping[str, Number] = {"accuracy": first.accuracy, "auc": first.auc}
    lines = [
        Line(
            quantity, value, found[quantity], verdict(found[quantity], value, card.tolerance[quantity], options.budget)
        )
        for quantity, value in card.expected.items()
    ]
    return Reproduction(card, epochs, lines, write_page([result], out / "report"))


def verdict(found: Number, published: float, tolerance: float, budget: float) -> str:
    """Whether a number is on its way to the published one.

    Example:
        >>> verdict(Number(0.930, 0.001, 40000), 0.932, 0.006, budget=0.2)
        'on track'
        >>> verdict(Number(0.900, 0.001, 40000), 0.932, 0.006, budget=0.2)
        'budget too small'
        >>> verdict(Number(0.900, 0.001, 40000), 0.932, 0.006, budget=1.0)
        'off track: below the published number'
    """
    room = tolerance + 2 * (found.error or 0.0)
    if abs(found.value - published) <= room:
        return "on track"
    if found.value > published:
        return "off track: above the published number, look for a leak"
    return "budget too small" if budget < 1 else "off track: below the published number"


def _training(card: ReproductionCard, options: ReproduceOptions, data: str, epochs: int, out: str) -> RunOptions:
    """The published training, on this data, for so many epochs."""

    jets = len(open_dataset(data))
    shares = [count * MARGIN**0.5 / jets for count in (card.train_jets, options.validation_jets, options.test_jets)]
    if sum(shares) > 1:
        raise JetkitError(
            f"{data} has {jets} jets, too few for {card.train_jets} to train on, {options.validation_jets} to validate "
            f"and {options.test_jets} to test: simulate more, or lower test_jets"
        )
    values = {
        "data": data, "out": out, "epochs": epochs, "fractions": [round(share, 4) for share in shares],
        "train_jets": card.train_jets, "precision": options.precision, "threads": options.threads,
        "seed": options.seed, "seeds": options.seeds,
    }  # fmt: skip
    return nested(card.run | values, "the card")
