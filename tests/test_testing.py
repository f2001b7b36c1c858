"""The checks of models can themselves fail, and their jets are what they say."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import nn

from jetkit.data.features import FEATURE_SETS, particle_features
from jetkit.data.kinematics import with_features
from jetkit.data.spec import SetSpec, Spec, TargetSpec
from jetkit.errors import JetkitError
from jetkit.physics import four_vectors as fv
from jetkit.testing import SYMMETRIES, assert_broken, assert_invariant, random_batch
from jetkit.testing.random_batch import PION_MASS

SPEC = Spec.of(
    features=tuple(feature.name for feature in FEATURE_SETS["full"]),
    row=("jet_pt", "jet_eta", "jet_phi", "jet_energy", "jet_mass"),
    classes=("QCD", "W", "top"),
)
QUANTITIES = {
    "permutation": {"sum of x": lambda batch: batch.x.sum(1)},
    "padding": {"real particles": lambda batch: batch.mask.sum(1)},
    "soft": {"jet": lambda batch: batch.row},
    "collinear": {"jet": lambda batch: batch.row, "scalar pT": lambda batch: fv.pt(batch.p4).sum(1)},
    "rotation-about-beam": {"features": lambda batch: batch.x, "jet_pt": lambda batch: batch.row[:, 0]},
    "boost-along-beam": {"pT": lambda batch: fv.pt(batch.p4), "dphi": lambda batch: batch.x[..., -1]},
    "lorentz": {"jet_mass": lambda batch: batch.row[:, 4]},
}
"""Change → quantities that it keeps."""
MOVED = {
    "permutation": lambda batch: batch.x[:, 0],
    "padding": lambda batch: torch.tensor(float(batch.mask.shape[1])),
    "soft": lambda batch: batch.mask.sum(1),
    "collinear": lambda batch: batch.mask.sum(1),
    "rotation-about-beam": lambda batch: batch.row[:, 2],
    "boost-along-beam": lambda batch: batch.row[:, 1],
    "lorentz": lambda batch: batch.row[:, 0],
}
"""Change → what it alters."""


class Sum(nn.Module):
    """A model that adds the features of all places, padded ones included."""

    spec = SPEC

    def forward(self, batch):
        return batch.x.sum(1)


@pytest.fixture(scope="module")
def batch():
    return random_batch(SPEC, jets=40, particles=(1, 30), seed=3)


def stored_columns(batch):
    """The columns of a dataset that holds these jets, and the number of particles of each."""
    E, px, py, pz = batch.p4[batch.mask].float().T.numpy()
    names = ("part_charge", "part_isChargedHadron", "part_isNeutralHadron", "part_isPhoton", "part_isElectron")
    columns = dict(zip(("part_energy", "part_px", "part_py", "part_pz"), (E, px, py, pz), strict=True))
    return columns | {name: np.zeros(len(E), np.float32) for name in names}, batch.mask.sum(1).numpy()


def test_features_are_those_of_the_datasets(batch) -> None:
    kin = Spec.of(tuple(feature.name for feature in FEATURE_SETS["kin"]), classes=SPEC.classes)
    expected = particle_features(*stored_columns(batch), "kin").T
    np.testing.assert_allclose(with_features(batch, kin).x[batch.mask], expected, atol=1e-5)


def test_jets_are_ordered_clouds_of_pions(batch) -> None:
    assert batch.x.dtype == batch.p4.dtype == torch.float64
    assert not batch.p4[~batch.mask].any()
    assert not batch.x[~batch.mask].any()
    np.testing.assert_allclose(fv.mass(batch.p4[batch.mask]), PION_MASS, atol=1e-9)
    assert (fv.pt(batch.p4).diff(dim=1) <= 1e-9).all()
    assert ((batch.row[:, 0] > 1) & (batch.row[:, 0] < 3000)).all()


def test_identities_are_one_hot_and_agree_with_the_charge(batch) -> None:
    x = dict(zip(SPEC.features, batch.x[batch.mask].T, strict=True))
    flags = [x[f"part_is{name}"] for name in ("ChargedHadron", "NeutralHadron", "Photon", "Electron", "Muon")]
    assert torch.equal(torch.stack(flags).sum(0), torch.ones(len(flags[0]), dtype=torch.float64))
    assert torch.equal(x["part_charge"].abs(), flags[0] + flags[3] + flags[4])


def test_a_seed_gives_the_same_jets_again() -> None:
    first, second, other = (random_batch(SPEC, seed=seed) for seed in (1, 1, 2))
    assert torch.equal(first.x, second.x)
    assert not torch.equal(first.x[:, 0], other.x[:, 0])


@pytest.mark.parametrize("change", SYMMETRIES)
def test_a_change_keeps_what_it_should_and_alters_the_rest(batch, change) -> None:
    changed = SYMMETRIES[change](batch, SPEC, np.random.default_rng(5))
    for name, quantity in QUANTITIES[change].items():
        torch.testing.assert_close(quantity(changed), quantity(batch), rtol=1e-8, atol=1e-7, msg=name)
    assert not torch.equal(MOVED[change](changed), MOVED[change](batch))


@pytest.mark.parametrize("change", ["soft", "collinear"])
def test_new_particles_keep_the_order_of_pt(batch, change) -> None:
    changed = SYMMETRIES[change](batch, SPEC, np.random.default_rng(5))
    assert (fv.pt(changed.p4).diff(dim=1) <= 0).all()
    assert (changed.mask.long().diff(dim=1) <= 0).all()


def test_what_should_not_change_and_does_is_told(batch) -> None:
    with pytest.raises(AssertionError, match="Sum should not notice padding: its output changes by"):
        assert_invariant(Sum(), batch, "padding")


def test_what_should_change_and_does_not_is_told(batch) -> None:
    with pytest.raises(AssertionError, match="Sum should notice permutation: its output changes by"):
        assert_broken(Sum(), batch, "permutation")


def test_an_output_that_is_no_number_passes_no_check(batch) -> None:
    model = Sum()
    model.forward = lambda batch: batch.x.sum(1) * torch.nan
    for check in (assert_invariant, assert_broken):
        with pytest.raises(AssertionError):
            check(model, batch, "permutation")


def test_an_unknown_change_is_refused(batch) -> None:
    with pytest.raises(JetkitError, match="unknown change 'parity': choose one of permutation, padding"):
        assert_invariant(Sum(), batch, "parity")


def test_features_that_momenta_do_not_fix_are_random_and_stay() -> None:
    spec = Spec.of(features=("part_deta", "part_depth"), row=("jet_pt", "jet_sdmass"), classes=("QCD", "top"))
    batch = random_batch(spec, jets=5)
    again = with_features(batch.with_cloud(p4=batch.p4 * 2), spec)
    assert len(set(batch.row[:, 1].tolist())) == 5
    assert torch.equal(again.row[:, 1], batch.row[:, 1])
    torch.testing.assert_close(again.row[:, 0], 2 * batch.row[:, 0])


EVENTS = Spec(
    {"hit": SetSpec(("hit_x", "hit_y")), "particle": SetSpec(("particle_z",), p4=True)},
    row=("event_met",),
    arrays={"event_image": (2, 3)},
    targets={
        "label": TargetSpec("class", classes=("QCD", "top")),
        "hit_kind": TargetSpec("class", of="hit", classes=("a", "b", "c", "d")),
        "particle_vertex": TargetSpec("index", of="particle"),
        "event_mass": TargetSpec("real"),
        "event_good": TargetSpec("flag"),
    },
    links=(("hit", "particle"),),
)


def test_a_batch_holds_all_that_the_spec_names() -> None:
    events = random_batch(EVENTS, jets=50, particles=(2, 6), seed=1)
    assert {name: cloud.x.shape[2] for name, cloud in events.sets.items()} == {"hit": 2, "particle": 1}
    assert events.p4 is None
    assert fv.mass2(events.sets["particle"].p4[events.sets["particle"].mask]).min() > 0
    assert not events.x[~events.mask].any()
    assert (events.row.shape, events.arrays["event_image"].shape) == ((50, 1), (50, 2, 3))
    assert set(events.targets["event_good"].tolist()) == {False, True}
    assert events.targets["event_mass"].std() > 0.5
    kind = events.cloud.targets["hit_kind"]
    assert (kind.shape, set(kind.flatten().tolist())) == (events.mask.shape, {0, 1, 2, 3})
    assert set(events.sets["particle"].targets["particle_vertex"].flatten().tolist()) == {0, 1, 2}


def test_links_lead_to_objects_that_exist_or_to_none() -> None:
    events = random_batch(EVENTS, jets=50, particles=(2, 6), seed=1)
    link, there = events.links["hit", "particle"], events.sets["particle"].mask
    assert (link[~events.mask] == -1).all()
    assert (link == -1).any()
    assert there.gather(1, link.clamp(min=0))[link >= 0].all()
    assert (link.max(1).values < there.sum(1)).all()


def test_a_plain_table_has_rows_alone() -> None:
    table = random_batch(Spec(row=("a", "b")), jets=7)
    assert not table.sets
    assert table.row.shape == (7, 2)
    with pytest.raises(JetkitError, match="plain table"):
        SYMMETRIES["permutation"](table, Spec(row=("a", "b")), np.random.default_rng(0))


def test_objects_without_momenta_are_permuted_and_padded_with_what_is_to_be_learned_of_them() -> None:
    events = random_batch(EVENTS, jets=8, particles=(2, 6), seed=1)
    permuted = SYMMETRIES["permutation"](events, EVENTS, np.random.default_rng(2))
    assert not torch.equal(permuted.x, events.x)
    assert torch.equal(permuted.mask, events.mask)
    pairs = [torch.cat([batch.x, batch.cloud.targets["hit_kind"][..., None]], 2) for batch in (events, permuted)]
    for row, mask in enumerate(events.mask):
        before, after = ({tuple(values) for values in pair[row][mask].tolist()} for pair in pairs)
        assert before == after
    padded = SYMMETRIES["padding"](events, EVENTS, np.random.default_rng(2))
    assert padded.mask.shape[1] == events.mask.shape[1] + 3
    assert torch.equal(padded.x[padded.mask], events.x[events.mask])
    assert (padded.x[:, -3:] == 99).all()


@pytest.mark.parametrize("change", [name for name in SYMMETRIES if name not in ("permutation", "padding")])
def test_changes_of_momenta_need_some(change) -> None:
    events = random_batch(EVENTS, jets=3, seed=1)
    with pytest.raises(JetkitError, match="needs four-momenta"):
        SYMMETRIES[change](events, EVENTS, np.random.default_rng(2))
