"""Moments of simulated jets per class, with errors, beside what is published about the dataset that they imitate."""

import argparse
from pathlib import Path

import numpy as np

from jetkit.data.dataset import Dataset, open_dataset

PUBLISHED = {
    "top-landscape": [("all", "n", 49.0, "a public note on the files: 49 constituents on average")],
    "lhco": [
        ("AUC", "m1", 0.552, "public LHCO R&D events, 3.3 < m_jj < 3.7 TeV"),
        ("AUC", "dm", 0.839, "public LHCO R&D events, 3.3 < m_jj < 3.7 TeV"),
        ("AUC", "-tau21_1", 0.790, "public LHCO R&D events, 3.3 < m_jj < 3.7 TeV"),
        ("AUC", "-tau21_2", 0.847, "public LHCO R&D events, 3.3 < m_jj < 3.7 TeV"),
    ],
}
COLUMNS = ("jet_pt", "jet_nparticles", "jet_mass", "jet_sdmass", "jet_tau1", "jet_tau2", "jet_tau3")


def moments(dataset: Dataset) -> dict[str, dict[str, tuple[float, float]]]:
    """Class → quantity → mean and its error."""
    jets = dataset.read([*COLUMNS, "jet_label"])
    quantities = {
        "pt": jets["jet_pt"],
        "n": jets["jet_nparticles"],
        "mass": jets["jet_mass"],
        "sdmass": jets["jet_sdmass"],
        "tau21": jets["jet_tau2"] / np.maximum(jets["jet_tau1"], 1e-9),
        "tau32": jets["jet_tau3"] / np.maximum(jets["jet_tau2"], 1e-9),
    }
    groups = {name: jets["jet_label"] == label for label, name in enumerate(dataset.classes)}
    groups["all"] = np.ones(len(jets["jet_pt"]), bool)
    return {
        group: {
            name: (float(v[rows].mean()), float(v[rows].std() / np.sqrt(rows.sum()))) for name, v in quantities.items()
        }
        for group, rows in groups.items()
    }


def auc(signal: np.ndarray, background: np.ndarray) -> tuple[float, float]:
    """Area under the ROC curve and its error (Hanley and McNeil, 1982)."""
    order = np.argsort(np.argsort(np.concatenate([signal, background]), kind="stable"))
    n, m = len(signal), len(background)
    a = (order[:n].sum() - n * (n - 1) / 2) / (n * m)
    q1, q2 = a / (2 - a), 2 * a * a / (1 + a)
    return a, float(np.sqrt((a * (1 - a) + (n - 1) * (q1 - a * a) + (m - 1) * (q2 - a * a)) / (n * m)))


def dijet_aucs(dataset: Dataset) -> dict[str, tuple[float, float]]:
    """AUC of each LHC Olympics feature in the signal region 3.3 < m_jj < 3.7 TeV; J1 is the lighter jet."""
    jets = dataset.read([*COLUMNS, "jet_label", "event_id", "jet_rank", "event_mjj"])
    order = np.lexsort((jets["jet_rank"], jets["event_id"]))
    pair = {name: np.asarray(column)[order].reshape(-1, 2) for name, column in jets.items()}
    lighter = np.argsort(pair["jet_mass"], axis=1)
    by_mass = {name: np.take_along_axis(column, lighter, axis=1) for name, column in pair.items()}
    tau21 = by_mass["jet_tau2"] / (1e-5 + by_mass["jet_tau1"])
    features = {
        "m1": by_mass["jet_mass"][:, 0],
        "dm": by_mass["jet_mass"][:, 1] - by_mass["jet_mass"][:, 0],
        "-tau21_1": -tau21[:, 0],
        "-tau21_2": -tau21[:, 1],
    }
    region = (pair["event_mjj"][:, 0] > 3300) & (pair["event_mjj"][:, 0] < 3700)
    signal = region & (pair["jet_label"][:, 0] == 1)
    background = region & (pair["jet_label"][:, 0] == 0)
    print(f"signal region: {signal.sum()} signal and {background.sum()} QCD events")
    return {name: auc(values[signal], values[background]) for name, values in features.items()}


def main(arguments: list[str]) -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folders", type=Path, nargs="+", help="datasets made by jetkit simulate")
    for folder in parser.parse_args(arguments).folders:
        dataset = open_dataset(folder)
        table = moments(dataset)
        print(f"\n{dataset.card.name}, {len(dataset)} jets, seed {dataset.card.seed}")
        print(f"{'class':8s}" + "".join(f"{name:>18s}" for name in table["all"]))
        for group, row in table.items():
            print(f"{group:8s}" + "".join(f"{mean:10.3f} ± {error:5.3f}" for mean, error in row.values()))
        if "event_mjj" in dataset.columns:
            table["AUC"] = dijet_aucs(dataset)
        for group, name, value, source in PUBLISHED.get(dataset.card.name, []):
            mean, error = table[group][name]
            print(f"{group} {name}: {mean:.3f} ± {error:.3f}, published {value} ({source})")
