"""Export of a task as an ONNX graph, for programs with neither Python nor torch."""

from __future__ import annotations

import json
import logging
import os
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from dataclasses import asdict
from io import StringIO
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from jetkit.data.atomic import write_bytes
from jetkit.data.batch import PARTICLES, Batch
from jetkit.data.cloud import Cloud
from jetkit.data.spec import Spec
from jetkit.errors import JetkitError, require
from jetkit.models.model import Estimator
from jetkit.store.model_file import model_path, read_model
from jetkit.tasks.task import Task
from jetkit.testing import random_batch

HEADER = "jetkit"
"""Metadata key of the model file's header, as JSON."""
TOLERANCE = 1e-4
"""Largest deviation of an output from the task's, relative to the largest output if that is above 1."""


class _Graph(nn.Module):
    """Computation of the graph: predictions of a task from tensors in the order of `inputs_of`."""

    def __init__(self, task: Task) -> None:
        super().__init__()
        self.task, self.names = task, list(inputs_of(task.spec))

    def forward(self, *given: Tensor) -> tuple[Tensor, ...]:
        """Return the predictions in the order of their names."""
        batch = _batch_of(dict(zip(self.names, given, strict=True)), self.task.spec)
        return tuple(self.task.scores(batch).values())


def export(model: str | os.PathLike[str], out: str | os.PathLike[str]) -> Path:
    """Export the task of a model file or run folder as an ONNX graph, after comparing it with the task.

    The inputs of jets are ``features`` (jets, particles, F) as a `Batch` has them, ``momenta`` (jets, particles, 4)
    with (E, px, py, pz) in GeV, ``mask`` (jets, particles), True where a particle is real, and, if the model uses them,
    ``jet_features`` (jets, G); those of another collection begin with its name, ``hit_features``. The output of a
    classifier is ``probabilities`` (jets, classes); other tasks have an output for each answer. The metadata hold the
    header of the model file: names of features and classes, how batches are made.

    Raises:
        JetkitError: the model cannot be read, its graph depends on the jets, it computes something else than the
            task, the file cannot be written, or a package is absent.
    """
    require("onnx")
    require("onnxscript")
    task, card = read_model(model_path(model))
    if not isinstance(task, Task) or isinstance(task.model, Estimator):
        raise JetkitError(f"{card.model} is no network with a task: only what learns by gradient can be exported")
    content = _onnx(task, card.model, json.dumps(asdict(card), ensure_ascii=False))
    _compare(task, card.model, content)
    write_bytes(Path(out), content)
    return Path(out)


def inputs_of(spec: Spec) -> dict[str, tuple[str, str]]:
    """Return the inputs of a graph: name → collection (or ``row``, ``array``) and its tensor.

    Example:
        >>> list(inputs_of(Spec.of(("part_deta",))))
        ['features', 'momenta', 'mask', 'jet_features']
    """
    found: dict[str, tuple[str, str]] = {}
    for name, one in spec.sets.items():
        start = "" if name == PARTICLES else f"{name}_"
        found[f"{start}features"] = (name, "x")
        found |= {f"{start}momenta": (name, "p4")} if one.p4 else {}
        found[f"{start}mask"] = (name, "mask")
    found["jet_features" if PARTICLES in spec.sets else "row_features"] = ("row", "")
    return found | {name: ("array", name) for name in spec.arrays}


def tensors(batch: Batch, spec: Spec) -> dict[str, Tensor]:
    """Return the input tensors of a graph for a batch, by name."""
    found = {}
    for name, (place, what) in inputs_of(spec).items():
        if place == "row":
            value = batch.row
        elif place == "array":
            value = batch.arrays[what]
        else:
            value = getattr(batch.sets[place], what)
        found[name] = value if value.dtype == torch.bool else value.float()
    return found


def _batch_of(given: Mapping[str, Tensor], spec: Spec) -> Batch:
    """Build the batch from the inputs of a graph."""
    clouds: dict[str, dict[str, Tensor]] = {name: {} for name in spec.sets}
    row, arrays = None, {}
    for name, (place, what) in inputs_of(spec).items():
        if place == "row":
            row = given[name]
        elif place == "array":
            arrays[what] = given[name]
        else:
            clouds[place][what] = given[name]
    sets = {name: Cloud(one["x"], one["mask"], one.get("p4")) for name, one in clouds.items()}
    return Batch(sets, row, arrays)  # type: ignore[arg-type]


def _onnx(task: Task, name: str, header: str) -> bytes:
    """Export the graph, with dynamic numbers of rows and objects."""
    spec = task.spec
    batch = random_batch(spec, jets=3, particles=(4, 20), seed=1).to(dtype=torch.float32)
    given = tensors(batch, spec)
    rows = torch.export.Dim("jets")
    objects = {place: torch.export.Dim(f"{place}s" if place != PARTICLES else "particles") for place in spec.sets}
    shapes = tuple(
        {0: rows, 1: objects[place]} if place in objects else {0: rows} for place, _ in inputs_of(spec).values()
    )
    with torch.no_grad():
        outputs = list(task.eval().scores(batch))
    graph = _Graph(task).eval()
    with _quiet(), torch.no_grad():
        try:
            found = torch.export.export(graph, tuple(given.values()), dynamic_shapes=(shapes,), strict=False)
            program: Any = torch.onnx.export(
                found, dynamo=True, verbose=False, input_names=list(given), output_names=outputs
            )
        except Exception as error:  # of many kinds: whatever of a model the exporter does not know
            reason = " ".join(str(_cause(error)).split())[:120]
            raise JetkitError(f"{name} cannot be exported: its graph depends on the jets ({reason})") from error
    program.model.metadata_props[HEADER] = header
    optional = [one for one in program.model.graph.inputs if one.name.endswith("_features") and not one.uses()]
    for unused in [one for one in optional if one.name in ("jet_features", "row_features")]:
        program.model.graph.inputs.remove(unused)
    content: bytes = program.model_proto.SerializeToString()
    return content


def _cause(error: BaseException) -> BaseException:
    """Return the first error in a chain of causes."""
    return _cause(error.__cause__) if error.__cause__ is not None else error


def _compare(task: Task, name: str, content: bytes) -> None:
    """Raise if graph and task disagree for one row, for short rows or for long rows."""
    session = require("onnxruntime").InferenceSession(content, providers=["CPUExecutionProvider"])
    names = [one.name for one in session.get_inputs()]
    for jets, particles in ((1, (1, 1)), (1, (30, 30)), (6, (1, 60))):
        batch = random_batch(task.spec, jets=jets, particles=particles, seed=2).to(dtype=torch.float32)
        given = tensors(batch, task.spec)
        with torch.no_grad():
            wanted = [value.numpy() for value in task.scores(batch).values()]
        found = session.run(None, {one: given[one].numpy() for one in names})
        for mine, theirs in zip(wanted, found, strict=True):
            apart = float(np.abs(theirs - mine).max()) / max(1.0, float(np.abs(mine).max()))
            if not apart < TOLERANCE:
                raise JetkitError(f"{name} cannot be exported: the graph gives answers that differ by {apart:.2g}")


@contextmanager
def _quiet() -> Iterator[None]:
    """Silence the exporter's warnings, log messages and prints."""
    before = logging.root.manager.disable
    logging.disable(logging.ERROR)
    try:
        with warnings.catch_warnings(), redirect_stdout(StringIO()), redirect_stderr(StringIO()):
            warnings.simplefilter("ignore")
            yield
    finally:
        logging.disable(before)
