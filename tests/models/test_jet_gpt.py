"""Jets as sentences: probabilities, samples and words with known answers."""

from __future__ import annotations

import math
from collections.abc import Sequence

import pytest
import torch
from torch import Tensor, nn

from jetkit.data.batch import Batch
from jetkit.data.features import FEATURE_SETS
from jetkit.data.spec import Spec
from jetkit.errors import JetkitError
from jetkit.models.jet_gpt import JetGPT
from jetkit.models.jet_language import JetLanguage, Sentences
from jetkit.nn.attention import Memory
from jetkit.testing import random_batch

SPEC = Spec.of(tuple(feature.name for feature in FEATURE_SETS["kin"]), classes=("QCD", "top"))
STAY, STOP = 0.9, 0.05


class Chain(JetLanguage):
    """Two words; the next one depends on the last one alone, by a table: a Markov chain."""

    def __init__(self) -> None:
        super().__init__(SPEC, 2, width=4, depth=1, heads=1, dropout=0.0)
        go = 1 - STOP
        table = [[go * STAY, go * (1 - STAY), STOP], [go * (1 - STAY), go * STAY, STOP], [0.5, 0.5, 1e-9]]
        self.next_word = nn.Linear(3, 3, bias=False)
        self.next_word.weight = nn.Parameter(torch.tensor(table, dtype=torch.float64).log().T)

    def words_of(self, batch: Batch) -> Tensor:
        return batch.x[..., 0].long()

    def embedded(self, words: Tensor) -> Tensor:
        raise NotImplementedError

    def particles(self, sentences: Sentences) -> Tensor:
        raise NotImplementedError

    def heard(self, sentences: Sentences) -> Tensor:
        """One of three vectors: after word 0, after word 1, after the start."""
        first = torch.full((len(sentences.words), 1), 2)
        return nn.functional.one_hot(torch.cat([first, sentences.words], 1), 3).double()

    def after(self, words: Tensor | None, memories: Sequence[Memory | None]) -> tuple[Tensor, list[Memory]]:
        """The same, of the last word."""
        last = torch.full((1,), 2) if words is None else words
        return nn.functional.one_hot(last, 3).double(), []


def cloud_of(sentences: Sentences) -> Batch:
    """Jets whose particles are words, in falling pT."""
    count = sentences.words.shape[1]
    pt = torch.arange(count, 0, -1, dtype=torch.float64).expand(sentences.words.shape)
    p4 = torch.stack([pt, pt, 0 * pt, 0 * pt], -1)
    x = torch.zeros(*sentences.words.shape, len(SPEC.features), dtype=torch.float64)
    x[..., 0] = sentences.words
    return Batch.of(x, sentences.mask, p4)


@pytest.fixture
def model() -> JetGPT:
    torch.manual_seed(2)
    return JetGPT(SPEC, bins=(9, 7, 7), width=16, depth=2, heads=2, dropout=0.0).double().eval()


@pytest.fixture
def batch() -> Batch:
    return random_batch(SPEC, jets=6, particles=(1, 20), seed=3)


def test_a_jet_of_a_chain_has_the_product_of_its_steps() -> None:
    words = torch.tensor([[0, 0, 1], [1, 0, 0]])
    found = Chain().log_prob(cloud_of(Sentences(words, torch.tensor([[True, True, True], [True, False, False]]))))
    go = 1 - STOP
    by_hand = [0.5 * go * STAY * go * (1 - STAY) * STOP, 0.5 * STOP]
    torch.testing.assert_close(found.exp(), torch.tensor(by_hand, dtype=found.dtype), rtol=1e-5, atol=0)


def test_samples_of_a_chain_have_its_table_and_its_entropy() -> None:
    torch.manual_seed(1)
    chain = Chain()
    said = chain.drawn_sentences(4000, longest=400)
    pairs = said.mask[:, 1:]
    stays = (said.words[:, 1:] == said.words[:, :-1])[pairs].double()
    assert stays.mean().item() == pytest.approx(STAY, abs=5 * math.sqrt(STAY * (1 - STAY) / len(stays)))
    lengths = said.mask.sum(1).double()
    assert lengths.min() >= 1
    assert lengths.mean().item() == pytest.approx(1 / STOP, abs=5 / STOP / math.sqrt(4000))
    step = -sum(p * math.log(p) for p in ((1 - STOP) * STAY, (1 - STOP) * (1 - STAY), STOP))
    surprise = -chain.log_prob(cloud_of(said))
    expected = math.log(2) + lengths.mean().item() * step
    assert surprise.mean().item() == pytest.approx(expected, abs=5 * surprise.std().item() / math.sqrt(4000))


def test_a_language_learns_the_entropy_of_a_chain() -> None:
    """0.325083 nats a word of a chain that stays with 0.9."""
    torch.manual_seed(4)
    words = torch.empty(512, 24, dtype=torch.long)
    words[:, 0] = torch.randint(2, (512,))
    for place in range(1, 24):
        words[:, place] = words[:, place - 1] ^ (torch.rand(512) > STAY)
    batch = cloud_of(Sentences(words, torch.ones_like(words, dtype=torch.bool))).to(dtype=torch.float32)
    model = JetGPT(SPEC, bins=(2, 2, 2), width=16, depth=1, heads=2, dropout=0.0)
    model.words_of = lambda batch: batch.x[..., 0].long()  # type: ignore[method-assign]
    optimiser = torch.optim.Adam(model.parameters(), lr=1e-2)
    for _ in range(120):
        optimiser.zero_grad()
        loss = -model.log_probabilities(batch).view(512, 25)[:, 1:24].mean()
        loss.backward()
        optimiser.step()
    truth = -torch.where(words[:, 1:] == words[:, :-1], math.log(STAY), math.log(1 - STAY)).mean().item()
    assert truth == pytest.approx(0.325083, abs=0.03)
    assert truth - 0.01 < loss.item() < truth + 0.03


def test_probabilities_of_all_next_words_add_up_to_one(model: JetGPT, batch: Batch) -> None:
    sentences = model._sentences(batch, torch.arange(batch.mask.shape[1]).expand(batch.mask.shape))
    logits = model.next_word(model.heard(sentences))
    assert logits.shape[-1] == 10 * 8 * 8 + 1
    torch.testing.assert_close(logits.softmax(-1).sum(-1), torch.ones(logits.shape[:2], dtype=logits.dtype))


def test_what_is_softer_does_not_change_what_was_said_before(model: JetGPT, batch: Batch) -> None:
    jet = batch.select(batch.mask.sum(1).argsort(descending=True)[:1])
    softest = jet.p4[0, :, 1:3].norm(dim=1).masked_fill(~jet.mask[0], torch.inf).argmin()  # type: ignore[index]
    mask = jet.mask.clone()
    mask[0, softest] = False
    whole, without = model.log_probabilities(jet), model.log_probabilities(jet.with_cloud(mask=mask))
    torch.testing.assert_close(without[:-1], whole[:-2], rtol=1e-9, atol=1e-12)
    assert not torch.isclose(without[-1], whole[-2])


def test_a_particle_comes_back_from_its_bin_within_half_of_it(model: JetGPT, batch: Batch) -> None:
    model.learn_words([batch])
    for number, (place, edges) in enumerate(zip(model._places, model.edges, strict=True)):
        values = batch.x[..., place][batch.mask]
        inside = (values > edges[0]) & (values < edges[-1])
        assert inside.sum() > 20
        at = model._bins(model.words_of(batch))[number][batch.mask]
        back = model.within(number, at, torch.full(at.shape, 0.5))
        half = (edges[1] - edges[0]).item() / 2
        assert (back - values)[inside].abs().max().item() <= half * (1 + 1e-6)
        assert ((at >= 0) & (at <= len(edges))).all()


def test_word_by_word_it_hears_what_it_hears_at_once(model: JetGPT, batch: Batch) -> None:
    words = model.words_of(batch)
    mask = torch.ones_like(words, dtype=torch.bool)
    at_once = model.heard(Sentences(words, mask))
    token, memories = model.after(None, [None, None])
    torch.testing.assert_close(token, at_once[:1, 0], rtol=0, atol=1e-12)
    memories = [memory.select(torch.zeros(len(words), dtype=torch.long)) for memory in memories]
    for place in range(words.shape[1]):
        token, memories = model.after(words[:, place], memories)
        torch.testing.assert_close(token, at_once[:, place + 1], rtol=0, atol=1e-12)


def test_drawn_particles_lie_in_the_bins_of_their_words(model: JetGPT, batch: Batch) -> None:
    torch.manual_seed(5)
    model.learn_words([batch])
    said = model.drawn_sentences(200, longest=6)
    particles = model.particles(said)
    x = torch.zeros(*said.words.shape, len(SPEC.features), dtype=torch.float64)
    x[..., model._places[0]] = (particles[..., 0].clamp(min=1e-9).log() - 1.7) * 0.7
    x[..., model._places[1]], x[..., model._places[2]] = particles[..., 1], particles[..., 2]
    inner = torch.ones_like(said.mask)
    for at, edges in zip(model._bins(said.words), model.edges, strict=True):
        inner &= (at > 0) & (at < len(edges))
    again = model.words_of(Batch.of(x, said.mask))
    agree = (again == said.words)[inner & said.mask]
    assert len(agree) > 100
    assert agree.double().mean() > 0.999
    assert not particles[~said.mask].any()


def test_too_few_edges_are_refused() -> None:
    with pytest.raises(JetkitError, match="two edges or more"):
        JetGPT(SPEC, bins=(1, 30, 30))


def test_the_published_language_has_39401_words() -> None:
    assert JetGPT(SPEC, width=8, depth=1, heads=1).words == 39_401
