"""Our detector on the generated particles of two published Delphes files, beside what Delphes made of them.

Tracks are matched to generated particles of the same PDG code by azimuth, which the detector does not smear.
"""

import argparse
from pathlib import Path

import numpy as np
import uproot

from jetkit.simulation.detector import detect
from jetkit.simulation.detector_card import load_card
from jetkit.simulation.particles import Particles, row_limits

FILES = ("jetclass2_events.root", "jetclass2_higgs2p_events.root")


def generated(path: Path) -> Particles:
    tree = uproot.open(path)["Delphes"]
    read = {
        k: tree[f"Particle/Particle.{k}"].array()
        for k in ("Status", "PID", "Charge", "E", "Px", "Py", "Pz", "X", "Y", "Z")
    }
    final = read["Status"] == 1
    flat = {k: np.concatenate([np.asarray(event) for event in v[final]]).astype(float) for k, v in read.items()}
    counts = np.array([int(np.sum(event)) for event in final])
    p4 = np.stack([flat[k] for k in ("E", "Px", "Py", "Pz")], axis=1)
    vertex = np.stack([flat[k] for k in "XYZ"], axis=1)
    charge = flat["Charge"].astype(np.int64)
    return Particles(p4, flat["PID"].astype(np.int64), charge, vertex, row_limits(counts), np.zeros((len(p4), 4)))


def published(path: Path) -> Particles:
    tree = uproot.open(path)["Delphes"]
    names = ("PID", "Charge", "E", "PT", "Phi", "CtgTheta", "D0", "ErrorD0", "DZ", "ErrorDZ")
    read = {k: tree[f"ParticleFlowCandidate/ParticleFlowCandidate.{k}"].array() for k in names}
    counts = np.array([len(event) for event in read["PT"]])
    flat = {k: np.concatenate([np.asarray(event) for event in v]).astype(float) for k, v in read.items()}
    pz = flat["PT"] * flat["CtgTheta"]
    p4 = np.stack([flat["E"], flat["PT"] * np.cos(flat["Phi"]), flat["PT"] * np.sin(flat["Phi"]), pz], axis=1)
    track = np.stack([flat[k] for k in ("D0", "ErrorD0", "DZ", "ErrorDZ")], axis=1)
    charge = flat["Charge"].astype(np.int64)
    return Particles(p4, flat["PID"].astype(np.int64), charge, np.zeros((len(p4), 3)), row_limits(counts), track)


def pairs(truth: Particles, seen: Particles) -> tuple[np.ndarray, np.ndarray]:
    """Rows of a generated particle and of the one track of its kind and azimuth."""
    left, right = [], []
    for event in range(len(truth)):
        t = np.arange(*truth.offsets[event : event + 2])
        t = t[truth.charge[t] != 0]
        for row in range(*seen.offsets[event : event + 2]):
            if seen.charge[row] == 0:
                continue
            dphi = np.arctan2(truth.p4[t, 2], truth.p4[t, 1]) - np.arctan2(seen.p4[row, 2], seen.p4[row, 1])
            here = t[(np.abs(dphi) < 3e-6) & (truth.pid[t] == seen.pid[row])]
            if len(here) == 1:
                left.append(here[0])
                right.append(row)
    return np.array(left), np.array(right)


def summary(truth: Particles, seen: Particles) -> dict[str, float]:
    t, s = pairs(truth, seen)
    true_pt, pt = (np.hypot(x.p4[rows, 1], x.p4[rows, 2]) for x, rows in ((truth, t), (seen, s)))
    kind = np.abs(seen.pid[s])
    eta = np.arcsinh(truth.p4[:, 3] / np.hypot(truth.p4[:, 1], truth.p4[:, 2]))
    central = (truth.charge != 0) & (np.abs(eta) < 1.4) & (np.hypot(truth.p4[:, 1], truth.p4[:, 2]) > 2.0)
    found = np.isin(np.flatnonzero(central), t)
    hadron, ratio, hard = (kind != 11) & (kind != 13), pt / true_pt, true_pt > 1.0
    pull = (seen.track[s, 0]) / np.where(seen.track[s, 1] > 0, seen.track[s, 1], np.inf)
    result = {
        "tracks matched": float(len(t)),
        "found, |eta|<1.4, pT>2 GeV": float(found.mean()),
        "hadrons with the generated pT": float((np.abs(ratio[hadron & hard] - 1) < 1e-5).mean()),
        "muons with the generated pT": float((np.abs(ratio[kind == 13] - 1) < 1e-5).mean()),
        "sigma(d0) median [mm]": float(np.median(seen.track[s, 1])),
        "68 % of |d0|/sigma": float(np.quantile(np.abs(pull), 0.68)),
    }
    for q in (0.05, 0.16, 0.5, 0.84, 0.95):
        result[f"hadrons pT/generated, {100 * q:.0f} %"] = float(np.quantile(ratio[hadron & hard], q))
    return result


def main(arguments: list[str]) -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path, help="folder that holds " + " and ".join(FILES))
    parser.add_argument("--card", default="cms-jetclass")
    parser.add_argument("--repeat", type=int, default=20, help="detector passes over the same events")
    chosen = parser.parse_args(arguments)
    rows: dict[str, list[dict[str, float]]] = {"published": [], "ours": []}
    for name in FILES:
        truth = generated(chosen.folder / name)
        rows["published"].append(summary(truth, published(chosen.folder / name)))
        seeds = np.arange(len(truth), dtype=np.int64) * 1000
        card = load_card(chosen.card)
        rows["ours"] += [summary(truth, detect(truth, card, seeds + 10 * k + 1)) for k in range(chosen.repeat)]
    print(
        f"{'':32s} {'published':>10s} {'ours':>10s}   (card {chosen.card}; {len(rows['published'])} files of 10 events)"
    )
    for key in rows["published"][0]:
        print(f"{key:32s} " + " ".join(f"{np.mean([one[key] for one in rows[who]]):10.3f}" for who in rows))
