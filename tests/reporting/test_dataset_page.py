"""The page of a dataset: complete, self-contained, and safe against what a card may hold."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from matplotlib.figure import Figure

from jetkit.data.card import Card
from jetkit.data.dataset import Dataset, open_dataset
from jetkit.reporting.class_table import class_table, mean_with_error
from jetkit.reporting.dataset_page import command, of_classes, page, write_page
from jetkit.reporting.jet_sample import JetSample, sample_jets
from jetkit.reporting.picture_set import CAPTIONS, lund_density, mean_image
from jetkit.reporting.pictures import histogram

PNG = {"mass": b"picture"}


def test_all_pictures_are_made(figures: dict[str, Figure]) -> None:
    assert list(figures) == list(CAPTIONS)


def test_classes_that_are_left_out_are_counted(many_classes: Path) -> None:
    dataset = open_dataset(many_classes)
    assert "The 10 largest of 12 classes" in page(
        dataset.card, of_classes(dataset.card, sample_jets(dataset)), PNG, "data"
    )


def test_page_asks_nothing_of_the_network(dataset: Dataset, jets: JetSample) -> None:
    text = page(dataset.card, of_classes(dataset.card, jets), PNG, "data")
    assert "<script" not in text
    assert re.findall(r"""(?:src|href)=["'](?!data:)|url\(|@import""", text) == []


def test_page_tells_card_shards_and_command(dataset: Dataset, jets: JetSample) -> None:
    text = page(dataset.card, of_classes(dataset.card, jets), PNG, "data")
    for expected in (
        "550 &lt; pT &lt; 650 GeV",
        "arXiv:0000.00000",
        "jetkit simulate top-landscape jets=120 seed=7 shard=40 detector=cms",
        dataset.card.shards[0].sha256[:12],
        "jets-2.parquet",
        "8.3",
    ):
        assert expected in text


def test_what_a_card_holds_is_escaped(dataset: Dataset, jets: JetSample) -> None:
    evil = "<script>alert(1)</script>"
    made = {"dataset": {"name": evil, "description": evil}, "options": {"jets": evil}}
    card = replace(dataset.card, name=evil, notes=[evil], cuts=[evil], recipe=made)
    text = page(card, of_classes(card, jets), PNG, f'"{evil}')
    assert "<script" not in text
    assert "&lt;script&gt;" in text


def test_incomplete_dataset_is_said_to_be(dataset: Dataset, jets: JetSample) -> None:
    assert "not complete" in page(replace(dataset.card, complete=False), of_classes(dataset.card, jets), PNG, "data")
    assert "not complete" not in page(dataset.card, of_classes(dataset.card, jets), PNG, "data")


def test_files_without_a_card_have_no_command(jets: JetSample) -> None:
    card = Card("found", rows=120, complete=True)
    assert command(card) == ""
    assert "jetkit simulate" not in page(card, of_classes(card, jets), {}, "found.parquet")


def test_command_leaves_out_the_recipe_s_own_detector(dataset: Dataset) -> None:
    recipe = {**dataset.card.recipe, "dataset": {"name": "top-landscape", "detector": "atlas"}}
    assert command(replace(dataset.card, recipe=recipe)) == "jetkit simulate top-landscape jets=120 seed=7 shard=40"


def test_page_is_the_same_on_every_run(dataset: Dataset, jets: JetSample, tmp_path: Path) -> None:
    for name in ("one", "two"):
        figures = {"mass": histogram(jets.by_class("mass"), "mass", unit="GeV")}
        write_page(dataset.card, of_classes(dataset.card, jets), figures, tmp_path / name, "data")
    assert (tmp_path / "one" / "index.html").read_bytes() == (tmp_path / "two" / "index.html").read_bytes()


def test_table_has_a_row_per_class_with_counts_and_errors(jets: JetSample) -> None:
    table = class_table(jets)
    assert table.header[:3] == ["class", "jets", "pT [GeV]"]
    assert [row[:2] for row in table.rows] == [["QCD", "60"], ["top", "60"]]
    assert all(re.fullmatch(r"[\d.]+ ± [\d.]+", cell) for row in table.rows for cell in row[2:])


@pytest.mark.parametrize(
    ("values", "text"),
    [
        ([1.0, 3.0], "2.0 ± 1.0"),
        ([1000.0, 3000.0], "2000 ± 1000"),
        ([0.001, 0.003], "0.0020 ± 0.0010"),
        ([5.0, 5.0], "5.000 ± 0.000"),
        ([1.0, 3.0, np.nan, np.inf], "2.0 ± 1.0"),
        ([np.nan, 1.0], "too few jets"),
        ([], "too few jets"),
    ],
)
def test_mean_is_written_to_two_digits_of_its_error(values: list[float], text: str) -> None:
    assert mean_with_error(np.array(values)) == text


def test_mean_image_of_one_class_is_the_mean_over_its_jets(jets: JetSample) -> None:
    first, second = (mean_image(jets.select(np.arange(len(jets)) == j), 0.8) for j in (0, 1))
    both = mean_image(jets.select(np.arange(len(jets)) < 2), 0.8)
    assert np.allclose(both, (first + second) / 2)
    assert 0.9 < both.sum() <= 1 + 1e-9


def test_lund_density_integrates_to_the_splittings_per_jet() -> None:
    p4 = np.array([[70.0, 70.0, 0.0, 0.0], [30.0, 30 * np.cos(0.2), 30 * np.sin(0.2), 0.0]])
    zeros = np.zeros(2)
    one = JetSample(("top",), (1,), np.zeros(1, int), {}, np.array([0, 2]), p4, zeros, zeros, np.zeros(2, int))
    density = lund_density(one)
    assert density.sum() * 0.2 * 0.25 == pytest.approx(1.0)
    x, y = np.argwhere(density)[0]
    assert 0.2 * x <= -np.log(0.2) < 0.2 * (x + 1)
    assert -3 + 0.25 * y <= np.log(6.0) < -3 + 0.25 * (y + 1)
