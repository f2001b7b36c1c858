"""Write the predictions of a model as a table: a row each, with event numbers and columns of the data."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import numpy as np
from pydantic.dataclasses import dataclass

from jetkit.data.atomic import partial_of
from jetkit.data.dataset import Dataset
from jetkit.data.readers.root import write_tree
from jetkit.data.shards import write_shard
from jetkit.errors import JetkitError
from jetkit.evaluation.result import Predicted
from jetkit.evaluation.scores import probabilities
from jetkit.progress import Report, silent
from jetkit.store.options import option
from jetkit.verbs.evaluation import EvaluateOptions, predict_run, rows_of

TREE = "predictions"
"""Name of the tree in a ROOT file."""
USUAL = ("event_id", "jet_label")
"""Columns that are written wherever the data have them."""


@dataclass(frozen=True)
class PredictOptions:
    """The data to predict, and the file to write."""

    data: Annotated[str, option("another dataset than that of the training")] = ""
    part: Annotated[str, option("part of the dataset, as for jetkit evaluate")] = ""
    columns: Annotated[tuple[str, ...], option("columns of the data to write beside the predictions")] = ()
    out: Annotated[str, option("file to write, .parquet or .root")] = "predictions.parquet"
    batch: Annotated[int, option("rows predicted at once", ge=1)] = 128


def predict_file(run: str | Path, options: PredictOptions | None = None, report: Report = silent) -> Path:
    """Write a file with a row for each usable row of the data, in their order, and return its path.

    Of a classifier the columns ``p_CLASS`` hold the probability of each class; of another task each prediction has its
    own name. ``row`` is the place in the data; ``event_id`` and ``jet_label`` come along where the data have them.

    Raises:
        JetkitError: as `jetkit.verbs.evaluation.evaluate_run`, an unknown column or ending of the file, or a file that
            cannot be written.
    """
    options = options or PredictOptions()
    out = Path(options.out)
    if out.suffix not in (".parquet", ".root"):
        raise JetkitError(f"out={options.out} should end in .parquet or .root")
    wanted = EvaluateOptions(data=options.data, part=options.part, batch=options.batch)  # type: ignore[arg-type]
    dataset, _ = rows_of(run, wanted)
    names = _known(dataset, options.columns)
    predicted = predict_run(run, wanted, report)
    table = columns_of(predicted) | dict(dataset.read(names, predicted.row) if names else {})
    if out.suffix == ".root":
        _write_root(out, table)
    else:
        write_shard(out, table)
    return out


def columns_of(predicted: Predicted) -> dict[str, Any]:
    """Return predictions as columns, with the place of each row.

    Example:
        >>> logits = np.log([[0.25, 0.75]])
        >>> one = Predicted({"logits": logits}, {}, np.ones(1), np.arange(1), classes={"label": ("QCD", "top")})
        >>> {name: values.round(2).tolist() for name, values in columns_of(one).items()}
        {'row': [0], 'p_QCD': [0.25], 'p_top': [0.75]}
    """
    table: dict[str, Any] = {"row": predicted.row}
    for name, values in predicted.values.items():
        if name == "logits" and predicted.classes:
            shares = probabilities(values.astype(np.float64))
            classes = predicted.classes[predicted.class_target]
            table |= {f"p_{one}": share for one, share in zip(classes, shares.T, strict=True)}
        elif values.ndim == 1:
            table[name.replace(" ", "_")] = values
        else:
            flat = values.reshape(len(values), -1)
            table |= {f"{name.replace(' ', '_')}_{place}": flat[:, place] for place in range(flat.shape[1])}
    return table


def _known(dataset: Dataset, columns: tuple[str, ...]) -> list[str]:
    unknown = [name for name in columns if name not in dataset.columns]
    if unknown:
        raise JetkitError(f"{dataset.card.name} has no column {', '.join(unknown)}: jetkit show lists them")
    return list(dict.fromkeys([*(name for name in USUAL if name in dataset.columns), *columns]))


def _write_root(out: Path, table: dict[str, Any]) -> None:
    partial = partial_of(out)
    try:
        out.parent.mkdir(parents=True, exist_ok=True)
        write_tree(partial, TREE, table)
        partial.replace(out)
    except OSError as error:
        raise JetkitError(f"cannot write {out}: {error.strerror or error}") from error
    finally:
        partial.unlink(missing_ok=True)
