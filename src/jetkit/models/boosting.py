"""Boosting: trees are added one round after the other, each fitted to what those before it got wrong."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from operator import length_hint
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import torch
from jaxtyping import Bool, Float, Int

from jetkit.data.batch import Batch
from jetkit.data.known_labels import refuse_missing
from jetkit.errors import JetkitError, require
from jetkit.models.model import Fit, FitOptions
from jetkit.nn.trees import Trees
from jetkit.progress import Report

if TYPE_CHECKING:
    from jetkit.models.boosted_trees import BoostedTrees

EVERY = 10
"""Rounds between two lines of the log."""


class Table(NamedTuple):
    """Observables of rows with their labels and weights."""

    x: Float[np.ndarray, "B D"]
    label: Int[np.ndarray, " B"]
    weight: Float[np.ndarray, " B"] | None
    """None where all are 1, since scikit-learn takes minutes for the quantiles of weighted jets."""


def boost(
    model: BoostedTrees,
    train: Iterable[Batch],
    validation: Iterable[Batch],
    options: FitOptions,
    report: Report,
) -> Fit:
    """Fill the trees of a model by boosting on the training rows.

    The loss is the cross entropy with the weights of the rows, which must not be negative. The model keeps the rounds
    up to the best one on the validation rows by ``options.select``; with ``options.patience`` boosting ends after so
    many rounds in which their loss did not fall. An epoch of the log is a round; the log has a line for every tenth,
    the best and the last.

    Source: Greedy function approximation: a gradient boosting machine, 2001, doi:10.1214/aos/1013203451.

    Raises:
        JetkitError: a class has no training rows, a weight is negative, or scikit-learn is not installed.
    """
    begun = time.monotonic()
    known, batches = length_hint(train), length_hint(train) + length_hint(validation)
    learn = _table(model, train, lambda done: report(done, batches, "observables"))
    watch = _table(model, validation, lambda done: report(known + done, batches, "observables"))
    refuse_missing(learn.label, model.spec.classes)
    rounds = model.trees.value.shape[1]
    report(0, rounds, "boosting")
    classifier = _fit(model, learn, watch, options, rounds)
    report(rounds, rounds, "boosting")
    found = _fitted(classifier, watch, model.rate, options.select)
    found.log[-1]["seconds"] = round(time.monotonic() - begun, 3)
    fill(model.trees, classifier, found.best_epoch)
    return found


def held_out_scores(
    first: Float[np.ndarray, "A D"], second: Float[np.ndarray, "B D"], *, seed: int = 0, threads: int | None = None
) -> tuple[Float[np.ndarray, " H"], Int[np.ndarray, " H"]]:
    """How trees that are grown on a random half of two samples tell apart the other half: scores and labels.

    The label is 1 for the second sample. What the trees cannot tell apart has an AUC of one half.

    Source: Revisiting Classifier Two-Sample Tests, 2016, arXiv:1610.06545.

    Raises:
        JetkitError: scikit-learn is not installed.
    """
    x, label = np.concatenate([first, second]), np.repeat([0, 1], [len(first), len(second)])
    order = np.random.default_rng(seed).permutation(len(x))
    learn, test = order[: len(x) // 2], order[len(x) // 2 :]
    classifier = require("sklearn.ensemble").HistGradientBoostingClassifier(
        early_stopping=True, max_iter=200, random_state=seed
    )
    with require("threadpoolctl").threadpool_limits(threads):
        classifier.fit(x[learn], label[learn])
        return classifier.decision_function(x[test]), label[test]


def fill(trees: Trees, classifier: Any, rounds: int) -> None:
    """Copy the first rounds of a fitted HistGradientBoostingClassifier.

    There is no public way to its nodes: pyproject.toml bounds the version of scikit-learn, and a test names what is
    read here.
    """
    trees.clear()
    trees.bias.copy_(torch.from_numpy(classifier._baseline_prediction[0]))
    for number, predictors in enumerate(classifier._predictors[:rounds]):
        for output, predictor in enumerate(predictors):
            nodes = predictor.nodes
            leaf = nodes["is_leaf"].astype(bool)
            trees.plant(
                output,
                number,
                feature=torch.from_numpy(nodes["feature_idx"][~leaf]),
                threshold=torch.from_numpy(nodes["num_threshold"][~leaf]),
                side=torch.from_numpy(_sides(nodes["left"], nodes["right"], leaf)),
                value=torch.from_numpy(nodes["value"][leaf]),
            )


def _sides(
    left: Int[np.ndarray, " nodes"], right: Int[np.ndarray, " nodes"], leaf: Bool[np.ndarray, " nodes"]
) -> Int[np.ndarray, "leaves questions"]:
    """1 where a leaf is in the left subtree of a question, −1 in the right one; children come after their parents."""
    under = np.eye(len(leaf), dtype=np.int8)
    side = np.zeros_like(under)
    for node in np.flatnonzero(~leaf)[::-1]:
        side[node] = under[left[node]] - under[right[node]]
        under[node] = under[left[node]] + under[right[node]]
    sides: Int[np.ndarray, "leaves questions"] = side[~leaf][:, leaf].T
    return sides


def _table(model: BoostedTrees, batches: Iterable[Batch], report: Callable[[int], None]) -> Table:
    """All rows of an epoch."""
    rows = []
    for done, batch in enumerate(batches, 1):
        rows.append((model.observables(batch), batch.label, batch.weight.double()))
        report(done)
    x, label, weights = (torch.cat(column).numpy() for column in zip(*rows, strict=True))
    if (weights < 0).any():
        raise JetkitError("trees cannot be fitted to negative weights: leave weight= out, or train a network")
    return Table(x, label, weights if (weights != 1).any() else None)


def _fit(model: BoostedTrees, learn: Table, watch: Table, options: FitOptions, rounds: int) -> Any:
    """A fitted HistGradientBoostingClassifier, with the losses of each round."""
    classifier = require("sklearn.ensemble").HistGradientBoostingClassifier(
        max_iter=rounds,
        max_leaf_nodes=model.trees.value.shape[2],
        learning_rate=model.rate,
        min_samples_leaf=model.least,
        l2_regularization=model.l2,
        early_stopping=True,
        n_iter_no_change=options.patience or rounds,
        random_state=options.seed,
    )
    shown = {"X_val": watch.x, "y_val": watch.label, "sample_weight_val": watch.weight}
    with require("threadpoolctl").threadpool_limits(options.threads):
        return classifier.fit(learn.x, learn.label, learn.weight, **shown)


def _fitted(classifier: Any, watch: Table, rate: float, select: str) -> Fit:
    """The training curve, and the round that does best on the validation jets."""
    accuracy = np.array([np.mean(choice == watch.label) for choice in classifier.staged_predict(watch.x)])
    train, loss = -np.array(classifier.train_score_[1:]), -np.array(classifier.validation_score_[1:])
    quality = {"accuracy": accuracy, "loss": -loss, "last": np.arange(len(loss))}[select]
    best = int(np.argmax(quality)) + 1
    last = len(loss)
    log = [
        {
            "epoch": number,
            "step": number,
            "lr": rate,
            "train": {"cross_entropy": float(train[number - 1])},
            "validation": {"loss": float(loss[number - 1]), "accuracy": float(accuracy[number - 1])},
        }
        for number in sorted({*range(EVERY, last + 1, EVERY), best, last})
    ]
    value = float(accuracy[best - 1] if select == "accuracy" else loss[best - 1])
    return Fit(log, steps=last, epochs=last, best=value, best_epoch=best)
