"""What a jet costs a model: operations, time and memory, against its particles and the jets of a batch."""

from __future__ import annotations

import copy
import platform
import shlex
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial
from statistics import median

import torch
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

from jetkit.data.batch import Batch
from jetkit.memory import FreedMemory
from jetkit.models.model import MODELS, Encoder, Estimator, Model
from jetkit.progress import Report, silent
from jetkit.registry import entry
from jetkit.reporting.model_cost import Cost, LeftOut, ModelCost, Spent
from jetkit.store.model_file import model_in, read_model
from jetkit.tasks.task import Task
from jetkit.testing import random_batch
from jetkit.training.machine import threads_of
from jetkit.verbs.cost_options import CostOptions
from jetkit.verbs.live_memory import peak_bytes
from jetkit.verbs.results import words_of

WATCHED, MOST = 0.5, 100
"""Seconds that the repetitions of one computation take about, and how many there are at most."""
GIGABYTE = 1e9


def cost_of_file(path: str, options: CostOptions, report: Report = silent) -> ModelCost:
    """What a jet costs the model in a file; no jet has more particles than the model was trained with.

    Raises:
        JetkitError: it is no model file, or a damaged one.
    """
    model, card = read_model(path)
    longest = int(card.preprocessing.get("length", max(options.particles)))
    particles = sorted({min(count, longest) for count in options.particles})
    costs = model_cost(model, particles, options, report)
    learned = sum(weight.numel() * weight.element_size() for weight in model.parameters())
    return ModelCost(
        name=path,
        model=card.model,
        paper=entry(card.model, MODELS).paper,
        parameters=model.size,
        weight_bytes=sum(tensor.numel() * tensor.element_size() for tensor in model.state_dict().values()),
        training_bytes=3 * learned if entry(card.model, MODELS).kind != "estimator" else 0,
        costs=tuple(costs),
        machine=machine(options.threads),
        command=" ".join(
            ["jetkit show", shlex.quote(path), "cost=true", *map(shlex.quote, words_of(options, CostOptions()))]
        ),
    )


def model_cost(
    model: Task | Model,
    particles: Sequence[int],
    options: CostOptions,
    report: Report = silent,
) -> list[Cost]:
    """Costs of random jets of exactly so many particles, for each size of a batch; the model stays as it is.

    A time is the median of repetitions after a warm-up: that of the processor with one thread, so that other programs
    matter little, and that of the clock on the wall with several. Memory is counted (`jetkit.verbs.live_memory`). A
    training step is loss, gradient and AdamW; its memory has neither gradient nor moments of the weights in it, which
    do not grow with the jets. Networks on observables train on those that were computed before. What may need more
    than ``options.memory``, were it to grow like N² from smaller jets, is left out.

    Example:
        >>> from jetkit import Spec
        >>> from jetkit.models import PFN
        >>> from jetkit.tasks.classify import Classify
        >>> spec = Spec.of(("part_deta", "part_dphi"), classes=("QCD", "top"))
        >>> task = Classify(PFN(spec, phi=(8,), f=(8,)), spec)
        >>> first, second = model_cost(task, [4, 8], CostOptions(batches=(2,)))
        >>> first.flops, second.flops, second.inference.seconds > 0
        (288.0, 416.0, True)
    """
    meters, freed = _Meters(model, options), FreedMemory()
    sizes = sorted(set(batches := options.batches))
    costs: list[Cost] = []
    with threads_of(options.threads):
        for count in sorted(set(particles)):
            batch = random_batch(model.spec, jets=max(batches), particles=(count, count)).to(dtype=torch.float32)
            flops: float | None = None
            for jets in sizes:
                report(len(costs), len(particles) * len(sizes), f"{count} particles, batch {jets}")
                some = batch.select(slice(jets))
                inference, training = meters.inference.of(some), meters.training.of(some)
                if flops is None and isinstance(inference, Spent):
                    flops = operations(meters.evaluated, some)
                costs.append(Cost(count, jets, flops, inference, training))
                freed.after_step()
    return costs


@torch.no_grad()
def operations(model: nn.Module, batch: Batch) -> float:
    """Return the floating-point operations a jet in the matrix products, convolutions and attention of a model.

    Counted by torch, with the padding of the batch; clustering and sums are not counted. The model learns no more.
    """
    with FlopCounterMode(display=False) as counter:
        model.requires_grad_(False)(batch)
    return float(counter.get_total_flops()) / len(batch)


def median_seconds(call: Callable[[], object], clock: Callable[[], float]) -> float:
    """Median time of some calls."""
    times: list[float] = []
    while not times or (sum(times) < WATCHED and len(times) < MOST):
        begun = clock()
        call()
        times.append(clock() - begun)
    return median(times)


def machine(threads: int) -> str:
    """Processor and threads, in words."""
    count = "one thread" if threads == 1 else f"{threads} threads"
    return f"{count} of this machine ({platform.system()} {platform.machine()}, torch {torch.__version__})"


@dataclass
class _Meter:
    """Time and memory of a computation on a batch.

    Attributes:
        repeat: what is timed.
        again: the same where memory is counted: it leaves gradients in their place.
        prepare: done to a batch before.
        never: why it is not measured at all, if so.
    """

    repeat: Callable[[Batch], object]
    again: Callable[[Batch], object]
    options: CostOptions
    prepare: Callable[[Batch], Batch] = lambda batch: batch
    never: str = ""
    known: list[tuple[int, int, int]] = field(default_factory=list)
    """Particles, jets and bytes of what was measured before."""

    def of(self, batch: Batch) -> Spent | LeftOut:
        """The cost of a jet of a batch."""
        jets, particles = len(batch), batch.mask.shape[1] if batch.sets else 1
        if self.never:
            return LeftOut(self.never)
        if self.expected(particles, jets) > self.options.memory * GIGABYTE:
            return LeftOut(f"it may need more than {self.options.memory:g} GB")
        batch = self.prepare(batch)
        try:
            if not self.known:
                self.repeat(batch)
            peak = peak_bytes(partial(self.again, batch))
        except ValueError:  # of torch's batch normalisation
            if jets > 1:
                raise
            return LeftOut("batch normalisation needs two jets")
        self.known.append((particles, jets, peak))
        clock = time.process_time if self.options.threads == 1 else time.perf_counter
        return Spent(median_seconds(partial(self.repeat, batch), clock) / jets, peak / jets)

    def expected(self, particles: int, jets: int) -> float:
        """Bytes that a batch needs at most, if memory grows no faster than N² and like the jets."""
        bounds = (
            size * max(1.0, particles / count) ** 2 * max(1.0, jets / before) for count, before, size in self.known
        )
        return min(bounds, default=0.0)


class _Meters:
    """Inference and training of copies of a model."""

    def __init__(self, model: Task | Model, options: CostOptions) -> None:
        self.evaluated = copy.deepcopy(model).eval().requires_grad_(False)
        infer = torch.inference_mode()(self.evaluated)
        self.inference = _Meter(infer, infer, options)
        never = "" if isinstance(model, Task) else "it has no task: adapt it to one"
        if isinstance(model_in(model), Estimator):
            never = "it is fitted in one go"
        if never or not isinstance(model, Task):
            self.training = _Meter(infer, infer, options, never=never)
            return
        self.task = copy.deepcopy(model).requires_grad_(True).train()
        self.optimiser = torch.optim.AdamW(self.task.parameters(), lr=0.0)
        self.training = _Meter(self._step, self._step_on, options, self._as_in_training)

    def _step(self, batch: Batch) -> None:
        self.optimiser.zero_grad()
        self._step_on(batch)

    def _step_on(self, batch: Batch) -> None:
        """A step whose gradient is added to that of the step before."""
        torch.autograd.backward(self.task.loss(batch).total)
        self.optimiser.step()

    @torch.no_grad()
    def _as_in_training(self, batch: Batch) -> Batch:
        """Rows as a training sees them: with what is computed once already computed."""
        model = model_in(self.evaluated)
        if isinstance(model, Encoder) and model.precomputes:
            return batch.replace(sets={}, row=model.precomputed(batch))
        return batch
