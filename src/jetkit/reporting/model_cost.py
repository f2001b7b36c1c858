"""What a jet costs a model, by its number of particles and the jets of a batch."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

Quantity = Callable[["Cost"], float | None]


@dataclass(frozen=True)
class Spent:
    """Time and memory of a batch over its jets.

    Attributes:
        seconds: of computing, the median of repetitions.
        bytes: the most that the tensors of the computation need at one time, without weights, gradient and optimiser.
    """

    seconds: float
    bytes: float


@dataclass(frozen=True)
class LeftOut:
    """Why nothing was measured."""

    reason: str


@dataclass(frozen=True)
class Cost:
    """What a jet of so many particles costs in a batch of so many jets.

    Attributes:
        flops: floating-point operations of the inference in matrix products, convolutions and attention.
        training: a step: loss, gradient, optimiser.
    """

    particles: int
    batch: int
    flops: float | None
    inference: Spent | LeftOut
    training: Spent | LeftOut


@dataclass(frozen=True)
class ModelCost:
    """What the page shows.

    Attributes:
        paper: title, year, arXiv number.
        parameters: how many numbers training sets.
        weight_bytes: of all tensors in the model file.
        training_bytes: of the gradient and of both moments of the optimiser.
        machine: processor and threads, in words.
        command: that measures it again.
    """

    name: str
    model: str
    paper: str
    parameters: int
    weight_bytes: int
    training_bytes: int
    costs: tuple[Cost, ...]
    machine: str
    command: str


@dataclass(frozen=True)
class Growth:
    """A quantity grows like particles^exponent between two numbers of particles, in batches of so many jets.

    Example:
        >>> print(Growth(1.94, (64, 128), 32))
        N^1.9
    """

    exponent: float
    between: tuple[int, int]
    batch: int

    def __str__(self) -> str:
        return f"N^{self.exponent:.1f}"


QUANTITIES: dict[str, Quantity] = {
    "operations": lambda cost: cost.flops,
    "time of inference": lambda cost: spent(cost.inference, "seconds"),
    "memory of inference": lambda cost: spent(cost.inference, "bytes"),
    "time of a training step": lambda cost: spent(cost.training, "seconds"),
    "memory of a training step": lambda cost: spent(cost.training, "bytes"),
}
"""Name → number of a cost, None where it was left out."""


def spent(one: Spent | LeftOut, what: str) -> float | None:
    """Seconds or bytes, None where nothing was measured."""
    return None if isinstance(one, LeftOut) else float(getattr(one, what))


def curve(costs: Iterable[Cost], quantity: Quantity, batch: int) -> dict[int, float]:
    """Particles → a quantity, for the batches of one size, where it is known and not zero."""
    found = {cost.particles: quantity(cost) for cost in costs if cost.batch == batch}
    return {particles: value for particles, value in sorted(found.items()) if value}


def growth(costs: Sequence[Cost], quantity: Quantity) -> Growth | None:
    """d ln y/d ln N between the two largest N that are known of one batch; None where no batch has two.

    Of the batches that reach the largest N the largest counts, and single jets only where there is nothing else: most
    of their time goes into what does not depend on N, such as the optimiser.

    Example:
        >>> spent = {n: Spent(seconds=1e-6 * n**2, bytes=10.0 * n) for n in (8, 16, 32)}
        >>> costs = [Cost(n, 1, None, spent[n], LeftOut("it learns by boosting")) for n in spent]
        >>> growth(costs, QUANTITIES["time of inference"])
        Growth(exponent=2.0, between=(16, 32), batch=1)
        >>> growth(costs, QUANTITIES["time of a training step"])
    """
    curves = {batch: curve(costs, quantity, batch) for batch in {cost.batch for cost in costs}}
    long = {batch: values for batch, values in curves.items() if len(values) > 1}
    if not long:
        return None
    batch = max(long, key=lambda batch: (batch > 1, max(long[batch]), batch))
    (small, before), (large, after) = list(long[batch].items())[-2:]
    return Growth(math.log(after / before) / math.log(large / small), (small, large), batch)


def omissions(costs: Sequence[Cost]) -> list[str]:
    """What was left out, and why, a sentence for each reason.

    Example:
        >>> omissions([Cost(64, batch, 1.0, Spent(1.0, 1.0), LeftOut("it learns by boosting")) for batch in (1, 32)])
        ['Training is left out: it learns by boosting.']
    """
    sentences = []
    for name in ("inference", "training"):
        places: dict[str, list[str]] = {}
        for cost in costs:
            one = getattr(cost, name)
            if isinstance(one, LeftOut):
                places.setdefault(one.reason, []).append(f"{cost.particles} × {cost.batch}")
        for reason, where in places.items():
            of = "" if len(where) == len(costs) else f" of {', '.join(where)} (particles × jets of a batch)"
            sentences.append(f"{name.capitalize()}{of} is left out: {reason}.")
    return sentences


def metric(value: float, unit: str) -> str:
    """A number with its unit and the prefix of a thousand.

    Example:
        >>> metric(3.42e-5, "s"), metric(1.2e7, "B"), metric(0.9996, "s")
        ('34 µs', '12 MB', '1.0 s')
    """
    prefixes = {-3: "n", -2: "µ", -1: "m", 0: "", 1: "k", 2: "M", 3: "G", 4: "T"}
    thousands = math.floor(math.log10(float(f"{value:.2e}"))) // 3 if value else 0
    thousands = min(max(thousands, -3), 4)
    number = value / 1000.0**thousands
    return f"{number:.{1 if number < 9.95 else 0}f} {prefixes[thousands]}{unit}".rstrip()
