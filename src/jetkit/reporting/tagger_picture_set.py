"""Which pictures a page of taggers has, and what each says to look for."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

import numpy as np
from jaxtyping import Bool, Float

from jetkit.evaluation.calibration import calibration
from jetkit.evaluation.comparison import Comparison, parse_comparison
from jetkit.evaluation.efficiency import efficiency_curves
from jetkit.evaluation.roc import Roc
from jetkit.evaluation.temperature import apply_temperature
from jetkit.reporting.figure import plain
from jetkit.reporting.page import Picture
from jetkit.reporting.pictures import bin_edges
from jetkit.reporting.tagger_pictures import (
    FEWEST,
    calibration_panels,
    confusion_matrix,
    efficiency_panels,
    rejection_curve,
    roc_curves,
    score_panels,
)
from jetkit.reporting.tagger_result import TaggerResult, Training, common_comparisons
from jetkit.reporting.training_pictures import training_curves

CURVES, PANELS = 6, 4
"""Most taggers in one picture, and most panels."""
EFFICIENCY = 0.5
"""Signal efficiency of the working point that is followed against quantities of the jet."""
VARIABLES = {
    "pt": (("jet_pt",), r"jet $p_T$ [GeV]", "transverse momentum"),
    "mass": (("jet_sdmass", "jet_mass"), "jet mass [GeV]", "mass"),
    "nparticles": (("jet_nparticles",), "number of particles", "number of particles"),
}
"""Name → columns in the order of preference, label of the axis, words."""


NOTE = "Jets count with their weights"
"""How a caption begins what it says of weighted jets."""


def picture_set(results: Sequence[TaggerResult]) -> list[Picture]:
    """The pictures of ranked taggers that can be drawn from what they have.

    Raises:
        JetkitError: matplotlib or mplhep is absent.
    """
    shown = results[:CURVES]
    comparisons = spread(common_comparisons(results), PANELS)
    return [
        *_roc(shown, comparisons),
        _scores(results, comparisons),
        _confusion(results[0]),
        _calibration(results[:PANELS]),
        *(picture for comparison in comparisons[:1] for picture in _against_jets(shown, comparison)),
        *_training(shown),
    ]


def spread(names: Sequence[str], most: int) -> list[str]:
    """At most so many of the names, from the first to the last.

    Example:
        >>> spread(["a", "b", "c", "d", "e", "f", "g"], 4)
        ['a', 'c', 'e', 'g']
    """
    if len(names) <= most:
        return list(names)
    return [names[round(place)] for place in np.linspace(0, len(names) - 1, most)]


def _roc(results: Sequence[TaggerResult], comparisons: Sequence[str]) -> Iterator[Picture]:
    below = f" Below, the ratio to {results[0].name}." if len(results) > 1 else ""
    caption = (
        "Higher is better. Bands: 68 % of the bootstrap; the taggers share their jets, so the bands move together and "
        f"may overlap where the taggers differ.{below} A curve ends where fewer than ten background jets pass"
    )
    caption += ", or those that pass weigh as fewer than ten." if _weighted(results) else "."
    for number, comparison in enumerate(comparisons):
        curves = [(result.name, _curve(result, comparison)) for result in results]
        passing = [
            _passing(result.typical, roc, parse_comparison(comparison, result.classes))
            for result, (_, roc) in zip(results, curves, strict=True)
        ]
        if np.isfinite(rejection_curve(curves[0][1], passing[0])[0]).any():
            yield Picture(f"roc-{number + 1}", "roc", comparison, caption, roc_curves(curves, passing))
            caption = "The same for another signal."


def _curve(result: TaggerResult, comparison: str) -> Roc:
    discriminations = result.typical.evaluation.discriminations
    return next(one.roc for one in discriminations if one.comparison == comparison)


def _passing(training: Training, roc: Roc, comparison: Comparison) -> Float[np.ndarray, " points"] | None:
    """Effective number (Σw)²/Σw² of the background jets that pass at each point of a curve; None without weights."""
    if training.weight is None:
        return None
    ranking = comparison.rank(*training.scored, training.weight)
    background = ranking.weight * ~ranking.signal
    chosen = np.flatnonzero(ranking.last)[ranking.tightest(roc.signal_efficiency)]
    sums, squares = np.cumsum(background)[chosen], np.cumsum(background**2)[chosen]
    return np.where(sums > 0, sums**2 / np.where(squares > 0, squares, 1.0), 0.0)


def _weighted(results: Sequence[TaggerResult]) -> bool:
    return any(one.typical.weight is not None for one in results)


def _of_classes(
    training: Training, members: Mapping[str, Bool[np.ndarray, " B"]]
) -> dict[str, Float[np.ndarray, " jets"]] | None:
    """The weights of the jets of each class; None without weights."""
    weight = training.weight
    return None if weight is None else {name: weight[chosen] for name, chosen in members.items()}


def _scores(results: Sequence[TaggerResult], comparisons: Sequence[str]) -> Picture:
    classes = results[0].classes
    caption = (
        "Look for two separate hills, and for a background tail under the signal: the tail sets the rejection. The "
        "axis is logarithmic."
    )
    caption += f" {NOTE}; bars: √Σw²; bins below zero are left out." if _weighted(results) else ""
    if len(classes) == 2:
        chosen = Comparison((1,), (0,), "")
        panels = [
            (
                one.name,
                {name: chosen.score(one.typical.logits)[one.typical.label == i] for i, name in enumerate(classes)},
            )
            for one in results[:PANELS]
        ]
        weights = [
            _of_classes(one.typical, {name: one.typical.label == i for i, name in enumerate(classes)})
            for one in results[:PANELS]
        ]
        label = rf"$\ln$ p({plain(classes[1], 12)}) / p({plain(classes[0], 12)})"
        return Picture("scores", "scores", "Score of each class", caption, score_panels(panels, label, weights))
    best, sides, weights = results[0].typical, [], []
    for text in comparisons:
        chosen = parse_comparison(text, classes)
        score, signal = chosen.score(best.logits), chosen.is_signal(best.label)
        background = chosen.takes_part(best.label) & ~signal
        sides.append((text, {"background": score[background], "signal": score[signal]}))
        weights.append(_of_classes(best, {"background": background, "signal": signal}))
    title = f"Scores of {results[0].name}"
    return Picture("scores", "scores", title, caption, score_panels(sides, r"$\ln$ p(signal) / p(background)", weights))


def _confusion(best: TaggerResult) -> Picture:
    caption = (
        "Share of the jets of a true class (row) given to each class (column), in percent; rows sum to 100. "
        "Look off the diagonal for classes that are taken for each other."
    )
    caption += f" {NOTE}, and a share may lie outside 0 to 100." if _weighted([best]) else ""
    figure = confusion_matrix(best.typical.evaluation.confusion)
    return Picture("confusion", "confusion", best.name, caption, figure)


def _calibration(results: Sequence[TaggerResult]) -> Picture:
    taggers = []
    for result in results:
        evaluation, (logits, label) = result.typical.evaluation, result.typical.scored
        temperature = evaluation.temperature
        mended = None if temperature is None else apply_temperature(logits, temperature)
        after = None if mended is None else calibration(mended, label, result.classes, weight=result.typical.weight)
        taggers.append((result.name, evaluation.calibration, after))
    caption = (
        "Probability of the most probable class against how often it is right. Below the diagonal a tagger is too sure "
        "of itself. The temperature is one number, fitted on these same jets."
    )
    caption += f" {NOTE}; points outside 0 to 1 are left out." if _weighted(results) else ""
    return Picture("calibration", "calibration", "Predicted and observed", caption, calibration_panels(taggers))


def _against_jets(results: Sequence[TaggerResult], comparison: str) -> Iterator[Picture]:
    chosen = parse_comparison(comparison, results[0].classes)
    sides = (results[0].classes[chosen.signal[0]], results[0].classes[chosen.background[0]])
    for name, (columns, label, words) in VARIABLES.items():
        column = next((c for c in columns if all(c in one.typical.jets for one in results)), "")
        if not column:
            continue
        values = _finite(results[0], column)[chosen.takes_part(results[0].typical.label)]
        if not np.isfinite(values).any():
            continue
        edges = bin_edges(values[np.isfinite(values)], 12, words).tolist()
        curves = [
            (
                one.name,
                efficiency_curves(
                    *one.typical.scored,
                    one.classes,
                    _finite(one, column),
                    edges,
                    comparison=chosen,
                    signal=EFFICIENCY,
                    weight=one.typical.weight,
                ),
            )
            for one in results
        ]
        look = (
            "A peak of the background under the signal's mass: the cut sculpts a false resonance."
            if name == "mass"
            else "A flat line: the cut treats all jets alike."
        )
        caption = (
            f"One cut that keeps half of the signal in {comparison}. {look} Bars: 68 % intervals; triangles: their "
            f"upper end where no jet passes; bins with fewer than {FEWEST} jets are left out."
        )
        if _weighted(results):
            caption += f" {NOTE}; triangles too where those of the passing jets sum to less than zero."
        title = "Against the soft-drop mass" if column == "jet_sdmass" else f"Against the {words}"
        yield Picture(f"efficiency-{name}", "jets", title, caption, efficiency_panels(curves, sides, label))


def _finite(result: TaggerResult, column: str) -> Float[np.ndarray, " B"]:
    """A quantity of the test jets; NaN, which is in no bin, in place of infinities."""
    values = np.asarray(result.typical.jets[column], dtype=np.float64)
    return np.where(np.isfinite(values), values, np.nan)


def _training(results: Sequence[TaggerResult]) -> Iterator[Picture]:
    taggers = [(one.name, [training.log for training in one.trainings if training.log]) for one in results]
    taggers = [(name, logs) for name, logs in taggers if logs]
    if taggers:
        caption = (
            "Above: loss of training (dashed) and validation (solid). A solid line that rises while the dashed one "
            "falls is overtraining; lines that still fall ask for more epochs. One line a training."
        )
        yield Picture("training", "training", "Epoch by epoch", caption, training_curves(taggers))
