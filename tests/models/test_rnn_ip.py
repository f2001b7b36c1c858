"""RNNIP: the significance, the order and the end of the sequence of tracks."""

from __future__ import annotations

import pytest
import torch

from jetkit.data.batch import Batch, momentum_fractions
from jetkit.data.features import feature_names
from jetkit.data.spec import Spec
from jetkit.errors import JetkitError
from jetkit.models.rnn_ip import RNNIP, impact_significance
from jetkit.testing import random_batch

SPEC = Spec.of(feature_names("full"), classes=("light", "c", "b"))
PLACE = {name: place for place, name in enumerate(SPEC.features)}


@pytest.fixture(scope="module")
def model() -> RNNIP:
    torch.manual_seed(0)
    model = RNNIP(SPEC, width=8).double()
    model.norm.momentum = 1.0
    model.train()(random_batch(SPEC, jets=50))
    return model.eval()


def change(model: RNNIP, batch: Batch, other: Batch) -> float:
    with torch.no_grad():
        return float((model(other) - model(batch)).abs().max())


def tracks_by_hand(batch: Batch, length: int) -> torch.Tensor:
    """Tracks (T, 4) of the one jet of a batch, the most displaced first."""
    x = {name: batch.x[0, batch.mask[0], place] for name, place in PLACE.items()}
    s0, sz = (x[d].atanh() / x[f"{d}err"].clamp(min=1e-3) for d in ("part_d0", "part_dz"))
    rows = torch.stack([s0.asinh(), sz.asinh(), momentum_fractions(batch)[0, batch.mask[0]], s0 * 0], 1)
    rows[:, 3] = (x["part_deta"] ** 2 + x["part_dphi"] ** 2).sqrt()
    order = sorted(range(len(rows)), key=lambda i: -float(s0[i].abs()))
    return rows[[i for i in order if x["part_charge"][i] != 0][:length]]


def test_the_cell_is_applied_to_one_track_after_the_other(model: RNNIP) -> None:
    batch = random_batch(SPEC, jets=6, particles=(8, 60), seed=3)
    w, u, b, c = model.lstm.parameters()
    with torch.no_grad():
        for row, encoded in enumerate(model(batch)):
            state = memory = torch.zeros(8, dtype=torch.float64)
            for x in model.norm(tracks_by_hand(batch.select(slice(row, row + 1)), 15)):
                take, keep, new, show = (w @ x + b + u @ state + c).chunk(4)
                memory = keep.sigmoid() * memory + take.sigmoid() * new.tanh()
                state = show.sigmoid() * memory.tanh()
            torch.testing.assert_close(encoded, model.f(state), rtol=1e-9, atol=1e-9)


def test_the_order_of_tracks_matters(model: RNNIP, monkeypatch) -> None:
    batch = random_batch(SPEC, jets=1, particles=(30, 30))
    tracks = model.tracks(batch)
    with torch.no_grad():
        forward = model(batch)
        monkeypatch.setattr(model, "tracks", lambda _: tracks._replace(x=tracks.x.flip(0)))
        assert (model(batch) - forward).abs().max() > 1e-5


def test_only_the_most_displaced_tracks_are_seen(model: RNNIP) -> None:
    batch = random_batch(SPEC, jets=4, particles=(60, 60), seed=1)
    significance = impact_significance(batch.x[..., PLACE["part_d0"]], batch.x[..., PLACE["part_d0err"]]).abs()
    significance[batch.x[..., PLACE["part_charge"]] == 0] = -1
    rank = significance.argsort(1, descending=True).argsort(1)
    assert ((rank > 14) & (significance > 0)).any(1).all()
    others, last = batch.x.clone(), batch.x.clone()
    others[..., PLACE["part_dz"]][rank > 14] *= 0.5
    last[..., PLACE["part_dz"]][rank == 14] *= 0.5
    assert change(model, batch, batch.with_cloud(x=others)) == 0
    assert change(model, batch, batch.with_cloud(x=last)) > 1e-6


def test_neutral_particles_enter_by_their_momentum_alone(model: RNNIP) -> None:
    batch = random_batch(SPEC, jets=4, particles=(20, 20))
    x = batch.x.clone()
    x[..., :5] = 0
    x[x[..., PLACE["part_charge"]] == 0] = 0
    assert change(model, batch, batch.with_cloud(x=x)) == 0
    assert change(model, batch, batch.with_cloud(p4=batch.p4 * torch.rand(4, 20, 1))) > 1e-6


def test_a_jet_without_tracks_is_alike_in_every_batch(model: RNNIP) -> None:
    batch = random_batch(SPEC, jets=3, particles=(5, 40))
    batch.x[0, :, PLACE["part_charge"]] = 0
    with torch.no_grad():
        logits = model(batch)[:1]
        assert logits.isfinite().all()
        torch.testing.assert_close(model(batch.select(slice(0, 1))), logits, rtol=0, atol=1e-12)


def test_significances_are_finite_for_any_stored_number() -> None:
    stored = torch.tensor([-1.0, 0.0, 0.5, 1.0]).tanh().repeat(2)
    stored[3], stored[7] = 1.0, -1.0
    errors = torch.tensor([0.0, 0.0, 0.5, 1.0, 1.0, 0.1, 0.01, 0.0])
    found = impact_significance(stored, errors)
    assert found.isfinite().all()
    torch.testing.assert_close(found[[0, 2, 4, 6]], torch.tensor([-1000.0, 1.0, -1.0, 50.0]), rtol=1e-4, atol=0)


def test_it_needs_displacements() -> None:
    with pytest.raises(JetkitError, match="needs the features part_d0, part_d0err, part_dz, part_dzerr"):
        RNNIP(Spec.of(feature_names("kinpid"), classes=("light", "b")))
