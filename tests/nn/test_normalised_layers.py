from __future__ import annotations

import copy
import subprocess
import sys
from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from jetkit.nn import normalised_layers as room
from jetkit.nn.normalised_layers import normalised_layers
from jetkit.train.files import read_tensors

SHARED = """
import sys
from pathlib import Path
import torch
from torch import distributed, nn
torch.set_num_threads(1)
from jetkit.nn.normalised_layers import normalised_layers
from jetkit.nn.shared_batch_norm import share_statistics
from jetkit.train.files import write_tensors

out, rank, world = Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3])
torch.manual_seed(1)
linears = nn.ModuleList([nn.Linear(4, 16), nn.Linear(16, 8)])
norms = nn.ModuleList([nn.BatchNorm1d(16), nn.BatchNorm1d(8)])
share_statistics(norms)
x, gradient = torch.randn(40, 4) + 2, torch.randn(40, 8)
rows = slice(0, 40)
if world > 1:
    distributed.init_process_group("gloo", init_method=f"file://{out}/meet", rank=rank, world_size=world)
    rows = slice(0, 25) if rank == 0 else slice(25, 40)
here = x[rows].clone().requires_grad_()
normalised_layers(here, linears, norms).backward(gradient[rows])
everywhere = torch.zeros_like(x)
everywhere[rows] = here.grad
weights = [*linears.named_parameters("linears"), *norms.named_parameters("norms")]
found = {"x": everywhere} | {name: weight.grad for name, weight in weights}
if world > 1:
    for value in found.values():
        distributed.all_reduce(value)
if rank == 0:
    running = {"mean": norms[1].running_mean, "var": norms[1].running_var}
    write_tensors(out / f"{world}.safetensors", found | running, {})
"""


pytestmark = pytest.mark.usefixtures("one_thread")
Layers = tuple[list[nn.Linear], list[nn.BatchNorm1d]]


def layers(widths: Sequence[int]) -> Layers:
    linears = [nn.Linear(a, b) for a, b in pairwise(widths)]
    norms = [nn.BatchNorm1d(b) for b in widths[1:]]
    for norm in norms:
        nn.init.uniform_(norm.weight, 0.5, 1.5)
        nn.init.normal_(norm.bias)
    return linears, norms


def double(of: Layers) -> Layers:
    return tuple([copy.deepcopy(part).double() for part in parts] for parts in of)


def slow(x: Tensor, linears: list[nn.Linear], norms: list[nn.BatchNorm1d]) -> Tensor:
    for linear, norm in zip(linears, norms, strict=True):
        x = F.gelu(norm(linear(x)))
    return x


@pytest.mark.parametrize(
    ("rows", "widths"), [(2, [3, 5]), (300, [4, 16, 8]), (5000, [4, 64, 64, 8]), (2049, [1, 1, 1])]
)
def test_values_gradients_and_running_statistics_are_those_of_double_precision(rows: int, widths: list[int]) -> None:
    torch.manual_seed(rows)
    ours = layers(widths)
    truth = double(ours)
    x = (3 * torch.randn(rows, widths[0]) + 7).requires_grad_()
    exact = x.detach().double().requires_grad_()
    gradient = torch.randn(rows, widths[-1])
    found, known = normalised_layers(x, *ours), slow(exact, *truth)
    found.backward(gradient)
    known.backward(gradient.double())
    torch.testing.assert_close(found.double(), known, atol=2e-4, rtol=1e-4)
    size = float(exact.grad.abs().max())
    torch.testing.assert_close(x.grad.double(), exact.grad, atol=2e-3 * size, rtol=0)
    for part, other in zip([*ours[0], *ours[1]], [*truth[0], *truth[1]], strict=True):
        torch.testing.assert_close(part.weight.grad.double(), other.weight.grad, atol=1e-3 * rows**0.5, rtol=2e-3)
    for part, other in zip(ours[1], truth[1], strict=True):
        torch.testing.assert_close(part.bias.grad.double(), other.bias.grad, atol=1e-3 * rows**0.5, rtol=2e-3)
        torch.testing.assert_close(part.running_mean.double(), other.running_mean, atol=1e-5, rtol=1e-5)
        torch.testing.assert_close(part.running_var.double(), other.running_var, atol=1e-5, rtol=1e-4)
        assert part.num_batches_tracked == 1


def test_a_shift_before_a_normalisation_has_no_gradient() -> None:
    linears, norms = layers([4, 8])
    normalised_layers(torch.randn(50, 4, requires_grad=True), linears, norms).square().sum().backward()
    assert not linears[0].bias.grad.any()


def test_pieces_make_no_difference(monkeypatch: pytest.MonkeyPatch) -> None:
    torch.manual_seed(3)
    linears, norms = layers([4, 16, 16, 8])
    x = torch.randn(1000, 4, requires_grad=True)
    found = {}
    for piece in (1000, 384, 128):
        monkeypatch.setattr(room, "PIECE", piece)
        y = normalised_layers(x, linears, norms)
        found[piece] = y.detach(), *torch.autograd.grad(y.square().sum(), [x, linears[1].weight, norms[0].weight])
    for piece in (384, 128):
        for here, there in zip(found[piece], found[1000], strict=True):
            torch.testing.assert_close(here, there, atol=1e-3, rtol=1e-3)


def test_evaluation_other_types_and_more_threads_go_the_plain_way() -> None:
    ours = layers([4, 8])
    x = torch.randn(30, 4, requires_grad=True)
    torch.set_num_threads(2)
    assert torch.equal(normalised_layers(x, *ours), slow(x, *ours))
    torch.set_num_threads(1)
    evaluated = [norm.eval() for norm in ours[1]]
    assert torch.equal(normalised_layers(x, ours[0], evaluated), slow(x, ours[0], evaluated))
    truth = double(ours)
    assert torch.equal(normalised_layers(x.double(), *truth), slow(x.double(), *truth))
    with torch.autocast("cpu", torch.bfloat16):
        halved = normalised_layers(x, *layers([4, 8]))
    assert halved.dtype == torch.bfloat16
    with pytest.raises(ValueError, match="more than 1 value"):
        normalised_layers(torch.randn(1, 4, requires_grad=True), *layers([4, 8]))


def test_processes_share_the_statistics(tmp_path: Path) -> None:
    for world in (1, 2):
        started = [
            subprocess.Popen([sys.executable, "-c", SHARED, str(tmp_path), str(rank), str(world)])
            for rank in range(world)
        ]
        assert [process.wait(120) for process in started] == [0] * world
    alone, shared = (read_tensors(tmp_path / f"{world}.safetensors")[0] for world in (1, 2))
    assert alone.keys() == shared.keys()
    for name, value in alone.items():
        torch.testing.assert_close(shared[name], value, atol=2e-5, rtol=1e-5, msg=name)
