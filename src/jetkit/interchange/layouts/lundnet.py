"""State dictionaries of the LundNet authors."""

from __future__ import annotations

import torch

from jetkit.errors import JetkitError
from jetkit.interchange.layouts.layout import Layout, Sizes, State, size, take, widths

COORDINATES = {2: ("ln_delta", "ln_kt"), 3: ("ln_z", "ln_delta", "ln_kt")}


def _lund_net(state: State) -> Sizes:
    """Read off the sizes; the number of inputs determines the coordinates."""
    inputs, classes = size(state, "bn_fts.weight"), size(state, "fc.1.weight")
    if inputs not in COORDINATES:
        raise JetkitError(
            f"this LundNet has {inputs} coordinates, only those of 2 or 3 can be imported: others use another ψ"
        )
    found = {
        "coordinates": COORDINATES[inputs],
        "widths": widths(state, r"edge_convs\.(\d+)\.theta\.weight"),
        "fusion": size(state, "fusion_block.0.weight"),
        "f": size(state, "fc.0.0.weight"),
    }
    return Sizes(found, None, classes, ())


def _joined(state: State) -> State:
    """Convert Θ and Φ to W: the message Θ(x_i − x_j) + Φ x_j from j to i is W(x_i, x_j − x_i) with W = (Φ, Φ − Θ)."""
    found = dict(state)
    for name in state:
        block, is_first, _ = name.partition("theta.weight")
        if is_first:
            theta, phi = take(found, name), take(found, f"{block}phi.weight")
            found[f"{block}layers.0.weight"] = torch.cat([phi, phi - theta], 1)
    return found


LUND_NET = Layout(
    "lundnet",
    "lund-net",
    "edge_convs.0.theta.weight",
    (
        (r"^bn_fts\.", "norm."),
        (r"^edge_convs\.", "blocks."),
        (r"\.fcs\.(\d+)\.", lambda match: f".layers.{int(match[1]) + 1}."),
        (r"\.bns\.", ".norms."),
        (r"\.sc\.", ".shortcut.0."),
        (r"\.sc_bn\.", ".shortcut.1."),
        (r"^fusion_block\.", "fusion."),
        (r"^fc\.0\.0\.", "f.0."),
        (r"^fc\.1\.(weight|bias)$", r"head.\1"),
    ),
    _lund_net,
    1000,
    "the file does not tell cuts on splittings: kt_min is 0, as in the published ones, unless you gave another, and no "
    "angle is too small",
    _joined,
)
