"""weaver-core's loader with the settings of its training command, on files of ours."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import torch

from jetkit.data.dataset import Dataset
from jetkit.data.features import FEATURE_SETS

LENGTH = 128


def weaver_batches(dataset: Dataset, scratch: Path, fetch: float, batch: int) -> Iterator[dict[str, torch.Tensor]]:
    """Inputs of a network, batch by batch, without a worker process."""
    from torch.utils.data import DataLoader

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for inputs, _labels, _observers in DataLoader(weaver_dataset(dataset, scratch, fetch), batch_size=batch):
            yield inputs


def weaver_dataset(dataset: Dataset, scratch: Path, fetch: float) -> Any:
    """The jets as its training command streams them.

    Raises:
        SystemExit: weaver-core is not installed.
    """
    try:
        import yaml
        from weaver.utils.dataset import SimpleIterDataset
    except ImportError as error:
        raise SystemExit(f"weaver-core cannot be imported ({error}): pip install 'jetkit[reference]'") from error
    config = scratch / "full.yaml"
    config.write_text(yaml.safe_dump(weaver_config(max(1, len(dataset.classes))), sort_keys=False), encoding="utf-8")
    return SimpleIterDataset(
        {"jets": [str(source.path) for source in dataset.sources]},
        str(config),
        for_training=True,
        fetch_by_files=False,
        fetch_step=fetch,
        async_load=False,
        name="train",
    )


def weaver_config(classes: int) -> dict[str, Any]:
    """The data configuration of JetClass_full, for files with the column jet_label."""
    inputs = {
        "pf_points": {"length": LENGTH, "pad_mode": "wrap", "vars": [["part_deta", None], ["part_dphi", None]]},
        "pf_features": {"length": LENGTH, "pad_mode": "wrap", "vars": _weaver_features()},
        "pf_vectors": {
            "length": LENGTH,
            "pad_mode": "wrap",
            "vars": [[f"part_{name}", None] for name in ("px", "py", "pz", "energy")],
        },
        "pf_mask": {"length": LENGTH, "pad_mode": "constant", "vars": [["part_mask", None]]},
    }
    return {
        "treename": "tree",
        "selection": None,
        "new_variables": {
            "part_mask": "ak.ones_like(part_energy)",
            "part_pt": "np.hypot(part_px, part_py)",
            "part_pt_log": "np.log(part_pt)",
            "part_e_log": "np.log(part_energy)",
            "part_logptrel": "np.log(part_pt/jet_pt)",
            "part_logerel": "np.log(part_energy/jet_energy)",
            "part_deltaR": "np.hypot(part_deta, part_dphi)",
            "part_d0": "np.tanh(part_d0val)",
            "part_dz": "np.tanh(part_dzval)",
            **{f"label_{index}": f"jet_label=={index}" for index in range(classes)},
        },
        "preprocess": {"method": "manual", "data_fraction": None},
        "inputs": inputs,
        "labels": {"type": "simple", "value": [f"label_{index}" for index in range(classes)]},
        "observers": [],
        "weights": None,
    }


def _weaver_features() -> list[list[Any]]:
    rows = {feature.name: feature for feature in FEATURE_SETS["full"]}
    return [
        [name, None] if item.center is None else [name, item.center, item.scale, item.low, item.high]
        for name, item in rows.items()
    ]
