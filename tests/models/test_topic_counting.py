"""Topics that scikit-learn finds, their names, and a training."""

from __future__ import annotations

import json
import runpy
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from sklearn.decomposition import LatentDirichletAllocation
from sklearn.linear_model import LogisticRegression

from jetkit.data.spec import Spec
from jetkit.errors import JetkitError
from jetkit.models.lda import LDA
from jetkit.models.model import FitOptions
from jetkit.models.topic_counting import Page, begin, counted, drawn, find_topics, name_topics
from jetkit.store.model_file import load_model, read_card
from jetkit.testing import random_batch
from jetkit.training.data_parts import split_data
from jetkit.training.recipes import train_options
from jetkit.training.run import train

SPEC = Spec.of(features=(), classes=("one", "two"))
WORDS = 12


def model_of(**values):
    return LDA(SPEC, **{"bins": (2, 2, 2, 1, 1), "rounds": 60} | values)


def written(jets, seed, words=20, pages=4):
    """Pages of jets, those of class 1 mostly of the topic of high words; the topics themselves."""
    random = np.random.default_rng(seed)
    truth = np.stack([np.arange(WORDS, 0, -1.0) ** 3, np.arange(1.0, WORDS + 1) ** 3])
    truth /= truth.sum(1, keepdims=True)
    label = random.permutation(np.arange(jets) % 2)
    share = np.where(label, random.beta(4, 1, jets), random.beta(1, 4, jets))
    topic = (random.random((jets, words)) < share[:, None]).astype(int)
    chosen = (random.random((jets, words, 1)) > truth.cumsum(1)[topic]).sum(-1)
    mask = np.arange(words) < random.integers(words // 2, words + 1, jets)[:, None]
    tensors = [torch.from_numpy(array) for array in (chosen * mask, mask, label, np.ones(jets))]
    return [Page(*parts) for parts in zip(*(tensor.chunk(pages) for tensor in tensors), strict=True)], truth


def batches_of(pages, monkeypatch):
    """Pages as batches of which the words are known."""
    monkeypatch.setattr(LDA, "words", lambda model, batch: (batch.arrays["words"], batch.arrays["real"]))
    return [
        random_batch(SPEC, jets=len(page.label))
        .to(dtype=torch.float32)
        .replace(arrays={"words": page.words, "real": page.mask}, weight=page.weight)
        .with_targets(label=page.label)
        for page in pages
    ]


def found_topics(model):
    return (model.topics.log_words.exp() / model.topics.log_words.exp().sum(1, keepdim=True)).numpy()


def test_two_known_topics_are_found(monkeypatch):
    pages, truth = written(2000, 0, pages=20)
    model, calls = model_of(alpha=0.5, eta=0.1, rounds=20), []
    batches = batches_of(pages, monkeypatch)
    fit = find_topics(model, batches, batches, FitOptions(epochs=6, seed=1), lambda *call: calls.append(call))
    found = found_topics(model)
    np.testing.assert_allclose(found[np.argsort(found @ np.arange(WORDS))], truth, rtol=0, atol=0.03)
    assert (fit.steps, calls[-1]) == (120, (120, 120, "topics"))
    assert fit.log[-1]["lr"] == pytest.approx((10 + 140) ** -0.7)
    fresh = written(1000, 5)[0][0]
    x = model.topics(fresh.words, fresh.mask).log()
    right = model.naming((x - x.mean(1, keepdim=True)).float()).argmax(1) == fresh.label
    assert right.double().mean() > 0.85


def test_the_table_counts_the_words_of_each_jet():
    pages, _ = written(60, 2, pages=3)
    pages = [page._replace(words=3 * page.words) for page in pages]
    met, table = counted(pages)
    assert met.tolist() == list(range(0, 3 * WORDS, 3))
    expected = [
        np.bincount(w[m], minlength=3 * WORDS)[::3]
        for page in pages
        for w, m in zip(page.words.numpy(), page.mask.numpy(), strict=True)
    ]
    assert (table.toarray() == np.stack(expected)).all()
    assert table.has_canonical_format


def test_the_beginning_is_the_likeliest_of_those_tried(monkeypatch):
    _, table = counted(written(200, 3)[0])
    scores, score = [], LatentDirichletAllocation.score
    monkeypatch.setattr(LatentDirichletAllocation, "score", lambda *call: scores.append(score(*call)) or scores[-1])
    first = begin(model_of(), np.array_split(np.arange(200), 4), table, np.random.default_rng(1))
    assert len(scores) == 8
    assert min(scores) < max(scores) - 1
    assert score(first, table) == pytest.approx(max(scores))


def test_jets_are_drawn_by_their_weight():
    random = np.random.default_rng(0)
    assert sorted(drawn(np.full(50, 0.1), random)) == list(range(50))
    weight = np.array([1.0, 3.0, 0.0, 0.5, 0.5])
    times = np.stack([np.bincount(drawn(weight, random), minlength=5) for _ in range(4000)])
    assert (times[:, :3] == [1, 3, 0]).all()
    assert set(times[:, 3]) == {0, 1}
    np.testing.assert_allclose(times.mean(0), weight, atol=0.04)


def test_negative_weights_are_refused(monkeypatch):
    pages = [page._replace(weight=-page.weight) for page in written(60, 4)[0]]
    batches = batches_of(pages, monkeypatch)
    with pytest.raises(JetkitError, match="topics cannot be found in jets of negative weight"):
        model_of().fit(batches, batches, FitOptions(epochs=1))


def test_jets_without_words_are_refused():
    pages = [page._replace(mask=torch.zeros_like(page.mask)) for page in written(60, 4)[0]]
    with pytest.raises(JetkitError, match=r"as heavy as model\.masses asks"):
        counted(pages)


@pytest.mark.parametrize(("classes", "strength"), [(("one", "two"), 2.0), (("one", "two", "three"), 1.0)])
def test_topics_are_named_by_logistic_regression(classes, strength):
    """Of two classes scikit-learn has one vector, the difference of ours, whose prior is twice as wide."""
    torch.manual_seed(0)
    pages, _ = written(400, 6)
    if len(classes) == 3:
        pages = [page._replace(label=torch.where(page.words[:, 0] < 3, 2, page.label)) for page in pages]
    model = LDA(Spec.of(features=(), classes=classes), bins=(2, 2, 2, 1, 1)).double()
    loss = name_topics(model, pages)
    x = torch.cat([model.topics(page.words, page.mask).log() for page in pages])
    x, label = (x - x.mean(1, keepdim=True)), torch.cat([page.label for page in pages])
    peer = LogisticRegression(C=strength, tol=1e-8, max_iter=1000).fit(x.numpy(), label.numpy())
    expected = peer.predict_proba(x.numpy())
    np.testing.assert_allclose(model.naming(x).softmax(1).detach(), expected, rtol=0, atol=1e-4)
    assert loss == pytest.approx(-np.log(expected[np.arange(len(x)), label]).mean(), abs=1e-6)


def test_labels_choose_no_topic(monkeypatch):
    pages, _ = written(200, 7)
    other = [page._replace(label=1 - page.label) for page in pages]
    first, second = model_of(), model_of()
    for model, corpus in ((first, pages), (second, other)):
        batches = batches_of(corpus, monkeypatch)
        model.fit(batches, batches, FitOptions(epochs=1, seed=1))
    assert torch.equal(first.topics.log_words, second.topics.log_words)


@pytest.fixture(scope="module")
def toy(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A dataset of 600 toy jets."""
    write = runpy.run_path(str(Path(__file__).parents[2] / "benchmarks" / "toy_jets.py"))["write_toy_jets"]
    found: Path = write(tmp_path_factory.mktemp("toy"), 600)
    return found


@pytest.fixture(scope="module")
def options(toy: Path) -> Any:
    words = ["features=kin", "batch=64", "epochs=3", "threads=1", "model.bins=[5,4,2,2,2]", "model.masses=[10,200]"]

    def made(out: Any, *more: str) -> Any:
        plain = [f"data={toy}", f"out={out}", *words, *more]
        return train_options("lda", list({word.partition("=")[0]: word for word in plain}.values()))

    return made


def test_a_run_folder_is_as_that_of_other_trainings(options: Any, tmp_path: Any) -> None:
    calls: list[Any] = []
    folder = train(options(tmp_path / "run"), lambda *call: calls.append(call))[0]
    log = [json.loads(line) for line in (folder / "log.jsonl").read_text().splitlines()]
    assert [line["epoch"] for line in log] == [1, 2, 3]
    assert calls[-1] == (24, 24, "topics")
    model, card = load_model(folder / "model.safetensors"), read_card(folder / "model.safetensors")
    assert model.size > 100
    validation = split_data(options("")).validation.batches(batch=64, **card.preprocessing)
    right = torch.cat([model(batch).argmax(1) == batch.label for batch in validation])
    assert right.double().mean().item() == log[-1]["validation"]["accuracy"]


def test_a_finished_run_is_left_alone(options: Any, tmp_path: Any) -> None:
    folder = train(options(tmp_path / "run", "epochs=1"))[0]
    before = (folder / "model.safetensors").stat().st_mtime_ns
    train(options(tmp_path / "run", "epochs=1"))
    assert (folder / "model.safetensors").stat().st_mtime_ns == before
    with pytest.raises(JetkitError, match="holds a training with other options"):
        train(options(tmp_path / "run", "epochs=2"))


def test_training_twice_gives_the_same_bits(options: Any, tmp_path: Any) -> None:
    first, second = (train(options(tmp_path / name, "epochs=1"))[0] for name in ("a", "b"))
    assert (first / "model.safetensors").read_bytes() == (second / "model.safetensors").read_bytes()


def test_class_without_jets_is_named() -> None:
    batch = random_batch(Spec.of(("part_deta",), classes=("one", "two"))).to(dtype=torch.float32)
    same = [batch.with_targets(label=torch.zeros_like(batch.label))]
    with pytest.raises(JetkitError, match="no training jets of two"):
        model_of().fit(same, same, FitOptions(epochs=1))
