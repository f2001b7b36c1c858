from __future__ import annotations

import numpy as np
import pytest

from jetkit.errors import JetkitError
from jetkit.physics.subjettiness import n_subjettiness

THEIR_NAMES = {"one_pass_kt": "OnePass_KT_Axes", "kt": "KT_Axes", "wta_kt": "WTA_KT_Axes"}


@pytest.mark.parametrize(
    ("axes", "beta", "tau1"),
    [("wta_kt", 1.0, 0.067604), ("kt", 1.0, 0.09463), ("kt", 2.0, 0.010664), ("one_pass_kt", 1.0, 0.067634)],
)
def test_known_values_of_two_prongs(two_prongs, axes, beta, tau1):
    np.testing.assert_allclose(n_subjettiness(*two_prongs, beta=beta, axes=axes), [[tau1, 0, 0, 0]], rtol=6e-5)


def test_winner_takes_all_is_the_softer_fraction_times_the_angle(two_prongs):
    tau = n_subjettiness(*two_prongs, largest=1, R0=0.4, axes="wta_kt")
    assert tau[0, 0] == pytest.approx(0.3 * np.hypot(0.1, 0.15) / 0.4, rel=1e-12)


@pytest.mark.parametrize("axes", THEIR_NAMES)
@pytest.mark.parametrize(("beta", "tolerance"), [(1.0, 1e-9), (2.0, 1e-12)])
def test_agrees_with_fastjet_jet_by_jet(cambridge, jets, axes, beta, tolerance):
    theirs = their_taus(cambridge, axes, beta)
    np.testing.assert_allclose(n_subjettiness(*jets, beta=beta, axes=axes), theirs, rtol=tolerance, atol=1e-12)


@pytest.mark.parametrize("axes", THEIR_NAMES)
def test_agrees_with_fastjet_for_small_beta_up_to_particles_on_an_axis(cambridge, jets, axes):
    """For β = ½ a particle on an axis counts as (rounding)^β: 1e-8 of its momentum, not 1e-16."""
    np.testing.assert_allclose(n_subjettiness(*jets, beta=0.5, axes=axes), their_taus(cambridge, axes, 0.5), atol=1e-6)


def test_one_pass_never_ends_far_above_its_start(jets):
    start, end = n_subjettiness(*jets, axes="kt"), n_subjettiness(*jets, axes="one_pass_kt")
    assert (end <= start * 1.01 + 1e-6).all()
    assert (end < 0.99 * start).mean() > 0.5


def test_more_axes_than_particles_give_zero(jets):
    tau = n_subjettiness(*jets)
    assert not tau[0].any()
    assert not tau[1, 1:].any()
    assert tau[1, 0] > 0


def test_real_jets_have_the_stored_values(jetclass2):
    columns = [np.concatenate(jetclass2[f"part_{c}"].to_numpy()) for c in ("energy", "px", "py", "pz")]
    lengths = [len(jet) for jet in jetclass2["part_px"].to_numpy()]
    tau = n_subjettiness(np.stack(columns, axis=1), np.concatenate([[0], np.cumsum(lengths)]))
    for n in range(4):
        stored = jetclass2[f"jet_tau{n + 1}"].to_numpy()
        filled = stored > 0
        assert abs(np.median(tau[filled, n] / stored[filled]) - 1) < 0.015


def test_a_jet_without_particles_has_zero():
    assert n_subjettiness(np.zeros((0, 4)), np.array([0, 0])).tolist() == [[0.0] * 4]


def test_wrong_axes_and_parameters_are_refused(two_prongs):
    with pytest.raises(JetkitError, match="axes should be one of one_pass_kt, kt, wta_kt, got 'ca'"):
        n_subjettiness(*two_prongs, axes="ca")
    with pytest.raises(JetkitError, match="should be positive"):
        n_subjettiness(*two_prongs, beta=0.0)


def their_taus(sequence, axes, beta):
    taus = sequence.njettiness(
        measure_definition="NormalizedMeasure", axes_definition=THEIR_NAMES[axes], njets=[1, 2, 3, 4], beta=beta, R0=0.8
    )
    return np.asarray(taus).reshape(-1, 4)
