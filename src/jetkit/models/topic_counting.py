"""Topics by counting: those under which the words of all jets are most probable, whatever their class."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from operator import length_hint
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor
from torch.nn import functional as F

from jetkit.data.batch import Batch
from jetkit.data.known_labels import refuse_missing
from jetkit.errors import JetkitError, require
from jetkit.models.model import Fit, FitOptions
from jetkit.nn.topics import mean_log
from jetkit.progress import Report, silent

if TYPE_CHECKING:
    from scipy.sparse import csr_array

    from jetkit.models.lda import LDA

BEGINNINGS, TRIAL = 8, 20
"""Number of beginnings that are tried, and the most batches of each trial."""


class Page(NamedTuple):
    """Jets of one batch as words."""

    words: Int[Tensor, "B W"]
    mask: Bool[Tensor, "B W"]
    label: Int[Tensor, " B"]
    weight: Float[Tensor, " B"]


def find_topics(
    model: LDA,
    train: Iterable[Batch],
    validation: Iterable[Batch],
    options: FitOptions,
    report: Report,
) -> Fit:
    """Fill the topics of a model by scikit-learn's online variational Bayes, and then name them.

    In step k, on B of the D jets, the counts λ of the words in the topics become

        λ ← (1 − ρ) λ + ρ (η + D/B Σ_d n_dw φ_dwt),  ρ = (τ + k)^−κ,

    and ⟨ln β⟩ = ψ(λ_tw) − ψ(Σ_v λ_tv). Of 8 random beginnings the one is kept that after 20 steps makes the words most
    probable (largest lower bound of their evidence), since topics stay near where they begin. An epoch goes once
    through the jets in random order, in as many steps as the loader has batches. Jets with weights are drawn in each
    epoch: a jet of weight w comes w/⟨w⟩ times, rounded up or down at random so that this is the mean. After each
    epoch the logits are fitted to the labels, for the log; these choose nothing, and the last epoch is kept.

    Source: Online Learning for Latent Dirichlet Allocation, 2010, NIPS 23.

    Raises:
        JetkitError: a class has no training jets, a weight is negative, no jet has a word, or scikit-learn is not
            installed.
    """
    begun, passes = time.monotonic(), options.epochs
    known, batches = length_hint(train), length_hint(train) + length_hint(validation)
    learn = _pages(model, train, lambda done: report(done, batches, "splittings"))
    watch = _pages(model, validation, lambda done: report(known + done, batches, "splittings"))
    refuse_missing(torch.cat([page.label for page in learn]).numpy(), model.spec.classes)
    met, table = counted(learn)
    random, weight, steps = np.random.default_rng(options.seed), _weight(learn), len(learn)
    finder = begin(model, np.array_split(drawn(weight, random), steps), table, random, report)
    found = Fit()
    for epoch in range(1, passes + 1):
        for step, rows in enumerate(np.array_split(drawn(weight, random), steps), (epoch - 1) * steps + 1):
            finder.partial_fit(table[rows])
            report(step, passes * steps, "topics")
        model.topics.know(met, mean_log(torch.from_numpy(finder.components_)))
        rate = (finder.learning_offset + finder.n_batch_iter_ - 1) ** -finder.learning_decay
        numbers = {"cross_entropy": name_topics(model, learn)}
        found.log.append(_log_line((epoch, epoch * steps, rate), numbers, _watched(model, watch), begun))
    found.steps, found.epochs, found.best_epoch = passes * steps, passes, passes
    found.best = found.log[-1]["validation"]["accuracy" if options.select == "accuracy" else "loss"]
    return found


def counted(pages: list[Page]) -> tuple[Int[Tensor, " K"], csr_array]:
    """The words that were met, and how often each jet has each of them."""
    from scipy.sparse import csr_array

    met, column = np.unique(torch.cat([page.words[page.mask] for page in pages]), return_inverse=True)
    if not len(met):
        raise JetkitError("no training jet has a splitting as heavy as model.masses asks: lower them")
    ends = torch.cat([page.mask.sum(1) for page in pages]).cumsum(0)
    starts = np.append(0, ends.numpy()).astype(np.int32)
    ones, shape = np.ones(len(column)), (len(ends), len(met))
    table = csr_array((ones, column.astype(np.int32), starts), shape=shape)
    table.sum_duplicates()
    return torch.from_numpy(met), table


def drawn(weight: Float[np.ndarray, " D"], random: np.random.Generator) -> Int[np.ndarray, " rows"]:
    """Places of the jets in random order, each as often as its share of the mean weight, which need not be whole."""
    copies = np.floor(weight / weight.mean() + random.random(len(weight))).astype(int)
    return random.permutation(np.repeat(np.arange(len(weight)), copies))


def begin(
    model: LDA,
    batches: list[Int[np.ndarray, " rows"]],
    table: csr_array,
    random: np.random.Generator,
    report: Report = silent,
) -> Any:
    """Of several beginnings the one that makes the words of the first batches most probable."""
    first, trials = batches[:TRIAL], []
    for seed in random.integers(2**31, size=BEGINNINGS).tolist():
        finder = require("sklearn.decomposition").LatentDirichletAllocation(
            len(model.topics.log_words),
            doc_topic_prior=model.topics.alpha,
            topic_word_prior=model.eta,
            batch_size=table.shape[0],
            total_samples=table.shape[0],
            max_doc_update_iter=model.topics.rounds,
            random_state=seed,
        )
        for rows in first:
            finder.partial_fit(table[rows])
        trials.append(finder)
        report(len(trials), BEGINNINGS, "beginnings")
    seen = table[np.concatenate(first)]
    return max(trials, key=lambda finder: finder.score(seen))


def _weight(pages: list[Page]) -> Float[np.ndarray, " D"]:
    weight = torch.cat([page.weight for page in pages]).numpy()
    if (weight < 0).any():
        raise JetkitError("topics cannot be found in jets of negative weight: leave weight= out, or train a network")
    return np.asarray(weight)


def log_ratios(counts: Float[Tensor, "B T"]) -> Float[Tensor, "B T"]:
    """Logarithms of the topics' shares in each jet, less their mean over the topics."""
    logs = counts.log()
    return logs - logs.mean(1, keepdim=True)


def name_topics(model: LDA, pages: list[Page]) -> float:
    """Fit the logits to the labels by logistic regression; returns the mean cross entropy.

    Each coefficient has the prior N(0, 1), without which those of classes that can be separated would have no end.
    """
    x, label, weight = _ratios(model, pages)
    head = torch.nn.Linear(x.shape[1], len(model.spec.classes), dtype=x.dtype)
    torch.nn.init.zeros_(head.weight)
    torch.nn.init.zeros_(head.bias)
    optimiser = torch.optim.LBFGS(head.parameters(), max_iter=100, line_search_fn="strong_wolfe")

    def loss() -> Tensor:
        optimiser.zero_grad()
        each = F.cross_entropy(head(x), label, reduction="none")
        total = ((each * weight).sum() + head.weight.square().sum() / 2) / weight.sum()
        torch.autograd.backward(total)
        return total

    optimiser.step(loss)  # type: ignore[no-untyped-call]
    model.naming.load_state_dict(head.state_dict())
    return _loss(model, x, label, weight)


@torch.no_grad()
def _watched(model: LDA, pages: list[Page]) -> dict[str, float]:
    """Mean cross entropy, and share of jets whose most probable class is the true one."""
    x, label, weight = _ratios(model, pages)
    right = model.naming(x.to(model.naming.weight)).argmax(1) == label
    return {"loss": _loss(model, x, label, weight), "accuracy": right.double().mean().item()}


@torch.no_grad()
def _loss(model: LDA, x: Float[Tensor, "B T"], label: Int[Tensor, " B"], weight: Float[Tensor, " B"]) -> float:
    each = F.cross_entropy(model.naming(x.to(model.naming.weight)), label, reduction="none")
    return ((each * weight).sum() / weight.sum()).item()


def _ratios(model: LDA, pages: list[Page]) -> tuple[Float[Tensor, "B T"], Int[Tensor, " B"], Float[Tensor, " B"]]:
    """What the model encodes, labels and weights of all jets."""
    x = [log_ratios(model.topics(page.words, page.mask)).double() for page in pages]
    return torch.cat(x), torch.cat([page.label for page in pages]), torch.cat([page.weight for page in pages])


def _pages(model: LDA, batches: Iterable[Batch], report: Callable[[int], None]) -> list[Page]:
    """All rows of an epoch."""
    pages = []
    for done, batch in enumerate(batches, 1):
        pages.append(Page(*model.words(batch), batch.label, batch.weight.double()))
        report(done)
    return pages


def _log_line(
    place: tuple[int, int, float], train: dict[str, float], validation: dict[str, float], begun: float
) -> dict[str, Any]:
    own = dict(zip(("epoch", "step", "lr"), place, strict=True))
    return {**own, "seconds": round(time.monotonic() - begun, 3), "train": train, "validation": validation}
