"""Codes of particles: what they depend on, and what is left of a jet that is said by them."""

from __future__ import annotations

import pytest
import torch

from jetkit.data.batch import Batch
from jetkit.data.features import FEATURE_SETS, NUMBERS
from jetkit.data.spec import Spec
from jetkit.errors import JetkitError
from jetkit.models.vq_vae import VQVAE
from jetkit.testing import random_batch

SPEC = Spec.of(tuple(feature.name for feature in FEATURE_SETS["full"]), classes=("QCD", "top"))


@pytest.fixture
def model() -> VQVAE:
    torch.manual_seed(2)
    made = VQVAE(SPEC, width=16, depth=2, heads=2, latent=4, codes=32).double()
    jets = random_batch(SPEC, jets=60, seed=5)
    made.standard.fit(made.values(jets)[jets.mask])
    with torch.no_grad():
        made.quantiser.start(made.latent(jets))
    return made.eval()


@pytest.fixture
def batch() -> Batch:
    return random_batch(SPEC, jets=9, particles=(1, 20), seed=3)


def test_permuted_particles_have_permuted_tokens_and_codes(model: VQVAE, batch: Batch) -> None:
    jet = batch.select(batch.mask.sum(1) == batch.mask.sum(1).max())
    turn = torch.randperm(int(jet.mask.sum(1)[0]))
    turned = jet.with_cloud(x=jet.x[:, turn], mask=jet.mask[:, turn], p4=None)
    torch.testing.assert_close(model.tokens(turned), model.tokens(jet)[:, turn], rtol=0, atol=1e-12)
    assert torch.equal(model.codes(turned), model.codes(jet)[:, turn])


def test_codes_know_neither_batch_nor_padding(model: VQVAE, batch: Batch) -> None:
    together = model.codes(batch)
    assert len(together.unique()) > 5
    assert torch.equal(together == -1, ~batch.mask)
    more = batch.with_cloud(
        x=torch.nn.functional.pad(batch.x, (0, 0, 0, 3), value=99.0),
        mask=torch.nn.functional.pad(batch.mask, (0, 3)),
        p4=None,
    )
    assert torch.equal(model.codes(more)[:, :-3], together)
    for row, count in enumerate(batch.mask.sum(1).tolist()):
        alone = batch.select(slice(row, row + 1)).cut(batch.mask[row : row + 1])
        assert torch.equal(model.codes(alone)[0], together[row, :count])


def test_what_it_does_not_give_back_it_does_not_see(model: VQVAE, batch: Batch) -> None:
    others = [place for place, name in enumerate(SPEC.features) if name not in NUMBERS]
    changed = batch.x.clone()
    changed[..., others] = 7.0
    assert torch.equal(model.tokens(batch.with_cloud(x=changed)), model.tokens(batch))


def test_particles_are_decoded_from_their_codes_alone_in_the_units_of_x(model: VQVAE, batch: Batch) -> None:
    codes = model.codes(batch)
    found = model.decoded(codes, batch.mask)
    assert found.shape == (*batch.mask.shape, 7)
    assert not found[~batch.mask].any()
    assert torch.equal(model.reconstructed(batch), found)
    made = model.autoencoded(batch)
    torch.testing.assert_close(model.standard.undone(made.found), found[batch.mask])
    torch.testing.assert_close(model.standard.undone(made.wanted), model.values(batch)[batch.mask])


def test_only_the_quantiser_counts_codes_and_only_in_training(model: VQVAE, batch: Batch) -> None:
    model.codes(batch)
    model.train().codes(batch)
    assert not model.quantiser.usage.any()
    model.autoencoded(batch)
    assert int(model.quantiser.usage.sum()) == int(batch.mask.sum())


def test_features_without_any_number_are_refused() -> None:
    with pytest.raises(JetkitError, match="vq-vae needs one of the features part_pt_log, part_deta"):
        VQVAE(Spec.of(("part_charge",), classes=("QCD", "top")))
