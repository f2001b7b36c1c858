"""Which jets of a dataset are for training, which for validation, which for the test."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass

from jetkit.data.dataset import Dataset, open_dataset
from jetkit.errors import JetkitError
from jetkit.train.options import TrainOptions


@dataclass(frozen=True)
class Parts:
    """The jets of a training."""

    train: Dataset
    validation: Dataset
    test: Dataset

    @property
    def sizes(self) -> dict[str, int]:
        """Jets in each part."""
        return {"train": len(self.train), "validation": len(self.validation), "test": len(self.test)}


def split_data(options: TrainOptions) -> Parts:
    """Training, validation and test jets; the parts share no event.

    Raises:
        JetkitError: the data cannot be opened, or a part that is needed is empty.
    """
    dataset = open_dataset(options.data)
    train, validation, test = (dataset.split(part, options.fractions) for part in ("train", "val", "test"))
    if options.train_jets is not None:
        if options.train_jets > len(train):
            raise JetkitError(
                f"train_jets={options.train_jets} is more than the {len(train)} jets in the training share of "
                f"{options.data}: simulate more, or raise the first of fractions"
            )
        train = train.take(options.train_jets, balanced=options.balanced)
    if not len(train) or not len(validation):
        raise JetkitError(f"{options.data} has too few jets ({len(dataset)}) to train on: simulate more")
    return Parts(train, validation, test)


def data_hash(dataset: Dataset) -> str:
    """Hash of a dataset: of the checksums in its card, or of names and sizes where there is none."""
    shards = [[shard.name, shard.sha256] for shard in dataset.card.shards]
    plain = [[source.path.name, source.bytes] for source in dataset.sources]
    return hashlib.sha256(json.dumps(shards or plain).encode()).hexdigest()
