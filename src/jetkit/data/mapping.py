"""Memory-mapped copies of a dataset: twice as fast to read, a fifth larger."""

from __future__ import annotations

import hashlib
import json
import os
from dataclasses import asdict, replace
from pathlib import Path

from jetkit.data.arrow import MAPPED
from jetkit.data.building import claim, finished
from jetkit.data.card import Shard, write_card
from jetkit.data.dataset import open_dataset
from jetkit.data.shards import ShardReader, write_shard
from jetkit.errors import JetkitError
from jetkit.progress import Count


def map_dataset(path: str | os.PathLike[str], out: str | os.PathLike[str], progress: Count | None = None) -> Path:
    """Copy a dataset, shard by shard, to memory-mapped files, or resume an interrupted copy.

    Rows, row groups, card and shard names (except for the suffix) are unchanged, so every loader yields the same
    batches in the same order.

    Args:
        path: folder of a dataset, or Parquet files
        out: folder to write
        progress: called with (rows copied, rows in all)

    Returns:
        The folder of the copy.

    Raises:
        JetkitError: nothing is there, files of one name, `out` holds something else, a damaged file, a full disk.

    Example:
        >>> def for_small_models(folder):
        ...     return map_dataset(folder, "data/mapped")
    """
    dataset, folder = open_dataset(path), Path(out)
    fingerprint = hashlib.sha256(json.dumps(asdict(dataset.card), sort_keys=True).encode()).hexdigest()
    recipe = dataset.card.recipe or {"mapped": fingerprint}
    card = replace(dataset.card, recipe=recipe).with_shards([], complete=False)
    files = {Path(str(source.path)).with_suffix(MAPPED).name: source.path for source in dataset.sources}
    if len(files) < len(dataset.sources):
        raise JetkitError(f"{path} has files of one name in several folders: map each folder into one of its own")
    if folder.resolve() == Path(path).resolve():
        raise JetkitError(f"{folder} is the dataset itself; choose another out=FOLDER")
    claim(folder, card)
    done = {shard.name: shard for shard in finished(folder, list(files), fingerprint)}
    for name, source in files.items():
        if name not in done:
            done[name] = _copied(ShardReader(source), folder / name, fingerprint)
            write_card(folder, card.with_shards(list(done.values()), complete=False))
        if progress:
            progress(sum(shard.rows for shard in done.values()), len(dataset))
    write_card(folder, card.with_shards(list(done.values()), complete=dataset.card.complete))
    return folder


def _copied(reader: ShardReader, path: Path, fingerprint: str) -> Shard:
    """Copy the columns and metadata of a shard to another file, with the fingerprint of the source."""
    with reader as shard:
        return write_shard(path, shard.read(list(shard.columns)), {**shard.metadata, "jetkit": fingerprint})
