"""Adapting a pretrained backbone: what is taken over, what is frozen, and what learns how fast."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from jetkit.config import ConfigError
from jetkit.data.spec import Spec
from jetkit.errors import JetkitError
from jetkit.models import ParT
from jetkit.progress import STOP
from jetkit.store.model_file import read_card
from jetkit.store.options import Choice, DataOptions, RunOptions, StartOptions
from jetkit.store.tensor_file import read_tensors, weights_hash
from jetkit.tasks.classify import Classify
from jetkit.training.recipes import train_options
from jetkit.training.run import train
from jetkit.training.start import LowRank, parameter_groups

SMALL = ("model.width=16", "model.depth=2", "model.heads=2", "model.pair_widths=[8]", "model.dropout=0.1")
COMMON = ("batch=64", "threads=1", "accelerator=cpu")
MODES = ("finetune", "freeze", "scratch", "random-freeze")
HEAD = {"heads.label.weight", "heads.label.bias"}
Adapt = Callable[..., RunOptions]


@pytest.fixture(scope="module")
def pretrained(toy: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A backbone after one epoch of P-JEPA."""
    out = tmp_path_factory.mktemp("pretrained") / "run"
    words = [f"data={toy}", f"out={out}", "features=kin", "epochs=1", "lr=1e-3", *SMALL, *COMMON]
    return train(train_options(task="p-jepa", words=[*words, "task.width=8", "task.heads=2", "task.depth=1"]))[0]


@pytest.fixture
def adapt(pretrained: Path, toy: Path, tmp_path: Path) -> Adapt:
    """Options of two epochs into a folder."""

    def options(*words: str, out: str = "adapted") -> RunOptions:
        plain = [f"data={toy}", f"out={tmp_path / out}", "epochs=2", "lr=1e-2", *COMMON, *words]
        return train_options(
            start=str(pretrained), words=list({word.partition("=")[0]: word for word in plain}.values())
        )

    return options


def weights(folder: Path) -> dict[str, torch.Tensor]:
    return read_tensors(folder / "model.safetensors")[0]


def changed(before: Path, after: Path) -> set[str]:
    """Names of learned parameters, not of statistics, that differ, or that one of the two has not."""
    return {name for name in different(before, after) if "running" not in name and "num_batches" not in name}


def different(before: Path, after: Path) -> set[str]:
    """Names of all numbers that differ, or that one of the two has not."""
    first, second = weights(before), weights(after)
    both = first.keys() & second.keys()
    return (first.keys() ^ second.keys()) | {name for name in both if not torch.equal(first[name], second[name])}


def test_a_frozen_backbone_stays_as_it_is_to_the_bit(pretrained: Path, adapt: Adapt) -> None:
    folder = train(adapt("mode=freeze"))[0]
    assert different(pretrained, folder) == HEAD


def test_finetuning_begins_at_the_pretrained_weights_and_moves_all(pretrained: Path, adapt: Adapt) -> None:
    near, far = (train(adapt(f"backbone_rate={rate}", out=str(rate)))[0] for rate in (1e-9, 1.0))
    for name, value in weights(near).items():
        if name not in HEAD and "running" not in name and "num_batches" not in name:
            torch.testing.assert_close(value, weights(pretrained)[name], rtol=0, atol=1e-6)
    assert changed(pretrained, far) == changed(far, pretrained) >= {"heads.label.weight", "model.blocks.0.widen.weight"}


def test_a_fresh_aggregator_keeps_what_makes_the_vectors_of_particles(pretrained: Path, adapt: Adapt) -> None:
    kept, fresh = (train(adapt("lr=1e-9", *words, out=str(words)))[0] for words in ((), ("aggregator=fresh",)))
    other = {
        name for name in changed(kept, fresh) if float((weights(kept)[name] - weights(fresh)[name]).abs().max()) > 1e-3
    }
    assert {name.split(".")[1] for name in other} <= {"class_blocks", "class_token", "final_norm"}
    assert "model.class_token" in other
    assert read_card(fresh / "model.safetensors").parents


@pytest.mark.parametrize("mode", ["finetune", "freeze"])
def test_the_head_is_not_the_one_that_the_pretraining_began_with(pretrained: Path, adapt: Adapt, mode: str) -> None:
    """A head that is made after a model of the same seed is the one that a training from scratch has."""
    assert adapt().seed == train_options(task="p-jepa", data="none").seed
    folder, scratch = (train(adapt(f"mode={way}", "epochs=1", "lr=1e-9", out=way))[0] for way in (mode, "scratch"))
    heads = [weights(one)["heads.label.weight"] for one in (folder, scratch)]
    assert float((heads[0] - heads[1]).abs().mean()) > 0.01


def test_the_file_names_its_parent_but_a_training_from_scratch_has_none(pretrained: Path, adapt: Adapt) -> None:
    cards = [read_card(train(adapt(f"mode={mode}", "epochs=1", out=mode))[0] / "model.safetensors") for mode in MODES]
    assert [card.parents for card in cards] == [[weights_hash(pretrained / "model.safetensors")]] * 2 + [[]] * 2


def test_the_backbone_may_wait_for_the_head(pretrained: Path, adapt: Adapt) -> None:
    waiting = train(adapt("frozen_epochs=1", "epochs=1", "backbone_rate=1", out="waiting"))[0]
    assert changed(pretrained, waiting) == HEAD
    learning = train(adapt("frozen_epochs=1", "epochs=2", "backbone_rate=1", "select=last", out="learning"))[0]
    assert "model.embed.1.weight" in changed(pretrained, learning)


def test_low_rank_changes_have_their_rank_and_the_file_is_a_plain_one(pretrained: Path, adapt: Adapt) -> None:
    folder = train(adapt("lora=2", "backbone_rate=1"))[0]
    before, after = weights(pretrained), weights(folder)
    assert before.keys() == after.keys() - HEAD
    moved = changed(pretrained, folder) - HEAD
    assert "model.blocks.1.attention.project.weight" in moved
    for name in moved:
        assert torch.linalg.matrix_rank((after[name] - before[name]).double(), rtol=1e-4) <= 2, name


def test_a_low_rank_change_begins_as_none() -> None:
    weight = torch.randn(5, 7)
    assert torch.equal(LowRank(weight, 3)(weight), weight)


def test_each_stage_learns_slower_than_the_one_above() -> None:
    spec = Spec.of(("part_deta", "part_dphi"), classes=("QCD", "top"))
    task = Classify(ParT(spec, width=8, depth=2, class_depth=1, heads=2, pair_widths=(4,)), spec)
    model = task.model
    options = RunOptions(DataOptions(""), Choice("part"), start=StartOptions("x", backbone_rate=0.1, layer_decay=0.5))
    factor = {id(weight): group["factor"] for group in parameter_groups(task, options) for weight in group["params"]}
    assert len(factor) == len(list(task.parameters()))
    named = {name.removeprefix("model."): factor[id(weight)] for name, weight in task.named_parameters()}
    wanted = {"head.weight": 1, "class_token": 0.1, "final_norm.bias": 0.1, "class_blocks.0.widen.weight": 0.1}
    wanted |= {"blocks.1.widen.weight": 0.05, "blocks.0.head_scale": 0.025, "embed.1.weight": 0.0125}
    assert {name: named[name] for name in wanted} == pytest.approx(wanted)
    fresh = parameter_groups(task, options.changed(aggregator="fresh"))
    factor = {id(weight): group["factor"] for group in fresh for weight in group["params"]}
    assert {factor[id(weight)] for name, weight in model.named_parameters() if "class_" in name} == {1}
    assert factor[id(model.blocks[1].widen.weight)] == pytest.approx(0.05)


@pytest.mark.parametrize("words", [("mode=freeze",), ("lora=2", "frozen_epochs=1")])
def test_an_interrupted_adaptation_ends_with_the_same_bits(adapt: Adapt, words: tuple[str, ...]) -> None:
    whole = train(adapt(*words, out="whole"))[0]

    def stop(done: int, total: int, what: str) -> None:
        if what == "train" and done == 5:
            STOP.requested = True

    with pytest.raises(KeyboardInterrupt):
        train(adapt(*words, out="stopped"), stop)
    again = train(adapt(*words, out="stopped"))[0]
    first, second = weights(whole), weights(again)
    assert all(torch.equal(first[name], second[name]) for name in first)


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (("features=[part_deta,part_dphi]",), "features"),
        (("model.width=8",), "leave model.NAME=VALUE out"),
        (("lora=2", "aggregator=fresh"), "lora= cannot have a fresh aggregator"),
        (("lora=100",), "no matrix of the model is larger than lora=100"),
        (("mode=thaw",), "mode"),
    ],
)
def test_what_does_not_fit_is_named(adapt: Adapt, words: tuple[Any, ...], sentence: str) -> None:
    with pytest.raises((JetkitError, ConfigError), match=sentence):
        train(adapt(*words))
