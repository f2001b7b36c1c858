"""TopoDNN: the upright jet, by hand and by symmetry, and what the perceptron is given."""

from __future__ import annotations

import math

import pytest
import torch

from jetkit.data.spec import Spec
from jetkit.errors import JetkitError
from jetkit.models.topo_dnn import TopoDNN, upright
from jetkit.nn.hardest import hardest
from jetkit.physics import four_vectors as fv
from jetkit.testing import assert_broken, assert_invariant, random_batch

SPEC = Spec.of(("part_deta",), classes=("QCD", "top"))


@pytest.fixture(scope="module")
def batch():
    return random_batch(SPEC, jets=20, particles=(1, 45), seed=4)


def massless(pt, eta, phi):
    return fv.from_ptetaphim(pt, eta, phi, torch.zeros_like(pt))


def coordinates(p4):
    return fv.pt(p4), fv.eta(p4), fv.phi(p4)


def turned_by_angles(p4):
    """One jet, with the angle of the paper's recipe."""
    pt, eta, phi = coordinates(p4)
    dphi = torch.remainder(phi - phi[0] + math.pi, 2 * math.pi) - math.pi
    px, py, pz = pt * dphi.cos(), pt * dphi.sin(), pt * (eta - eta[0]).sinh()
    theta = math.atan2(py[1], pz[1]) + math.pi / 2
    py, pz = py * math.cos(theta) - pz * math.sin(theta), pz * math.cos(theta) + py * math.sin(theta)
    pt, eta, phi = torch.hypot(px, py), (pz / torch.hypot(px, py)).asinh(), torch.atan2(py, px)
    return torch.stack([pt, eta * (-1 if (pt * eta).sum() < 0 else 1), phi], -1)


def test_hidden_layers_and_one_output_have_the_published_parameters() -> None:
    hidden = sum(weight.numel() for weight in TopoDNN(SPEC).f.parameters())
    assert hidden + 6 + 1 == 59_323


def test_upright_equals_the_rotation_by_an_angle(batch) -> None:
    for p4, mask in zip(batch.p4, batch.mask, strict=True):
        if mask.sum() > 1:
            torch.testing.assert_close(upright(p4[mask][None])[0], turned_by_angles(p4[mask]), rtol=1e-9, atol=1e-9)


def test_first_lies_at_the_origin_second_below_and_most_momentum_at_positive_eta(batch) -> None:
    pt, eta, phi = upright(hardest(batch.p4, batch.mask, 30)).unbind(-1)
    zero = torch.zeros(len(batch), 2, dtype=torch.float64)
    torch.testing.assert_close(eta[:, :2], zero, rtol=0, atol=1e-12)
    torch.testing.assert_close(phi[:, 0], zero[:, 0], rtol=0, atol=1e-12)
    assert (phi[batch.mask.sum(1) > 1, 1] < 0).all()
    assert ((pt * eta).sum(1) >= 0).all()


@pytest.mark.parametrize(
    "change",
    [
        lambda pt, eta, phi: (pt, eta, phi + 2.0),
        lambda pt, eta, phi: (pt, eta + 0.7, phi),
        lambda pt, eta, phi: (pt, -eta, phi),
        lambda pt, eta, phi: (pt, eta, -phi),
    ],
    ids=["azimuth", "pseudorapidity", "mirrored-in-eta", "mirrored-in-phi"],
)
def test_a_shifted_or_mirrored_jet_is_the_same_upright(batch, change) -> None:
    jets = hardest(batch.p4, batch.mask, 30)
    changed = massless(*change(*coordinates(jets)))
    torch.testing.assert_close(upright(changed), upright(jets), rtol=0, atol=1e-11)


def test_a_rotated_jet_is_another_one(batch) -> None:
    jets = hardest(batch.p4, batch.mask, 30)
    pt, eta, phi = coordinates(jets)
    swapped = massless(pt, fv.delta_phi(phi, phi[:, :1]), eta)
    assert not torch.allclose(upright(swapped), upright(massless(pt, eta, phi)), atol=1e-3)


def test_second_particle_along_the_first_turns_nothing() -> None:
    pt, eta, phi = torch.tensor([[9.0, 8.0, 5.0], [0.0, 0.0, 0.2], [0.0, 0.0, 0.0]]).double()
    expected = [[9.0, 0.0, 0.0], [8.0, 0.0, 0.0], upright_below(5.0, 0.2)]
    torch.testing.assert_close(upright(massless(pt, eta, phi)[None])[0], torch.tensor(expected).double())


def upright_below(pt, eta):
    """Coordinates of a particle whose longitudinal momentum was turned to negative y."""
    return [pt * math.cosh(eta), 0.0, -math.atan(math.sinh(eta))]


def test_rows_of_zero_momentum_stay_zero(batch) -> None:
    assert (~batch.mask).any()
    assert not upright(batch.p4)[~batch.mask].any()


def test_network_sees_pt_in_units_of_the_scale(batch) -> None:
    model = TopoDNN(SPEC, scale=200.0).double()
    x = upright(hardest(batch.p4, batch.mask, 30)) * torch.tensor([1 / 200.0, 1.0, 1.0], dtype=torch.float64)
    torch.testing.assert_close(model(batch), model.f(x.flatten(1)), rtol=0, atol=1e-12)


def test_full_size_has_its_symmetries_and_no_safety() -> None:
    jets = random_batch(SPEC, jets=6, particles=(10, 20), seed=5)
    for change in ("permutation", "rotation-about-beam", "padding"):
        assert_invariant(TopoDNN(SPEC), jets, change, 1e-10)
    for change in ("soft", "collinear"):
        assert_broken(TopoDNN(SPEC), jets, change)


@pytest.mark.parametrize("values", [{"constituents": 1}, {"scale": 0.0}])
def test_sizes_that_make_no_sense_are_refused(values) -> None:
    with pytest.raises(JetkitError, match="topo-dnn needs constituents >= 2 and scale > 0"):
        TopoDNN(SPEC, **values)
