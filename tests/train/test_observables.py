from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch

from jetkit.data.dataset import open_dataset
from jetkit.registry import create
from jetkit.train.observables import WithObservables
from jetkit.train.run import train


@pytest.fixture(scope="module", params=[1, 3])
def batches(toy: Path, request: pytest.FixtureRequest) -> WithObservables:
    dataset = open_dataset(toy)
    shared: dict[str, Any] = {"features": "kin", "batch": 64, "targets": ("row",)}
    model = create("bip", dataset.spec("kin"), {"order": 2, "levels": 4})
    ordered = dataset.batches(shuffle=False, **shared)
    loader = dataset.repeated(request.param).batches(seed=3, **shared)
    return WithObservables(loader, ordered, model.observables, "observables", request.param)


def test_each_jet_comes_with_its_own_observables_in_each_pass(batches: WithObservables) -> None:
    jets = 0
    for cloud in batches:
        torch.testing.assert_close(cloud.targets["observables"], batches.compute(cloud), rtol=1e-6, atol=0)
        jets += len(cloud)
    assert jets == batches.passes * len(batches.table[0])


def test_a_training_computes_them_once_a_jet(make: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from jetkit.models import BIP

    counted: list[int] = []
    compute = BIP.observables
    monkeypatch.setattr(BIP, "observables", lambda self, cloud: counted.append(len(cloud)) or compute(self, cloud))
    options = make(tmp_path / "run", "bip", "epochs=3")
    train(options)
    once = sum(counted)
    assert 0 < once <= 600
    train(options)
    assert sum(counted) == once, "a finished training computes nothing"
