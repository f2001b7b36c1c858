from __future__ import annotations

import subprocess
from pathlib import Path

import pytest
import torch

from jetkit.store.tensor_file import read_tensors

SCRIPT = """
import sys
from pathlib import Path
import torch
from torch import distributed, nn
from jetkit.nn.shared_batch_norm import share_statistics
from jetkit.store.tensor_file import write_tensors

out, rank, world, places = Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3]), int(sys.argv[4])
torch.manual_seed(1)
norms = nn.Sequential(nn.BatchNorm1d(6), nn.Tanh(), nn.BatchNorm1d(6, affine=False, momentum=None))
nn.init.uniform_(norms[0].weight, 0.5, 1.5)
share_statistics(norms)
shape = (40, 6, places) if places else (40, 6)
x, gradient = 3 * torch.randn(shape) + 100, torch.randn(shape)
rows = slice(0, 40)
if world > 1:
    distributed.init_process_group("gloo", init_method=f"file://{out}/meet{places}", rank=rank, world_size=world)
    rows = slice(0, 25) if rank == 0 else slice(25, 40)
here = x[rows].clone().requires_grad_()
value = norms(here)
value.backward(gradient[rows])
everywhere = {"value": torch.zeros_like(x), "x": torch.zeros_like(x)}
everywhere["value"][rows], everywhere["x"][rows] = value.detach(), here.grad
found = everywhere | {name: weight.grad for name, weight in norms.named_parameters()}
if world > 1:
    for part in found.values():
        distributed.all_reduce(part)
if rank == 0:
    running = {name: part.float() for name, part in norms.named_buffers()}
    write_tensors(out / f"{world}.safetensors", found | running, {})
if world > 1:
    distributed.destroy_process_group()
"""


@pytest.mark.parametrize("places", [0, 3])
def test_processes_share_the_statistics(tmp_path: Path, forking: Path, places: int) -> None:
    for world in (1, 2):
        started = [
            subprocess.Popen([forking / "python", "-c", SCRIPT, str(tmp_path), str(rank), str(world), str(places)])
            for rank in range(world)
        ]
        assert [process.wait(120) for process in started] == [0] * world
    alone, shared = (read_tensors(tmp_path / f"{world}.safetensors")[0] for world in (1, 2))
    assert alone.keys() == shared.keys()
    assert {"value", "x", "0.weight", "2.running_var"} <= alone.keys()
    for name, value in alone.items():
        torch.testing.assert_close(shared[name], value, atol=5e-5, rtol=1e-5, msg=name)
