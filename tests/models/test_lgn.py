"""LGN: covariance of its layers, its invariance, the written-out sums over pairs, and the published sizes."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from jetkit.data.batch import Batch
from jetkit.data.spec import Spec
from jetkit.errors import JetkitError
from jetkit.models.lgn import LGN, VECTOR, CovariantLayer
from jetkit.models.lorentz_net import Nodes
from jetkit.nn.lorentz_irreps import Covariants, Irrep, dimension, products, vector_irrep
from jetkit.nn.minkowski import minkowski_square
from jetkit.nn.pair_tables import PairTables
from jetkit.physics.four_vectors import boost
from jetkit.tasks.classify import Classify
from jetkit.testing import assert_invariant, change_of_output, random_batch

SPEC = Spec.of(("part_deta", "part_dphi"), classes=("QCD", "top"))
IRREPS = [(0, 0), (0, 2), (1, 1), (2, 0), (2, 2)]
MASK = torch.arange(4) < torch.tensor([[4], [1], [3]])


def built(**hyperparameters) -> LGN:
    """Momenta of order 1, so that no irrep is negligible."""
    torch.manual_seed(3)
    return LGN(SPEC, scale=0.05, **hyperparameters).double().eval()


@pytest.fixture(scope="module")
def batch() -> Batch:
    return random_batch(SPEC, jets=6, particles=(2, 20), seed=8)


def lorentz_matrix(velocity: Tensor) -> Tensor:
    """A rotation, then a boost, as a matrix that acts on (E, px, py, pz)."""
    turn = torch.linalg.qr(torch.randn(3, 3, generator=torch.Generator().manual_seed(4), dtype=torch.float64)).Q
    turn = turn * torch.linalg.det(turn)
    return boost(torch.block_diag(torch.ones(1, 1, dtype=torch.float64), turn.T), velocity).T


VELOCITY = torch.tensor([0.3, -0.4, 0.2], dtype=torch.float64)


def action(matrix: Tensor, irrep: Irrep) -> Tensor:
    """Of a Lorentz transformation on an irrep, which is found among the products of four-vectors."""
    random = torch.randn(2, 40, 4, generator=torch.Generator().manual_seed(6), dtype=torch.float64)
    before, after = (
        dict(products(*({VECTOR: vector_irrep(p).unsqueeze(1)} for p in momenta), maxdim=3))
        | {VECTOR: vector_irrep(momenta[0]).unsqueeze(1)}
        for momenta in (random, random @ matrix.T)
    )
    return torch.linalg.lstsq(before[irrep][:, 0].T, after[irrep][:, 0].T).solution.T


def layer_problem() -> tuple[CovariantLayer, dict[Irrep, Tensor], Tensor, PairTables]:
    torch.manual_seed(2)
    layer = CovariantLayer(IRREPS, (2, 3), maxdim=3, bells=4, depth=1, width=2).double()
    t = {irrep: torch.randn(dimension(irrep), 2, 8, dtype=torch.complex128) for irrep in IRREPS}
    return layer, t, torch.randn(8, 4, dtype=torch.float64), PairTables.of(MASK, 4)


def squares_of(p4: Tensor, tables: PairTables) -> Tensor:
    return torch.cat([minkowski_square(p[:, :, None] - p[:, None]).abs().flatten() for p in tables.particles(p4)])


def vectors(p4: Tensor) -> Covariants:
    return {VECTOR: vector_irrep(p4).unsqueeze(1)}


def test_a_layer_is_covariant() -> None:
    layer, t, p4, tables = layer_problem()
    matrix = lorentz_matrix(VELOCITY)
    acts = {irrep: action(matrix, irrep) for irrep in IRREPS}
    moved = {irrep: torch.einsum("xy,ycm->xcm", acts[irrep], part) for irrep, part in t.items()}
    before = layer(t, vectors(p4), squares_of(p4, tables), tables)
    after = layer(moved, vectors(p4 @ matrix.T), squares_of(p4 @ matrix.T, tables), tables)
    for irrep in IRREPS:
        expected = torch.einsum("xy,ycm->xcm", acts[irrep], before[irrep])
        torch.testing.assert_close(after[irrep], expected, rtol=1e-9, atol=1e-9)
    assert (after[VECTOR] - before[VECTOR]).abs().max() > 1e-2


def test_a_layer_collects_what_the_equation_says() -> None:
    """Σ_j f⁰(s_ij) t_j and Σ_j f¹(s_ij) (p_i − p_j) ⊗ t_j, particle by particle."""
    layer, t, p4, tables = layer_problem()
    found = layer.collected(t, vectors(p4), squares_of(p4, tables), tables)
    filters = layer.filters
    for i in range(8):
        expected: dict[int, Tensor] = {}
        for j in range(8):
            if tables.jet[i] != tables.jet[j]:
                continue
            s = minkowski_square(p4[i] - p4[j]).abs()
            rows = filters.mix(filters.a + filters.b / (1 + filters.c**2 * s)).view(2, 2, 2)
            f, one = torch.complex(*rows.unbind(1)), {irrep: part[..., j : j + 1] for irrep, part in t.items()}
            terms = [(irrep, part * f[0, :, None]) for irrep, part in one.items()]
            zonal = products(vectors((p4[i] - p4[j])[None]), one, maxdim=3)
            for place, (_, part) in enumerate([*terms, *((irrep, part * f[1, :, None]) for irrep, part in zonal)]):
                expected[place] = expected.get(place, 0) + part[..., 0]
        for place, (_, part) in enumerate(found):
            torch.testing.assert_close(part[..., i], expected[place])


@pytest.mark.parametrize(("channels", "count"), [((2, 3, 4, 3), 4_646), ((2, 4, 4, 2), 4_518)])
def test_parameters_are_as_many_as_the_authors(channels: tuple[int, ...], count: int) -> None:
    assert Classify(LGN(SPEC, channels=channels), SPEC).size == count


@pytest.mark.parametrize(("change", "seed"), [("lorentz", 0), ("lorentz", 1), ("boost-along-beam", 2)])
def test_without_beams_scores_are_the_same_in_every_frame(batch: Batch, change: str, seed: int) -> None:
    assert_invariant(built(beams=False), batch, change, 1e-9, seed)


def test_beams_fix_a_frame(batch: Batch) -> None:
    assert change_of_output(built(), batch, "lorentz") > 1e-4


def test_lorentz_transformations_of_particles_and_beams_are_not_noticed(batch: Batch) -> None:
    model = built()
    p4, scalars, mask = model.nodes(batch)
    moved = Nodes(p4 @ lorentz_matrix(VELOCITY).T, scalars, mask)
    with torch.no_grad():
        expected = model(batch)
        model.nodes = lambda batch: moved
        torch.testing.assert_close(model(batch), expected, rtol=0, atol=1e-9)


def test_nodes_are_beams_of_mass_one_and_particles() -> None:
    p4 = torch.tensor([[[5.0, 0.0, 3.0, 0.0]]])
    one = Batch.of(x=torch.zeros(1, 1, 2), mask=torch.ones(1, 1, dtype=torch.bool), p4=p4)
    nodes = LGN(SPEC, scale=0.1).nodes(one)
    expected = torch.tensor([[[2**0.5, 0, 0, 1], [2**0.5, 0, 0, -1], [5, 0, 3, 0]]]) * 0.1
    torch.testing.assert_close(nodes.p4, expected)
    torch.testing.assert_close(nodes.scalars, torch.tensor([[[0.1, 1.0], [0.1, 1.0], [0.4, -1.0]]]))
    assert nodes.mask.all()


def test_momenta_have_gradients(batch: Batch) -> None:
    """That along a direction is the change of the output, so no part of the pairs is left out."""
    model = Classify(built(), SPEC).double().eval()
    p4 = batch.p4.clone().requires_grad_()
    weight = torch.tensor([1.0, -1.0], dtype=torch.float64)
    model(batch.with_cloud(p4=p4)).matmul(weight).sum().backward()
    step = 1e-8 * torch.randn(p4.shape, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    with torch.no_grad():
        up, down = (model(batch.with_cloud(p4=p4 + sign * step)).matmul(weight).sum() for sign in (1, -1))
    torch.testing.assert_close((p4.grad * step * batch.mask[..., None]).sum(), (up - down) / 2, rtol=1e-5, atol=1e-12)


@pytest.mark.parametrize("options", [{"channels": (2,)}, {"maxdim": 1}])
def test_a_network_without_layers_or_vectors_is_refused(options) -> None:
    with pytest.raises(JetkitError, match="channels should be two or more"):
        LGN(SPEC, **options)
