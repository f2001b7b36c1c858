"""Which changes of a jet a model notices: permutation, padding, infrared and collinear, Lorentz."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, Any

from jaxtyping import Float
from pydantic import BeforeValidator, Field
from pydantic.dataclasses import dataclass as checked_dataclass
from torch import Tensor, nn

from jetkit.data.batch import Batch
from jetkit.data.dataset import open_dataset
from jetkit.data.kinematics import with_features
from jetkit.errors import JetkitError
from jetkit.models.model import MODELS
from jetkit.registry import entry
from jetkit.store.model_file import ModelCard, model_path, read_model
from jetkit.store.options import option
from jetkit.tasks.task import Task
from jetkit.testing import SYMMETRIES, change_of_output, random_batch

GROUPS = {"irc": ("soft", "collinear"), **{name: (name,) for name in SYMMETRIES}}
"""Name of a test → changes of a jet that must leave the logits alone."""
WITHOUT_MOMENTA = ("permutation", "padding")
"""Tests of models whose objects have no momenta, unless others are asked for."""
ALWAYS = ("padding",)
"""What every model has to pass, unless it says that it does not."""


def _split(value: Any) -> Any:
    """Names of a list, or of words with commas between them."""
    names = value.split(",") if isinstance(value, str) else value
    return tuple(str(name).strip() for name in names) if isinstance(names, list) else names


@checked_dataclass(frozen=True)
class ExamineOptions:
    """Which tests, on which jets."""

    test: Annotated[tuple[str, ...], BeforeValidator(_split), option(f"of {', '.join(GROUPS)}")] = tuple(GROUPS)
    data: Annotated[str, option("dataset whose jets are changed; default: random jets of 10 to 40 particles")] = ""
    jets: Annotated[int, option("how many", ge=1)] = 64
    tolerance: Annotated[float, Field(gt=0), option("largest change of a logit that counts as rounding")] = 1e-9
    seed: Annotated[int, option("of the jets and of their changes", ge=0)] = 0

    def __post_init__(self) -> None:
        unknown = [name for name in self.test if name not in GROUPS]
        if unknown or not self.test:
            raise JetkitError(f"unknown test {', '.join(unknown) or 'none'}: choose of {', '.join(GROUPS)}")


@dataclass(frozen=True)
class Finding:
    """What one change of the jets does to the logits.

    Example:
        >>> Finding("soft", size=3e-12, tolerance=1e-9, claimed=True).passed
        True
    """

    change: str
    size: float
    """Largest change of a logit, in double precision."""
    tolerance: float
    claimed: bool
    """Whether the model says that it does not notice."""

    @property
    def passed(self) -> bool:
        """Whether nothing but rounding is left."""
        return self.size <= self.tolerance


def examine(
    model: nn.Module, batch: Batch, changes: Sequence[str], *, claims: Sequence[str] = (), tolerance: float = 1e-9,
    seed: int = 0,
) -> list[Finding]:  # fmt: skip
    """The exam of any module with a ``spec`` that turns batches into logits, also one that jetkit does not know.

    Raises:
        JetkitError: an unknown change.

    Example:
        >>> from jetkit import Spec
        >>> from jetkit.models import EFN
        >>> spec = Spec.of(("part_deta", "part_dphi"), classes=("QCD", "top"))
        >>> [finding.passed for finding in examine(EFN(spec), random_batch(spec), ["soft", "collinear", "lorentz"])]
        [True, True, False]
    """
    return [
        Finding(change, change_of_output(model, batch, change, seed), tolerance, change in claims) for change in changes
    ]


def examine_file(path: str | os.PathLike[str], options: ExamineOptions) -> tuple[ModelCard, list[Finding]]:
    """The exam of a model file, or of the model in a run folder.

    Raises:
        JetkitError: the file cannot be read, its model sees plain tables, or the data lack what it needs.
    """
    model, card = read_model(model_path(path))
    if not model.spec.sets:
        raise JetkitError(f"{path} sees plain tables, which have no objects to change: examine another model")
    if options.data:
        batches = open_dataset(options.data).batches(batch=options.jets, seed=options.seed, **card.preprocessing)
        batch = next(iter(batches))
        batch = batch if batch.p4 is None else with_features(batch, model.spec)
    else:
        batch = random_batch(model.spec, jets=options.jets, particles=(10, 40), seed=options.seed)
    known = entry(card.model, MODELS)
    claims = {*known.symmetries, *ALWAYS} - set(known.broken)
    groups = options.test
    if batch.p4 is None and groups == tuple(GROUPS):
        groups = WITHOUT_MOMENTA
    changes = list(dict.fromkeys(change for name in groups for change in GROUPS[name]))
    answers = _Answers(model) if isinstance(model, Task) else model
    found = examine(answers, batch, changes, claims=sorted(claims), tolerance=options.tolerance, seed=options.seed)
    return card, found


class _Answers(nn.Module):
    """A task as a module that gives its answers."""

    def __init__(self, task: Task) -> None:
        super().__init__()
        self.task, self.spec = task, task.spec

    def forward(self, batch: Batch) -> Float[Tensor, "B A"]:
        """Return the answers."""
        return self.task.answers(batch)
