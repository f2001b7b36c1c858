from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from typer.testing import CliRunner

from jetkit.cli.grammar import app
from jetkit.data.card import Card, verify, write_card
from jetkit.data.dataset import open_dataset
from jetkit.data.mapping import map_dataset
from jetkit.data.ragged import Ragged
from jetkit.data.shards import ShardReader, write_shard
from jetkit.errors import JetkitError

Jets = Callable[..., dict[str, Any]]


@pytest.fixture
def dataset(tmp_path: Path, make: Jets) -> Path:
    """Two shards of one class each, the first with two row groups."""
    folder = tmp_path / "jets"
    folder.mkdir()
    sizes = [list(np.random.default_rng(1).integers(1, 6, 1200)), [3, 1, 4]]
    shards = [
        write_shard(folder / f"{number}.parquet", make(size, label=number), {"counts": "{}"})
        for number, size in enumerate(sizes)
    ]
    write_card(folder, Card("example", classes=["QCD", "top"], recipe={"seed": 1}).with_shards(shards, complete=True))
    return folder


def test_a_copy_has_the_same_columns_rows_groups_and_metadata(tmp_path: Path, dataset: Path) -> None:
    folder = map_dataset(dataset, tmp_path / "mapped")
    for number in range(2):
        with ShardReader(dataset / f"{number}.parquet") as old, ShardReader(folder / f"{number}.arrow") as new:
            assert (old.columns, old.group_rows) == (new.columns, new.group_rows)
            assert new.metadata["counts"] == old.metadata["counts"]
            copied = new.read(list(new.columns))
            for name, column in old.read(list(old.columns)).items():
                other = copied[name]
                if isinstance(column, Ragged):
                    assert isinstance(other, Ragged)
                    np.testing.assert_array_equal(column.offsets, other.offsets)
                    column, other = column.values, other.values
                assert isinstance(other, np.ndarray)
                np.testing.assert_array_equal(column, other)


def test_a_copy_gives_the_same_batches_in_the_same_order(tmp_path: Path, dataset: Path) -> None:
    folder = map_dataset(dataset, tmp_path / "mapped")
    old, new = (open_dataset(place).batches(batch=64, features="kin", seed=3) for place in (dataset, folder))
    for first, second in zip(old, new, strict=True):
        assert torch.equal(first.x, second.x)
        assert torch.equal(first.label, second.label)


def test_its_card_tells_of_the_same_data_and_of_the_new_files(tmp_path: Path, dataset: Path) -> None:
    folder = map_dataset(dataset, tmp_path / "mapped")
    old, new = open_dataset(dataset).card, open_dataset(folder).card
    assert (old.recipe, old.counts, old.rows, old.complete) == (new.recipe, new.counts, new.rows, new.complete)
    assert [shard.name for shard in new.shards] == ["0.arrow", "1.arrow"]
    assert verify(folder) == []


def test_a_copy_that_was_interrupted_goes_on(tmp_path: Path, dataset: Path) -> None:
    folder = map_dataset(dataset, tmp_path / "mapped")
    whole = {path.name: path.read_bytes() for path in folder.iterdir()}
    (folder / "1.arrow").unlink()
    (folder / "0.arrow").write_bytes(whole["0.arrow"][:-1])
    map_dataset(dataset, folder)
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == whole


def test_files_without_a_card_are_mapped(tmp_path: Path, dataset: Path) -> None:
    (dataset / "dataset.json").unlink()
    assert len(open_dataset(map_dataset(dataset, tmp_path / "mapped"))) == 1203


def test_nothing_else_is_overwritten(tmp_path: Path, dataset: Path, make: Jets) -> None:
    with pytest.raises(JetkitError, match="is the dataset itself"):
        map_dataset(dataset, dataset)
    other = tmp_path / "other.parquet"
    write_shard(other, make([2]))
    folder = map_dataset(other, tmp_path / "mapped")
    with pytest.raises(JetkitError, match="holds another dataset"):
        map_dataset(dataset, folder)


def test_files_of_one_name_are_refused(tmp_path: Path, make: Jets) -> None:
    for name in "ab":
        (tmp_path / "jets" / name).mkdir(parents=True)
        write_shard(tmp_path / "jets" / name / "0.parquet", make([1]))
    with pytest.raises(JetkitError, match="files of one name"):
        map_dataset(tmp_path / "jets", tmp_path / "mapped")


@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_a_damaged_file_is_one_sentence_or_as_many_jets(tmp_path: Path, make: Jets, data: st.DataObject) -> None:
    path = tmp_path / "a.arrow"
    if not path.exists():
        write_shard(path, make([3, 1, 7, 2, 5]))
        path.replace(tmp_path / "intact")
    content = bytearray((tmp_path / "intact").read_bytes())
    if data.draw(st.booleans(), "cut"):
        del content[data.draw(st.integers(0, len(content) - 1)) :]
    else:
        for _ in range(data.draw(st.integers(1, 3))):
            content[data.draw(st.integers(0, len(content) - 1))] ^= data.draw(st.integers(1, 255))
    path.write_bytes(content)
    try:
        loader = open_dataset(path).batches(batch=2, features="kin", row=())
        assert sum(len(batch) for batch in loader) + loader.skipped.total() == 5
    except JetkitError as error:
        assert "a.arrow" in str(error)  # noqa: PT017
    finally:
        path.touch()


def test_the_command_copies_beside_the_dataset(dataset: Path) -> None:
    outcome = CliRunner().invoke(app, ["map", str(dataset)])
    assert outcome.exit_code == 0, outcome.output
    assert len(open_dataset(f"{dataset}-mapped")) == 1203
    refused = CliRunner().invoke(app, ["map", str(dataset), f"out={dataset}"])
    assert (refused.exit_code, "choose another out=FOLDER" in refused.output) == (1, True)
