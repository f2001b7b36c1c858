"""The classes of a dataset in numbers: means of the usual quantities, with errors."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from jetkit.evaluation.interval import LEAST_EFFECTIVE, effective_count
from jetkit.reporting.jet_sample import JetSample


@dataclass(frozen=True)
class Quantity:
    """A quantity of a jet: how a table and a picture call it, its unit, and what it tells."""

    name: str
    unit: str
    caption: str
    symbol: str = ""
    """Name in TeX's mathematics, for the axis; default: `name`."""


QUANTITIES = {
    "pt": Quantity("pT", "GeV", "Transverse momentum of the jet.", r"$p_T$"),
    "mass": Quantity("mass", "GeV", "Invariant mass of all particles of the jet."),
    "sdmass": Quantity("soft-drop mass", "GeV", "Mass after wide-angle soft radiation was groomed away."),
    "nparticles": Quantity("particles", "", "Number of particles in the jet.", "number of particles"),
    "tau21": Quantity("τ21", "", "N-subjettiness ratio τ2/τ1: small for two or more prongs.", r"$\tau_2/\tau_1$"),
    "tau32": Quantity("τ32", "", "N-subjettiness ratio τ3/τ2: small for three or more prongs.", r"$\tau_3/\tau_2$"),
}


@dataclass(frozen=True)
class Table:
    """Text in rows and columns."""

    header: list[str]
    rows: list[list[str]]


def class_table(jets: JetSample) -> Table:
    """Number of jets of each class, and the mean of each quantity with its error."""
    shown = {name: quantity for name, quantity in QUANTITIES.items() if name in jets.columns}
    header = ["class", "jets", *(f"{q.name} [{q.unit}]" if q.unit else q.name for q in shown.values())]
    values = {name: jets.by_class(name) for name in shown}
    weights = jets.weights or dict.fromkeys(jets.classes)
    rows = [
        [label, f"{count:,}", *(mean_with_error(values[name][label], weights[label]) for name in shown)]
        for label, count in zip(jets.classes, jets.rows, strict=True)
    ]
    return Table(header, rows)


def mean_with_error(values: Float[np.ndarray, " n"], weight: Float[np.ndarray, " n"] | None = None) -> str:
    """The mean of the finite values and its error σ/√n, both to two digits of the error.

    With weights they are ⟨x⟩ = Σwx/Σw and √(Σw²(x − ⟨x⟩)²)/Σw.

    Example:
        >>> mean_with_error(np.array([170.0, 174.0, 172.0, 176.0]))
        '173.0 ± 1.3'
        >>> mean_with_error(np.array([0.5]))
        'too few jets'
    """
    finite = np.isfinite(values)
    values = values[finite]
    if len(values) < 2:
        return "too few jets"
    mean, error = values.mean(), float(np.std(values, ddof=1) / np.sqrt(len(values)))
    if weight is not None:
        w = weight[finite]
        if effective_count(w) < LEAST_EFFECTIVE:
            return "too few jets"
        mean = w @ values / w.sum()
        error = float(np.sqrt(np.square(w * (values - mean)).sum()) / w.sum())
    digits = max(0, 1 - int(np.floor(np.log10(error)))) if error > 0 else 3
    return f"{mean:.{digits}f} ± {error:.{digits}f}"
