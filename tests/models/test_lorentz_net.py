"""LorentzNet: its authors' formulation with lists of edges, its invariance, and what the published version breaks."""

from __future__ import annotations

import pytest
import torch
from torch.nn import functional as F

from jetkit.data.batch import Batch
from jetkit.data.spec import Spec
from jetkit.errors import JetkitError
from jetkit.models.lorentz_net import LorentzNet, LorentzNetPublished, Nodes
from jetkit.physics.four_vectors import boost
from jetkit.testing import random_batch

SPEC = Spec.of(("part_isPhoton", "part_isMuon", "part_deta", "part_dphi"), classes=("QCD", "top"))
METRIC = torch.tensor([1.0, -1.0, -1.0, -1.0], dtype=torch.float64)


KICK = {LorentzNet: 3e3, LorentzNetPublished: 1e6}
"""Factor on the weights that move x, which start so small that no shift is near the limit of 100 GeV."""


def built(cls: type[LorentzNet], **hyperparameters) -> LorentzNet:
    """A small network whose running statistics and updates of x are not those of the start."""
    torch.manual_seed(3)
    model = cls(SPEC, width=8, depth=3, **hyperparameters).double().eval()
    for name, value in model.state_dict().items():
        if name.endswith("running_mean"):
            value.normal_(0, 0.3)
        if name.endswith("running_var"):
            value.uniform_(0.5, 2.0)
        if name.endswith("move_out.weight"):
            value.mul_(KICK[cls])
    return model


@pytest.fixture(scope="module")
def batch() -> Batch:
    return random_batch(SPEC, jets=6, particles=(2, 20), seed=8)


def psi(x):
    return torch.sign(x) * torch.log(x.abs() + 1)


def written_out(model: LorentzNet, nodes: Nodes, limit: float, training: bool = False) -> torch.Tensor:
    """The equations of the paper over a list of edges (i, j); shifts within ± limit, mean over padded nodes."""
    h, x, s, mask = model.embed(nodes.scalars), nodes.p4, nodes.scalars, nodes.mask
    jet, i, j = (mask[:, :, None] & mask[:, None] & ~torch.eye(mask.shape[1], dtype=torch.bool)).nonzero().T
    for block in model.blocks:
        difference = x[jet, i] - x[jet, j]
        square, product = difference**2 @ METRIC, (x[jet, i] * x[jet, j]) @ METRIC
        edge = block.edge_in(torch.cat([h[jet, i], h[jet, j], psi(square)[:, None], psi(product)[:, None]], 1))
        norm = block.edge_norm
        args = (norm.running_mean, norm.running_var, norm.weight, norm.bias, training)
        message = F.relu(block.edge_out(F.relu(F.batch_norm(edge, *args))))
        message = message * torch.sigmoid(block.gate(message))
        new_x, collected = x.clone(), torch.zeros_like(h)
        for n in range(len(jet)):
            collected[jet[n], i[n]] += message[n]
        if hasattr(block, "move_in"):
            shift = (difference * block.move_out(F.relu(block.move_in(message)))).clamp(-limit, limit)
            for n in range(len(jet)):
                new_x[jet[n], i[n]] += block.c * shift[n] / (mask[jet[n]].sum() - 1)
        update = block.node_in(torch.cat([h, collected, s], -1)[mask])
        h = h.clone()
        h[mask] += block.node_out(F.relu(block.node_norm(update)))
        x = new_x
    return model.f((h * mask[..., None]).mean(1))


@pytest.mark.parametrize("options", [{}, {"beams": False, "scalars": ("part_isPhoton", "part_isMuon")}])
def test_the_published_network_is_the_written_out_one(batch, options) -> None:
    model = built(LorentzNetPublished, **options)
    with torch.no_grad():
        expected, without_limit = (written_out(model, model.nodes(batch), limit) for limit in (100, torch.inf))
        torch.testing.assert_close(model(batch), expected, rtol=1e-9, atol=1e-9)
    assert (expected - without_limit).abs().max() > 1e-4


def test_the_network_has_no_limit_and_divides_by_the_true_number_of_nodes(batch) -> None:
    model = built(LorentzNet)
    with torch.no_grad():
        for row in range(len(batch)):
            jet = batch.select(slice(row, row + 1))
            jet = jet.with_cloud(x=jet.x[jet.mask][None], p4=jet.p4[jet.mask][None], mask=jet.mask[jet.mask][None])
            expected = written_out(model, model.nodes(jet), torch.inf)
            torch.testing.assert_close(model(batch)[row : row + 1], expected, rtol=1e-9, atol=1e-9)


def encoded(model: LorentzNet, nodes: Nodes) -> torch.Tensor:
    """Vectors of jets, from nodes whose beams are what the caller says."""
    moved = built(type(model))
    moved.nodes = lambda batch: nodes
    with torch.no_grad():
        return moved.encode(None)


def transformed(nodes: Nodes, seed: int) -> Nodes:
    """Particles and beams of each jet rotated, then boosted with |β| up to 0.66."""
    random = torch.Generator().manual_seed(seed)
    turn = torch.linalg.qr(torch.randn(len(nodes.p4), 3, 3, generator=random, dtype=torch.float64)).Q
    direction = F.normalize(torch.randn(len(nodes.p4), 3, generator=random, dtype=torch.float64), dim=1)
    velocity = 0.66 * torch.rand(len(nodes.p4), 1, generator=random, dtype=torch.float64) * direction
    momentum = torch.einsum("bij,bnj->bni", turn, nodes.p4[..., 1:])
    return nodes._replace(p4=boost(torch.cat([nodes.p4[..., :1], momentum], -1), velocity[:, None]))


@pytest.mark.parametrize("seed", range(3))
def test_lorentz_transformations_of_particles_and_beams_are_not_noticed(batch, seed) -> None:
    model = built(LorentzNet)
    nodes = model.nodes(batch)
    moved = transformed(nodes, seed)
    assert (moved.p4 - nodes.p4).abs().max() > 1
    torch.testing.assert_close(encoded(model, moved), encoded(model, nodes), rtol=0, atol=1e-10)


def test_the_published_network_notices_lorentz_transformations(batch) -> None:
    model = built(LorentzNetPublished)
    nodes = model.nodes(batch)
    assert (encoded(model, transformed(nodes, 1)) - encoded(model, nodes)).abs().max() > 1e-4


def test_beams_fix_a_frame(batch) -> None:
    """A boost of the particles alone is noticed with beams, and is not without."""
    velocity = torch.tensor([0.0, 0.0, 0.5], dtype=torch.float64)
    moved = batch.with_cloud(p4=boost(batch.p4, velocity))
    with torch.no_grad():
        for options, noticed in (({}, True), ({"beams": False}, False)):
            model = built(LorentzNet, **options)
            assert ((model(moved) - model(batch)).abs().max() > 1e-4) == noticed


def test_scalars_that_the_data_lack_are_refused() -> None:
    with pytest.raises(JetkitError, match="needs the features part_isTau"):
        LorentzNet(SPEC, beams=False, scalars=("part_isTau",))


def test_training_normalises_over_real_nodes_and_edges(batch) -> None:
    model, twin = (built(LorentzNet, dropout=0.0).train() for _ in range(2))
    nodes = twin.nodes(batch)
    to_true_mean = nodes.mask.shape[1] / nodes.mask.sum(1, keepdim=True)
    twin.f.register_forward_pre_hook(lambda module, args: (args[0] * to_true_mean,))
    expected = written_out(twin, nodes, torch.inf, training=True)
    # Each normalisation can enlarge rounding errors by 1/√ε ≈ 300.
    torch.testing.assert_close(model(batch), expected, rtol=1e-6, atol=1e-7)
    for name, value in twin.state_dict().items():
        if "running" in name:
            torch.testing.assert_close(model.state_dict()[name], value, rtol=1e-6, atol=1e-7)
