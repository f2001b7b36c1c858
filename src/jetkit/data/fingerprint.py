"""Content hashes of a dataset and its shards."""

from __future__ import annotations

import hashlib
import json

from jetkit.data.dataset import Dataset


def data_hash(dataset: Dataset) -> str:
    """Compute the hash of a dataset from the checksums in its card, or from names and sizes without a card."""
    shards = [[shard.name, shard.sha256] for shard in dataset.card.shards]
    plain = [[source.path.name, source.bytes] for source in dataset.sources]
    return hashlib.sha256(json.dumps(shards or plain).encode()).hexdigest()


def shard_names(dataset: Dataset) -> list[str]:
    """Return a short content-based name for each shard, which identifies the same jets in other datasets."""
    return [shard.sha256[:16] for shard in dataset.card.shards]
