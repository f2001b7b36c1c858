"""A scaling law on one page: the runs, the fitted power law, and what to train with a given compute."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from operator import attrgetter
from pathlib import Path

import numpy as np

from jetkit.evaluation.number import Number, value_with_error
from jetkit.evaluation.power_law import OPERATIONS, STEEPEST, Estimate, PowerLaw, PowerLawFit
from jetkit.reporting import page
from jetkit.reporting.page import Picture
from jetkit.reporting.scaling_pictures import Curve, losses_against
from jetkit.reporting.tagger_tables import Cell, Row, TaggerTable, duration

POINTS = 60
"""Of a drawn curve."""
AHEAD = (1, 10, 100)
"""Compute of the table, in units of that of the largest run."""
DIGITS = str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹")
NAMES = {"alpha": "α", "beta": "β"}


@dataclass(frozen=True)
class Run:
    """A training and its loss on the test jets.

    Attributes:
        width: in words.
        parameters: N, how many are learned.
        jets: D, different ones that it was trained on.
        epochs: times that it saw them.
        loss: cross entropy.
        seconds: that the training took.
    """

    width: str
    parameters: int
    jets: int
    epochs: int
    seed: int
    loss: Number
    seconds: float

    @property
    def compute(self) -> float:
        """C = 6 N D epochs: operations, were each parameter used once a jet."""
        return float(OPERATIONS) * self.parameters * self.jets * self.epochs


@dataclass(frozen=True, eq=False)
class Study:
    """What the page shows.

    Attributes:
        paper: of the tagger: title, year, arXiv number.
        hyperparameter: what the widths are of.
        epochs: of a training, unless it stopped early.
        command: that makes it again.
    """

    model: str
    paper: str
    hyperparameter: str
    dataset: str
    epochs: int
    runs: tuple[Run, ...]
    fit: PowerLawFit
    command: str

    @property
    def determined(self) -> bool:
        """Whether both exponents are above zero, so that there is a compute-optimal line."""
        return not self.fit.undetermined


def write_page(study: Study, out: Path) -> Path:
    """Write the pictures and ``index.html``, which holds them and needs no other file; returns its path.

    Raises:
        JetkitError: the folder cannot be written, or matplotlib, mplhep or jinja2 is absent.
    """
    drawn = pictures(study)
    return page.write_page(
        "scaling.html.j2",
        out,
        drawn,
        title=f"Scaling of {study.model} on {study.dataset}",
        summary=summary(study),
        law=law_table(study.fit),
        scatter=f"{100 * study.fit.scatter:.2g}",
        repeated=study.fit.repeated,
        replicas=len(study.fit.replicas),
        undetermined=[undetermined_sentence(study.fit, name) for name in study.fit.undetermined],
        optimum=optimum_table(study) if study.determined else None,
        operations=OPERATIONS,
        runs=run_table(study),
        command=study.command,
        paper=study.paper,
    )


def summary(study: Study) -> str:
    """What was trained and measured, in a sentence or two."""
    widths = len({run.width for run in study.runs})
    sizes = len({run.jets for run in study.runs})
    seeds = len({run.seed for run in study.runs})
    repeated = f", {seeds} seeds each" if seeds > 1 else ""
    return (
        f"{len(study.runs)} trainings: {widths} values of {study.hyperparameter}, {sizes} numbers of jets{repeated}; "
        f"{study.epochs} epoch{'s' * (study.epochs > 1)}. "
        f"The loss is the cross entropy on {study.runs[0].loss.jets:,} test jets, the same for all."
    )


def law_table(fit: PowerLawFit) -> TaggerTable:
    """The fitted numbers with their errors; the exponents of the optimum where it is known."""
    rows: list[tuple[str, str, Callable[[PowerLaw], float]]] = [
        ("E", "loss at N → ∞ and D → ∞", attrgetter("E")),
        ("A", "size of the term of the parameters", attrgetter("A")),
        ("B", "size of the term of the jets", attrgetter("B")),
        ("α", "exponent of the parameters", attrgetter("alpha")),
        ("β", "exponent of the jets", attrgetter("beta")),
    ]
    if not fit.undetermined:
        rows += [
            ("a = β/(α + β)", "best parameters N* ∝ C^a", attrgetter("parameter_exponent")),
            ("b = α/(α + β)", "best jets D* ∝ C^b", attrgetter("jet_exponent")),
        ]
    found = [(name, what, fit.estimate(quantity)) for name, what, quantity in rows]
    return TaggerTable(
        tuple(Cell(name) for name in ("number", "value", "68 % of the replicas")),
        tuple(Row(Cell(name, what), (Cell(text(one)), Cell(interval(one)))) for name, what, one in found),
    )


def undetermined_sentence(fit: PowerLawFit, name: str) -> str:
    """Why there is no compute-optimal line, and what to add."""
    more = {"alpha": "smaller and larger widths", "beta": "fewer and more jets"}[name]
    one = fit.estimate(attrgetter(name))
    return (
        f"No compute-optimal line: {NAMES[name]} = {text(one)} is not determined. It should be above zero by more than "
        f"its error, and below {STEEPEST:g}. Add {more}, or seeds."
    )


def optimum_table(study: Study) -> TaggerTable:
    """The best parameters and jets at the compute of the largest run, and beyond."""
    largest = max(run.compute for run in study.runs)
    rows = []
    for times in AHEAD:
        compute = times * largest
        n, d, loss = (study.fit.estimate(_of_optimum(compute, study.epochs, pick)) for pick in range(3))
        named = "the largest run" if times == 1 else f"{times} times as much"
        rows.append(Row(Cell(power(compute), named), (large(n), large(d), Cell(text(loss)))))
    header = ("compute C", "parameters N*", "jets D*", "loss")
    return TaggerTable(tuple(Cell(name) for name in header), tuple(rows))


def _of_optimum(compute: float, epochs: int, pick: int) -> Callable[[PowerLaw], float]:
    """N*, D* or the loss there, as a function of the law."""

    def quantity(law: PowerLaw) -> float:
        best = law.optimum(compute, epochs)
        return (*best, law.loss(*best))[pick]

    return quantity


def run_table(study: Study) -> TaggerTable:
    """A row a training, with how far its loss is from the law."""
    rows = []
    for run in sorted(study.runs, key=lambda run: (run.parameters, run.jets, run.seed)):
        law = study.fit.law.loss(run.parameters, run.jets)
        cells = (
            Cell(f"{run.parameters:,}"),
            Cell(f"{run.jets:,}"),
            Cell(str(run.epochs)),
            Cell(power(run.compute)),
            Cell(run.loss.text()),
            Cell(f"{law:.4f}", f"{100 * (run.loss.value / law - 1):+.1f} %".replace("-", "−")),
            Cell(duration(run.seconds)),
        )
        rows.append(Row(Cell(f"{study.hyperparameter} {run.width}", f"seed {run.seed}"), cells))
    header = ("training", "N", "D", "epochs", "C", "loss", "law", "time")
    return TaggerTable(tuple(Cell(name) for name in header), tuple(rows))


def pictures(study: Study) -> list[Picture]:
    """Loss against parameters, jets and compute."""
    sizes = sorted({run.jets for run in study.runs})
    widths = sorted({run.parameters: run.width for run in study.runs}.items())
    law = study.fit.law
    of_size = [[run for run in study.runs if run.jets == size] for size in sizes]
    of_width = [[run for run in study.runs if run.parameters == count] for count, _ in widths]
    n = _span([count for count, _ in widths])
    d = _span(sizes)
    against_n = [
        Curve(f"{size:,} jets", [run.parameters for run in runs], [run.loss for run in runs], (n, _law(law, n, size)))
        for size, runs in zip(sizes, of_size, strict=True)
    ]
    against_d, against_c = [], []
    for (count, width), runs in zip(widths, of_width, strict=True):
        name, losses = f"{study.hyperparameter} {width}", [run.loss for run in runs]
        curve = _law(law, np.full(POINTS, float(count)), d)
        against_d.append(Curve(name, [run.jets for run in runs], losses, (d, curve)))
        compute = OPERATIONS * count * d * study.epochs
        against_c.append(Curve(name, [run.compute for run in runs], losses, (compute, curve)))
    best = optimal_line(study) if study.determined else None
    lines = "Points: trainings, with the error from the number of test jets; lines: the fitted law."
    told = (
        " Dashed: the least loss that a compute can buy." if best else " There is no compute-optimal line, see above."
    )
    return [
        Picture("parameters", "law", "Loss against parameters", lines, losses_against(against_n, "parameters")),
        Picture("jets", "law", "Loss against jets", lines, losses_against(against_d, "training jets")),
        Picture("compute", "law", "Loss against compute", lines + told, losses_against(against_c, "operations", best)),
    ]  # fmt: skip


def optimal_line(study: Study) -> Curve:
    """The least loss at each compute from the smallest to the largest run."""
    compute = _span([run.compute for run in study.runs])
    losses = [study.fit.law.loss(*study.fit.law.optimum(c, study.epochs)) for c in compute.tolist()]
    return Curve("compute-optimal", [], [], (compute, np.array(losses)))


def _span(values: Sequence[float]) -> np.ndarray:
    return np.geomspace(min(values), max(values), POINTS)


def _law(law: PowerLaw, parameters: np.ndarray, jets: np.ndarray | int) -> np.ndarray:
    amounts = np.broadcast_to(np.asarray(jets, dtype=float), parameters.shape)
    return np.array([law.loss(n, d) for n, d in zip(parameters.tolist(), amounts.tolist(), strict=True)])


def text(one: Estimate) -> str:
    """``value ± error``, as powers of ten where the digits would be too many.

    Example:
        >>> text(Estimate(0.34, 0.33, 0.36)), text(Estimate(2e7, 1e7, 5e7))
        ('0.340 ± 0.015', '2.0 × 10⁷ ± 2.0 × 10⁷')
    """
    if 1e-5 < one.error < min(1e5, 3 * abs(one.value)):
        return value_with_error(one.value, one.error)
    return f"{amount(one.value)} ± {amount(one.error)}"


def interval(one: Estimate) -> str:
    """``low to high``.

    Example:
        >>> interval(Estimate(0.34, 0.33, 0.36))
        '0.33 to 0.36'
    """
    return f"{amount(one.low)} to {amount(one.high)}"


def large(one: Estimate) -> Cell:
    """A large number and, below it, its interval.

    Example:
        >>> large(Estimate(1234567.0, 9.1e5, 2.3e6))
        Cell(text='1.2 × 10⁶', small='9.1 × 10⁵ to 2.3 × 10⁶')
    """
    return Cell(power(one.value), f"{power(one.low)} to {power(one.high)}")


def amount(number: float) -> str:
    """A number in three digits, or as a power of ten.

    Example:
        >>> amount(0.336), amount(2.5e7)
        ('0.336', '2.5 × 10⁷')
    """
    return f"{number:.3g}" if 1e-3 <= abs(number) < 1e4 or not number else power(number)


def power(number: float) -> str:
    """A number as a power of ten.

    Example:
        >>> power(1.26e12), power(0.0)
        ('1.3 × 10¹²', '0')
    """
    if not number:
        return "0"
    digits, _, exponent = f"{number:.1e}".partition("e")
    return f"{digits} × 10{str(int(exponent)).translate(DIGITS)}"
