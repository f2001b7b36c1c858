"""Taggers ranked on one page: what each reaches, what it costs, and what is published for it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from pathlib import Path
from types import MappingProxyType

from jetkit.evaluation.paired import compare_auc
from jetkit.reporting import page
from jetkit.reporting.leaderboard_pictures import auc_ranking, rejection_against_cost
from jetkit.reporting.page import Picture
from jetkit.reporting.paired_verdicts import SURE
from jetkit.reporting.published import Published, benchmark, published_numbers
from jetkit.reporting.tagger_page import summary
from jetkit.reporting.tagger_result import TaggerResult, common_rejections, common_weight, ranked, rejection_at, written
from jetkit.reporting.tagger_tables import (
    NONE,
    Cell,
    Row,
    TaggerTable,
    amount,
    arxiv_number,
    cell,
    duration,
    mean_seconds,
    percent,
)

SCALES = (("T", 1e12), ("G", 1e9), ("M", 1e6), ("k", 1e3))


@dataclass(frozen=True, eq=False)
class Place:
    """A tagger on the board.

    Attributes:
        single: not an ensemble.
        epochs: of a training by gradients.
        training_jets: that it learned from.
        flops: floating-point operations a jet; None where nobody counted them.
    """

    result: TaggerResult
    single: bool
    epochs: int | None
    training_jets: int | None
    flops: float | None

    @property
    def published(self) -> Published | None:
        """What is published on the sample that these jets follow: the entry with the best AUC."""
        found = published_numbers(str(self.result.dataset.get("name", "")), self.result.model)
        return max((one for one in found if one.auc), key=lambda one: one.auc or 0.0, default=None)


def write_page(
    places: Sequence[Place], out: Path, *, budget: str, command: str, absent: Mapping[str, str] = MappingProxyType({})
) -> Path:
    """Write the pictures and ``index.html``, which holds them and needs no other file; returns its path.

    `absent` holds the taggers that were left out, and why.

    Raises:
        JetkitError: there is no tagger, or they do not have the same classes, or the folder cannot be written.
    """
    order = ranked([place.result for place in places])
    board = sorted(places, key=lambda place: order.index(place.result))
    drawn = pictures(board)
    dataset = str(order[0].dataset.get("name", "jets"))
    return page.write_page(
        "leaderboard.html.j2",
        out,
        drawn,
        title=f"{len(board)} tagger{'s' * (len(board) > 1)} on {dataset}",
        summary=f"{summary(order)} Budget of each training: {budget}.",
        ranking=ranking(board),
        found=benchmark(dataset),
        inversions=inversion_table(board),
        sure=SURE,
        command=command,
        places=board,
        absent=absent,
    )


def ranking(board: Sequence[Place]) -> TaggerTable:
    """A row for each tagger, by falling AUC."""
    rejections = common_rejections([place.result for place in board])
    header = (
        "tagger", "accuracy", "AUC", *(f"1/ε_B at {percent(e)}" for _, e in rejections),
        "parameters", "operations", "trained on", "time", "a jet", "published AUC",
        *(f"published 1/ε_B at {percent(e)}" for _, e in rejections),
    )  # fmt: skip
    rows = [_row(number, place, rejections) for number, place in enumerate(board, start=1)]
    return TaggerTable(tuple(Cell(name) for name in header), tuple(rows))


def _row(number: int, place: Place, rejections: Sequence[tuple[str, float]]) -> Row:
    result, published = place.result, place.published
    count = len(result.trainings)
    found = [published.rejection(*one) if published else None for one in rejections]
    rate = result.jets_per_second
    epochs = "" if place.epochs is None else f"{place.epochs} epochs" if place.epochs > 1 else "1 epoch"
    auc = Cell(NONE)
    if published is not None:
        auc = Cell(f"{published.auc:g}".ljust(5, "0"), arxiv_number(published).removeprefix("arXiv:"))
    cells = (
        cell(result.summary(lambda evaluation: evaluation.accuracy), count),
        cell(result.summary(lambda evaluation: evaluation.auc), count),
        *(cell(result.summary(rejection_at(*one)), count) for one in rejections),
        Cell(f"{result.parameters:,}"),
        Cell(NONE if not place.flops else scaled(place.flops)),
        Cell("its members" if not place.single else amount(place.training_jets), epochs),
        Cell(duration(mean_seconds(result))),
        Cell(NONE if rate is None else f"{1e3 / rate:.3g} ms"),
        auc,
        *(Cell(NONE if one is None else one.text()) for one in found),
    )
    return Row(Cell(f"{number}. {result.name}", "" if place.single else "ensemble"), cells)


def scaled(number: float) -> str:
    """A large number with its prefix.

    Example:
        >>> scaled(1_234_567), scaled(999)
        ('1.23 M', '999')
    """
    for prefix, size in SCALES:
        if number >= size:
            return f"{number / size:.3g} {prefix}"
    return f"{number:.3g}"


def inversion_table(board: Sequence[Place]) -> TaggerTable | None:
    """Pairs that stand in the other order than the published; None where there are none."""
    rows = tuple(
        Row(
            Cell(f"{upper.result.name} above {lower.result.name}"),
            (Cell(difference), Cell(p), Cell(_published_auc(upper)), Cell(_published_auc(lower))),
        )
        for upper, lower, difference, p in inversions(board)
    )
    header = ("here", "difference of AUC", "p", "published, upper", "published, lower")
    return TaggerTable(tuple(Cell(name) for name in header), rows) if rows else None


def _published_auc(place: Place) -> str:
    assert place.published is not None
    return f"{place.published.auc:g}"


def inversions(board: Sequence[Place]) -> Iterator[tuple[Place, Place, str, str]]:
    """Pairs of single taggers in the order of the board whose published AUCs stand in the other one, and surely so."""
    known = [place for place in board if place.single and place.published is not None]
    for upper, lower in combinations(known, 2):
        assert upper.published is not None
        assert lower.published is not None
        if (upper.published.auc or 0) >= (lower.published.auc or 0):
            continue
        below, above = lower.result.typical, upper.result.typical
        weight = common_weight(below, above)
        test = compare_auc(below.scored, above.scored, upper.result.classes, weight=weight)
        if test.p < SURE:
            yield upper, lower, written(test.difference), f"{test.p:.2g}"


def pictures(board: Sequence[Place]) -> list[Picture]:
    """Ranking by AUC, and rejection against what a jet costs."""
    points = [
        (place.result.name, place.result.typical.evaluation.auc, place.published.auc if place.published else None)
        for place in board
    ]
    drawn = [
        Picture(
            "auc", "ranking", "AUC",
            "Filled: here, with the error from the number of test jets; hollow: published, on other jets.",
            auc_ranking(points),
        )
    ]  # fmt: skip
    wanted = common_rejections([place.result for place in board])
    costs = [
        (place.result.name, float(place.flops), place.result.summary(rejection_at(*wanted[0])))
        for place in board
        if place.flops and wanted
    ]
    if costs:
        comparison, efficiency = wanted[0]
        title = f"Rejection at {percent(efficiency)} against cost"
        caption = f"{comparison}; a limit is drawn where too few background jets are left."
        drawn.append(Picture("cost", "ranking", title, caption, rejection_against_cost(costs)))
    return drawn
