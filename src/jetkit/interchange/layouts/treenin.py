"""State dictionaries of the TreeNiN authors."""

from __future__ import annotations

import re

from torch.nn import functional as F

from jetkit.errors import JetkitError
from jetkit.interchange.layouts.layout import Layout, Sizes, State, size, take

UNUSED = r"fc_|transform\.fc_(u|u_inner1|u_outer1|N0|N1)\."
"""Prefixes of tensors in the file that the authors' network does not use."""
EPSILON = 1e-5
"""Constant that batch normalisations add to the variance."""


def _tree_nin(state: State) -> Sizes:
    return Sizes({"width": size(state, "transform.fc_h.weight")}, None, 2, ("QCD", "top"))


def _converted(state: State) -> State:
    """Write feature scaling as a batch normalisation, and the single output as the logit of top, with 0 for QCD."""
    if "centre" not in state or "scale" not in state:
        raise JetkitError(
            "TreeNiN's authors keep the medians and interquartile ranges of the 7 features of a node in another file: "
            "give them as centre=[...] and scale=[...]"
        )
    found = {name: tensor for name, tensor in state.items() if not re.match(UNUSED, name)}
    scale = take(found, "scale")
    if not (scale > 0).all():
        raise JetkitError("scale should hold positive numbers, the interquartile ranges of the features")
    return found | {
        "norm.running_mean": take(found, "centre"),
        "norm.running_var": scale.square() - EPSILON,
        "head.weight": F.pad(take(found, "fc3.weight"), (0, 0, 1, 0)),
        "head.bias": F.pad(take(found, "fc3.bias"), (1, 0)),
    }


TREE_NIN = Layout(
    "treenin",
    "tree-nin",
    "transform.fc_u_outer.weight",
    (
        (r"^transform\.fc_u_inner\.", "inner.0."),
        (r"^transform\.fc_u_outer\.", "leaf.0."),
        (r"^transform\.fc_h\.", "merge.h."),
        (r"^transform\.fc_N2\.", "merge.inner.0."),
        (r"^transform\.fc_N6\.", "merge.inner.2."),
        (r"^transform\.fc_N3\.", "merge.left.0."),
        (r"^transform\.fc_N7\.", "merge.left.2."),
        (r"^transform\.fc_N4\.", "merge.right.0."),
        (r"^transform\.fc_N8\.", "merge.right.2."),
        (r"^transform\.fc_N5\.", "deep_leaf.0."),
        (r"^transform\.fc_N9\.", "deep_leaf.2."),
        (r"^fc1\.", "f.0."),
        (r"^fc2\.", "f.2."),
    ),
    _tree_nin,
    200,
    "the authors' features are those in the detector, jetkit's those of a jet moved to y = φ = 0: the outputs are the "
    "authors' for a jet there",
    _converted,
)
