"""Cards of published results, and the verdict on ours."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
import yaml

from jetkit.config import names
from jetkit.evaluation.number import Number
from jetkit.store.options import nested
from jetkit.studies.reproduce import read_reproduction_card, verdict

Jetkit = Callable[..., str]


@pytest.mark.parametrize("name", names("cards"))
def test_each_card_can_be_read_and_trained(name: str) -> None:
    card = read_reproduction_card(name)
    assert nested(card.run | {"data": "x", "epochs": card.epochs}, name).model.name in name
    assert card.expected.keys() == card.tolerance.keys()
    assert "arXiv" in card.source


@pytest.mark.parametrize(
    ("found", "budget", "expected"),
    [
        (0.932, 1.0, "on track"),
        (0.927, 0.1, "on track"),
        (0.9279, 1.0, "on track"),
        (0.91, 0.5, "budget too small"),
        (0.91, 1.0, "off track: below the published number"),
        (0.95, 0.5, "off track: above the published number, look for a leak"),
    ],
)
def test_verdicts(found: float, budget: float, expected: str) -> None:
    assert verdict(Number(found, 0.0001, 40000), 0.932, 0.005, budget) == expected


def test_a_card_runs_from_data_to_verdict(jetkit: Jetkit, toy: Path, tmp_path: Path) -> None:
    card = {
        "description": "a tiny card", "source": "nobody, 2026, arXiv:0000.00000", "recipe": "top-landscape",
        "train_jets": 600, "epochs": 4, "run": {"model": "pfn", "features": "kin", "lr": 0.005, "batch": 64},
        "expected": {"accuracy": 0.99, "auc": 0.999}, "tolerance": {"accuracy": 0.5, "auc": 0.001},
    }  # fmt: skip
    (tmp_path / "card.yaml").write_text(yaml.safe_dump(card))
    words = [f"data={toy}", f"out={tmp_path}/out", "budget=0.5", "test_jets=500", "validation_jets=150"]
    output = jetkit("reproduce", str(tmp_path / "card.yaml"), *words)
    assert "2 of 4 epochs" in output
    assert "on track" in output
    assert (tmp_path / "out" / "report" / "index.html").is_file()
