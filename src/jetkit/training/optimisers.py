"""Optimisers, and the parameters to which weight decay applies."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable
from typing import Any

import torch
from torch import Tensor, nn
from torch.optim import Optimizer

from jetkit.registry import entry, register


@register("ranger", kind="optimiser", paper="Lookahead Optimizer: k steps forward, 1 step back, 2019, arXiv:1907.08610")
class Ranger(torch.optim.RAdam):
    """RAdam with Lookahead: every k steps the weights return to slow ← slow + α (fast − slow).

    Constants are those of weaver-core: β = (0.95, 0.999), ε = 1e-5, α = 0.5, k = 6. Weight decay is decoupled from the
    gradient.

    Source: On the Variance of the Adaptive Learning Rate and Beyond, 2019, arXiv:1908.03265; Lookahead Optimizer:
    k steps forward, 1 step back, 2019, arXiv:1907.08610.

    Example:
        >>> weight = nn.Parameter(torch.ones(2))
        >>> optimiser = Ranger([weight], lr=0.1)
        >>> weight.sum().backward()
        >>> optimiser.step()
    """

    def __init__(
        self, params: Iterable[Any], lr: float, weight_decay: float = 0.0, alpha: float = 0.5, k: int = 6
    ) -> None:
        super().__init__(
            params, lr, betas=(0.95, 0.999), eps=1e-5, weight_decay=weight_decay, decoupled_weight_decay=True
        )
        self.alpha, self.k = alpha, k

    @torch.no_grad()
    def step(self, closure: Callable[[], float] | None = None) -> float | None:  # type: ignore[override]
        """Make one step of RAdam, and of Lookahead in every k-th step."""
        weights = [weight for group in self.param_groups for weight in group["params"] if weight.grad is not None]
        for weight in weights:
            if not self.state[weight]:
                self._start(weight)
        loss: float | None = super().step(closure)
        for weight in weights:
            state = self.state[weight]
            if int(state["step"]) % self.k == 0:
                state["slow"].lerp_(weight, self.alpha)
                weight.copy_(state["slow"])
        return loss

    def _start(self, weight: Tensor) -> None:
        """Initialise the state of RAdam, and the slow weights."""
        self.state[weight] = {
            "step": torch.tensor(0.0),
            "exp_avg": torch.zeros_like(weight, memory_format=torch.preserve_format),
            "exp_avg_sq": torch.zeros_like(weight, memory_format=torch.preserve_format),
            "slow": weight.detach().clone(),
        }


@register("lion", kind="optimiser", paper="Symbolic Discovery of Optimization Algorithms, 2023, arXiv:2302.06675")
class Lion(Optimizer):
    """Lion optimiser: w ← w − η (sign(β₁ m + (1 − β₁) g) + λ w), then m ← β₂ m + (1 − β₂) g.

    η should be three to ten times smaller than for AdamW. β = (0.95, 0.99).

    Source: Symbolic Discovery of Optimization Algorithms, 2023, arXiv:2302.06675; β₁ as in OmniLearn, 2024,
    arXiv:2404.16091.

    Example:
        >>> weight = nn.Parameter(torch.ones(2))
        >>> optimiser = Lion([weight], lr=0.1)
        >>> weight.sum().backward()
        >>> optimiser.step()
        >>> weight.detach()
        tensor([0.9000, 0.9000])
    """

    def __init__(
        self, params: Iterable[Any], lr: float, weight_decay: float = 0.0, betas: tuple[float, float] = (0.95, 0.99)
    ) -> None:
        super().__init__(params, {"lr": lr, "weight_decay": weight_decay, "betas": betas})

    @torch.no_grad()
    def step(self, closure: Callable[[], float] | None = None) -> float | None:  # type: ignore[override]
        """Make one step."""
        loss = None
        if closure is not None:
            with torch.enable_grad():
                loss = closure()
        for group in self.param_groups:
            lr, decay, (first, second) = group["lr"], group["weight_decay"], group["betas"]
            for weight in group["params"]:
                if weight.grad is None:
                    continue
                if not self.state[weight]:
                    self.state[weight]["momentum"] = torch.zeros_like(weight)
                momentum = self.state[weight]["momentum"]
                weight.mul_(1 - lr * decay).sub_(torch.lerp(weight.grad, momentum, first).sign_(), alpha=lr)
                momentum.lerp_(weight.grad, 1 - second)
        return loss


@register("adamw", kind="optimiser", paper="Decoupled Weight Decay Regularization, 2017, arXiv:1711.05101")
def adamw(groups: list[dict[str, Any]], lr: float, *, fused: bool = False) -> Optimizer:
    """Adam with decoupled weight decay; the fused version reads each weight once, which is faster on a CPU.

    The fused version does not support gradient clipping with scaled losses (``16-mixed``).
    """
    return torch.optim.AdamW(groups, lr=lr, fused=fused)


@register(
    "radam", kind="optimiser", paper="On the Variance of the Adaptive Learning Rate and Beyond, 2019, arXiv:1908.03265"
)
def radam(groups: list[dict[str, Any]], lr: float) -> Optimizer:
    """Adam with rectified variance and decoupled weight decay."""
    return torch.optim.RAdam(groups, lr=lr, decoupled_weight_decay=True)


def make_optimiser(name: str, groups: list[dict[str, Any]], lr: float, fused: bool = False) -> Optimizer:
    """Create a registered optimiser over groups of parameters, ``cls(groups, lr)``.

    ``fused`` is passed to optimisers that accept it.

    Raises:
        JetkitError: an unknown name.
    """
    made = entry(name, "optimiser").cls
    own = {"fused": fused} if "fused" in inspect.signature(made).parameters else {}
    optimiser: Optimizer = made(groups, lr, **own)
    return optimiser


def decay_groups(parameters: Iterable[tuple[str, nn.Parameter]], weight_decay: float) -> list[dict[str, Any]]:
    """Split named parameters into matrices, which decay, and biases, normalisations and tokens, which do not."""
    named = [(name, weight) for name, weight in parameters if weight.requires_grad]
    free = [weight for name, weight in named if weight.ndim < 2 or name.endswith("token")]
    decaying = [weight for name, weight in named if weight.ndim >= 2 and not name.endswith("token")]
    groups = [{"params": decaying, "weight_decay": weight_decay}, {"params": free, "weight_decay": 0.0}]
    return [group for group in groups if group["params"]]
