"""State dictionaries of weaver-core: ParT, ParticleNet, ParticleNeXt and PFN."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

from jetkit.interchange.layouts.layout import Layout, Sizes, State, size, widths

JETCLASS = ("QCD", "Hbb", "Hcc", "Hgg", "H4q", "Hqql", "Zqq", "Wqq", "Tbqq", "Tbl")


def _part(state: State) -> Sizes:
    pair_widths = widths(state, r"pair_embed\.embed\.(\d+)\.weight")  # normalisation, layer, normalisation, layer, …
    found = {
        "width": size(state, "cls_token", 2),
        "depth": len(widths(state, r"blocks\.(\d+)\.c_attn")),
        "class_depth": len(widths(state, r"cls_blocks\.(\d+)\.c_attn")),
        "heads": size(state, "blocks.0.c_attn"),
        "pair_widths": pair_widths[1::2][:-1],
    }
    return _sizes(found, size(state, "embed.input_bn.weight"), size(state, "fc.0.weight"))


def _particle_net(state: State) -> Sizes:
    found = {
        "widths": widths(state, r"edge_convs\.(\d+)\.convs\.2\.weight"),
        "f": size(state, "fc.0.0.weight"),
    }
    return _sizes(found, size(state, "bn_fts.weight"), size(state, "fc.1.weight"))


def _particle_next(state: State) -> Sizes:
    attention = widths(state, r"layers\.0\.sa\.(\d+)\.2\.weight")
    found = {
        "width": size(state, "layers.0.gamma"),
        "message": size(state, "layers.0.edge_mlp.5.weight"),
        "node": size(state, "node_encode.1.weight"),
        "edge": size(state, "edge_encode.1.weight"),
        "depth": len(widths(state, r"layers\.(\d+)\.gamma")),
        "scales": [32 >> place for place in reversed(range(len(attention)))],
        "heads": size(state, "layers.0.sa.0.2.weight"),
    }
    return _sizes(found, size(state, "node_encode.0.weight"), size(state, "fc.1.weight"))


def _pfn(state: State) -> Sizes:
    phi, f = (widths(state, pattern) for pattern in (r"phi\.(\d+)\.0\.weight", r"fc\.(\d+)\.0\.weight"))
    return _sizes({"phi": phi, "f": f}, size(state, "phi.0.0.weight", 1), size(state, f"fc.{len(f)}.weight"))


def _sizes(found: dict[str, Any], features: int, classes: int) -> Sizes:
    return Sizes(found, features, classes, {2: ("top", "QCD"), 10: JETCLASS}.get(classes, ()))


def _twice(new: str) -> Callable[[re.Match[str]], str]:
    """Return a function for the index of a layer when each layer is followed by its activation."""
    return lambda match: f"{new}.{2 * int(match[1])}."


PART = Layout(
    "weaver",
    "part",
    "cls_token",
    (
        (r"^norm\.", "final_norm."),
        (r"^cls_token$", "class_token"),
        (r"^embed\.input_bn\.", "norm."),
        (r"^embed\.embed\.", "embed."),
        (r"^pair_embed\.embed\.", "pairs.layers."),
        (r"^fc\.0\.(weight|bias)$", r"head.\1"),
        (r"^cls_blocks\.", "class_blocks."),
        (r"\.attn\.in_proj[._]", ".attention.project."),
        (r"\.attn\.out_proj\.", ".attention.out."),
        (r"\.pre_attn_norm\.", ".norm_attention."),
        (r"\.post_attn_norm\.", ".norm_seen."),
        (r"\.pre_fc_norm\.", ".norm_mlp."),
        (r"\.post_fc_norm\.", ".norm_wide."),
        (r"\.fc1\.", ".widen."),
        (r"\.fc2\.", ".narrow."),
        (r"\.c_attn$", ".head_scale"),
        (r"\.w_resid$", ".residual_scale"),
    ),
    _part,
    128,
    "the file does not tell use_pre_activation_pair: taken as False, as in the paper; where it was True, as in "
    "weaver-core's default and in Sophon, the outputs are wrong",
)
PARTICLE_NET = Layout(
    "weaver",
    "particle-net",
    "edge_convs.0.convs.0.weight",
    (
        (r"^bn_fts\.", "norm."),
        (r"^edge_convs\.(\d+)\.convs\.", r"blocks.\1.layers."),
        (r"^edge_convs\.(\d+)\.bns\.", r"blocks.\1.norms."),
        (r"^edge_convs\.(\d+)\.sc\.", r"blocks.\1.shortcut.0."),
        (r"^edge_convs\.(\d+)\.sc_bn\.", r"blocks.\1.shortcut.1."),
        (r"^fc\.0\.0\.", "f.0."),
        (r"^fc\.1\.(weight|bias)$", r"head.\1"),
    ),
    _particle_net,
    128,
    "the file does not tell the number of neighbours: k is 16, as in the paper, unless you gave another",
)
PARTICLE_NEXT = Layout(
    "weaver",
    "particle-next",
    "layers.0.gamma",
    (
        (r"^edge_encode\.", "embed_edge."),
        (r"^node_encode\.", "embed."),
        (r"^sa\.", "attention."),
        (r"^post\.0\.", "norm.0."),
        (r"^fc\.0\.0\.", "f.0."),
        (r"^fc\.1\.(weight|bias)$", r"head.\1"),
        (r"\.node_encode\.", ".embed."),
        (r"\.edge_se\.fc\.", ".message_gate.f."),
        (r"\.node_se\.fc\.", ".node_gate.f."),
        (r"\.edge_mlp\.", ".message."),
        (r"\.node_mlp\.", ".node."),
        (r"\.sa\.", ".attention."),
        (r"\.shortcut\.0\.", ".shortcut."),
    ),
    _particle_next,
    128,
    "the file does not tell the sizes of the neighbourhoods: the largest is 32 and each other half of the next, as in "
    "weaver-core's default, unless you gave others as scales",
)
PFN = Layout(
    "weaver",
    "pfn",
    "phi.0.0.weight",
    (
        (r"^phi\.(\d+)\.0\.", _twice("phi")),
        (r"^fc\.(\d+)\.0\.", _twice("f")),
        (r"^fc\.\d+\.(weight|bias)$", r"head.\1"),
    ),
    _pfn,
    128,
)
