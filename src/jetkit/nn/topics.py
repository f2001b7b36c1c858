"""Latent Dirichlet allocation: documents as mixtures of topics, topics as distributions of words."""

from __future__ import annotations

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn

from jetkit.nn.precision import full_precision


class Topics(nn.Module):
    """Topics that are known, and the shares that documents have of them.

    In a document d the share θ_d of the topics follows Dir(α), each word has a topic z of probability θ_dz, and given
    the topic it is w with probability β_zw. Given the words, θ_d is about Dir(γ_d), where γ_d solves

        φ_dwt ∝ exp(ψ(γ_dt) + ⟨ln β_tw⟩),  γ_dt = α + Σ_w n_dw φ_dwt.

    ψ is the digamma function and n_dw the number of words w. It is solved by so many rounds from γ = 1. There are only
    buffers, nothing that a gradient could change; new topics are drawn at random.

    Source: Online Learning for Latent Dirichlet Allocation, 2010, NIPS 23.

    Args:
        topics: number T of topics
        vocabulary: number V of words that there are
        alpha: α, the same for all topics
        rounds: of the solution

    Example:
        >>> topics = Topics(topics=2, vocabulary=3, alpha=0.5, rounds=50)
        >>> topics.know(torch.tensor([0, 1]), torch.tensor([[0.9, 0.1], [0.1, 0.9]]).log())
        >>> words, mask = torch.tensor([[0, 0, 2], [0, 1, 2]]), torch.tensor([[True, True, True], [True, True, False]])
        >>> topics(words, mask)
        tensor([[2.4833, 0.5167],
                [1.5000, 1.5000]])
    """

    log_words: Float[Tensor, "T V"]
    """⟨ln β⟩; −∞ of a word that no topic knows, which then does not count."""

    def __init__(self, *, topics: int, vocabulary: int, alpha: float, rounds: int) -> None:
        super().__init__()
        self.alpha, self.rounds = alpha, rounds
        self.register_buffer("log_words", torch.empty(topics, vocabulary).exponential_().log_())

    @property
    def size(self) -> int:
        """Probabilities of the words that are known."""
        return int(self.log_words.isfinite().sum())

    def know(self, words: Int[Tensor, " K"], logs: Float[Tensor, "T K"]) -> None:
        """Set ⟨ln β⟩ of these words, and forget all others."""
        self.log_words.fill_(-torch.inf)
        self.log_words[:, words] = logs.to(self.log_words)

    def forward(self, words: Int[Tensor, "B W"], mask: Bool[Tensor, "B W"]) -> Float[Tensor, "B T"]:
        """γ of documents; where the mask is False there is no word."""
        likelihood = self.log_words[:, words].exp().movedim(0, -1) * mask.unsqueeze(-1)
        return topic_counts(likelihood, self.alpha, self.rounds)


def topic_counts(likelihood: Float[Tensor, "B W T"], alpha: float, rounds: int) -> Float[Tensor, "B T"]:
    """γ of documents from exp⟨ln β⟩ of their words, which is 0 for all topics where there is no word."""
    with full_precision(likelihood):
        counts = likelihood.new_ones(likelihood.shape[0], likelihood.shape[2])
        for _ in range(rounds):
            counts = alpha + topic_shares(likelihood, counts).sum(1)
        return counts


def topic_shares(likelihood: Float[Tensor, "B W T"], counts: Float[Tensor, "B T"]) -> Float[Tensor, "B W T"]:
    """φ, the probability that each word is of each topic; 0 where there is no word."""
    joint = likelihood * mean_log(counts).exp().unsqueeze(1)
    return joint / joint.sum(-1, keepdim=True).clamp(min=torch.finfo(joint.dtype).tiny)


def mean_log(counts: Float[Tensor, "*rows n"]) -> Float[Tensor, "*rows n"]:
    """⟨ln x⟩ = ψ(c) − ψ(Σ c) of shares x that follow Dir(c).

    Example:
        >>> mean_log(torch.tensor([1.0, 1.0]))
        tensor([-1.0000, -1.0000])
    """
    return torch.digamma(counts) - torch.digamma(counts.sum(-1, keepdim=True))
