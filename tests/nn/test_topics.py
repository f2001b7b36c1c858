from __future__ import annotations

import numpy as np
import pytest
import torch
from sklearn.decomposition import LatentDirichletAllocation

from jetkit.nn.topics import Topics, mean_log


def corpus(documents, words, vocabulary, seed):
    random = np.random.default_rng(seed)
    mask = np.arange(words) < random.integers(1, words + 1, documents)[:, None]
    return random.integers(0, vocabulary, mask.shape) * mask, mask


def table(words, mask, vocabulary):
    return np.stack([np.bincount(row[real], minlength=vocabulary) for row, real in zip(words, mask, strict=True)])


def known(counts, alpha, rounds):
    topics = Topics(topics=len(counts), vocabulary=counts.shape[1], alpha=alpha, rounds=rounds).double()
    topics.know(torch.arange(counts.shape[1]), mean_log(torch.from_numpy(counts)))
    return topics


@pytest.mark.parametrize(("number", "alpha", "rounds"), [(2, 0.5, 1), (2, 0.5, 30), (3, 0.2, 30)])
def test_shares_are_those_of_scikit_learn(number, alpha, rounds):
    words, mask = corpus(40, 12, 30, seed=1)
    peer = LatentDirichletAllocation(
        number, doc_topic_prior=alpha, max_doc_update_iter=rounds, mean_change_tol=0.0, random_state=0
    )
    counted = table(words, mask, 30)
    expected = peer.fit(counted).transform(counted)
    found = known(peer.components_, alpha, rounds)(torch.from_numpy(words), torch.from_numpy(mask))
    np.testing.assert_allclose(found / found.sum(1, keepdim=True), expected, rtol=0, atol=1e-8)


def test_words_that_are_not_known_do_not_count():
    topics = known(np.random.default_rng(2).gamma(1.0, 1.0, (2, 5)), 0.5, 20)
    topics.know(torch.tensor([1, 3]), topics.log_words[:, [1, 3]])
    both, one = torch.tensor([[1, 3, 4, 0]]), torch.tensor([[1, 3]])
    found = topics(both, torch.ones(1, 4, dtype=torch.bool))
    torch.testing.assert_close(found, topics(one, torch.ones(1, 2, dtype=torch.bool)), rtol=0, atol=1e-12)
    assert topics.size == 4


def test_documents_without_words_have_equal_shares():
    topics = known(np.ones((3, 4)), 0.3, 5)
    assert topics(torch.zeros(1, 2, dtype=torch.long), torch.zeros(1, 2, dtype=torch.bool)).tolist() == [[0.3] * 3]
