"""The cost of a model on one page: operations, time and memory of a jet against particles and batch."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from jetkit.reporting import page
from jetkit.reporting.cost_pictures import Line, cost_against
from jetkit.reporting.model_cost import QUANTITIES, Cost, ModelCost, Quantity, curve, growth, metric, omissions
from jetkit.reporting.page import Picture
from jetkit.reporting.tagger_tables import NONE, Cell, Row, TaggerTable

HEADER = ("particles", "batch", "operations", "inference", "memory", "training step", "memory")
PARTICLES = "particles of a jet, N"


def write_page(model: ModelCost, out: Path) -> Path:
    """Write the pictures and ``index.html``, which holds them and needs no other file; returns its path.

    Raises:
        JetkitError: the folder cannot be written, or matplotlib, mplhep or jinja2 is absent.
    """
    return page.write_page(
        "cost.html.j2",
        out,
        pictures(model.costs),
        title=f"Cost of {model.name}",
        summary=summary(model),
        costs=cost_table(model.costs),
        growths=growth_table(model.costs),
        omissions=omissions(model.costs),
        machine=model.machine,
        command=model.command,
        paper=model.paper,
    )


def summary(model: ModelCost) -> str:
    """Size of the model, in a sentence."""
    more = ""
    if model.training_bytes:
        more = f"; gradient and moments of AdamW, {metric(model.training_bytes, 'B')} more in a training"
    return f"{model.model}: {model.parameters:,} parameters, weights of {metric(model.weight_bytes, 'B')}{more}."


def cost_table(costs: Sequence[Cost]) -> TaggerTable:
    """A row for each number of particles and size of a batch; all numbers are of one jet."""
    units = ("", "s", "B", "s", "B")
    rows = []
    for cost in costs:
        values = [quantity(cost) for quantity in QUANTITIES.values()]
        cells = (Cell(metric(value, unit) if value else NONE) for value, unit in zip(values, units, strict=True))
        rows.append(Row(Cell(str(cost.particles)), (Cell(str(cost.batch)), *cells)))
    return TaggerTable(tuple(Cell(name) for name in HEADER), tuple(rows))


def growth_table(costs: Sequence[Cost]) -> TaggerTable | None:
    """How each quantity of a jet grows at the largest N; None where there is but one N."""
    rows = []
    for name, quantity in QUANTITIES.items():
        found = growth(costs, quantity)
        if found is not None:
            where = f"N = {found.between[0]} to {found.between[1]}"
            rows.append(Row(Cell(name), (Cell(str(found)), Cell(where), Cell(str(found.batch)))))
    header = ("of a jet", "grows like", "between", "batch")
    return TaggerTable(tuple(Cell(name) for name in header), tuple(rows)) if rows else None


def pictures(costs: Sequence[Cost]) -> list[Picture]:
    """Time, memory and operations against particles, and time against the batch."""
    sizes = sorted({cost.particles for cost in costs})
    middle = sizes[len(sizes) // 2]
    told = "Solid: inference; dashed: a step of training, where there is one; dotted: slopes of N and N²."
    drawn = [
        ("time", "Time", f"{told} Of one jet.", _both(costs, "time"), PARTICLES, "time of a jet [s]", (1, 2)),
        ("memory", "Memory", f"{told} Most at one time, over the jets of the batch.",
         _both(costs, "memory"), PARTICLES, "memory of a jet [B]", (1, 2)),
        ("operations", "Operations", "In matrix products, convolutions and attention of one inference.",
         _of_one_batch(costs, QUANTITIES["operations"]), PARTICLES, "operations of a jet", (1, 2)),
        ("batch", "Time against batch", f"For jets of {middle} particles. Solid: inference; dashed: training step.",
         _against_batch(costs, middle), "jets of a batch", "time of a jet [s]", ()),
    ]  # fmt: skip
    return [
        Picture(name, "pictures", title, caption, cost_against(lines, x, y, powers))
        for name, title, caption, lines, x, y, powers in drawn
        if lines
    ]


def _both(costs: Sequence[Cost], what: str) -> list[Line]:
    """Lines of inference and training, for each size of a batch."""
    lines = [
        Line(f"batch {batch}", curve(costs, QUANTITIES[f"{what} of {which}"], batch), training=which != "inference")
        for batch in sorted({cost.batch for cost in costs})
        for which in ("inference", "a training step")
    ]
    return [line for line in lines if line.points]


def _of_one_batch(costs: Sequence[Cost], quantity: Quantity) -> list[Line]:
    """The line of the smallest batch, of which every number of particles is known."""
    points = curve(costs, quantity, min(cost.batch for cost in costs))
    return [Line("inference", points)] if points else []


def _against_batch(costs: Sequence[Cost], particles: int) -> list[Line]:
    """Time against the jets of a batch."""
    lines = []
    for which in ("inference", "a training step"):
        quantity = QUANTITIES[f"time of {which}"]
        found = {cost.batch: quantity(cost) for cost in costs if cost.particles == particles}
        points = {batch: value for batch, value in sorted(found.items()) if value}
        lines.append(Line(f"{particles} particles", points, training=which != "inference"))
    return [line for line in lines if line.points]
