"""Topics by counting, against scikit-learn, and a training that finds them."""

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
from jetkit.models.topic_counting import Counting, Page, name_topics
from jetkit.store.model_file import load_model, read_card
from jetkit.testing import random_batch
from jetkit.train.data_parts import split_data
from jetkit.train.recipes import train_options
from jetkit.train.run import train

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


def test_two_known_topics_are_found():
    pages, truth = written(2000, 0, pages=20)
    model = model_of(alpha=0.5, eta=0.1, rounds=20)
    counting = Counting(model, pages, seed=1)
    counting.begin()
    for _ in range(6):
        counting.step_through(lambda done: None)
    counting.tell(model)
    found = (counting.counts / counting.counts.sum(1, keepdim=True)).numpy()
    found = found[np.argsort(found @ np.arange(WORDS))]
    np.testing.assert_allclose(found, truth, rtol=0, atol=0.03)
    name_topics(model, pages)
    fresh = written(1000, 5)[0][0]
    x = model.topics(fresh.words, fresh.mask).log()
    right = model.naming((x - x.mean(1, keepdim=True)).float()).argmax(1) == fresh.label
    assert right.double().mean() > 0.85


def test_steps_are_those_of_scikit_learn():
    pages, _ = written(60, 2, pages=1)
    model = model_of(alpha=0.5, eta=0.3, rounds=400)
    counting = Counting(model, pages, seed=3)
    peer = LatentDirichletAllocation(
        2,
        doc_topic_prior=0.5,
        topic_word_prior=0.3,
        learning_method="online",
        batch_size=60,
        total_samples=60,
        max_doc_update_iter=600,
        mean_change_tol=0.0,
        random_state=0,
    )
    page = pages[0]
    table = np.stack([np.bincount(w[m], minlength=WORDS) for w, m in zip(page.words, page.mask, strict=True)])
    peer.partial_fit(table)
    counting.counts, counting.steps = torch.from_numpy(peer.components_.copy()), peer.n_batch_iter_
    for _ in range(3):
        peer.partial_fit(table)
        counting.step_through(lambda done: None)
    np.testing.assert_allclose(counting.counts, peer.components_, rtol=1e-6)


def test_bound_differs_from_that_of_scikit_learn_by_a_constant():
    pages, _ = written(80, 8, pages=1)
    model = model_of(alpha=0.5, eta=0.3, rounds=400)
    counting = Counting(model, pages, seed=3)
    page = pages[0]
    table = np.stack([np.bincount(w[m], minlength=WORDS) for w, m in zip(page.words, page.mask, strict=True)])
    prior = {"doc_topic_prior": 0.5, "topic_word_prior": 0.3}
    away = []
    for passes in (1, 5):
        peer = LatentDirichletAllocation(
            2, **prior, max_iter=passes, max_doc_update_iter=400, mean_change_tol=0.0, random_state=0
        ).fit(table)
        counting.counts = torch.from_numpy(peer.components_)
        away.append(counting.bound(pages) - peer.score(table))
    assert away[0] == pytest.approx(away[1], abs=1e-4)


def test_weights_multiply_the_words():
    pages, _ = written(60, 4, pages=1)
    doubled = [page._replace(weight=page.weight + (page.label == 1)) for page in pages]
    twice = [Page(*(torch.cat([part, part[page.label == 1]]) for part in page)) for page in pages]
    first, second = (Counting(model_of(eta=1e-9), corpus, seed=1) for corpus in (doubled, twice))
    first.step(first.pages[0])
    second.step(second.pages[0])
    torch.testing.assert_close(first.counts, second.counts)


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


def test_labels_choose_no_topic():
    pages, _ = written(200, 7)
    other = [page._replace(label=1 - page.label) for page in pages]
    first, second = (Counting(model_of(), corpus, seed=1) for corpus in (pages, other))
    for counting in (first, second):
        counting.step_through(lambda done: None)
    assert torch.equal(first.counts, second.counts)


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
