"""The loss of an attention that is told the origins of particles, and a training with it."""

from __future__ import annotations

import json
import math
import runpy
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

from jetkit.data.batch import Batch
from jetkit.data.card import Card, write_card
from jetkit.data.shards import write_shard
from jetkit.data.spec import Spec
from jetkit.errors import JetkitError
from jetkit.models.part_supervised import ParTSupervised
from jetkit.tasks.classify import Classify
from jetkit.tasks.supervised_attention import SupervisedAttention, attention_cross_entropy
from jetkit.testing import random_batch
from jetkit.training.recipes import train_options
from jetkit.training.run import train

SPEC = Spec.of(("part_pt_log", "part_deta", "part_dphi"), classes=("QCD", "top"))
TINY = {"width": 16, "depth": 2, "heads": 2, "pair_widths": (8,), "dropout": 0.1, "supervised_block": 1}


def task(**options) -> SupervisedAttention:
    torch.manual_seed(4)
    return SupervisedAttention(ParTSupervised(SPEC, **(TINY | options)), SPEC).double()


@pytest.fixture
def batch() -> Batch:
    jets = random_batch(SPEC, jets=12, particles=(1, 9), seed=8)
    origin = torch.randint(-1, 3, jets.mask.shape, generator=torch.Generator().manual_seed(2))
    return jets.with_cloud(targets={"part_origin": origin}).replace(weight=torch.arange(1.0, 13.0, dtype=torch.float64))


def test_the_loss_of_a_jet_is_the_mean_over_its_particles_of_known_origin() -> None:
    attention = torch.tensor([[[0.5, 0.2, 0.2, 0.1], [0.1, 0.6, 0.2, 0.1], [0.3, 0.3, 0.3, 0.1], [0.25] * 4]])
    expected = -((math.log(0.5) + math.log(0.2)) / 2 + math.log(0.6) + (math.log(0.3) + math.log(0.3)) / 2) / 3
    mask = torch.ones(1, 4, dtype=torch.bool)
    each, known = attention_cross_entropy(attention.log(), torch.tensor([[5, 0, 5, -1]]), mask)
    assert (each.item(), known.item()) == (pytest.approx(expected), True)


def test_the_least_loss_is_that_of_even_looks_at_particles_of_the_same_origin() -> None:
    even = torch.tensor([[[0.5, 0.0, 0.5], [0.0, 1.0, 0.0], [0.5, 0.0, 0.5]]])
    each, _ = attention_cross_entropy(even.log(), torch.tensor([[2, 1, 2]]), torch.ones(1, 3, dtype=torch.bool))
    assert each.item() == pytest.approx(2 * math.log(2) / 3)


def test_jets_without_origins_give_no_loss_and_no_gradient() -> None:
    log_attention = torch.zeros(1, 3, 3, requires_grad=True)
    each, known = attention_cross_entropy(log_attention, -torch.ones(1, 3), torch.ones(1, 3, dtype=torch.bool))
    each.sum().backward()
    assert (each.item(), known.item(), log_attention.grad.any().item()) == (0, False, False)


def test_the_total_is_that_of_the_classes_and_the_weighted_mean_over_jets_with_origins(batch) -> None:
    own = task(supervision=0.3).eval()
    origin = batch.cloud.targets["part_origin"].index_fill(0, torch.tensor([3]), -1)
    batch = batch.with_cloud(targets={"part_origin": origin})
    losses = own.loss(batch)
    each, known = attention_cross_entropy(own.model.with_attention(batch)[1], origin, batch.mask)
    assert not known[3]
    expected = (each * batch.weight)[known].sum() / batch.weight[known].sum()
    assert losses.parts["attention"].item() == pytest.approx(expected.item())
    twin = Classify(own.model, SPEC)
    twin.head = own.head
    assert losses.parts["cross_entropy"].item() == twin.loss(batch).total.item()
    assert losses.total.item() == pytest.approx(losses.parts["cross_entropy"].item() + 0.3 * expected.item())


def test_origins_of_padded_places_are_not_read(batch) -> None:
    own = task().eval()
    filled = batch.cloud.targets["part_origin"].masked_fill(~batch.mask, 1)
    changed = batch.with_cloud(targets={"part_origin": filled})
    assert (filled != batch.cloud.targets["part_origin"]).any()
    assert torch.equal(own.loss(changed).total, own.loss(batch).total)


def test_the_attention_alone_trains_queries_and_keys(batch) -> None:
    own = task(supervision=1.0)
    losses = own.loss(batch)
    (losses.total - own.cross_entropy(own.logits(batch), batch)).backward()
    q, k, _ = own.model.blocks[1].attention.project.weight.grad.chunk(3)
    assert q[:8].any()
    assert k[:8].any()


def test_a_batch_without_origins_is_refused(batch) -> None:
    with pytest.raises(JetkitError, match=r"make the batches with targets=\('part_origin',\)"):
        task().loss(batch.with_cloud(targets={}))


@pytest.fixture(scope="module")
def toy_jets() -> dict[str, Any]:
    return runpy.run_path(str(Path(__file__).parents[2] / "benchmarks" / "toy_jets.py"))


@pytest.fixture(scope="module")
def toy(toy_jets, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Toy jets whose particles come from the left or the right of the axis, or from nowhere known."""
    folder = tmp_path_factory.mktemp("toy") / "data"
    folder.mkdir()
    columns = toy_jets["toy_columns"](500, 1)
    deta, offsets = columns["part_deta"]
    origin = np.where(np.abs(deta) < 0.02, -1, deta > 0).astype(np.int32)
    shard = write_shard(folder / "0.parquet", columns | {"part_origin": (origin, offsets)})
    write_card(folder, Card("toy", classes=["narrow", "wide"]).with_shards([shard], complete=True))
    return folder


def trained(
    toy: Path, out: Path, model: str, *words: str, epochs: int = 3
) -> tuple[dict[str, torch.Tensor], list[dict]]:
    """Weights and log of a tiny training."""
    hyperparameters = ["width=16", "depth=2", "heads=2", "pair_widths=[8]", "dropout=0.1", *words]
    options = ["features=kin", "batch=64", f"epochs={epochs}", "threads=1", "accelerator=cpu", "lr=1e-2", f"data={toy}"]
    named = [f"model.{word}" for word in hyperparameters]
    folder = train(train_options(model, [*options, *named, f"out={out}"]))[0]
    log = [json.loads(line) for line in (folder / "log.jsonl").read_text().splitlines()]
    return load_file(folder / "model.safetensors"), [line | {"seconds": 0} for line in log]


def test_a_training_of_weight_0_is_that_of_the_particle_transformer_to_the_bit(toy, tmp_path) -> None:
    weights, log = trained(toy, tmp_path / "part", "part")
    ours, our_log = trained(toy, tmp_path / "ours", "part-supervised", "supervised_block=1", "supervision=0")
    assert our_log == log
    assert ours.keys() == weights.keys()
    assert all(torch.equal(ours[name], weights[name]) for name in weights)


def test_a_training_lowers_the_attention_loss(toy, tmp_path) -> None:
    _, log = trained(toy, tmp_path / "ours", "part-supervised", "supervised_block=1", "supervision=1.0", epochs=6)
    losses = [line["train"]["attention"] for line in log]
    assert losses[:5] == sorted(losses[:5], reverse=True)  # the last epoch has a learning rate of almost 0
    assert losses[-1] < losses[0] - 0.1


def test_data_without_origins_are_refused(toy_jets, tmp_path) -> None:
    data = toy_jets["write_toy_jets"](tmp_path / "plain", 400)
    with pytest.raises(JetkitError, match="the dataset has no column part_origin"):
        trained(data, tmp_path / "out", "part-supervised", "supervised_block=1")
