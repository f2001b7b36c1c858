"""OmniJet: its words are the codes of its tokeniser, which stays as it was trained."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import torch

from jetkit.data.batch import Batch
from jetkit.data.features import FEATURE_SETS
from jetkit.data.spec import Spec
from jetkit.errors import JetkitError
from jetkit.models import OmniJet
from jetkit.models.jet_language import Sentences
from jetkit.models.vq_vae import VQVAE
from jetkit.tasks.omnijet import OmniJetPretext
from jetkit.testing import random_batch

SPEC = Spec.of(tuple(feature.name for feature in FEATURE_SETS["kin"]), classes=("QCD", "top"))
SIZES = {"width": 16, "depth": 1, "heads": 2, "latent": 4, "codes": 8}


@pytest.fixture
def batch() -> Batch:
    return random_batch(SPEC, jets=5, particles=(2, 15), seed=4).to(dtype=torch.float32)


@pytest.fixture
def tokeniser(batch: Batch) -> Iterator[VQVAE]:
    torch.manual_seed(1)
    made = VQVAE(SPEC, **SIZES)
    made.standard.fit(made.values(batch)[batch.mask])
    made.quantiser.start(made.latent(batch))
    return made.eval()


@pytest.fixture
def model() -> OmniJet:
    torch.manual_seed(2)
    return OmniJet(SPEC, tokeniser=SIZES, width=16, depth=1, heads=2)


def test_its_words_are_the_codes_of_the_tokeniser_it_took(model: OmniJet, tokeniser: VQVAE, batch: Batch) -> None:
    model.take_tokeniser(tokeniser)
    assert torch.equal(model.words_of(batch), tokeniser.codes(batch))
    assert model.words == 8


def test_a_sentence_becomes_what_the_decoder_makes_of_it(model: OmniJet, tokeniser: VQVAE, batch: Batch) -> None:
    model.take_tokeniser(tokeniser)
    particles = model.particles(Sentences(tokeniser.codes(batch), batch.mask))
    wanted = tokeniser.reconstructed(batch)
    log_pt = particles[..., 0][batch.mask].log()
    torch.testing.assert_close(log_pt, wanted[..., 0][batch.mask] / 0.7 + 1.7, rtol=1e-4, atol=1e-4)
    torch.testing.assert_close(particles[..., 1:], wanted[..., 1:3])


def test_the_tokeniser_does_not_learn(model: OmniJet, tokeniser: VQVAE, batch: Batch) -> None:
    task = OmniJetPretext(model, SPEC, parts={"tokeniser": tokeniser})
    task.train().loss(batch).total.backward()
    learned = {name for name, weight in task.named_parameters() if weight.grad is not None}
    assert not any("tokeniser" in name for name in learned)
    assert {"model.next_word.weight", "model.vectors.weight", "model.start"} <= learned
    assert torch.equal(model.tokeniser.quantiser.usage, tokeniser.quantiser.usage)


def test_a_tokeniser_of_other_features_or_sizes_is_refused(model: OmniJet) -> None:
    with pytest.raises(JetkitError, match="the tokeniser says part_deta"):
        model.take_tokeniser(VQVAE(Spec.of(("part_deta", "part_dphi"), classes=("QCD", "top")), **SIZES))
    with pytest.raises(JetkitError, match="other sizes"):
        model.take_tokeniser(VQVAE(SPEC, **(SIZES | {"codes": 9})))
