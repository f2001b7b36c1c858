"""Training by boosting: trees are added one round after the other, each to what those before it got wrong."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from typing import Any, NamedTuple

import numpy as np
import torch
from jaxtyping import Bool, Float, Int

from jetkit.data.cloud import Cloud
from jetkit.data.loader import Loader
from jetkit.errors import require
from jetkit.models.boosted_trees import BoostedTrees
from jetkit.nn.trees import Trees
from jetkit.tasks.classify import jet_weights
from jetkit.train.checkpoint import Progress
from jetkit.train.labels import refuse_missing
from jetkit.train.loop import Report
from jetkit.train.options import TrainOptions
from jetkit.train.weights import Weight

EVERY = 10
"""Rounds between two lines of the log."""


class Table(NamedTuple):
    """Encoded jets with their labels and weights."""

    x: Float[np.ndarray, "B D"]
    label: Int[np.ndarray, " B"]
    weight: Float[np.ndarray, " B"] | None
    """None where all are 1, since scikit-learn takes minutes for the quantiles of weighted jets."""


def boost(
    model: BoostedTrees,
    train: Loader,
    validation: Loader,
    options: TrainOptions,
    report: Report,
    weight: Weight | None = None,
    prepare: Callable[[Cloud], Cloud] = lambda cloud: cloud,
) -> Progress:
    """Fill the trees of a model by boosting on the training jets, one epoch of the loader.

    The loss is the cross entropy with the weights of the clouds, times ``weight(cloud)`` where given; ``prepare`` is
    done to every cloud first. The model keeps the rounds up to the best one on the validation jets by
    ``options.select``; with ``options.patience`` boosting ends after so many rounds in which their loss did not fall.
    Of the other options, ``seed`` and ``threads`` count. An epoch of the log is a round; the log has a line for every
    tenth, the best and the last.

    Source: Greedy function approximation: a gradient boosting machine, 2001, doi:10.1214/aos/1013203451.

    Raises:
        JetkitError: a class has no training jets, or scikit-learn is not installed.
    """
    begun = time.monotonic()
    batches = len(train) + len(validation)
    learn = _table(model, map(prepare, train), weight, lambda done: report(done, batches, "observables"))
    watch = _table(
        model, map(prepare, validation), weight, lambda done: report(len(train) + done, batches, "observables")
    )
    refuse_missing(learn.label, model.spec.classes)
    rounds = model.trees.value.shape[1]
    report(0, rounds, "boosting")
    classifier = _fit(model, learn, watch, options, rounds)
    report(rounds, rounds, "boosting")
    progress = _progress(classifier, watch, model.rate, options.select)
    progress.seconds = time.monotonic() - begun
    progress.log[-1]["seconds"] = round(progress.seconds, 3)
    fill(model.trees, classifier, progress.best_epoch)
    return progress


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
    """Copy the first rounds of a fitted HistGradientBoostingClassifier, which has no public way to its nodes."""
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


def _table(model: BoostedTrees, clouds: Iterable[Cloud], weight: Weight | None, report: Callable[[int], None]) -> Table:
    """All jets of an epoch."""
    rows = []
    for done, cloud in enumerate(clouds, 1):
        own = jet_weights(cloud, weight)
        rows.append((model.encode(cloud), cloud.label, own.double()))
        report(done)
    x, label, weights = (torch.cat(column).numpy() for column in zip(*rows, strict=True))
    return Table(x, label, weights if (weights != 1).any() else None)


def _fit(model: BoostedTrees, learn: Table, watch: Table, options: TrainOptions, rounds: int) -> Any:
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


def _progress(classifier: Any, watch: Table, rate: float, select: str) -> Progress:
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
    return Progress(step=last, epoch=last, best=value, best_epoch=best, log=log, finished=True)
