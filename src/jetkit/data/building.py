"""Datasets under construction: ownership of the folder, and shards that are already complete."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Collection, Iterator, Mapping
from pathlib import Path

import numpy as np

from jetkit.data.card import CARD_NAME, Card, Shard, read_card, sha256_of, write_card
from jetkit.data.columns import COLUMNS, Column
from jetkit.data.shards import ShardReader
from jetkit.errors import JetkitError


def claim(folder: Path, card: Card) -> None:
    """Claim a folder for a dataset, or check that it already contains a part of the same dataset.

    Raises:
        JetkitError: the folder contains something else, or cannot be created.
    """
    if (folder / CARD_NAME).exists():
        old = read_card(folder)
        if (old.recipe, old.generator) != (card.recipe, card.generator):
            raise JetkitError(
                f"{folder} holds another dataset ({old.name}, seed {old.seed}); choose another out=FOLDER"
            )
        return
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise JetkitError(f"{folder} exists and is not a dataset; choose another out=FOLDER or empty it")
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise JetkitError(f"cannot make the folder {folder}: {error.strerror}; choose another out=FOLDER") from error
    write_card(folder, card)


def finished(folder: Path, names: Collection[str], fingerprint: str) -> Iterator[Shard]:
    """Yield the named shards that are complete and unchanged; remove all leftovers of an interrupted run.

    The metadata of a shard contain the fingerprint of its inputs under ``jetkit``.
    """
    listed = {shard.name: shard for shard in read_card(folder).shards}
    for leftover in folder.glob(".*.partial"):
        leftover.unlink()
    for name in names:
        path = folder / name
        if not path.exists():
            continue
        known = listed.get(name)
        if known is None and _is_whole(path, fingerprint):
            yield _describe(path)
        elif known is not None and path.stat().st_size == known.bytes and sha256_of(path) == known.sha256:
            yield known
        else:
            path.unlink()


def account(
    folder: Path, names: Collection[str], known: Mapping[str, Column] = COLUMNS
) -> tuple[dict[str, int], dict[str, dict[str, str]]]:
    """Collect from the shards the counts of rows left out, and the columns with type, unit and meaning."""
    counts: Counter[str] = Counter()
    columns: dict[str, dict[str, str]] = {}
    for name in names:
        with ShardReader(folder / name) as reader:
            counts.update(json.loads(reader.metadata["counts"]))
            columns |= {column: known[column]._asdict() for column in reader.columns}
    return dict(counts), columns


def _is_whole(path: Path, fingerprint: str) -> bool:
    """Return whether a file that no card lists yet belongs to this dataset and is readable to the last row."""
    try:
        with ShardReader(path) as reader:
            reader.read(list(reader.columns))
            return reader.metadata.get("jetkit") == fingerprint
    except JetkitError:
        return False


def _describe(path: Path) -> Shard:
    with ShardReader(path) as reader:
        classes = []
        if "jet_label" in reader.columns:
            labels = np.asarray(reader.read(["jet_label"])["jet_label"])
            classes = np.bincount(labels[labels >= 0]).tolist()
        return Shard(path.name, reader.rows, path.stat().st_size, sha256_of(path), classes)
