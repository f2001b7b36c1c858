"""State dictionaries of the PELICAN authors."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F

from jetkit.errors import JetkitError
from jetkit.interchange.layouts.layout import Layout, Sizes, State, size, take, widths

MAPS = [0, 1, 4, 7, 10, 3, 6, 9, 2, 5, 8, 11, 13, 12, 14]
"""Index of each of jetkit's maps from tables to tables among the authors' maps."""
POWERS = [place - 5 for place in MAPS if place >= 5]
"""Corresponding indices for the exponents, which the authors' first five maps lack."""
EXPANSIONS = [2, 1, 0, 4, 3]
"""Corresponding indices for the maps from particles to tables."""
KINDS = [0, 2, 1]
"""Corresponding indices for the kinds of objects: a particle, the spurion along the beam, the one at rest."""
POOLINGS = [1, 0]
"""Corresponding indices for trace and total."""
BLOCK = r"net2to2\.eq_layers\.(\d+)\.coefs01"
NAMES = (
    (r"^linear\.", "encoding."),
    (r"^input_encoder\.rank2_alphas$", "encoding.alpha"),
    (r"^net2to2\.message_layers\.(\d+)\.linear\.0\.", r"messages.\1.0."),
    (r"^net2to2\.message_layers\.(\d+)\.normlayer\.", r"messages.\1.2."),
)
UNKNOWN = (
    "the file does not tell how sums are taken, the activation, the scale of momenta, which the spurions are, and "
    "whether irc_safe was chosen: taken as M, leakyrelu, 1, those of so2 and no, the authors' defaults; "
    "mean_multiplicity is 49 unless you gave another"
)


def _pelican(state: State) -> Sizes:
    found = {
        "width": size(state, "net2to2.eq_layers.0.coefs01"),
        "channels": size(state, "net2to2.eq_layers.0.coefs00"),
        "depth": len(widths(state, BLOCK)),
    }
    classes = size(state, "mlp_out.linear.0.weight")
    return Sizes(found, None, classes, ("QCD", "top") if classes == 2 else ())


def _pelican_so2(state: State) -> Sizes:
    kinds, channels = size(state, "eq1to2.coefs"), size(state, "eq1to2.coefs", 1)
    if kinds != len(KINDS):
        raise JetkitError(f"this PELICAN has {kinds} labels of a particle: jetkit's has {len(KINDS)}, for two spurions")
    sizes = _pelican(state)
    return sizes._replace(hyperparameters=sizes.hyperparameters | {"label_channels": channels})


def _converted(state: State) -> State:
    """Reorder the maps into jetkit's order."""
    found, depth = dict(state), len(widths(state, BLOCK))
    for name in state:
        _, is_last, part = name.partition("msg_2to0.")
        if is_last:
            found[f"net2to2.message_layers.{depth}.{part}"] = take(found, name)
    for block in range(depth):
        found |= _aggregation(found, block)
    if "eq1to2.coefs" in state:
        found |= _expansion(found)
    return found | _pooling(found)


def _aggregation(found: dict[str, Tensor], block: int) -> dict[str, Tensor]:
    foreign, own = f"net2to2.eq_layers.{block}.", f"aggregations.{block}."
    biases = [take(found, foreign + name).flatten() for name in ("bias", "diag_bias")]
    return {
        own + "map_in": _ordered(take(found, foreign + "coefs00"), MAPS),
        own + "map_out": _ordered(take(found, foreign + "coefs01"), MAPS),
        own + "mix_in": take(found, foreign + "coefs10"),
        own + "mix_out": take(found, foreign + "coefs11"),
        own + "bias": torch.stack(biases),
        own + "alpha": _ordered(take(found, foreign + "alphas.0"), POWERS),
    }


def _expansion(found: dict[str, Tensor]) -> dict[str, Tensor]:
    return {
        "labels.maps": take(found, "eq1to2.coefs").permute(2, 0, 1)[EXPANSIONS][:, KINDS],
        "labels.bias": take(found, "eq1to2.bias").flatten(),
        "labels.alpha": _ordered(take(found, "eq1to2.alphas.0"), EXPANSIONS)[:, KINDS],
    }


def _pooling(found: dict[str, Tensor]) -> dict[str, Tensor]:
    """LeakyReLU(V(W x + b) + c), since the authors' last LeakyReLU is on the logits, as 1 LeakyReLU(VW x + Vb + c)."""
    linear = take(found, "agg_2to0.coefs")[..., POOLINGS].permute(1, 2, 0).flatten(1).double()
    last = take(found, "mlp_out.linear.0.weight").double()
    bias = last @ take(found, "agg_2to0.bias").flatten().double() + take(found, "mlp_out.linear.0.bias")
    classes, width = len(last), len(linear)
    unused = max(width - classes, 0)
    return {
        "pooling.linear.weight": F.pad(last @ linear, (0, 0, 0, unused)),
        "pooling.linear.bias": F.pad(bias, (0, unused)),
        "pooling.alpha": _ordered(take(found, "agg_2to0.alphas.0"), POOLINGS),
        "head.weight": torch.eye(classes, width),
        "head.bias": torch.zeros(classes),
    }


def _ordered(coefficients: Tensor, places: list[int]) -> Tensor:
    """Transpose (channels, maps) to (maps, channels), in jetkit's order."""
    return coefficients.reshape(-1, len(places))[:, places].T


PELICAN_SO2 = Layout("pelican", "pelican-so2", "eq1to2.coefs", NAMES, _pelican_so2, 80, UNKNOWN, _converted)
PELICAN = Layout("pelican", "pelican", "agg_2to0.coefs", NAMES, _pelican, 80, UNKNOWN, _converted)
