"""LundNet: its tree, its sizes, and its layers by hand."""

from __future__ import annotations

import math

import pytest
import torch
from torch.nn import functional as F

from jetkit.config import ConfigError
from jetkit.data.batch import Batch
from jetkit.data.spec import Spec
from jetkit.models.lund_net import LundNet
from jetkit.observables.lund_splittings import lund_splittings
from jetkit.physics import four_vectors as fv
from jetkit.registry import create
from jetkit.tasks.classify import Classify
from jetkit.testing import assert_broken, assert_invariant, random_batch

SPEC = Spec.of(("part_deta",), classes=("QCD", "top"))
NAMES = ("ln_z", "ln_delta", "ln_kt")
LUNDNET5 = ("ln_z", "ln_delta", "psi", "ln_mass", "ln_kt")


def jets(*particles: list[tuple[float, float, float]]) -> Batch:
    """Massless particles (pT, η, φ), the jets padded with 7."""
    longest = max(map(len, particles))
    p4 = torch.full((len(particles), longest, 4), 7.0, dtype=torch.float64)
    mask = torch.zeros(len(particles), longest, dtype=torch.bool)
    for row, jet in enumerate(particles):
        pt, eta, phi = torch.tensor(jet, dtype=torch.float64).T
        p4[row, : len(jet)] = fv.from_ptetaphim(pt, eta, phi, torch.zeros_like(pt))
        mask[row, : len(jet)] = True
    return Batch.of(x=torch.zeros(*mask.shape, 1, dtype=torch.float64), mask=mask, p4=p4)


SPRAY = [(90 * 0.85**i, 0.4 * math.sin(1.7 * i), 0.4 * math.cos(2.3 * i)) for i in range(30)]
ALONE = [(50.0, 0.0, 0.0)]
PAIR = [(70.0, 0.0, 0.0), (30.0, 0.1, 0.15)]
TWO_PAIRS = [(60.0, 0.0, 0.0), (40.0, 0.0, 0.01), (30.0, 0.5, 0.0), (20.0, 0.5, 0.02)]


@pytest.mark.parametrize(("coordinates", "count"), [(NAMES, 391_528), (LUNDNET5, 391_724)])
def test_parameters_are_as_many_as_published(coordinates, count) -> None:
    model = LundNet(SPEC, coordinates=coordinates)
    assert Classify(model, SPEC).size == count


def test_the_first_splitting_is_that_of_the_authors_code() -> None:
    splittings = lund_splittings(jets(SPRAY), NAMES)
    assert splittings.x.shape == (29, 3)
    assert splittings.edges.shape == (2, 56)
    root = splittings.x[splittings.parent < 0]
    torch.testing.assert_close(root, torch.tensor([[-1.224503, -0.521445, 4.621737]]).double(), rtol=0, atol=1e-6)


def test_splittings_are_joined_to_those_that_they_make() -> None:
    splittings = lund_splittings(jets(ALONE, TWO_PAIRS, PAIR), NAMES)
    assert splittings.mask.tolist() == [[True, False, False], [True, True, True], [True, False, False]]
    assert splittings.parent.tolist() == [-1, -1, 1, 1, -1]
    assert splittings.edges.T.tolist() == [[1, 2], [1, 3], [2, 1], [3, 1]]


def test_coordinates_are_those_of_the_pairs() -> None:
    x = lund_splittings(jets(ALONE, TWO_PAIRS, PAIR), NAMES).x
    assert x[0].tolist() == [0, 0, 0]
    expected = [[math.log(z), math.log(delta), math.log(kt)] for z, delta, kt in [(0.4, 0.01, 0.4), (0.4, 0.02, 0.4)]]
    torch.testing.assert_close(x[2:4], torch.tensor(expected).double(), rtol=0, atol=1e-6)
    torch.testing.assert_close(x[4].exp(), torch.tensor([0.3, 0.1802776, 5.408327]).double(), rtol=1e-6, atol=0)


def test_splittings_below_the_cut_are_left_out() -> None:
    splittings = lund_splittings(jets(TWO_PAIRS, PAIR), NAMES, kt_min=5.0)
    assert splittings.mask.sum(1).tolist() == [1, 1]
    torch.testing.assert_close(splittings.x[1].exp()[2].item(), 5.408327, rtol=1e-6, atol=0)


@pytest.mark.parametrize("change", ["soft", "collinear"])
def test_with_a_cut_on_momentum_it_is_safe_and_without_it_is_not(change) -> None:
    batch = random_batch(SPEC, jets=8, particles=(2, 25), seed=11)
    torch.manual_seed(1)
    assert_invariant(LundNet(SPEC, kt_min=1.0), batch, change, 1e-8)
    assert_broken(LundNet(SPEC), batch, change, 1e-4)


def test_the_primary_plane_is_a_sequence() -> None:
    batch = random_batch(SPEC, jets=6, particles=(1, 20))
    splittings = lund_splittings(batch, NAMES, primary=True)
    starts = (splittings.mask.cumsum(1) == 1)[splittings.mask]
    assert torch.equal(splittings.parent, torch.arange(len(starts)).sub(1).masked_fill(starts, -1))


def test_scaled_momenta_shift_only_momentum_and_mass() -> None:
    batch = random_batch(SPEC, jets=6, particles=(2, 20))
    before = lund_splittings(batch, LUNDNET5).x
    after = lund_splittings(batch.with_cloud(p4=4 * batch.p4), LUNDNET5).x
    shift = torch.tensor([0, 0, 0, math.log(4), math.log(4)], dtype=torch.float64)
    torch.testing.assert_close(after, before + shift, rtol=0, atol=1e-9)


def test_two_splittings_by_hand() -> None:
    torch.manual_seed(1)
    model = LundNet(SPEC, widths=(8, 8), fusion=16, f=8).double().eval()
    with torch.no_grad():
        trio = [PAIR[0], PAIR[1], (10.0, 0.11, 0.15)]
        x = model.norm(lund_splittings(jets(trio), NAMES).x)
        outputs = []
        for block in model.blocks:
            other = x.flip(0)  # each of the two is the other's only neighbour
            message = F.relu(block.norms[0](block.layers[0](torch.cat([x, other - x], 1))))
            x = F.relu(block.shortcut(x) + F.relu(block.norms[1](block.layers[1](message))))
            outputs.append(x)
        expected = model.f(model.fusion(torch.cat(outputs, 1)).mean(0))
        torch.testing.assert_close(model(jets(ALONE, trio))[1], expected, rtol=1e-12, atol=1e-12)


def test_a_coordinate_that_is_none_is_refused() -> None:
    with pytest.raises(ConfigError, match="coordinates"):
        create("lund-net", SPEC, {"coordinates": ["ln_m"]})
