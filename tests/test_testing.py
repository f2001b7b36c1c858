"""The checks of models can themselves fail, and their jets are what they say."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import nn

from jetkit.data.cloud import CloudSpec
from jetkit.data.features import FEATURE_SETS, particle_features
from jetkit.data.kinematics import with_features
from jetkit.errors import JetkitError
from jetkit.physics import four_vectors as fv
from jetkit.testing import PION_MASS, SYMMETRIES, assert_broken, assert_invariant, random_cloud

SPEC = CloudSpec(
    features=tuple(feature.name for feature in FEATURE_SETS["full"]),
    jet_features=("jet_pt", "jet_eta", "jet_phi", "jet_energy", "jet_mass"),
    classes=("QCD", "W", "top"),
)
QUANTITIES = {
    "permutation": {"sum of x": lambda cloud: cloud.x.sum(1)},
    "padding": {"real particles": lambda cloud: cloud.mask.sum(1)},
    "soft": {"jet": lambda cloud: cloud.jet},
    "collinear": {"jet": lambda cloud: cloud.jet, "scalar pT": lambda cloud: fv.pt(cloud.p4).sum(1)},
    "rotation-about-beam": {"features": lambda cloud: cloud.x, "jet_pt": lambda cloud: cloud.jet[:, 0]},
    "boost-along-beam": {"pT": lambda cloud: fv.pt(cloud.p4), "dphi": lambda cloud: cloud.x[..., -1]},
    "lorentz": {"jet_mass": lambda cloud: cloud.jet[:, 4]},
}
"""Change → quantities that it keeps."""
MOVED = {
    "permutation": lambda cloud: cloud.x[:, 0],
    "padding": lambda cloud: torch.tensor(float(cloud.mask.shape[1])),
    "soft": lambda cloud: cloud.mask.sum(1),
    "collinear": lambda cloud: cloud.mask.sum(1),
    "rotation-about-beam": lambda cloud: cloud.jet[:, 2],
    "boost-along-beam": lambda cloud: cloud.jet[:, 1],
    "lorentz": lambda cloud: cloud.jet[:, 0],
}
"""Change → what it alters."""


class Sum(nn.Module):
    """A model that adds the features of all places, padded ones included."""

    spec = SPEC

    def forward(self, cloud):
        return cloud.x.sum(1)


@pytest.fixture(scope="module")
def cloud():
    return random_cloud(SPEC, jets=40, particles=(1, 30), seed=3)


def stored_columns(cloud):
    """The columns of a dataset that holds these jets, and the number of particles of each."""
    E, px, py, pz = cloud.p4[cloud.mask].float().T.numpy()
    names = ("part_charge", "part_isChargedHadron", "part_isNeutralHadron", "part_isPhoton", "part_isElectron")
    columns = dict(zip(("part_energy", "part_px", "part_py", "part_pz"), (E, px, py, pz), strict=True))
    return columns | {name: np.zeros(len(E), np.float32) for name in names}, cloud.mask.sum(1).numpy()


def test_features_are_those_of_the_datasets(cloud) -> None:
    kin = CloudSpec(tuple(feature.name for feature in FEATURE_SETS["kin"]), classes=SPEC.classes)
    expected = particle_features(*stored_columns(cloud), "kin").T
    np.testing.assert_allclose(with_features(cloud, kin).x[cloud.mask], expected, atol=1e-5)


def test_jets_are_ordered_clouds_of_pions(cloud) -> None:
    assert cloud.x.dtype == cloud.p4.dtype == torch.float64
    assert not cloud.p4[~cloud.mask].any()
    assert not cloud.x[~cloud.mask].any()
    np.testing.assert_allclose(fv.mass(cloud.p4[cloud.mask]), PION_MASS, atol=1e-9)
    assert (fv.pt(cloud.p4).diff(dim=1) <= 1e-9).all()
    assert ((cloud.jet[:, 0] > 1) & (cloud.jet[:, 0] < 3000)).all()


def test_identities_are_one_hot_and_agree_with_the_charge(cloud) -> None:
    x = dict(zip(SPEC.features, cloud.x[cloud.mask].T, strict=True))
    flags = [x[f"part_is{name}"] for name in ("ChargedHadron", "NeutralHadron", "Photon", "Electron", "Muon")]
    assert torch.equal(torch.stack(flags).sum(0), torch.ones(len(flags[0]), dtype=torch.float64))
    assert torch.equal(x["part_charge"].abs(), flags[0] + flags[3] + flags[4])


def test_a_seed_gives_the_same_jets_again() -> None:
    first, second, other = (random_cloud(SPEC, seed=seed) for seed in (1, 1, 2))
    assert torch.equal(first.x, second.x)
    assert not torch.equal(first.x[:, 0], other.x[:, 0])


@pytest.mark.parametrize("change", SYMMETRIES)
def test_a_change_keeps_what_it_should_and_alters_the_rest(cloud, change) -> None:
    changed = SYMMETRIES[change](cloud, SPEC, np.random.default_rng(5))
    for name, quantity in QUANTITIES[change].items():
        torch.testing.assert_close(quantity(changed), quantity(cloud), rtol=1e-8, atol=1e-7, msg=name)
    assert not torch.equal(MOVED[change](changed), MOVED[change](cloud))


@pytest.mark.parametrize("change", ["soft", "collinear"])
def test_new_particles_keep_the_order_of_pt(cloud, change) -> None:
    changed = SYMMETRIES[change](cloud, SPEC, np.random.default_rng(5))
    assert (fv.pt(changed.p4).diff(dim=1) <= 0).all()
    assert (changed.mask.long().diff(dim=1) <= 0).all()


def test_what_should_not_change_and_does_is_told(cloud) -> None:
    with pytest.raises(AssertionError, match="Sum should not notice padding: its output changes by"):
        assert_invariant(Sum(), cloud, "padding")


def test_what_should_change_and_does_not_is_told(cloud) -> None:
    with pytest.raises(AssertionError, match="Sum should notice permutation: its output changes by"):
        assert_broken(Sum(), cloud, "permutation")


def test_an_output_that_is_no_number_passes_no_check(cloud) -> None:
    model = Sum()
    model.forward = lambda cloud: cloud.x.sum(1) * torch.nan
    for check in (assert_invariant, assert_broken):
        with pytest.raises(AssertionError):
            check(model, cloud, "permutation")


def test_an_unknown_change_is_refused(cloud) -> None:
    with pytest.raises(JetkitError, match="unknown change 'parity': choose one of permutation, padding"):
        assert_invariant(Sum(), cloud, "parity")


def test_features_that_momenta_do_not_fix_are_random_and_stay() -> None:
    spec = CloudSpec(
        features=("part_deta", "part_depth"), jet_features=("jet_pt", "jet_sdmass"), classes=("QCD", "top")
    )
    cloud = random_cloud(spec, jets=5)
    again = with_features(cloud.replace(p4=cloud.p4 * 2), spec)
    assert len(set(cloud.jet[:, 1].tolist())) == 5
    assert torch.equal(again.jet[:, 1], cloud.jet[:, 1])
    torch.testing.assert_close(again.jet[:, 0], 2 * cloud.jet[:, 0])


def test_a_spec_with_targets_is_refused() -> None:
    with pytest.raises(JetkitError, match="random_cloud has no targets"):
        random_cloud(CloudSpec(features=("part_deta",), classes=("QCD", "top"), targets=("jet_mass",)))
