"""Split of a dataset into training, validation and test jets."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from jetkit.data.dataset import Dataset, open_dataset
from jetkit.data.fingerprint import shard_names
from jetkit.errors import JetkitError
from jetkit.store.options import RunOptions


@dataclass(frozen=True)
class Parts:
    """Training, validation and test jets."""

    train: Dataset
    validation: Dataset
    test: Dataset

    @property
    def sizes(self) -> dict[str, int]:
        """Number of jets in each part."""
        return {"train": len(self.train), "validation": len(self.validation), "test": len(self.test)}


def split_data(options: RunOptions) -> Parts:
    """Split a dataset into training, validation and test jets; the parts share no event.

    Raises:
        JetkitError: the data cannot be opened, the training or validation part is empty, or ``train_jets`` exceeds the
            training share.
    """
    data = options.data
    dataset = open_dataset(data.path)
    dataset = dataset.of_classes(data.only) if data.only else dataset
    train, validation, test = (dataset.split(part, data.fractions) for part in ("train", "val", "test"))
    if data.train_jets is not None:
        if data.train_jets > len(train):
            raise JetkitError(
                f"train_jets={data.train_jets} is more than the {len(train)} jets in the training share of "
                f"{data.path}: simulate more, or raise the first of fractions"
            )
        train = train.take(data.train_jets, data.subset, balanced=data.balanced)
    if not len(train) or not len(validation):
        raise JetkitError(f"{data.path} has too few jets ({len(dataset)}) to train on: simulate more")
    return Parts(train, validation, test)


def refuse_known_jets(data: Mapping[str, Any], dataset: Dataset, options: RunOptions) -> None:
    """Raise if jets on which a model was trained may be among the test jets of its adaptation.

    Parts are chosen by event. The test jets of a shard are therefore disjoint from its earlier training jets unless the
    first of ``fractions`` is smaller than in the earlier training.

    Args:
        data: of the model's card
        dataset: that the model is adapted to
        options: of the adaptation

    Raises:
        JetkitError: a shard is in both, and the share of the training was larger.
    """
    common = set(data.get("shards", [])) & set(shard_names(dataset))
    if common and options.data.fractions[0] < data["fractions"][0]:
        raise JetkitError(
            f"{options.data.path} shares {len(common)} shards with the data of the pretraining, whose jets would be in "
            f"the test: the first of fractions should be {data['fractions'][0]:g} as there; or simulate with another "
            "seed"
        )
