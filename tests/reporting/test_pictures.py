"""Pictures show the numbers they are given, the same on every run."""

from __future__ import annotations

from pathlib import Path

import matplotlib
import numpy as np
import pytest

from jetkit.errors import JetkitError
from jetkit.reporting.pictures import bin_edges, event_display, histogram, image, image_grid, lund_grid, save

VALUES = {"QCD": np.array([10.0, 20.0, 21.0, np.nan]), "top": np.array([170.0, 171.0])}


def test_histogram_holds_the_fraction_of_jets_and_its_error() -> None:
    random = np.random.default_rng(1)
    values = random.normal(100, 20, 1000)
    figure = histogram({"top": values}, "mass", unit="GeV")
    axes = figure.axes[0]
    drawn, edges, _ = axes.patches[0].get_data()
    counts = np.histogram(values, edges)[0]
    assert np.allclose(drawn, counts / 1000)
    bars = axes.containers[0].lines[2][0].get_segments()
    assert np.allclose([(bar[1, 1] - bar[0, 1]) / 2 for bar in bars], np.sqrt(counts) / 1000)
    assert 0.985 < drawn.sum() <= 1


def test_labels_carry_units_and_classes_as_given() -> None:
    figure = histogram(VALUES, "mass", unit="GeV")
    assert figure.axes[0].get_xlabel() == "mass [GeV]"
    assert figure.axes[0].get_ylabel().endswith("GeV")
    assert [text.get_text() for text in figure.legends[0].get_texts()] == ["QCD", "top"]


def test_legend_is_outside_the_data() -> None:
    figure = histogram({f"class{i}": np.arange(20.0) + i for i in range(10)}, "mass")
    figure.draw_without_rendering()
    assert figure.legends[0].get_window_extent().y0 >= figure.axes[0].get_window_extent().y1
    assert figure.legends[0].get_window_extent().x1 <= figure.bbox.x1


@pytest.mark.parametrize(
    "values",
    [np.arange(1.0, 60.0), np.array([5.0]), np.array([-3.0, 4.0, 1e4]), np.full(50, 7.0), np.linspace(0, 1, 999)],
)
def test_bins_are_equal_and_hold_the_values(values: np.ndarray) -> None:
    edges = bin_edges(values, 40, "x")
    assert np.ptp(np.diff(edges)) < 1e-9 * np.diff(edges).mean()
    low, high = np.quantile(values, (0.005, 0.995))
    assert edges[0] <= low
    assert edges[-1] >= high
    assert 2 <= len(edges) <= 60


def test_whole_numbers_fall_into_the_middle_of_bins() -> None:
    edges = bin_edges(np.random.default_rng(1).poisson(40, 5000).astype(float), 40, "n")
    assert np.all(edges % 1 == 0.5)


def test_nothing_to_draw_is_refused() -> None:
    with pytest.raises(JetkitError, match="no finite value of mass"):
        histogram({"QCD": np.array([np.nan])}, "mass")
    with pytest.raises(JetkitError, match="nothing to draw"):
        image_grid({"QCD": np.zeros((3, 3))}, 0.8, quantity="pT")


def test_first_axis_of_an_image_is_horizontal() -> None:
    pixels = np.full((4, 4), 0.1)
    pixels[3, 0] = 9.0
    axes = image_grid({"QCD": pixels}, 0.8, quantity="pT").axes[0]
    drawn = axes.images[0]
    assert drawn.get_array()[0, 3] == 9.0
    assert drawn.get_extent() == [-0.8, 0.8, -0.8, 0.8]
    assert drawn.origin == "lower"


def test_classes_share_one_colour_scale() -> None:
    figure = lund_grid({"QCD": np.full((3, 3), 0.5), "top": np.full((3, 3), 2.0)}, (0, 7), (-3, 6))
    limits = {axes.images[0].get_clim() for axes in figure.axes if axes.images}
    assert len(limits) == 1
    assert limits.pop()[1] == 2.0


def test_marker_area_grows_linearly_with_pt() -> None:
    deta, dphi = np.zeros((2, 3))
    figure = event_display({"top": (deta, dphi, np.array([10.0, 20.0, 70.0]), np.array([0, 0, 0]))}, 0.8)
    sizes = next(c for c in figure.axes[0].collections if len(c.get_offsets())).get_sizes()
    assert (sizes[2] - sizes[1]) == pytest.approx(5 * (sizes[1] - sizes[0]))


def test_kinds_have_their_own_markers_and_names() -> None:
    zeros = np.zeros(3)
    figure = event_display({"top": (zeros, zeros, zeros + 1, np.array([0, 2, -1]))}, 0.8)
    assert [text.get_text() for text in figure.legends[0].get_texts()] == ["charged hadron", "photon", "other"]


@pytest.mark.parametrize("kind", ["png", "svg"])
def test_file_is_the_same_on_every_run(kind: str) -> None:
    assert image(histogram(VALUES, "mass"), kind) == image(histogram(VALUES, "mass"), kind)


def test_drawing_leaves_the_global_settings_alone() -> None:
    before = dict(matplotlib.rcParams)
    image(histogram(VALUES, "mass"))
    assert dict(matplotlib.rcParams) == before


def test_picture_is_saved_and_no_other_file_is_left(tmp_path: Path) -> None:
    save(histogram(VALUES, "mass"), tmp_path / "new" / "mass.png")
    assert [path.name for path in (tmp_path / "new").iterdir()] == ["mass.png"]
    assert (tmp_path / "new" / "mass.png").read_bytes().startswith(b"\x89PNG")


def test_unknown_ending_and_unwritable_folder_are_refused(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(JetkitError, match=r"\*\.png or \*\.svg"):
        save(histogram(VALUES, "mass"), tmp_path / "mass.gif")
    with pytest.raises(JetkitError, match="choose another folder"):
        save(histogram(VALUES, "mass"), tmp_path / "file" / "mass.png")
