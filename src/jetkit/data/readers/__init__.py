"""Readers of foreign files, one format a file; importing this registers them all."""

from jetkit.data.readers import (
    calo_challenge,
    cathode,
    jetclass,
    jetnet,
    lhco,
    open_data_detector,
    quark_gluon,
    spanet,
    top_tagging,
    track_ml,
)

__all__ = [
    "calo_challenge",
    "cathode",
    "jetclass",
    "jetnet",
    "lhco",
    "open_data_detector",
    "quark_gluon",
    "spanet",
    "top_tagging",
    "track_ml",
]
