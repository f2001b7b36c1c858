"""A batch that two processes share has the loss and the gradient that it has in one."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest
import torch

from jetkit.nn.processes import gathered, processes, shared_covariance, shared_mean, shared_moments, total
from jetkit.store.tensor_file import read_tensors

SCRIPT = """
import sys
from pathlib import Path
import torch
from torch import distributed
import jetkit.tasks.hidden_particles as hiding
from jetkit.data.batch import Index
from jetkit.data.spec import Spec
from jetkit.data.features import FEATURE_SETS
from jetkit.models import PET, PFN, JetGPT, ParT, VQVAE
from jetkit.nn.shared_batch_norm import share_statistics
from jetkit.registry import create
from jetkit.testing import random_batch
from jetkit.store.tensor_file import write_tensors
from jetkit.training.machine import Door
import jetkit.tasks.registered, jetkit.tasks.mpm, jetkit.tasks.p_jepa

SPEC = Spec.of(tuple(feature.name for feature in FEATURE_SETS["kinpid"]), classes=("QCD", "top"))
out, rank, world, method = Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3]), sys.argv[4]


def every_third(mask, share):
    return mask & (torch.arange(mask.shape[1]) % 3 == 1)


jetkit.tasks.mpm.hidden = jetkit.tasks.p_jepa.hidden = every_third
torch.manual_seed(1)
part = lambda: ParT(SPEC, width=16, depth=1, heads=2, pair_widths=(8,), dropout=0.0)
model = {"jet-gpt": lambda: JetGPT(SPEC, bins=(4, 4, 4), width=16, depth=1, heads=2, dropout=0.0),
         "omni-learn": lambda: PET(SPEC, width=16, depth=1, heads=2, neighbours=3, scale=0.5),
         "vq-vae": lambda: VQVAE(SPEC, width=16, depth=1, heads=2, latent=4, codes=8)}.get(method, part)()
options = {"mpm": {"target": "regression"}, "jet-clr": {"augmentations": ()}, "omni-learn": {"drop": 0.0}}
task = create(method, (model, SPEC), options.get(method, {}), "task").double()
batch = random_batch(SPEC, jets=10, particles=(4, 20), seed=3)
if method == "rs3l":
    batch = batch.replace(index=Index(pair=torch.arange(5).repeat_interleave(2)))
task.prepare([batch])
if method == "omni-learn":
    torch.randn_like = torch.sin
    torch.rand = lambda *shape, **kind: torch.full(shape, 0.3, **kind)
share_statistics(task)
if world > 1:
    distributed.init_process_group("gloo", init_method=f"file://{out}/meet", rank=rank, world_size=world)
    batch = batch.select(slice(0, 6) if rank == 0 else slice(6, 10))
    task = torch.nn.parallel.DistributedDataParallel(Door(task), find_unused_parameters=True)
door = task if world > 1 else Door(task)
losses = door(lambda task: task.train().loss(batch))
losses.total.backward()
whole = task.module.task if world > 1 else task
found = {name: weight.grad for name, weight in whole.named_parameters() if weight.grad is not None}
running = {name: value for name, value in whole.state_dict().items() if "running" in name and "target." not in name}
write_tensors(out / f"{world}-{rank}", found | running | {"loss": losses.total.detach()}, {})
"""
METHODS = ("p-jepa", "mpm", "jet-clr", "rs3l", "jet-gpt", "vq-vae", "omni-learn")


@pytest.mark.parametrize("method", METHODS)
def test_two_processes_have_the_loss_and_the_gradient_of_one(tmp_path: Path, forking: Path, method: str) -> None:
    (tmp_path / "script.py").write_text(SCRIPT)
    started = [
        subprocess.Popen(
            [forking / "python", str(tmp_path / "script.py"), str(tmp_path), str(rank), str(world), method]
        )
        for rank, world in ((0, 1), (0, 2), (1, 2))
    ]
    assert [process.wait(timeout=200) for process in started] == [0, 0, 0]
    one, first, second = (read_tensors(tmp_path / name)[0] for name in ("1-0", "2-0", "2-1"))
    assert one.keys() == first.keys() == second.keys()
    assert (first["loss"] + second["loss"]).item() / 2 == pytest.approx(one["loss"].item(), rel=1e-6)
    for name in one.keys() - {"loss"}:
        assert torch.allclose(first[name], one[name], rtol=1e-4, atol=1e-7), name
        assert torch.equal(first[name], second[name]), name


def test_a_single_process_sends_nothing() -> None:
    values = torch.tensor([[1.0, 2.0], [3.0, 6.0], [5.0, 1.0]])
    assert processes() == 1
    assert total(values) is values
    assert gathered(values) is values
    assert shared_mean(values).item() == 3
    mean, variance = shared_moments(values)
    torch.testing.assert_close(mean, torch.tensor([3.0, 3.0]))
    torch.testing.assert_close(variance, torch.tensor([8 / 3, 14 / 3]))
    mean, covariance = shared_covariance(values)
    torch.testing.assert_close(mean, torch.tensor([3.0, 3.0]))
    torch.testing.assert_close(covariance, torch.tensor([[8 / 3, -2 / 3], [-2 / 3, 14 / 3]]))
