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
from jetkit.models.model import Fit, FitOptions
from jetkit.nn.topics import mean_log, topic_counts, topic_shares
from jetkit.progress import Report

if TYPE_CHECKING:
    from jetkit.models.lda import LDA

DELAY, DECAY = 10.0, 0.7
"""τ and κ of the steps (τ + k)^−κ, the defaults of scikit-learn."""
BEGINNINGS, TRIAL = 8, 20
"""Number of beginnings that are tried, and the batches of each trial."""


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
    """Fill the topics of a model by online variational Bayes, and then name them.

    In step k, on one of the batches of D jets in all, the counts λ of the words in the topics become

        λ ← (1 − ρ) λ + ρ (η + D/B Σ_d n_dw φ_dwt),  ρ = (τ + k)^−κ,

    and ⟨ln β⟩ = ψ(λ_tw) − ψ(Σ_v λ_tv); λ begins as Γ(100, 1/100) of ``options.seed``: of 8
    such beginnings the one is kept that after 20 steps makes the words most probable (largest lower bound of their
    evidence), since topics stay near where they begin. An epoch goes once through the
    batches that the first one of the loader has, in another order. Weights of the rows multiply the words. After each
    epoch the logits are fitted to the labels, for the log; these choose nothing, and the last epoch is kept.

    Source: Online Learning for Latent Dirichlet Allocation, 2010, NIPS 23.

    Raises:
        JetkitError: a class has no training jets.
    """
    begun, passes = time.monotonic(), options.epochs
    known, batches = length_hint(train), length_hint(train) + length_hint(validation)
    learn = _pages(model, train, lambda done: report(done, batches, "splittings"))
    watch = _pages(model, validation, lambda done: report(known + done, batches, "splittings"))
    refuse_missing(torch.cat([page.label for page in learn]).numpy(), model.spec.classes)
    counting = Counting(model, learn, options.seed)
    counting.begin()
    found = Fit()
    for epoch in range(1, passes + 1):
        counting.step_through(lambda step: report(step, passes * len(learn), "topics"))
        counting.tell(model)
        numbers = {"cross_entropy": name_topics(model, learn)}
        found.log.append(_log_line(epoch, counting, numbers, _watched(model, watch), time.monotonic() - begun))
    found.steps, found.epochs, found.best_epoch = counting.steps, passes, passes
    found.best = found.log[-1]["validation"]["accuracy" if options.select == "accuracy" else "loss"]
    return found


class Counting:
    """Counts of the words that were met, in each topic.

    Args:
        model: the model whose topics are to be found
        pages: batches of jets
        seed: of the first counts and of the order of the batches
    """

    def __init__(self, model: LDA, pages: list[Page], seed: int) -> None:
        self.alpha, self.eta, self.rounds = model.topics.alpha, model.eta, model.topics.rounds
        vocabulary = torch.zeros(model.topics.log_words.shape[1], dtype=torch.bool)
        for page in pages:
            vocabulary[page.words[page.mask]] = True
        self.met = vocabulary.nonzero().squeeze(1)
        number = vocabulary.cumsum(0) - 1
        self.pages = [page._replace(words=number[page.words].clamp(min=0)) for page in pages]
        self.jets = sum(len(page.label) for page in pages)
        self.random = np.random.default_rng(seed)
        self.topics, self.steps, self.rate = len(model.topics.log_words), 0, 0.0
        self.counts = self._drawn()

    def begin(self) -> None:
        """Draw first counts several times, and keep those that lead to the largest bound."""
        found = []
        for _ in range(BEGINNINGS):
            self.counts, self.steps = self._drawn(), 0
            for page in self.pages[:TRIAL]:
                self.step(page)
            found.append((self.bound(self.pages[:TRIAL]), self.counts))
        self.counts, self.steps = max(found, key=lambda trial: trial[0])[1], 0

    def step_through(self, report: Callable[[int], None]) -> None:
        """Take a step on each page."""
        for number in self.random.permutation(len(self.pages)):
            self.step(self.pages[number])
            report(self.steps)

    def step(self, page: Page) -> None:
        """Go some way from the counts to those that this page alone would give."""
        likelihood = self._likelihood(page)
        shares = topic_shares(likelihood, topic_counts(likelihood, self.alpha, self.rounds))
        weighted = (shares * page.weight[:, None, None])[page.mask]
        here = torch.zeros_like(self.counts).index_add_(1, page.words[page.mask], weighted.T)
        self.rate = (DELAY + self.steps) ** -DECAY
        self.counts.lerp_(self.eta + self.jets / len(page.label) * here, self.rate)
        self.steps += 1

    def bound(self, pages: list[Page]) -> float:
        """Lower bound of the logarithm of the evidence for all jets, as these are, up to a constant."""
        total = 0.0
        for page in pages:
            likelihood = self._likelihood(page)
            counts = topic_counts(likelihood, self.alpha, self.rounds)
            words = (likelihood * mean_log(counts).exp().unsqueeze(1)).sum(-1)
            each = words.where(page.mask, 1.0).log().sum(1) + _gain(counts, self.alpha)
            total += (each * page.weight).sum().item()
        return total * self.jets / sum(len(page.label) for page in pages) + _gain(self.counts, self.eta).sum().item()

    def _drawn(self) -> Float[Tensor, "T K"]:
        return torch.from_numpy(self.random.gamma(100.0, 0.01, (self.topics, len(self.met))))

    def _likelihood(self, page: Page) -> Float[Tensor, "B W T"]:
        """exp⟨ln β⟩ of the words of a page, 0 where there is none."""
        return mean_log(self.counts)[:, page.words].exp().movedim(0, -1) * page.mask.unsqueeze(-1)

    def tell(self, model: LDA) -> None:
        """Give the topics to the model."""
        model.topics.know(self.met, mean_log(self.counts))


def log_ratios(counts: Float[Tensor, "B T"]) -> Float[Tensor, "B T"]:
    """Logarithms of the topics' shares in each jet, less their mean over the topics."""
    logs = counts.log()
    return logs - logs.mean(1, keepdim=True)


def _gain(counts: Float[Tensor, "rows n"], prior: float) -> Float[Tensor, " rows"]:
    """⟨ln p(x)⟩ − ⟨ln q(x)⟩ of shares x with the prior p = Dir(prior) and q = Dir(counts), up to a constant."""
    own = ((prior - counts) * mean_log(counts)).sum(1)
    return own + torch.lgamma(counts).sum(1) - torch.lgamma(counts.sum(1))


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
    epoch: int, counting: Counting, train: dict[str, float], validation: dict[str, float], seconds: float
) -> dict[str, Any]:
    return {
        "epoch": epoch,
        "step": counting.steps,
        "lr": counting.rate,
        "seconds": round(seconds, 3),
        "train": train,
        "validation": validation,
    }
