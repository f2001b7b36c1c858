"""Datasets without momenta are shown column by column."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from jetkit.cli.dataset_view import show_dataset
from jetkit.data.card import Card, write_card
from jetkit.data.dataset import open_dataset
from jetkit.data.shards import write_shard
from jetkit.reporting.column_contents import PICTURES, column_contents


@pytest.fixture
def hits(tmp_path: Path) -> Path:
    offsets = np.array([0, 2, 2, 5])
    columns = {
        "hit_x": (np.array([1.0, -3.0, 2.0, 4.0, np.nan], np.float32), offsets),
        "hit_layer": (np.arange(5, dtype=np.int32), offsets),
        "nothing": np.full(3, np.nan, np.float32),
    }
    shard = write_shard(tmp_path / "hits.parquet", columns)
    known = {"hit_x": {"type": "list[float32]", "unit": "mm", "description": "place along x"}}
    write_card(tmp_path, Card("hits", columns=known).with_shards([shard], complete=True))
    return tmp_path


def test_the_table_has_a_line_for_each_column(hits: Path) -> None:
    contents, figures = column_contents(open_dataset(hits))
    assert contents.table.rows == [
        ["hit_x", "mm", "1.667", "-3", "1", "4"],
        ["hit_layer", "", "1.667", "0", "2", "4"],
        ["nothing", "", "1", "", "", ""],
    ]
    assert list(figures) == ["hit_x", "hit_layer"]
    assert figures["hit_x"].axes[0].get_xlabel() == "hit_x [mm]"
    assert contents.captions["hit_x"][1] == "place along x. Bars: statistical errors."


def test_many_columns_are_listed_but_not_all_drawn(tmp_path: Path) -> None:
    columns = {f"column_{i:02d}": np.arange(4.0) + i for i in range(PICTURES + 3)}
    write_shard(tmp_path / "many.parquet", columns)
    contents, figures = column_contents(open_dataset(tmp_path / "many.parquet"))
    assert (len(contents.table.rows), len(figures)) == (PICTURES + 3, PICTURES)


def test_show_prints_the_columns_and_writes_a_page(hits: Path, tmp_path: Path, capsys) -> None:
    written = show_dataset(str(hits), str(tmp_path / "out"))
    assert [path.name for path in written] == ["hit_x.png", "hit_layer.png", "index.html"]
    printed = capsys.readouterr().out
    assert "hits: 3 rows, 1 shards" in printed
    assert "hit_layer" in printed
    text = written[-1].read_text(encoding="utf-8")
    assert "<h2>Columns</h2>" in text
    assert "3 rows" in text
    assert "jets" not in text
