"""Model files of the first format, in which each model had its own head, converted to today's names."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from torch import Tensor

TREES = ("observables-bdt", "bip-bdt")
OWN_HEADS: dict[str, tuple[tuple[str, str], ...]] = {
    **dict.fromkeys(TREES, ((r"^head\.0\.", "model.trees."),)),
    "lda": ((r"^head\.", "model.naming."),),
    "stack": ((r"^head\.", "model.last."),),
}
"""Model → today's place of its head, if the model makes the decision itself."""
DROPPED: dict[str, str] = {"pet": r"^jet_head\.", "omnijet": r"^tokeniser\.head\."}
"""Model → tensors that it no longer has, because they belonged to a pretraining task or were never trained."""


def task_of(header: Mapping[str, Any]) -> str:
    """Return the task of a file of the first format; empty for a pretrained model."""
    training = header.get("training")
    options = training.get("options") if isinstance(training, Mapping) else None
    pretrained = isinstance(options, Mapping) and options.get("pretext")
    return "" if pretrained else "classify"


def renamed(tensors: Mapping[str, Tensor], model: str, *, bare: bool) -> dict[str, Tensor]:
    """Rename the tensors of a file of the first format to today's names.

    Example:
        >>> import torch
        >>> list(renamed({"phi.0.weight": torch.ones(1), "head.weight": torch.ones(1)}, "pfn", bare=False))
        ['model.phi.0.weight', 'heads.label.weight']
    """
    rules = (*OWN_HEADS.get(model, ()), (r"^head\.", "heads.label."))
    found = {}
    for name, tensor in tensors.items():
        if model in DROPPED and re.match(DROPPED[model], name):
            continue
        new = next((re.sub(old, now, name) for old, now in rules if re.match(old, name)), f"model.{name}")
        if not (bare and new.startswith("heads.")):
            found[_member(new)] = tensor
    return found


def _member(name: str) -> str:
    """Return today's name of a tensor of an ensemble member, in its head or its model."""
    match = re.match(r"^model\.members\.taggers\.(\d+)\.(.*)$", name)
    if not match:
        return name
    inner = match[2] if match[2].startswith("head.") else f"model.{match[2]}"
    inner = re.sub(r"^head\.0\.", "model.trees.", inner)
    return f"model.members.taggers.{match[1]}.{inner}"
