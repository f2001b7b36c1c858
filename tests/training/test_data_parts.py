"""Parts of a dataset: subsets, passes, and jets that a pretrained model knows."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from jetkit.data.dataset import open_dataset
from jetkit.data.fingerprint import shard_names
from jetkit.errors import JetkitError
from jetkit.store.options import RunOptions, nested
from jetkit.training.assembly import data_of
from jetkit.training.data_parts import refuse_known_jets, split_data


def options(toy: Path, **values: object) -> RunOptions:
    return nested({"model": "pfn", "data": str(toy), **values}, "the test")


def events(toy: Path, **values: object) -> list[int]:
    return list(split_data(options(toy, train_jets=50, **values)).train.read(["event_id"])["event_id"])


def test_another_subset_has_other_jets(toy: Path) -> None:
    assert events(toy) == events(toy, subset=0)
    assert len(set(events(toy)) & set(events(toy, subset=1))) < 25


def test_an_epoch_of_three_passes_has_each_jet_three_times(toy: Path) -> None:
    chosen = options(toy, train_jets=50, passes=3, batch=16)
    parts = split_data(chosen)
    train, validation = data_of(chosen).loaders(chosen)
    rows = np.concatenate([batch.index.row.numpy() for batch in train])
    assert len(train) == 10
    assert parts.sizes["train"] == 50
    np.testing.assert_array_equal(np.bincount(rows // 3), np.full(50, 3))
    assert sum(len(batch) for batch in validation) == parts.sizes["validation"]


def test_a_test_may_not_begin_among_the_jets_that_a_pretrained_model_knows(toy: Path) -> None:
    data = {"shards": shard_names(open_dataset(toy)), "fractions": [0.8, 0.1, 0.1]}
    for share in (0.8, 0.9):
        refuse_known_jets(data, open_dataset(toy), options(toy, fractions=(share, 0.05, 0.05)))
    with pytest.raises(JetkitError, match=r"first of fractions should be 0\.8"):
        refuse_known_jets(data, open_dataset(toy), options(toy, fractions=(0.5, 0.05, 0.05)))


def test_jets_of_other_shards_may_be_split_otherwise(toy: Path) -> None:
    data = {"shards": ["0" * 16], "fractions": [0.8, 0.1, 0.1]}
    refuse_known_jets(data, open_dataset(toy), options(toy, fractions=(0.5, 0.1, 0.4)))
