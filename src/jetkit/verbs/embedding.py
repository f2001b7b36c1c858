"""What a model makes of jets before it names their class, as a plain table."""

from __future__ import annotations

import os
from functools import partial
from pathlib import Path
from typing import Annotated, Any

import numpy as np
from jaxtyping import Float, Int
from pydantic.dataclasses import dataclass

from jetkit.data.dataset import Dataset, open_dataset
from jetkit.data.shards import write_shard
from jetkit.errors import JetkitError
from jetkit.models.model import Encoder
from jetkit.progress import Report, silent
from jetkit.store.model_file import model_in, model_path, read_model
from jetkit.store.options import option
from jetkit.training.cached import table_of
from jetkit.training.start import frozen_encoding


@dataclass(frozen=True)
class EmbedOptions:
    """Of which jets, and where to write."""

    data: Annotated[str, option("folder of a dataset, or Parquet files")]
    out: Annotated[str, option("Parquet file to write")] = "embeddings.parquet"
    batch: Annotated[int, option("jets embedded at once", ge=1)] = 128


def embed(
    model: str | os.PathLike[str],
    dataset: Dataset,
    *,
    batch: int = 128,
    report: Report = silent,
) -> tuple[Float[np.ndarray, "B D"], Int[np.ndarray, " B"]]:
    """Vectors of all usable jets, in the order of the dataset, and their places in it.

    Raises:
        JetkitError: the model cannot be read, or the data lack its features.
    """
    module, card = read_model(model_path(model))
    encoder = model_in(module)
    if not isinstance(encoder, Encoder):
        raise JetkitError(f"{model} holds {card.model}, which encodes nothing: give an encoder, such as part")
    loader = dataset.batches(batch=batch, shuffle=False, **card.preprocessing)
    rows, vectors = table_of(
        loader, partial(frozen_encoding, encoder), lambda done, total: report(done, total, "embed")
    )
    return vectors.float().numpy(), rows.numpy()


def embed_file(model: str, options: EmbedOptions, report: Report = silent) -> Path:
    """Write a Parquet file with a row per jet: ``embedding``, ``row`` and, where the data have them, label and event.

    Raises:
        JetkitError: as `embed`, or the file cannot be written.
    """
    dataset = open_dataset(options.data)
    vectors, rows = embed(model, dataset, batch=options.batch, report=report)
    limits = np.arange(len(vectors) + 1) * vectors.shape[1]
    columns: dict[str, Any] = {"embedding": (vectors.reshape(-1), limits), "row": rows}
    known = [name for name in ("jet_label", "event_id") if name in dataset.columns]
    columns |= {name: values[rows] for name, values in dataset.read(known).items()} if known else {}
    write_shard(Path(options.out), columns)
    return Path(options.out)
