"""Pictures of weighted jets: sums of weights with errors from their squares, and what becomes of negative bins."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from jetkit.data.dataset import Dataset, open_dataset
from jetkit.data.shards import write_shard
from jetkit.errors import JetkitError
from jetkit.evaluation.calibration import calibration
from jetkit.evaluation.confusion import confusion
from jetkit.evaluation.efficiency import efficiency_curves
from jetkit.evaluation.ranking import rank
from jetkit.evaluation.roc import roc
from jetkit.evaluation.summary import evaluate
from jetkit.physics.jet_images import jet_images
from jetkit.reporting.class_table import class_table, mean_with_error
from jetkit.reporting.dataset_page import of_classes
from jetkit.reporting.figure import image
from jetkit.reporting.jet_sample import JetSample, sample_jets
from jetkit.reporting.picture_set import CAPTIONS, captions, lund_density, mean_image, picture_set
from jetkit.reporting.pictures import fractions, histogram
from jetkit.reporting.tagger_page import write_page
from jetkit.reporting.tagger_picture_set import picture_set as tagger_pictures
from jetkit.reporting.tagger_pictures import (
    calibration_panels,
    confusion_matrix,
    efficiency_panels,
    rejection_curve,
    roc_curves,
    score_panels,
)
from jetkit.reporting.tagger_result import TaggerResult, Training

CLASSES = ("QCD", "top")


def signed(jets: int, seed: int = 1, negative: float = 0.2) -> np.ndarray:
    """Weights of a generator at next-to-leading order, which also differ in size."""
    random = np.random.default_rng(seed)
    return np.where(random.random(jets) < negative, -1, 1) * random.uniform(0.5, 2, jets)


def weighed(training: Training, weight: np.ndarray) -> Training:
    """The same training, judged with weights."""
    found = evaluate(training.logits.astype(float), training.label, CLASSES, replicas=50, weight=weight)
    return replace(training, evaluation=found, weight=weight)


@pytest.fixture(scope="module")
def taggers(three: list[TaggerResult]) -> list[TaggerResult]:
    """Two taggers on the same weighted jets."""
    weight = signed(len(three[0].typical.label))
    return [replace(one, trainings=(weighed(one.typical, weight),)) for one in (three[2], three[0])]


@pytest.fixture(scope="module")
def weighted_dataset(dataset: Dataset, tmp_path_factory: pytest.TempPathFactory) -> Dataset:
    """The invented jets with a weight each."""
    columns = dict(dataset.read(list(dataset.columns)))
    columns["event_weight"] = signed(len(dataset)).astype("f4")
    path = tmp_path_factory.mktemp("weighted") / "jets.parquet"
    write_shard(path, {name: tuple(c) if isinstance(c, tuple) else c for name, c in columns.items()})
    return open_dataset(path)


@pytest.fixture(scope="module")
def weighted_jets(weighted_dataset: Dataset) -> JetSample:
    return sample_jets(weighted_dataset)


# -- distributions -------------------------------------------------------------------------------------------------


def test_a_histogram_holds_sums_of_weights_and_their_errors() -> None:
    values, weight = np.random.default_rng(1).normal(100, 20, 1000), signed(1000)
    values[7] = np.nan
    axes = histogram({"top": values}, "mass", weights={"top": weight}).axes[0]
    drawn, edges, _ = axes.patches[0].get_data()
    finite = np.isfinite(values)
    total = weight[finite].sum()
    place = np.digitize(values, edges) - 1
    sums = [weight[finite & (place == k)].sum() / total for k in range(len(drawn))]
    errors = [np.sqrt((weight[finite & (place == k)] ** 2).sum()) / total for k in range(len(drawn))]
    np.testing.assert_allclose(drawn, sums)
    bars = axes.containers[0].lines[2][0].get_segments()
    np.testing.assert_allclose([(bar[1, 1] - bar[0, 1]) / 2 for bar in bars], errors)


def test_weights_of_one_change_nothing() -> None:
    values = np.random.default_rng(1).normal(100, 20, 1000)
    edges = np.linspace(40, 160, 21)
    for plain, one in zip(fractions(values, edges), fractions(values, edges, np.ones(1000)), strict=True):
        np.testing.assert_allclose(one, plain)
    pictures = [histogram({"top": values}, "mass", weights=weights) for weights in (None, {"top": np.ones(1000)})]
    assert image(pictures[0]) == image(pictures[1])


def test_a_linear_axis_reaches_down_to_negative_bins() -> None:
    values = np.repeat([1.0, 2.0, 3.0], 20)
    weight = np.repeat([2.0, -0.5, 1.0], 20)
    axes = histogram({"top": values}, "n", weights={"top": weight}).axes[0]
    drawn = axes.patches[0].get_data().values
    assert drawn.min() == pytest.approx(-0.2)
    assert axes.get_ylim()[0] < -0.2 - np.sqrt(20 * 0.25) / 50
    positive = histogram({"top": values}, "n", weights={"top": np.abs(weight)}).axes[0]
    assert positive.get_ylim()[0] == 0


def test_weights_that_cancel_are_drawn_as_parts_of_their_size() -> None:
    sums, errors = fractions(np.array([1.0, 3.0]), np.array([0.0, 2, 4]), np.array([1.0, -1.0]))
    assert sums.tolist() == [0.5, -0.5]
    assert errors.tolist() == [0.5, 0.5]


def test_a_logarithmic_axis_says_how_many_bins_it_leaves_out() -> None:
    values = np.repeat(np.arange(10.0), 50) + 0.25
    weight = np.where((values > 3) & (values < 5), -0.25, 1.0)
    panel = [("a", {"QCD": values, "top": values[::-1]})]
    weights = [{"QCD": weight, "top": np.ones(len(values))}]
    figure = score_panels(panel, "score", weights)
    assert [text.get_text() for text in figure.axes[0].texts] == ["2 negative bins not shown"]
    low, high = figure.axes[0].get_ylim()
    assert 0 < low < high
    assert len(image(figure)) > 1000
    assert not score_panels(panel, "score").axes[0].texts
    assert not score_panels(panel, "score", [{name: np.ones(500) for name in CLASSES}]).axes[0].texts


# -- taggers -------------------------------------------------------------------------------------------------------


def test_a_roc_curve_ends_where_few_effective_jets_pass(taggers: list[TaggerResult]) -> None:
    training = taggers[0].typical
    curve = training.evaluation.discriminations[0].roc
    score = (training.logits[:, 1] - training.logits[:, 0]).astype(float)
    assert training.weight is not None
    ranking = rank(score, training.label == 1, training.weight)
    thresholds = [ranking.threshold(efficiency) for efficiency in curve.signal_efficiency]
    passing = [training.weight[(training.label == 0) & (score >= threshold)] for threshold in thresholds]
    effective = np.array([max(w.sum(), 0) ** 2 / max((w**2).sum(), 1e-9) for w in passing])
    middle = rejection_curve(curve, effective)[0]
    assert np.array_equal(np.isnan(middle), effective < 10)
    picture = next(one for one in tagger_pictures(taggers) if one.name == "roc-1")
    np.testing.assert_allclose(picture.figure.axes[0].lines[0].get_ydata(), middle)
    assert "weigh as fewer than ten" in picture.caption


def test_a_negative_background_efficiency_has_no_rejection() -> None:
    score, signal = np.array([4.0, 3, 2, 1, 0] * 20), np.array([True, False, False, True, False] * 20)
    weight = np.array([1.0, -0.5, 2.0, 1.0, 1.0] * 20)
    curve = roc(rank(score + 10 * (np.arange(100) % 5 == 1), signal, weight), grid=(0.5, 1.0), replicas=20)
    assert min(curve.background_efficiency) < 0
    assert np.isnan(rejection_curve(curve, np.full(2, 50.0))[0]).tolist() == [True, False]
    assert len(image(roc_curves([("a", curve)], [np.full(2, 50.0)]))) > 1000


def test_pictures_of_taggers_use_the_weights(taggers: list[TaggerResult]) -> None:
    pictures = {one.name: one for one in tagger_pictures(taggers)}
    training = taggers[0].typical
    assert training.weight is not None
    qcd = pictures["scores"].figure.axes[0].patches[0].get_data()
    score = (training.logits[:, 1] - training.logits[:, 0]).astype(float)
    chosen = training.label == 0
    sums, _ = fractions(score[chosen], qcd.edges, training.weight[chosen])
    np.testing.assert_allclose(qcd.values, sums, atol=1e-6)
    efficiency = pictures["efficiency-pt"].figure.axes[0].lines[0].get_ydata()
    pt = np.asarray(training.jets["jet_pt"], dtype=float)
    assert 0.3 < np.nanmean(efficiency) < 0.7
    text = "top vs QCD"
    edges = np.linspace(550, 650, len(efficiency) + 1)
    wanted = efficiency_curves(
        *training.scored, CLASSES, pt, edges, comparison=text, signal=0.5, weight=training.weight
    )
    if np.allclose(np.diff(edges), 10):
        np.testing.assert_allclose(efficiency, np.array(wanted.efficiency[1], dtype=float), rtol=1e-6)
    for name in ("scores", "confusion", "calibration", "efficiency-pt"):
        assert "Jets count with their weights" in pictures[name].caption, name


def test_without_weights_no_caption_tells_of_them(three: list[TaggerResult]) -> None:
    assert not any("weigh" in one.caption for one in tagger_pictures([three[2]]))


def test_a_mended_calibration_is_weighted_too(taggers: list[TaggerResult]) -> None:
    training = taggers[0].typical
    temperature = training.evaluation.temperature
    assert temperature is not None
    mended = calibration(
        training.logits.astype(float) / temperature.value, training.label, CLASSES, weight=training.weight
    )
    picture = next(one for one in tagger_pictures(taggers) if one.name == "calibration")
    drawn = picture.figure.axes[0].containers[1].lines[0].get_ydata()
    np.testing.assert_allclose(np.asarray(drawn, dtype=float), mended.observed)


def test_points_of_odd_weights_leave_the_axes_as_they_are() -> None:
    random = np.random.default_rng(3)
    label, weight = random.integers(0, 2, 60), signed(60, 5, 0.45)
    logits = np.stack([np.zeros(60), 2 * label - 1 + 2 * random.normal(size=60)], axis=1)
    weight[label == 0] += 0.3
    weight[label == 1] += 0.3
    curve = calibration(logits, label, CLASSES, bins=30, weight=weight)
    assert max(curve.observed) > 1 or min(curve.observed) < 0
    axes = calibration_panels([("a", curve, None)]).axes[0]
    assert 0 <= axes.get_xlim()[0] <= 0.5
    assert axes.get_ylim() == axes.get_xlim()


def test_a_negative_cell_of_the_confusion_has_its_number() -> None:
    label = np.repeat([0, 0, 1], 10)
    weight = np.repeat([1.5, -0.5, 1.0], 10)
    matrix = confusion(np.eye(2)[np.repeat([0, 1, 1], 10)], label, CLASSES, weight)
    assert matrix.rate[0] == (1.5, -0.5)
    axes = confusion_matrix(matrix).axes[0]
    assert {text.get_text() for text in axes.texts} == {"150.0", "-50.0", "100.0"}


def test_negative_efficiencies_are_triangles_and_large_ones_are_seen() -> None:
    groups = [  # class, pT, score, weight, jets
        (1, 5, 2, 1.0, 20),
        (1, 5, 0, 1.0, 20),
        (1, 15, 2, 1.0, 20),
        (1, 15, 0, -0.1, 20),
        (0, 5, 2, -0.5, 20),
        (0, 5, 0, 1.0, 40),
        (0, 15, 2, 1.0, 20),
        (0, 15, 0, 1.0, 40),
    ]
    label, pt, score, weight = (np.repeat([one[k] for one in groups], [one[4] for one in groups]) for k in range(4))
    logits = np.stack([0.0 * score, score], axis=1)
    curves = efficiency_curves(
        logits, label, CLASSES, pt, [0, 10, 20], comparison="top vs QCD", signal=0.5, weight=weight
    )
    background, signal = curves.efficiency
    assert background[0] is not None
    assert background[0] < 0
    assert signal[1] is not None
    assert signal[1] > 1
    above, below = efficiency_panels([("a", curves)], ("top", "QCD"), "pt").axes
    assert above.get_ylim()[1] > signal[1]
    points, triangles = below.lines
    assert np.isnan(points.get_ydata()).tolist() == [True, False]
    assert triangles.get_ydata().tolist() == [curves.high[0][0]]
    assert 0 < below.get_ylim()[0] < below.get_ylim()[1]


def test_a_page_of_weighted_taggers_is_written(taggers: list[TaggerResult], tmp_path: Path) -> None:
    page = write_page(taggers, tmp_path).read_text()
    assert "Jets count with the weights of their events: here, in the pictures and in the paired tests." in page


# -- datasets ------------------------------------------------------------------------------------------------------


def test_a_sample_has_the_weights_of_its_jets(weighted_dataset: Dataset, weighted_jets: JetSample) -> None:
    every = np.asarray(weighted_dataset.read(["event_weight"])["event_weight"])
    np.testing.assert_array_equal(weighted_jets.weight, every)
    tops = weighted_jets.select(weighted_jets.label == 1)
    np.testing.assert_array_equal(tops.weight, every[weighted_jets.label == 1])
    few = sample_jets(weighted_dataset, per_class=6)
    pt = np.asarray(weighted_dataset.read(["jet_pt"])["jet_pt"])
    assert few.weight is not None
    for value, weight in zip(few.columns["pt"], few.weight, strict=True):
        assert weight == every[pt == value][0]


def test_a_weight_that_is_no_number_counts_nothing(tmp_path: Path, weighted_dataset: Dataset) -> None:
    columns = dict(weighted_dataset.read(list(weighted_dataset.columns)))
    columns["event_weight"] = np.where(np.arange(120) == 3, np.nan, 1).astype("f4")
    write_shard(tmp_path / "a.parquet", {n: tuple(c) if isinstance(c, tuple) else c for n, c in columns.items()})
    weight = sample_jets(open_dataset(tmp_path / "a.parquet")).weight
    assert weight is not None
    assert np.flatnonzero(weight == 0).tolist() == [3]


def test_a_list_of_weights_a_jet_is_refused(tmp_path: Path, weighted_dataset: Dataset) -> None:
    columns = dict(weighted_dataset.read([name for name in weighted_dataset.columns if name != "event_weight"]))
    columns["event_weight"] = columns["part_deta"]
    write_shard(tmp_path / "a.parquet", {n: tuple(c) if isinstance(c, tuple) else c for n, c in columns.items()})
    with pytest.raises(JetkitError, match="event_weight should hold a number for each jet"):
        sample_jets(open_dataset(tmp_path / "a.parquet"))


def test_pictures_of_a_dataset_use_the_weights(weighted_jets: JetSample) -> None:
    jets, figures = weighted_jets, picture_set(weighted_jets)
    assert list(figures) == list(CAPTIONS)
    drawn = figures["pt"].axes[0].patches[1].get_data()
    assert jets.weight is not None
    top = jets.label == 1
    np.testing.assert_allclose(drawn.values, fractions(jets.columns["pt"][top], drawn.edges, jets.weight[top])[0])
    tops = jets.select(top)
    assert tops.weight is not None
    images = jet_images(tops.p4, tops.offsets, pixels=33, half_width=0.8, align=False)
    np.testing.assert_allclose(mean_image(tops, 0.8), (tops.weight[:, None, None] * images).sum(0) / tops.weight.sum())
    singles = [tops.select(np.arange(len(tops)) == j) for j in range(len(tops))]
    planes = [lund_density(replace(one, weight=None)) * w for one, w in zip(singles, tops.weight, strict=True)]
    np.testing.assert_allclose(lund_density(tops), sum(planes) / tops.weight.sum(), atol=1e-12)
    for figure in figures.values():
        assert len(image(figure)) > 1000


def test_the_page_of_a_dataset_tells_of_its_weights(
    weighted_dataset: Dataset, weighted_jets: JetSample, jets: JetSample
) -> None:
    contents = of_classes(weighted_dataset.card, weighted_jets)
    assert contents.note.endswith("The means are weighted with event_weight.")
    assert "Jets count with their weights" in contents.captions["mass"][1]
    assert contents.captions["events"] == CAPTIONS["events"]
    assert captions(jets) == CAPTIONS
    assert class_table(weighted_jets).rows != class_table(jets).rows


def test_a_weighted_mean_has_the_error_of_its_weights() -> None:
    values, weight = np.array([170.0, 174.0, np.nan, 176.0]), np.array([1.0, 2.0, 5.0, -1.0])
    assert mean_with_error(values, weight) == "too few jets"
    values, weight = np.random.default_rng(1).normal(100, 10, 1000), signed(1000)
    mean = weight @ values / weight.sum()
    error = np.sqrt((weight**2 * (values - mean) ** 2).sum()) / weight.sum()
    assert mean_with_error(values, weight) == f"{mean:.2f} ± {error:.2f}"
    assert mean_with_error(values, -weight) == "too few jets"
