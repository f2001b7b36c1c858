"""Boosting against scikit-learn, and what is kept of it."""

from __future__ import annotations

import tomllib
from importlib.metadata import version
from pathlib import Path

import numpy as np
import pytest
import torch
from packaging.requirements import Requirement
from packaging.version import Version
from sklearn.ensemble import HistGradientBoostingClassifier
from torch.nn import functional as F

from jetkit.data.batch import Batch
from jetkit.data.spec import Spec
from jetkit.errors import JetkitError
from jetkit.models.boosting import fill
from jetkit.models.model import FitOptions
from jetkit.models.observables_bdt import ObservablesBDT
from jetkit.nn.trees import Trees
from jetkit.store.model_file import ModelCard, load_model, save_model
from jetkit.tasks.classify import Classify

SPEC = Spec.of(features=("part_charge",), classes=("one", "two", "three"))
BINARY = Spec.of(features=("part_charge",), classes=("one", "two"))


def jets(count, classes, seed):
    """Batches of jets whose classes overlap in width and multiplicity."""
    random = np.random.default_rng(seed)
    label = random.permutation(np.arange(count) % classes)
    mask = np.arange(12) < random.integers(4, 9 + label)[:, None]
    pt = random.exponential(30, mask.shape) + 1
    y, phi = (random.normal(0, 0.1 * (1 + label[:, None]), mask.shape) for _ in range(2))
    p4 = np.stack([pt * np.cosh(y), pt * np.cos(phi), pt * np.sin(phi), pt * np.sinh(y)], -1) * mask[..., None]
    charge = random.integers(-1, 2, (*mask.shape, 1)) * mask[..., None]
    batch = Batch.of(
        x=torch.from_numpy(charge).float(),
        mask=torch.from_numpy(mask),
        p4=torch.from_numpy(p4).float(),
        label=torch.from_numpy(label),
    )
    return [batch.select(slice(start, start + 100)) for start in range(0, count, 100)]


def trained(spec, *, batches=None, report=lambda done, total, what: None, **values):
    model = ObservablesBDT(spec, trees=15, leaves=6)
    train = batches or jets(600, len(spec.classes), 0)
    options = FitOptions(**{"select": "loss", "threads": 1} | values)
    return model, model.fit(train, jets(300, len(spec.classes), 1), options, report)


def mean_loss(model, batches):
    losses = [F.cross_entropy(model(batch), batch.label, reduction="none") for batch in batches]
    return torch.cat(losses).mean().item()


@pytest.mark.parametrize("classes", [2, 3])
def test_probabilities_are_those_of_scikit_learn(classes):
    random = np.random.default_rng(3)
    x = random.normal(size=(800, 5)).astype(np.float32)
    label = np.digitize(x[:, 0] * x[:, 1] + random.normal(0, 0.3, 800), [-0.3, 0.3][: classes - 1])
    classifier = HistGradientBoostingClassifier(max_iter=30, max_leaf_nodes=9, early_stopping=False)
    classifier.fit(x, label, sample_weight=random.uniform(0.5, 2, 800))
    model = ObservablesBDT(SPEC if classes == 3 else BINARY, trees=30, leaves=9)
    fill(model.trees, classifier, 30)
    model.observables = lambda batch: torch.from_numpy(x)
    found = model(None).double().softmax(1)
    np.testing.assert_allclose(found, classifier.predict_proba(x), rtol=0, atol=1e-6)


def test_scikit_learn_keeps_its_trees_where_they_are_copied_from():
    """`fill` reads private attributes, for want of public ones."""
    x = np.random.default_rng(5).normal(size=(100, 2))
    classifier = HistGradientBoostingClassifier(max_iter=2).fit(x, (x[:, 0] > 0).astype(int))
    said = f"scikit-learn {version('scikit-learn')} has no {{}} any more: mend boosting.fill, then raise the bound"
    for name in ("_predictors", "_baseline_prediction"):
        assert hasattr(classifier, name), said.format(name)
    read = {"is_leaf", "feature_idx", "num_threshold", "left", "right", "value"}
    lost = read - set(classifier._predictors[0][0].nodes.dtype.names)
    assert not lost, said.format(f"{sorted(lost)} in its nodes")


def test_scikit_learn_is_bounded_by_the_next_minor_version():
    """Another one may lay out its trees in another way: see the test above."""
    project = tomllib.loads((Path(__file__).parents[2] / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    train = map(Requirement, project["optional-dependencies"]["train"])
    bound = next(one.specifier for one in train if one.name == "scikit-learn")
    tested = Version(version("scikit-learn"))
    assert bound.contains(tested)
    assert not bound.contains(f"{tested.major}.{tested.minor + 1}")


def test_only_the_first_rounds_are_kept():
    x = np.random.default_rng(4).normal(size=(300, 2)).astype(np.float32)
    classifier = HistGradientBoostingClassifier(max_iter=20, max_leaf_nodes=5, early_stopping=False)
    classifier.fit(x, (x[:, 0] > 0.2).astype(int))
    trees = Trees(rounds=20, leaves=5, outputs=1)
    fill(trees, classifier, 20)
    fill(trees, classifier, 7)
    staged = list(classifier.staged_predict_proba(x))[6][:, 1]
    np.testing.assert_allclose(trees(torch.from_numpy(x))[:, 0].sigmoid(), staged, rtol=0, atol=1e-6)


@pytest.mark.parametrize("spec", [BINARY, SPEC], ids=["binary", "three classes"])
def test_log_tells_the_loss_of_the_model_that_is_kept(spec):
    model, progress = trained(spec)
    best = next(line for line in progress.log if line["epoch"] == progress.best_epoch)
    validation = jets(300, len(spec.classes), 1)
    assert mean_loss(model, validation) == pytest.approx(best["validation"]["loss"], abs=1e-6)
    right = torch.cat([model(batch).argmax(1) == batch.label for batch in validation])
    assert right.double().mean().item() == pytest.approx(best["validation"]["accuracy"], abs=1e-9)
    assert progress.best == best["validation"]["loss"] < 0.9 * np.log(len(spec.classes))


def test_best_round_is_chosen_by_what_the_options_select():
    _, progress = trained(SPEC, select="accuracy")
    assert progress.best == max(line["validation"]["accuracy"] for line in progress.log)


def test_patience_ends_the_boosting():
    noise = [batch.with_targets(label=batch.label.flip(0)) for batch in jets(400, 2, 0)]
    model, progress = trained(BINARY, batches=noise, patience=2)
    assert trained(BINARY, batches=noise)[1].epochs == 15
    assert progress.epochs <= progress.best_epoch + 2 < 15
    assert not model.trees.value[:, progress.best_epoch :].any()


def test_training_twice_gives_the_same_bits():
    first, second = trained(SPEC)[0].state_dict(), trained(SPEC)[0].state_dict()
    assert all(torch.equal(first[name], second[name]) for name in first)


def test_weights_of_jets_and_of_a_function_multiply():
    def weight(batch):
        return batch.replace(weight=batch.weight * (1.0 + 4.0 * (batch.label == 1)))

    batches = jets(200, 2, 0)
    tripled = [batch.replace(weight=1.0 + 2.0 * (batch.label == 0)) for batch in batches]
    own = [weight(batch) for batch in batches]
    plain, by_function = trained(BINARY, batches=batches)[0], trained(BINARY, batches=map(weight, batches))[0]
    by_jet, both = trained(BINARY, batches=own)[0], trained(BINARY, batches=map(weight, tripled))[0]
    assert torch.equal(by_function.trees.bias, by_jet.trees.bias)
    assert by_function.trees.bias.item() == pytest.approx(np.log(5), abs=1e-5)
    assert both.trees.bias.item() == pytest.approx(np.log(5 / 3), abs=1e-5)
    assert plain.trees.bias.item() == pytest.approx(0, abs=1e-5)


def test_negative_weights_are_refused():
    batches = [batch.replace(weight=-batch.weight) for batch in jets(200, 2, 0)]
    with pytest.raises(JetkitError, match="trees cannot be fitted to negative weights"):
        trained(BINARY, batches=batches)


def test_class_without_jets_is_named():
    with pytest.raises(JetkitError, match="no training jets of three"):
        trained(SPEC, batches=jets(200, 2, 0))


def test_progress_is_reported_to_its_end():
    calls = []
    trained(BINARY, report=lambda *call: calls.append(call))
    assert calls[0] == (1, 9, "observables")
    assert (9, 9, "observables") in calls
    assert calls[-1] == (15, 15, "boosting")


@pytest.mark.parametrize("spec", [BINARY, SPEC], ids=["binary", "three classes"])
def test_model_file_gives_the_same_logits(spec, tmp_path):
    model, _ = trained(spec)
    card = ModelCard("observables-bdt", spec.to_dict(), {"trees": 15, "leaves": 6}, task="classify")
    save_model(tmp_path / "model.safetensors", Classify(model, spec), card)
    batch = jets(100, len(spec.classes), 5)[0]
    assert torch.equal(load_model(tmp_path / "model.safetensors")(batch), model(batch))
