"""A tagger as an ONNX graph, for programs that have neither Python nor torch."""

from __future__ import annotations

import json
import logging
import os
import warnings
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from dataclasses import asdict
from io import StringIO
from pathlib import Path
from typing import Any

import numpy as np
import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn

from jetkit.data.cloud import Cloud
from jetkit.errors import JetkitError, require
from jetkit.models.tagger import Tagger
from jetkit.testing import random_cloud
from jetkit.train.files import write_bytes
from jetkit.train.model_file import model_path, read_model

INPUTS = ("features", "momenta", "mask", "jet_features")
OUTPUT = "probabilities"
HEADER = "jetkit"
"""Key of the metadata that hold the header of the model file, as JSON."""
TOLERANCE = 1e-4
"""How far a probability may be from the model's."""


class _Graph(nn.Module):
    """What the graph computes."""

    def __init__(self, tagger: Tagger) -> None:
        super().__init__()
        self.tagger = tagger

    def forward(
        self,
        features: Float[Tensor, "B N F"],
        momenta: Float[Tensor, "B N 4"],
        mask: Bool[Tensor, "B N"],
        jet_features: Float[Tensor, "B G"],
    ) -> Float[Tensor, "B C"]:
        """Probability of each class."""
        return torch.softmax(self.tagger(Cloud(features, mask, momenta, jet_features)), 1)


def export(model: str | os.PathLike[str], out: str | os.PathLike[str]) -> Path:
    """Write the tagger of a model file or run folder as an ONNX graph, after it was compared with the tagger.

    Its inputs are ``features`` (jets, particles, F) as a `Cloud` has them, ``momenta`` (jets, particles, 4) with
    (E, px, py, pz) in GeV, ``mask`` (jets, particles), True where a particle is real, and, if the tagger uses them,
    ``jet_features`` (jets, G); its output is ``probabilities`` (jets, classes). Numbers of jets and particles are free.
    The metadata hold the header of the model file: names of features and classes, how clouds are made.

    Raises:
        JetkitError: the model cannot be read, its graph depends on the jets, it computes something else than the
            tagger, the file cannot be written, or a package is absent.
    """
    require("onnx")
    require("onnxscript")
    tagger, card = read_model(model_path(model))
    if not isinstance(tagger, Tagger) or tagger.learns_by != "gradient":
        raise JetkitError(f"{card.model} is no network: only taggers that learn by gradient can be exported")
    content = _onnx(tagger, card.model, json.dumps(asdict(card), ensure_ascii=False))
    _compare(tagger, card.model, content)
    write_bytes(Path(out), content)
    return Path(out)


def tensors(cloud: Cloud) -> tuple[Tensor, ...]:
    """What a graph may be given, in the order of `INPUTS`."""
    assert cloud.p4 is not None
    return (cloud.x.float(), cloud.p4.float(), cloud.mask, cloud.jet.float())


def _onnx(tagger: Tagger, name: str, header: str) -> bytes:
    """The graph, for any numbers of jets and particles."""
    given = tensors(random_cloud(tagger.spec, jets=3, particles=(4, 20), seed=1))
    jets, particles = torch.export.Dim("jets"), torch.export.Dim("particles")
    shapes = ({0: jets, 1: particles},) * 3 + ({0: jets},)
    graph = _Graph(tagger).eval()
    with _quiet(), torch.no_grad():
        try:
            found = torch.export.export(graph, given, dynamic_shapes=shapes, strict=False)
            program: Any = torch.onnx.export(
                found, dynamo=True, verbose=False, input_names=INPUTS, output_names=[OUTPUT]
            )
        except Exception as error:  # of many kinds: whatever of a model the exporter does not know
            reason = " ".join(str(_cause(error)).split())[:120]
            raise JetkitError(f"{name} cannot be exported: its graph depends on the jets ({reason})") from error
    program.model.metadata_props[HEADER] = header
    for unused in [one for one in program.model.graph.inputs[3:] if not one.uses()]:
        program.model.graph.inputs.remove(unused)
    content: bytes = program.model_proto.SerializeToString()
    return content


def _cause(error: BaseException) -> BaseException:
    """What went wrong at first."""
    return _cause(error.__cause__) if error.__cause__ is not None else error


def _compare(tagger: Tagger, name: str, content: bytes) -> None:
    """Raise if the graph gives other probabilities than the tagger, for one jet, for short ones and for long ones."""
    session = require("onnxruntime").InferenceSession(content, providers=["CPUExecutionProvider"])
    names = [one.name for one in session.get_inputs()]
    for jets, particles in ((1, (1, 1)), (1, (30, 30)), (6, (1, 60))):
        given = tensors(random_cloud(tagger.spec, jets=jets, particles=particles, seed=2))
        with torch.no_grad():
            wanted = _Graph(tagger)(*given).numpy()
        known = dict(zip(INPUTS, given, strict=True))
        (found,) = session.run(None, {name: known[name].numpy() for name in names})
        apart = float(np.abs(found - wanted).max())
        if not apart < TOLERANCE:
            raise JetkitError(f"{name} cannot be exported: the graph gives probabilities that differ by {apart:.2g}")


@contextmanager
def _quiet() -> Iterator[None]:
    """Without the exporter's remarks, which come as warnings, in the log and as print."""
    before = logging.root.manager.disable
    logging.disable(logging.ERROR)
    try:
        with warnings.catch_warnings(), redirect_stdout(StringIO()), redirect_stderr(StringIO()):
            warnings.simplefilter("ignore")
            yield
    finally:
        logging.disable(before)
