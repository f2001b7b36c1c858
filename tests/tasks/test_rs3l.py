"""RS3L: the loss is that of pairs of twins whose value is known, and it brings them together."""

from __future__ import annotations

import math
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from jetkit.data.batch import Batch, Index
from jetkit.data.features import FEATURE_SETS
from jetkit.data.spec import Spec
from jetkit.errors import JetkitError
from jetkit.models import ParT
from jetkit.registry import create
from jetkit.tasks.health import probe_accuracy, uniformity
from jetkit.tasks.rs3l import RS3L
from jetkit.testing import random_batch

SPEC = Spec.of(tuple(feature.name for feature in FEATURE_SETS["kin"]), classes=("QCD", "top"))


@pytest.fixture(autouse=True)
def _seed() -> None:
    torch.manual_seed(6)


def task_of(**options: Any) -> RS3L:
    task: RS3L = create("rs3l", (ParT(SPEC, width=16, depth=1, heads=2, dropout=0.0), SPEC), options, kind="task")
    return task


def twins(pairs: int) -> Batch:
    """Each jet twice, of the second time with other features by a little."""
    batch = random_batch(SPEC, jets=pairs, particles=(4, 20), seed=8).to(dtype=torch.float32)
    both = batch.select(torch.arange(pairs).repeat_interleave(2))
    moved = torch.arange(2 * pairs)[:, None, None] % 2 * 0.3 * torch.randn_like(both.x) * both.mask.unsqueeze(2)
    return both.with_cloud(x=both.x + moved).replace(index=Index(pair=torch.arange(pairs).repeat_interleave(2)))


def told(z: Tensor) -> tuple[RS3L, Batch]:
    """A task whose vectors of the jets are z, and the jets."""
    task, batch = task_of(), twins(len(z) // 2)
    task.model.encode = lambda batch: z  # type: ignore[method-assign]
    task.project = nn.Identity()  # type: ignore[assignment]
    return task, batch


@pytest.mark.parametrize("pairs", [2, 4, 128])
def test_the_loss_of_orthogonal_pairs_is_known(pairs: int) -> None:
    task, batch = told(torch.eye(pairs).repeat_interleave(2, 0))
    found = task.loss(batch)
    assert found.total.item() == pytest.approx(math.log1p((2 * pairs - 2) * math.exp(-10)), rel=1e-3)
    assert found.parts["alignment"].item() == 0


@pytest.mark.parametrize("pairs", [2, 4, 128])
def test_the_loss_of_a_collapsed_encoder_is_known(pairs: int) -> None:
    task, batch = told(torch.ones(2 * pairs, 8))
    assert task.loss(batch).total.item() == pytest.approx(math.log(2 * pairs - 1), abs=1e-5)


def test_pairs_that_point_apart_have_the_worst_alignment() -> None:
    task, batch = told(torch.eye(4).repeat_interleave(2, 0) * torch.tensor([1.0, -1.0]).repeat(4)[:, None])
    assert task.loss(batch).parts["alignment"].item() == pytest.approx(4)


def test_a_lone_pair_has_nothing_to_be_told_from() -> None:
    assert task_of().eval().loss(twins(1)).total.item() == pytest.approx(0, abs=1e-6)


def test_which_twin_comes_first_does_not_matter() -> None:
    task, batch = task_of().eval(), twins(6)
    swapped = torch.arange(12).view(6, 2).flip(1).flatten()
    assert task.loss(batch.select(swapped)).total.item() == pytest.approx(task.loss(batch).total.item(), rel=1e-5)


def test_vectors_have_eight_numbers() -> None:
    assert task_of().project[-1].out_features == 8
    assert task_of(width=3).project[-1].out_features == 3


@pytest.mark.parametrize("pair", [None, [0, 1, 1, 0], [0, 0, 1]])
def test_jets_that_are_no_twins_are_refused(pair: list[int] | None) -> None:
    batch = random_batch(SPEC, jets=4 if pair is None else len(pair)).to(dtype=torch.float32)
    index = Index(pair=None if pair is None else torch.tensor(pair))
    with pytest.raises(JetkitError, match="rs3l learns from pairs of twins"):
        task_of().loss(batch.replace(index=index))


def test_a_temperature_of_nothing_is_refused() -> None:
    with pytest.raises(JetkitError, match="rs3l needs temperature > 0, got 0"):
        task_of(temperature=0.0)


def test_the_health_is_that_of_one_jet_of_each_pair() -> None:
    """A probe that is fitted on one twin and tested on the other would know the answer."""
    embedding = torch.randn(20, 30, dtype=torch.float64).repeat_interleave(2, 0)
    batch = twins(20).with_targets(label=(torch.arange(20) // 2 % 2).repeat_interleave(2))
    assert probe_accuracy(embedding, batch.label) == 1
    numbers = task_of().watch([(batch, {"loss": torch.zeros(()), "embedding": embedding})])
    assert numbers["probe"] < 0.9
    assert numbers["uniformity"] == uniformity(embedding[::2])


def test_twins_can_be_brought_together() -> None:
    task, batch = task_of(hidden=16), twins(24)
    optimiser = torch.optim.Adam(task.parameters(), lr=3e-3)
    losses, apart = [], []
    for _ in range(40):
        optimiser.zero_grad()
        found = task.train().loss(batch)
        found.total.backward()
        optimiser.step()
        losses.append(found.parts["contrast"].item())
        apart.append(found.parts["alignment"].item())
    assert sum(losses[-5:]) < 0.8 * sum(losses[:5])
    assert all(math.isfinite(value) for value in apart)
