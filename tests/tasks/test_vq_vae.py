"""Learning codes: the parts of the loss, where it begins, and what the log tells."""

from __future__ import annotations

from typing import Any

import pytest
import torch

from jetkit.data.batch import Batch
from jetkit.data.spec import Spec
from jetkit.errors import JetkitError
from jetkit.models import PFN, VQVAE
from jetkit.registry import create
from jetkit.tasks.vq_vae import VQVAEPretext
from jetkit.testing import random_batch

SPEC = Spec.of(("part_pt_log", "part_deta", "part_dphi"), classes=("QCD", "top"))


def made(codes: int = 16, **options: Any) -> VQVAEPretext:
    torch.manual_seed(4)
    task: VQVAEPretext = create(
        "vq-vae", (VQVAE(SPEC, width=16, depth=1, heads=2, latent=4, codes=codes), SPEC), options, kind="task"
    )
    return task


@pytest.fixture
def jets() -> Batch:
    return random_batch(SPEC, jets=64, particles=(1, 15), seed=4).to(dtype=torch.float32)


def test_it_begins_with_standard_numbers_and_with_every_code_in_use(jets: Batch) -> None:
    task = made()
    task.prepare([jets, jets])
    seen = task.model.standard(task.model.values(jets)[jets.mask])
    torch.testing.assert_close(seen.mean(0), torch.zeros(3), rtol=0, atol=1e-5)
    torch.testing.assert_close(seen.std(0, unbiased=False), torch.ones(3), rtol=0, atol=1e-5)
    assert task.model.codes(jets)[jets.mask].unique().tolist() == list(range(16))


@pytest.mark.parametrize("reconstruction", ["l1", "mse"])
def test_the_loss_is_that_of_real_particles_and_ten_times_the_commitment(jets: Batch, reconstruction: str) -> None:
    task = made(reconstruction=reconstruction).eval()
    task.prepare([jets])
    found = task.loss(jets)
    away = (task.model.reconstructed(jets) - task.model.values(jets))[jets.mask] / task.model.standard.scale
    wanted = away.abs().mean() if reconstruction == "l1" else away.square().mean()
    torch.testing.assert_close(found.parts["reconstruction"], wanted, rtol=1e-4, atol=1e-5)
    torch.testing.assert_close(found.total.detach(), wanted + 10 * found.parts["commitment"], rtol=1e-4, atol=1e-5)


def test_more_codes_learn_to_tell_more(jets: Batch) -> None:
    errors = []
    for codes in (2, 64):
        task = made(codes)
        task.prepare([jets])
        optimiser = torch.optim.Adam(task.parameters(), lr=3e-3)
        for _ in range(120):
            optimiser.zero_grad()
            task.train().loss(jets).total.backward()
            optimiser.step()
        errors.append(task.eval().loss(jets).parts["reconstruction"].item())
    assert errors[1] < 0.75 * errors[0]


def test_the_log_tells_how_codes_are_used(jets: Batch) -> None:
    task = made()
    task.prepare([jets])
    with torch.no_grad():
        numbers = task.eval().watch((batch, task.predict(batch)) for batch in (jets.select(slice(0, 30)), jets))
    assert {"loss", "loss reconstruction", "loss commitment", "effective_rank"} <= numbers.keys()
    assert numbers["used_codes"] == 16
    assert 8 < numbers["perplexity"] <= 16


def test_a_model_without_codes_is_refused() -> None:
    with pytest.raises(JetkitError, match="write model=vq-vae"):
        create("vq-vae", (PFN(SPEC), SPEC), {}, kind="task")


def test_too_few_particles_for_so_many_codes_are_refused(jets: Batch) -> None:
    with pytest.raises(JetkitError, match="particles are too few for 2000 clusters: ask for fewer"):
        made(2000).prepare([jets])
