from __future__ import annotations

import re

import numpy as np
import pytest

from jetkit.errors import JetkitError
from jetkit.physics import four_vectors as fv
from jetkit.physics.clustering import ANTI_KT, CAMBRIDGE, cluster, constituents, inclusive_jets
from jetkit.physics.grooming import soft_drop


def test_two_prongs_pass_below_their_momentum_fraction(two_prongs):
    groomed = soft_drop(*two_prongs, z_cut=0.29)
    found = [groomed.mass[0], groomed.symmetry[0], groomed.delta_r[0]]
    np.testing.assert_allclose(found, [8.257057, 0.3, 0.1802776], rtol=1e-6)


def test_the_hardest_particle_is_left_above_their_momentum_fraction(two_prongs):
    groomed = soft_drop(*two_prongs, z_cut=0.31)
    found = [groomed.mass[0], groomed.pt[0], groomed.symmetry[0], groomed.delta_r[0]]
    np.testing.assert_allclose(found, [0.0, 70.0, -1.0, -1.0], atol=1e-6)


@pytest.mark.parametrize("beta", [0.5, 1.0, 2.0])
def test_the_condition_falls_with_the_angle_as_beta_says(two_prongs, beta):
    at_threshold = 0.3 / (0.1802776 / 0.8) ** beta
    assert soft_drop(*two_prongs, beta=beta, z_cut=0.99 * at_threshold).symmetry[0] > 0
    assert soft_drop(*two_prongs, beta=beta, z_cut=1.01 * at_threshold).symmetry[0] == -1


@pytest.mark.parametrize(("beta", "z_cut"), [(0.0, 0.1), (0.0, 0.4), (1.0, 0.2), (2.0, 1.0), (-1.0, 0.05)])
def test_agrees_with_fastjet(cambridge, jets, beta, z_cut):
    theirs = cambridge.exclusive_jets_softdrop_grooming(
        njets=1, beta=beta, symmetry_cut=z_cut, symmetry_measure="scalar_z", R0=0.8, recursion_choice="larger_pt"
    )
    groomed = soft_drop(*jets, beta=beta, z_cut=z_cut, R0=0.8)
    for ours, name in (
        (groomed.mass, "m"),
        (groomed.pt, "pt"),
        (groomed.delta_r, "deltaR"),
        (groomed.symmetry, "symmetry"),
    ):
        np.testing.assert_allclose(ours, np.ravel(theirs[f"{name}softdrop"]), rtol=1e-9, atol=1e-6, err_msg=name)


@pytest.mark.parametrize(("name", "power", "cut"), [("softdrop", ANTI_KT, (2.0, 0.1)), ("mmdt", CAMBRIDGE, (0.0, 0.1))])
def test_agrees_with_the_printed_example_of_fastjet_contrib(event, reference_text, name, power, cut):
    trees = cluster(event, np.array([0, len(event)]), power=power, radius=1.0)
    leaves, offsets = constituents(trees, inclusive_jets(trees)[0][:3])
    groomed = soft_drop(trees.p4[leaves], offsets, beta=cut[0], z_cut=cut[1], R0=1.0)
    found = np.stack([groomed.pt, groomed.mass, fv.rapidity(groomed.p4), groomed.delta_r, groomed.symmetry])
    text = reference_text(f"RecursiveTools/example_{name}.ref")
    jets = re.findall(r"(?:SoftDropped|tagged)\s+jet:  pt = (\S+) m = (\S+) y = (\S+)", text)
    splittings = re.findall(r"subjets: (\S+)\s+symmetry measure\(z\):\s+(\S+)", text)
    np.testing.assert_allclose(found.T, np.hstack([jets, splittings]).astype(float), rtol=1e-5)


def test_groomed_mass_of_real_jets_is_the_stored_one(jetclass2):
    columns = [np.concatenate(jetclass2[f"part_{c}"].to_numpy()) for c in ("energy", "px", "py", "pz")]
    lengths = [len(jet) for jet in jetclass2["part_px"].to_numpy()]
    groomed = soft_drop(np.stack(columns, axis=1), np.concatenate([[0], np.cumsum(lengths)]))
    stored = jetclass2["jet_sdmass"].to_numpy()
    assert abs(np.median(groomed.mass / stored) - 1) < 0.01


def test_a_jet_without_particles_has_no_momentum():
    groomed = soft_drop(np.zeros((0, 4)), np.array([0, 0]))
    assert (groomed.mass[0], groomed.pt[0], groomed.delta_r[0], groomed.symmetry[0]) == (0, 0, -1, -1)


def test_wrong_radius_is_refused(two_prongs):
    with pytest.raises(JetkitError, match="R0 should be positive"):
        soft_drop(*two_prongs, R0=0.0)
