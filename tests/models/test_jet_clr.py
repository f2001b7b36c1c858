"""JetCLR's transformer beside PyTorch's own layers with the paper's mask, and with constituents of no momentum."""

from __future__ import annotations

import torch
from torch import nn

from jetkit.data.batch import Batch, momentum_fractions
from jetkit.data.spec import Spec
from jetkit.models.jet_clr import JetCLR
from jetkit.testing import random_batch

SPEC = Spec.of(("part_dphi", "part_deta"), classes=("QCD", "top"))


def library_layer(block: nn.Module, width: int, heads: int, hidden: int) -> nn.TransformerEncoderLayer:
    """A layer of PyTorch with the weights of a block."""
    layer = nn.TransformerEncoderLayer(width, heads, hidden, 0.0, batch_first=True)
    layer.self_attn.in_proj_weight.data = block.attention.project.weight.data
    layer.self_attn.in_proj_bias.data = block.attention.project.bias.data
    parts = {
        layer.self_attn.out_proj: block.attention.out,
        layer.linear1: block.mlp[0],
        layer.linear2: block.mlp[3],
        layer.norm1: block.norm_seen,
        layer.norm2: block.norm_out,
    }
    for part, ours in parts.items():
        part.load_state_dict(ours.state_dict())
    return layer.double()


def as_published(model: JetCLR, batch: Batch) -> torch.Tensor:
    """As the paper's code has it: a float mask ½ ln z on the logits, transformer layers, times z, summed."""
    z = momentum_fractions(batch)
    x = model.embed(torch.stack([z, batch.x[..., 1], batch.x[..., 0]], 2))
    mask = (0.5 * z.log())[:, None].expand(-1, z.shape[1], -1).repeat_interleave(4, dim=0)
    for block in model.blocks:
        x = library_layer(block, 16, 4, 24).train()(x, src_mask=mask)
    return (x * z.unsqueeze(2)).nan_to_num().sum(1)


def test_equals_layers_of_pytorch_with_the_mask_of_the_paper() -> None:
    torch.manual_seed(3)
    model = JetCLR(SPEC, width=16, depth=3, heads=4, hidden=24).double().eval()
    batch = random_batch(SPEC, jets=7, particles=(2, 20), seed=2)
    torch.testing.assert_close(model.encode(batch), as_published(model, batch), rtol=1e-10, atol=1e-10)


def test_of_zero_momentum_a_constituent_is_not_seen() -> None:
    torch.manual_seed(4)
    model = JetCLR(SPEC, width=16, depth=2, heads=2, hidden=16).double().eval()
    batch = random_batch(SPEC, jets=5, particles=(8, 8), seed=5)
    none = torch.zeros(5, 1, 4, dtype=batch.p4.dtype)
    more = Batch.of(
        torch.cat([batch.x, 0.3 * torch.ones(5, 1, 2, dtype=batch.x.dtype)], 1),
        nn.functional.pad(batch.mask, (0, 1), value=True),
        torch.cat([batch.p4, none], 1),
    )
    torch.testing.assert_close(model.encode(more), model.encode(batch), rtol=1e-12, atol=1e-12)
