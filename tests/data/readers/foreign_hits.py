"""Small files in the layouts of CaloChallenge, TrackML, the Open Data Detector and SPANet."""

from __future__ import annotations

import gzip
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import h5py
import numpy as np


def make_showers(size: int, showers: int = 5, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Energies in MeV of mostly empty voxels, and incident energies; the last voxel is hit, the last shower empty."""
    random = np.random.default_rng(seed)
    energies = random.lognormal(0, 3, (showers, size)) * (random.uniform(size=(showers, size)) < 0.3)
    energies[:-1, -1] = 7.25
    energies[-1] = 0
    return energies, 2.0 ** random.integers(8, 23, (showers, 1))


def write_showers(path: Path, showers: np.ndarray, incident: np.ndarray, dtype: str = "f8") -> Path:
    with h5py.File(path, "w") as file:
        file.create_dataset("incident_energies", data=incident.astype(dtype), compression="gzip")
        file.create_dataset("showers", data=showers.astype(dtype), compression="gzip")
    return path


def make_track_ml(seed: int = 0) -> dict[str, dict[str, list[Any]]]:
    """Columns of the four files of an event: 12 hits of 4 particles and noise, in other orders in other files."""
    random = np.random.default_rng(seed)
    particles = [4503737066323968, 2**53 + 1, 2**62 + 1, 17]
    hit_id = [3, 5, 6, 7, 10, 11, 12, 20, 21, 22, 23, 99]
    owner = [2, 2, 1, 0, -1, 1, 1, -1, 0, 0, 2, 2]
    order = random.permutation(len(hit_id)).tolist()
    reals = lambda count: np.round(random.normal(0, 100, count), 3).tolist()  # noqa: E731
    cells = [3, 3, 5, 6, 7, 7, 7, 10, 11, 12, 20, 21, 22, 23, 99, 99]
    names = ("volume_id", "layer_id", "module_id")
    return {
        "hits": {
            "hit_id": hit_id,
            **{name: reals(12) for name in "xyz"},
            **{name: random.integers(1, 19, 12).tolist() for name in names},
        },
        "truth": {
            "hit_id": [hit_id[i] for i in order],
            "particle_id": [particles[owner[i]] if owner[i] >= 0 else 0 for i in order],
            **{name: reals(12) for name in ("tx", "ty", "tz", "tpx", "tpy", "tpz")},
            "weight": [6.5e-06 * (owner[i] >= 0) for i in order],
        },
        "particles": {
            "particle_id": particles,
            **{name: reals(4) for name in ("vx", "vy", "vz", "px", "py", "pz")},
            "q": [1, -1, 1, -1],
            "nhits": [3, 3, 4, 0],
        },
        "cells": {
            "hit_id": cells[::-1],
            "ch0": list(range(16)),
            "ch1": list(range(16)),
            "value": [0.25 * (1 + i) for i in range(16)],
        },
    }


def write_track_ml(folder: Path, event: Mapping[str, Mapping[str, Sequence[Any]]], suffix: str = "") -> Path:
    """Files of event 1000; the path of its hits."""
    for kind, columns in event.items():
        rows = [",".join(columns), *(",".join(map(str, row)) for row in zip(*columns.values(), strict=True))]
        text = ("\n".join(rows) + "\n").encode()
        path = folder / f"event000001000-{kind}.csv{suffix}"
        path.write_bytes(gzip.compress(text) if suffix else text)
    return folder / f"event000001000-hits.csv{suffix}"


def make_odd_event() -> dict[str, Any]:
    """An event of 5 tracker hits of two particles, one of them found as a track, and noise-like single hits."""
    truth = {"pT": 1.5, "pdg_id": -211, "particle_id": 2**53 + 1}
    places = [{"x": float(i), "y": -0.5 * i, "z": 100.0 * i} for i in range(5)]
    hits = [{**place, **truth, "HIT_ID": 10 + 3 * i, "volume_id": 16 + i} for i, place in enumerate(places)]
    fit = {"d0": 0.02, "z0": 196.0, "phi": -2.7, "theta": 0.44, "qop": 0.33, "has_reco": True}
    none = dict.fromkeys(fit, 0.0) | {"has_reco": False}
    energies = [{"energy": 0.25, "detector": "11", "cell_id": ""}, {"energy": 0.5, "detector": "11", "cell_id": ""}]
    points = [{**place, "volume_id": 16} for place in places]
    jet = {"pt": 20.0, "eta": 1.0, "phi": 4.0, "energy": 31.0, "n_constituents": 3}
    shown = {f"has_{name}": True for name in ("reco", "calo", "pdg", "volumes", "graph", "jets")}
    return {
        "metadata": {"event_id": 42, **shown},
        "jets": {"truth": [jet, {**jet, "phi": 1.0}], "reco": [{**jet, "max_extent": 1000.0}]},
        "vertex": [0.01, -0.02, 196.0],
        "tracks": [
            {**truth, "hit_ids": [16, 10], "reco_info": fit, "calo_hits": energies, "points": points[:2]},
            {**truth, "hit_ids": [22], "reco_info": none, "calo_hits": [], "points": points[:1]},
        ],
        "calo_hits": [{**place, "energy": 0.125, **truth} for place in places[:3]],
        "all_tracker_hits": hits,
        "graph_data": {},
    }


def write_odd_event(path: Path, event: Any) -> Path:
    path.write_text(json.dumps(event), encoding="utf-8")
    return path


def make_spanet(events: int = 40, jets: int = 6, seed: int = 0) -> dict[str, np.ndarray]:
    """Datasets of all-hadronic top pairs; padding stands behind the jets and is 0."""
    random = np.random.default_rng(seed)
    counts = random.integers(1, jets + 1, events)
    mask = np.arange(jets) < counts[:, None]
    shape = (events, jets)
    features = {
        "mass": random.uniform(1, 20, shape),
        "pt": random.uniform(20, 200, shape),
        "eta": random.normal(0, 1, shape),
        "phi": random.uniform(-3, 3, shape),
        "btag": random.integers(0, 2, shape),
    }
    found = {f"INPUTS/Source/{name}": (values * mask).astype(np.float32) for name, values in features.items()}
    products = [f"TARGETS/{top}/{product}" for top in ("t1", "t2") for product in ("q1", "q2", "b")]
    targets = {name: np.where(random.uniform(size=events) < 0.7, random.integers(0, counts), -1) for name in products}
    return found | {"INPUTS/Source/MASK": mask} | targets


def write_spanet(path: Path, datasets: Mapping[str, np.ndarray]) -> Path:
    with h5py.File(path, "w") as file:
        for name, values in datasets.items():
            file.create_dataset(name, data=values)
    return path
