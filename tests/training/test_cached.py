"""What is the same in every epoch, computed once a row."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch

from jetkit.data.dataset import open_dataset
from jetkit.data.loader import Loader
from jetkit.registry import create
from jetkit.training.cached import Cached
from jetkit.training.run import train


@pytest.fixture(scope="module", params=[1, 3])
def batches(toy: Path, request: pytest.FixtureRequest) -> tuple[Cached, Loader]:
    """Batches with their observables, and the same ones as they come."""
    dataset = open_dataset(toy)
    shared: dict[str, Any] = {"features": "kin", "batch": 64}
    model = create("bip", dataset.spec("kin"), {"order": 2, "levels": 4})
    ordered = dataset.batches(shuffle=False, **shared)
    loader, twin = (dataset.repeated(request.param).batches(seed=3, **shared) for _ in range(2))
    return Cached(loader, ordered, model.observables, request.param), twin


def test_each_jet_comes_with_its_own_observables_in_each_pass(batches: tuple[Cached, Loader]) -> None:
    jets, (cached, loader) = 0, batches
    for batch, whole in zip(cached, loader, strict=True):
        torch.testing.assert_close(batch.row, cached.compute(whole), rtol=1e-6, atol=0)
        assert torch.equal(batch.label, whole.label)
        assert not batch.sets
        jets += len(batch)
    assert jets == cached.passes * len(cached.table[0])


def test_a_training_computes_them_once_a_jet(make: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from jetkit.models import BIP

    counted: list[int] = []
    compute = BIP.observables
    monkeypatch.setattr(BIP, "observables", lambda self, batch: counted.append(len(batch)) or compute(self, batch))
    options = make(tmp_path / "run", "bip", "epochs=3")
    train(options)
    once = sum(counted)
    assert 0 < once <= 600
    train(options)
    assert sum(counted) == once, "a finished training computes nothing"
