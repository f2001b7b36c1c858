"""When a fast way may stand in for a layer."""

from __future__ import annotations

import pytest
import torch
from torch import nn
from torch.nn.utils import parametrize

from jetkit.errors import JetkitError
from jetkit.nn.backend import THREADS, allows_fast, exporting, in_compiled_loop
from jetkit.nn.dropout import Dropout
from jetkit.nn.shared_batch_norm import SharedBatchNorm


class Other(nn.Linear):
    """Another layer than torch's."""


class Doubled(nn.Module):
    def forward(self, weight: torch.Tensor) -> torch.Tensor:
        return 2 * weight


class Fast(nn.Module):
    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return 2 * x if allows_fast() else 3 * x


class Fixed(nn.Module):
    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return 3 * x if exporting() else 2 * x


def parametrised() -> nn.Linear:
    layer = nn.Linear(2, 2)
    parametrize.register_parametrization(layer, "weight", Doubled())
    return layer


def hooked(kind: str) -> nn.Linear:
    layer = nn.Linear(2, 2)
    getattr(layer, f"register_{kind}_hook")(lambda *_: None)
    return layer


def replaced() -> nn.Linear:
    layer = nn.Linear(2, 2)
    layer.forward = lambda x: x
    return layer


def test_bare_layers_may_be_fast() -> None:
    assert allows_fast()
    assert allows_fast(nn.Linear(2, 2), nn.BatchNorm1d(2), Dropout(0.1), SharedBatchNorm(2))


@pytest.mark.parametrize("kind", ["forward", "forward_pre", "full_backward", "full_backward_pre"])
def test_layers_with_hooks_may_not(kind: str) -> None:
    assert not allows_fast(nn.Linear(2, 2), hooked(kind))


@pytest.mark.parametrize(
    "layer",
    [
        Other(2, 2),
        parametrised(),
        replaced(),
        nn.Sequential(nn.Linear(2, 2)),
        torch.ao.nn.qat.Linear(2, 2, qconfig=torch.ao.quantization.default_qat_qconfig),
    ],
    ids=["another", "parametrised", "replaced", "wrapped", "quantised"],
)
def test_layers_that_are_more_than_their_mathematics_may_not(layer: nn.Module) -> None:
    assert not allows_fast(layer)


def test_the_environment_switches_fast_ways_off(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("JETKIT_BACKEND", "plain")
    assert not allows_fast()
    monkeypatch.setenv("JETKIT_BACKEND", "fast")
    assert allows_fast()
    monkeypatch.setenv("JETKIT_BACKEND", "quick")
    with pytest.raises(JetkitError, match="JETKIT_BACKEND should be fast or plain, got 'quick'"):
        allows_fast()


def exported(module: nn.Module, x: torch.Tensor) -> nn.Module:
    return torch.export.export(module, (x,)).module()


def compiled(module: nn.Module, _: torch.Tensor) -> nn.Module:
    return torch.compile(module, backend="eager")


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
@pytest.mark.filterwarnings("ignore::torch.jit.TracerWarning")
@pytest.mark.parametrize(
    ("write_down", "fixed"),
    [(exported, True), (torch.jit.trace, True), (compiled, False)],
    ids=["export", "trace", "compile"],
)
def test_a_graph_has_the_plain_way_and_one_for_others_the_same_shapes_for_all_jets(write_down, fixed: bool) -> None:
    x = torch.ones(2)
    for module, other in ((Fast(), True), (Fixed(), fixed)):
        assert torch.equal(module(x), 2 * x)
        assert torch.equal(write_down(module, x)(x), (3 if other else 2) * x)


@pytest.mark.usefixtures("one_thread")
def test_compiled_loops_are_for_gradients_in_single_precision_on_few_threads() -> None:
    x = torch.ones(2, requires_grad=True)
    assert in_compiled_loop(x)
    assert not in_compiled_loop(x.detach())
    assert not in_compiled_loop(x.double())
    assert not in_compiled_loop(x, Other(2, 2))
    with torch.no_grad():
        assert not in_compiled_loop(x)
    with torch.autocast("cpu", torch.bfloat16):
        assert not in_compiled_loop(x)
    torch.set_num_threads(THREADS + 1)
    assert not in_compiled_loop(x)
