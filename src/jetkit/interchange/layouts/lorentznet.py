"""State dictionaries of the LorentzNet authors."""

from __future__ import annotations

from jetkit.interchange.layouts.layout import Layout, Sizes, State, size, widths


def _lorentz_net(state: State) -> Sizes:
    """Read off the sizes; two scalars mean masses with beams, any other number means features without beams."""
    scalars, classes = size(state, "embedding.weight", 1), size(state, "graph_dec.3.weight")
    beams = scalars == 2
    found = {
        "width": size(state, "embedding.weight"),
        "depth": len(widths(state, r"LGEBs\.(\d+)\.phi_h\.0\.weight")),
        "beams": beams,
        "c": 5e-3 if beams else 1e-3,
    }
    names = ("QCD", "top") if beams else ("gluon", "quark")
    return Sizes(found, None if beams else scalars, classes, names if classes == 2 else ())


LORENTZ_NET = Layout(
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
)
