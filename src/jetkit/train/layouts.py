"""How other libraries name the tensors of models that jetkit has too, and what their shapes tell."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

from torch import Tensor

from jetkit.errors import JetkitError

State = Mapping[str, Tensor]
JETCLASS = ("QCD", "Hbb", "Hcc", "Hgg", "H4q", "Hqql", "Zqq", "Wqq", "Tbqq", "Tbl")


class Sizes(NamedTuple):
    """What the shapes of a checkpoint tell."""

    hyperparameters: dict[str, Any]
    features: int | None
    """Number of features of a particle; None where the model uses four-momenta alone."""
    classes: int
    names: tuple[str, ...]
    """The classes in the authors' order, where their number tells them."""


@dataclass(frozen=True)
class Layout:
    """How another library stores a model that jetkit has too."""

    format: str
    model: str
    """Registered name."""
    mark: str
    """A tensor that tells this layout from the others of its format."""
    names: tuple[tuple[str, str | Callable[[re.Match[str]], str]], ...]
    """Patterns and what takes their place, one after the other: from foreign names to jetkit's."""
    sizes: Callable[[State], Sizes]
    length: int
    """Most particles of a jet in the authors' training."""
    unknown: str = ""
    """What the file does not tell."""

    def name(self, foreign: str) -> str:
        """jetkit's name of a tensor."""
        for pattern, new in self.names:
            foreign = re.sub(pattern, new, foreign)
        return foreign


def _size(state: State, name: str, axis: int = 0) -> int:
    if name not in state or state[name].ndim <= axis:
        raise JetkitError(f"this checkpoint lacks the tensor {name} of the architecture that its other names suggest")
    return state[name].shape[axis]


def _widths(state: State, pattern: str) -> list[int]:
    """First lengths of the tensors whose name is the pattern with a number in it, in the order of the numbers."""
    found = sorted((int(match[1]), name) for name in state if (match := re.fullmatch(pattern, name)))
    return [_size(state, name) for _, name in found]


def _part(state: State) -> Sizes:
    pair_widths = _widths(state, r"pair_embed\.embed\.(\d+)\.weight")  # normalisation, layer, normalisation, layer, …
    found = {
        "width": _size(state, "cls_token", 2),
        "depth": len(_widths(state, r"blocks\.(\d+)\.c_attn")),
        "class_depth": len(_widths(state, r"cls_blocks\.(\d+)\.c_attn")),
        "heads": _size(state, "blocks.0.c_attn"),
        "pair_widths": pair_widths[1::2][:-1],
    }
    return _weaver(found, _size(state, "embed.input_bn.weight"), _size(state, "fc.0.weight"))


def _particle_net(state: State) -> Sizes:
    found = {
        "widths": _widths(state, r"edge_convs\.(\d+)\.convs\.2\.weight"),
        "f": _size(state, "fc.0.0.weight"),
    }
    return _weaver(found, _size(state, "bn_fts.weight"), _size(state, "fc.1.weight"))


def _pfn(state: State) -> Sizes:
    phi, f = (_widths(state, pattern) for pattern in (r"phi\.(\d+)\.0\.weight", r"fc\.(\d+)\.0\.weight"))
    return _weaver({"phi": phi, "f": f}, _size(state, "phi.0.0.weight", 1), _size(state, f"fc.{len(f)}.weight"))


def _weaver(found: dict[str, Any], features: int, classes: int) -> Sizes:
    return Sizes(found, features, classes, {2: ("top", "QCD"), 10: JETCLASS}.get(classes, ()))


def _lorentz_net(state: State) -> Sizes:
    """Two scalars are the masses of particles and beams; any other number are features, without beams."""
    scalars, classes = _size(state, "embedding.weight", 1), _size(state, "graph_dec.3.weight")
    beams = scalars == 2
    found = {
        "width": _size(state, "embedding.weight"),
        "depth": len(_widths(state, r"LGEBs\.(\d+)\.phi_h\.0\.weight")),
        "beams": beams,
        "c": 5e-3 if beams else 1e-3,
    }
    names = ("QCD", "top") if beams else ("gluon", "quark")
    return Sizes(found, None if beams else scalars, classes, names if classes == 2 else ())


def _twice(new: str) -> Callable[[re.Match[str]], str]:
    """A layer's place where each is followed by its activation."""
    return lambda match: f"{new}.{2 * int(match[1])}."


LAYOUTS = (
    Layout(
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
    ),
    Layout(
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
    ),
    Layout(
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
    ),
    Layout(
        "lorentznet",
        "lorentz-net-published",
        "embedding.weight",
        (
            (r"^embedding\.", "embed."),
            (r"^LGEBs\.", "blocks."),
            (r"\.phi_e\.0\.", ".edge_in."),
            (r"\.phi_e\.1\.", ".edge_norm."),
            (r"\.phi_e\.3\.", ".edge_out."),
            (r"\.phi_m\.0\.", ".gate."),
            (r"\.phi_h\.0\.", ".node_in."),
            (r"\.phi_h\.1\.", ".node_norm."),
            (r"\.phi_h\.3\.", ".node_out."),
            (r"\.phi_x\.0\.", ".move_in."),
            (r"\.phi_x\.2\.", ".move_out."),
            (r"^graph_dec\.0\.", "f.0."),
            (r"^graph_dec\.3\.", "head."),
        ),
        _lorentz_net,
        200,
        "the file does not tell c: 0.005 with beams and 0.001 without, as in the paper, unless you gave another",
    ),
)
