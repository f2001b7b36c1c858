"""Pretraining through the loop: the log, exact resume, the model file, a collapse."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from jetkit.config import ConfigError
from jetkit.data.dataset import open_dataset
from jetkit.data.shards import write_shard
from jetkit.data.spec import Spec
from jetkit.errors import JetkitError
from jetkit.models import ParT
from jetkit.progress import STOP
from jetkit.store.model_file import read_model
from jetkit.store.options import RunOptions
from jetkit.store.tensor_file import read_tensors, weights_hash
from jetkit.tasks.health import effective_rank, embedding_std, probe_accuracy
from jetkit.tasks.pretext import Pretext
from jetkit.training.recipes import train_options
from jetkit.training.run import train

SMALL = ("model.width=16", "model.depth=1", "model.heads=2")
PART = ("model.pair_widths=[8]", "model.dropout=0.1")
METHODS = {
    "p-jepa": ("method.width=8", "method.heads=2", "method.depth=1"),
    "jet-clr": ("method.width=8", "length=40"),
    "mpm": ("method.width=8", "method.heads=2", "method.depth=1", "method.target=k-means", "method.clusters=5"),
    "vq-vae": ("model.latent=4", "model.codes=8", "model.replace=3", "clip=1"),
}
Make = Callable[..., RunOptions]


@pytest.fixture
def pretrain(toy: Path, tmp_path: Path) -> Make:
    """Options of a pretraining of two epochs."""

    def options(method: str, *words: str, out: str = "run") -> RunOptions:
        common = [f"data={toy}", f"out={tmp_path / out}", "features=kin", "epochs=2", "batch=64", "lr=1e-3"]
        own = (*SMALL, *(() if method == "vq-vae" else PART), *METHODS[method])
        plain = [*common, "threads=1", "accelerator=cpu", *own, *words]
        return train_options(task=method, words=list({word.partition("=")[0]: word for word in plain}.values()))

    return options


def log_of(folder: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (folder / "log.jsonl").read_text().splitlines()]


@pytest.mark.parametrize("method", sorted(METHODS))
def test_a_killed_pretraining_ends_with_the_same_bits(pretrain: Make, method: str) -> None:
    whole = train(pretrain(method, out="whole"))[0]

    def stop(done: int, total: int, what: str) -> None:
        if what == "train" and done == 11:
            STOP.requested = True

    with pytest.raises(KeyboardInterrupt):
        train(pretrain(method, out="stopped"), stop)
    again = train(pretrain(method, out="stopped"))[0]
    for name in ("model.safetensors", "checkpoint.safetensors"):
        first, second = read_tensors(whole / name)[0], read_tensors(again / name)[0]
        assert first.keys() == second.keys()
        assert all(torch.equal(first[key], second[key]) for key in first), name
    without = [[line | {"seconds": 0} for line in log_of(folder)] for folder in (whole, again)]
    assert without[0] == without[1]


def test_the_log_begins_with_the_untrained_encoder(pretrain: Make) -> None:
    log = log_of(train(pretrain("p-jepa"))[0])
    assert [line["epoch"] for line in log] == [0, 1, 2]
    for line in log:
        assert {"loss", "embedding_std", "effective_rank", "uniformity", "probe"} <= line["validation"].keys()
        assert 1 <= line["validation"]["effective_rank"] <= 16
    assert log[0]["train"] == {}


def test_the_model_file_is_the_backbone_of_the_last_epoch(pretrain: Make) -> None:
    folder = train(pretrain("mpm"))[0]
    model, card = read_model(folder / "model.safetensors")
    assert isinstance(model, ParT)
    assert card.training["options"]["task"]["name"] == "mpm"
    assert card.training["epoch"] == 2
    stored = read_tensors(folder / "checkpoint.safetensors")[0]
    for name, value in model.state_dict().items():
        assert torch.equal(value, stored[f"model.model.{name}"])
    assert read_tensors(folder / "model.safetensors")[0].keys() == {f"model.{name}" for name in model.state_dict()}


def test_a_tokeniser_is_trained_and_its_codes_are_learned(pretrain: Make) -> None:
    folder = train(pretrain("vq-vae", out="tokens"))[0]
    log = log_of(folder)
    for line in log:
        assert {"loss reconstruction", "loss commitment", "perplexity", "used_codes"} <= line["validation"].keys()
    assert 1 <= log[-1]["validation"]["perplexity"] <= log[-1]["validation"]["used_codes"] <= 8
    options = pretrain("mpm", "method.target=tokens", f"tokeniser={folder}")
    card = read_model(train(options)[0] / "model.safetensors")[1]
    assert card.model == "part"
    assert card.parents == [weights_hash(folder / "model.safetensors")]


def test_a_training_is_not_resumed_with_another_tokeniser_of_the_same_name(pretrain: Make, tmp_path: Path) -> None:
    options = pretrain("mpm", "method.target=tokens", f"tokeniser={tmp_path}/tokens", "epochs=1")
    train(pretrain("vq-vae", "epochs=1", out="tokens"))
    train(options)
    for file in (tmp_path / "tokens").iterdir():
        file.unlink()
    train(pretrain("vq-vae", "epochs=1", "seed=2", out="tokens"))
    with pytest.raises(JetkitError, match="a training with other options or data"):
        train(options)


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (("method.target=tokens",), "needs a tokeniser: give tokeniser=RUN"),
        (("method.target=regression", "tokeniser=runs/tokens"), "cannot read runs/tokens"),
    ],
)
def test_a_tokeniser_that_is_absent_is_named(pretrain: Make, words: tuple[str, ...], sentence: str) -> None:
    with pytest.raises(JetkitError, match=sentence):
        train(pretrain("mpm", *words))


def test_a_method_without_a_use_for_a_tokeniser_says_so(pretrain: Make) -> None:
    folder = train(pretrain("vq-vae", "epochs=1", out="tokens"))[0]
    with pytest.raises(JetkitError, match="the task p-jepa has no use for a tokeniser: leave it out"):
        train(pretrain("p-jepa", f"tokeniser={folder}"))


def test_jets_without_labels_will_do(toy: Path, pretrain: Make, tmp_path: Path) -> None:
    dataset = open_dataset(toy)
    kept = [name for name in dataset.columns if name != "jet_label"]
    write_shard(tmp_path / "jets.parquet", dataset.read(kept))
    folder = train(pretrain("p-jepa", f"data={tmp_path}/jets.parquet", "epochs=1"))[0]
    assert "probe" not in log_of(folder)[-1]["validation"]
    assert read_model(folder / "model.safetensors")[1].classes == []


def test_a_collapsed_encoder_stops_with_a_sentence() -> None:
    class Nothing(Pretext):
        def loss(self, batch: Any) -> Any:
            raise NotImplementedError

    spec = Spec.of(("part_deta",), classes=("QCD", "top"))
    task = Nothing(ParT(spec, width=8, depth=1, heads=2), spec)
    task._refuse_collapse(0.8)
    task._refuse_collapse(0.05)
    with pytest.raises(
        JetkitError, match=r"the encoder has collapsed: the spread of its embeddings fell from 0\.8 to 0\.03"
    ):
        task._refuse_collapse(0.03)


def test_health_of_embeddings_that_are_known() -> None:
    torch.manual_seed(0)
    flat = torch.randn(4000, 6, dtype=torch.float64)
    assert effective_rank(flat) == pytest.approx(6, abs=0.02)
    assert effective_rank(flat[:, :1] @ torch.ones(1, 6, dtype=torch.float64)) == pytest.approx(1, abs=1e-6)
    assert effective_rank(torch.ones(5, 3)) == 1
    assert embedding_std(torch.ones(5, 3)) == 0
    label = torch.arange(4000) % 3
    assert abs(probe_accuracy(flat, label) - 1 / 3) < 5 * (2 / 9 / 2000) ** 0.5
    told = flat + 20 * torch.nn.functional.one_hot(label, 6)
    assert probe_accuracy(told, label) == 1


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (("method.colour=3",), "colour"),
        (("model.colour=3",), "colour"),
        (("method.share=[0.5]",), "share"),
        (("model=efn",), "vector for each particle"),
    ],
)
def test_wrong_options_are_named(toy: Path, tmp_path: Path, words: tuple[str, ...], sentence: str) -> None:
    with pytest.raises((ConfigError, JetkitError), match=sentence):
        train(
            train_options(task="p-jepa", words=[f"data={toy}", f"out={tmp_path}/x", "features=kin", "epochs=1", *words])
        )
