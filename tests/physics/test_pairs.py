from __future__ import annotations

import math

import numpy as np
import pytest
import torch

from jetkit.physics.lund import lund_declusterings
from jetkit.physics.pairs import pair_kinematics


def slow_pair(a, b):
    y = [0.5 * math.log(1 + 2 * p[3] / max(p[0] - p[3], 1e-20)) for p in (a, b)]
    dphi = abs(math.atan2(a[2], a[1]) - math.atan2(b[2], b[1]))
    delta = math.hypot(y[0] - y[1], min(dphi, 2 * math.pi - dphi))
    pt = [math.hypot(p[1], p[2]) for p in (a, b)]
    mass2 = (a[0] + b[0]) ** 2 - sum((a[c] + b[c]) ** 2 for c in (1, 2, 3))
    return [math.log(max(x, 1e-8)) for x in (min(pt) * delta, min(pt) / sum(pt), delta, mass2)]


@pytest.mark.parametrize("convert", [np.asarray, torch.as_tensor])
def test_every_pair_is_as_in_the_loop(jets, convert):
    p4 = jets[0][:12]
    expected = [[slow_pair(a, b) for b in p4] for a in p4]
    np.testing.assert_allclose(np.asarray(pair_kinematics(convert(p4))), expected, rtol=1e-9)


def test_pairs_are_symmetric(jets):
    pairs = pair_kinematics(jets[0][:30].reshape(3, 10, 4))
    np.testing.assert_array_equal(pairs, pairs.swapaxes(1, 2))


def test_first_three_are_the_lund_coordinates_of_two_particles(two_prongs):
    splitting = lund_declusterings(*two_prongs)
    lund = np.log([splitting.kt[0], splitting.z[0], splitting.delta[0]])
    np.testing.assert_allclose(pair_kinematics(two_prongs[0])[0, 1, :3], lund, rtol=1e-12)


def test_scaling_all_momenta_shifts_only_kt_and_mass(jets):
    p4 = jets[0][6:12]
    apart = ~np.eye(6, dtype=bool)
    shift = (pair_kinematics(3 * p4) - pair_kinematics(p4))[apart]
    np.testing.assert_allclose(shift, np.broadcast_to(np.log([3, 1, 1, 9]), shift.shape), atol=1e-6)


def test_gradient_is_finite_with_padding_and_on_the_diagonal(jets):
    x = torch.tensor(np.concatenate([jets[0][:5], np.zeros((2, 4))]), requires_grad=True)
    pair_kinematics(x).sum().backward()
    assert torch.isfinite(x.grad).all()


@pytest.mark.parametrize("eta", [-14.0, -8.0, -5.0, 5.0, 8.0, 14.0])
def test_particles_along_the_beam_are_finite_and_true_in_single_precision(eta):
    one, other = (
        np.array([pt * math.cosh(y), pt * math.cos(phi), pt * math.sin(phi), pt * math.sinh(y)])
        for pt, y, phi in ((0.04, eta, 1.0), (150.0, 0.8 * eta, 1.1))
    )
    pairs = pair_kinematics(np.stack([one, other]).astype(np.float32))
    true = math.log(0.04 * math.hypot(0.2 * eta, 0.1)), math.log(math.hypot(0.2 * eta, 0.1))
    assert np.isfinite(pairs).all()
    np.testing.assert_allclose(pairs[0, 1, [0, 2]], true, atol=0.05 if abs(eta) < 10 else 1.5)


def test_agrees_with_weaver(jets):
    transformer = pytest.importorskip("weaver.nn.model.ParticleTransformer")
    p4 = torch.as_tensor(jets[0][:20])
    i, j = torch.meshgrid(torch.arange(20), torch.arange(20), indexing="ij")
    xyze = p4[:, [1, 2, 3, 0]]
    theirs = transformer.pairwise_lv_fts_pp(xyze[i.flatten()], xyze[j.flatten()]).reshape(20, 20, 4)
    np.testing.assert_allclose(pair_kinematics(p4).numpy(), theirs.numpy(), rtol=1e-9, atol=1e-9)
