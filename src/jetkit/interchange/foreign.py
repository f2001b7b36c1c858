"""Published checkpoints of other libraries as models of jetkit, read without running their code.

Formats: ``weaver``, state dictionaries of ParticleNet, ParticleNeXt, ParT and PFN as weaver-core trains them (a name
may begin with ``module.`` or ``mod.``, and a fine-tuned ParT may keep its classifier outside of ``mod.``), and
``lorentznet``, ``lundnet``, ``pelican`` and ``treenin``, those of the authors of LorentzNet, LundNet, PELICAN and
TreeNiN. A file may hold more than the state dictionary, plain numbers and tensors, if it has it as ``state_dict``.
"""

from __future__ import annotations

import os
import re
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import replace
from types import MappingProxyType
from typing import Any

import torch
from torch import Tensor

from jetkit.data.batch import LABEL
from jetkit.data.features import FEATURE_SETS, feature_names, feature_units
from jetkit.data.spec import Spec, TargetSpec
from jetkit.errors import JetkitError
from jetkit.interchange.layouts.layout import Layout, Sizes, State
from jetkit.interchange.layouts.lorentznet import LORENTZ_NET
from jetkit.interchange.layouts.lundnet import LUND_NET
from jetkit.interchange.layouts.pelican import PELICAN, PELICAN_SO2
from jetkit.interchange.layouts.treenin import TREE_NIN
from jetkit.interchange.layouts.weaver import PART, PARTICLE_NET, PARTICLE_NEXT, PFN
from jetkit.models.model import MODELS
from jetkit.registry import create, entry, hyperparameters
from jetkit.store.model_file import ModelCard
from jetkit.store.tensor_file import sha256_of
from jetkit.tasks.classify import Classify

LAYOUTS = (PART, PARTICLE_NET, PARTICLE_NEXT, PFN, LORENTZ_NET, LUND_NET, PELICAN_SO2, PELICAN, TREE_NIN)
WEAVER_SETS = ("kin", "kinpid", "full")
"""Feature sets that follow from the number of inputs."""
HEAD = "head."
"""Prefix by which layouts name the last layer, which belongs to the task."""


def import_model(
    path: str | os.PathLike[str],
    format: str,
    *,
    classes: Sequence[str] = (),
    order: Sequence[str] = (),
    features: Sequence[str] = (),
    values: Mapping[str, Any] = MappingProxyType({}),
    centre: Sequence[float] = (),
    scale: Sequence[float] = (),
) -> tuple[Classify, ModelCard]:
    """Import a published checkpoint as a classifier, ready for evaluation, with the header for its model file.

    Architecture, sizes, and numbers of features and classes are read off the names and shapes of the tensors. Seven, 13
    and 17 features are the sets kin, kinpid and full, in their order, which is weaver's too.

    Args:
        path: a state dictionary, written by ``torch.save``
        format: weaver, lorentznet, lundnet, pelican or treenin
        classes: names of the outputs in the file's order. Default of ten: JetClass's; of two: top and QCD for weaver,
            whose class 0 is the signal (give quark and gluon for a model of these); for the others, whose class 1 is,
            QCD and top, but gluon and quark for a LorentzNet without beams, and none for lundnet.
        order: the same names in the order that the model shall have, such as that of your data
        features: names of the inputs where they are none of the three sets, such as the eight kinds of particles of
            LorentzNet for quarks and gluons
        values: hyperparameters that the file does not contain: k of ParticleNet, scales of ParticleNeXt, c of
            LorentzNet, kt_min of LundNet, mean_multiplicity of PELICAN
        centre: medians of the seven features of TreeNiN, which its authors keep in another file
        scale: their interquartile ranges, from the same file

    Raises:
        JetkitError: the file cannot be read, holds code or no tensors, or is of no known architecture or of one that
            jetkit's model cannot take; or the names given do not fit.

    Example:
        >>> import_model("ParT_kin.pt", "weaver")
        Traceback (most recent call last):
        jetkit.errors.JetkitError: cannot read ParT_kin.pt: No such file or directory
    """
    sha256 = sha256_of(path)
    scaling = {"centre": tuple(centre), "scale": tuple(scale)}
    state = _state(path) | {name: torch.tensor(numbers) for name, numbers in scaling.items() if numbers}
    layout = _layout(state, format, path)
    sizes = layout.sizes(state)
    spec, preprocessing = _spec(sizes, layout, tuple(classes), tuple(features))
    own = {"scalars": spec.features} if sizes.hyperparameters.get("beams") is False else {}
    chosen = hyperparameters(layout.model, {**sizes.hyperparameters, **own, **values}, MODELS)
    with torch.random.fork_rng(devices=[]):
        task = Classify(create(layout.model, spec, chosen, MODELS), spec)
    _fill(task, _converted(state, layout, path), layout, path)
    if order:
        task = _reordered(task, tuple(order))
    training = {"note": f"imported from a {format} checkpoint; {layout.unknown}".removesuffix("; ")}
    card = ModelCard(
        layout.model,
        task.spec.to_dict(),
        chosen,
        kind=entry(layout.model, MODELS).kind,
        task="classify",
        preprocessing=preprocessing,
        training=training,
        parents=[sha256],
    )
    return task.eval(), card


def _state(path: str | os.PathLike[str]) -> dict[str, Tensor]:
    """Read the tensors of a file, without prefixes; ``weights_only`` ensures that nothing in it is executed."""
    try:
        with warnings.catch_warnings(action="ignore"):
            content = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # torch raises many kinds, all of which mean the same
        kind = type(error).__name__
        raise JetkitError(f"{path} is no checkpoint of plain tensors ({kind}): save its state_dict again") from None
    if isinstance(content, Mapping) and isinstance(content.get("state_dict"), Mapping):
        content = content["state_dict"]
    if not isinstance(content, Mapping) or not content or not all(isinstance(name, str) for name in content):
        raise JetkitError(f"{path} holds no state dictionary: save model.state_dict() with torch.save")
    odd = next((name for name, tensor in content.items() if not _is_plain(tensor)), None)
    if odd is not None:
        raise JetkitError(f"{path} holds more than plain tensors ({odd}): save model.state_dict() with torch.save")
    state = {re.sub(r"^(module\.)?(mod\.)?", "", name): tensor for name, tensor in content.items()}
    if len(state) < len(content):
        raise JetkitError(f"{path} holds two models under different prefixes: save one of them")
    return state


def _is_plain(tensor: object) -> bool:
    if not isinstance(tensor, Tensor) or tensor.layout is not torch.strided:
        return False
    return not tensor.is_quantized and not tensor.is_complex()


def _layout(state: State, format: str, path: str | os.PathLike[str]) -> Layout:
    known = [layout for layout in LAYOUTS if layout.format == format]
    if not known:
        formats = dict.fromkeys(layout.format for layout in LAYOUTS)
        raise JetkitError(f"unknown format {format!r}: choose one of {', '.join(formats)}")
    for layout in known:
        if layout.mark in state:
            return layout
    names = ", ".join(layout.model for layout in known)
    raise JetkitError(f"{path} is none of the models that jetkit knows in the format {format}: {names}")


def _spec(
    sizes: Sizes, layout: Layout, classes: tuple[str, ...], features: tuple[str, ...]
) -> tuple[Spec, dict[str, Any]]:
    """Return the spec, and the preparation of its batches; features outside the known sets are left to the user."""
    classes = classes or sizes.names
    if len(classes) != sizes.classes:
        named = f"{len(classes)} are named" if classes else "none is named"
        raise JetkitError(f"this model has {sizes.classes} classes, {named}: give them in its order with classes=[...]")
    if features:
        if len(features) != sizes.features:
            raise JetkitError(f"this model has {sizes.features or 'no'} features, {len(features)} are named")
        return Spec.of(features, classes=classes), {"features": "own", "length": layout.length}
    for name in WEAVER_SETS:
        if sizes.features in (None, len(FEATURE_SETS[name])):
            spec = Spec.of(feature_names(name), classes=classes, units=feature_units(name))
            return spec, {"features": name, "length": layout.length}
    raise JetkitError(f"this model has {sizes.features} features, as no set of jetkit: name them with features=[...]")


def _converted(state: State, layout: Layout, path: str | os.PathLike[str]) -> State:
    try:
        return layout.convert(state)
    except (IndexError, RuntimeError):  # what torch raises for shapes that do not go together
        raise JetkitError(f"{path}: its tensors do not go together as those of {layout.model} do") from None


def _fill(task: Classify, state: State, layout: Layout, path: str | os.PathLike[str]) -> None:
    """Load tensors; a convolution of length 1 serves as a linear layer, and the counters of batches may be absent."""
    head = {f"{HEAD}{name}": tensor for name, tensor in task.head.state_dict().items()}
    wanted = {**task.model.state_dict(), **head}
    found: dict[str, Tensor] = {}
    for foreign, tensor in state.items():
        name = layout.name(foreign)
        if name not in wanted or name in found:
            raise JetkitError(f"{path}: jetkit's {layout.model} has nothing like the tensor {foreign}")
        shape = tuple(tensor.shape)
        want = tuple(wanted[name].shape)
        if shape[: len(want)] != want or tensor.numel() != wanted[name].numel():
            raise JetkitError(f"{path}: jetkit's {layout.model} needs {foreign} of shape {want}, not {shape}")
        found[name] = tensor.reshape(want).to(wanted[name].dtype)
    for name in wanted:
        if name not in found and not name.endswith("num_batches_tracked"):
            raise JetkitError(f"{path} has nothing for the tensor {name} of jetkit's {layout.model}")
    filled = wanted | found
    task.head.load_state_dict({name.removeprefix(HEAD): filled.pop(name) for name in head})
    task.model.load_state_dict(filled)


def _reordered(task: Classify, order: tuple[str, ...]) -> Classify:
    """Return the task with its outputs in another order."""
    if sorted(order) != sorted(task.classes):
        raise JetkitError(f"order should hold the classes {', '.join(task.classes)}, not {', '.join(order)}")
    rows = [task.classes.index(name) for name in order]
    spec = replace(task.spec, targets={LABEL: TargetSpec("class", classes=order)})
    task.model.spec = spec
    made = Classify(task.model, spec)
    made.head.load_state_dict({name: tensor[rows] for name, tensor in task.head.state_dict().items()})
    return made
