"""Data are known by their content: hashes of a dataset and of its shards."""

from __future__ import annotations

import hashlib
import json

from jetkit.data.dataset import Dataset


def data_hash(dataset: Dataset) -> str:
    """Hash of a dataset: of the checksums in its card, or of names and sizes where there is none."""
    shards = [[shard.name, shard.sha256] for shard in dataset.card.shards]
    plain = [[source.path.name, source.bytes] for source in dataset.sources]
    return hashlib.sha256(json.dumps(shards or plain).encode()).hexdigest()


def shard_names(dataset: Dataset) -> list[str]:
    """A short name for the contents of each shard, by which the same jets are known in another dataset."""
    return [shard.sha256[:16] for shard in dataset.card.shards]
