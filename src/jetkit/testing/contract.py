"""The contract of models and tasks as one call, which tries a class of yours as jetkit's own tests do."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import torch
from torch import Tensor, nn

import jetkit.models  # noqa: F401 - knows what users' classes may be
from jetkit.data.batch import Batch
from jetkit.data.features import feature_names
from jetkit.data.spec import Spec
from jetkit.models.model import MODELS, Backbone, Encoder, Estimator, FitOptions, Generator, Model
from jetkit.models.pfn import PFN
from jetkit.registry import adapted, entry, entry_of, schema
from jetkit.tasks.task import TASK, Task
from jetkit.testing.random_batch import random_batch
from jetkit.testing.symmetries import assert_invariant

SPEC = Spec.of(feature_names("full"), ("jet_pt", "jet_mass"), ("QCD", "top"))
"""Jets with all features that jetkit knows, and two classes."""
ROUNDING = 1e-9
"""Largest change of an output in double precision that counts as rounding."""


def check(what: Any, spec: Spec | None = None, **options: Any) -> list[str]:
    """Return what was checked of a model or task, all of which holds.

    Encoders: the shape and finiteness of their vectors, equal bits in evaluation, that padding and the other rows of a
    batch change nothing, a gradient for each parameter, equal outputs of a copy with the same weights, and the
    symmetries that they claim. Generators: density and samples. Estimators: a fit. Tasks: loss, prediction and numbers
    to watch.

    Args:
        what: a class, or the name or reference (``file.py:Class``) of one
        spec: of the batches that it is tried on; default: jets with all features and two classes
        options: hyperparameters of the model, or options of the task

    Raises:
        AssertionError: something does not hold; says what.
        ConfigError: an unknown option.

    Example:
        >>> from jetkit.models import PFN
        >>> check(PFN, phi=(8,), f=(8,))[:3]
        ['options', 'vectors', 'equal bits']
    """
    spec = spec or SPEC
    if isinstance(what, str):
        what = entry(what, (*MODELS, TASK)).cls
    cls = adapted(what)
    if not isinstance(cls, type) or not issubclass(cls, Model | Task):
        raise AssertionError(f"{what} should be an Encoder, Generator, Estimator or Task, or a plain torch.nn.Module")
    schema(cls)

    def made() -> Any:
        torch.manual_seed(0)
        return cls(PFN(spec, phi=(8,), f=(8,)), spec, **options) if issubclass(cls, Task) else cls(spec, **options)

    return ["options", *_checked(made, spec)]


def _checked(made: Callable[[], Any], spec: Spec) -> Iterator[str]:
    """Names of the checks, as they are passed."""
    thing, batch = made(), random_batch(spec, jets=8, particles=(2, 25), seed=11)
    if isinstance(thing, Task):
        yield from _task(thing.double(), batch)
        return
    if isinstance(thing, Estimator):
        yield from _estimator(made(), batch.to(dtype=torch.float32))
    if isinstance(thing, Encoder):
        yield from _encoder(made, batch)
    if isinstance(thing, Generator):
        yield from _generator(made(), batch.to(dtype=torch.float32))


def _encoder(made: Callable[[], Any], batch: Batch) -> Iterator[str]:
    model = made().double().eval()
    with torch.no_grad():
        found = model.encode(batch)
        _assert(found.shape == (len(batch), model.encoded), f"encode gives {tuple(found.shape)}, not (B, encoded)")
        _assert(bool(found.isfinite().all()), "encode gives numbers that are not finite")
        for particles in (1, 2):
            few = random_batch(model.spec, jets=3, particles=(particles, particles))
            _assert(bool(model.encode(few).isfinite().all()), f"rows of {particles} objects give NaN or infinity")
        yield "vectors"
        _assert(torch.equal(model.encode(batch), found), "two evaluations of one batch differ")
        yield "equal bits"
        known = entry_of(type(model))
        broken, claimed = (known.broken, known.symmetries) if known is not None else ((), ())
        for change in ("padding", *claimed):
            if change not in broken and batch.sets and not isinstance(model, Estimator):
                assert_invariant(model, batch, change, ROUNDING)
                yield change
        alone = torch.cat([model.encode(batch.select(slice(row, row + 1))) for row in range(len(batch))])
        _assert(_close(alone, found), "the other rows of a batch change a vector, in evaluation")
        yield "other rows"
        again = made().double().eval()
        again.load_state_dict(copy.deepcopy(model.state_dict()))
        _assert(_close(again.encode(batch), found), "a copy with the same weights gives other vectors")
        yield "weights"
        if isinstance(model, Backbone):
            _assert(
                model.tokens(batch).shape == (*batch.mask.shape, model.width),
                "tokens gives another shape than (B, N, width)",
            )
            yield "tokens"
    if not isinstance(model, Estimator):
        yield from _gradients(made().double().train(), batch)


def _gradients(model: Encoder, batch: Batch) -> Iterator[str]:
    """Each parameter that takes part in encoding learns."""
    if not any(weight.requires_grad for weight in model.parameters()):
        return
    idle = {id(weight) for part in model.decoders for weight in part.parameters()}
    found = model.encode(batch)
    direction = torch.randn(found.shape, generator=torch.Generator().manual_seed(1), dtype=found.dtype)
    torch.autograd.backward((found * direction).sum())
    for name, weight in model.named_parameters():
        if id(weight) not in idle and weight.requires_grad:
            _assert(weight.grad is not None, f"{name} gets no gradient")
            assert weight.grad is not None
            _assert(bool(weight.grad.isfinite().all()), f"the gradient of {name} is not finite")
    yield "gradients"


def _generator(model: Generator, batch: Batch) -> Iterator[str]:
    model.begin([batch])
    dense = type(model).log_prob is not Generator.log_prob
    if dense or type(model).loss is not Generator.loss:
        _assert(bool(model.loss(batch).isfinite()), "the loss is not finite")
        yield "loss"
    if dense:
        found = model.log_prob(batch)
        _assert(found.shape == (len(batch),), f"log_prob gives {tuple(found.shape)}, not (B,)")
        _assert(bool(found.isfinite().all()), "log_prob gives numbers that are not finite")
        yield "density"
    drawn = model.eval().sample(batch.select(slice(3)), 3, longest=8, steps=2)
    _assert(isinstance(drawn, Batch) and len(drawn) == 3, "sample does not give a Batch of as many rows as asked for")
    yield "samples"


def _estimator(model: Estimator, batch: Batch) -> Iterator[str]:
    many = [random_batch(model.spec, jets=60, seed=seed).to(dtype=torch.float32) for seed in (2, 3)]
    fit = model.fit(many, many[:1], FitOptions())
    _assert(bool(fit.log), "fit leaves no line in the log")
    _assert(bool(model.eval().encode(batch).isfinite().all()), "the fitted model gives numbers that are not finite")
    yield "fit"


def _task(task: Task, batch: Batch) -> Iterator[str]:
    task.prepare([batch])
    losses = task.train().loss(batch)
    _assert(losses.total.ndim == 0 and bool(losses.total.isfinite()), "the loss is no finite number")
    torch.autograd.backward(losses.total)
    learned = [weight.grad for weight in task.parameters() if weight.grad is not None]
    _assert(any(bool(gradient.any()) for gradient in learned), "nothing learns from the loss")
    yield "loss"
    with torch.no_grad():
        found: Mapping[str, Tensor] = task.eval().predict(batch)
        _assert(isinstance(found, Mapping) and bool(found), "predict gives no mapping of names to tensors")
        yield "prediction"
        numbers = task.watch([(batch, found)])
    missing = [name for name in task.metrics if name not in numbers]
    _assert(not missing, f"watch gives no {', '.join(missing)}, which metrics names")
    yield "numbers"
    for name, head in task.heads.items():
        _assert(isinstance(head, nn.Module), f"the head {name} is no module")
    yield "heads"


def _close(first: Tensor, second: Tensor) -> bool:
    return bool((first - second).abs().max() <= ROUNDING * max(1.0, float(second.abs().max())))


def _assert(holds: bool, sentence: str) -> None:
    if not holds:
        raise AssertionError(sentence)
